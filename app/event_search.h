// Looking for events in the journal: filters, ranges, newest or oldest first, always bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "app/query_params.h"
#include "base/clock.h"
#include "base/result.h"
#include "forward/match.h"
#include "spool/journal.h"

namespace spool {

// One request may look at so many events and answer with so many bytes (one event always fits).
inline constexpr uint64_t kScanEventsMax = 200'000;
inline constexpr size_t kScanBytesMax = size_t{8} << 20;
// A look-up by id goes further back, since it has nothing else to go by.
inline constexpr uint64_t kLookupEventsMax = 2'000'000;
inline constexpr uint64_t kEventsLimitMax = 10'000;
inline constexpr Micros kLookupAge = std::chrono::hours(24);

// What to look for. Immutable once parsed.
struct EventSearch {
  StreamSet streams;
  Matcher fields;                        // the filters by name
  Matcher match;                         // the match= arguments
  SequenceRange range;                   // narrowed by sequences and accept times
  std::optional<SystemTime> event_from;  // by=event-time: [from, to) of the event's own time
  std::optional<SystemTime> event_to;
  uint64_t limit = 100;
  bool newest = true;
  std::optional<Sequence> to_sequence;  // what ends the range beside the journal's end
  std::optional<SystemTime> accept_to;
  std::chrono::seconds wait{0};
};

// kInvalid naming the parameter.
Result<EventSearch> ParseEventSearch(const QueryParams& params, const Journal& journal,
                                     SystemTime now);

// Sets the range's end anew, after the journal has grown.
Status ExtendRange(const Journal& journal, EventSearch* search);

// How far a scan came.
struct ScanReport {
  bool complete = false;  // the whole range was looked at, or `limit` was reached
  Sequence first;         // the lowest sequence that was looked at
  Sequence next;          // from_sequence (oldest) or to_sequence (newest) to go on with
  Sequence end;           // the journal's end when the scan began
  uint64_t scanned = 0;
  uint64_t matched = 0;
};

struct ScanResult {
  std::string lines;  // CloudEvents objects, each with a line feed, rising sequence
  ScanReport report;
};

// Any thread. kDamaged when events of the range fail their checks, kCancelled on stop.
Result<ScanResult> RunEventSearch(const EventSearch& search, const Journal& journal,
                                  std::stop_token stop);
// The answer's last line.
std::string ScanLine(const ScanReport& report);

// The event of that sequence, or of that id among those accepted since `since` and below `below`
// (0: the end), as one CloudEvents object. kNotFound; kBusy when the bound was reached before the
// range was through: the message says how to go on.
Result<std::string> LookUpEvent(Sequence sequence, const Journal& journal);
// The same, handed to `found` on the calling thread while its views are good. Where an id was
// stored twice it is called again, and the last call counts.
Status LookUpEvent(Sequence sequence, const Journal& journal,
                   const std::function<void(const EventView&)>& found);
Result<std::string> LookUpEvent(const Hash128& id, SystemTime since, Sequence below,
                                const Journal& journal, std::stop_token stop);
Status LookUpEvent(const Hash128& id, SystemTime since, Sequence below, const Journal& journal,
                   std::stop_token stop, const std::function<void(const EventView&)>& found);

}  // namespace spool
