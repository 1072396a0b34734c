#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

#include "base/hash.h"
#include "forward/sinks/outcomes.h"
#include "forward/sinks/sinks.h"
#include "forward/sinks/turns.h"

namespace spool {
namespace {

// Writing to a pipe whose reader went away raises SIGPIPE, which ends a process that does not
// ignore it. Held back on this thread while it writes, and taken off it afterwards.
class SigpipeHeld {
 public:
  SigpipeHeld() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~SigpipeHeld() {
    if (!was_pending_) {
      const timespec now{0, 0};
      while (sigtimedwait(&pipe_, nullptr, &now) == -1 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeHeld(const SigpipeHeld&) = delete;
  SigpipeHeld& operator=(const SigpipeHeld&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

enum class Ready { kYes, kDeadline, kStopped };

// Waits until `fd` takes PIPE_BUF bytes without blocking, or has an error to tell of.
Ready WaitWritable(int fd, SteadyTime deadline, const std::stop_token& stop) {
  pollfd fds[2] = {{fd, POLLOUT, 0}, {-1, POLLIN, 0}};
  if (poll(fds, 1, 0) > 0) return Ready::kYes;
  fds[1].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int wake = fds[1].fd;
  Ready ready = Ready::kDeadline;
  {
    std::stop_callback on_stop(stop, [wake] {
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t n = write(wake, &one, sizeof one);
    });
    while (true) {
      if (stop.stop_requested()) {
        ready = Ready::kStopped;
        break;
      }
      const auto left = std::chrono::ceil<Millis>(deadline - RealClock().Steady()).count();
      if (left <= 0) break;
      fds[0].revents = 0;
      if (poll(fds, 2, static_cast<int>(std::min<int64_t>(left, 60000))) > 0 &&
          fds[0].revents != 0) {
        ready = Ready::kYes;
        break;
      }
    }
  }
  if (wake >= 0) close(wake);
  return ready;
}

// What the sinks on one descriptor share: a target's live sink and its replays.
struct Channel {
  Turns turns;
  // Of whose turn it is.
  std::string tail;  // the rest of a line that was begun, with its line feed
  Hash128 tail_of;   // of that line's event
  Hash128 whole;     // an event whose line was completed after it had been reported undelivered
};

std::shared_ptr<Channel> ChannelOf(int fd) {
  static std::mutex guard;
  static std::map<int, std::weak_ptr<Channel>> channels;
  std::lock_guard lock(guard);
  auto found = channels[fd].lock();
  if (!found) channels[fd] = found = std::make_shared<Channel>();
  return found;
}

class StdoutSink : public Sink {
 public:
  explicit StdoutSink(int fd) : fd_(fd), channel_(ChannelOf(fd)) {}
  Encoding encoding() const override { return Encoding::kCloudEvent; }
  Preview Show(const Message& message) const override {
    return {"standard output", {}, std::string(message.body) + '\n'};
  }

  void Deliver(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime deadline,
               std::stop_token stop) override {
    if (messages.empty()) return;
    const Turn turn(channel_->turns, deadline, stop);
    if (!turn.taken()) return SetAll(outcomes, Verdict::kRetry, "timeout", "another writes");
    const SigpipeHeld no_sigpipe;
    if (!channel_->tail.empty()) {
      channel_->tail.erase(0, Write(channel_->tail, deadline, stop));
      if (!channel_->tail.empty()) return SetFailure(outcomes);
      channel_->whole = channel_->tail_of;
    }
    // The line that was cut is whole now, and the pump comes back with the same event.
    size_t done = 0;
    if (!channel_->whole.empty() && FastHash128(messages[0].body) == channel_->whole) {
      outcomes[0].verdict = Verdict::kDelivered;
      channel_->whole = {};
      done = 1;
    }
    WriteLines(messages.subspan(done), outcomes.subspan(done), deadline, stop);
  }

 private:
  void WriteLines(std::span<const Message> messages, std::span<Outcome> outcomes,
                  SteadyTime deadline, const std::stop_token& stop) {
    buffer_.clear();
    for (const Message& message : messages) {
      buffer_ += message.body;
      buffer_ += '\n';
    }
    const size_t written = Write(buffer_, deadline, stop);
    size_t end = 0;
    for (size_t i = 0; i < messages.size(); ++i) {
      const size_t begin = end;
      end += messages[i].body.size() + 1;
      if (end <= written) {
        outcomes[i].verdict = Verdict::kDelivered;
        continue;
      }
      if (begin < written) {
        channel_->tail = buffer_.substr(written, end - written);
        channel_->tail_of = FastHash128(messages[i].body);
      }
      SetFailure(outcomes.subspan(i));
      break;
    }
    if (buffer_.capacity() > kBufferKept) buffer_ = std::string();
  }

  void SetFailure(std::span<Outcome> outcomes) const {
    SetAll(outcomes, verdict_, code_, excerpt_);
  }

  // Writes as much of `bytes` as it can and returns how much; when that is not all, verdict_,
  // code_ and excerpt_ say why.
  size_t Write(std::string_view bytes, SteadyTime deadline, const std::stop_token& stop) {
    struct stat info {};
    if (fstat(fd_, &info) != 0) return Failed(errno, 0);
    // A pipe or a terminal that poll() calls ready takes this much without blocking; whether the
    // descriptor itself blocks is not ours to change, since others share it.
    const size_t chunk = S_ISREG(info.st_mode) ? size_t{1} << 20 : PIPE_BUF;
    size_t written = 0;
    while (written < bytes.size()) {
      switch (WaitWritable(fd_, deadline, stop)) {
        case Ready::kYes: break;
        case Ready::kDeadline:
          return Stopped("timeout", "the reader of standard output does not read", written);
        case Ready::kStopped: return Stopped("cancelled", "", written);
      }
      const std::string_view part = bytes.substr(written, chunk);
      const ssize_t n = S_ISSOCK(info.st_mode)
                            ? send(fd_, part.data(), part.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                            : write(fd_, part.data(), part.size());
      if (n >= 0) {
        written += static_cast<size_t>(n);
      } else if (errno != EINTR && errno != EAGAIN) {
        return Failed(errno, written);
      }
    }
    return written;
  }

  size_t Stopped(std::string_view code, std::string_view excerpt, size_t written) {
    verdict_ = Verdict::kRetry;
    code_ = code;
    excerpt_ = excerpt;
    return written;
  }

  size_t Failed(int error, size_t written) {
    const bool closed = error == EPIPE || error == EBADF || error == ECONNRESET;
    verdict_ = closed ? Verdict::kHold : Verdict::kRetry;
    code_ = closed ? "stdout_closed" : error == ENOSPC || error == EDQUOT ? "no_space" : "io_error";
    excerpt_ = std::strerror(error);
    return written;
  }

  static constexpr size_t kBufferKept = size_t{4} << 20;

  const int fd_;
  const std::shared_ptr<Channel> channel_;
  std::string buffer_;
  Verdict verdict_ = Verdict::kRetry;
  std::string code_;
  std::string excerpt_;
};

}  // namespace

std::unique_ptr<Sink> MakeStdoutSink(int fd) { return std::make_unique<StdoutSink>(fd); }

}  // namespace spool
