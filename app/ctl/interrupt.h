// Ctrl-C as a stop token.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

#include "base/clock.h"

namespace spool::ctl {

// Takes SIGINT, SIGTERM and SIGHUP away from the process. Outside a Gentle scope the first of them
// ends the process at once with status 130; inside, it sets the token, and a second one ends it.
// REQUIRES: made before any other thread, once.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();

  std::stop_token token() const { return stop_.get_token(); }
  bool raised() const { return stop_.stop_requested(); }
  // Waits so long; false as soon as it is raised.
  bool Wait(Millis time);

  // While one lives, the command ends by itself when the token is set.
  class Gentle {
   public:
    explicit Gentle(Interrupt& interrupt) : interrupt_(interrupt) { interrupt_.gentle_ = true; }
    ~Gentle() { interrupt_.gentle_ = false; }
    Gentle(const Gentle&) = delete;
    Gentle& operator=(const Gentle&) = delete;

   private:
    Interrupt& interrupt_;
  };

 private:
  void Watch();

  std::stop_source stop_;
  std::atomic<bool> gentle_{false};
  int signals_ = -1;  // signalfd
  int ended_ = -1;    // eventfd
  std::thread thread_;
};

}  // namespace spool::ctl
