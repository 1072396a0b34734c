#include "base/thread.h"

#include <pthread.h>
#include <signal.h>

namespace spool {

std::jthread StartThread(std::string name, std::function<void(std::stop_token)> body) {
  return std::jthread([name = name.substr(0, 15), body = std::move(body)](std::stop_token stop) {
    // Signals belong to the main thread, which takes them by sigwait.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    pthread_setname_np(pthread_self(), name.c_str());
    body(std::move(stop));
  });
}

}  // namespace spool
