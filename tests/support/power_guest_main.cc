// The first program in the guest: puts the disk in place, runs spoold on it, loads it, is a target
// of it, and says over the serial line what it does before the deed and what came of it after. What
// the line has taken has left the machine.
//
// It takes one command a line: see Guest::Obey.
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "net/http_client.h"
#include "net/http_server.h"
#include "tests/support/app_http.h"
#include "tests/support/power_events.h"

extern char** environ;

namespace spool::testing {
namespace {

using nlohmann::json;

constexpr const char* kIngest = "127.0.0.1:8080";
constexpr const char* kAdmin = "127.0.0.1:8081";
constexpr const char* kHook = "127.0.0.1:9000";

// Any thread.
class Line {
 public:
  Line() : fd_(open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    termios raw{};
    tcgetattr(fd_, &raw);
    cfmakeraw(&raw);
    tcsetattr(fd_, TCSANOW, &raw);
  }
  // Returns once the machine's outside has it.
  void Say(std::string text) {
    text += '\n';
    const std::lock_guard lock(mutex_);
    for (size_t at = 0; at < text.size();) {
      const ssize_t n = write(fd_, text.data() + at, text.size() - at);
      if (n < 0 && errno != EINTR) std::abort();
      if (n > 0) at += static_cast<size_t>(n);
    }
  }
  std::string Hear() {
    size_t feed = 0;
    while ((feed = heard_.find('\n')) == std::string::npos) {
      char piece[4096];
      const ssize_t n = read(fd_, piece, sizeof piece);
      if (n <= 0 && errno != EINTR) std::abort();
      if (n > 0) heard_.append(piece, static_cast<size_t>(n));
    }
    std::string line = heard_.substr(0, feed);
    heard_.erase(0, feed + 1);
    return line;
  }

 private:
  const int fd_;
  std::mutex mutex_;
  std::string heard_;
};

// Threads that send batches of new events between Begin and End.
class Load {
 public:
  explicit Load(Line& line) : line_(line) {}

  void Begin(uint64_t seed, uint64_t next, std::deque<PowerBatch> again) {
    next_ = next;
    again_ = std::move(again);
    stop_ = false;
    for (uint64_t i = 0; i < 4; ++i) threads_.emplace_back([this, s = seed + i] { Run(s); });
  }
  void End() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  PowerBatch Take(std::mt19937_64& random) {
    const std::lock_guard lock(mutex_);
    if (!again_.empty()) {
      const PowerBatch batch = again_.front();
      again_.pop_front();
      return batch;
    }
    const uint64_t most = random() % 32 == 0 ? 200 : random() % 8 == 0 ? 20 : 4;
    const PowerBatch batch{next_, 1 + random() % most};
    next_ += batch.second;
    return batch;
  }

  void Run(uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto client = net::HttpClient::Create({});
    while (!stop_) {
      const PowerBatch batch = Take(random);
      const std::string body = PowerBodyOf(batch);
      const std::string name = std::to_string(batch.first) + " " + std::to_string(batch.second);
      net::HttpCall call;
      call.url = std::string("http://") + kIngest + "/v1/events";
      call.headers = {{"Content-Type", "application/cloudevents-batch+json"}};
      call.body = body;
      line_.Say("b " + name);
      const net::HttpAnswer answer = client->Perform(call);
      if (answer.error) return;  // spoold is gone
      const json said = json::parse(answer.body, nullptr, false);
      if (answer.status != 200 || !said.is_object()) {
        line_.Say("r " + name + " " + std::to_string(answer.status));
        continue;
      }
      const auto number = [&](const char* key) {
        return " " + std::to_string(said[key].is_number() ? said[key].get<uint64_t>() : 0);
      };
      line_.Say("a " + name + number("stored") + number("duplicates") + number("first") +
                number("last"));
    }
  }

