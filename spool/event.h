// An event: as ingest makes it, as the journal keeps it, as everybody reads it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/hash.h"
#include "base/result.h"
#include "spool/sequence.h"

namespace spool {

// Syslog's eight, in rising order; values are on disk.
enum class Severity : uint8_t {
  kDebug = 0,
  kInfo = 1,
  kNotice = 2,
  kWarning = 3,
  kError = 4,
  kCritical = 5,
  kAlert = 6,
  kEmergency = 7,
};
std::string_view SeverityName(Severity severity);              // "warning"
std::optional<Severity> ParseSeverity(std::string_view name);  // as named, any case

// All that is known of one event. Every view points into memory that somebody else keeps: on
// reading, the Page it came with; on making, whatever the maker holds until MakeEvent returns.
struct EventView {
  // Given by the journal; empty while the event is being made.
  Sequence sequence;
  uint64_t ordinal = 0;  // place in its stream, dense from 0
  StreamId stream_id;
  std::string_view stream;
  SystemTime accepted;
  std::string_view origin;  // the configured source's name, e.g. "web"

  // Identity and time.
  Hash128 id;           // names the record; targets dedupe by it
  Hash128 problem_key;  // stable over repeats of the same trouble; all zero when there is none
  SystemTime time;      // the producer's event time; the accept time if it has none

  // Attributes of the envelope. Empty means absent. At most kAttributeMax bytes each.
  Severity severity = Severity::kInfo;
  std::string_view source;       // CloudEvents source, e.g. /clusters/prod-eu/k8s-audit
  std::string_view type;         // CloudEvents type, e.g. io.k8s.audit.v1
  std::string_view subject;      // Kind/namespace/name
  std::string_view producer;     // k8s-event, k8s-audit, ...
  std::string_view category;     // infrastructure | security | admission
  std::string_view subcategory;  // node, rbac, quota, ...
  std::string_view cluster;
  std::string_view namespace_;
  std::string_view kind;
  std::string_view name;
  std::string_view reason;
  std::string_view content_type;  // of data; "application/json" for JSON
  // Further CloudEvents attributes of the producer's own, as the inside of a JSON object
  // ("\"traceparent\":\"00-…\",\"x\":1"); valid JSON, no name that the envelope already has.
  std::string_view extensions;

  bool json = true;       // data is one valid JSON text; otherwise it is bytes
  std::string_view data;  // the producer's own bytes
};
inline constexpr size_t kAttributeMax = 4096;

// An event ready to append, in one piece of memory of its own. The commit path packs it with others
// (body.h); dead letters keep the record as it is.
struct Event {
  StreamId stream;
  Hash128 id;
  SystemTime time;
  std::string record;  // what DecodeRecord reads
};

// Encodes `view` (everything but what the journal gives). `stream` is where it goes.
Event MakeEvent(const EventView& view, StreamId stream);

// Gives it another id.
void SetEventId(Event& event, const Hash128& id);

// The inverse over a record's bytes; views point into `record`. kDamaged if the bytes are not a
// record or the payload's hash does not fit.
Result<EventView> DecodeRecord(std::string_view record);

}  // namespace spool
