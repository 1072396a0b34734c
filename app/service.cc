#include "app/service.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include "app/admin_api.h"
#include "app/config_values.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/time_text.h"
#include "net/byte_budget.h"

namespace spool {
namespace {

// Of the time that Stop has: what begun requests get, and what is kept for closing the journal.
constexpr int kSourcesPercent = 30;
constexpr int kClosingPercent = 15;
constexpr Micros kAdminTime = std::chrono::seconds(1);

// Allowed, since a cluster's own network may be trusted; but nobody should do it unawares.
void WarnIfInTheClear(const HttpSourceSettings& settings) {
  const auto address = ParseListenAddress(settings.address);
  if (!address || address->loopback || settings.tls) return;
  log::Warn(settings.auth.tokens.empty()
                ? "A source takes events from the network without TLS and from everybody."
                : "A source takes events and tokens from the network without TLS.",
            {{"source", settings.name}, {"address", settings.address}});
}

enum class Phase { kStarting, kServing, kStopping };

class ServiceImpl final : public Service {
 public:
  ServiceImpl(Config config, std::function<void(const Error&)> on_fatal,
              std::optional<Error> damage)
      : config_(std::move(config)),
        on_fatal_(std::move(on_fatal)),
        damage_(std::move(damage)),
        started_(RealClock().Steady()) {
    if (config_.journal.dir.empty()) config_.journal.dir = config_.data_dir;
    if (config_.journal.streams.empty()) config_.journal.streams = DefaultStreams();
  }
  ~ServiceImpl() override { Stop(RealClock().Steady() + std::chrono::seconds(2)); }

  Status ListenAdmin();
  Status Build();
  void Stop(SteadyTime deadline) override;
  std::string admin_address() const override { return admin_address_; }
  std::vector<std::string> ingest_addresses() const override { return ingest_addresses_; }

 private:
  Status OpenJournal();
  Status StartTargets();
  Result<Sequence> StartOf(const TargetConfig& target) const;
  Status OpenReplays();
  Status StartSources();
  void AttachAdmin();
  Readiness GetReadiness() const;
  Result<Router> RouterOf(const std::string& target) const {
    return Router::Compile(config_.routes, target, !config_.has_routes);
  }
  void StopDelivery(SteadyTime deadline);

  Config config_;
  const std::function<void(const Error&)> on_fatal_;
  const std::optional<Error> damage_;
  const SteadyTime started_;
  std::atomic<Phase> phase_{Phase::kStarting};
  std::atomic<bool> fatal_{false};
  std::atomic<bool> draining_{false};

  std::unique_ptr<AdminApi> admin_;
  std::unique_ptr<Journal> journal_;
  std::map<std::string, std::unique_ptr<Forwarder>> forwarders_;
  std::unique_ptr<ReplayJobs> replays_;
  std::vector<std::unique_ptr<HttpSource>> sources_;
  std::unique_ptr<AdminParts> parts_;
  std::string admin_address_;
  std::vector<std::string> ingest_addresses_;

