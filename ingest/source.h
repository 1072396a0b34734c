// A source takes events from the outside and answers only what the journal has made durable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace spool {

struct SourceStatus {
  std::string name;
  std::string type;
  std::string state;      // "up", "down", "stopping"
  std::string address;    // listening sources
  uint64_t requests = 0;  // that came in whole
  uint64_t events = 0;    // stored
  uint64_t duplicates = 0;
  uint64_t quarantined = 0;
  uint64_t refused = 0;    // requests that the source itself refused (4xx, 5xx) but for these:
  uint64_t throttled = 0;  // beyond its quota (429)
  uint64_t denied = 0;     // for want of a token or a certificate (401, 403)
  uint64_t rejected =
      0;  // these three, and what was refused before: malformed, no room, connections
  uint64_t bytes = 0;
  std::optional<SystemTime> last_event;
};

// Any thread for status(); the rest from the owner's thread.
class Source {
 public:
  virtual ~Source() = default;
  virtual Status Start() = 0;
  // Stops taking, answers what has begun or cuts it at the deadline. Idempotent.
  virtual void Stop(SteadyTime deadline) = 0;
  virtual SourceStatus status() const = 0;
};

}  // namespace spool
