// The HTTP client: one curl_multi per client, its easy handles kept for the next calls.
#include "net/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <mutex>

#include "base/assert.h"
#include "net/http_text.h"

namespace spool::net {
namespace {

constexpr int kPollMillis = 1000;  // only a net under lost wake-ups: answers and stops wake at once
constexpr long kTrustSecondsMax = 60;        // so that a changed trust store is noticed
constexpr long kConnectionSecondsMax = 300;  // so that a changed DNS answer is noticed
constexpr int64_t kRetryAfterSecondsMax = 365 * 24 * 3600;

void InitCurlOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    // OpenSSL writes to sockets without MSG_NOSIGNAL: a peer that left must not end the process.
    struct sigaction now {};
    if (sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) {
      std::signal(SIGPIPE, SIG_IGN);
    }
  });
}

// These are the client's own: a second opinion on the framing could smuggle a request.
bool IsReservedHeader(std::string_view name) {
  for (const std::string_view reserved :
       {"content-length", "transfer-encoding", "connection", "expect", "te", "upgrade"}) {
    if (EqualsIgnoringCase(name, reserved)) return true;
  }
  return false;
}

std::string_view Trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool IsHttpUrl(const std::string& url) {
  if (url.find('\0') != std::string::npos) return false;
  CURLU* const parsed = curl_url();
  if (parsed == nullptr) return false;
  char* scheme = nullptr;
  const bool ok =
      curl_url_set(parsed, CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER) == CURLUE_OK &&
      curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
      (std::string_view(scheme) == "http" || std::string_view(scheme) == "https");
  curl_free(scheme);
  curl_url_cleanup(parsed);
  return ok;
}

// One easy handle and the call it is busy with.
struct Transfer {
  ~Transfer() {
    curl_slist_free_all(headers);
    if (easy != nullptr) curl_easy_cleanup(easy);
  }
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  HttpAnswer* answer = nullptr;
  size_t index = 0;
  const HttpClientOptions* options = nullptr;
  size_t header_bytes = 0;
  bool header_overflow = false;
  std::string retry_after;
  char words[CURL_ERROR_SIZE] = "";  // curl's own about what went wrong
};

// What became of TLS, if that is what failed.
enum class TlsTrouble { kNone, kOurFiles, kPeer };
TlsTrouble TlsTroubleOf(CURLcode code) {
  switch (code) {
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER: return TlsTrouble::kOurFiles;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return TlsTrouble::kPeer;
    default: return TlsTrouble::kNone;
  }
}

size_t OnHeader(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size);
  transfer.header_bytes += size;  // over all answers, so that endless 1xx end as well
  if (transfer.header_bytes > transfer.options->answer_header_bytes) {
    transfer.header_overflow = true;
    return 0;
  }
  if (line.starts_with("HTTP/")) {
    transfer.retry_after.clear();
  } else if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
    if (EqualsIgnoringCase(line.substr(0, colon), "retry-after")) {
      transfer.retry_after = Trim(line.substr(colon + 1));
    }
  }
  return size;
}

size_t OnBody(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  HttpAnswer& answer = *transfer.answer;
  const size_t take = std::min(size, transfer.options->answer_bytes - answer.body.size());
  answer.body.append(data, take);
  answer.body_cut = take < size;
  return take;  // less than size: curl ends the transfer
}

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(const HttpClientOptions& options) : options_(options) {
    InitCurlOnce();
    options_.connections = std::max(1, options_.connections);
    multi_ = curl_multi_init();
    SPOOL_ASSERT(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      static_cast<long>(options_.connections));
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options_.connections));
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  }
  ~CurlClient() override { curl_multi_cleanup(multi_); }

  void Perform(std::span<const HttpCall> calls, std::span<HttpAnswer> answers, int concurrency,
               bool stop_on_failure, std::stop_token stop) override;

 private:
  using Transfers = std::vector<std::unique_ptr<Transfer>>;

  bool Begin(const HttpCall& call, size_t index, HttpAnswer* answer, Transfers* busy);
  std::optional<Error> Configure(const HttpCall& call, Transfer* transfer);
  bool AddHeaders(const HttpCall& call, Transfer* transfer);
  void SetMethod(const HttpCall& call, CURL* easy);
  void Collect(Transfers* busy, bool* failed);
  void Finish(Transfer* transfer, CURLcode code);
  void End(std::unique_ptr<Transfer> transfer);

  HttpClientOptions options_;
  CURLM* multi_ = nullptr;
};

