#include "tests/support/uml_guest.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace spool::testing {
namespace {

constexpr const char* kKernel = "/usr/bin/linux.uml";

// The guest's memory is a file that is mapped and executed; memory is the best place for it.
std::string MemoryDir(const std::string& otherwise) {
  struct statvfs space {};
  constexpr const char* kShm = "/dev/shm";
  const bool fits = statvfs(kShm, &space) == 0 && (space.f_flag & ST_NOEXEC) == 0 &&
                    space.f_bavail * space.f_frsize > (uint64_t{512} << 20);
  return fits ? kShm : otherwise;
}

// What the command says, "" if it ends with 0.
std::string RunShell(const std::string& command) {
  FILE* out = popen((command + " 2>&1").c_str(), "r");
  if (out == nullptr) return "cannot run " + command;
  std::string said;
  std::array<char, 4096> piece{};
  while (const size_t n = fread(piece.data(), 1, piece.size(), out)) said.append(piece.data(), n);
  return pclose(out) == 0 ? "" : command + ": " + said;
}

// Ends the group when this process ends without having done so: a helper of its own that reads from
// a pipe of which we hold the other end.
pid_t Watch(pid_t group, int* pipe_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const pid_t watcher = fork();
  if (watcher == 0) {
    setpgid(0, 0);
    close(ends[1]);
    char done = 0;
    if (read(ends[0], &done, 1) != 1) kill(-group, SIGKILL);
    _exit(0);
  }
  close(ends[0]);
  *pipe_end = ends[1];
  return watcher;
}

}  // namespace

std::unique_ptr<UmlGuest> UmlGuest::Boot(const Options& options,
                                         std::function<void(const std::string&)> on_line) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return nullptr;
  std::vector<std::string> args = {kKernel,
                                   "mem=256M",
                                   "root=/dev/root",
                                   "rootfstype=hostfs",
                                   "rootflags=/",
                                   "ro",
                                   "init=" + options.init,
                                   "ubda=" + options.image,
                                   "uml_dir=" + options.dir,
                                   "umid=guest-" + std::to_string(getpid()),
                                   "con=null",
                                   "con0=null,fd:1",
                                   "ssl=null",
                                   "ssl0=fd:3",
                                   "quiet",
                                   "panic=1"};
  for (const auto& [name, value] : options.environment) args.push_back(name + "=" + value);
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  const int console =
      open(options.console.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const std::string memory = MemoryDir(options.dir);

  std::unique_ptr<UmlGuest> guest(new UmlGuest);
  guest->on_line_ = std::move(on_line);
  // Its processes are many: those that outlive the first become ours to wait for.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t parent = getpid();
  guest->pid_ = fork();
  if (guest->pid_ == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    setenv("TMPDIR", memory.c_str(), 1);
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int line = fcntl(ends[1], F_DUPFD, 10);
    dup2(null, STDIN_FILENO);
    dup2(console, STDOUT_FILENO);
    dup2(console, STDERR_FILENO);
    dup2(line, 3);
    close(line);
    execv(argv[0], argv.data());
    dprintf(STDERR_FILENO, "cannot run %s\n", argv[0]);
    _exit(127);
  }
  setpgid(guest->pid_, guest->pid_);
  close(ends[1]);
  close(console);
  guest->line_ = ends[0];
  guest->watcher_ = Watch(guest->pid_, &guest->watched_);
  return guest;
}

UmlGuest::~UmlGuest() {
  Cut();
  close(line_);
}

void UmlGuest::Say(const std::string& line) {
  const std::string text = line + "\n";
  size_t at = 0;
  while (at < text.size()) {
    const ssize_t n = send(line_, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (n <= 0) return;  // it is down, which whoever waits for an answer will notice
    at += static_cast<size_t>(n);
  }
}

bool UmlGuest::Hear(std::chrono::steady_clock::time_point end) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
  pollfd waiting{line_, POLLIN, 0};
  if (over_ || poll(&waiting, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) <= 0) {
    return false;
  }
  std::array<char, 65536> piece{};
  const ssize_t n = recv(line_, piece.data(), piece.size(), 0);
  if (n <= 0) {
    over_ = true;
    return false;
  }
  heard_.append(piece.data(), static_cast<size_t>(n));
  return true;
}

std::optional<std::string> UmlGuest::TakeLine() {
  const size_t feed = heard_.find('\n');
  if (feed == std::string::npos) return std::nullopt;
  std::string line = heard_.substr(0, feed);
  heard_.erase(0, feed + 1);
  return line;
}

std::optional<std::string> UmlGuest::Wait(const std::vector<std::string>& words,
                                          std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  do {
    while (auto line = TakeLine()) {
      const std::string word = line->substr(0, line->find(' '));
      if (std::find(words.begin(), words.end(), word) != words.end()) return line;
      on_line_(*line);
    }
  } while (Hear(end));
  return std::nullopt;
}

bool UmlGuest::Listen(std::chrono::milliseconds time) {
  Wait({}, time);
  return !over_;
}

bool UmlGuest::Cut() {
  if (pid_ <= 0) return false;
  const bool up = waitpid(pid_, nullptr, WNOHANG) == 0;
  kill(-pid_, SIGKILL);
  // Until none of its processes can write to the image any more.
  while (waitpid(-pid_, nullptr, __WALL) > 0) {
  }
  pid_ = -1;
  if (watcher_ > 0 && write(watched_, "", 1) == 1) waitpid(watcher_, nullptr, 0);
  close(watched_);
  Wait({}, std::chrono::seconds(10));
  return up;
}

std::string MakeExt4(const std::string& path, uint64_t bytes) {
  return RunShell("mkfs.ext4 -q -F -m 0 -E lazy_itable_init=0,lazy_journal_init=0 " + path + " " +
                  std::to_string(bytes >> 10) + "k");
}

std::string CheckExt4(const std::string& path) { return RunShell("e2fsck -fn " + path); }

}  // namespace spool::testing
