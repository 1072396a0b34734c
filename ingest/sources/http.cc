#include "ingest/sources/http.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "ingest/sources/http_answers.h"

namespace spool {
namespace {

constexpr int kRetryAfterSeconds = 1;
constexpr int kFullRetryAfterSeconds = 5;  // room comes as targets are served, or by hand

struct Answer503 {
  std::string_view code;
  std::string_view detail;
};

Answer503 AnswerFor(Code code) {
  switch (code) {
    case Code::kFull:
      return {"journal_full", "A stream or the disk is full; nothing of the request was stored."};
    case Code::kBusy:
      return {"overloaded", "Too much waits to be stored; nothing of the request was stored."};
    case Code::kStorage:
    case Code::kDamaged:
      return {"storage_error", "Storing failed; the request is not acknowledged."};
    default:
      return {"unavailable", "Events cannot be stored now; the request is not acknowledged."};
  }
}

// What these two send with PUT is what they send with POST.
bool IsPut(const net::HttpRequest& request) {
  return request.method == "PUT" && (request.path == "/fluentbit" || request.path == "/falco");
}

net::HttpResponse MethodNotAllowed(std::string allowed) {
  net::HttpResponse response =
      net::Problem(405, "method_not_allowed", "This path takes " + allowed + ".");
  response.headers.emplace_back("Allow", std::move(allowed));
  return response;
}

// What the server's answers tell; 503 it gives itself only for want of memory.
Refusals RefusalsOf(const net::HttpServerStats& server) {
  Refusals refused;
  refused.overload = server.shed;
  refused.connections = server.refused;
  for (const auto& [status, count] : server.answers) {
    if (status < 400 || status == 503) continue;
    (status == 401 || status == 403 ? refused.auth
     : status == 413                ? refused.too_large
     : status == 429                ? refused.quota
     : status == 500                ? refused.unavailable
                                    : refused.malformed) += count;
  }
  return refused;
}

}  // namespace

struct HttpSource::Counters {
  struct Of {
    std::atomic<uint64_t> stored{0}, duplicates{0}, quarantined{0};
  };
  std::array<Of, kStreamsMax> streams;  // by StreamId
  std::atomic<uint64_t> requests{0}, bytes{0};
  std::atomic<uint64_t> full{0}, overload{0}, unavailable{0};  // requests that got a 503
  std::atomic<int64_t> last_event{0};                          // microseconds; 0: none yet

  std::atomic<uint64_t> lost{0};

  // Of what was answered for before it was stored.
  void Lose(const std::string& source, std::string_view why) {
    lost.fetch_add(1, std::memory_order_relaxed);
    static log::Limiter limiter;
    if (uint64_t held_back = 0; limiter.Allow(&held_back)) {
      log::Error("An admission request was let pass, and the event of it was lost.",
                 {{"source", source}, {"reason", why}, {"held_back", held_back}});
    }
  }
  // `quarantined` of the request's events were made for `quarantine`.
  Tally Count(const AppendResult& result, StreamId quarantine, uint32_t quarantined) {
    Tally tally;
    for (const AppendedPart& part : result.parts) {
      Of& of = streams[part.stream.value];
      const uint32_t aside = part.stream == quarantine ? std::min(part.stored, quarantined) : 0;
      of.stored.fetch_add(part.stored - aside, std::memory_order_relaxed);
      of.duplicates.fetch_add(part.duplicates, std::memory_order_relaxed);
      of.quarantined.fetch_add(aside, std::memory_order_relaxed);
      tally.stored += part.stored - aside;
      tally.duplicates += part.duplicates;
      tally.quarantined += aside;
    }
    return tally;
  }
  // The same of a request whose events were taken in at `now`.
  Tally Stored(const AppendResult& result, StreamId quarantine, uint32_t quarantined,
               SystemTime now) {
    if (result.stored > 0) last_event.store(ToMicros(now), std::memory_order_relaxed);
    return Count(result, quarantine, quarantined);
  }
  net::HttpResponse Unavailable(Code code, const HttpAnswers& answers) {
    (code == Code::kFull   ? full
     : code == Code::kBusy ? overload
                           : unavailable)
        .fetch_add(1, std::memory_order_relaxed);
    const Answer503 answer = AnswerFor(code);
    return answers.Problem(503, answer.code, answer.detail, -1,
                           code == Code::kFull ? kFullRetryAfterSeconds : kRetryAfterSeconds);
  }
};

// As many decoders as there are requests being decoded at once, which is the server's threads.
class HttpSource::Decoders {
 public:
  explicit Decoders(DecodeOptions options) : options_(std::move(options)) {}

