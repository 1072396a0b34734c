// A source takes events from the outside and answers only what the journal has made durable.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ingest/redaction.h"
#include "spool/sequence.h"

namespace spool {

// Requests that were not taken, each by one of these.
struct Refusals {
  uint64_t malformed = 0;    // no HTTP, no events, or no such path
  uint64_t too_large = 0;    // 413
  uint64_t auth = 0;         // for want of a token or a certificate (401, 403)
  uint64_t quota = 0;        // beyond the source's quota (429)
  uint64_t full = 0;         // a stream or the disk has no room (503)
  uint64_t overload = 0;     // there is no memory now, or too much waits to be stored (503)
  uint64_t unavailable = 0;  // starting, stopping, or storing failed (503)
  uint64_t connections = 0;  // closed without an answer: too many connections
  uint64_t total() const {
    return malformed + too_large + auth + quota + full + overload + unavailable + connections;
  }
};

// What a source's events came to, of one stream.
struct StreamCounts {
  StreamId stream;
  uint64_t stored = 0;
  uint64_t duplicates = 0;
  uint64_t quarantined = 0;
};

struct SourceStatus {
  std::string name;
  std::string type;
  // "up", "down", "stopping"; of those that fetch also "waiting" (the journal takes nothing now),
  // "drained" and "ended" (nothing can come any more).
  std::string state;
  std::string address;    // where it listens, or what it reads
  uint64_t requests = 0;  // that came in whole, or batches that were fetched
  uint64_t events = 0;    // stored
  uint64_t duplicates = 0;
  uint64_t quarantined = 0;
  std::vector<StreamCounts> streams;  // the same three, by stream; those with events
  uint64_t bytes = 0;
  Refusals refused;
  uint64_t lost = 0;  // of admission requests, which are let pass whether they can be stored or not
  std::optional<SystemTime> last_event;
  // Of those that fetch.
  std::string last_error;  // a sentence; empty: none since the start
  std::optional<SystemTime> last_error_at;
  std::optional<uint64_t> behind_bytes;     // that are there and not stored yet; of files
  std::optional<uint64_t> behind_messages;  // the same; of a bus
};

// Any thread, but Start and Stop from the owner's.
class Source {
 public:
  virtual ~Source() = default;
  // Nothing is taken before Open.
  virtual Status Start() = 0;
  virtual void Open() = 0;
  // Takes nothing from now on, until Open. True once all that had begun is stored or refused, false
  // when some is not at `deadline`.
  virtual bool Close(SteadyTime deadline) = 0;
  // Stops taking, answers what has begun or cuts it at the deadline. Idempotent.
  virtual void Stop(SteadyTime deadline) = 0;
  virtual SourceStatus status() const = 0;
  // What was hidden since the start.
  virtual const RedactionCounters& redacted() const = 0;

  // What comes while it takes nothing waits for it where it is: then being away is no gap.
  virtual bool keeps_place() const { return false; }
  // Why such a source may have missed something: causes of SourceGap that it records itself.
  virtual std::span<const std::string_view> own_gaps() const { return {}; }
};

}  // namespace spool
