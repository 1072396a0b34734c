// The HTTP source: what producers post at the paths of KnownPaths into the journal, /health and
// /ready beside.
//
// A 2xx leaves only after the journal has synced every event of the request; but an admission
// request is let pass at once, because a cluster waits for it. Nothing is stored of
// a request that is answered 503; of one refused with 4xx at most the quarantine event that tells
// of it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ingest/decode.h"
#include "ingest/quota.h"
#include "ingest/source.h"
#include "ingest/sources/gate.h"
#include "ingest/sources/http_auth.h"
#include "net/http_server.h"
#include "spool/journal.h"

namespace spool {

struct HttpSourceOptions {
  std::string name;  // as configured; the origin of its events
  std::string address = "127.0.0.1:8080";
  std::vector<std::string> paths;  // which of the paths are served; empty: all
  net::HttpLimits limits;
  // What all sources' requests together may hold in memory; may be empty.
  std::shared_ptr<net::ByteBudget> budget;
  QuotaLimits quota;                 // beyond it 429
  std::optional<net::TlsFiles> tls;  // plain TCP without
  HttpAuthOptions auth;
  Classifier classifier;             // the operator's own rules; may be empty
  bool mutated_is_admission = true;  // as in Incoming
  int threads = 2;
  // `stream` may be empty: the journal's own streams by name, unknown ones to kubernetes-events.
  DecodeOptions decode;
  const Clock* clock = &RealClock();
  // What /ready says; an error's message is told with ?verbose. Any thread, must not block.
  std::function<Status()> ready = [] { return Status(); };
  // Listens, and answers events with 503 "not_ready" until Open: for what must be in place before
  // the first of them is acknowledged.
  bool closed = false;
};

// What of an http source may change while it listens.
struct HttpSourceRules {
  std::vector<std::string> paths;  // as in HttpSourceOptions
  QuotaLimits quota;
  HttpAuthOptions auth;
  Classifier classifier;  // may be empty
  bool mutated_is_admission = true;
};

class HttpAnswers;

class HttpSource : public Source {
 public:
  class Policy;  // HttpSourceRules, ready for use

  // Every path this source can serve.
  static const std::vector<std::string>& KnownPaths();

  // `journal` must outlive the source. Nothing listens until Start.
  HttpSource(HttpSourceOptions options, Journal& journal);
  ~HttpSource() override;  // stops at once if Stop was not called

  // As net::HttpServer::Start; kInvalid also for a path that is not known and a token that cannot
  // be read; kConflict when started.
  Status Start() override;
  // Takes events from now on. Any thread.
  void Open() override { gate_->Open(); }
  // From now on answers events with 503 "not_ready", until Open. True once all that had begun are
  // stored or refused, false when some are not at `deadline`. Any thread.
  bool Close(SteadyTime deadline) override { return gate_->Close(deadline); }
  // Makes ready what Use takes. Errors as Start: kInvalid for a path that is not known or a token
  // that cannot be read. Any thread.
  Result<std::shared_ptr<const Policy>> Prepare(HttpSourceRules rules) const;
  // From the next request on. A quota that stays the same goes on, another one begins full. Any
  // thread.
  void Use(std::shared_ptr<const Policy> policy);
  // Answers what has begun, also what still waits for the journal, or cuts it at the deadline.
  void Stop(SteadyTime deadline) override;
  SourceStatus status() const override;
  // What was hidden since the start.
  const RedactionCounters& redacted() const override {
    return options_.decode.redaction->counters();
  }

  // The real port; 0 before Start.
  int port() const;
  net::HttpServerStats server_stats() const;
  std::optional<net::TlsStatus> tls() const;  // empty without TLS, and before Start

  // What would become of a request with this body: decoded as a real one is, stored nowhere and
  // counted nowhere. Any thread; uses as much memory as a request of that size.
  tl::expected<Decoded, Refusal> Try(const Incoming& incoming,
                                     std::vector<Event>* quarantine) const;

 private:
  class Decoders;
  struct Counters;

  std::optional<net::HttpResponse> Admit(const net::HttpRequest& request) const;
  void Handle(net::HttpRequest&& request, net::HttpResponder responder);
  // `inside` is held until all of it is stored or refused.
  void Take(net::HttpRequest&& request, const net::HttpResponder& responder,
            std::shared_ptr<const void> inside);
  net::HttpResponse Probe(const net::HttpRequest& request) const;
  // Answers at once; `inside` is null where nothing is taken.
  void Watch(const net::HttpRequest& request, net::HttpResponse allowed,
             const net::HttpResponder& responder, std::shared_ptr<const void> inside);
  tl::expected<Decoded, Refusal> Decode(const net::HttpRequest& request, SystemTime now,
                                        const net::HttpResponder& responder,
                                        std::vector<Event>* quarantine);
  void Refuse(const Refusal& refusal, std::vector<Event> quarantine, size_t bytes,
              const HttpAnswers& answers, const net::HttpResponder& responder,
              std::shared_ptr<const void> inside);
  void TellOfQuota(const Quota::Refused& refused) const;
  net::HttpResponse Handshake(const net::HttpRequest& request) const;
  std::shared_ptr<const Policy> policy() const;

  const HttpSourceOptions options_;
  Journal& journal_;
  const std::unique_ptr<Decoders> decoders_;
  // Shared with answers under way, which may outlive a stopped source.
  const std::shared_ptr<Counters> counters_;
  std::atomic<bool> stopping_{false};
  const std::shared_ptr<Gate> gate_;  // shared with answers under way

  mutable std::mutex policy_mutex_;
  std::shared_ptr<const Policy> policy_;  // guarded by policy_mutex_; set before the server runs

  mutable std::mutex mutex_;
  std::unique_ptr<net::HttpServer> server_;  // guarded by mutex_
};

}  // namespace spool
