#include "tests/support/fault_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/assert.h"

namespace spool::testing {
namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Then = WayFault::Then;
using Door = ProxyFault::Door;

constexpr size_t kBufferMax = size_t{256} << 10;  // of one direction
constexpr size_t kReadMax = size_t{64} << 10;
constexpr int kTicksPerSecond = 20;  // in which a limited rate is spent

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket that is bound to a port, 0 for any; nobody listens yet.
int Bound(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in address = Loopback(port);
  SPOOL_ASSERT(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

void NoDelay(int fd) {
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

void CloseWithReset(int* fd) {
  if (*fd < 0) return;
  const linger now{1, 0};
  setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(*fd);
  *fd = -1;
}

void CloseWithEnd(int* fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

struct Chunk {
  Time due;
  std::string bytes;
  size_t done = 0;
};

// One direction of a connection. Which descriptors it has its connection knows.
struct Way {
  std::deque<Chunk> chunks;
  size_t buffered = 0;
  size_t passed = 0;  // since the fault was set
  Time next_write{};  // by the rate
  Time last_due{};
  std::optional<Time> ended;  // the sender's end may be told from then on
  bool end_told = false;      // nothing goes out any more
};

struct Connection {
  int client = -1;
  int server = -1;
  bool dark = false;  // in the black hole
  Way up;
  Way down;
  bool deaf[2] = {false, false};  // client, server: hung up, so there is no use in polling it
  bool gone() const { return client < 0 && server < 0; }
};

}  // namespace

class FaultProxy::Impl {
 public:
  explicit Impl(uint64_t seed)
      : random_(seed), reserved_(Bound(0)), bell_(eventfd(0, EFD_CLOEXEC)) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    getsockname(reserved_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    Listen();
  }
  ~Impl() {
    for (Connection& connection : connections_) Reset(connection);
    CloseWithEnd(&listener_);
    close(reserved_);
    close(bell_);
  }

  void Run() {
    while (true) {
      std::vector<pollfd> polled;
      int wait = -1;
      {
        const std::lock_guard lock(mutex_);
        if (stop_) return;
        wait = Gather(&polled);
      }
      poll(polled.data(), polled.size(), wait);
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      Serve(polled);
    }
  }

  void Stop() {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    Ring();
  }
  void Change(const ProxyFault& fault, bool cut, bool light) {
    const std::lock_guard lock(mutex_);
    fault_ = fault;
    for (Connection& connection : connections_) {
      connection.up.passed = connection.down.passed = 0;
      connection.up.next_write = connection.down.next_write = {};
      if (cut || (light && connection.dark)) Reset(connection);
    }
    if (fault.door == Door::kRefuse) {
      // The other thread's poll keeps it open for a moment; it shall not listen even so long.
      if (listener_ >= 0) shutdown(listener_, SHUT_RDWR);
      CloseWithEnd(&listener_);
    } else if (listener_ < 0) {
      Listen();
    }
    Ring();
  }

  std::mutex mutex_;
  int upstream_ = 0;  // guarded by mutex_, as all below but port_
  uint64_t accepted_ = 0;
  int port_ = 0;
  size_t open() const { return connections_.size(); }

 private:
  void Listen() {
    listener_ = Bound(port_);
    SPOOL_ASSERT(listen(listener_, 256) == 0);
  }
  void Ring() {
    const uint64_t one = 1;
    SPOOL_ASSERT(write(bell_, &one, sizeof one) == sizeof one);
  }
  static void Reset(Connection& connection) {
    CloseWithReset(&connection.client);
    CloseWithReset(&connection.server);
  }
  static void End(Connection& connection) {
    CloseWithEnd(&connection.client);
    CloseWithEnd(&connection.server);
  }

  const WayFault& FaultOf(const Connection& connection, const Way& way) const {
    return &way == &connection.up ? fault_.up : fault_.down;
  }
  bool Holds(const Connection& connection, const Way& way) const {
    const WayFault& fault = FaultOf(connection, way);
    return fault.then == Then::kHold && way.passed >= fault.after;
  }

  // What to wait for, and how long at most; -1: without end.
  int Gather(std::vector<pollfd>* polled) {
    const Time now = Clock::now();
    std::optional<Time> next;
    const auto at = [&next](Time time) { next = next ? std::min(*next, time) : time; };
    polled->push_back({bell_, POLLIN, 0});
    polled->push_back({listener_, POLLIN, 0});  // a negative one is passed over
    for (Connection& connection : connections_) {
      short wanted[2] = {0, 0};
      if (connection.dark) wanted[0] = POLLRDHUP;
      for (const bool up : {true, false}) {
        if (connection.dark) break;
        Way& way = up ? connection.up : connection.down;
        if (!way.ended && way.buffered < kBufferMax) wanted[up ? 0 : 1] |= POLLIN;
        if (way.end_told || Holds(connection, way)) continue;
        if (!way.chunks.empty()) {
          const Time due = std::max(way.chunks.front().due, way.next_write);
          if (due > now || connection.deaf[up ? 1 : 0]) {
            at(due);  // who has hung up is told anyway, and then shows it
          } else {
            wanted[up ? 1 : 0] |= POLLOUT;
          }
        } else if (way.ended) {
          at(*way.ended);
        }
      }
      polled->push_back({connection.deaf[0] ? -1 : connection.client, wanted[0], 0});
      polled->push_back({connection.deaf[1] ? -1 : connection.server, wanted[1], 0});
    }
    if (!next) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now);
    return static_cast<int>(std::max<int64_t>(left.count(), 0));
  }

  void Serve(const std::vector<pollfd>& polled) {
    if (polled[0].revents != 0) {
      uint64_t rung = 0;
      SPOOL_ASSERT(read(bell_, &rung, sizeof rung) == sizeof rung);
    }
    size_t i = 2;  // new connections come behind those that were polled
    for (Connection& connection : connections_) {
      if (i + 1 >= polled.size()) break;
      const pollfd& client = polled[i];
      const pollfd& server = polled[i + 1];
      i += 2;
      if (connection.dark) {
        if (client.revents != 0) End(connection);
        continue;
      }
      if (connection.gone()) continue;
      Hear(connection, connection.up, connection.client, client, 0);
      if (!connection.gone()) Hear(connection, connection.down, connection.server, server, 1);
      if (!connection.gone()) Say(connection, connection.up, connection.server);
      if (!connection.gone()) Say(connection, connection.down, connection.client);
      if (connection.up.end_told && connection.down.end_told) End(connection);
    }
    connections_.remove_if([](const Connection& connection) { return connection.gone(); });
    if ((polled[1].revents & POLLIN) != 0 && listener_ >= 0) Accept();
  }

  void Accept() {
    while (true) {
      int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0) return;
      ++accepted_;
      if (fault_.door == Door::kReset) {
        CloseWithReset(&fd);
        continue;
      }
      NoDelay(fd);
      Connection connection;
      connection.client = fd;
      connection.dark = fault_.door == Door::kBlackHole;
      if (!connection.dark) {
        connection.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        NoDelay(connection.server);
        const sockaddr_in address = Loopback(upstream_);
        // Refused at once or later: what is written or read then tells.
        if (connect(connection.server, reinterpret_cast<const sockaddr*>(&address),
                    sizeof address) != 0 &&
            errno != EINPROGRESS) {
          Reset(connection);
          continue;
        }
      }
      connections_.push_back(std::move(connection));
    }
  }

  void Hear(Connection& connection, Way& way, int from, const pollfd& polled, size_t side) {
    if (polled.fd != from || polled.revents == 0) return;
    if ((polled.events & POLLIN) == 0) {
      // It hung up while nobody listens to it.
      if ((polled.revents & (POLLERR | POLLHUP)) != 0) connection.deaf[side] = true;
      return;
    }
    if ((polled.revents & (POLLIN | POLLERR | POLLHUP)) == 0) return;
    std::string bytes(kReadMax, '\0');
    const ssize_t n = read(from, bytes.data(), bytes.size());
    const Time now = Clock::now();
    const WayFault& fault = FaultOf(connection, way);
    if (n > 0) {
      bytes.resize(static_cast<size_t>(n));
      way.last_due = std::max(way.last_due, now + fault.latency + Some(fault.jitter));
      way.buffered += bytes.size();
      way.chunks.push_back({way.last_due, std::move(bytes)});
    } else if (n == 0) {
      way.ended = now + fault_.slow_close;
    } else if (errno != EAGAIN) {
      // A reset. What was sent before it may still arrive if it is on its way.
      if (way.chunks.empty()) return Reset(connection);
      way.ended = now;
      connection.deaf[side] = true;
    }
  }

  std::chrono::milliseconds Some(std::chrono::milliseconds most) {
    return std::chrono::milliseconds(
        std::uniform_int_distribution<int64_t>(0, most.count())(random_));
  }

  // Sends what may be sent now, one write.
  void Say(Connection& connection, Way& way, int to) {
    if (way.end_told || Holds(connection, way)) return;
    const Time now = Clock::now();
    if (way.chunks.empty()) {
      if (way.ended && *way.ended <= now) {
        way.end_told = true;
        if (to >= 0) shutdown(to, SHUT_WR);
      }
      return;
    }
    Chunk& chunk = way.chunks.front();
    if (std::max(chunk.due, way.next_write) > now) return;
    const WayFault& fault = FaultOf(connection, way);
    size_t n = chunk.bytes.size() - chunk.done;
    bool garbage = false;
    if (fault.then != Then::kNothing) {
      if (way.passed < fault.after) {
        n = std::min(n, fault.after - way.passed);
      } else {
        switch (fault.then) {
          case Then::kReset: return Reset(connection);
          case Then::kClose: return End(connection);
          case Then::kHalfClose:
            way.end_told = true;
            shutdown(to, SHUT_WR);
            return;
          case Then::kSwallow: return Consume(way, n);
          default: garbage = true;
        }
      }
    }
    if (fault.slice > 0) n = std::min(n, fault.slice);
    if (fault.bytes_per_second > 0) {
      n = std::min(n, std::max<size_t>(fault.bytes_per_second / kTicksPerSecond, 1));
    }
    if (garbage) {
      for (size_t i = 0; i < n; ++i) chunk.bytes[chunk.done + i] = static_cast<char>(random_());
    }
    const ssize_t sent = send(to, chunk.bytes.data() + chunk.done, n, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) Reset(connection);
      return;
    }
    if (fault.bytes_per_second > 0) {
      way.next_write = now + std::chrono::microseconds(
                                 1'000'000 * sent / static_cast<ssize_t>(fault.bytes_per_second));
    }
    way.passed += static_cast<size_t>(sent);
    Consume(way, static_cast<size_t>(sent));
  }

  static void Consume(Way& way, size_t n) {
    Chunk& chunk = way.chunks.front();
    chunk.done += n;
    way.buffered -= n;
    if (chunk.done == chunk.bytes.size()) way.chunks.pop_front();
  }

  ProxyFault fault_;
  bool stop_ = false;
  std::mt19937_64 random_;
  std::list<Connection> connections_;
  const int reserved_;  // bound and never listening, so that the port stays ours
  const int bell_;
  int listener_ = -1;
};

FaultProxy::FaultProxy(uint64_t seed)
    : impl_(std::make_unique<Impl>(seed)), thread_([this] { impl_->Run(); }) {}

FaultProxy::~FaultProxy() {
  impl_->Stop();
  thread_.join();
}

int FaultProxy::port() const { return impl_->port_; }

void FaultProxy::SetUpstream(int port) {
  const std::lock_guard lock(impl_->mutex_);
  impl_->upstream_ = port;
}

void FaultProxy::Set(const ProxyFault& fault) { impl_->Change(fault, false, false); }
void FaultProxy::Heal() { impl_->Change({}, false, true); }
void FaultProxy::HealAndCut() { impl_->Change({}, true, true); }

uint64_t FaultProxy::accepted() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->accepted_;
}

size_t FaultProxy::open() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->open();
}

}  // namespace spool::testing
