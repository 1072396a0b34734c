// Where requests enter a source, and who is still inside.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/clock.h"

namespace spool {

// Any thread. Made by std::make_shared: who is inside keeps it.
class Gate : public std::enable_shared_from_this<Gate> {
 public:
  explicit Gate(bool open) : open_(open) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // Held while inside; null when it is closed.
  std::shared_ptr<const void> Enter() {
    // In this order, and Close in the other: one of the two sees what the other did.
    ++inside_;
    if (!open_) {
      Leave();
      return nullptr;
    }
    return {this, [gate = shared_from_this()](const Gate*) { gate->Leave(); }};
  }
  void Open() { open_ = true; }
  // Nobody enters from now on. True once nobody is inside, false when somebody still is at
  // `deadline` (of the real steady clock).
  bool Close(SteadyTime deadline) {
    open_ = false;
    std::unique_lock lock(mutex_);
    return left_.wait_until(lock, deadline, [&] { return inside_ == 0 || open_; });
  }

 private:
  void Leave() {
    if (--inside_ > 0 || open_) return;
    const std::lock_guard lock(mutex_);
    left_.notify_all();
  }

  std::atomic<bool> open_;
  std::atomic<int64_t> inside_{0};
  std::mutex mutex_;
  std::condition_variable left_;
};

}  // namespace spool
