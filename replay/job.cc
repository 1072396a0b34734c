#include "replay/job.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "base/thread.h"
#include "replay/job_record.h"
#include "replay/selection.h"
#include "spool/records.h"

namespace spool {
namespace {

// How long a job that waits for the journal goes without looking at it.
constexpr Millis kIdleWait{1000};
constexpr Millis kCancelWait{5000};

void TakeCounts(ReplayStatus& status, const Account& account) {
  status.delivered = account.delivered;
  status.rejected = account.dead_lettered;
  status.evicted = account.evicted;
  status.settled = status.delivered + status.rejected;
}

bool HasEnded(ReplayState state) {
  return state != ReplayState::kRunning && state != ReplayState::kPaused;
}

PumpOptions OptionsFor(const ReplayJob::TargetParts& parts, const ReplayStatus& job,
                       const Matcher* match) {
  const TargetSettings& target = parts.settings;
  PumpOptions options;
  options.target = target.name;
  options.batch = target.batch;
  options.retry = target.retry;
  options.attempt_deadline =
      std::max(options.attempt_deadline, target.sink.timeout.connect + target.sink.timeout.request);
  const double rate = job.request.events_per_second;
  options.events_per_second = rate > 0 ? rate : target.events_per_second;
  // No age limit: old events are what a replay is for.
  options.end = job.range.end;
  options.replay = job.id;
  options.match = match;
  options.seed = RandomUint64();
  return options;
}

}  // namespace

ReplayJob::ReplayJob(Journal& journal, const Clock& clock, ReplayStatus status)
    : journal_(journal),
      clock_(clock),
      id_(status.id),
      name_(std::string(kReplayPrefix) + status.id),
      target_(status.request.target),
      status_(std::move(status)) {}

ReplayJob::~ReplayJob() {
  BeginStop();
  EndStop(RealClock().Steady());
}

void ReplayJob::Open(std::optional<TargetParts> parts) {
  const ReplayState now = state();
  if (now == ReplayState::kPaused) return;
  if (HasEnded(now)) return Conclude();
  if (!parts) {
    return Finish({ReplayState::kFailed, "the target \"" + target_ + "\" does not exist any more"});
  }
  const std::lock_guard order(order_);
  parts_ = std::move(parts);
  StartLoop();
}

ReplayState ReplayJob::state() const {
  const std::lock_guard lock(mutex_);
  return status_.state;
}

ReplayStatus ReplayJob::Snapshot(const std::vector<CursorStatus>& cursors) const {
  const std::lock_guard lock(mutex_);
  ReplayStatus status = status_;
  if (concluded_) return status;
  for (const CursorStatus& cursor : cursors) {
    if (cursor.name == name_) TakeCounts(status, cursor.account);
  }
  return status;
}

Status ReplayJob::ChangeState(ReplayState state) {
  ReplayStatus changed;
  {
    const std::lock_guard lock(mutex_);
    changed = status_;
  }
  changed.state = state;
  if (HasEnded(state)) changed.finished = clock_.Now();
  const auto record = EncodeReplay(changed);
  if (!record) return tl::unexpected(record.error());
  if (Status put = journal_.records().Put(name_, *record); !put) {
    return Fail("cannot record the replay " + id_, put.error());
  }
  const std::lock_guard lock(mutex_);
  status_.state = state;
  status_.finished = changed.finished;
  return {};
}

Status ReplayJob::Pause() {
  const std::lock_guard order(order_);
  const ReplayState now = state();
  if (HasEnded(now)) return Fail(Code::kConflict, "the replay " + id_ + " has ended already");
  if (now == ReplayState::kPaused) return {};
  if (Status changed = ChangeState(ReplayState::kPaused); !changed) return changed;
  log::Info("The replay is paused.", {{"replay", id_}});
  Ring();
  return {};
}

Status ReplayJob::Resume(std::optional<TargetParts> parts) {
  const std::lock_guard order(order_);
  const ReplayState now = state();
  if (HasEnded(now)) return Fail(Code::kConflict, "the replay " + id_ + " has ended already");
  if (now == ReplayState::kRunning) return {};
  if (!parts) {
    return Fail(Code::kConflict, "the target \"" + target_ + "\" does not exist any more");
  }
  if (Status changed = ChangeState(ReplayState::kRunning); !changed) return changed;
  log::Info("The replay is resumed.", {{"replay", id_}});
  {
    // A loop that was on its way out sees the state and stays.
    const std::lock_guard lock(mutex_);
    if (stopping_) return {};
    if (!ended_) {
      renewed_ = std::move(parts);  // its own may be those of before the pause
      return {};
    }
  }
  parts_ = std::move(parts);
  StartLoop();
  return {};
}

void ReplayJob::Renew(std::optional<TargetParts> parts) {
  if (!parts) {
    if (state() != ReplayState::kRunning) return;
    const Status paused = Pause();
    log::Warn(
        "The target of a replay is not configured any more; it waits for it to come back.",
        {{"replay", id_}, {"target", target_}, {"error", paused ? "" : paused.error().message}});
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;  // who starts it gives it its parts
    renewed_ = std::move(parts);
  }
  Ring();
}

Status ReplayJob::Cancel() {
  {
    const std::lock_guard order(order_);
    const ReplayState now = state();
    if (now == ReplayState::kCancelled) return {};
    if (HasEnded(now)) return Fail(Code::kConflict, "the replay " + id_ + " has ended already");
    if (Status changed = ChangeState(ReplayState::kCancelled); !changed) return changed;
    log::Info("The replay is cancelled.", {{"replay", id_}});
    std::unique_lock lock(mutex_);
    if (ended_) {
      lock.unlock();
      ConcludeHoldingOrder();
      return {};
    }
  }
  cut_.request_stop();
  Ring();
  std::unique_lock lock(mutex_);
  rung_.wait_for(lock, kCancelWait, [&] { return ended_; });
  return {};
}

void ReplayJob::Ring() {
  const std::lock_guard lock(mutex_);
  bell_ = true;
  rung_.notify_all();
}

void ReplayJob::BeginStop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Ring();
}

