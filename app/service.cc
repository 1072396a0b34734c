#include "app/service.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include "app/admin_api.h"
#include "app/config_classify.h"
#include "app/config_values.h"
#include "app/delivery.h"
#include "app/source_watch.h"
#include "base/log.h"
#include "base/time_text.h"
#include "ingest/redaction_key.h"
#include "ingest/sources/pulled_factory.h"
#include "net/byte_budget.h"

namespace spool {
namespace {

// Of the time that Stop has: what begun requests get, and what is kept for closing the journal.
constexpr int kSourcesPercent = 30;
constexpr int kClosingPercent = 15;
constexpr Micros kAdminTime = std::chrono::seconds(1);
// How long a drain waits for what is being stored.
constexpr Micros kDrainTime = std::chrono::seconds(10);

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
  ServiceImpl(Config config, std::function<void(const Error&)> on_fatal, ConfigLoader load,
              std::function<void()> on_end, std::optional<Error> damage)
      : on_fatal_(std::move(on_fatal)),
        load_(std::move(load)),
        on_end_(std::move(on_end)),
        damage_(std::move(damage)),
        started_(RealClock().Steady()) {
    if (config.journal.dir.empty()) config.journal.dir = config.data_dir;
    if (config.journal.streams.empty()) config.journal.streams = DefaultStreams();
    config_ = std::make_shared<const Config>(std::move(config));
    state_.config = config_;
    state_.since = state_.last_success = RealClock().Now();
  }
  ~ServiceImpl() override { Stop(RealClock().Steady() + std::chrono::seconds(2)); }

  Status ListenAdmin();
  Status Build();
  void Stop(SteadyTime deadline) override;
  ReloadReport Reload() override;
  std::string admin_address() const override { return admin_address_; }
  std::vector<std::string> ingest_addresses() const override { return ingest_addresses_; }

 private:
  Status OpenJournal();
  Status StartTargets();
  Status OpenReplays();
  Result<RedactionKey> RedactionKeyNow() const;
  Status StartSources();
  Result<DecodeOptions> DecodeOptionsOf(const std::string& source,
                                        const std::vector<std::string>& redact,
                                        const RedactionKey& key) const;
  Status WatchSources();
  void AttachAdmin();
  bool Drain(bool on);
  Readiness GetReadiness() const;
  ReloadReport TryReload();
  Status Swap(std::shared_ptr<const Config> fresh, const ReloadPlan& plan, Status* begun);
  std::vector<std::string> NotRunning() const;
  void Tell(const ReloadReport& report);
  ReloadState state() const {
    const std::lock_guard lock(state_mutex_);
    return state_;
  }

  std::shared_ptr<const Config> config_;  // changes while reload_mutex_ is held
  const std::function<void(const Error&)> on_fatal_;
  const ConfigLoader load_;
  const std::function<void()> on_end_;  // may be empty
  const std::optional<Error> damage_;
  const SteadyTime started_;
  std::atomic<Phase> phase_{Phase::kStarting};
  std::atomic<bool> fatal_{false};
  std::atomic<bool> draining_{false};
  std::mutex drain_mutex_;  // one at a time, and none while the sources are opened

  std::unique_ptr<AdminApi> admin_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<SourceGaps> gaps_;
  std::unique_ptr<Delivery> delivery_;
  std::unique_ptr<ReplayJobs> replays_;
  std::vector<std::unique_ptr<HttpSource>> http_sources_;
  std::vector<std::unique_ptr<PulledSource>> pulled_sources_;
  std::vector<Source*> sources_;  // all
  std::unique_ptr<SourceWatch> watch_;
  std::string admin_address_;
  std::vector<std::string> ingest_addresses_;

