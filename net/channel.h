// One connection's bytes, over TCP as it is or over TLS, on a socket that does not block.
#pragma once

#include <memory>
#include <string_view>

#include "net/tls.h"

namespace spool::net {

// An accepted socket on its way to its connection; closed if it does not arrive.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd();
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  OwnedFd& operator=(OwnedFd&&) = delete;
  int get() const { return fd_; }
  void Release() { fd_ = -1; }

 private:
  int fd_;
};

// The socket stays the caller's and must outlive the channel. One thread. No call raises SIGPIPE.
class Channel {
 public:
  // `tls` is null for plain TCP.
  Channel(int fd, std::unique_ptr<TlsSession> tls) : fd_(fd), tls_(std::move(tls)) {}

  // What TLS knows of the connection; null for plain TCP.
  TlsSession* tls() const { return tls_.get(); }

  // At least one byte if kDone. kFailed and kClosed: no more will come.
  Io Read(char* into, size_t bytes, size_t* got);
  // After kDone: another Read is worth its call. Without it the socket is to be waited for.
  bool MayHaveMore() const { return may_have_more_; }
  // Some of `first`, and of `second` behind it, if kDone. After anything but kDone what is left
  // must begin with the same bytes.
  Io Write(std::string_view first, std::string_view second, size_t* put);

  // Tells the peer that nothing follows; nothing may be written after it.
  void EndWriting();
  // Throws bytes away as they come from the socket, whatever they mean.
  Io Drain(char* scratch, size_t bytes, size_t* got);
  // An answer past TLS, to a client that speaks plain HTTP.
  void AskForTls();

 private:
  const int fd_;
  const std::unique_ptr<TlsSession> tls_;
  bool may_have_more_ = false;
};

}  // namespace spool::net
