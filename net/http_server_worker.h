// The threads that serve the connections of an HTTP server, without what they are made of.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "net/byte_budget.h"
#include "net/http_server.h"
#include "net/peer_counts.h"

namespace boost::asio {
class io_context;
}

namespace spool::net {

// What all threads of one server share. Any thread.
struct ServerShared {
  ServerShared(const HttpLimits& l, HttpHandler h, std::shared_ptr<ByteBudget> all, HttpHooks k,
               std::unique_ptr<TlsContext> t)
      : limits(l),
        handler(std::move(h)),
        hooks(std::move(k)),
        tls(std::move(t)),
        budget(std::make_shared<ByteBudget>(l.in_flight_bytes, l.body_bytes, std::move(all))) {}

  // A connection has ended.
  void Closed() {
    if (open.fetch_sub(1) == 1 && stopping) {
      std::lock_guard lock(mutex);
      drained.notify_all();
    }
  }

  // `dispatched`: when a handler got the request, if one did.
  void CountAnswer(int status, SteadyTime dispatched) {
    const auto at = std::min(static_cast<size_t>(status), answers.size() - 1);
    answers[at].fetch_add(1, std::memory_order_relaxed);
    if (dispatched == SteadyTime()) return;
    seconds.Observe((RealClock().Steady() - dispatched).count());
  }

  const HttpLimits limits;
  const HttpHandler handler;
  const HttpHooks hooks;
  const std::unique_ptr<TlsContext> tls;  // null: plain TCP
  const std::shared_ptr<ByteBudget> budget;
  std::atomic<bool> stopping{false};
  std::atomic<size_t> open{0};
  std::atomic<uint64_t> accepted{0}, refused{0}, requests{0}, shed{0}, denied{0}, malformed{0};
  std::array<std::atomic<uint64_t>, 600> answers{};  // by status
  Histogram seconds{Histogram::kBriefly};
  std::mutex mutex;
  std::condition_variable drained;  // open is 0 and the server is stopping
};

// One thread with its event loop and its connections. Any thread unless said otherwise.
class ServerWorker {
 public:
  // Throws std::exception when the system has no descriptors left.
  static std::shared_ptr<ServerWorker> Create(std::shared_ptr<ServerShared> shared);
  virtual ~ServerWorker() = default;

  virtual boost::asio::io_context& io() = 0;
  virtual void Start(const std::string& name) = 0;
  // Takes over an accepted socket, counted in `open` already. `place` goes with the connection.
  virtual void Adopt(int fd, bool v6, PeerCounts::Place place) = 0;
  // Closes the connections on which no request has begun.
  virtual void Quit() = 0;
  // Ends every connection and the thread. Not from that thread.
  virtual void Cut() = 0;
};

}  // namespace spool::net
