// A sink tries; the pump decides. One attempt for a batch, one outcome for each event.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "spool/event.h"

namespace spool {

// What the pump renders before it calls Deliver.
enum class Encoding {
  kNone,        // body stays empty
  kCloudEvent,  // one CloudEvents 1.0 JSON object on one line, without line feed
};

struct Message {
  const EventView* event = nullptr;
  std::string_view body;    // rendered once per batch; the same bytes on every retry of it
  std::string_view replay;  // the job's id when this is a replay
};

enum class Verdict : uint8_t {
  kRetry,            // not delivered, or unknown: try again (what every outcome begins as)
  kDelivered,        // the target itself said yes
  kDuplicate,        // the target says it has it already: success
  kHold,             // credentials, a missing topic or table: keep everything, probe slowly
  kReject,           // the target will never take this event
  kTooLarge,         // the request was too large: split; alone, reject
  kRefusedTogether,  // the request was refused without saying for which event: split; alone, reject
};

struct Outcome {
  Verdict verdict = Verdict::kRetry;
  std::string code;                   // stable word: "http_503", "timeout", "nats_no_responders"
  std::string excerpt;                // of the answer, at most 1 KiB, printable; for people
  std::optional<Micros> retry_after;  // the target's own wish
};

// How one message looks on its way, for people. Holds no secret.
struct Preview {
  std::string where;         // "POST https://hook/in", "subject spool.x"; empty: nothing to name
  std::string content_type;  // as the target is told; empty: it is not
  std::string body;          // the bytes
};

// One target; used by one thread at a time; does not throw. It never retries, sleeps longer than
// the deadline, routes, drops or moves a cursor.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual Encoding encoding() const = 0;

  // One attempt. `outcomes` has as many elements as `messages`, each prefilled with kRetry. An
  // ordered sink stops at the first failure, or before the deadline would cut a request, and
  // leaves the rest as they are: kRetry without a code behind one with an answer means "not
  // attempted". Returns at the deadline or soon after `stop` is requested, whatever the target
  // does.
  virtual void Deliver(std::span<const Message> messages, std::span<Outcome> outcomes,
                       SteadyTime deadline, std::stop_token stop) = 0;

  // What Deliver would send for `message` alone. Sends nothing, connects to nothing, reads no
  // secret.
  virtual Preview Show(const Message& message) const { return {{}, {}, std::string(message.body)}; }
};

}  // namespace spool
