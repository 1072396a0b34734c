// An HTTP/1.1 server on Boost.Asio and Beast: bounded in headers, bodies, connections and time.
// It speaks RFC 9112 strictly; it knows nothing of events.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "net/tls.h"

namespace spool::net {

class ByteBudget;

struct HttpLimits {
  size_t header_bytes = 64 << 10;  // the whole head; beyond it 431
  // Decompressed; beyond it 413. At most in_flight_bytes count.
  size_t body_bytes = size_t{16} << 20;
  size_t ratio_max = 200;  // decompressed : compressed, once past 64 KiB; beyond it 413
  // Bodies, what handlers make of them, and of heads what is beyond the 4 KiB that each connection
  // has free, in memory of all connections; beyond it 503. Of a body
  // above half of this more may be made: as much again as body_bytes, and 16 MiB.
  size_t in_flight_bytes = size_t{64} << 20;
  // Above this size, or a quarter of in_flight_bytes, one body at a time; others 503.
  size_t large_body_bytes = size_t{4} << 20;
  size_t connections = 1024;                   // beyond it new ones are closed at once
  size_t connections_per_peer = 0;             // of one client address; 0: as many as there are
  std::chrono::seconds handshake_timeout{10};  // of TLS, the whole of it
  std::chrono::seconds header_timeout{10};
  std::chrono::seconds body_timeout{30};       // whole body
  std::chrono::seconds body_idle_timeout{15};  // between two bytes of a body
  std::chrono::seconds idle_timeout{90};       // between requests
  std::chrono::seconds write_timeout{30};
};

struct HttpRequest {
  std::string method;  // upper case
  std::string path;    // percent-decoded but for %2F, without the query
  std::string query;   // raw, without '?'
  std::vector<std::pair<std::string, std::string>>
      headers;       // names in lower case, as sent in order
  std::string body;  // already decompressed (Content-Encoding gzip, zstd, snappy)
  std::string peer;  // "127.0.0.1:41234"
  std::shared_ptr<const TlsClient> client;  // its certificate, verified; null without one

  // The first header of that (lower-case) name; empty if absent.
  std::string_view Header(std::string_view name) const;
  // A query parameter, percent-decoded; empty if absent. `found` tells the two apart.
  std::string QueryParam(std::string_view name, bool* found = nullptr) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type;  // no Content-Type header when empty
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool close = false;  // close the connection after it
  bool probe = false;  // of health: kept out of the statistics
};

// RFC 9457 application/problem+json with our stable `code`; `offset` is the byte in the body where
// the trouble is, -1 for none. `retry_after` in whole seconds, 0 for none.
HttpResponse Problem(int status, std::string_view code, std::string_view detail,
                     int64_t offset = -1, int retry_after = 0);

// Answers one request. Send may be called from any thread, once; if it is dropped unsent the
// client gets 500. Copyable; the last copy counts. The bytes permitted to the request are held
// until ReleaseBody or Send.
class HttpResponder {
 public:
  class State;
  explicit HttpResponder(std::shared_ptr<State> state) : state_(std::move(state)) {}
  void Send(HttpResponse response) const;
  // Makes the request hold `bytes` beside its body, for what the handler makes of it. Unless kYes
  // nothing has changed: the budget does not have them now, or is smaller than that. Not after
  // ReleaseBody or Send.
  enum class Reserved { kYes, kNotNow, kNever };
  Reserved Reserve(size_t bytes) const;
  // The body is no longer in memory; of all that the request holds `keep` bytes stay until Send.
  void ReleaseBody(size_t keep = 0) const;

 private:
  std::shared_ptr<State> state_;
};

// Called on a server thread; must not block for long. Exceptions are a bug and end the process.
using HttpHandler = std::function<void(HttpRequest&&, HttpResponder)>;
// Looks at a request whose head is there, but none of its body. An answer, 401 or 403, refuses it:
// what nobody may send takes no memory from those who may. Called and bound as a handler is.
using HttpAdmission = std::function<std::optional<HttpResponse>(const HttpRequest&)>;

// Whether a request is of a sender that will not send it again: when memory is scarce it is the
// last to be refused. Called and bound as a handler is.
using HttpUrgency = std::function<bool(const HttpRequest&)>;

// Says what the server itself refuses (a Problem, or what HttpAdmission answered) as the sender of
// the request understands it; the status stays. The request has no body, and is asked for only when
// its path is known. Called and bound as a handler is.
using HttpReword = std::function<HttpResponse(const HttpRequest&, HttpResponse)>;

// What the server's owner knows of requests; each may be empty.
struct HttpHooks {
  HttpAdmission admit;
  HttpUrgency urgent;
  HttpReword reword;
};

struct HttpServerOptions {
  std::string name;     // of its threads, at most 12 characters
  std::string address;  // "127.0.0.1:8080", "[::1]:0", "0.0.0.0:8080"; port 0 takes a free one
  int threads = 2;
  HttpLimits limits;
  // What this server's bodies take is taken from here, too; may be empty.
  std::shared_ptr<ByteBudget> budget;
  std::optional<TlsFiles> tls;  // plain TCP without
  HttpHooks hooks;
};

struct HttpServerStats {
  uint64_t connections = 0;  // open now
  uint64_t accepted = 0;
  uint64_t refused = 0;  // closed at once: too many, of one client or in all
  uint64_t requests = 0;
  uint64_t in_flight_bytes = 0;
  uint64_t shed = 0;       // answered 503 for want of bytes
  uint64_t denied = 0;     // not admitted
  uint64_t malformed = 0;  // answered another 4xx before the handler saw them
  // By status, rising, those that occurred; probes are not among them.
  std::vector<std::pair<int, uint64_t>> answers;
  // From a whole request to its answer, of what handlers answered; without probes.
  Histogram::Snapshot seconds;
};

class HttpServer {
 public:
  // Listens and serves at once. kInvalid for an address that cannot be read and as
  // TlsContext::Load, kConflict if the address is in use, kUnavailable for other socket errors.
  // The files of TLS are looked at every second and followed when they change.
  static Result<std::unique_ptr<HttpServer>> Start(HttpServerOptions options, HttpHandler handler);
  virtual ~HttpServer() = default;  // stops at once if Stop was not called

  virtual int port() const = 0;
  virtual std::string address() const = 0;  // "127.0.0.1:8080", with the real port
  virtual HttpServerStats stats() const = 0;
  virtual std::optional<TlsStatus> tls() const = 0;  // empty without TLS

  // Closes the listener, answers what has begun (with Connection: close), then, at the deadline,
  // cuts. Returns when no thread of the server runs any more. Idempotent.
  virtual void Stop(SteadyTime deadline) = 0;
};

}  // namespace spool::net
