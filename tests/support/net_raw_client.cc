#include "tests/support/net_raw_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace spool::test {
namespace {

using Clock = std::chrono::steady_clock;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Binds a fresh socket to a free port. Dies rather than let a test run without its peer.
int BindFree(int* port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof address;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::perror("cannot bind to loopback");
    std::abort();
  }
  *port = ntohs(address.sin_port);
  return fd;
}

bool PollFor(int fd, short events, Clock::time_point end) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd p{fd, events, 0};
    const int n = poll(&p, 1, static_cast<int>(std::max<int64_t>(0, left)));
    if (n > 0) return true;
    if (n == 0 || errno != EINTR) return false;
  }
}

std::string FindHeader(std::string_view head, std::string_view name) {
  size_t at = head.find("\r\n");
  while (at != std::string_view::npos && at + 2 < head.size()) {
    const size_t start = at + 2;
    at = head.find("\r\n", start);
    const std::string_view line = head.substr(start, at - start);
    const size_t colon = line.find(':');
    if (colon != name.size() || strncasecmp(line.data(), name.data(), colon) != 0) continue;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    return std::string(value);
  }
  return {};
}

size_t ContentLength(std::string_view head) {
  return std::strtoull(FindHeader(head, "content-length").c_str(), nullptr, 10);
}

}  // namespace

std::string RawAnswer::Header(std::string_view name) const { return FindHeader(head, name); }

RawSocket::~RawSocket() { Close(); }

RawSocket::RawSocket(RawSocket&& other) noexcept { *this = std::move(other); }

RawSocket& RawSocket::operator=(RawSocket&& other) noexcept {
  if (this == &other) return *this;
  Close();
  fd_ = std::exchange(other.fd_, -1);
  closed_ = other.closed_;
  tls_ = std::move(other.tls_);
  buffer_ = std::move(other.buffer_);
  return *this;
}

RawSocket RawSocket::Connect(int port, const char* from) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  sockaddr_in own = Loopback(0);
  if (from != nullptr && (inet_pton(AF_INET, from, &own.sin_addr) != 1 ||
                          bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)) {
    close(fd);
    return RawSocket();
  }
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(fd);
    return RawSocket();
  }
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return RawSocket(fd);
}

bool RawSocket::StartTls(const TlsClientOptions& options, Limit limit) {
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
  tls_ = std::make_unique<RawTls>(options, fd_);
  return tls_->Handshake(limit);
}

bool RawSocket::Send(std::string_view bytes, Limit limit) {
  const auto end = Clock::now() + limit;
  while (tls_ && !bytes.empty()) {
    const long n =
        tls_->Write(bytes, std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()));
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  while (!bytes.empty()) {
    if (!PollFor(fd_, POLLOUT, end)) return false;
    const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool RawSocket::FillUntil(const std::function<bool()>& enough, Limit limit) {
  const auto end = Clock::now() + limit;
  while (!enough()) {
    char bytes[65536];
    if (tls_ && !closed_) {
      const long n = tls_->Read(bytes, sizeof bytes,
                                std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()));
      if (n > 0) {
        buffer_.append(bytes, static_cast<size_t>(n));
        continue;
      }
      if (n < 0 && Clock::now() >= end) return false;
      closed_ = true;
    }
    if (closed_ || fd_ < 0 || !PollFor(fd_, POLLIN, end)) return false;
    const ssize_t n = recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0)
      buffer_.append(bytes, static_cast<size_t>(n));
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
      closed_ = true;
  }
  return true;
}

std::string RawSocket::Read(Limit limit) {
  FillUntil([this] { return !buffer_.empty(); }, limit);
  return std::exchange(buffer_, {});
}

std::string RawSocket::ReadAll(Limit limit) {
  FillUntil([this] { return closed_; }, limit);
  return std::exchange(buffer_, {});
}

std::optional<RawAnswer> RawSocket::ReadAnswer(Limit limit, bool head_request) {
  const auto end_of_head = [this] { return buffer_.find("\r\n\r\n"); };
  if (!FillUntil([&] { return end_of_head() != std::string::npos; }, limit)) return std::nullopt;
  RawAnswer answer;
  answer.head = buffer_.substr(0, end_of_head() + 4);
  if (answer.head.size() < 12 || !answer.head.starts_with("HTTP/1.1 ")) return std::nullopt;
  answer.status = std::atoi(answer.head.c_str() + 9);
  const size_t length = answer.status < 200 || head_request ? 0 : ContentLength(answer.head);
  const size_t whole = answer.head.size() + length;
  if (!FillUntil([&] { return buffer_.size() >= whole; }, limit)) return std::nullopt;
  answer.body = buffer_.substr(answer.head.size(), length);
  buffer_.erase(0, whole);
  return answer;
}

std::string RawSocket::ReadRequest(Limit limit) {
  const auto end_of_head = [this] { return buffer_.find("\r\n\r\n"); };
  if (!FillUntil([&] { return end_of_head() != std::string::npos; }, limit)) return {};
  const size_t head = end_of_head() + 4;
  const size_t whole = head + ContentLength(std::string_view(buffer_).substr(0, head));
  if (!FillUntil([&] { return buffer_.size() >= whole; }, limit)) return {};
  std::string request = buffer_.substr(0, whole);
  buffer_.erase(0, whole);
  return request;
}

bool RawSocket::WaitClosed(Limit limit) {
  FillUntil(
      [this] {
        buffer_.clear();
        return false;
      },
      limit);
  return closed_;
}

void RawSocket::ShutdownSend() { shutdown(fd_, SHUT_WR); }

void RawSocket::Reset() {
  const linger hard{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  connect(fd_, &none, sizeof none);  // resets also while a copy of the descriptor is open
  Close();
}

void RawSocket::Close() {
  Cut();  // also ends the connection of which a copy is open
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

void RawSocket::Cut() {
  if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
}

void RawSocket::SetReceiveBuffer(int bytes) {
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

ScriptedPeer::ScriptedPeer(Script script) : script_(std::move(script)) {
  listener_ = BindFree(&port_);
  if (listen(listener_, 128) != 0) std::abort();
  acceptor_ = std::thread([this] { Accept(); });
}

void ScriptedPeer::Accept() {
  while (true) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (stopping_) {
      if (fd >= 0) close(fd);
      return;
    }
    if (fd < 0) continue;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const int number = connections_++;
    std::lock_guard lock(mutex_);
    sockets_.emplace_back(dup(fd));  // for cutting; the thread owns the other
    players_.emplace_back([this, fd, number] {
      RawSocket socket(fd);
      script_(socket, number);
    });
  }
}

ScriptedPeer::~ScriptedPeer() {
  stopping_ = true;
  shutdown(listener_, SHUT_RDWR);  // wakes accept
  acceptor_.join();
  {
    std::lock_guard lock(mutex_);
    for (RawSocket& socket : sockets_) socket.Cut();
  }
  for (std::thread& player : players_) player.join();
  close(listener_);
}

std::string ScriptedPeer::url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

int UnusedPort() {
  int port = 0;
  close(BindFree(&port));
  return port;
}

}  // namespace spool::test
