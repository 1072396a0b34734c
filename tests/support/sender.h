// Client libraries as people use them: the programs of tests/senders, each a process of its own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace spool::testing {

// One run of one program; killed at the end if it still runs, and when the test's process dies. One
// thread.
class Sender {
 public:
  // `program` is a file of tests/senders, what it says goes to NAME.out and NAME.log in `dir`. One
  // that cannot be started fails the test and gives nullptr.
  static std::unique_ptr<Sender> Start(const std::string& program,
                                       const std::vector<std::string>& args, const std::string& dir,
                                       const std::string& name);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // Its exit status, 128 + the signal that ended it, -1 when it does not end in time.
  int Wait(std::chrono::milliseconds limit = std::chrono::seconds(90));
  std::string Out() const;  // what it printed
  std::string Log() const;  // what its library said
  const std::string& name() const { return name_; }

 private:
  Sender(std::string dir, std::string name);

  const std::string dir_, name_;
  pid_t pid_ = -1;
};

}  // namespace spool::testing