  Line& line_;
  std::mutex mutex_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_{false};
  uint64_t next_ = 0;
  std::deque<PowerBatch> again_;
};

// A webhook that says what it was given before it says yes.
void Take(Line& line, net::HttpRequest&& request, const net::HttpResponder& responder) {
  std::string said = "d";
  net::HttpResponse response;
  const json batch = json::parse(request.body, nullptr, false);
  if (!batch.is_array()) response.status = 400;
  for (const json& event : batch) {
    said += " " + std::to_string(event["data"]["n"].get<uint64_t>()) + ":" +
            event["sequence"].get<std::string>();
  }
  line.Say(said);
  responder.Send(std::move(response));
}

// Exit status, or 128 + the signal.
int StatusOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t Spawn(std::vector<std::string> args, std::vector<std::string> more_environment,
            const std::string& output) {
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  std::vector<char*> environment;
  for (char** e = environ; *e != nullptr; ++e) environment.push_back(*e);
  for (std::string& variable : more_environment) environment.push_back(variable.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (!output.empty()) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  }
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : -1;
}

// Into a file of the host's.
bool WriteOut(const std::string& path, std::string_view bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n <= 0) break;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  const bool done = bytes.empty() && fsync(fd) == 0;
  return close(fd) == 0 && done;
}

class Guest {
 public:
  explicit Guest(std::string dir) : dir_(std::move(dir)), load_(line_) {
    mount("proc", "/proc", "proc", 0, nullptr);
    const std::string share = dir_ + "/share";
    mount("share", share.c_str(), "hostfs", 0, share.c_str());
    const int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq loopback{};
    std::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP | IFF_RUNNING;
    ioctl(socket_fd, SIOCSIFFLAGS, &loopback);
    close(socket_fd);
    net::HttpServerOptions options;
    options.name = "hook";
    options.address = kHook;
    options.threads = 1;
    auto server = net::HttpServer::Start(
        options, [this](net::HttpRequest&& request, const net::HttpResponder& responder) {
          Take(line_, std::move(request), responder);
        });
    if (server) hook_ = std::move(*server);
    line_.Say(hook_ ? "up" : "failed no listener");
  }

  [[noreturn]] void Serve() {
    for (;;) {
      std::istringstream in(line_.Hear());
      std::string verb;
      in >> verb;
      line_.Say(Obey(verb, in));
    }
  }

 private:
  std::string disk() const { return dir_ + "/disk"; }
  static std::string Said(const std::string& word, bool good) {
    return good ? word : "failed " + word + ": " + std::strerror(errno);
  }

