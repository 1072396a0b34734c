// Sends dead letters once more when an operator asked for it, one at a time, beside live traffic.
#pragma once

#include <atomic>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "forward/retry.h"
#include "forward/sink.h"
#include "spool/cursor.h"
#include "spool/dead_letters.h"

namespace spool {

// One thread but for Look. Its failures delay only itself: a dead letter that the target cannot
// take now must not put live traffic into backoff.
class Redriver {
 public:
  // All references must outlive it.
  Redriver(std::string target, DeadLetters& letters, Cursor& cursor, Sink& sink,
           const RetryPolicy& policy, uint64_t seed)
      : target_(std::move(target)),
        letters_(letters),
        cursor_(cursor),
        sink_(sink),
        backoff_(policy, seed) {}

  // There may be new ones. Any thread.
  void Look() { look_.store(true, std::memory_order_release); }
  // Ends its wait.
  void RetryNow() { not_before_ = {}; }

  // True when there is one to send now, which is still there and still wanted. Looks for more only
  // when told to. Errors as DeadLetters::Wanted.
  Result<bool> Due(SteadyTime now);

  // One attempt for one letter. REQUIRES: Due. kStorage or kDamaged from the journal; what the
  // target said goes into `last_error` (untouched on success), and whether it arrived or failed
  // again into `settled` (untouched when it is tried once more).
  Status Attempt(const Clock& clock, Millis attempt_deadline, std::stop_token stop,
                 std::string* last_error, std::optional<bool>* settled);

 private:
  void Pass();  // on to the next one
  Status Settle(DeadLetter& letter, const Outcome& outcome, SystemTime now);

  const std::string target_;
  DeadLetters& letters_;
  Cursor& cursor_;
  Sink& sink_;
  Backoff backoff_;
  std::atomic<bool> look_{true};  // at the start there may be some from before
  std::vector<DeadLetter> wanted_;
  size_t next_ = 0;        // into wanted_
  uint32_t failures_ = 0;  // of wanted_[next_], in a row, while the target could not say
  SteadyTime not_before_{};
  std::string body_;
};

// "http_503: Service Unavailable", for people.
std::string Describe(const Outcome& outcome);
// At most 1 KiB, cut at a character, without control characters.
std::string PrintableExcerpt(std::string_view text);

}  // namespace spool
