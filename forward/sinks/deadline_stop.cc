#include "forward/sinks/deadline_stop.h"

#include <utility>

#include "base/thread.h"

namespace spool {

DeadlineStop::DeadlineStop(std::string name)
    : thread_(StartThread(std::move(name), [this](std::stop_token stop) { Watch(stop); })) {}

DeadlineStop::~DeadlineStop() = default;

std::stop_token DeadlineStop::Arm(SteadyTime deadline, std::stop_token outer) {
  std::stop_source source;
  {
    std::lock_guard lock(mutex_);
    source_ = source;
    deadline_ = deadline;
  }
  changed_.notify_all();
  outer_.emplace(std::move(outer), Forward{source});
  return source.get_token();
}

void DeadlineStop::Disarm() {
  outer_.reset();
  std::lock_guard lock(mutex_);
  deadline_.reset();
  source_ = std::stop_source(std::nostopstate);
}

void DeadlineStop::Watch(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (!deadline_) {
      changed_.wait(lock, stop, [this] { return deadline_.has_value(); });
      continue;
    }
    const SteadyTime until = *deadline_;
    changed_.wait_until(lock, stop, until, [this, until] { return deadline_ != until; });
    if (deadline_ == until && RealClock().Steady() >= until) {
      deadline_.reset();
      std::stop_source due = source_;
      lock.unlock();
      due.request_stop();
      lock.lock();
    }
  }
}

}  // namespace spool
