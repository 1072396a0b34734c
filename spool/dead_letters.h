// Events that a target will never take, kept with the reason until an operator decides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "spool/event.h"
#include "spool/sequence.h"

namespace spool {

// Names one dead letter for good. Text form "TARGET-SEQUENCE" or "TARGET-SEQUENCE-REPLAY".
struct DeadLetterId {
  std::string target;
  Sequence sequence;
  std::string replay;  // the replay job it was born in; empty for live traffic
  auto operator<=>(const DeadLetterId&) const = default;
};

struct DeadLetter {
  DeadLetterId id;
  Hash128 event_id;
  std::string reason;   // stable word: "rejected", "too_large", "max_age"
  std::string code;     // the target's own, e.g. "http_400"
  std::string excerpt;  // of the target's answer, at most 1 KiB, printable
  uint32_t attempts = 0;
  SystemTime first_failed;
  SystemTime last_failed;
  bool retry_wanted = false;  // an operator asked for another attempt
  std::string stream;
  SystemTime accepted;
  std::string origin;
  std::string record;  // the event itself (EncodeRecord), so that retention cannot take it away

  // The event with what the journal gave it; views point into this dead letter.
  Result<EventView> View() const;
};

std::string ToText(const DeadLetterId& id);
std::optional<DeadLetterId> ParseDeadLetterId(std::string_view text);

struct DeadLetterTotals {
  std::string target;
  uint64_t count = 0;
  uint64_t bytes = 0;
  std::optional<SystemTime> oldest;
};

// Any thread. Writes are synced.
class DeadLetters {
 public:
  virtual ~DeadLetters() = default;
  // Up to `limit`, in order of target, sequence, after `after` if given. Empty target: all.
  virtual Result<std::vector<DeadLetter>> List(std::string_view target,
                                               const std::optional<DeadLetterId>& after,
                                               size_t limit) const = 0;
  virtual Result<DeadLetter> Get(const DeadLetterId& id) const = 0;
  // Marks for another attempt by the target's forwarder. kNotFound.
  virtual Status WantRetry(const DeadLetterId& id) = 0;
  // A retry that failed again: new code, excerpt, attempts + 1, retry_wanted off.
  virtual Status FailedAgain(const DeadLetter& letter) = 0;
  // Up to `limit` of this target with retry_wanted. Cheap when there are none.
  virtual Result<std::vector<DeadLetter>> Wanted(std::string_view target, size_t limit) const = 0;
  // An operator lets go of it; it stays counted as dead-lettered. kNotFound.
  virtual Status Drop(const DeadLetterId& id) = 0;
  virtual std::vector<DeadLetterTotals> Totals() const = 0;
  // False while the target has as many as it may have, or the volume is below its reserve: then
  // what it refuses has to stay where it is. A batch of letters may go beyond the bound. Cheap.
  virtual bool HasRoom(std::string_view target) const = 0;
};

}  // namespace spool
