#include "spool/accept_clock.h"

#include <algorithm>

#include "base/log.h"

namespace spool {
namespace {

constexpr Micros kStepMax = std::chrono::hours(1);
constexpr Micros kYear = std::chrono::hours(24 * 365);
constexpr Micros kDay = std::chrono::hours(24);

}  // namespace

AcceptClock::AcceptClock(const Clock& clock, SystemTime last)
    : clock_(clock),
      accepted_(last),
      last_wall_(clock.Now()),
      last_steady_(clock.Steady()),
      behind_(last - last_wall_ > kStepMax),
      newest_at_start_(last),
      started_(last_steady_),
      doubtful_start_(last != SystemTime{} && last_wall_ - last > kYear) {
  if (behind_) {
    log::Error(
        "The wall clock is before the newest event and is not followed until it is set right; "
        "accept times go on from that event.",
        {{"seconds", (last - last_wall_).count() / 1'000'000}});
    last_wall_ = last;
    stepped_ = true;
  }
  if (doubtful_start_) {
    log::Error(
        "The wall clock is more than a year after the newest event. If it is wrong, set it "
        "right: events are removed by age again in 24 hours.",
        {{"seconds", (last_wall_ - last).count() / 1'000'000}});
  }
}

SystemTime AcceptClock::Now() {
  const std::lock_guard lock(mutex_);
  return Look();
}

Micros AcceptClock::Offset() {
  const std::lock_guard lock(mutex_);
  const SystemTime now = Look();
  return stepped_ ? clock_.Now() - now : Micros(0);
}

SystemTime AcceptClock::Look() {
  const SystemTime wall = clock_.Now();
  const SteadyTime steady = clock_.Steady();
  const SystemTime expected = last_wall_ + (steady - last_steady_);
  const Micros step = wall > expected ? wall - expected : expected - wall;
  last_steady_ = steady;
  last_wall_ = expected;
  const bool set_right = behind_ && wall > expected && step <= kYear;
  const bool follow = step <= kStepMax || set_right;
  if (follow) {
    last_wall_ = wall;
    behind_ = false;
    if (stepped_) log::Info("The wall clock is followed again.");
  } else if (!stepped_) {
    log::Error("The wall clock jumped and is not followed; accept times go on by the steady one.",
               {{"seconds", step.count() / 1'000'000}});
  }
  stepped_ = !follow;
  accepted_ = std::max(accepted_, last_wall_);
  return accepted_;
}

SystemTime AcceptClock::AgeNow() {
  const SystemTime now = Now();
  if (doubtful_start_ && clock_.Steady() - started_ < kDay) return std::min(now, newest_at_start_);
  return now;
}

}  // namespace spool
