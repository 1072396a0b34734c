#include <algorithm>

#include "forward/sinks/deadline_stop.h"
#include "forward/sinks/outcomes.h"
#include "forward/sinks/sinks.h"
#include "net/http_client.h"

namespace spool {
namespace {

using Format = WebhookSettings::Format;

std::string_view ContentType(Format format) {
  switch (format) {
    case Format::kStructured: return "application/cloudevents+json";
    case Format::kBatch: return "application/cloudevents-batch+json";
    case Format::kJsonLines: return "application/x-ndjson";
  }
  return "application/json";
}

// What an HTTP status says about the request. `alone` when the request held one event.
Verdict VerdictOf(int status, bool alone) {
  const Verdict refused = alone ? Verdict::kReject : Verdict::kRefusedTogether;
  if (status >= 200 && status < 300) return Verdict::kDelivered;
  if (status < 400) return Verdict::kHold;  // a redirect: the address is wrong
  switch (status) {
    case 401:  // what an operator can put right is never the event's fault
    case 402:
    case 403:
    case 404:
    case 405:
    case 407:
    case 410:
    case 415:
    case 426: return Verdict::kHold;
    case 408:
    case 409:  // the same Idempotency-Key is still being worked on
    case 421:
    case 423:
    case 424:
    case 425:
    case 429: return Verdict::kRetry;
    case 413: return Verdict::kTooLarge;
    default: return status < 500 ? refused : Verdict::kRetry;
  }
}

class WebhookSink : public Sink {
 public:
  WebhookSink(const WebhookSettings& settings, const TargetTimeouts& timeout)
      : settings_(settings), deadline_("webhook-timer") {
    net::HttpClientOptions options;
    options.connect_timeout = timeout.connect;
    options.request_timeout = timeout.request;
    options.answer_bytes = kAnswerBytes;
    options.connections = Concurrency();
    options.ca_file = settings.tls.ca_file;
    options.cert_file = settings.tls.cert_file;
    options.key_file = settings.tls.key_file;
    client_ = net::HttpClient::Create(options);
    for (const auto& [name, value] : settings.headers) {
      if (value.size() >= kShortestSecret) hidden_.push_back(value);
    }
    const std::string_view secret = SecretPart();
    if (secret.size() >= kShortestSecret) hidden_.emplace_back(secret);
  }

  Encoding encoding() const override { return Encoding::kCloudEvent; }

  void Deliver(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime deadline,
               std::stop_token stop) override {
    if (messages.empty()) return;
    std::vector<std::pair<std::string, std::string>> headers = settings_.headers;
    headers.emplace_back("Content-Type", ContentType(settings_.format));
    bearer_.clear();
    if (settings_.bearer) {
      const Result<std::string> token = settings_.bearer->Read();
      if (!token) {
        return SetAll(outcomes, Verdict::kHold, "no_credentials", token.error().message);
      }
      if (token->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
        return SetAll(outcomes, Verdict::kHold, "no_credentials",
                      settings_.bearer->Where() + " is not one line");
      }
      bearer_ = *token;
      headers.emplace_back("Authorization", "Bearer " + bearer_);
    }
    const std::stop_token cut = deadline_.Arm(deadline, stop);
    if (settings_.format == Format::kStructured) {
      DeliverEach(messages, outcomes, headers, deadline, cut, stop);
    } else {
      DeliverTogether(messages, outcomes, headers, cut, stop);
    }
    deadline_.Disarm();
  }

  Preview Show(const Message& message) const override {
    // Some addresses carry a token behind the question mark.
    const std::string& url = settings_.shown_url.empty() ? settings_.url : settings_.shown_url;
    const size_t query = url.find_first_of("?#");
    Preview preview{"POST " + url.substr(0, query), std::string(ContentType(settings_.format)),
                    std::string(message.body)};
    if (query != std::string::npos) preview.where += "?[hidden]";
    if (settings_.format == Format::kBatch) preview.body = '[' + preview.body + ']';
    if (settings_.format == Format::kJsonLines) preview.body += '\n';
    return preview;
  }

 private:
  // Of the URL: what is behind the question mark, and behind the host where a variable is in it.
  std::string_view SecretPart() const {
    const std::string_view url = settings_.url;
    const size_t scheme = url.find("://");
    const size_t host = scheme == url.npos ? 0 : scheme + 3;
    const size_t end = url.find_first_of(settings_.shown_url.empty() ? "?#" : "/?#", host);
    return end == url.npos ? std::string_view() : url.substr(end + 1);
  }

  using Headers = std::vector<std::pair<std::string, std::string>>;

  int Concurrency() const {
    return settings_.format == Format::kStructured ? std::max(1, settings_.concurrency) : 1;
  }

  void DeliverTogether(std::span<const Message> messages, std::span<Outcome> outcomes,
                       const Headers& headers, const std::stop_token& cut,
                       const std::stop_token& stop) {
    const bool array = settings_.format == Format::kBatch;
    body_.clear();
    for (const Message& message : messages) {
      if (array) body_ += body_.empty() ? '[' : ',';
      body_ += message.body;
      if (!array) body_ += '\n';
    }
    if (array) body_ += ']';
    net::HttpCall call;
    call.url = settings_.url;
    call.headers = headers;
    call.body = body_;
    net::HttpAnswer answer;
    client_->Perform({&call, 1}, {&answer, 1}, 1, true, cut);
    const Outcome outcome = OutcomeOf(answer, messages.size() == 1, stop);
    std::ranges::fill(outcomes, outcome);
    if (body_.capacity() > kBodyKept) body_ = std::string();
  }

