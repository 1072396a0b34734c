// The pump on a real journal under a clock that a test owns, against a target that misbehaves in
// every way the sink's contract allows, with restarts in between. A model says what must become of
// each event; after every step the account must balance and nothing may have happened that the
// model forbids. A failing run prints its seed; SPOOL_SIM_SEED=n runs that one alone.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <random>
#include <set>
#include <unordered_map>

#include "tests/support/forward_fixture.h"

namespace spool {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// What must become of an event in the end.
enum class Nature {
  kGood,      // delivered
  kFiltered,  // no route wants it
  kPoison,    // rejected by name
  kTogether,  // any request that has it is refused without saying why
  kHuge,      // too large even alone
};
constexpr std::string_view kKinds[] = {"Good", "Filtered", "Poison", "Together", "Huge"};

struct Weather {
  int fault_percent = 0;         // of attempts that go wrong
  size_t request_max = 1 << 20;  // larger attempts are refused as too large
  bool unordered = false;        // outcomes behind a failure may be successes
};

// The target and its memory, outside everything that is restarted.
class SimTarget final : public Sink {
 public:
  SimTarget(std::mt19937_64& random, const std::vector<Nature>& natures)
      : random_(random), natures_(natures) {}

  Encoding encoding() const override { return Encoding::kCloudEvent; }
  void Deliver(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime,
               std::stop_token) override;

  // A restart of ours forgets what was answered but not yet passed by the cursor.
  void Forget() { answered_.clear(); }

  Weather weather;
  std::set<uint64_t> confirmed;  // the target said yes at least once
  std::string violation;
  const Clock* clock = nullptr;
  SteadyTime not_before{};  // the target's last wish

 private:
  int Roll(int sides) { return static_cast<int>(random_() % static_cast<uint64_t>(sides)); }
  Nature NatureOf(const Message& message) const {
    return natures_.at(message.event->sequence.value);
  }
  void CheckRequest(std::span<const Message> messages);
  void Fault(std::span<const Message> messages, std::span<Outcome> outcomes);
  void Answer(std::span<const Message> messages, std::span<Outcome> outcomes);
  void Confirm(const Message& message, Outcome& outcome);

  std::mt19937_64& random_;
  const std::vector<Nature>& natures_;
  uint64_t first_attempts_end_ = 0;  // the highest sequence ever handed over
  std::set<uint64_t> answered_;      // settled by an answer in this life of the pump
  std::unordered_map<uint64_t, std::string> bodies_;
};

void SimTarget::CheckRequest(std::span<const Message> messages) {
  uint64_t previous = 0;
  for (const Message& message : messages) {
    const uint64_t sequence = message.event->sequence.value;
    const std::string at = " (sequence " + std::to_string(sequence) + ")";
    if (sequence <= previous) violation = "a request is out of order" + at;
    previous = sequence;
    if (NatureOf(message) == Nature::kFiltered) violation = "a filtered event was sent" + at;
    if (answered_.contains(sequence)) violation = "a settled event was sent again" + at;
    // Events come for the first time in the journal's order, whatever is repeated in between.
    if (sequence > first_attempts_end_) {
      for (uint64_t s = first_attempts_end_ + 1; s < sequence; ++s) {
        if (natures_.at(s) != Nature::kFiltered) violation = "an event was passed over" + at;
      }
      first_attempts_end_ = sequence;
    }
    const auto [body, fresh] = bodies_.try_emplace(sequence, message.body);
    if (!fresh && body->second != message.body) violation = "a retry has other bytes" + at;
  }
}

void SimTarget::Confirm(const Message& message, Outcome& outcome) {
  const uint64_t sequence = message.event->sequence.value;
  const bool again = !confirmed.insert(sequence).second;
  answered_.insert(sequence);
  outcome.verdict = again && Roll(2) == 0 ? Verdict::kDuplicate : Verdict::kDelivered;
}

// The target's honest answer to a request.
void SimTarget::Answer(std::span<const Message> messages, std::span<Outcome> outcomes) {
  const auto all = [&](Verdict verdict, const char* code) {
    for (Outcome& outcome : outcomes) {
      outcome.verdict = verdict;
      outcome.code = code;
    }
    if (messages.size() == 1) answered_.insert(messages[0].event->sequence.value);
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
        answered_.insert(messages[i].event->sequence.value);
        if (!weather.unordered) return;
        break;
      default:
        outcomes[i].verdict = Verdict::kTooLarge;
        outcomes[i].code = "too_large";
        if (messages.size() == 1) answered_.insert(messages[i].event->sequence.value);
        if (!weather.unordered) return;
        break;
    }
  }
}