bool CurlClient::AddHeaders(const HttpCall& call, Transfer* transfer) {
  const auto add = [transfer](const std::string& line) {
    curl_slist* const longer = curl_slist_append(transfer->headers, line.c_str());
    if (longer != nullptr) transfer->headers = longer;
    return longer != nullptr;
  };
  bool has_type = false;
  for (const auto& [name, value] : call.headers) {
    if (!IsToken(name) || IsReservedHeader(name) || !IsFieldValue(value)) return false;
    has_type = has_type || EqualsIgnoringCase(name, "content-type");
    // curl takes "Name:" for "leave it out" and "Name;" for "send it empty".
    if (!add(Trim(value).empty() ? name + ";" : name + ": " + value)) return false;
  }
  if (!has_type && !add("Content-Type:")) return false;  // curl would claim a form
  return add("Expect:");
}

void CurlClient::SetMethod(const HttpCall& call, CURL* easy) {
  if (call.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (call.method == "GET" && call.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    return;
  }
  if (call.method == "DELETE" && call.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.empty() ? "" : call.body.data());
  }
  if (call.method != "POST") curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
}

std::optional<Error> CurlClient::Configure(const HttpCall& call, Transfer* transfer) {
  if (!IsToken(call.method)) return Error{Code::kInvalid, "the method is not a token"};
  if (!IsHttpUrl(call.url)) {
    return Error{Code::kInvalid, "the URL is not a plain http or https URL without user name"};
  }
  CURL* const easy = transfer->easy;
  if (!AddHeaders(call, transfer)) {
    return Error{Code::kInvalid, "a header has a name or value that cannot be sent"};
  }
  curl_easy_setopt(easy, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // not whatever the environment says
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, kConnectionSecondsMax);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a stop does not wait for a slow resolver
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options_.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.request_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options_.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, kTrustSecondsMax);
  if (!options_.cert_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, options_.cert_file.c_str());
    curl_easy_setopt(easy, CURLOPT_SSLKEY, options_.key_file.c_str());
  }
  transfer->words[0] = '\0';
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->words);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  SetMethod(call, easy);
  return std::nullopt;
}

bool CurlClient::Begin(const HttpCall& call, size_t index, HttpAnswer* answer, Transfers* busy) {
  // A handle of its own for each call; connections, names and trust are kept by the multi handle.
  // One that had an answer before keeps a pointer to the last header of it (libcurl before 8.1),
  // and writes there when the next answer begins with a folded line.
  auto transfer = std::make_unique<Transfer>();
  transfer->easy = curl_easy_init();
  SPOOL_ASSERT(transfer->easy != nullptr);
  transfer->answer = answer;
  transfer->index = index;
  transfer->options = &options_;
  transfer->header_bytes = 0;
  transfer->header_overflow = false;
  transfer->retry_after.clear();
  answer->error = Configure(call, transfer.get());
  if (answer->error) return false;
  curl_multi_add_handle(multi_, transfer->easy);
  busy->push_back(std::move(transfer));
  return true;
}

void CurlClient::Perform(std::span<const HttpCall> calls, std::span<HttpAnswer> answers,
                         int concurrency, bool stop_on_failure, std::stop_token stop) {
  SPOOL_ASSERT(calls.size() == answers.size());
  // More at once than there are connections would only spend their time in curl's queue.
  const auto width = static_cast<size_t>(std::clamp(concurrency, 1, options_.connections));
  const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_); });
  Transfers busy;
  size_t next = 0;
  bool failed = false;
  while (true) {
    while (next < calls.size() && busy.size() < width && !stop.stop_requested() &&
           !(failed && stop_on_failure)) {
      answers[next] = HttpAnswer();
      if (!Begin(calls[next], next, &answers[next], &busy)) failed = true;
      ++next;
    }
    if (busy.empty() || stop.stop_requested()) break;
    int running = 0;
    curl_multi_perform(multi_, &running);
    const size_t before = busy.size();
    Collect(&busy, &failed);
    if (busy.size() < before) continue;  // there is room to begin the next call
    curl_multi_poll(multi_, nullptr, 0, kPollMillis, nullptr);
  }
  for (auto& transfer : busy) {
    curl_off_t sent = 0;
    long request_bytes = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    HttpAnswer& answer = *transfer->answer;
    answer = HttpAnswer();
    answer.error = Error{Code::kCancelled, "stopped before the answer came"};
    answer.sent = request_bytes > 0 || sent > 0;
    End(std::move(transfer));
  }
  const bool stopped = stop.stop_requested();
  for (; next < calls.size(); ++next) {
    answers[next] = HttpAnswer();
    answers[next].error = Error{Code::kCancelled, stopped ? "stopped before the call was begun"
                                                          : "an earlier call of the batch failed"};
  }
}

