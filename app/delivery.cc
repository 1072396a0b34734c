#include "app/delivery.h"

#include <algorithm>
#include <thread>

#include "base/assert.h"
#include "base/thread.h"
#include "forward/sink_factory.h"

namespace spool {

Result<Router> RouterOf(const Config& config, const std::string& target) {
  Result<Router> router = Router::Compile(config.routes, target, !config.has_routes);
  if (!router) return Fail("routes of target \"" + target + "\"", router.error());
  return router;
}

// Where a target that has no place yet begins.
Result<Sequence> Delivery::StartOf(const TargetConfig& target) const {
  if (journal_.places_lost() && target.start != TargetConfig::Start::kTime) {
    return journal_.stored().first;
  }
  switch (target.start) {
    case TargetConfig::Start::kBeginning:
      // Only what this very journal ever had; a target added later, also by a reload, would get old
      // events that nobody asked for.
      return journal_.created() && !started_ ? journal_.stored().first : journal_.end();
    case TargetConfig::Start::kNow: return journal_.end();
    case TargetConfig::Start::kTime: return journal_.Find(target.start_time);
  }
  return journal_.end();
}

Result<Delivery::Prepared> Delivery::Prepare(const Config& config,
                                             const std::vector<std::string>& names,
                                             std::vector<std::string> removed) const {
  Prepared prepared;
  prepared.removed = std::move(removed);
  const Targets running = targets();
  for (const std::string& name : names) {
    const auto target =
        std::find_if(config.targets.begin(), config.targets.end(),
                     [&](const TargetConfig& t) { return t.settings.name == name; });
    SPOOL_ASSERT(target != config.targets.end());
    Result<Router> router = RouterOf(config, name);
    if (!router) return tl::unexpected(router.error());
    auto sink = MakeSink(target->settings.sink);
    if (!sink) return Fail("target \"" + name + "\"", sink.error());
    // One that runs has its place.
    const Result<Sequence> start = running.contains(name) ? journal_.end() : StartOf(*target);
    if (!start) return Fail("target \"" + name + "\"", start.error());
    prepared.begin.push_back(
        {name, target->settings, std::move(*router), std::move(*sink), *start});
  }
  return prepared;
}

Status Delivery::Start(const Config& config) {
  std::vector<std::string> names;
  for (const TargetConfig& target : config.targets) names.push_back(target.settings.name);
  auto prepared = Prepare(config, names, {});
  if (!prepared) return tl::unexpected(prepared.error());
  for (Ready& ready : prepared->begin) {
    if (const Status begun = Replace(ready.name, &ready, {}); !begun) return begun;
  }
  started_ = true;
  return {};
}

Status Delivery::Replace(const std::string& name, Ready* ready, SteadyTime deadline) {
  std::shared_ptr<Forwarder> old;
  {
    const std::lock_guard lock(mutex_);
    const auto found = targets_.find(name);
    if (found != targets_.end()) old = found->second;
  }
  if (old) old->Stop(deadline);
  std::shared_ptr<Forwarder> fresh;
  Status begun;
  if (ready != nullptr) {
    ready->settings.start = ready->start;
    auto made = Forwarder::StartWith(std::move(ready->sink), ready->settings,
                                     std::move(ready->router), journal_, RealClock());
    if (made) {
      fresh = std::move(*made);
    } else {
      begun = tl::unexpected(made.error());
    }
  }
  {
    const std::lock_guard lock(mutex_);
    if (fresh) {
      targets_[name] = fresh;
    } else {
      targets_.erase(name);
    }
  }
  // Who wanted a dead letter sent again after this one had looked may have woken the one before.
  if (fresh) fresh->Wake();
  return begun;
}

Status Delivery::Change(Prepared prepared, SteadyTime deadline) {
  std::mutex first_mutex;
  Status first;
  {
    std::vector<std::jthread> changing;
    const auto add = [&](const std::string& name, Ready* ready) {
      changing.push_back(StartThread("change-" + name, [&, name, ready](std::stop_token) {
        const Status done = Replace(name, ready, deadline);
        const std::lock_guard lock(first_mutex);
        if (!done && first) first = done;
      }));
    };
    for (const std::string& name : prepared.removed) add(name, nullptr);
    for (Ready& ready : prepared.begin) add(ready.name, &ready);
  }
  return first;
}

void Delivery::Stop(SteadyTime deadline) {
  const Targets all = targets();
  std::vector<std::jthread> stopping;
  for (const auto& [name, forwarder] : all) {
    stopping.push_back(StartThread(
        "stop-" + name,
        [deadline, &forwarder = *forwarder](std::stop_token) { forwarder.Stop(deadline); }));
  }
}

Delivery::Targets Delivery::targets() const {
  const std::lock_guard lock(mutex_);
  return targets_;
}

}  // namespace spool
