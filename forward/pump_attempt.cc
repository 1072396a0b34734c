// One attempt of the pump: collect, deliver, judge, and what follows from it.
#include <algorithm>

#include "forward/pump_impl.h"

namespace spool {
namespace {

// Events of a chunk were accepted together: they are counted together.
class Arrivals {
 public:
  Arrivals(PumpMeters& meters, SystemTime now) : meters_(meters), now_(now) {}
  ~Arrivals() { Count(); }
  Arrivals(const Arrivals&) = delete;
  Arrivals& operator=(const Arrivals&) = delete;
  void Add(SystemTime accepted) {
    if (accepted != accepted_) {
      Count();
      accepted_ = accepted;
    }
    ++events_;
  }

 private:
  void Count() {
    if (events_ > 0) meters_.Arrived(now_ - accepted_, events_);
    events_ = 0;
  }

  PumpMeters& meters_;
  const SystemTime now_;
  SystemTime accepted_;
  uint64_t events_ = 0;
};

}  // namespace

// Accept times rise with the sequence, so the old ones are in front.
void Pump::Impl::ExpireOld() {
  if (options_.age_max <= Micros::zero()) return;
  const SystemTime now = journal_.AgeNow();  // a clock that jumps makes nothing old
  for (size_t i = hand_.NextPending(0); i != std::string::npos; i = hand_.NextPending(i + 1)) {
    if (!journal_.dead_letters().HasRoom(options_.target)) return;  // late is better than lost
    if (hand_.at(i).event->accepted + options_.age_max >= now) return;
    Bury(i, PumpCounters::kMaxAge, Outcome(), now);
  }
}

void Pump::Impl::Bury(size_t index, PumpCounters::Burial why, const Outcome& outcome,
                      SystemTime now) {
  meters_.Buried(why);
  const Hand::Item& item = hand_.at(index);
  const EventView& event = *item.event;
  DeadLetter letter;
  letter.id = {options_.target, event.sequence, options_.replay};
  letter.event_id = event.id;
  letter.reason = PumpCounters::kBurialNames[why];
  letter.code = outcome.code;
  letter.excerpt = PrintableExcerpt(outcome.excerpt);
  letter.attempts = item.attempts;
  letter.first_failed = item.first_failed == SystemTime{} ? now : item.first_failed;
  letter.last_failed = now;
  letter.stream = event.stream;
  letter.accepted = event.accepted;
  letter.origin = event.origin;
  letter.record = MakeEvent(event, event.stream_id).record;
  hand_.SettleDead(index, std::move(letter));
}

Step Pump::Impl::Attempt(SteadyTime now, std::stop_token stop) {
  ExpireOld();
  if (hand_.pending() == 0) {
    if (!Advance()) return Step::kBroken;
    Publish();
    return Step::kProgress;
  }
  const size_t wanted = std::min({size_.Next(), options_.batch.events, hand_.pending()});
  const size_t allowed = bucket_.Allowance(std::max<size_t>(wanted, 1), now);
  if (allowed == 0) {
    wake_at_ = bucket_.ReadyAt(std::max<size_t>(wanted, 1), now);
    return Step::kWait;
  }
  hand_.Collect(allowed, options_.batch.bytes, sink_.encoding(), options_.replay, messages_,
                indices_);
  bucket_.Take(messages_.size());
  outcomes_.resize(messages_.size());
  for (Outcome& outcome : outcomes_) {
    outcome.verdict = Verdict::kRetry;
    outcome.code.clear();
    outcome.excerpt.clear();
    outcome.retry_after.reset();
  }
  ++current_.attempts;
  meters_.Begin(messages_.size());
  const SteadyTime begun = clock_.Steady();
  sink_.Deliver(messages_, outcomes_, now + options_.attempt_deadline, stop);
  meters_.End(clock_.Steady() - begun);

  const SystemTime answered = clock_.Now();
  const Tally tally = Judge(answered);
  retries_ += tally.unsettled - tally.untried;
  if (!Advance()) return Step::kBroken;
  Resize(tally);
  // What was cut short because we are stopping says nothing of the target.
  if ((tally.retry || tally.hold) && stop.stop_requested()) return Step::kWait;
  Conclude(tally, answered);
  Publish();
  return current_.state == TargetState::kOk ? Step::kProgress : Step::kWait;
}

// Settles what the outcomes settle.
Pump::Impl::Tally Pump::Impl::Judge(SystemTime now) {
  Tally tally;
  bool answered_before = false;
  Arrivals arrivals(meters_, journal_.AgeNow());
  for (size_t i = 0; i < outcomes_.size(); ++i) {
    const Outcome& outcome = outcomes_[i];
    if (answered_before && outcome.verdict == Verdict::kRetry && outcome.code.empty() &&
        !outcome.retry_after) {
      // A kRetry without a word of its own: the sink stopped at the message in front, because it
      // failed or time ran out, and did not attempt this one.
      ++tally.unsettled;
      ++tally.untried;
      continue;
    }
    answered_before = true;
    const Verdict verdict = outcome.verdict;
    if (verdict == Verdict::kDelivered || verdict == Verdict::kDuplicate) {
      ++hand_.at(indices_[i]).attempts;
      ++tally.delivered;
      arrivals.Add(hand_.at(indices_[i]).event->accepted);
      hand_.Settle(indices_[i],
                   verdict == Verdict::kDelivered ? Fate::kDelivered : Fate::kDuplicate);
      continue;
    }
    JudgeFailure(i, now, tally);
  }
  return tally;
}

// Without room for a dead letter the event stays in front, and the target is asked again slowly.
void Pump::Impl::HoldWithoutRoom(Outcome& outcome, bool alone) const {
  const bool buries = outcome.verdict == Verdict::kReject ||
                      (alone && (outcome.verdict == Verdict::kTooLarge ||
                                 outcome.verdict == Verdict::kRefusedTogether));
  if (!buries || journal_.dead_letters().HasRoom(options_.target)) return;
  outcome.verdict = Verdict::kHold;
  outcome.excerpt = "the target refused an event (" + outcome.code +
                    ") and there is no room for more dead letters: retry or drop some";
  outcome.code = "dead_letters_full";
  outcome.retry_after.reset();
}

void Pump::Impl::JudgeFailure(size_t i, SystemTime now, Tally& tally) {
  HoldWithoutRoom(outcomes_[i], outcomes_.size() == 1);
  const Outcome& outcome = outcomes_[i];
  Hand::Item& item = hand_.at(indices_[i]);
  ++item.attempts;
  if (item.first_failed == SystemTime{}) item.first_failed = now;
  const bool alone = outcomes_.size() == 1;
  bool graver = tally.failure == nullptr;
  switch (outcome.verdict) {
    case Verdict::kReject: Bury(indices_[i], PumpCounters::kRejected, outcome, now); break;
    case Verdict::kTooLarge:
    case Verdict::kRefusedTogether: {
      const bool too_large = outcome.verdict == Verdict::kTooLarge;
      if (alone) {
        tally.isolated = true;
        Bury(indices_[i], too_large ? PumpCounters::kTooLarge : PumpCounters::kRejected, outcome,
             now);
      } else {
        ++tally.unsettled;
        ++tally.flagged;
        tally.too_large |= too_large;
      }
      break;
    }
    case Verdict::kHold:
      graver |= !tally.hold;
      ++tally.unsettled;
      tally.hold = true;
      break;
    default:
      graver |= !tally.hold && !tally.retry;
      ++tally.unsettled;
      tally.retry = true;
      if (outcome.retry_after) {
        tally.retry_after =
            std::max(tally.retry_after.value_or(Micros::zero()), *outcome.retry_after);
      }
      break;
  }
  if (graver) tally.failure = &outcome;
}

void Pump::Impl::Resize(const Tally& tally) {
  if (tally.hold || tally.isolated || tally.flagged == 1) {
    size_.Single();
  } else if (tally.flagged > 1) {
    tally.too_large ? size_.TooLarge(tally.flagged) : size_.RefusedTogether(tally.flagged);
  } else if (!tally.retry && tally.unsettled == 0) {
    size_.Succeeded(outcomes_.size());
  }
}

// The state that follows from an attempt, and how long to wait.
void Pump::Impl::Conclude(const Tally& tally, SystemTime now) {
  meters_.Attempted(tally.hold                 ? PumpCounters::kHold
                    : tally.retry              ? PumpCounters::kRetry
                    : tally.failure != nullptr ? PumpCounters::kRefused
                                               : PumpCounters::kDelivered);
  if (tally.delivered > 0) current_.last_success_at = now;
  if (tally.failure != nullptr) {
    current_.last_error = Describe(*tally.failure);
    current_.last_error_at = now;
  } else {
    current_.last_error.clear();
  }
  if (!tally.hold && !tally.retry) {
    // Even a refusal is an answer: the target is there.
    backoff_.Reset();
    current_.state = TargetState::kOk;
    current_.retry_at.reset();
    return;
  }
  if (tally.delivered > 0) backoff_.Reset();
  const Micros pause = tally.hold ? backoff_.Hold() : backoff_.Next(tally.retry_after);
  current_.state = tally.hold ? TargetState::kHold : TargetState::kBackoff;
  wake_at_ = clock_.Steady() + pause;
  current_.retry_at = now + pause;
}

}  // namespace spool
