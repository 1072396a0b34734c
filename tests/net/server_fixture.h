// An HTTP server of ours on a free port, with a handler that can be told what to do.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "net/http_server.h"
#include "tests/support/net_raw_client.h"

namespace spool::net {

using std::chrono::milliseconds;
using test::RawAnswer;
using test::RawSocket;

inline SteadyTime In(milliseconds from_now) { return RealClock().Steady() + from_now; }

// Requests that were handed over and wait for the test to answer them.
class Desk {
 public:
  void Take(HttpRequest&& request, HttpResponder responder) {
    std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(request), std::move(responder));
    changed_.notify_all();
  }
  // The next one; dies if none comes.
  std::pair<HttpRequest, HttpResponder> Next() {
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(10), [&] { return !waiting_.empty(); });
    if (!came) std::abort();
    auto first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
  }
  size_t size() {
    std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  bool WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10),
                             [&] { return waiting_.size() >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<HttpRequest, HttpResponder>> waiting_;
};

// "METHOD path?query length:sum-of-bytes", so that a test sees that the whole body came through.
inline std::string Describe(const HttpRequest& request) {
  uint64_t sum = 0;
  for (const char c : request.body) sum += static_cast<unsigned char>(c);
  return request.method + " " + request.path + "?" + request.query + " " +
         std::to_string(request.body.size()) + ":" + std::to_string(sum);
}

inline std::string Describe(std::string_view method_and_path, std::string_view body) {
  uint64_t sum = 0;
  for (const char c : body) sum += static_cast<unsigned char>(c);
  return std::string(method_and_path) + "? " + std::to_string(body.size()) + ":" +
         std::to_string(sum);
}

inline HttpResponse Text(std::string body, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

class HttpServerTest : public testing::Test {
 protected:
  // Answers each request with its description.
  void StartEcho(const HttpLimits& limits = {}, int threads = 2) {
    Start(limits, threads, [](HttpRequest&& request, HttpResponder responder) {
      responder.Send(Text(Describe(request)));
    });
  }
  // Requests wait on the desk.
  void StartDesk(const HttpLimits& limits = {}, int threads = 2) {
    Start(limits, threads, [this](HttpRequest&& request, HttpResponder responder) {
      desk_.Take(std::move(request), std::move(responder));
    });
  }
  void Start(const HttpLimits& limits, int threads, HttpHandler handler) {
    HttpServerOptions options;
    options.name = "test";
    options.address = "127.0.0.1:0";
    options.threads = threads;
    options.limits = limits;
    options.tls = tls_;
    options.hooks.admit = admit_;
    options.hooks.urgent = urgent_;
    options.hooks.reword = reword_;
    auto server = HttpServer::Start(options, std::move(handler));
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  RawSocket Connect() { return RawSocket::Connect(server_->port()); }
  // Sends one request on a connection of its own and gives the answer.
  RawAnswer Exchange(std::string_view bytes) {
    RawSocket socket = Connect();
    socket.Send(bytes);
    return socket.ReadAnswer().value_or(RawAnswer{});
  }
  // Polls a counter until it is as wanted; what it counts has no other sign.
  static bool Eventually(const std::function<bool()>& holds) {
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      never.wait_for(lock, milliseconds(2));
    }
    return true;
  }

  Desk desk_;
  std::optional<TlsFiles> tls_;         // to be set before a start
  HttpAdmission admit_;                 // as well
  HttpUrgency urgent_;                  // as well
  HttpReword reword_;                   // as well
  std::unique_ptr<HttpServer> server_;  // ends before the desk its threads use
};

inline std::string Post(std::string_view path, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// A body of that size that is not one repeated byte.
inline std::string Noise(size_t size) {
  std::string out(size, '\0');
  uint32_t state = 12345;
  for (char& c : out) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

inline std::string Gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string Zstd(std::string_view text, int level = 3) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), level));
  return out;
}

// gzip of that many zeros (a multiple of 1 MiB), made without ever holding them. After a full
// flush the coder starts afresh, so one compressed piece can be repeated; from 1 GiB on that is
// done and the checksum at the end does not fit, which only a reader of all of it would notice.
inline std::string GzipZeros(uint64_t size) {
  constexpr uint64_t kPart = uint64_t{64} << 20;
  const std::string zeros(1 << 20, '\0');
  std::string piece(64 << 10, '\0');
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
  const auto part = [&](uint64_t bytes, int flush) {
    std::string out;
    for (uint64_t done = 0; done < bytes; done += zeros.size()) {
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zeros.data()));
      stream.avail_in = static_cast<uInt>(zeros.size());
      do {
        stream.next_out = reinterpret_cast<Bytef*>(piece.data());
        stream.avail_out = static_cast<uInt>(piece.size());
        deflate(&stream, done + zeros.size() >= bytes ? flush : Z_NO_FLUSH);
        out.append(piece, 0, piece.size() - stream.avail_out);
      } while (stream.avail_out == 0);
    }
    return out;
  };
  std::string out;
  if (size >= (uint64_t{1} << 30)) {
    out = part(kPart, Z_FULL_FLUSH);
    const std::string again = part(kPart, Z_FULL_FLUSH);
    for (; size > 2 * kPart; size -= kPart) out += again;
    size = kPart;
  }
  out += part(size, Z_FINISH);
  deflateEnd(&stream);
  return out;
}

inline std::string ZstdZeros(uint64_t size, int window_log) {
  const std::string zeros(1 << 20, '\0');
  std::string piece(ZSTD_CStreamOutSize(), '\0');
  std::string out;
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  for (uint64_t done = 0; done < size; done += zeros.size()) {
    const bool last = done + zeros.size() >= size;
    ZSTD_inBuffer in{zeros.data(), zeros.size(), 0};
    size_t left = 0;
    do {
      ZSTD_outBuffer to{piece.data(), piece.size(), 0};
      left = ZSTD_compressStream2(context, &to, &in, last ? ZSTD_e_end : ZSTD_e_continue);
      out.append(piece, 0, to.pos);
    } while (last ? left != 0 : in.pos < in.size);
  }
  ZSTD_freeCCtx(context);
  return out;
}

}  // namespace spool::net