void ReplayJob::EndStop(SteadyTime deadline) {
  {
    std::unique_lock lock(mutex_);
    rung_.wait_until(lock, deadline, [&] { return ended_; });
  }
  cut_.request_stop();
  {
    std::unique_lock lock(mutex_);
    rung_.wait(lock, [&] { return ended_; });
  }
  const std::lock_guard order(order_);
  if (thread_.joinable()) thread_.join();
}

void ReplayJob::StartLoop() {
  if (thread_.joinable()) thread_.join();  // it has ended: this waits for no work
  {
    const std::lock_guard lock(mutex_);
    ended_ = false;
    renewed_.reset();
  }
  thread_ = StartThread("replay-" + id_, [this](std::stop_token) { Loop(); });
}

void ReplayJob::Loop() {
  while (true) {
    if (auto end = Work()) {
      Finish(std::move(*end));
    }
    std::unique_lock lock(mutex_);
    if (HasEnded(status_.state) && !concluded_) {
      lock.unlock();
      Conclude();
      continue;
    }
    if (stopping_ || status_.state != ReplayState::kRunning) {
      ended_ = true;
      rung_.notify_all();
      return;
    }
  }
}

bool ReplayJob::GoesOn() const {
  const std::lock_guard lock(mutex_);
  return !stopping_ && status_.state == ReplayState::kRunning;
}

