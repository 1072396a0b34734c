// The admin API's objects, as docs/api.md writes them down. Each function writes one JSON value.
#pragma once

#include <string_view>

#include "app/json_writer.h"
#include "forward/forwarder.h"
#include "ingest/source.h"
#include "replay/jobs.h"
#include "spool/journal.h"
#include "spool/source_gaps.h"

namespace spool {

void WriteStream(JsonWriter& out, const StreamStatus& stream);
// `now` is what its lag in seconds is counted from.
void WriteTarget(JsonWriter& out, const TargetStatus& target, SystemTime now);
void WriteSource(JsonWriter& out, const SourceStatus& source);
// `with_event` adds the event itself; null when its bytes cannot be read any more.
void WriteDeadLetter(JsonWriter& out, const DeadLetter& letter, bool with_event);
void WriteReplay(JsonWriter& out, const ReplayStatus& replay);
void WriteReplayPlan(JsonWriter& out, const ReplayRequest& request, const ReplayPlan& plan);
// `now` is how long one that is open has lasted until.
void WriteSourceGap(JsonWriter& out, const SourceGap& gap, SystemTime now);
// Events that were lost, as a gap of a source that nobody knows.
void WriteLostGap(JsonWriter& out, const Marker& marker);
void WriteMarker(JsonWriter& out, const Marker& marker);

// accepted == delivered + filtered + dead_lettered + evicted + skipped + pending
bool IsAccounted(const Account& account);
// How long the oldest event has waited; 0 when nothing waits, absent when that is not known.
std::optional<double> LagSeconds(const TargetStatus& target, SystemTime now);

}  // namespace spool
