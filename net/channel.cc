#include "net/channel.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace spool::net {
namespace {

constexpr std::string_view kPlainOnTlsText =
    "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    "This port speaks TLS only: use https.\n";

Io Failure(Io to_wait_for) {
  return errno == EAGAIN || errno == EWOULDBLOCK ? to_wait_for : Io::kFailed;
}

}  // namespace

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) close(fd_);
}

Io Channel::Read(char* into, size_t bytes, size_t* got) {
  if (!tls_) {
    const Io outcome = Drain(into, bytes, got);
    // A short read has emptied the socket; the wait that follows looks again before it sleeps.
    may_have_more_ = outcome == Io::kDone && *got == bytes;
    return outcome;
  }
  const Io outcome = tls_->Read(into, bytes, got);
  // Records that were read already are no business of the socket's.
  may_have_more_ = outcome == Io::kDone;
  return outcome;
}

Io Channel::Drain(char* scratch, size_t bytes, size_t* got) {
  ssize_t n = 0;
  do {
    n = recv(fd_, scratch, bytes, 0);
  } while (n < 0 && errno == EINTR);
  *got = n > 0 ? static_cast<size_t>(n) : 0;
  may_have_more_ = *got == bytes;
  return n > 0 ? Io::kDone : n == 0 ? Io::kClosed : Failure(Io::kWantRead);
}

Io Channel::Write(std::string_view first, std::string_view second, size_t* put) {
  if (tls_) return tls_->Write(first.empty() ? second : first, put);
  iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                    {const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = second.empty() ? 1 : 2;
  ssize_t n = 0;
  do {
    n = second.empty() ? send(fd_, first.data(), first.size(), MSG_NOSIGNAL)
                       : sendmsg(fd_, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  *put = n > 0 ? static_cast<size_t>(n) : 0;
  return n >= 0 ? Io::kDone : Failure(Io::kWantWrite);
}

void Channel::EndWriting() {
  if (tls_) tls_->End();
  shutdown(fd_, SHUT_WR);
}

void Channel::AskForTls() {
  [[maybe_unused]] const ssize_t n =
      send(fd_, kPlainOnTlsText.data(), kPlainOnTlsText.size(), MSG_NOSIGNAL);
}

}  // namespace spool::net
