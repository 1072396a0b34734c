#include "tests/support/spoold_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/app_http.h"
#include "tests/support/paths.h"

namespace spool::testing {

Spoold::Spoold(std::vector<std::string> args, const std::string& log,
               const std::vector<std::string>& under) {
  args.insert(args.begin(), BinaryDir() + "/spoold");
  args.insert(args.begin(), under.begin(), under.end());
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  const int out = open(log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  close(out);
}

Spoold::~Spoold() {
  if (pid_ > 0) Kill();
}

void Spoold::Signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

bool Spoold::Kill() {
  if (pid_ <= 0) return false;  // it has ended; -1 would mean every process
  int status = 0;
  kill(pid_, SIGKILL);
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

int Spoold::Wait(std::chrono::milliseconds limit) {
  if (pid_ <= 0) return -1;
  int status = 0;
  if (!WaitUntil([&] { return waitpid(pid_, &status, WNOHANG) == pid_; }, limit)) return -1;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace spool::testing