  std::mutex reload_mutex_;  // one reload at a time
  std::mutex swap_mutex_;    // held while one changes what runs: Stop waits for no more than that
  mutable std::mutex state_mutex_;
  ReloadState state_;  // guarded by state_mutex_; its config is what everybody else asks for

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
  context.drain = [this](bool on) { return Drain(on); };
  context.wake = [this](const std::string& name) {
    const Delivery::Targets targets = delivery_->targets();
    if (const auto it = targets.find(name); it != targets.end()) it->second->Wake();
  };
  context.reload_state = [this] { return state(); };
  context.reload = [this] { return Reload(); };
  auto admin = AdminApi::Start(config_->admin, std::move(context));
  if (!admin) return tl::unexpected(admin.error());
  admin_ = std::move(*admin);
  admin_address_ = admin_->address();
  return {};
}

Status ServiceImpl::OpenJournal() {
  JournalOptions options = config_->journal;
  options.on_fatal = [this](const Error& error) {
    if (fatal_.exchange(true)) return;
    log::Error("Storing failed; nothing more is acknowledged and the process ends.",
               {{"error", error.message}});
    if (on_fatal_) on_fatal_(error);
  };
  auto journal = Journal::Open(std::move(options));
  if (!journal) return tl::unexpected(journal.error());
  journal_ = std::move(*journal);
  auto gaps = SourceGaps::Load(journal_->records());
  if (!gaps) return tl::unexpected(gaps.error());
  gaps_ = std::move(*gaps);
  return {};
}

Status ServiceImpl::StartTargets() {
  delivery_ = std::make_unique<Delivery>(*journal_);
  if (const Status started = delivery_->Start(*config_); !started) return started;
  return journal_->PlacesAreTaken();
}

Status ServiceImpl::OpenReplays() {
  const auto find = [this](std::string_view name) -> std::optional<ReplayJobs::TargetParts> {
    const std::shared_ptr<const Config> config = state().config;
    for (const TargetConfig& target : config->targets) {
      if (target.settings.name != name) continue;
      Result<Router> router = RouterOf(*config, target.settings.name);
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

Result<RedactionKey> ServiceImpl::RedactionKeyNow() const {
  if (!config_->redaction_key) return KeepRedactionKey(config_->journal.dir);
  const auto secret = config_->redaction_key->Read();
  if (!secret) return Fail("redaction.key", secret.error());
  return RedactionKeyOf(*secret);
}

Status ServiceImpl::StartSources() {
  const auto key = RedactionKeyNow();
  if (!key) return tl::unexpected(key.error());
  // One memory for all: what one source may have is what all may have together.
  size_t in_flight = 0, body = 0;
  for (const HttpSourceSettings& settings : config_->http_sources) {
    in_flight = std::max(in_flight, settings.limits.in_flight_bytes);
    body = std::max(body, settings.limits.body_bytes);
  }
  const auto budget = std::make_shared<net::ByteBudget>(in_flight, body);
  auto classifier = ClassifierOf(config_->classify);
  if (!classifier) return tl::unexpected(classifier.error());
  for (const HttpSourceSettings& settings : config_->http_sources) {
    HttpSourceOptions options;
    options.classifier = *classifier;
    options.mutated_is_admission = config_->webhook_mutations;
    options.budget = budget;
    options.quota = settings.quota;
    options.name = settings.name;
    options.address = settings.address;
    options.paths = settings.paths;
    options.limits = settings.limits;
    options.tls = settings.tls;
    options.auth = settings.auth;
    WarnIfInTheClear(settings);
    auto decode = DecodeOptionsOf(settings.name, settings.redact, *key);
    if (!decode) return tl::unexpected(decode.error());
    options.decode = std::move(*decode);
    options.closed = true;
    options.ready = [this]() -> Status {
      const Readiness readiness = GetReadiness();
      if (readiness.ready) return {};
      return Fail(Code::kUnavailable,
                  readiness.reasons.empty() ? readiness.code : readiness.reasons.front());
    };
    http_sources_.push_back(std::make_unique<HttpSource>(std::move(options), *journal_));
    sources_.push_back(http_sources_.back().get());
  }
  for (const PulledSourceConfig& source : config_->pulled_sources) {
    IntakeOptions options;
    options.name = source.name;
    options.classifier = *classifier;
    options.mutated_is_admission = config_->webhook_mutations;
    options.gaps = gaps_.get();
    options.on_end = [this] {
      const bool all = std::ranges::all_of(
          sources_, [](const Source* one) { return one->status().state == "ended"; });
      if (all && on_end_) on_end_();
    };
    auto decode = DecodeOptionsOf(source.name, source.redact, *key);
    if (!decode) return tl::unexpected(decode.error());
    options.decode = std::move(*decode);
    pulled_sources_.push_back(MakePulledSource(source.of, std::move(options), *journal_));
    sources_.push_back(pulled_sources_.back().get());
  }
  for (Source* source : sources_) {
    if (const Status started = source->Start(); !started) return started;
  }
  for (const auto& source : http_sources_) ingest_addresses_.push_back(source->status().address);
  return {};
}

Result<DecodeOptions> ServiceImpl::DecodeOptionsOf(const std::string& source,
                                                   const std::vector<std::string>& redact,
                                                   const RedactionKey& key) const {
  DecodeOptions options;
  options.cluster = config_->cluster;
  options.quarantine_raw = config_->quarantine_raw;
  RedactionSettings rules = config_->redaction;
  rules.paths = redact;
  auto redaction = Redaction::Create(rules, key);
  if (!redaction) return Fail("source " + source, redaction.error());
  options.redaction = std::move(*redaction);
  return options;
}

Status ServiceImpl::WatchSources() {
  auto watch = SourceWatch::Start(*journal_, *gaps_, {sources_.begin(), sources_.end()});
  if (!watch) return tl::unexpected(watch.error());
  watch_ = std::move(*watch);
  return {};
}

void ServiceImpl::AttachAdmin() {
  std::map<std::string, Forwarder*> targets;
  std::vector<std::shared_ptr<const void>> owners{config_};
  for (const auto& [name, forwarder] : delivery_->targets()) {
    targets.emplace(name, forwarder.get());
    owners.push_back(forwarder);
  }
  const std::vector<const Source*> sources(sources_.begin(), sources_.end());
  std::vector<const HttpSource*> http;
  for (const auto& source : http_sources_) http.push_back(source.get());
  std::shared_ptr<const AdminParts> parts(
      new AdminParts{*config_, *journal_, *gaps_, *replays_, std::move(targets), sources,
                     std::move(http), [this] { return admin_->tls(); }, std::move(owners)});
  for (const std::string& warning : Warnings(*parts)) log::Warn(warning);
  admin_->Attach(std::move(parts));
}

// Only called once there are sources.
bool ServiceImpl::Drain(bool on) {
  const std::lock_guard lock(drain_mutex_);
  draining_ = on;
  const SteadyTime deadline = RealClock().Steady() + kDrainTime;
  bool stored = true;
  for (const auto& source : sources_) {
    if (!on && phase_ == Phase::kServing) source->Open();
    if (on) stored = source->Close(deadline) && stored;
  }
  watch_->Drained(on);
  return stored;
}

// Configured targets without a forwarder: the journal refused them their place.
std::vector<std::string> ServiceImpl::NotRunning() const {
  std::vector<std::string> names;
  const Delivery::Targets running = delivery_->targets();
  for (const TargetConfig& target : config_->targets) {
    if (!running.contains(target.settings.name)) names.push_back(target.settings.name);
  }
  return names;
}

// What is built and checked before anything changes; an error is of that. After it only a target
// can fail to begin, which `begun` tells.
Status ServiceImpl::Swap(std::shared_ptr<const Config> fresh, const ReloadPlan& plan,
                         Status* begun) {
  auto auth = AdminAuth::Create(fresh->admin);
  if (!auth) return Fail("the admin listener", auth.error());
  std::vector<std::pair<HttpSource*, std::shared_ptr<const HttpSource::Policy>>> policies;
  auto classifier = ClassifierOf(fresh->classify);
  if (!classifier) return tl::unexpected(classifier.error());
  for (const HttpSourceSettings& settings : fresh->http_sources) {
    for (const auto& source : http_sources_) {
      if (source->status().name != settings.name) continue;
      auto policy = source->Prepare(
          {settings.paths, settings.quota, settings.auth, *classifier, fresh->webhook_mutations});
      if (!policy) return tl::unexpected(policy.error());
      policies.emplace_back(source.get(), std::move(*policy));
    }
  }
  std::vector<std::string> begin = plan.added;
  begin.insert(begin.end(), plan.changed.begin(), plan.changed.end());
  auto prepared = delivery_->Prepare(*fresh, begin, plan.removed);
  if (!prepared) return tl::unexpected(prepared.error());
  if (const Status bounded = journal_->SetBounds(fresh->journal.streams); !bounded) return bounded;

  log::Configure(fresh->log_level, fresh->log_format);
  admin_->Use(std::move(*auth));
  for (auto& [source, policy] : policies) source->Use(std::move(policy));
  for (const auto& source : pulled_sources_) source->Use(*classifier, fresh->webhook_mutations);
  config_ = fresh;
  {
    const std::lock_guard lock(state_mutex_);
    state_.config = std::move(fresh);
  }
  *begun = delivery_->Change(std::move(*prepared), RealClock().Steady() + Forwarder::kStopGrace);
  for (const auto* names : {&plan.changed, &plan.removed}) {
    for (const std::string& name : *names) replays_->Renew(name);
  }
  AttachAdmin();
  return {};
}

ReloadReport ServiceImpl::TryReload() {
  ReloadReport report;
  const auto fail = [&](std::string code, std::string detail) {
    report.code = std::move(code);
    report.detail = std::move(detail);
    return std::move(report);
  };
  if (damage_) return fail("damaged", "The journal is damaged and was not opened.");
  if (phase_ != Phase::kServing) return fail("unavailable", "The service does not run now.");
  if (!load_)
    return fail("unavailable", "The service was started without a configuration to read.");
  ConfigResult loaded = load_();
  report.warnings = std::move(loaded.warnings);
  if (!loaded.config) {
    report.problems = std::move(loaded.problems);
    return fail("invalid_config", "The configuration has " +
                                      std::to_string(report.problems.size()) +
                                      (report.problems.size() == 1 ? " problem" : " problems") +
                                      "; what was there before stays in force.");
  }
  report.plan = PlanReload(*config_, *loaded.config);
  if (!report.plan.refused.empty()) {
    report.problems = report.plan.refused;
    std::string keys;
    for (const std::string& key : report.plan.fixed) keys += (keys.empty() ? "" : ", ") + key;
    return fail("needs_restart",
                "The configuration changes what cannot be changed while spoold "
                "runs, so nothing of it is taken: " +
                    keys + ".");
  }
  // What could not begin the last time is tried again.
  for (const std::string& name : NotRunning()) {
    const auto in = [&](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (in(report.plan.changed) || in(report.plan.removed)) continue;
    report.plan.changed.push_back(name);
  }
  report.ok = true;
  if (report.plan.keys.empty() && report.plan.changed.empty()) return report;
  const std::lock_guard lock(swap_mutex_);
  if (phase_ != Phase::kServing) {
    report.ok = false;
    return fail("unavailable", "The service is stopping.");
  }
  Status begun;
  const Status swapped =
      Swap(std::make_shared<const Config>(std::move(*loaded.config)), report.plan, &begun);
  report.ok = report.taken = swapped.has_value();
  if (swapped && begun) return report;
  report.ok = false;
  if (swapped) {
    std::string names;
    for (const std::string& name : NotRunning()) names += (names.empty() ? "" : ", ") + name;
    return fail("target_not_running",
                "The new configuration is in force, but these targets could "
                "not begin and deliver nothing: " +
                    names + " (" + begun.error().message + ").");
  }
  const bool kept = swapped.error().code == Code::kInvalid;
  return fail(kept ? "invalid_config" : std::string(CodeName(swapped.error().code)),
              "The configuration cannot be used: " + swapped.error().message + ".");
}

void ServiceImpl::Tell(const ReloadReport& report) {
  constexpr size_t kToldMax = 20;
  for (const ConfigProblem& warning : report.warnings) log::Warn(FormatPlace(warning));
  if (report.ok) {
    const auto count = [](const std::vector<std::string>& names) { return names.size(); };
    if (report.plan.keys.empty()) {
      log::Info("The configuration was read again and says what it said before.",
                {{"revision", report.revision}});
      return;
    }
    log::Info("The configuration was read again and is in force.",
              {{"revision", report.revision},
               {"settings", count(report.plan.keys)},
               {"targets_added", count(report.plan.added)},
               {"targets_changed", count(report.plan.changed)},
               {"targets_removed", count(report.plan.removed)}});
    return;
  }
  log::Error(report.taken
                 ? "The configuration was read again and is in force, but not with every target."
                 : "The configuration was read again and is not taken; the old one stays in force.",
             {{"code", report.code}, {"detail", report.detail}});
  for (size_t i = 0; i < report.problems.size() && i < kToldMax; ++i) {
    log::Error(FormatPlace(report.problems[i]));
  }
}

ReloadReport ServiceImpl::Reload() {
  const std::lock_guard lock(reload_mutex_);
  ReloadReport report = TryReload();
  const SystemTime now = RealClock().Now();
  {
    const std::lock_guard state_lock(state_mutex_);
    if (report.taken && !report.plan.keys.empty()) {
      ++state_.revision;
      state_.since = now;
    }
    state_.last_ok = report.ok;
    state_.last_error = report.detail;
    if (report.ok) state_.last_success = now;
    report.revision = state_.revision;
  }
  Tell(report);
  return report;
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
  if (const Status watched = WatchSources(); !watched) return watched;
  // Ready is said when everything answers, or who waited for it would be refused by the admin API.
  AttachAdmin();
  const std::lock_guard lock(drain_mutex_);
  phase_ = Phase::kServing;
  for (const auto& source : sources_) {
    if (!draining_) source->Open();
  }
  return {};
}

void ServiceImpl::Stop(SteadyTime deadline) {
  const std::lock_guard lock(stop_mutex_);
  if (stopped_) return;
  stopped_ = true;
  phase_ = Phase::kStopping;
  const SteadyTime now = RealClock().Steady();
  const Micros whole = std::max(deadline - now, Micros(0));
  const SystemTime since = RealClock().Now();
  for (const auto& source : sources_) source->Stop(now + whole * kSourcesPercent / 100);
  if (watch_) watch_->Stopped(since);
  // A reload that changes things is done soon; any other sees the phase. Not held further on: the
  // admin API waits for its own threads.
  { const std::lock_guard no_change(swap_mutex_); }
  const SteadyTime delivered = deadline - whole * kClosingPercent / 100;
  if (delivery_) delivery_->Stop(delivered);
  if (replays_) replays_->Stop(delivered);
  if (admin_) admin_->Stop(std::min(deadline, RealClock().Steady() + kAdminTime));
  watch_.reset();
  sources_.clear();
  http_sources_.clear();
  pulled_sources_.clear();
  replays_.reset();
  delivery_.reset();
  gaps_.reset();
  journal_.reset();
}

}  // namespace

Result<std::unique_ptr<Service>> Service::Start(Config config,
                                                std::function<void(const Error&)> on_fatal,
                                                ConfigLoader load, std::function<void()> on_end) {
  auto service = std::make_unique<ServiceImpl>(std::move(config), std::move(on_fatal),
                                               std::move(load), std::move(on_end), std::nullopt);
  if (const Status built = service->Build(); !built) return tl::unexpected(built.error());
  return service;
}

Result<std::unique_ptr<Service>> Service::ServeDamage(Config config, const Error& reason) {
  auto service =
      std::make_unique<ServiceImpl>(std::move(config), nullptr, nullptr, nullptr, reason);
  if (const Status admin = service->ListenAdmin(); !admin) return tl::unexpected(admin.error());
  return service;
}

}  // namespace spool