  std::unique_ptr<Decoder> Take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto decoder = std::move(idle_.back());
        idle_.pop_back();
        return decoder;
      }
    }
    return std::make_unique<Decoder>(options_);
  }
  void Return(std::unique_ptr<Decoder> decoder) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(decoder));
  }

 private:
  const DecodeOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Decoder>> idle_;  // guarded by mutex_
};

class HttpSource::Policy {
 public:
  Policy(HttpSourceRules rules, std::unique_ptr<const HttpAuth> made_auth,
         std::shared_ptr<Quota> shared_quota)
      : paths(std::move(rules.paths)),
        limits(rules.quota),
        classifier(std::move(rules.classifier)),
        mutated_is_admission(rules.mutated_is_admission),
        auth(std::move(made_auth)),
        quota(std::move(shared_quota)) {}

  bool Serves(const std::string& path) const {
    const auto& served = paths.empty() ? KnownPaths() : paths;
    return std::find(served.begin(), served.end(), path) != served.end();
  }

  const std::vector<std::string> paths;
  const QuotaLimits limits;
  const Classifier classifier;
  const bool mutated_is_admission;
  const std::unique_ptr<const HttpAuth> auth;
  const std::shared_ptr<Quota> quota;
};

const std::vector<std::string>& HttpSource::KnownPaths() {
  static const auto* const paths = new std::vector<std::string>{"/v1/events",
                                                                "/events",
                                                                "/audit",
                                                                "/webhook",
                                                                "/botkube",
                                                                "/falco",
                                                                "/gatekeeper",
                                                                "/kubearmor",
                                                                "/fluentbit",
                                                                "/admission/validating",
                                                                "/admission/mutating",
                                                                "/v1/logs"};
  return *paths;
}

HttpSource::HttpSource(HttpSourceOptions options, Journal& journal)
    : options_([&options, &journal] {
        if (!options.decode.stream) {
          options.decode.stream = [&journal](std::string_view name) {
            if (const auto id = journal.FindStream(name)) return *id;
            return journal.FindStream("kubernetes-events").value_or(StreamId{});
          };
        }
        if (!options.decode.redaction) options.decode.redaction = Redaction::Default();
        return std::move(options);
      }()),
      journal_(journal),
      decoders_(std::make_unique<Decoders>(options_.decode)),
      counters_(std::make_shared<Counters>()),
      gate_(std::make_shared<Gate>(!options_.closed)) {}

HttpSource::~HttpSource() { Stop(options_.clock->Steady()); }

Status HttpSource::Start() {
  const std::lock_guard lock(mutex_);
  if (server_) return Fail(Code::kConflict, "source " + options_.name + " is started already");
  auto policy = Prepare({options_.paths, options_.quota, options_.auth, options_.classifier,
                         options_.mutated_is_admission});
  if (!policy) return tl::unexpected(policy.error());
  Use(std::move(*policy));
  net::HttpServerOptions server;
  server.name = "in-" + options_.name.substr(0, 9);
  server.address = options_.address;
  server.threads = options_.threads;
  server.limits = options_.limits;
  server.budget = options_.budget;
  server.tls = options_.tls;
  server.hooks.admit = [this](const net::HttpRequest& request) { return Admit(request); };
  server.hooks.urgent = [](const net::HttpRequest& request) { return NeverRetries(request.path); };
  server.hooks.reword = [](const net::HttpRequest& request, net::HttpResponse refusal) {
    return HttpAnswers(request).Reworded(std::move(refusal));
  };
  auto started = net::HttpServer::Start(
      std::move(server), [this](net::HttpRequest&& request, net::HttpResponder responder) {
        Handle(std::move(request), std::move(responder));
      });
  if (!started) return Fail("source " + options_.name, started.error());
  server_ = std::move(*started);
  log::Info("The source listens.", {{"source", options_.name}, {"address", server_->address()}});
  return {};
}

Result<std::shared_ptr<const HttpSource::Policy>> HttpSource::Prepare(HttpSourceRules rules) const {
  for (const std::string& path : rules.paths) {
    const auto& known = KnownPaths();
    if (std::find(known.begin(), known.end(), path) == known.end()) {
      return Fail(Code::kInvalid,
                  "source " + options_.name + ": " + path + " is not a path of an http source");
    }
  }
  auto auth = HttpAuth::Create(rules.auth, options_.clock);
  if (!auth) return Fail("source " + options_.name, auth.error());
  const auto now = policy();
  std::shared_ptr<Quota> quota =
      now && now->limits == rules.quota ? now->quota : std::make_shared<Quota>(rules.quota);
  return std::make_shared<const Policy>(std::move(rules), std::move(*auth), std::move(quota));
}

