#include "tests/support/sender.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

#include "tests/support/app_http.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

// The folder of the libraries; empty when it cannot be had.
std::string Libraries() {
  std::string path;
  FILE* script = popen((SourceDir() + "/tests/servers/senders.sh").c_str(), "re");
  if (script == nullptr) return path;
  std::array<char, 4096> line;
  while (std::fgets(line.data(), line.size(), script) != nullptr) path += line.data();
  if (pclose(script) != 0) return {};
  while (!path.empty() && path.back() == '\n') path.pop_back();
  return path;
}

// Ours, without what would tell the libraries to do otherwise than their programs say.
std::vector<std::string> Environment(const std::string& libraries) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("OTEL_") && !text.starts_with("NODE_")) out.emplace_back(text);
  }
  out.push_back("NODE_PATH=" + libraries + "/node_modules");
  return out;
}

std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> out;
  for (std::string& text : *texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

Sender::Sender(std::string dir, std::string name) : dir_(std::move(dir)), name_(std::move(name)) {}

std::unique_ptr<Sender> Sender::Start(const std::string& program,
                                      const std::vector<std::string>& args, const std::string& dir,
                                      const std::string& name) {
  static const std::string libraries = Libraries();
  if (libraries.empty()) {
    ADD_FAILURE() << "there are no client libraries for the tests; ./dev setup installs them";
    return nullptr;
  }
  std::vector<std::string> command = {"node"};
  if (program.ends_with(".py")) command = {libraries + "/python/bin/python", "-I"};
  command.push_back(SourceDir() + "/tests/senders/" + program);
  command.insert(command.end(), args.begin(), args.end());
  std::vector<std::string> environment = Environment(libraries);
  const std::vector<char*> argv = Pointers(&command);
  const std::vector<char*> envp = Pointers(&environment);
  std::unique_ptr<Sender> sender(new Sender(dir, name));
  const std::string out = dir + "/" + name + ".out", log = dir + "/" + name + ".log";
  const pid_t parent = getpid();
  sender->pid_ = fork();
  if (sender->pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    const int to_out = open(out.c_str(), kFlags, 0600);
    const int to_log = open(log.c_str(), kFlags, 0600);
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() != parent || dup2(in, 0) < 0 || dup2(to_out, 1) < 0 || dup2(to_log, 2) < 0) {
      _exit(126);
    }
    execvpe(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  if (sender->pid_ > 0) return sender;
  ADD_FAILURE() << program << " cannot be started";
  return nullptr;
}

Sender::~Sender() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

int Sender::Wait(std::chrono::milliseconds limit) {
  if (pid_ <= 0) return -1;
  int status = 0;
  if (!WaitUntil([&] { return waitpid(pid_, &status, WNOHANG) == pid_; }, limit)) return -1;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Sender::Out() const { return ReadFile(dir_ + "/" + name_ + ".out"); }
std::string Sender::Log() const { return ReadFile(dir_ + "/" + name_ + ".log"); }

}  // namespace spool::testing
