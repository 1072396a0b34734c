// An HTTP client on curl_multi: pooled connections, bounded answers, no cookies, no redirects.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace spool::net {

struct HttpCall {
  std::string method = "POST";
  std::string url;                                           // http or https
  std::vector<std::pair<std::string, std::string>> headers;  // values must hold no CR, LF or NUL
  std::string_view body;  // must stay valid until Perform returns
};

struct HttpAnswer {
  // kTimeout: no complete answer in time, so whether the peer acted is unknown.
  // kUnavailable: could not connect, or the connection broke; `sent` says whether the request
  // may have reached the peer. kInvalid: the URL, a header or a file of TLS cannot be used.
  // kCancelled: stopped.
  std::optional<Error> error;
  bool tls_failed = false;  // with an error: TLS is why, ours (kInvalid) or the peer's
  bool sent = false;
  int status = 0;  // when there is no error
  std::string content_type;
  std::string body;  // the first HttpClientOptions::answer_bytes of it; the rest is not read
  bool body_cut = false;
  std::optional<Micros> retry_after;  // Retry-After as seconds or HTTP date, at least 0
};

struct HttpClientOptions {
  Millis connect_timeout{5000};
  Millis request_timeout{30000};  // the whole exchange
  size_t answer_bytes = 1 << 20;
  size_t answer_header_bytes = 64 << 10;
  int connections = 4;  // to all hosts together, kept alive between calls
  // PEM, read again for new connections (the trust store once a minute).
  std::string ca_file;    // trust store; the system's when empty
  std::string cert_file;  // our certificate, for peers that ask for one; empty: none
  std::string key_file;   // belongs to it
  std::string user_agent = "spool";
};

// One thread at a time.
class HttpClient {
 public:
  static std::unique_ptr<HttpClient> Create(const HttpClientOptions& options);
  virtual ~HttpClient() = default;

  // Makes all calls, at most `concurrency` at once and begun in order, and waits for all.
  // answers[i] belongs to calls[i]. With `stop_on_failure`, once an answer is an error or not
  // 2xx no further call is begun: those get kCancelled with sent == false. Never throws.
  virtual void Perform(std::span<const HttpCall> calls, std::span<HttpAnswer> answers,
                       int concurrency, bool stop_on_failure, std::stop_token stop) = 0;
  HttpAnswer Perform(const HttpCall& call, std::stop_token stop = {});
};

// Retry-After (RFC 9110 10.2.3): delay seconds or an HTTP date seen from `now`; empty if neither.
std::optional<Micros> ParseRetryAfter(std::string_view value, SystemTime now);

}  // namespace spool::net
