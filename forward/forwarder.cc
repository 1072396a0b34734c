#include "forward/forwarder.h"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "base/log.h"
#include "base/thread.h"
#include "spool/cursor.h"
#include "spool/records.h"

namespace spool {
namespace {

// How long an idle forwarder sleeps at most without looking at its pump.
constexpr Millis kIdleWait{1000};
constexpr int kFailureLogSeconds = 10;

Millis AttemptDeadline(const TargetTimeouts& timeout) {
  return std::max(PumpOptions().attempt_deadline, timeout.connect + timeout.request);
}

// Threads: the forwarder's own runs the pump and is the only one to touch cursor and pump (but
// for the pump's thread-safe calls). Everybody else leaves wishes under mutex_ and rings.
class ForwarderImpl final : public Forwarder {
 public:
  ForwarderImpl(std::unique_ptr<Sink> sink, const TargetSettings& settings, Router router,
                Journal& journal, const Clock& clock, std::unique_ptr<Cursor> cursor, bool paused);
  ~ForwarderImpl() override { Stop(RealClock().Steady() + kStopGrace); }

  void Stop(SteadyTime deadline) override;
  TargetStatus status() const override;
  PumpCounters counters() const override { return pump_.counters(); }
  Status Pause() override { return SetPaused(true); }
  Status Resume() override { return SetPaused(false); }
  Status SkipTo(Sequence to) override;
  void Wake() override {
    pump_.LookForWanted();
    Ring();
  }
  void Begin() {
    thread_ = StartThread("fwd-" + settings_.name, [this](std::stop_token) { Loop(); });
  }

 private:
  struct Skip {
    Sequence to;
    std::promise<Status> done;
  };

  Status SetPaused(bool paused);
  void Ring();
  void Loop();
  bool TakeWishes();
  void Rest(Step step);
  void DoSkip(Skip& skip);
  void LogChange(Step step);
  std::optional<SystemTime> OldestFrom(Sequence place) const;

  const TargetSettings settings_;
  const Router router_;
  Journal& journal_;
  const Clock& clock_;
  const std::unique_ptr<Sink> sink_;
  std::unique_ptr<Cursor> cursor_;  // the loop's; gone after Stop
  const StreamSet streams_;         // of the cursor
  Pump pump_;

  std::mutex pause_order_;    // makes the record and the flag change as one
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable rung_;
  bool bell_ = false;  // something below changed, or Wake was called
  bool paused_ = false;
  bool stopping_ = false;
  bool ended_ = false;  // the loop is done
  bool retry_now_ = false;
  std::vector<Skip> skips_;
  std::stop_source idle_wait_;  // ends the wait for the journal; new after each use

  std::stop_source cut_;             // guarded by mutex_: ends the attempt under way
  mutable std::mutex oldest_mutex_;  // guards the two below
  mutable Sequence oldest_at_;       // the place that oldest_ belongs to
  mutable std::optional<SystemTime> oldest_;
  std::once_flag stop_once_;
  // The loop's own.
  TargetState logged_state_ = TargetState::kOk;
  bool logged_broken_ = false;
  log::Limiter backoff_log_{kFailureLogSeconds};
  std::jthread thread_;  // last: its end comes first
};

ForwarderImpl::ForwarderImpl(std::unique_ptr<Sink> sink, const TargetSettings& settings,
                             Router router, Journal& journal, const Clock& clock,
                             std::unique_ptr<Cursor> cursor, bool paused)
    : settings_(settings),
      router_(std::move(router)),
      journal_(journal),
      clock_(clock),
      sink_(std::move(sink)),
      cursor_(std::move(cursor)),
      streams_(cursor_->streams()),
      pump_(PumpOptionsOf(settings), journal, *cursor_, router_, *sink_, clock),
      paused_(paused) {}

void ForwarderImpl::Ring() {
  const std::lock_guard lock(mutex_);
  bell_ = true;
  idle_wait_.request_stop();
  rung_.notify_all();
}

Status ForwarderImpl::SetPaused(bool paused) {
  const std::lock_guard order(pause_order_);
  {
    // Whoever takes this target over has read the record, or is going to.
    const std::lock_guard lock(mutex_);
    if (stopping_) return Fail(Code::kCancelled, "the target is being stopped");
  }
  const std::string key = "paused/" + settings_.name;
  Status stored = paused ? journal_.records().Put(key, "1") : journal_.records().Remove(key);
  if (!stored) return Fail("cannot record the pause of " + settings_.name, stored.error());
  {
    const std::lock_guard lock(mutex_);
    if (paused != paused_) {
      log::Info(paused ? "Delivery is paused." : "Delivery is resumed.",
                {{"target", settings_.name}});
    }
    paused_ = paused;
    if (!paused) retry_now_ = true;
  }
  Ring();
  return {};
}

Status ForwarderImpl::SkipTo(Sequence to) {
  std::future<Status> done;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || ended_) return Fail(Code::kCancelled, "the target is being stopped");
    Skip& skip = skips_.emplace_back();
    skip.to = to;
    done = skip.done.get_future();
    cut_.request_stop();  // a target that hangs must not hold up who wants to get past it
  }
  Ring();
  return done.get();
}

