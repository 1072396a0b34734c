#include "app/admin_api.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "app/admin_handlers.h"
#include "app/api_answer.h"
#include "app/event_feed.h"
#include "app/json_writer.h"
#include "app/metrics_page.h"
#include "app/work_pool.h"

namespace spool {
namespace {

constexpr int kPoolThreads = 2;
constexpr size_t kPoolQueue = 32;

// Where a request is worked on.
enum class Lane {
  kAtOnce,  // on the server's thread
  kScan,    // may read much of the journal
  kChange,  // writes, or waits for a target
  kOwn,     // answered by AdminApi itself
};

struct Route {
  AdminRouteInfo info;
  Lane lane;
  bool takes_params;
  AdminHandler handler;  // null for kOwn
};

constexpr auto kNobody = AdminRole::kNobody;
constexpr auto kViewer = AdminRole::kViewer;
constexpr auto kReader = AdminRole::kReader;
constexpr auto kOperator = AdminRole::kOperator;
constexpr auto kAdmin = AdminRole::kAdmin;

// The whole API. schemas/openapi.yaml tells of the same paths; a test compares them.
constexpr Route kRoutes[] = {
    {{"GET", "/health", kNobody}, Lane::kOwn, true, nullptr},
    {{"GET", "/ready", kNobody}, Lane::kOwn, true, nullptr},
    {{"GET", "/metrics", kViewer}, Lane::kOwn, true, nullptr},
    {{"GET", "/api/v1/version", kViewer}, Lane::kOwn, false, nullptr},
    {{"GET", "/api/v1/events", kReader}, Lane::kOwn, true, nullptr},
    {{"GET", "/api/v1/status", kViewer}, Lane::kAtOnce, false, GetStatus},
    {{"GET", "/api/v1/streams", kViewer}, Lane::kAtOnce, false, ListStreams},
    {{"GET", "/api/v1/streams/{name}", kViewer}, Lane::kAtOnce, false, GetStream},
    {{"GET", "/api/v1/events/{name}", kReader}, Lane::kScan, true, GetEvent},
    {{"GET", "/api/v1/events/{name}:explain", kReader}, Lane::kScan, true, ExplainEvent},
    {{"POST", "/api/v1/events:explain", kOperator}, Lane::kScan, true, ExplainEvents},
    {{"GET", "/api/v1/targets", kViewer}, Lane::kAtOnce, false, ListTargets},
    {{"GET", "/api/v1/targets/{name}", kViewer}, Lane::kAtOnce, false, GetTarget},
    {{"DELETE", "/api/v1/targets/{name}", kAdmin}, Lane::kChange, false, RemoveTarget},
    {{"POST", "/api/v1/targets/{name}:pause", kOperator}, Lane::kChange, false, PauseTarget},
    {{"POST", "/api/v1/targets/{name}:resume", kOperator}, Lane::kChange, false, ResumeTarget},
    {{"POST", "/api/v1/targets/{name}:test", kOperator}, Lane::kChange, false, TestTarget},
    {{"POST", "/api/v1/targets/{name}:skip", kOperator}, Lane::kChange, false, SkipTarget},
    {{"GET", "/api/v1/sources", kViewer}, Lane::kAtOnce, false, ListSources},
    {{"GET", "/api/v1/source-gaps", kViewer}, Lane::kAtOnce, true, ListSourceGaps},
    {{"GET", "/api/v1/dead-letters", kReader}, Lane::kScan, true, ListDeadLetters},
    {{"GET", "/api/v1/dead-letters/{name}", kReader}, Lane::kScan, false, GetDeadLetter},
    {{"POST", "/api/v1/dead-letters/{name}:retry", kOperator},
     Lane::kChange,
     false,
     RetryDeadLetter},
    {{"POST", "/api/v1/dead-letters/{name}:drop", kOperator}, Lane::kChange, false, DropDeadLetter},
    {{"POST", "/api/v1/dead-letters:retry", kOperator}, Lane::kChange, false, RetryDeadLetters},
    {{"POST", "/api/v1/dead-letters:drop", kOperator}, Lane::kChange, false, DropDeadLetters},
    {{"GET", "/api/v1/replays", kViewer}, Lane::kAtOnce, false, ListReplays},
    {{"POST", "/api/v1/replays", kOperator}, Lane::kScan, false, StartReplay},
    {{"GET", "/api/v1/replays/{name}", kViewer}, Lane::kAtOnce, false, GetReplay},
    {{"POST", "/api/v1/replays/{name}:pause", kOperator}, Lane::kChange, false, PauseReplay},
    {{"POST", "/api/v1/replays/{name}:resume", kOperator}, Lane::kChange, false, ResumeReplay},
    {{"POST", "/api/v1/replays/{name}:cancel", kOperator}, Lane::kChange, false, CancelReplay},
    {{"GET", "/api/v1/markers", kViewer}, Lane::kScan, false, ListMarkers},
    {{"POST", "/api/v1/node:drain", kAdmin}, Lane::kChange, false, DrainNode},
    {{"POST", "/api/v1/node:snapshot", kAdmin}, Lane::kScan, false, SnapshotNode},
    {{"GET", "/api/v1/config", kReader}, Lane::kAtOnce, false, GetConfig},
    {{"POST", "/api/v1/config:validate", kOperator}, Lane::kScan, false, ValidateConfig},
    // It fills in ${VAR} from the service's own environment, so what it shows may be a secret.
    {{"POST", "/api/v1/config:test", kAdmin}, Lane::kScan, true, TestConfig},
    {{"POST", "/api/v1/config:reload", kOperator}, Lane::kChange, false, ReloadConfig},
};

// What stands for {name}; nothing when the path is another one.
std::optional<std::string> Fit(std::string_view pattern, std::string_view path) {
  const size_t open = pattern.find('{');
  if (open == pattern.npos) {
    return pattern == path ? std::optional<std::string>("") : std::nullopt;
  }
  const std::string_view before = pattern.substr(0, open);
  const std::string_view after = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= before.size() + after.size()) return std::nullopt;
  if (!path.starts_with(before) || !path.ends_with(after)) return std::nullopt;
  path.remove_prefix(before.size());
  path.remove_suffix(after.size());
  if (path.find_first_of("/:") != path.npos) return std::nullopt;
  return std::string(path);
}

net::HttpLimits AdminLimits(const AdminSettings& settings) {
  net::HttpLimits limits;
  limits.header_bytes = 16 << 10;
  limits.body_bytes = 1 << 20;
  limits.in_flight_bytes = size_t{8} << 20;
  limits.connections = settings.connections;
  limits.body_timeout = std::chrono::seconds(10);
  return limits;
}

net::HttpResponse NotReady(const Readiness& readiness) {
  std::string detail;
  for (const std::string& reason : readiness.reasons)
    detail += (detail.empty() ? "" : " ") + reason;
  return net::Problem(503, readiness.code, detail, -1, 1);
}

}  // namespace

