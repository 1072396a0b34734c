// The built spoold as a process of its own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace spool::testing {

// One run of the program; what it says is appended to `log`. Killed at the end if it still runs,
// and when the test's process dies. One thread.
class Spoold {
 public:
  // `under` goes before the program: a tracer that execs it, so that the process stays the program.
  Spoold(std::vector<std::string> args, const std::string& log,
         const std::vector<std::string>& under = {});
  ~Spoold();
  Spoold(const Spoold&) = delete;
  Spoold& operator=(const Spoold&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int number) const;
  // True if it was SIGKILL that ended it, and nothing before.
  bool Kill();
  // Its exit status, 128 + the signal that ended it, -1 when it does not end in time.
  int Wait(std::chrono::milliseconds limit);

 private:
  pid_t pid_ = -1;
};

}  // namespace spool::testing
