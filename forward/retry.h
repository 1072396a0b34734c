// When to try again: full-jitter exponential backoff, bent by the target's own wish.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace spool {

struct RetryPolicy {
  Micros first = std::chrono::seconds(1);
  Micros max = std::chrono::minutes(2);
  Micros hold_probe = std::chrono::seconds(30);  // between attempts in hold
  Micros retry_after_max = std::chrono::hours(1);
};

// One target's failures in a row. One thread.
class Backoff {
 public:
  Backoff(const RetryPolicy& policy, uint64_t seed) : policy_(policy), state_(seed | 1) {}
  // The pause after one more failure: uniform in [0, min(max, first·2^n)], but not below
  // `retry_after` (clamped to retry_after_max, plus up to a tenth of jitter).
  Micros Next(std::optional<Micros> retry_after);
  // The pause in hold: hold_probe ± a tenth.
  Micros Hold();
  void Reset() { failures_ = 0; }
  uint32_t failures() const { return failures_; }

 private:
  uint64_t Random();
  RetryPolicy policy_;
  uint64_t state_;
  uint32_t failures_ = 0;
};

}  // namespace spool