void SimTarget::Fault(std::span<const Message> messages, std::span<Outcome> outcomes) {
  const auto good = [&](size_t i) { return NatureOf(messages[i]) == Nature::kGood; };
  switch (Roll(7)) {
    case 0:  // away, and silent about it
      return;
    case 1:  // busy, with a wish
      for (Outcome& outcome : outcomes) {
        outcome.code = "http_429";
        outcome.retry_after = seconds(Roll(60));
        not_before = std::max<SteadyTime>(not_before, clock->Steady() + *outcome.retry_after);
      }
      return;
    case 2:  // not allowed
      for (Outcome& outcome : outcomes) {
        outcome.verdict = Verdict::kHold;
        outcome.code = "http_403";
      }
      return;
    case 3: {  // a part, then the connection broke
      const size_t part = static_cast<size_t>(Roll(static_cast<int>(messages.size()) + 1));
      for (size_t i = 0; i < messages.size(); ++i) {
        if (i >= part || !good(i)) {
          outcomes[i].code = "reset";
          return;
        }
        Confirm(messages[i], outcomes[i]);
      }
      return;
    }
    case 4:  // took all, and the answer was lost
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
                        std::stop_token) {
  CheckRequest(messages);
  if (clock->Steady() < not_before) violation = "the target's wish was not kept";
  if (Roll(100) < weather.fault_percent) {
    Fault(messages, outcomes);
  } else {
    Answer(messages, outcomes);
  }
}

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : seed_(seed), random_(seed), target_(random_, natures_) {
    const std::vector<RuleText> drop = {{{"kind", "Filtered"}}};
    router_ = *Router::Compile({{"r", {}, drop, {"t"}}}, "t", false);
    target_.clock = &clock_;
    options_.target = "t";
    options_.seed = seed;
    options_.batch.events = std::vector<size_t>{1, 3, 10, 64, 1000}[Roll(5)];
    options_.batch.bytes = std::vector<size_t>{600, 20'000, 1 << 20}[Roll(3)];
    options_.batch.wait = milliseconds(Roll(3) == 0 ? 50 : 0);
    options_.events_per_second = Roll(4) == 0 ? 5000 : 0;
    target_.weather.unordered = Roll(2) == 0;
    target_.weather.fault_percent = static_cast<int>(Roll(60));
    if (Roll(3) == 0) target_.weather.request_max = 1 + Roll(40);
  }

  void Go(int steps) {
    journal_.Open();
    if (testing::Test::HasFatalFailure()) return;
    OpenPump();
    for (int i = 0; i < steps && Sound(); ++i) {
      switch (Roll(40)) {
        case 0: Restart(); break;
        case 1:
        case 2:
        case 3: Append(); break;
        case 4: target_.weather.fault_percent = static_cast<int>(Roll(101)); break;
        case 5: clock_.Advance(milliseconds(Roll(5000))); break;
        case 6:
          pump_->RetryNow();
          target_.not_before = {};
          break;
        default: RunOnce(); break;
      }
    }
    Heal();
    if (Sound()) CheckTheEnd();
  }

 private:
  size_t Roll(size_t sides) { return random_() % sides; }
  bool Sound() {
    if (!target_.violation.empty()) ADD_FAILURE() << target_.violation << ", seed " << seed_;
    return target_.violation.empty() && !testing::Test::HasFailure();
  }

  void OpenPump() {
    cursor_ = journal_.OpenCursor("target/t", router_.Reach(*journal_));
    if (cursor_ == nullptr) return;
    pump_ = std::make_unique<Pump>(options_, *journal_, *cursor_, router_, target_, clock_);
    target_.Forget();
    target_.not_before = {};
  }
  void Restart() {
    const Account before = cursor_->account();
    const Sequence next = cursor_->next();
    pump_.reset();
    cursor_.reset();
    if (Roll(5) == 0) {
      journal_.Close();
      journal_.Open();
    }
    OpenPump();
    // The journal was closed in order, so nothing of the cursor may be undone.
    EXPECT_EQ(cursor_->account().settled(), before.settled()) << "seed " << seed_;
    EXPECT_LE(cursor_->next(), next) << "seed " << seed_;
    last_ = cursor_->account();
    last_next_ = cursor_->next();
  }
  void Append() {
    const size_t count = 1 + Roll(Roll(4) == 0 ? 300 : 20);
    const std::string stream = Roll(3) == 0 ? "busy" : "calm";
    std::vector<ForwardJournal::Entry> entries;
    for (size_t i = 0; i < count; ++i) {
      const size_t dice = Roll(100);
      const Nature nature = dice < 60   ? Nature::kGood
                            : dice < 92 ? Nature::kFiltered
                            : dice < 95 ? Nature::kPoison
                            : dice < 98 ? Nature::kTogether
                                        : Nature::kHuge;
      natures_.push_back(nature);
      entries.push_back(
          {natures_.size() - 1, stream, std::string(kKinds[static_cast<size_t>(nature)])});
    }
    journal_.AppendMany(entries);
  }
  void RunOnce() {
    const Step step = pump_->Run({});
    EXPECT_NE(step, Step::kDone) << "seed " << seed_;
    ASSERT_NE(step, Step::kBroken) << pump_->error()->message << ", seed " << seed_;
    CheckAccount();
    if (step == Step::kWait && Roll(3) != 0) clock_.Advance(pump_->wake_at() - clock_.Steady());
  }
  void CheckAccount() {
    const Account now = cursor_->account();
    ExpectBalanced(now);
    EXPECT_EQ(now.accepted, natures_.size() - 1) << "seed " << seed_;
    EXPECT_GE(now.delivered, last_.delivered) << "seed " << seed_;
    EXPECT_GE(now.filtered, last_.filtered) << "seed " << seed_;
    EXPECT_GE(now.dead_lettered, last_.dead_lettered) << "seed " << seed_;
    EXPECT_GE(cursor_->next(), last_next_) << "seed " << seed_;
    EXPECT_EQ(now.evicted + now.skipped, 0U) << "seed " << seed_;
    EXPECT_LE(now.delivered, target_.confirmed.size()) << "delivered without a yes, seed " << seed_;
    last_ = now;
    last_next_ = cursor_->next();
  }
  void Heal() {
    target_.weather.fault_percent = 0;
    for (int i = 0; i < 200'000 && Sound(); ++i) {
      const Step step = pump_->Run({});
      ASSERT_NE(step, Step::kBroken) << pump_->error()->message << ", seed " << seed_;
      CheckAccount();
      if (step == Step::kIdle) return;
      if (step == Step::kWait && pump_->wake_at() > clock_.Steady()) {
        clock_.Advance(pump_->wake_at() - clock_.Steady());
      }
    }
    if (Sound()) ADD_FAILURE() << "did not drain, seed " << seed_;
  }
  // Every event has exactly the fate of its nature.
  void CheckTheEnd() {
    std::map<uint64_t, std::string> dead;
    for (const DeadLetter& letter : journal_.Dead("t")) {
      EXPECT_TRUE(dead.emplace(letter.id.sequence.value, letter.reason).second) << "seed " << seed_;
    }
    uint64_t good = 0;
    uint64_t filtered = 0;
    for (uint64_t sequence = 1; sequence < natures_.size(); ++sequence) {
      const Nature nature = natures_[sequence];
      const auto letter = dead.find(sequence);
      const std::string reason = letter == dead.end() ? "" : letter->second;
      const char* expected = nature == Nature::kPoison || nature == Nature::kTogether ? "rejected"
                             : nature == Nature::kHuge                                ? "too_large"
                                                                                      : "";
      EXPECT_EQ(reason, expected) << "sequence " << sequence << ", seed " << seed_;
      EXPECT_EQ(target_.confirmed.contains(sequence), nature == Nature::kGood)
          << "sequence " << sequence << ", seed " << seed_;
      good += nature == Nature::kGood ? 1 : 0;
      filtered += nature == Nature::kFiltered ? 1 : 0;
    }
    const Account account = cursor_->account();
    EXPECT_EQ(account.delivered, good) << "seed " << seed_;
    EXPECT_EQ(account.filtered, filtered) << "seed " << seed_;
    EXPECT_EQ(account.dead_lettered, dead.size()) << "seed " << seed_;
    EXPECT_EQ(account.pending, 0U) << "seed " << seed_;
    EXPECT_EQ(cursor_->next(), journal_->end()) << "seed " << seed_;
    EXPECT_EQ(pump_->status().state, TargetState::kOk) << "seed " << seed_;
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  ManualClock clock_;
  ForwardJournal journal_{&clock_};
  std::vector<Nature> natures_{Nature::kGood};  // by sequence; 0 is none
  SimTarget target_;
  PumpOptions options_;
  Router router_ = Everything();
  std::unique_ptr<Cursor> cursor_;
  std::unique_ptr<Pump> pump_;
  Account last_;
  Sequence last_next_;
};

class PumpSimulation : public testing::TestWithParam<uint64_t> {};

TEST_P(PumpSimulation, GivesEveryEventExactlyItsFateWhateverTheTargetDoes) {
  if (const char* only = getenv("SPOOL_SIM_SEED"); only != nullptr) {
    Simulation(std::stoull(only)).Go(4000);
    return;
  }
  constexpr uint64_t kRuns = 5;
  for (uint64_t i = 0; i < kRuns && !HasFailure(); ++i) {
    Simulation(GetParam() * kRuns + i).Go(2000);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PumpSimulation, testing::Range<uint64_t>(0, 8));

}  // namespace
}  // namespace spool