std::vector<AdminRouteInfo> AdminRoutes() {
  std::vector<AdminRouteInfo> out;
  for (const Route& route : kRoutes) out.push_back(route.info);
  return out;
}

class AdminApi::Impl {
 public:
  Impl(std::shared_ptr<const AdminAuth> auth, AdminContext context)
      : context_(std::move(context)),
        auth_(std::move(auth)),
        scans_("api-scan-", kPoolThreads, kPoolQueue),
        changes_("api-change-", kPoolThreads, kPoolQueue) {}

  Status Listen(const AdminSettings& settings);
  void Attach(std::shared_ptr<const AdminParts> parts);
  void Use(std::shared_ptr<AdminAuth> auth) {
    const std::lock_guard lock(served_mutex_);
    auth->GoOnFrom(*auth_);
    auth_ = std::move(auth);
  }
  void Stop(SteadyTime deadline);
  std::string address() const { return server_->address(); }
  std::optional<net::TlsStatus> tls() const { return server_->tls(); }

 private:
  void Handle(net::HttpRequest&& request, const net::HttpResponder& responder);
  void Serve(const Route& route, std::string name, const AdminAuth& auth,
             net::HttpRequest&& request, const net::HttpResponder& responder);
  net::HttpResponse Own(const Route& route, const net::HttpRequest& request,
                        const AdminParts* parts);
  net::HttpResponse Health(const QueryParams& params, bool ready, const AdminParts* parts) const;
  void FeedEvents(const QueryParams& params, const AdminParts& parts,
                  const net::HttpResponder& responder);

