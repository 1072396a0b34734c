// What a target answers, byte for byte from a socket: the client takes it or says what was wrong,
// within its bounds.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/assert.h"
#include "net/http_client.h"

namespace spool::net {
namespace {

// Answers each connection with the same bytes and closes it.
class Peer {
 public:
  Peer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* at = reinterpret_cast<sockaddr*>(&address);
    SPOOL_ASSERT(bind(listener_, at, size) == 0 && listen(listener_, 16) == 0);
    SPOOL_ASSERT(getsockname(listener_, at, &size) == 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    std::thread([this] { Serve(); }).detach();
  }
  const std::string& url() const { return url_; }
  void Say(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    bytes_ = bytes;
  }

 private:
  [[noreturn]] void Serve() {
    for (;;) {
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd < 0) continue;
      char request[4096];
      if (recv(fd, request, sizeof(request), 0) > 0) {
        std::string bytes;
        {
          const std::lock_guard lock(mutex_);
          bytes = bytes_;
        }
        for (std::string_view rest = bytes; !rest.empty();) {
          const ssize_t sent = send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
          if (sent <= 0) break;
          rest.remove_prefix(static_cast<size_t>(sent));
        }
        shutdown(fd, SHUT_WR);
        while (recv(fd, request, sizeof(request), 0) > 0) {  // until the client has enough
        }
      }
      close(fd);
    }
  }

  const int listener_;
  std::string url_;
  std::mutex mutex_;
  std::string bytes_;  // guarded by mutex_
};

constexpr size_t kAnswerBytes = 256;

}  // namespace
}  // namespace spool::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spool::net;  // NOLINT(google-build-using-namespace)
  static Peer* peer = new Peer;
  static HttpClient* client = [] {
    HttpClientOptions options;
    options.answer_bytes = kAnswerBytes;
    options.answer_header_bytes = 1024;
    options.request_timeout = spool::Millis(3000);
    return HttpClient::Create(options).release();
  }();
  peer->Say({reinterpret_cast<const char*>(data), size});
  HttpCall call;
  call.url = peer->url();
  call.body = "{}";
  // Twice, since what one answer leaves behind must not matter to the next.
  for (int i = 0; i < 2; ++i) {
    const HttpAnswer answer = client->Perform(call);
    SPOOL_ASSERT(answer.body.size() <= kAnswerBytes);
    if (answer.error) {
      SPOOL_ASSERT(!answer.error->message.empty() && !answer.tls_failed);
      SPOOL_ASSERT(answer.error->code == spool::Code::kUnavailable ||
                   answer.error->code == spool::Code::kTimeout);
      continue;
    }
    SPOOL_ASSERT(answer.sent && answer.status >= 200 && answer.status <= 999);
    if (answer.retry_after) SPOOL_ASSERT(*answer.retry_after >= spool::Micros(0));
    SPOOL_ASSERT(answer.content_type.find_first_of("\r\n") == std::string::npos);
  }
  return 0;
}