void HttpSource::Use(std::shared_ptr<const Policy> policy) {
  const std::lock_guard lock(policy_mutex_);
  policy_.swap(policy);  // what it was goes when the last request that has it is done
}

std::shared_ptr<const HttpSource::Policy> HttpSource::policy() const {
  const std::lock_guard lock(policy_mutex_);
  return policy_;
}

void HttpSource::Stop(SteadyTime deadline) {
  stopping_ = true;
  net::HttpServer* server = nullptr;
  {
    const std::lock_guard lock(mutex_);
    server = server_.get();
  }
  if (server != nullptr) server->Stop(deadline);
}

SourceStatus HttpSource::status() const {
  SourceStatus status;
  status.name = options_.name;
  status.type = "http";
  status.address = options_.address;
  net::HttpServerStats server;
  {
    const std::lock_guard lock(mutex_);
    status.state = stopping_ ? "stopping" : server_ ? "up" : "down";
    if (server_) {
      status.address = server_->address();
      server = server_->stats();
    }
  }
  status.requests = counters_->requests;
  for (uint8_t id = 0; id < kStreamsMax; ++id) {
    const Counters::Of& of = counters_->streams[id];
    const StreamCounts counts{{id}, of.stored, of.duplicates, of.quarantined};
    if (counts.stored + counts.duplicates + counts.quarantined == 0) continue;
    status.streams.push_back(counts);
    status.events += counts.stored;
    status.duplicates += counts.duplicates;
    status.quarantined += counts.quarantined;
  }
  status.bytes = counters_->bytes;
  status.refused = RefusalsOf(server);
  status.refused.full = counters_->full;
  status.refused.overload += counters_->overload;
  status.refused.unavailable += counters_->unavailable;
  status.lost = counters_->lost;
  if (const int64_t last = counters_->last_event; last != 0) status.last_event = FromMicros(last);
  return status;
}

int HttpSource::port() const {
  const std::lock_guard lock(mutex_);
  return server_ ? server_->port() : 0;
}

net::HttpServerStats HttpSource::server_stats() const {
  const std::lock_guard lock(mutex_);
  return server_ ? server_->stats() : net::HttpServerStats{};
}

std::optional<net::TlsStatus> HttpSource::tls() const {
  const std::lock_guard lock(mutex_);
  return server_ ? server_->tls() : std::nullopt;
}

tl::expected<Decoded, Refusal> HttpSource::Try(const Incoming& incoming,
                                               std::vector<Event>* quarantine) const {
  const auto policy = this->policy();
  Incoming known = incoming;
  known.origin = options_.name;
  if (policy) {
    known.classifier = &policy->classifier;
    known.mutated_is_admission = policy->mutated_is_admission;
  }
  auto decoder = decoders_->Take();
  auto decoded = decoder->Decode(known, quarantine);
  decoders_->Return(std::move(decoder));
  return decoded;
}

std::optional<net::HttpResponse> HttpSource::Admit(const net::HttpRequest& request) const {
  if (request.path == "/health" || request.path == "/ready") return std::nullopt;
  auto refusal = policy()->auth->Refuse(request);
  static log::Limiter limiter;
  if (uint64_t held_back = 0; refusal && limiter.Allow(&held_back)) {
    log::Warn("A request without the right credentials was refused.", {{"source", options_.name},
                                                                       {"peer", request.peer},
                                                                       {"status", refusal->status},
                                                                       {"held_back", held_back}});
  }
  return refusal;
}

void HttpSource::Handle(net::HttpRequest&& request, net::HttpResponder responder) {
  if (request.path == "/health" || request.path == "/ready") {
    const bool good = request.method == "GET" || request.method == "HEAD";
    net::HttpResponse response = good ? Probe(request) : MethodNotAllowed("GET, HEAD");
    response.probe = true;
    responder.Send(std::move(response));
    return;
  }
  counters_->requests.fetch_add(1, std::memory_order_relaxed);
  counters_->bytes.fetch_add(request.body.size(), std::memory_order_relaxed);
  if (policy()->Serves(request.path)) {
    const bool posted = request.method == "POST" || IsPut(request);
    if (posted) {
      auto inside = gate_->Enter();
      if (IsAdmissionPath(request.path)) {
        if (auto allowed = AdmissionAllowed(request.body)) {
          Watch(request, std::move(*allowed), responder, std::move(inside));
          return;
        }
      }
      if (inside) {
        Take(std::move(request), responder, std::move(inside));
        return;
      }
      counters_->unavailable.fetch_add(1, std::memory_order_relaxed);
      const Status ready = options_.ready();
      responder.Send(HttpAnswers(request).Problem(
          503, "not_ready", ready ? "No events are taken now." : ready.error().message, -1,
          kRetryAfterSeconds));
      return;
    }
    if (request.path == "/v1/events" && request.method == "OPTIONS") {
      responder.Send(Handshake(request));
      return;
    }
    responder.Send(HttpAnswers(request).Reworded(
        MethodNotAllowed(request.path == "/v1/events" ? "POST, OPTIONS" : "POST")));
    return;
  }
  responder.Send(net::Problem(404, "not_found", "There is nothing at this path."));
}