  std::shared_ptr<const AdminParts> parts() const {
    const std::lock_guard lock(served_mutex_);
    return parts_;
  }
  std::shared_ptr<const AdminAuth> auth() const {
    const std::lock_guard lock(served_mutex_);
    return auth_;
  }

  const AdminContext context_;
  ActionLog actions_{*context_.clock};
  mutable std::mutex served_mutex_;          // guards the two below
  std::shared_ptr<const AdminAuth> auth_;    // never null
  std::shared_ptr<const AdminParts> parts_;  // null until the first Attach, and after Stop
  std::mutex stop_mutex_;
  WorkPool scans_;
  WorkPool changes_;
  std::unique_ptr<EventFeed> feed_;  // set before parts_, so that who sees those sees it
  std::unique_ptr<net::HttpServer> server_;
};

Status AdminApi::Impl::Listen(const AdminSettings& settings) {
  net::HttpServerOptions options;
  options.name = "admin";
  options.address = settings.address;
  options.threads = 2;
  options.limits = AdminLimits(settings);
  options.tls = settings.tls;
  auto server = net::HttpServer::Start(
      std::move(options), [this](net::HttpRequest&& request, net::HttpResponder responder) {
        Handle(std::move(request), responder);
      });
  if (!server) return Fail("the admin listener", server.error());
  server_ = std::move(*server);
  return {};
}

void AdminApi::Impl::Attach(std::shared_ptr<const AdminParts> parts) {
  if (!feed_) feed_ = std::make_unique<EventFeed>(parts->journal, scans_, *context_.clock);
  const std::lock_guard lock(served_mutex_);
  parts_.swap(parts);
}

void AdminApi::Impl::Stop(SteadyTime deadline) {
  const std::lock_guard lock(stop_mutex_);
  if (feed_) feed_->Stop();
  scans_.Stop();
  changes_.Stop();
  if (server_) server_->Stop(deadline);
  const std::lock_guard served(served_mutex_);
  parts_.reset();
}

void AdminApi::Impl::Handle(net::HttpRequest&& request, const net::HttpResponder& responder) {
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  std::string allowed;
  const std::shared_ptr<const AdminAuth> auth = this->auth();
  for (const Route& route : kRoutes) {
    std::optional<std::string> name = Fit(route.info.path, request.path);
    if (!name) continue;
    if (method != route.info.method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.info.method);
      continue;
    }
    if (auto refusal = auth->Refuse(request, route.info.role)) {
      responder.Send(std::move(*refusal));
      return;
    }
    Serve(route, std::move(*name), *auth, std::move(request), responder);
    return;
  }
  // Who may not even look is not told which paths there are.
  if (auto refusal = auth->Refuse(request, kViewer)) {
    responder.Send(std::move(*refusal));
    return;
  }
  if (allowed.empty()) {
    responder.Send(net::Problem(404, "not_found", "There is nothing at this path."));
    return;
  }
  net::HttpResponse response =
      net::Problem(405, "method_not_allowed", "This path takes " + allowed + ".");
  response.headers.emplace_back("Allow", std::move(allowed));
  responder.Send(std::move(response));
}

void AdminApi::Impl::Serve(const Route& route, std::string name, const AdminAuth& auth,
                           net::HttpRequest&& request, const net::HttpResponder& responder) {
  Result<QueryParams> params = QueryParams::Parse(request.query);
  Status fine = params ? Status() : tl::unexpected(params.error());
  if (fine && !route.takes_params) fine = params->Check({});
  if (!fine) {
    responder.Send(AnswerOf(fine.error()));
    return;
  }
  const std::shared_ptr<const AdminParts> parts = this->parts();
  const bool needs_parts = route.handler != nullptr || route.info.path == "/api/v1/events";
  if (needs_parts && parts == nullptr) {
    responder.Send(NotReady(context_.readiness()));
    return;
  }
  if (route.info.path == "/api/v1/events") {
    FeedEvents(*params, *parts, responder);
    return;
  }
  if (route.lane == Lane::kOwn) {
    responder.Send(Own(route, request, parts.get()));
    return;
  }
  // Of the tokens that let it in: a reload may be what takes them away.
  std::string action = ActionOf(route.info.method, route.info.path);
  AdminActor actor = action.empty() ? AdminActor{} : auth.ActorOf(request);
  auto work = [this, &route, parts, responder, name = std::move(name), request = std::move(request),
               params = std::move(*params), action = std::move(action),
               actor = std::move(actor)](std::stop_token stop) {
    ActionNote note;
    net::HttpResponse response =
        route.handler({context_, *parts, request, name, params, stop, note});
    if (!action.empty()) {
      actions_.Record(parts->journal, parts->config.cluster, action, name, actor, request, response,
                      note);
    }
    responder.Send(std::move(response));
  };
  if (route.lane == Lane::kAtOnce) {
    work({});
    return;
  }
  WorkPool& pool = route.lane == Lane::kScan ? scans_ : changes_;
  if (!pool.Submit(std::move(work))) responder.Send(TooBusy());
}

