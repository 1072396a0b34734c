// What a pump counts for the metrics: written by its thread, read by any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/metrics.h"

namespace spool {

// All since the pump began.
struct PumpCounters {
  enum Attempt : size_t { kDelivered, kRefused, kRetry, kHold, kAttempts };
  static constexpr std::array<std::string_view, kAttempts> kAttemptNames{"delivered", "refused",
                                                                         "retry", "hold"};
  enum Burial : size_t { kRejected, kTooLarge, kMaxAge, kBurials };
  static constexpr std::array<std::string_view, kBurials> kBurialNames{"rejected", "too_large",
                                                                       "max_age"};
  std::array<uint64_t, kAttempts> attempts{};  // by the gravest of what became of their events
  std::array<uint64_t, kBurials> buried{};     // events that became dead letters
  uint64_t redriven = 0;                       // dead letters that arrived
  uint64_t redrive_failures = 0;               // dead letters that failed again
  uint64_t in_flight = 0;                      // events of the attempt under way
  Histogram::Snapshot attempt_seconds;
  Histogram::Snapshot latency_seconds;  // of delivered events, from acceptance
};

class PumpMeters {
 public:
  void Begin(size_t events) { in_flight_.store(events, std::memory_order_relaxed); }
  void End(Micros took) {
    in_flight_.store(0, std::memory_order_relaxed);
    attempt_seconds_.Observe(took.count());
  }
  void Attempted(PumpCounters::Attempt how) { Add(attempts_[how]); }
  void Buried(PumpCounters::Burial why) { Add(buried_[why]); }
  void Redriven(bool arrived) { Add(arrived ? redriven_ : redrive_failures_); }
  // Of events that were accepted together, and now have arrived.
  void Arrived(Micros after, uint64_t events) { latency_seconds_.Observe(after.count(), events); }

  PumpCounters counters() const {
    PumpCounters out;
    for (size_t i = 0; i < attempts_.size(); ++i) out.attempts[i] = attempts_[i];
    for (size_t i = 0; i < buried_.size(); ++i) out.buried[i] = buried_[i];
    out.redriven = redriven_;
    out.redrive_failures = redrive_failures_;
    out.in_flight = in_flight_;
    out.attempt_seconds = attempt_seconds_.snapshot();
    out.latency_seconds = latency_seconds_.snapshot();
    return out;
  }

 private:
  using Count = std::atomic<uint64_t>;
  static void Add(Count& count) { count.fetch_add(1, std::memory_order_relaxed); }

  std::array<Count, PumpCounters::kAttempts> attempts_{};
  std::array<Count, PumpCounters::kBurials> buried_{};
  Count redriven_{0}, redrive_failures_{0}, in_flight_{0};
  Histogram attempt_seconds_{Histogram::kBriefly};
  Histogram latency_seconds_{Histogram::kForHours};
};

}  // namespace spool
