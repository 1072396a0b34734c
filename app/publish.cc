#include "app/publish.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "app/config_text.h"
#include "base/log.h"
#include "forward/catch_up.h"
#include "spool/directory.h"

namespace spool {
namespace {

// Whoever runs it names the target, so `beginning` is meant; a service that is started with one
// more target would send old events that nobody asked for.
Result<Sequence> StartOf(const TargetConfig& target, const Journal& journal) {
  if (target.start == TargetConfig::Start::kTime) return journal.Find(target.start_time);
  const bool all = target.start == TargetConfig::Start::kBeginning || journal.places_lost();
  return all ? journal.stored().first : journal.end();
}

bool HasPlace(const Journal& journal, const std::string& target) {
  const auto cursors = journal.Cursors();
  return std::any_of(cursors.begin(), cursors.end(),
                     [&](const CursorStatus& cursor) { return cursor.name == "target/" + target; });
}

void TellOfUnknown(const Config& config, const std::string& name) {
  std::vector<std::string_view> names;
  for (const TargetConfig& target : config.targets) names.push_back(target.settings.name);
  log::Error("There is no target of that name in the configuration; nothing was sent.",
             {{"code", "unknown_target"},
              {"target", name},
              {"hint", names.empty() ? "no targets are configured" : Suggestion(name, names)}});
}

std::string_view EndName(CatchUpResult::End end) {
  switch (end) {
    case CatchUpResult::End::kCaughtUp: return "caught up";
    case CatchUpResult::End::kPaused: return "paused";
    case CatchUpResult::End::kHeld: return "held";
    case CatchUpResult::End::kOutOfTime: return "timeout";
    case CatchUpResult::End::kStopped: return "stopped";
  }
  return "stopped";
}

std::string_view Sentence(CatchUpResult::End end) {
  switch (end) {
    case CatchUpResult::End::kCaughtUp: return "The target has had everything.";
    case CatchUpResult::End::kPaused:
      return "The target is paused, so nothing was sent; resume it with `spoolctl target resume` "
             "while spoold runs.";
    case CatchUpResult::End::kHeld:
      return "The target refuses delivery until its configuration or credentials are put right; "
             "what is left is kept for the next run.";
    case CatchUpResult::End::kOutOfTime:
      return "The time was up before the target had everything; what is left is kept for the next "
             "run.";
    case CatchUpResult::End::kStopped:
      return "A signal came before the target had everything; what is left is kept for the next "
             "run.";
  }
  return {};
}

int Tell(const std::string& target, const CatchUpResult& result) {
  const Account& after = result.after;
  const uint64_t dead =
      after.dead_lettered - std::min(after.dead_lettered, result.before.dead_lettered);
  const bool done = result.end == CatchUpResult::End::kCaughtUp;
  const log::Fields fields{{"target", target},
                           {"end", EndName(result.end)},
                           {"delivered", after.delivered - result.before.delivered},
                           {"filtered", after.filtered - result.before.filtered},
                           {"dead_lettered", dead},
                           {"evicted", after.evicted - result.before.evicted},
                           {"pending", after.pending},
                           {"last_error", result.last_error}};
  const std::string sentence(Sentence(result.end));
  done ? log::Info(sentence, fields) : log::Warn(sentence, fields);
  if (dead > 0) {
    log::Warn("The target refused events for good; they wait among the dead letters.",
              {{"target", target}, {"dead_lettered", dead}});
  }
  return done ? kPublishCaughtUp : kPublishNotAll;
}

}  // namespace

std::string RefuseSource(const std::string& source) {
  if (source.empty()) return {};
  return "--source " + source + ": taking events from " + (source == "nats" ? "NATS" : "Kafka") +
         " is not available in this version";
}

Result<int> Publish(const Config& config, const PublishOptions& options,
                    std::function<void(const Error&)> on_fatal, std::stop_token stop) {
  const SteadyTime begun = RealClock().Steady();
  const auto target =
      std::find_if(config.targets.begin(), config.targets.end(),
                   [&](const TargetConfig& t) { return t.settings.name == options.target; });
  if (target == config.targets.end()) {
    TellOfUnknown(config, options.target);
    return kPublishNoSuchTarget;
  }
  // Opening would make one, and every run would say that all is well in the wrong place.
  const Result<bool> made = ReadFormatFile(config.data_dir);
  if (made && !*made) {
    log::Error(
        "There is no journal in the data directory; name the one that spoold writes with "
        "--data-dir.",
        {{"code", "no_journal"}, {"data_dir", config.data_dir}});
    return kPublishNoSuchTarget;
  }
  Result<Router> router = Router::Compile(config.routes, options.target, !config.has_routes);
  if (!router) return Fail("routes of target \"" + options.target + "\"", router.error());

  JournalOptions journal_options = config.journal;
  journal_options.dir = config.data_dir;
  if (journal_options.streams.empty()) journal_options.streams = DefaultStreams();
  const auto failed = std::make_shared<std::atomic<bool>>(false);
  journal_options.on_fatal = [failed, on_fatal = std::move(on_fatal)](const Error& error) {
    if (!failed->exchange(true)) on_fatal(error);
  };
  auto journal = Journal::Open(std::move(journal_options));
  if (!journal) return tl::unexpected(journal.error());

  TargetSettings settings = target->settings;
  const Result<Sequence> start = StartOf(*target, **journal);
  if (!start) return Fail("target \"" + settings.name + "\"", start.error());
  settings.start = *start;
  if (!HasPlace(**journal, settings.name)) {
    log::Info("The target is new to this journal; it begins here, and nothing before is sent.",
              {{"target", settings.name}, {"from", start->value}});
  }
  const SteadyTime deadline =
      options.timeout == Micros::zero() ? SteadyTime::max() : begun + options.timeout;
  const Result<CatchUpResult> result =
      CatchUp(settings, std::move(*router), **journal, RealClock(), deadline, std::move(stop));
  if (!result) return tl::unexpected(result.error());
  journal->reset();  // which writes, too
  if (*failed) return Fail(Code::kStorage, "the journal failed when it was closed");
  return Tell(settings.name, *result);
}

}  // namespace spool
