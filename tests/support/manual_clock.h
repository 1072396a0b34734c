// A clock that moves only when a test says so.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace spool {

// Any thread. Begins at 2026-11-20T06:00:00Z and one hour of steady time.
class ManualClock final : public Clock {
 public:
  SystemTime Now() const override { return SystemTime(Micros(now_.load())); }
  SteadyTime Steady() const override { return SteadyTime(Micros(steady_.load())); }
  // Both go forward.
  void Advance(Micros by) {
    now_ += by.count();
    steady_ += by.count();
  }
  // The wall clock alone steps, in either direction.
  void Step(Micros by) { now_ += by.count(); }

 private:
  std::atomic<int64_t> now_{1'795'154'400'000'000};
  std::atomic<int64_t> steady_{3'600'000'000};
};

}  // namespace spool
