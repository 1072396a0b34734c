// The clock that stamps events and measures their age: it only rises, and does not follow a wall
// clock that jumps.
#pragma once

#include <mutex>

#include "base/clock.h"

namespace spool {

// Any thread.
class AcceptClock {
 public:
  // Never before `last`, the time of the newest event. A wall clock that is before that goes on
  // from there, until it is set right: to any time in the year that follows.
  AcceptClock(const Clock& clock, SystemTime last);

  // A wall clock that steps more than an hour from the steady one is not adopted, and alarmed,
  // until it is back within an hour of where it should be.
  SystemTime Now();

  // How far the wall clock is from Now(), if it is not adopted; 0 otherwise.
  Micros Offset();

  // For ages. A start whose wall clock is more than a year after the newest event may have a wrong
  // one: for its first day nothing has an age beyond what it had then.
  SystemTime AgeNow();

 private:
  SystemTime Look();  // mutex held

  const Clock& clock_;
  std::mutex mutex_;
  SystemTime accepted_;
  SystemTime last_wall_;
  SteadyTime last_steady_;
  bool stepped_ = false;
  bool behind_;  // since the start
  const SystemTime newest_at_start_;
  const SteadyTime started_;
  const bool doubtful_start_;
};

}  // namespace spool