  std::string Obey(const std::string& verb, std::istringstream& in) {
    std::string what;
    std::string file;
    if (verb == "clock") {  // SECONDS ahead
      timeval now{};
      time_t ahead = 0;
      in >> ahead;
      gettimeofday(&now, nullptr);
      now.tv_sec += ahead;
      return Said("set", settimeofday(&now, nullptr) == 0);
    }
    if (verb == "mount") {
      return Said("mounted", mount("/dev/ubda", disk().c_str(), "ext4", 0, nullptr) == 0);
    }
    if (verb == "unmount") return Said("unmounted", umount(disk().c_str()) == 0);
    if (verb == "start") {  // NAME=VALUE…
      std::vector<std::string> environment;
      while (in >> what) environment.push_back(what);
      spoold_ = Spawn(
          {std::getenv("POWER_BIN") + std::string("/spoold"), "--config", dir_ + "/spool.yaml"},
          environment, "");
      return Said("started", spoold_ > 0);
    }
    if (verb == "await") return Await();
    if (verb == "load") return BeginLoad(in);
    if (verb == "quiet") {
      load_.End();
      return "quieted";
    }
    if (verb == "settle") return Settle();
    if (verb == "stop") {
      int status = 0;
      kill(spoold_, SIGTERM);
      waitpid(spoold_, &status, 0);
      return "stopped " + std::to_string(StatusOf(status));
    }
    if (verb == "get") {  // FILE PATH: what the admin API answers
      in >> file >> what;
      const HttpReply reply = Call("GET", kAdmin, what);
      return Said("got " + std::to_string(reply.status), WriteOut(file, reply.body));
    }
    if (verb == "copy") {  // FILE OFFSET SOURCE
      off_t from = 0;
      in >> file >> from >> what;
      return Copy(file, from, what);
    }
    if (verb == "remove") {  // FILE, and its name from the disk
      in >> file;
      const bool removed = unlink(file.c_str()) == 0;
      const int fd = open(disk().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      return Said("removed", removed && fsync(fd) == 0 && close(fd) == 0);
    }
    if (verb == "run") {  // OUTPUT PROGRAM ARGUMENT…
      in >> file;
      std::vector<std::string> args;
      while (in >> what) args.push_back(what);
      int status = 0;
      const pid_t pid = Spawn(args, {}, file);
      if (pid > 0) waitpid(pid, &status, 0);
      return Said("ran " + std::to_string(StatusOf(status)), pid > 0);
    }
    return "failed to understand " + verb;
  }

  // Until it is ready, says that the journal is damaged, or is gone.
  std::string Await() {
    std::string outcome;
    const bool in_time = WaitUntil(
        [&] {
          int status = 0;
          if (waitpid(spoold_, &status, WNOHANG) == spoold_) {
            outcome = "ended " + std::to_string(StatusOf(status));
            return true;
          }
          const HttpReply ready = Call("GET", kAdmin, "/ready?verbose");
          if (ready.status == 200) outcome = "ready";
          if (ready.status == 503 && ready.body.find("damaged") != std::string::npos) {
            outcome = "damaged " + ready.Json().dump();
          }
          return !outcome.empty();
        },
        std::chrono::seconds(60));
    return in_time ? outcome : "failed to become ready";
  }

  // SEED NEXT [FIRST:COUNT…]
  std::string BeginLoad(std::istringstream& in) {
    uint64_t seed = 0;
    uint64_t next = 0;
    in >> seed >> next;
    std::deque<PowerBatch> again;
    PowerBatch batch;
    for (char colon = 0; in >> batch.first >> colon >> batch.second;) again.push_back(batch);
    load_.Begin(seed, next, std::move(again));
    return "loading";
  }

  // Until every target has settled all that is stored, and the accounts add up.
  std::string Settle() {
    std::string last;
    const bool settled = WaitUntil(
        [&] {
          last = Call("GET", kAdmin, "/api/v1/status").body;
          const json status = json::parse(last, nullptr, false);
          if (!status.is_object() || !status.value("accounted", false)) return false;
          for (const json& target : status["targets"]) {
            if (target["pending"] != 0) return false;
          }
          return status["targets"].size() == 2;
        },
        std::chrono::seconds(60));
    return settled ? "settled" : "failed to settle: " + last;
  }

  std::string Copy(const std::string& to, off_t from, const std::string& source) {
    const int fd = open(source.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return Said("copied 0", WriteOut(to, ""));
    if (fd < 0) return Said("copied", false);
    std::string bytes;
    char piece[65536];
    const off_t size = lseek(fd, 0, SEEK_END);
    for (off_t at = from; at < size;) {
      const ssize_t n = pread(fd, piece, sizeof piece, at);
      if (n <= 0) break;
      bytes.append(piece, static_cast<size_t>(n));
      at += n;
    }
    close(fd);
    return Said("copied " + std::to_string(size), WriteOut(to, bytes));
  }

  const std::string dir_;
  Line line_;
  Load load_;
  std::unique_ptr<net::HttpServer> hook_;
  pid_t spoold_ = -1;
};

}  // namespace
}  // namespace spool::testing

int main() {
  signal(SIGPIPE, SIG_IGN);
  const char* dir = std::getenv("POWER_DIR");
  if (getpid() != 1 || dir == nullptr) {
    std::cerr << "This is the first program of a machine that the power-cut tests start.\n";
    return 2;
  }
  spool::testing::Guest(dir).Serve();
}
