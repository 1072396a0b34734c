// TCP as it is, for tests: a blocking client that sends any bytes at all, and a peer that plays a
// script. Loopback only.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/net_raw_tls.h"

namespace spool::test {

struct RawAnswer {
  int status = 0;
  std::string head;  // status line and headers, with the empty line
  std::string body;
  // The header's value; empty if absent. Any case.
  std::string Header(std::string_view name) const;
};

// One end of a TCP connection. One thread at a time, but for Cut. Every wait has an end.
class RawSocket {
 public:
  using Limit = std::chrono::milliseconds;
  static constexpr Limit kPatience{10'000};

  RawSocket() = default;
  explicit RawSocket(int fd) : fd_(fd) {}
  ~RawSocket();
  RawSocket(RawSocket&& other) noexcept;
  RawSocket& operator=(RawSocket&& other) noexcept;

  // Connects to 127.0.0.1:port, from another loopback address if given; ok() tells whether it did.
  static RawSocket Connect(int port, const char* from = nullptr);
  bool ok() const { return fd_ >= 0; }
  // Then everything that is sent and read goes through TLS; false, with its error, if it does not
  // come about.
  bool StartTls(const TlsClientOptions& options, Limit limit = kPatience);
  RawTls& tls() { return *tls_; }
  int fd() const { return fd_; }

  // True when all of it is with the kernel; false when the peer is gone or takes nothing.
  bool Send(std::string_view bytes, Limit limit = kPatience);
  // Some bytes; empty when the peer closed (or reset) or nothing came in time: see closed().
  std::string Read(Limit limit = kPatience);
  bool closed() const { return closed_; }
  // Everything until the peer closes.
  std::string ReadAll(Limit limit = kPatience);
  // One answer framed by Content-Length; interim 1xx answers are returned as such, without body.
  std::optional<RawAnswer> ReadAnswer(Limit limit = kPatience, bool head_request = false);
  // One request's head and body (Content-Length or none); empty when the client left.
  std::string ReadRequest(Limit limit = kPatience);
  // Waits for the peer to close, throwing away what it still sends.
  bool WaitClosed(Limit limit = kPatience);

  void ShutdownSend();
  void Reset();  // closes with a TCP reset
  void Close();
  void Cut();  // from any thread: ends whatever this socket waits for
  void SetReceiveBuffer(int bytes);

 private:
  bool FillUntil(const std::function<bool()>& enough, Limit limit);

  int fd_ = -1;
  bool closed_ = false;
  std::unique_ptr<RawTls> tls_;
  std::string buffer_;
};

// Listens on a free port of 127.0.0.1 and plays `script` on a thread of its own for each
// connection; the number counts them from 0. Joins all threads when destroyed, cutting what hangs.
class ScriptedPeer {
 public:
  using Script = std::function<void(RawSocket& socket, int number)>;
  explicit ScriptedPeer(Script script);
  ~ScriptedPeer();

  int port() const { return port_; }
  std::string url(std::string_view path = "/") const;
  int connections() const { return connections_; }

 private:
  void Accept();

  const Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::list<RawSocket> sockets_;      // guarded by mutex_; copies to cut what hangs
  std::vector<std::thread> players_;  // of the accepting thread until it is joined
  std::thread acceptor_;
};

// A port of 127.0.0.1 on which nothing listens (it was free a moment ago).
int UnusedPort();

}  // namespace spool::test
