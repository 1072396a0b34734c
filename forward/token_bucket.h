// A bound on events per second, on somebody else's clock.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/clock.h"

namespace spool {

// What an operator may ask for, in events a second: from one an hour on.
inline constexpr double kRateMin = 1.0 / 3600;
inline constexpr double kRateMax = 1e7;

// One thread. A tenth of a second's worth (at least one) may be sent at once, so that a fast
// target still gets batches and a slow one an even trickle.
class TokenBucket {
 public:
  explicit TokenBucket(double events_per_second)
      : rate_(events_per_second), capacity_(std::max(1.0, events_per_second / 10)) {
    tokens_ = capacity_;
  }
  bool limits() const { return rate_ > 0; }
  // How many of `wanted` events may be sent now; 0 until enough for a decent batch are there.
  size_t Allowance(size_t wanted, SteadyTime now) {
    if (!limits()) return wanted;
    Refill(now);
    const double enough = std::min(static_cast<double>(wanted), std::floor(capacity_));
    return tokens_ + kSlack >= enough ? static_cast<size_t>(enough) : 0;
  }
  // When Allowance(wanted) will be above 0.
  SteadyTime ReadyAt(size_t wanted, SteadyTime now) const {
    const double enough = std::min(static_cast<double>(wanted), std::floor(capacity_));
    const double missing = std::max(0.0, enough - tokens_);
    const double micros = std::ceil(missing / rate_ * 1e6);
    return now + Micros(static_cast<int64_t>(std::min(micros, kWaitMaxMicros)));
  }
  void Take(size_t events) {
    if (limits()) tokens_ = std::max(0.0, tokens_ - static_cast<double>(events));
  }

 private:
  static constexpr double kSlack = 1e-6;           // of sums of fractions
  static constexpr double kWaitMaxMicros = 3.6e9;  // then it is asked again
  void Refill(SteadyTime now) {
    if (last_ != SteadyTime{} && now > last_) {
      tokens_ += rate_ * static_cast<double>((now - last_).count()) / 1e6;
      tokens_ = std::min(tokens_, capacity_);
    }
    last_ = now;
  }
  double rate_;
  double capacity_;
  double tokens_ = 0;
  SteadyTime last_{};
};

}  // namespace spool
