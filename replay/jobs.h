// Replays: durable jobs that send a fixed range of past events once more to one target.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "forward/forwarder.h"
#include "spool/journal.h"

namespace spool {

// What to replay: [first, end) of the journal, narrowed by `match` and by what the target's own
// routes want. Times are accept times.
struct ReplayRequest {
  std::string target;
  std::optional<SystemTime> from;  // one of `from` and `first` is needed
  std::optional<SystemTime> to;    // absent: the journal's end at the start of the job
  std::optional<Sequence> first;
  std::optional<Sequence> end;
  std::vector<std::string> match;  // "K=V", ANDed
  double events_per_second = 0;
};

enum class ReplayState { kRunning, kPaused, kDone, kCancelled, kFailed };
std::string_view ReplayStateName(ReplayState state);

struct ReplayStatus {
  std::string id;  // "r-" and 6 of [0-9a-z]
  ReplayRequest request;
  ReplayState state = ReplayState::kRunning;
  SequenceRange range;
  uint64_t total = 0;    // events of the range that matched when it was counted
  uint64_t settled = 0;  // of those: delivered + rejected
  uint64_t delivered = 0;
  uint64_t rejected = 0;  // now in the dead letters
  uint64_t evicted = 0;   // retention took them before they were sent
  std::string error;      // when failed; when done, what was not sent; the last delivery error
  SystemTime created;
  std::optional<SystemTime> finished;
};

struct ReplayPlan {  // of a dry run
  SequenceRange range;
  std::optional<SystemTime> oldest;
  std::optional<SystemTime> newest;
  uint64_t total = 0;
  uint64_t bytes = 0;
};

struct ReplayOptions {
  int running_max = 2;  // further jobs are refused with kBusy
  int kept_max = 200;   // finished ones beyond this are forgotten, oldest first
};

// What the replays to one target came to, those that are forgotten too.
struct ReplayTotals {
  std::string target;
  uint64_t delivered = 0;
  uint64_t rejected = 0;
  uint64_t evicted = 0;
};

// Any thread.
class ReplayJobs {
 public:
  // What a job needs of its target; empty when there is no such target.
  struct TargetParts {
    TargetSettings settings;
    Router router;
  };
  using FindTarget = std::function<std::optional<TargetParts>(std::string_view name)>;

  // Reads the job records and goes on with every job that was running, each on its own thread
  // "replay-ID". `journal` and `clock` must outlive it.
  static Result<std::unique_ptr<ReplayJobs>> Open(Journal& journal, FindTarget find_target,
                                                  const Clock& clock, ReplayOptions options);
  virtual ~ReplayJobs() = default;
  // Jobs stay "running" on disk and go on at the next Open.
  virtual void Stop(SteadyTime deadline) = 0;

  // Counts without sending. kNotFound for the target, kInvalid for the range or match.
  virtual Result<ReplayPlan> Plan(const ReplayRequest& request) = 0;
  // Durable when it returns. Errors as Plan, and kBusy.
  virtual Result<ReplayStatus> Start(const ReplayRequest& request) = 0;
  virtual std::vector<ReplayStatus> List() const = 0;  // newest first
  // By target, since Open.
  virtual std::vector<ReplayTotals> Totals() const = 0;
  virtual Result<ReplayStatus> Get(std::string_view id) const = 0;
  virtual Status Pause(std::string_view id) = 0;  // kNotFound; kConflict when already ended
  virtual Status Resume(std::string_view id) = 0;
  virtual Status Cancel(std::string_view id) = 0;
  // After the configuration of a target has changed: its jobs finish the batch in hand and go on
  // with what FindTarget gives now. Where that is nothing they are paused. Does not wait.
  virtual void Renew(std::string_view target) = 0;
};

}  // namespace spool