  // In slices, so that no request is begun that would most likely be cut by the deadline: the
  // peer may have acted on a request that was cut, and would see its event twice.
  void DeliverEach(std::span<const Message> messages, std::span<Outcome> outcomes,
                   const Headers& headers, SteadyTime deadline, const std::stop_token& cut,
                   const std::stop_token& stop) {
    const int concurrency = Concurrency();
    const size_t slice_max = static_cast<size_t>(concurrency) * 8;
    size_t slice = static_cast<size_t>(concurrency);
    for (size_t i = 0; i < messages.size();) {
      const size_t n = std::min(slice, messages.size() - i);
      const SteadyTime began = RealClock().Steady();
      if (!DeliverSlice(messages.subspan(i, n), outcomes.subspan(i, n), headers, concurrency, cut,
                        stop)) {
        return;
      }
      i += n;
      const SteadyTime now = RealClock().Steady();
      const Micros round = (now - began) * concurrency / static_cast<int64_t>(n);
      if (now + 2 * round > deadline || cut.stop_requested()) return;
      const int64_t fitting = round.count() > 0 ? (deadline - now) / (2 * round) : 8;
      slice = std::clamp(static_cast<size_t>(fitting) * static_cast<size_t>(concurrency),
                         static_cast<size_t>(concurrency), slice_max);
    }
  }

  // False when something failed: the rest stays to be tried again.
  bool DeliverSlice(std::span<const Message> messages, std::span<Outcome> outcomes,
                    const Headers& headers, int concurrency, const std::stop_token& cut,
                    const std::stop_token& stop) {
    std::vector<net::HttpCall> calls(messages.size());
    std::vector<net::HttpAnswer> answers(messages.size());
    for (size_t i = 0; i < messages.size(); ++i) {
      calls[i].url = settings_.url;
      calls[i].headers = headers;
      calls[i].headers.emplace_back("Idempotency-Key", '"' + messages[i].event->id.Hex() + '"');
      calls[i].body = messages[i].body;
    }
    client_->Perform(calls, answers, concurrency, true, cut);
    bool all = true;
    for (size_t i = 0; i < messages.size(); ++i) {
      const net::HttpAnswer& answer = answers[i];
      const bool not_begun = answer.error && answer.error->code == Code::kCancelled && !answer.sent;
      if (not_begun && !all) continue;  // the failure before it is the one to tell of
      outcomes[i] = OutcomeOf(answer, true, stop);
      all = all && outcomes[i].verdict == Verdict::kDelivered;
    }
    return all;
  }

  Outcome OutcomeOf(const net::HttpAnswer& answer, bool alone, const std::stop_token& stop) const {
    Outcome outcome;
    if (answer.error) {
      outcome.excerpt = Hide(Printable(answer.error->message));
      switch (answer.error->code) {
        case Code::kCancelled:
          outcome.code = stop.stop_requested() ? "cancelled" : "timeout";
          break;
        case Code::kTimeout: outcome.code = "timeout"; break;
        case Code::kInvalid:
          outcome.code = answer.tls_failed ? "no_credentials" : "invalid_request";
          outcome.verdict = Verdict::kHold;
          break;
        default:
          outcome.code = answer.tls_failed ? "tls_failed"
                         : answer.sent     ? "connection_lost"
                                           : "connect_failed";
      }
      return outcome;
    }
    outcome.verdict = VerdictOf(answer.status, alone);
    if (outcome.verdict == Verdict::kDelivered) return outcome;
    outcome.code = "http_" + std::to_string(answer.status);
    outcome.retry_after = answer.retry_after;
    outcome.excerpt = answer.status < 400 ? "a redirect, which is not followed: " : "";
    outcome.excerpt = Hide(Printable(outcome.excerpt + answer.body));
    return outcome;
  }

  // Some answers repeat the request; credentials must not get into dead letters that way.
  std::string Hide(std::string text) const {
    const auto hide = [&text](const std::string& secret) {
      for (size_t at = 0; (at = text.find(secret, at)) != std::string::npos;) {
        text.replace(at, secret.size(), "[hidden]");
      }
    };
    if (!bearer_.empty()) hide(bearer_);
    for (const std::string& value : hidden_) hide(value);
    text.resize(std::min(text.size(), kExcerptMax));
    return text;
  }

  static constexpr size_t kAnswerBytes = 8 << 10;  // only an excerpt is of use
  static constexpr size_t kShortestSecret = 8;
  static constexpr size_t kBodyKept = size_t{4} << 20;

  const WebhookSettings settings_;
  std::unique_ptr<net::HttpClient> client_;
  DeadlineStop deadline_;
  std::string bearer_;  // as last read
  std::vector<std::string> hidden_;
  std::string body_;
};

}  // namespace

std::unique_ptr<Sink> MakeWebhookSink(const WebhookSettings& settings,
                                      const TargetTimeouts& timeout) {
  return std::make_unique<WebhookSink>(settings, timeout);
}

}  // namespace spool
