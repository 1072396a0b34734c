// A TLS client for tests that may be old, weak or rude.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace spool::test {

struct TlsClientOptions {
  std::string ca;  // the server's certificate must lead to it, and name "localhost"
  std::string cert;
  std::string key;
  int version_max = 0;  // 10 for 1.0, …, 13 for 1.3; 0: the newest. It is also the oldest taken
  std::string alpn;     // one protocol; empty: none is asked for
  // One that exists and was made with the same options: they are shared, so that thousands of
  // clients do not each read and keep their own.
  const class RawTls* like = nullptr;
};

// TLS over a connected socket that stays the caller's. One thread.
class RawTls {
 public:
  using Limit = std::chrono::milliseconds;

  explicit RawTls(const TlsClientOptions& options, int fd);
  ~RawTls();

  // True when both sides are done; else error() tells.
  bool Handshake(Limit limit);
  const std::string& error() const { return error_; }
  // Bytes taken; -1 when it cannot go on.
  long Write(std::string_view bytes, Limit limit);
  // Some bytes; 0 when the peer ended it properly, -1 when it broke or nothing came in time.
  long Read(char* into, size_t bytes, Limit limit);
  // Asks for a new handshake on a connection of TLS 1.2; true if the server goes along.
  bool Renegotiate(Limit limit);

  std::string version() const;      // "TLSv1.3"
  std::string alpn() const;         // what was agreed on
  std::string server_name() const;  // the common name of the server's certificate

 private:
  struct Impl;
  long Drive(int result, std::chrono::steady_clock::time_point end, bool* again);

  const std::unique_ptr<Impl> impl_;
  std::string error_;
};

}  // namespace spool::test