net::HttpResponse HttpSource::Probe(const net::HttpRequest& request) const {
  Status status;
  if (request.path == "/ready") {
    status =
        stopping_ ? Status(Fail(Code::kUnavailable, "the source is stopping")) : options_.ready();
  }
  bool verbose = false;
  request.QueryParam("verbose", &verbose);
  if (!status) {
    return net::Problem(503, "not_ready",
                        verbose ? status.error().message : "No events are taken now.", -1,
                        kRetryAfterSeconds);
  }
  net::HttpResponse response;
  if (verbose) {
    response.content_type = "application/json";
    response.body = "{\"status\":\"ok\",\"reasons\":[]}\n";
  }
  return response;
}

// The handshake of the CloudEvents webhook: any origin may send, as many a minute as the quota has.
net::HttpResponse HttpSource::Handshake(const net::HttpRequest& request) const {
  net::HttpResponse response;
  response.headers.emplace_back("Allow", "POST, OPTIONS");
  if (request.Header("webhook-request-origin").empty()) return response;
  const double events = policy()->limits.events_per_second;
  response.headers.emplace_back("WebHook-Allowed-Origin", "*");
  response.headers.emplace_back(
      "WebHook-Allowed-Rate",
      events > 0 ? std::to_string(std::max(uint64_t{1}, static_cast<uint64_t>(events * 60))) : "*");
  return response;
}

void HttpSource::TellOfQuota(const Quota::Refused& refused) const {
  static log::Limiter limiter;
  if (uint64_t held_back = 0; limiter.Allow(&held_back)) {
    log::Warn("A request was refused: the source's quota is used up.",
              {{"source", options_.name}, {"quota", refused.what}, {"held_back", held_back}});
  }
}

tl::expected<Decoded, Refusal> HttpSource::Decode(const net::HttpRequest& request, SystemTime now,
                                                  const net::HttpResponder& responder,
                                                  std::vector<Event>* quarantine) {
  // Body and events are in memory together, so both are paid for from the same budget.
  const auto admit = [&responder](size_t bytes) {
    switch (responder.Reserve(bytes)) {
      case net::HttpResponder::Reserved::kYes: return Incoming::Admission::kYes;
      case net::HttpResponder::Reserved::kNever: return Incoming::Admission::kNever;
      case net::HttpResponder::Reserved::kNotNow: break;
    }
    return Incoming::Admission::kNotNow;
  };
  const auto policy = this->policy();
  auto decoder = decoders_->Take();
  auto decoded = decoder->Decode({.path = request.path,
                                  .content_type = request.Header("content-type"),
                                  .idempotency_key = request.Header("idempotency-key"),
                                  .headers = &request.headers,
                                  .body = request.body,
                                  .received = now,
                                  .origin = options_.name,
                                  .classifier = &policy->classifier,
                                  .mutated_is_admission = policy->mutated_is_admission,
                                  .admit = admit},
                                 quarantine);
  decoders_->Return(std::move(decoder));
  if (policy->limits.events_per_second > 0) {
    // Also what is refused for its events has cost the work of a look at them.
    policy->quota->PayEvents(decoded ? decoded->events.size() : 1, options_.clock->Steady());
  }
  return decoded;
}

