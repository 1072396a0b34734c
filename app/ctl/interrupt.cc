#include "app/ctl/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>

#include "app/ctl/failure.h"
#include "base/assert.h"

namespace spool::ctl {

Interrupt::Interrupt() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  SPOOL_ASSERT(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  ended_ = eventfd(0, EFD_CLOEXEC);
  SPOOL_ASSERT(signals_ >= 0 && ended_ >= 0);
  thread_ = std::thread([this] { Watch(); });
}

Interrupt::~Interrupt() {
  const uint64_t one = 1;
  SPOOL_ASSERT(write(ended_, &one, sizeof one) == sizeof one);
  thread_.join();
  close(signals_);
  close(ended_);
}

void Interrupt::Watch() {
  for (;;) {
    pollfd fds[] = {{signals_, POLLIN, 0}, {ended_, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (fds[1].revents != 0) return;
    signalfd_siginfo info;
    if (read(signals_, &info, sizeof info) != sizeof info) continue;
    if (!gentle_ || stop_.stop_requested()) _exit(kInterrupted);
    stop_.request_stop();
  }
}

bool Interrupt::Wait(Millis time) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop_.get_token(), time, [this] { return raised(); });
  return !raised();
}

}  // namespace spool::ctl
