#include "tests/support/ctl_fixture.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/clock.h"
#include "base/time_text.h"

namespace spool::testing {
namespace {

constexpr auto kTextWait = std::chrono::seconds(20);
constexpr auto kEndWait = std::chrono::seconds(30);

[[noreturn]] void Exec(const std::string& program, const std::vector<std::string>& args,
                       const CtlProcess::Options& options) {
  for (const char* name : {"SPOOLCTL_SERVER", "SPOOLCTL_TOKEN_FILE", "SPOOLCTL_CA_FILE",
                           "SPOOLCTL_CONTEXT", "NO_COLOR", "http_proxy", "HTTP_PROXY"}) {
    unsetenv(name);
  }
  setenv("TERM", "xterm-256color", 1);
  setenv("LC_ALL", "C.UTF-8", 1);
  setenv("SPOOLCTL_CONTEXTS", "/nonexistent/contexts.yaml", 1);
  for (const auto& [name, value] : options.env) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  _exit(127);
}

int Left(SteadyTime deadline) {
  const auto left = std::chrono::duration_cast<Millis>(deadline - RealClock().Steady()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

}  // namespace

std::unique_ptr<CtlProcess> CtlProcess::Start(const std::vector<std::string>& args,
                                              Options options) {
  std::unique_ptr<CtlProcess> process(new CtlProcess());
  // Programs and tests are built into one folder.
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "spoolctl";
  if (options.columns > 0) {
    winsize size{};
    size.ws_row = 40;
    size.ws_col = static_cast<unsigned short>(options.columns);
    process->pid_ = forkpty(&process->out_, nullptr, nullptr, &size);
    if (process->pid_ == 0) Exec(program, args, options);
    return process;
  }
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) std::abort();
  process->pid_ = fork();
  if (process->pid_ == 0) {
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(options.out.empty() ? out[1] : open(options.out.c_str(), O_WRONLY), STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    Exec(program, args, options);
  }
  close(out[1]);
  close(err[1]);
  process->out_ = out[0];
  process->err_ = err[0];
  return process;
}

CtlProcess::~CtlProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) close(out_);
  if (err_ >= 0) close(err_);
}

bool CtlProcess::ReadSome(int timeout_millis) {
  pollfd fds[] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  if (out_ < 0 && err_ < 0) return false;
  if (poll(fds, 2, timeout_millis) <= 0) return false;
  int* ends[] = {&out_, &err_};
  std::string* texts[] = {&result_.out, &result_.err};
  for (int i = 0; i < 2; ++i) {
    if (fds[i].revents == 0) continue;
    char buffer[65536];
    const ssize_t n = read(*ends[i], buffer, sizeof buffer);
    if (n > 0) {
      texts[i]->append(buffer, static_cast<size_t>(n));
    } else if (n == 0 || errno != EINTR) {  // a terminal ends with EIO
      close(*ends[i]);
      *ends[i] = -1;
    }
  }
  return true;
}

bool CtlProcess::WaitForText(const std::string& text) {
  const SteadyTime deadline = RealClock().Steady() + kTextWait;
  while (result_.out.find(text) == std::string::npos &&
         result_.err.find(text) == std::string::npos) {
    if (!ReadSome(Left(deadline))) return false;
  }
  return true;
}

void CtlProcess::Type(const std::string& keys) {
  EXPECT_EQ(write(out_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
}

void CtlProcess::Resize(int columns, int rows) {
  winsize size{};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(columns);
  EXPECT_EQ(ioctl(out_, TIOCSWINSZ, &size), 0);
}

void CtlProcess::CloseOut() {
  close(out_);
  out_ = -1;
}

void CtlProcess::Signal(int number) { kill(pid_, number); }

CtlResult CtlProcess::Finish() {
  const SteadyTime deadline = RealClock().Steady() + kEndWait;
  while ((out_ >= 0 || err_ >= 0) && ReadSome(Left(deadline))) {
  }
  if (out_ >= 0 || err_ >= 0) {
    ADD_FAILURE() << "spoolctl does not end; so far it said:\n" << result_.out << result_.err;
    kill(pid_, SIGKILL);
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  result_.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result_;
}

CtlResult RunCtl(const std::vector<std::string>& args, CtlProcess::Options options) {
  return CtlProcess::Start(args, std::move(options))->Finish();
}

FakeAdmin::FakeAdmin() {
  net::HttpServerOptions options;
  options.name = "fake-admin";
  options.address = "127.0.0.1:0";
  auto server = net::HttpServer::Start(
      options, [this](net::HttpRequest&& request, net::HttpResponder responder) {
        const std::string path = request.method + " " + request.path;
        const std::string full = path + (request.query.empty() ? "" : "?" + request.query);
        Reply reply;
        {
          const std::lock_guard lock(mutex_);
          requests_.push_back(full + (request.body.empty() ? "" : " " + request.body));
          tokens_.emplace_back(request.Header("authorization"));
          auto it = replies_.find(full);
          if (it == replies_.end()) it = replies_.find(path);
          if (it != replies_.end()) reply = it->second;
        }
        responder.Send(reply ? reply(request)
                             : net::Problem(404, "not_found", "There is no such thing."));
      });
  if (!server) std::abort();
  server_ = *std::move(server);
}

FakeAdmin::~FakeAdmin() { Stop(); }

void FakeAdmin::Stop() { server_->Stop(RealClock().Steady() + std::chrono::seconds(2)); }

std::string FakeAdmin::url() const { return "http://" + server_->address(); }

void FakeAdmin::On(const std::string& method_and_path, Reply reply) {
  const std::lock_guard lock(mutex_);
  replies_[method_and_path] = std::move(reply);
}

void FakeAdmin::On(const std::string& method_and_path, int status, const std::string& json) {
  On(method_and_path, [status, json](const net::HttpRequest&) {
    net::HttpResponse response;
    response.status = status;
    response.content_type = status < 400 ? "application/json" : "application/problem+json";
    response.body = json;
    return response;
  });
}

std::vector<std::string> FakeAdmin::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<std::string> FakeAdmin::tokens() const {
  const std::lock_guard lock(mutex_);
  return tokens_;
}

std::string TimeAgo(const std::string& duration) {
  return FormatTime(RealClock().Now() - *ParseDuration(duration));
}

}  // namespace spool::testing