void ForwarderImpl::Stop(SteadyTime deadline) {
  std::call_once(stop_once_, [&] {
    {
      const std::lock_guard order(pause_order_);
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    Ring();
    {
      std::unique_lock lock(mutex_);
      rung_.wait_until(lock, deadline, [&] { return ended_; });
      cut_.request_stop();
    }
    thread_.join();
    cursor_.reset();  // the pump refers to it and does not run any more
  });
}

TargetStatus ForwarderImpl::status() const {
  TargetStatus status;
  status.name = settings_.name;
  status.type = settings_.type;
  status.pump = pump_.status();
  {
    const std::lock_guard lock(mutex_);
    if (paused_) status.pump.state = TargetState::kPaused;
  }
  const std::string name = "target/" + settings_.name;
  for (CursorStatus& cursor : journal_.Cursors()) {
    if (cursor.name != name) continue;
    status.cursor = cursor.next;
    status.account = cursor.account;
  }
  if (status.account.pending > 0) status.oldest_pending = OldestFrom(status.cursor);
  return status;
}

// Asked of the journal and not of the pump, which knows nothing while it is paused or broken.
std::optional<SystemTime> ForwarderImpl::OldestFrom(Sequence place) const {
  const std::lock_guard lock(oldest_mutex_);
  if (oldest_ && oldest_at_ == place) return oldest_;
  oldest_.reset();
  const auto page = journal_.NewReader(streams_)->Read(place, {.events_max = 1});
  if (page && !page->events.empty()) oldest_ = page->events.front().accepted;
  oldest_at_ = place;
  return oldest_;
}

void ForwarderImpl::DoSkip(Skip& skip) {
  const Sequence from = cursor_->next();
  Status status = cursor_->SkipTo(skip.to, "operator");
  if (status) {
    pump_.Reset();
    logged_state_ = TargetState::kOk;
    logged_broken_ = false;
    log::Info(
        "Delivery skipped ahead as an operator asked; what was passed over counts as skipped.",
        {{"target", settings_.name}, {"from", from.value}, {"to", skip.to.value}});
  }
  skip.done.set_value(std::move(status));
}

// Does what was asked for since the last time. False when it is time to end.
bool ForwarderImpl::TakeWishes() {
  while (true) {
    std::vector<Skip> skips;
    bool retry_now = false;
    {
      std::unique_lock lock(mutex_);
      rung_.wait(lock, [&] { return !paused_ || stopping_ || !skips_.empty() || retry_now_; });
      bell_ = false;
      if (idle_wait_.stop_requested()) idle_wait_ = std::stop_source();
      if (stopping_) return false;
      if (!skips_.empty()) cut_ = std::stop_source();  // it has done its work
      skips.swap(skips_);
      retry_now = std::exchange(retry_now_, false);
      if (skips.empty() && !retry_now) return true;
    }
    if (retry_now) {
      // A person who says "resume" also means one whose journal has been repaired.
      pump_.error() ? pump_.Reset() : pump_.RetryNow();
      logged_broken_ = false;
    }
    for (Skip& skip : skips) DoSkip(skip);
  }
}

void ForwarderImpl::Rest(Step step) {
  Millis wait = kIdleWait;
  const bool for_more = step == Step::kWait && pump_.lingering();
  if (for_more) {
    const Micros left = pump_.wake_at() - clock_.Steady();
    wait = std::clamp(std::chrono::ceil<Millis>(left), Millis(0), kIdleWait);
  }
  if (step == Step::kIdle || for_more) {
    std::stop_token stop;
    {
      const std::lock_guard lock(mutex_);
      if (bell_) return;
      stop = idle_wait_.get_token();
    }
    journal_.WaitFor(pump_.next(), wait, stop);
    return;
  }
  std::unique_lock lock(mutex_);
  const auto rung = [&] { return bell_; };
  if (step == Step::kWait) {
    const Micros left = pump_.wake_at() - clock_.Steady();
    if (left > Micros::zero()) rung_.wait_for(lock, left, rung);
  } else {
    rung_.wait(lock, rung);  // broken: only an operator can help
  }
}

void ForwarderImpl::LogChange(Step step) {
  if (step == Step::kBroken) {
    if (std::exchange(logged_broken_, true)) return;
    log::Error(
        "Delivery stopped because the journal cannot be read or written here; records are "
        "held, none dropped.",
        {{"target", settings_.name}, {"error", pump_.error()->message}});
    return;
  }
  const PumpStatus status = pump_.status();
  if (status.state == logged_state_) return;
  uint64_t held_back = 0;
  switch (status.state) {
    case TargetState::kBackoff:
      if (!backoff_log_.Allow(&held_back)) return;  // a target that flaps
      log::Warn("Delivery failed and is retried; nothing is lost.",
                {{"target", settings_.name}, {"reason", status.last_error}});
      break;
    case TargetState::kHold:
      log::Error(
          "The target refuses delivery until its configuration or credentials are put right; "
          "records are held, none dropped.",
          {{"target", settings_.name}, {"reason", status.last_error}});
      break;
    case TargetState::kOk: log::Info("Delivery works again.", {{"target", settings_.name}}); break;
    case TargetState::kPaused: break;
  }
  logged_state_ = status.state;
}

void ForwarderImpl::Loop() {
  while (TakeWishes()) {
    std::stop_token cut;
    {
      const std::lock_guard lock(mutex_);
      cut = cut_.get_token();
    }
    const Step step = pump_.Run(cut);
    LogChange(step);
    if (step != Step::kProgress) Rest(step);
  }
  std::vector<Skip> skips;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    skips.swap(skips_);
    rung_.notify_all();
  }
  for (Skip& skip : skips) {
    skip.done.set_value(Fail(Code::kCancelled, "the target is being stopped"));
  }
}

}  // namespace

