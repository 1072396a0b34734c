// From one request's bytes to events: recognise the producer, split the batch, name and classify
// each record. A record that cannot be understood becomes a quarantine event; it never refuses
// its neighbours.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ingest/redaction.h"
#include "spool/event.h"

namespace spool {

// What an operator's own rules give an event; what is empty is not given. Views live as long as the
// rules.
struct OwnClass {
  std::string_view category, subcategory;
  std::optional<Severity> severity;
  std::string_view stream;
};
// The first rule that fits an event that is known but for its stream; none: the built-in rules
// stay. Any thread.
using Classifier = std::function<std::optional<OwnClass>(const EventView&)>;

// What the request says beside its body.
struct Incoming {
  std::string_view path;          // "/v1/events", "/audit", ...
  std::string_view content_type;  // as sent, may be empty
  std::string_view idempotency_key;
  // All headers in lower case, for CloudEvents' binary mode; may be null.
  const std::vector<std::pair<std::string, std::string>>* headers = nullptr;
  std::string_view body;
  SystemTime received;
  // What applies to this request: the name of its source, the operator's rules (may be null or
  // empty), and whether a request that a webhook changed counts as admission/mutating. In a mesh
  // nearly every pod is changed.
  std::string_view origin;
  const Classifier* classifier = nullptr;
  bool mutated_is_admission = true;
  // Asked before the events of this request hold that many bytes of memory in all; may be empty.
  // Any answer but kYes refuses the request.
  enum class Admission { kYes, kNotNow, kNever };
  std::function<Admission(size_t bytes)> admit;
};

struct DecodeLimits {
  // In one request; beyond it the request is refused. A chunk of Fluent Bit's is 2 MB of records
  // that may be very small, and would be thrown away.
  size_t records_max = 131'072;
  size_t depth_max = 64;  // JSON nesting of one record; deeper ones are quarantined
  size_t record_bytes_max = size_t{16} << 20;  // larger ones are quarantined
};

struct DecodeOptions {
  std::string cluster;  // config's cluster.name; may be empty
  DecodeLimits limits;
  // What of a record is hidden before anything else looks at it; empty: all default rules.
  std::shared_ptr<const Redaction> redaction;
  // Whether what goes to quarantine is kept as it came, secrets and all.
  bool quarantine_raw = false;
  // The stream's id by name; every default stream's name is known to it.
  std::function<StreamId(std::string_view)> stream;
};

struct Decoded {
  std::vector<Event> events;  // quarantine events included
  uint32_t quarantined = 0;
  StreamId quarantine;  // where these go
  size_t bytes = 0;     // memory that `events` hold; at most what was admitted
};

// A request that is refused whole: HTTP status, stable code, sentence, byte offset or -1.
struct Refusal {
  int status = 400;
  std::string code;
  std::string detail;
  int64_t offset = -1;
};

// One per server thread (it keeps parsers and buffers); not thread-safe.
class Decoder {
 public:
  explicit Decoder(DecodeOptions options);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Success with zero events is possible (an empty list). On refusal nothing is to be stored but
  // `quarantine`, if it holds an event telling of the unreadable body.
  tl::expected<Decoded, Refusal> Decode(const Incoming& incoming, std::vector<Event>* quarantine);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spool
