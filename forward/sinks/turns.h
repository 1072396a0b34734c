// One writer at a time on a thing that several sinks of this process share.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "base/clock.h"

namespace spool {

// Any thread.
class Turns {
 public:
  // False when the deadline came or stop was requested first.
  bool Take(SteadyTime deadline, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!given_back_.wait_until(lock, stop, deadline, [this] { return !taken_; })) return false;
    taken_ = true;
    return true;
  }
  void GiveBack() {
    {
      std::lock_guard lock(mutex_);
      taken_ = false;
    }
    given_back_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any given_back_;
  bool taken_ = false;  // guarded by mutex_
};

// A turn that was taken, given back at the end of the scope.
class Turn {
 public:
  Turn(Turns& turns, SteadyTime deadline, const std::stop_token& stop)
      : turns_(turns), taken_(turns.Take(deadline, stop)) {}
  ~Turn() {
    if (taken_) turns_.GiveBack();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  bool taken() const { return taken_; }

 private:
  Turns& turns_;
  const bool taken_;
};

}  // namespace spool
