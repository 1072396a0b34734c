#include "tests/support/sim_target.h"

#include <algorithm>
#include <chrono>

namespace spool {

using std::chrono::seconds;

void SimTarget::CheckBody(const Message& message) {
  const auto [body, fresh] = bodies_.try_emplace(message.event->sequence.value, message.body);
  if (fresh || body->second == message.body) return;
  violation = "a retry has other bytes (sequence " + ToText(message.event->sequence) + ")";
}

void SimTarget::CheckRequest(std::span<const Message> messages) {
  uint64_t previous = 0;
  for (const Message& message : messages) {
    const uint64_t sequence = message.event->sequence.value;
    const std::string at = " (sequence " + std::to_string(sequence) + ")";
    if (sequence <= previous) violation = "a request is out of order" + at;
    previous = sequence;
    if (sequence < world_.cursor().value) violation = "what the cursor passed was sent" + at;
    if (NatureOf(message) == Nature::kFiltered) violation = "a filtered event was sent" + at;
    if (world_.is_expired(sequence)) violation = "an expired event was sent" + at;
    if (answered_.contains(sequence)) violation = "a settled event was sent again" + at;
    // Events come for the first time in the journal's order, whatever is repeated in between.
    if (sequence > first_attempts_end_) {
      for (uint64_t s = first_attempts_end_ + 1; s < sequence; ++s) {
        if (!world_.may_be_left_out(s)) {
          violation = "event " + std::to_string(s) + " was passed over" + at;
        }
      }
      first_attempts_end_ = sequence;
    }
    CheckBody(message);
  }
}

void SimTarget::Confirm(const Message& message, Outcome& outcome) {
  const uint64_t sequence = message.event->sequence.value;
  const bool again = !confirmed.insert(sequence).second;
  answered_[sequence] = true;
  outcome.verdict = again && Roll(2) == 0 ? Verdict::kDuplicate : Verdict::kDelivered;
}

// The target's honest answer to a request.
void SimTarget::Answer(std::span<const Message> messages, std::span<Outcome> outcomes) {
  const auto all = [&](Verdict verdict, const char* code) {
    for (Outcome& outcome : outcomes) {
      outcome.verdict = verdict;
      outcome.code = code;
    }
    if (messages.size() == 1) answered_[messages[0].event->sequence.value] = false;
  };
  for (const Message& message : messages) {
    if (NatureOf(message) == Nature::kTogether) return all(Verdict::kRefusedTogether, "http_400");
  }
  if (messages.size() > weather.request_max) return all(Verdict::kTooLarge, "http_413");
  for (size_t i = 0; i < messages.size(); ++i) {
    switch (NatureOf(messages[i])) {
      case Nature::kGood: Confirm(messages[i], outcomes[i]); break;
      case Nature::kPoison:
        outcomes[i].verdict = Verdict::kReject;
        outcomes[i].code = "mapper_parsing";
        answered_[messages[i].event->sequence.value] = false;
        if (!weather.unordered) return;
        break;
      default:
        outcomes[i].verdict = Verdict::kTooLarge;
        outcomes[i].code = "too_large";
        if (messages.size() == 1) answered_[messages[i].event->sequence.value] = false;
        if (!weather.unordered) return;
        break;
    }
  }
}

// Some from the beginning, in order, and no word about the rest.
void SimTarget::TakePart(std::span<const Message> messages, std::span<Outcome> outcomes,
                         const char* code) {
  const size_t part = static_cast<size_t>(Roll(static_cast<int>(messages.size()) + 1));
  for (size_t i = 0; i < messages.size(); ++i) {
    if (i >= part || NatureOf(messages[i]) != Nature::kGood) {
      outcomes[i].code = code;
      return;
    }
    Confirm(messages[i], outcomes[i]);
  }
}

void SimTarget::Fault(std::span<const Message> messages, std::span<Outcome> outcomes,
                      SteadyTime& wish) {
  const auto good = [&](size_t i) { return NatureOf(messages[i]) == Nature::kGood; };
  switch (Roll(7)) {
    case 0:  // away, and silent about it
      return;
    case 1:  // busy, with a wish
      for (Outcome& outcome : outcomes) {
        outcome.code = "http_429";
        outcome.retry_after = seconds(Roll(60));
        wish = std::max<SteadyTime>(wish, world_.clock->Steady() + *outcome.retry_after);
      }
      return;
    case 2:  // not allowed
      for (Outcome& outcome : outcomes) {
        outcome.verdict = Verdict::kHold;
        outcome.code = "http_403";
      }
      return;
    case 3: return TakePart(messages, outcomes, "reset");  // then the connection broke
    case 4:                                                // took all, and the answer was lost
      for (size_t i = 0; i < messages.size(); ++i) {
        if (good(i)) confirmed.insert(messages[i].event->sequence.value);
        outcomes[i].code = "timeout";
      }
      return;
    case 5:  // took some here and there
      for (size_t i = 0; i < messages.size(); ++i) {
        outcomes[i].code = "nack";
        if (!good(i) || Roll(2) == 0) continue;
        Confirm(messages[i], outcomes[i]);
        outcomes[i].code.clear();
      }
      return;
    default:  // a topic is missing for some, others go through
      for (size_t i = 0; i < messages.size(); ++i) {
        outcomes[i].verdict = Verdict::kHold;
        outcomes[i].code = "no_topic";
        if (good(i) && Roll(3) == 0) Confirm(messages[i], outcomes[i]);
      }
      return;
  }
}

void SimTarget::Deliver(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime,
                        std::stop_token stop) {
  ++attempts;
  const Message& first = messages.front();
  const uint64_t sequence = first.event->sequence.value;
  // One that the cursor has passed: a dead letter, or wrong.
  const bool redrive = messages.size() == 1 && sequence < world_.cursor().value;
  if (redrive) {
    ++redrives;
    if (!world_.is_wanted(sequence)) {
      violation = "nobody asked for dead letter " + std::to_string(sequence);
    }
    CheckBody(first);
  } else {
    CheckRequest(messages);
  }
  SteadyTime& wish = redrive ? redrive_not_before_ : not_before_;
  const SteadyTime now = world_.clock->Steady();
  // Live traffic need not wait for what was answered to a dead letter.
  if (now < wish || now < not_before_) violation = "the target's wish was not kept";
  if (cut != nullptr) cut->request_stop();
  if (stop.stop_requested()) {
    TakePart(messages, outcomes, "cancelled");
  } else if (Roll(100) < weather.fault_percent) {
    Fault(messages, outcomes, wish);
  } else {
    Answer(messages, outcomes);
  }
}

}  // namespace spool