// Delivers until the end (which is returned), or until the job is not to run.
std::optional<ReplayJob::End> ReplayJob::Work() {
  if (!GoesOn()) return std::nullopt;
  const auto failed = [](const Error& error) { return End{ReplayState::kFailed, error.message}; };
  ReplayStatus job;
  {
    const std::lock_guard lock(mutex_);
    job = status_;
    if (renewed_) parts_ = std::exchange(renewed_, std::nullopt);
  }
  const auto match = CompileMatch(job.request);
  if (!match) return failed(match.error());
  const auto sink = MakeSink(parts_->settings.sink);
  if (!sink) return failed(sink.error());
  Journal::CursorOptions options;
  options.name = name_;
  options.streams = parts_->router.Reach(journal_);
  options.start = job.range.first;
  options.pins = false;
  // No route leads there now: nothing is left to send, as where each event is passed over by
  // itself.
  if (options.streams.empty()) return End{ReplayState::kDone, ""};
  const auto cursor = journal_.OpenCursor(options);
  if (!cursor) return failed(cursor.error());
  Pump pump(OptionsFor(*parts_, job, &*match), journal_, **cursor, parts_->router, **sink, clock_);
  return Turn(pump);
}

std::optional<ReplayJob::End> ReplayJob::Turn(Pump& pump) {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ || status_.state != ReplayState::kRunning || renewed_) return std::nullopt;
      bell_ = false;
    }
    const Step step = pump.Run(cut_.get_token());
    {
      std::string last_error = pump.status().last_error;
      const std::lock_guard lock(mutex_);
      status_.error = std::move(last_error);
    }
    switch (step) {
      case Step::kProgress: break;
      case Step::kDone: return End{ReplayState::kDone, ""};
      case Step::kBroken: return End{ReplayState::kFailed, pump.error()->message};
      case Step::kIdle:
      case Step::kWait: Rest(step, pump); break;
    }
  }
}

void ReplayJob::Rest(Step step, const Pump& pump) {
  const Micros left = step == Step::kIdle ? Micros(kIdleWait) : pump.wake_at() - clock_.Steady();
  if (left <= Micros::zero()) return;
  std::unique_lock lock(mutex_);
  rung_.wait_for(lock, left, [&] { return bell_; });
}

void ReplayJob::Finish(End end) {
  const std::lock_guard order(order_);
  {
    const std::lock_guard lock(mutex_);
    if (HasEnded(status_.state)) return;  // cancelled in the meantime
    status_.state = end.state;
    status_.error = end.error;
    status_.finished = clock_.Now();
  }
  ConcludeHoldingOrder();
  if (end.state == ReplayState::kDone) {
    const std::string left = Snapshot({}).error;
    left.empty() ? log::Info("The replay is done.", {{"replay", id_}, {"target", target_}})
                 : log::Warn("The replay is done, and not all of its events were sent.",
                             {{"replay", id_}, {"target", target_}, {"reason", left}});
  } else {
    log::Error("The replay failed and sends no more; what it sent stays sent.",
               {{"replay", id_}, {"target", target_}, {"error", end.error}});
  }
}

void ReplayJob::Conclude() {
  const std::lock_guard order(order_);
  ConcludeHoldingOrder();
}

// Writes the final counts and removes the cursor, in this order, so that after a crash in between
// the counts are found in one or the other. The cursor is closed.
void ReplayJob::ConcludeHoldingOrder() {
  bool counted = false;
  for (const CursorStatus& cursor : journal_.Cursors()) {
    if (cursor.name != name_) continue;
    const std::lock_guard lock(mutex_);
    TakeCounts(status_, cursor.account);
    counted = true;
  }
  ReplayStatus last;
  {
    const std::lock_guard lock(mutex_);
    const uint64_t seen = status_.settled + status_.evicted;
    if (status_.state == ReplayState::kDone && seen < status_.total) {
      status_.error = std::to_string(status_.total - seen) +
                      " events were not sent: the routes do not lead them to the target any more";
    }
    concluded_ = true;
    last = status_;
  }
  const auto record = EncodeReplay(last);
  Status kept = record ? journal_.records().Put(name_, *record) : tl::unexpected(record.error());
  if (kept && counted) kept = journal_.RemoveCursor(name_);
  if (!kept) {
    log::Error("The end of a replay could not be recorded; the next start tries again.",
               {{"replay", id_}, {"error", kept.error().message}});
  }
}

}  // namespace spool