PumpOptions PumpOptionsOf(const TargetSettings& settings) {
  PumpOptions options;
  options.target = settings.name;
  options.batch = settings.batch;
  options.retry = settings.retry;
  options.attempt_deadline = AttemptDeadline(settings.sink.timeout);
  options.events_per_second = settings.events_per_second;
  options.age_max = settings.age_max;
  options.seed = RandomUint64();  // so that many spools do not come back in step
  return options;
}

Result<std::unique_ptr<Forwarder>> Forwarder::Start(const TargetSettings& settings, Router router,
                                                    Journal& journal, const Clock& clock) {
  auto sink = MakeSink(settings.sink);
  if (!sink) return Fail("target \"" + settings.name + "\"", sink.error());
  return StartWith(std::move(*sink), settings, std::move(router), journal, clock);
}

Result<std::unique_ptr<Forwarder>> Forwarder::StartWith(std::unique_ptr<Sink> sink,
                                                        const TargetSettings& settings,
                                                        Router router, Journal& journal,
                                                        const Clock& clock) {
  const auto paused = journal.records().Get("paused/" + settings.name);
  if (!paused) return Fail("target \"" + settings.name + "\"", paused.error());
  Journal::CursorOptions options;
  options.name = "target/" + settings.name;
  options.streams = router.Reach(journal);
  options.start = settings.start;
  auto cursor = journal.OpenCursor(options);
  if (!cursor) return Fail("target \"" + settings.name + "\"", cursor.error());
  auto forwarder =
      std::make_unique<ForwarderImpl>(std::move(sink), settings, std::move(router), journal, clock,
                                      std::move(*cursor), paused->has_value());
  forwarder->Begin();
  return forwarder;
}

}  // namespace spool
