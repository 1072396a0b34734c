// A source that fetches: a thread of its own, an Intake, and what a kind of source adds.
#pragma once

#include <string>
#include <thread>

#include "ingest/source.h"
#include "ingest/sources/intake.h"

namespace spool {

class PulledSource : public Source {
 public:
  PulledSource(IntakeOptions options, Journal& journal) : intake_(std::move(options), journal) {}

  // kConflict when started; else what Prepare says.
  Status Start() final;
  void Open() final { intake_.Open(); }
  bool Close(SteadyTime deadline) final { return intake_.Close(deadline); }
  void Stop(SteadyTime deadline) final;
  SourceStatus status() const final { return intake_.status(); }
  const RedactionCounters& redacted() const final { return intake_.redacted(); }
  // The operator's rules from the next batch on. Any thread.
  void Use(Classifier classifier, bool mutated_is_admission) {
    intake_.Use(std::move(classifier), mutated_is_admission);
  }

 protected:
  // Once, before the thread: what can be checked at a start. An error refuses the start.
  virtual Status Prepare() { return {}; }
  // The thread. Returns when asked to stop, or when nothing can come any more; it may wait for the
  // journal until the deadline given to Stop (IntakeLane::Finish).
  virtual void Run(std::stop_token stop) = 0;

  Intake intake_;

 private:
  bool started_ = false;
  std::jthread thread_;  // whoever derives calls Stop in its destructor
};

}  // namespace spool