void CurlClient::Collect(Transfers* busy, bool* failed) {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    const CURL* const easy = message->easy_handle;
    const auto found =
        std::find_if(busy->begin(), busy->end(), [easy](const auto& t) { return t->easy == easy; });
    SPOOL_ASSERT(found != busy->end());
    Finish(found->get(), code);
    const HttpAnswer& answer = *(*found)->answer;
    if (answer.error || answer.status < 200 || answer.status > 299) *failed = true;
    End(std::move(*found));
    busy->erase(found);
  }
}

// Turns curl's result into our answer.
void CurlClient::Finish(Transfer* transfer, CURLcode code) {
  HttpAnswer& answer = *transfer->answer;
  long request_bytes = 0;
  long status = 0;
  const char* type = nullptr;
  curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
  curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
  answer.sent = request_bytes > 0;
  if (code == CURLE_WRITE_ERROR && answer.body_cut) code = CURLE_OK;
  if (code == CURLE_OK && status >= 200 && status <= 999) {
    answer.status = static_cast<int>(status);
    if (type != nullptr) answer.content_type = type;
    if (!transfer->retry_after.empty()) {
      answer.retry_after = ParseRetryAfter(transfer->retry_after, RealClock().Now());
    }
    return;
  }
  const bool sent = answer.sent;
  answer = HttpAnswer();
  answer.sent = sent;
  const char* const text = curl_easy_strerror(code);
  const TlsTrouble tls = TlsTroubleOf(code);
  answer.tls_failed = tls != TlsTrouble::kNone;
  if (transfer->header_overflow) {
    answer.error = Error{Code::kUnavailable, "the answer's headers are over the limit"};
  } else if (code == CURLE_OK || code == CURLE_UNSUPPORTED_PROTOCOL) {
    // The scheme was checked, so this is an answer that is not HTTP/1.1.
    answer.error = Error{Code::kUnavailable, "the peer does not answer in HTTP"};
  } else if (code == CURLE_OPERATION_TIMEDOUT) {
    answer.error = sent ? Error{Code::kTimeout, "no complete answer in time"}
                        : Error{Code::kUnavailable, "could not connect in time"};
  } else if (tls != TlsTrouble::kNone) {
    // Its words say which of many reasons it was, and hold nothing but file and host names.
    answer.error = Error{tls == TlsTrouble::kOurFiles ? Code::kInvalid : Code::kUnavailable,
                         transfer->words[0] != '\0' ? transfer->words : text};
  } else if (code == CURLE_URL_MALFORMAT) {
    answer.error = Error{Code::kInvalid, text};
  } else {
    answer.error = Error{Code::kUnavailable, text};
  }
}

void CurlClient::End(std::unique_ptr<Transfer> transfer) {
  curl_multi_remove_handle(multi_, transfer->easy);
}

}  // namespace

std::unique_ptr<HttpClient> HttpClient::Create(const HttpClientOptions& options) {
  return std::make_unique<CurlClient>(options);
}

HttpAnswer HttpClient::Perform(const HttpCall& call, std::stop_token stop) {
  HttpAnswer answer;
  Perform({&call, 1}, {&answer, 1}, 1, false, std::move(stop));
  return answer;
}

std::optional<Micros> ParseRetryAfter(std::string_view value, SystemTime now) {
  value = Trim(value);
  if (value.empty()) return std::nullopt;
  if (value.find_first_not_of("0123456789") == std::string_view::npos) {
    int64_t seconds = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (parsed.ec != std::errc()) seconds = kRetryAfterSecondsMax;
    return Micros(std::chrono::seconds(std::min(seconds, kRetryAfterSecondsMax)));
  }
  // All three forms of HTTP date begin with the name of a day and hold a time; curl_getdate alone
  // would take much more for a date.
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  if (value.size() < 20 || value.size() > 40 || !letter(value[0]) || !letter(value[1]) ||
      !letter(value[2]) || value.find(':') == std::string_view::npos) {
    return std::nullopt;
  }
  const std::time_t at = curl_getdate(std::string(value).c_str(), nullptr);
  if (at < 0) return std::nullopt;
  // In seconds: a year may be so far away that it is no number of microseconds.
  const int64_t wait = int64_t{at} - ToMicros(now) / 1'000'000;
  return Micros(std::chrono::seconds(std::clamp(wait, int64_t{0}, kRetryAfterSecondsMax)));
}

}  // namespace spool::net