  std::mutex stop_mutex_;
  bool stopped_ = false;  // guarded by stop_mutex_
};

Readiness ServiceImpl::GetReadiness() const {
  Readiness out;
  const auto unready = [&](std::string code, std::string reason) {
    if (out.ready) out.code = std::move(code);
    out.ready = false;
    out.reasons.push_back(std::move(reason));
  };
  if (damage_) {
    unready("damaged", "The journal is damaged and was not opened: " + damage_->message);
    return out;
  }
  if (fatal_) unready("storage", "Storing failed: nothing is accepted until a restart.");
  const Phase phase = phase_;
  if (phase == Phase::kStarting) unready("starting", "The service is starting.");
  if (phase == Phase::kStopping) unready("stopping", "The service is stopping.");
  if (draining_) {
    unready("draining", "The service is drained: it takes no new events, and delivery goes on.");
  }
  return out;
}

Status ServiceImpl::ListenAdmin() {
  AdminContext context;
  context.readiness = [this] { return GetReadiness(); };
  context.started = started_;
  context.drain = [this](bool on) {  // only called once there are sources
    draining_ = on;
    for (const auto& source : sources_) on ? source->Close() : source->Open();
  };
  auto admin = AdminApi::Start(config_.admin, std::move(context));
  if (!admin) return tl::unexpected(admin.error());
  admin_ = std::move(*admin);
  admin_address_ = admin_->address();
  return {};
}

Status ServiceImpl::OpenJournal() {
  JournalOptions options = config_.journal;
  options.on_fatal = [this](const Error& error) {
    if (fatal_.exchange(true)) return;
    log::Error("Storing failed; nothing more is acknowledged and the process ends.",
               {{"error", error.message}});
    if (on_fatal_) on_fatal_(error);
  };
  auto journal = Journal::Open(std::move(options));
  if (!journal) return tl::unexpected(journal.error());
  journal_ = std::move(*journal);
  return {};
}

// Where a target that has no place yet begins.
Result<Sequence> ServiceImpl::StartOf(const TargetConfig& target) const {
  if (journal_->places_lost() && target.start != TargetConfig::Start::kTime) {
    return journal_->stored().first;
  }
  switch (target.start) {
    case TargetConfig::Start::kBeginning:
      // Only what this very journal ever had; a target added later would get old events that
      // nobody asked for.
      return journal_->created() ? journal_->stored().first : journal_->end();
    case TargetConfig::Start::kNow: return journal_->end();
    case TargetConfig::Start::kTime: return journal_->Find(target.start_time);
  }
  return journal_->end();
}

Status ServiceImpl::StartTargets() {
  for (const TargetConfig& target : config_.targets) {
    TargetSettings settings = target.settings;
    const Result<Sequence> start = StartOf(target);
    if (!start) return Fail("target \"" + settings.name + "\"", start.error());
    settings.start = *start;
    Result<Router> router = RouterOf(settings.name);
    if (!router) return Fail("routes of target \"" + settings.name + "\"", router.error());
    auto forwarder = Forwarder::Start(settings, std::move(*router), *journal_, RealClock());
    if (!forwarder) return tl::unexpected(forwarder.error());
    forwarders_.emplace(settings.name, std::move(*forwarder));
  }
  return journal_->PlacesAreTaken();
}

Status ServiceImpl::OpenReplays() {
  const auto find = [this](std::string_view name) -> std::optional<ReplayJobs::TargetParts> {
    for (const TargetConfig& target : config_.targets) {
      if (target.settings.name != name) continue;
      Result<Router> router = RouterOf(target.settings.name);
      if (!router) return std::nullopt;
      return ReplayJobs::TargetParts{target.settings, std::move(*router)};
    }
    return std::nullopt;
  };
  auto replays = ReplayJobs::Open(*journal_, find, RealClock(), ReplayOptions());
  if (!replays) return Fail("replays", replays.error());
  replays_ = std::move(*replays);
  return {};
}

Status ServiceImpl::StartSources() {
  // One memory for all: what one source may have is what all may have together.
  size_t in_flight = 0, body = 0;
  for (const HttpSourceSettings& settings : config_.http_sources) {
    in_flight = std::max(in_flight, settings.limits.in_flight_bytes);
    body = std::max(body, settings.limits.body_bytes);
  }
  const auto budget = std::make_shared<net::ByteBudget>(in_flight, body);
  for (const HttpSourceSettings& settings : config_.http_sources) {
    HttpSourceOptions options;
    options.budget = budget;
    options.quota = settings.quota;
    options.name = settings.name;
    options.address = settings.address;
    options.paths = settings.paths;
    options.limits = settings.limits;
    options.tls = settings.tls;
    options.auth = settings.auth;
    WarnIfInTheClear(settings);
    options.decode.cluster = config_.cluster;
    options.closed = true;
    options.ready = [this]() -> Status {
      const Readiness readiness = GetReadiness();
      if (readiness.ready) return {};
      return Fail(Code::kUnavailable,
                  readiness.reasons.empty() ? readiness.code : readiness.reasons.front());
    };
    sources_.push_back(std::make_unique<HttpSource>(std::move(options), *journal_));
  }
  for (const auto& source : sources_) {
    if (const Status started = source->Start(); !started) return started;
    ingest_addresses_.push_back(source->status().address);
  }
  return {};
}

void ServiceImpl::AttachAdmin() {
  std::map<std::string, Forwarder*> targets;
  for (const auto& [name, forwarder] : forwarders_) targets.emplace(name, forwarder.get());
  std::vector<const HttpSource*> sources;
  for (const auto& source : sources_) sources.push_back(source.get());
  parts_.reset(new AdminParts{config_, *journal_, *replays_, std::move(targets), std::move(sources),
                              [this] { return admin_->tls(); }});
  for (const std::string& warning : Warnings(*parts_)) log::Warn(warning);
  admin_->Attach(*parts_);
}

Status ServiceImpl::Build() {
  // The journal's own error tells more than an address that its other user has taken.
  const Status admin = ListenAdmin();
  if (const Status opened = OpenJournal(); !opened) return opened;
  if (!admin) return admin;
  // Listening before delivering: a start that fails for a taken port has sent nothing to anybody.
  // But nothing is taken before every target has its place, or what is acknowledged meanwhile
  // would lie before the place of a target that begins now.
  if (const Status sources = StartSources(); !sources) return sources;
  if (const Status targets = StartTargets(); !targets) return targets;
  if (const Status replays = OpenReplays(); !replays) return replays;
  // Ready is said when everything answers, or who waited for it would be refused by the admin API.
  AttachAdmin();
  phase_ = Phase::kServing;
  for (const auto& source : sources_) source->Open();
  return {};
}

// All at once, so that one target that hangs takes no time from the others.
void ServiceImpl::StopDelivery(SteadyTime deadline) {
  std::vector<std::jthread> stopping;
  for (const auto& [name, forwarder] : forwarders_) {
    stopping.push_back(StartThread(
        "stop-" + name,
        [deadline, &forwarder = *forwarder](std::stop_token) { forwarder.Stop(deadline); }));
  }
  if (replays_) replays_->Stop(deadline);
}

void ServiceImpl::Stop(SteadyTime deadline) {
  const std::lock_guard lock(stop_mutex_);
  if (stopped_) return;
  stopped_ = true;
  phase_ = Phase::kStopping;
  const SteadyTime now = RealClock().Steady();
  const Micros whole = std::max(deadline - now, Micros(0));
  for (const auto& source : sources_) source->Stop(now + whole * kSourcesPercent / 100);
  StopDelivery(deadline - whole * kClosingPercent / 100);
  if (admin_) admin_->Stop(std::min(deadline, RealClock().Steady() + kAdminTime));
  sources_.clear();
  parts_.reset();
  replays_.reset();
  forwarders_.clear();
  journal_.reset();
}

}  // namespace

Result<std::unique_ptr<Service>> Service::Start(Config config,
                                                std::function<void(const Error&)> on_fatal) {
  auto service =
      std::make_unique<ServiceImpl>(std::move(config), std::move(on_fatal), std::nullopt);
  if (const Status built = service->Build(); !built) return tl::unexpected(built.error());
  return service;
}

Result<std::unique_ptr<Service>> Service::ServeDamage(Config config, const Error& reason) {
  auto service = std::make_unique<ServiceImpl>(std::move(config), nullptr, reason);
  if (const Status admin = service->ListenAdmin(); !admin) return tl::unexpected(admin.error());
  return service;
}

}  // namespace spool
