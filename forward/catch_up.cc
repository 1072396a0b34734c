#include "forward/catch_up.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/thread.h"
#include "spool/cursor.h"
#include "spool/records.h"

namespace spool {
namespace {

// No wait is longer, so that a deadline may be as far away as there is.
constexpr Micros kWaitMax = std::chrono::seconds(10);

// The end that comes from outside, and its grace: `over` once no further attempt may begin, `cut`
// a while later for the one that is under way.
class Curfew {
 public:
  Curfew(const Clock& clock, SteadyTime deadline, std::stop_token stop)
      : clock_(clock), deadline_(deadline), stop_(std::move(stop)) {
    thread_ = StartThread("curfew", [this](std::stop_token home) { Watch(std::move(home)); });
  }

  bool stopped() const { return stop_.stop_requested(); }
  bool over() const { return stopped() || clock_.Steady() >= deadline_; }
  std::stop_token cut() const { return cut_.get_token(); }
  // Waits until then, or for the curfew.
  void WaitUntil(SteadyTime time) {
    std::unique_lock lock(mutex_);
    while (!over()) {
      const Micros left = std::min(time, deadline_) - clock_.Steady();
      if (left <= Micros::zero()) return;
      bell_.wait_for(lock, stop_, std::min(left, kWaitMax), [this] { return stopped(); });
    }
  }

 private:
  void Watch(std::stop_token home) {
    const std::stop_callback woken(stop_, [this] {
      { const std::lock_guard looked(mutex_); }  // or it falls between a look and the wait
      bell_.notify_all();
    });
    std::unique_lock lock(mutex_);
    while (!over()) {
      if (home.stop_requested()) return;
      const Micros left = std::clamp(deadline_ - clock_.Steady(), Micros::zero(), kWaitMax);
      bell_.wait_for(lock, home, left, [this] { return over(); });
    }
    bell_.wait_for(lock, home, Forwarder::kStopGrace, [&home] { return home.stop_requested(); });
    cut_.request_stop();
  }

  const Clock& clock_;
  const SteadyTime deadline_;
  const std::stop_token stop_;
  std::stop_source cut_;
  std::mutex mutex_;
  std::condition_variable_any bell_;
  std::jthread thread_;  // last: its end comes first
};

CatchUpResult::End Drive(Pump& pump, Curfew& curfew) {
  using End = CatchUpResult::End;
  for (;;) {
    if (curfew.over()) return curfew.stopped() ? End::kStopped : End::kOutOfTime;
    switch (pump.Run(curfew.cut())) {
      case Step::kProgress: break;
      case Step::kWait:
        if (pump.status().state == TargetState::kHold) return End::kHeld;
        curfew.WaitUntil(pump.wake_at());
        break;
      case Step::kIdle:
      case Step::kDone:
      case Step::kBroken: return End::kCaughtUp;
    }
  }
}

}  // namespace

Result<CatchUpResult> CatchUp(const TargetSettings& settings, Router router, Journal& journal,
                              const Clock& clock, SteadyTime deadline, std::stop_token stop) {
  const std::string what = "target \"" + settings.name + "\"";
  const auto paused = journal.records().Get("paused/" + settings.name);
  if (!paused) return Fail(what, paused.error());
  auto sink = MakeSink(settings.sink);
  if (!sink) return Fail(what, sink.error());
  auto cursor = journal.OpenCursor({.name = "target/" + settings.name,
                                    .streams = router.Reach(journal),
                                    .start = settings.start});
  if (!cursor) return Fail(what, cursor.error());

  CatchUpResult result;
  result.before = result.after = (*cursor)->account();
  if (paused->has_value()) {
    result.end = CatchUpResult::End::kPaused;
    return result;
  }
  PumpOptions options = PumpOptionsOf(settings);
  options.batch.wait = Micros::zero();  // nothing comes that would fill a batch
  Curfew curfew(clock, deadline, std::move(stop));
  Pump pump(std::move(options), journal, **cursor, router, **sink, clock);
  result.end = Drive(pump, curfew);
  if (pump.error()) return Fail(what, *pump.error());
  result.after = (*cursor)->account();
  result.last_error = pump.status().last_error;
  // The last answer may have come together with the end.
  if (result.after.pending == 0) result.end = CatchUpResult::End::kCaughtUp;
  return result;
}

}  // namespace spool