void AdminApi::Impl::FeedEvents(const QueryParams& params, const AdminParts& parts,
                                const net::HttpResponder& responder) {
  Result<EventSearch> search = ParseEventSearch(params, parts.journal, context_.clock->Now());
  if (!search) {
    responder.Send(AnswerOf(search.error()));
    return;
  }
  feed_->Answer(std::move(*search), responder);
}

net::HttpResponse AdminApi::Impl::Own(const Route& route, const net::HttpRequest& request,
                                      const AdminParts* parts) {
  const QueryParams params = *QueryParams::Parse(request.query);
  if (route.info.path == "/health" || route.info.path == "/ready") {
    net::HttpResponse response = Health(params, route.info.path == "/ready", parts);
    response.probe = true;
    return response;
  }
  if (route.info.path == "/metrics") {
    const ApiCounters counters{parts == nullptr ? 0 : feed_->waiting(), auth()->refusals(),
                               actions_.stored(), actions_.lost()};
    return {.status = 200,
            .content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = MetricsPage(context_, parts, counters),
            .headers = {}};
  }
  JsonWriter out;
  out.BeginObject().Field("version", SPOOL_VERSION).EndObject();
  return JsonAnswer(out.Take());
}

// /health is about the process alone: a full disk or a target that is down is not cured by a
// restart.
net::HttpResponse AdminApi::Impl::Health(const QueryParams& params, bool ready,
                                         const AdminParts* parts) const {
  const Readiness readiness = context_.readiness();
  const bool good = !ready || readiness.ready;
  if (!params.Has("verbose")) {
    return good ? net::HttpResponse{.status = 200,
                                    .content_type = "text/plain",
                                    .body = "ok\n",
                                    .headers = {}}
                : NotReady(readiness);
  }
  JsonWriter out;
  out.BeginObject().Field("status", good ? "ok" : "unavailable");
  if (!good) out.Field("code", readiness.code);
  out.Key("reasons").BeginArray();
  for (const std::string& reason : readiness.reasons) out.Value(reason);
  out.EndArray().Key("warnings").BeginArray();
  if (parts != nullptr) {
    for (const std::string& warning : Warnings(*parts)) out.Value(warning);
  }
  out.EndArray().EndObject();
  net::HttpResponse response = JsonAnswer(out.Take(), good ? 200 : 503);
  if (!good) response.headers.emplace_back("Retry-After", "1");
  return response;
}

AdminApi::AdminApi(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminApi::~AdminApi() { impl_->Stop(RealClock().Steady()); }

Result<std::unique_ptr<AdminApi>> AdminApi::Start(const AdminSettings& settings,
                                                  AdminContext context) {
  auto auth = AdminAuth::Create(settings, context.clock);
  if (!auth) return Fail("the admin listener", auth.error());
  auto impl = std::make_unique<Impl>(std::move(*auth), std::move(context));
  if (const Status listening = impl->Listen(settings); !listening) {
    return tl::unexpected(listening.error());
  }
  return std::unique_ptr<AdminApi>(new AdminApi(std::move(impl)));
}

void AdminApi::Attach(std::shared_ptr<const AdminParts> parts) { impl_->Attach(std::move(parts)); }
void AdminApi::Use(std::shared_ptr<AdminAuth> auth) { impl_->Use(std::move(auth)); }
void AdminApi::Stop(SteadyTime deadline) { impl_->Stop(deadline); }
std::string AdminApi::address() const { return impl_->address(); }
std::optional<net::TlsStatus> AdminApi::tls() const { return impl_->tls(); }

}  // namespace spool
