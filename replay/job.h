// One replay job: its record, and while it runs its thread with a cursor, a sink and a pump.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "forward/pump.h"
#include "replay/jobs.h"
#include "spool/cursor.h"

namespace spool {

// Any thread. The record is written before a change counts; the thread has every resource of a
// running job and lets go of all of them when the job is paused or ends.
class ReplayJob {
 public:
  using TargetParts = ReplayJobs::TargetParts;

  // `status` is what the record says (it exists already). `journal` and `clock` must outlive it.
  ReplayJob(Journal& journal, const Clock& clock, ReplayStatus status);
  ~ReplayJob();
  ReplayJob(const ReplayJob&) = delete;
  ReplayJob& operator=(const ReplayJob&) = delete;

  const std::string& id() const { return id_; }
  const std::string& target() const { return target_; }

  // Once, before any other thread knows the job: starts it when it is running (without parts it
  // fails), or clears up behind one that ended.
  void Open(std::optional<TargetParts> parts);

  ReplayState state() const;
  // With the progress of its cursor, if that is among `cursors`.
  ReplayStatus Snapshot(const std::vector<CursorStatus>& cursors) const;

  Status Pause();  // the batch in hand is finished by the thread
  // kConflict also without parts: a paused job waits for its target to come back.
  Status Resume(std::optional<TargetParts> parts);
  // Goes on with other parts after the batch in hand; without any it is paused. Does not wait.
  void Renew(std::optional<TargetParts> parts);
  Status Cancel();  // cuts the attempt under way, and waits a moment for the last counts

  // First BeginStop of all jobs, then EndStop, which lets the attempt under way end by itself
  // until `deadline` and joins the thread.
  void BeginStop();
  void EndStop(SteadyTime deadline);

 private:
  struct End {
    ReplayState state;
    std::string error;
  };

  Status ChangeState(ReplayState state);  // with order_ held
  void StartLoop();                       // with order_ held, no thread running
  void Loop();
  std::optional<End> Work();
  std::optional<End> Turn(Pump& pump);
  void Rest(Step step, const Pump& pump);
  bool GoesOn() const;
  void Finish(End end);
  void Conclude();
  void ConcludeHoldingOrder();
  void Ring();

  Journal& journal_;
  const Clock& clock_;
  const std::string id_;
  const std::string name_;  // of record and cursor
  const std::string target_;

  std::mutex order_;                  // makes record and state change as one; taken before mutex_
  std::optional<TargetParts> parts_;  // the loop's while it runs
  std::jthread thread_;               // by holders of order_

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable rung_;
  ReplayStatus status_;
  std::optional<TargetParts> renewed_;  // for the loop to go on with
  bool bell_ = false;
  bool stopping_ = false;
  bool ended_ = true;       // no loop is running
  bool concluded_ = false;  // ended for good: the record is final, the cursor is gone
  std::stop_source cut_;
};

}  // namespace spool