void HttpSource::Take(net::HttpRequest&& request, const net::HttpResponder& responder,
                      std::shared_ptr<const void> inside) {
  const HttpAnswers answers(request);
  std::shared_ptr<Quota::Place> place;  // until the answer
  const auto policy = this->policy();
  if (policy->limits.any()) {
    const SteadyTime now = options_.clock->Steady();
    if (const auto refused = policy->quota->Admit(request.body.size(), now, &place)) {
      TellOfQuota(*refused);
      responder.Send(answers.Problem(429, "quota_exceeded",
                                     "The source's quota of " + std::string(refused->what) +
                                         " is used up; nothing was stored.",
                                     -1, refused->retry_after));
      return;
    }
  }
  const SystemTime now = options_.clock->Now();
  std::vector<Event> quarantine;
  auto decoded = Decode(request, now, responder, &quarantine);
  const size_t bytes = request.body.size();
  std::string().swap(request.body);
  // The events are held until they are stored and answered for, also while the journal has them.
  responder.ReleaseBody(decoded ? decoded->bytes : 0);
  if (!decoded) {
    place.reset();  // before its answer, or the next request could come before it is free
    Refuse(decoded.error(), std::move(quarantine), bytes, answers, responder, std::move(inside));
    return;
  }
  journal_.Append(
      std::move(decoded->events), options_.name,
      [responder, answers, quarantined = decoded->quarantined, quarantine = decoded->quarantine,
       counters = counters_, now, place = std::move(place),
       inside = std::move(inside)](Result<AppendResult> result) mutable {
        place.reset();  // before the answer, as above
        if (!result) {
          responder.Send(counters->Unavailable(result.error().code, answers));
          return;
        }
        const Tally tally = counters->Stored(*result, quarantine, quarantined, now);
        responder.Send(answers.Stored(*result, tally, quarantined));
      });
}

// An API server waits for this answer with its user's request in hand, whatever the disk does: so
// it comes before anything is stored, and what is not stored then is counted as lost.
void HttpSource::Watch(const net::HttpRequest& request, net::HttpResponse allowed,
                       const net::HttpResponder& responder, std::shared_ptr<const void> inside) {
  std::shared_ptr<Quota::Place> place;
  const auto policy = this->policy();
  const SystemTime now = options_.clock->Now();
  std::string why;
  if (!inside) {
    const Status ready = options_.ready();
    why = ready ? "no events are taken now" : ready.error().message;
  } else if (policy->limits.any()) {
    const auto refused =
        policy->quota->Admit(request.body.size(), options_.clock->Steady(), &place);
    if (refused) why = "the source's quota of " + std::string(refused->what) + " is used up";
  }
  if (!why.empty()) {
    counters_->Lose(options_.name, why);
    responder.Send(std::move(allowed));
    return;
  }
  std::vector<Event> quarantine;
  auto decoded = Decode(request, now, responder, &quarantine);
  responder.Send(std::move(allowed));
  if (!decoded) {
    counters_->Lose(options_.name, decoded.error().code);
    return;
  }
  journal_.Append(std::move(decoded->events), options_.name,
                  [quarantined = decoded->quarantined, quarantine = decoded->quarantine,
                   counters = counters_, now, name = options_.name, place = std::move(place),
                   inside = std::move(inside)](const Result<AppendResult>& result) {
                    if (result) {
                      counters->Stored(*result, quarantine, quarantined, now);
                    } else {
                      counters->Lose(name, result.error().message);
                    }
                  });
}

// Also a refusal is told only when what it leaves in quarantine is durable.
void HttpSource::Refuse(const Refusal& refusal, std::vector<Event> quarantine, size_t bytes,
                        const HttpAnswers& answers, const net::HttpResponder& responder,
                        std::shared_ptr<const void> inside) {
  static log::Limiter limiter;
  if (uint64_t held_back = 0; limiter.Allow(&held_back)) {
    log::Warn("A request was refused.", {{"source", options_.name},
                                         {"status", refusal.status},
                                         {"code", refusal.code},
                                         {"bytes", bytes},
                                         {"held_back", held_back}});
  }
  net::HttpResponse response =
      answers.Problem(refusal.status, refusal.code, refusal.detail, refusal.offset,
                      refusal.status == 503 ? kRetryAfterSeconds : 0);
  if (quarantine.empty()) {
    if (refusal.status == 503) counters_->overload.fetch_add(1, std::memory_order_relaxed);
    responder.Send(std::move(response));
    return;
  }
  const auto count = static_cast<uint32_t>(quarantine.size());
  const StreamId stream = quarantine.front().stream;
  journal_.Append(
      std::move(quarantine), options_.name,
      [responder, answers, response = std::move(response), count, stream, counters = counters_,
       inside = std::move(inside)](Result<AppendResult> result) mutable {
        if (!result) {
          responder.Send(counters->Unavailable(result.error().code, answers));
          return;
        }
        static_cast<void>(counters->Count(*result, stream, count));
        responder.Send(std::move(response));
      });
}

}  // namespace spool
