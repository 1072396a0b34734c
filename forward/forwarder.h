// A target's thread: a pump, its cursor and sink, and the operator's wishes.
#pragma once

#include <memory>
#include <string>

#include "forward/pump.h"
#include "forward/sink_factory.h"

namespace spool {

struct TargetSettings {
  std::string name;
  std::string type;  // "webhook", "nats", ...
  SinkSettings sink;
  BatchLimits batch;
  RetryPolicy retry;
  double events_per_second = 0;
  Micros age_max{0};
  Sequence start;  // of a cursor that does not exist yet
};

// How a pump delivers live events by them.
PumpOptions PumpOptionsOf(const TargetSettings& settings);

struct TargetStatus {
  std::string name;
  std::string type;
  PumpStatus pump;
  Sequence cursor;
  Account account;
  // Accept time of the first event that may not have arrived; none when nothing is pending or the
  // journal cannot be read there.
  std::optional<SystemTime> oldest_pending;
};

// Any thread.
class Forwarder {
 public:
  // Opens the cursor "target/NAME", makes the sink, reads whether an operator paused it (record
  // "paused/NAME") and starts the thread "fwd-NAME". `journal` and `clock` must outlive it.
  static Result<std::unique_ptr<Forwarder>> Start(const TargetSettings& settings, Router router,
                                                  Journal& journal, const Clock& clock);
  // The same with a sink that exists already (settings.sink is used for its timeouts only).
  static Result<std::unique_ptr<Forwarder>> StartWith(std::unique_ptr<Sink> sink,
                                                      const TargetSettings& settings, Router router,
                                                      Journal& journal, const Clock& clock);
  // Stops within kStopGrace if Stop was not called.
  virtual ~Forwarder() = default;
  // The attempt under way may end by itself until `deadline` (of the steady clock), then it is cut;
  // what was not answered is sent again after the next start. Joins the thread and closes the
  // cursor: it can be opened or removed then. What was paused before is recorded; whoever comes
  // after is told kCancelled. status() and counters() go on answering. Further calls do nothing.
  virtual void Stop(SteadyTime deadline) = 0;
  static constexpr Millis kStopGrace{5000};

  virtual TargetStatus status() const = 0;
  virtual PumpCounters counters() const = 0;  // since the start
  virtual Status Pause() = 0;   // durable; the batch in hand is finished first; kCancelled as below
  virtual Status Resume() = 0;  // durable; also ends a backoff or hold at once
  // Done by the forwarder's thread; cuts an attempt that is under way, whose events may have
  // arrived all the same. Errors as Cursor::SkipTo; kCancelled when stopping.
  virtual Status SkipTo(Sequence to) = 0;
  virtual void Wake() = 0;  // look at the dead letters again
};

}  // namespace spool
