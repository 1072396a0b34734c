// Turns a deadline into a stop request, for calls that know only stop tokens.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.h"

namespace spool {

// One thread that sleeps until the deadline that is armed. Arm, use, Disarm: one thread.
class DeadlineStop {
 public:
  // `name` is the thread's.
  explicit DeadlineStop(std::string name);
  ~DeadlineStop();
  DeadlineStop(const DeadlineStop&) = delete;
  DeadlineStop& operator=(const DeadlineStop&) = delete;

  // A token that is stopped at `deadline`, or when `outer` is, whichever comes first; until Disarm.
  std::stop_token Arm(SteadyTime deadline, std::stop_token outer);
  void Disarm();

 private:
  struct Forward {
    std::stop_source source;
    void operator()() const { source.request_stop(); }
  };
  void Watch(std::stop_token stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<SteadyTime> deadline_;         // guarded by mutex_
  std::stop_source source_{std::nostopstate};  // guarded by mutex_
  std::optional<std::stop_callback<Forward>> outer_;
  std::jthread thread_;
};

}  // namespace spool
