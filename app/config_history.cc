#include "app/config_history.h"

#include <algorithm>
#include <deque>
#include <set>

#include "app/config_trial.h"
#include "spool/reader.h"

namespace spool {
namespace {

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const TargetSettings* Find(const Config& config, const std::string& name) {
  for (const TargetConfig& target : config.targets) {
    if (target.settings.name == name) return &target.settings;
  }
  return nullptr;
}

class Comparison {
 public:
  Comparison(const Config& running, const Config& fresh, const ConfigTrial& before,
             const ConfigTrial& after)
      : before_(before), after_(after), running_(running), fresh_(fresh) {
    for (const Config* config : {&running, &fresh}) {
      const bool old = config == &running;
      const auto there = [&](HistoryCount& count) {
        (old ? count.before_there : count.after_there) = true;
      };
      for (const RouteSettings& route : config->routes) there(report_.routes[route.name]);
      for (const TargetConfig& target : config->targets)
        there(report_.targets[target.settings.name]);
    }
  }

  void Look(const EventView& event, bool special) {
    const TrialPlaces old = before_.Judge(event, special);
    const TrialPlaces now = after_.Judge(event, special);
    HistorySample sample;
    ++report_.events;
    Count(old.routes, now.routes, report_.routes, nullptr);
    Count(old.targets, now.targets, report_.targets, &sample);
    for (const std::string& name : now.targets) {
      if (Has(old.targets, name)) LookAtAddress(name, event, sample);
    }
    if (sample.gained.empty() && sample.lost.empty() && sample.elsewhere.empty()) return;
    ++report_.changed;
    sample.sequence = event.sequence;
    sample.stream = event.stream;
    sample.subject = event.subject;
    sample.reason = event.reason;
    samples_.push_front(std::move(sample));
    if (samples_.size() > kHistorySamplesMax) samples_.pop_back();
  }

  HistoryReport Take() {
    report_.samples.assign(samples_.begin(), samples_.end());
    return std::move(report_);
  }

 private:
  static void Count(const std::vector<std::string>& old, const std::vector<std::string>& now,
                    std::map<std::string, HistoryCount>& counts, HistorySample* sample) {
    for (const std::string& name : old) {
      HistoryCount& count = counts[name];
      ++count.before;
      if (Has(now, name)) continue;
      ++count.lost;
      if (sample != nullptr) sample->lost.push_back(name);
    }
    for (const std::string& name : now) {
      HistoryCount& count = counts[name];
      ++count.after;
      if (Has(old, name)) continue;
      ++count.gained;
      if (sample != nullptr) sample->gained.push_back(name);
    }
  }

  void LookAtAddress(const std::string& name, const EventView& event, HistorySample& sample) {
    const TargetSettings* old = Find(running_, name);
    const TargetSettings* now = Find(fresh_, name);
    if (old == nullptr || now == nullptr) return;
    std::string before = AddressOf(*old, event);
    std::string after = AddressOf(*now, event);
    if (old->type != now->type) {
      before = old->type + (before.empty() ? "" : ": " + before);
      after = now->type + (after.empty() ? "" : ": " + after);
    }
    if (before == after) return;
    ++report_.targets[name].elsewhere;
    sample.elsewhere.push_back({name, std::move(before), std::move(after)});
  }

  const ConfigTrial& before_;
  const ConfigTrial& after_;
  const Config& running_;
  const Config& fresh_;
  HistoryReport report_;
  std::deque<HistorySample> samples_;
};

}  // namespace

Result<HistoryReport> CompareOverHistory(const Config& running, const Config& fresh,
                                         const Journal& journal, uint64_t events,
                                         std::stop_token stop) {
  const auto before = ConfigTrial::Create(running);
  if (!before) return tl::unexpected(before.error());
  const auto after = ConfigTrial::Create(fresh);
  if (!after) return tl::unexpected(after.error());
  const SequenceRange stored = journal.stored();
  const uint64_t wanted = std::min(events, kHistoryEventsMax);
  // Sequences are dense over all streams, but for what retention took from some of them.
  const uint64_t span = std::min<uint64_t>(wanted, stored.end - stored.first);
  SequenceRange range{Sequence{stored.end.value - span}, stored.end};
  const StreamSet ordinary = journal.AllStreams();
  Comparison comparison(running, fresh, *before, *after);
  const auto reader = journal.NewReader(journal.AllWithSpecial());
  for (Sequence at = range.first; at < range.end;) {
    if (stop.stop_requested()) return Fail(Code::kCancelled, "the service is stopping");
    const auto page = reader->Read(at, {});
    if (!page) return tl::unexpected(page.error());
    for (const EventView& event : page->events) {
      if (event.sequence >= range.end) break;
      comparison.Look(event, !ordinary.Contains(event.stream_id));
    }
    if (page->next <= at) break;
    at = page->next;
  }
  HistoryReport report = comparison.Take();
  report.range = range;
  return report;
}

}  // namespace spool
