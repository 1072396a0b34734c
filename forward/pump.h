// The one loop that carries events: read, route, render, deliver, settle, advance. It owns no
// thread and never sleeps, so that a test can drive it with a fake clock and scripted faults.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "forward/pump_meters.h"
#include "forward/retry.h"
#include "forward/route.h"
#include "forward/sink.h"
#include "spool/cursor.h"
#include "spool/dead_letters.h"
#include "spool/journal.h"
#include "spool/reader.h"

namespace spool {

struct BatchLimits {
  size_t events = 1000;
  size_t bytes = 1 << 20;
  Micros wait{0};  // linger for a fuller batch, counted from the first event seen
};

struct PumpOptions {
  std::string target;
  BatchLimits batch;
  RetryPolicy retry;
  Millis attempt_deadline{30000};
  double events_per_second = 0;  // 0: no limit
  Micros age_max{0};  // an undelivered event older than this becomes a dead letter; 0: never
  // A replay: stops before `end`, marks what it sends, redrives no dead letters.
  std::optional<Sequence> end;
  std::string replay;              // the job's id
  const Matcher* match = nullptr;  // further selection of a replay; must outlive the pump
  uint64_t seed = 0;               // of the jitter
};

enum class Step {
  kProgress,  // something was settled: call again
  kIdle,      // nothing to read: wait for the journal (WaitFor(next()))
  kWait,      // call again at wake_at()
  kDone,      // the end of a replay was reached
  kBroken,    // the journal cannot be read or written here; error() says why
};

enum class TargetState { kOk, kBackoff, kHold, kPaused };
std::string_view TargetStateName(TargetState state);  // "ok" …

struct PumpStatus {
  TargetState state = TargetState::kOk;
  std::string last_error;  // code and excerpt of the last failure; empty after success
  std::optional<SystemTime> last_error_at;
  std::optional<SystemTime> last_success_at;
  std::optional<SystemTime> retry_at;  // in backoff or hold, when something waits to be tried again
  uint64_t attempts = 0;
};

// One thread for Run; status() and counters() from any.
class Pump {
 public:
  // All references must outlive the pump.
  Pump(PumpOptions options, Journal& journal, Cursor& cursor, const Router& router, Sink& sink,
       const Clock& clock);
  ~Pump();
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  // One bounded step: at most one Deliver call.
  Step Run(std::stop_token stop);
  SteadyTime wake_at() const;
  // In kWait: what is waited for are more events, so the journal's bell is worth listening to.
  bool lingering() const;
  // Where it will read next.
  Sequence next() const;
  const std::optional<Error>& error() const;
  PumpStatus status() const;
  PumpCounters counters() const;
  // Forgets the batch in hand, any wait and any error, so that the next Run reads from the cursor
  // again (after a skip).
  void Reset();
  // Ends a backoff or hold: the next Run tries at once.
  void RetryNow();
  // Makes the next Run look for dead letters that an operator wants sent again. Any thread.
  void LookForWanted();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spool
