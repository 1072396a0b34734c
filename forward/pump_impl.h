// The inside of the pump; only pump.cc and pump_attempt.cc include this.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "forward/attempt_size.h"
#include "forward/hand.h"
#include "forward/pump.h"
#include "forward/redriver.h"
#include "forward/token_bucket.h"

namespace spool {

class Pump::Impl {
 public:
  Impl(PumpOptions options, Journal& journal, Cursor& cursor, const Router& router, Sink& sink,
       const Clock& clock);

  Step Run(std::stop_token stop);
  SteadyTime wake_at() const { return wake_at_; }
  bool lingering() const { return lingering_; }
  Sequence next() const { return hand_.read_next(); }
  const std::optional<Error>& error() const { return error_; }
  PumpStatus status() const {
    const std::lock_guard lock(mutex_);
    return published_;
  }
  PumpCounters counters() const { return meters_.counters(); }
  void Reset();
  void RetryNow();
  void LookForWanted() { redriver_.Look(); }

 private:
  // What one attempt came to, beside what was settled by it.
  struct Tally {
    size_t delivered = 0;
    size_t unsettled = 0;
    size_t untried = 0;  // of those, not attempted
    size_t flagged = 0;  // of those, refused together or as too large
    bool too_large = false;
    bool isolated = false;  // an offender was found alone
    bool retry = false;
    bool hold = false;
    std::optional<Micros> retry_after;
    const Outcome* failure = nullptr;  // the gravest: hold, then retry, then a refusal
  };

  Step Fill(SteadyTime now, std::stop_token stop);
  Step Read(std::stop_token stop, bool* caught_up);
  Step Idle(SteadyTime now, std::stop_token stop);
  Step Attempt(SteadyTime now, std::stop_token stop);
  std::optional<Step> Redrive(SteadyTime now, std::stop_token stop);
  void ExpireOld();
  Tally Judge(SystemTime now);
  void HoldWithoutRoom(Outcome& outcome, bool alone) const;
  void JudgeFailure(size_t i, SystemTime now, Tally& tally);
  void Bury(size_t index, PumpCounters::Burial why, const Outcome& outcome, SystemTime now);
  void Resize(const Tally& tally);
  void Conclude(const Tally& tally, SystemTime now);
  bool Advance();
  Step Break(Error error);
  void Publish();

  const PumpOptions options_;
  Journal& journal_;
  Cursor& cursor_;
  Sink& sink_;
  const Clock& clock_;
  const ReadLimits read_limits_;
  Hand::Selection selection_;
  std::unique_ptr<Reader> reader_;
  Hand hand_;
  Backoff backoff_;
  TokenBucket bucket_;
  AttemptSize size_;
  Redriver redriver_;
  bool redrive_turn_ = true;  // live traffic and dead letters take turns
  SteadyTime wake_at_{};
  bool lingering_ = false;  // the batch in hand still waits for more
  SteadyTime linger_until_{};
  std::optional<Error> error_;
  uint64_t retries_ = 0;  // since the last Advance
  // Reused by every attempt.
  std::vector<Message> messages_;
  std::vector<uint32_t> indices_;
  std::vector<Outcome> outcomes_;
  Settlement settlement_;

  PumpMeters meters_;
  PumpStatus current_;
  mutable std::mutex mutex_;  // guards published_
  PumpStatus published_;
};

}  // namespace spool
