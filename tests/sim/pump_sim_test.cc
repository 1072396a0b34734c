// The pump on a real journal under a clock that a test owns, against a target that misbehaves in
// every way the sink's contract allows, with restarts and stops in the middle of attempts, with
// retention and age limits that do not wait, and with an operator who skips, drops dead letters and
// has them sent again. A model says what may become of each event; after every step the account
// must be exactly what became of the events that the cursor passed.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/support/fault_profile.h"
#include "tests/support/forward_fixture.h"
#include "tests/support/sim_target.h"

namespace spool {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr int kSteps = 2000;
constexpr std::string_view kKinds[] = {"Good", "Filtered", "Poison", "Together", "Huge"};

// What became of an event, once it is settled. Between filtered, evicted and skipped only the sums
// are known when retention works on what the pump has in hand.
enum class End { kNone, kDelivered, kDead, kFiltered, kEvicted, kSkipped };

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : random_(seed), target_(random_, natures_, WorldOfTheTarget()) {
    const std::vector<RuleText> drop = {{{"kind", "Filtered"}}};
    router_ = *Router::Compile({{"r", {}, drop, {"t"}}}, "t", false);
    options_.target = "t";
    options_.seed = seed;
    options_.batch.events = std::vector<size_t>{1, 3, 10, 64, 1000}[Roll(5)];
    options_.batch.bytes = std::vector<size_t>{600, 20'000, 1 << 20}[Roll(3)];
    options_.batch.wait = milliseconds(Roll(3) == 0 ? 50 : 0);
    options_.events_per_second = Roll(4) == 0 ? 5000 : 0;
    if (Roll(3) == 0) options_.age_max = minutes(1 + Roll(60));
    target_.weather.unordered = Roll(2) == 0;
    target_.weather.fault_percent = static_cast<int>(Roll(60));
    if (Roll(3) == 0) target_.weather.request_max = 1 + Roll(40);
    sized_ = Roll(3) == 0;
    skips_ = Roll(2) == 0;
    for (StreamOptions& stream : journal_.options.streams) {
      if (!sized_) continue;
      stream.bytes_max = 4 << 10;
      stream.when_full = WhenFull::kDropOldest;
    }
  }

  void Go() {
    journal_.Open();
    if (::testing::Test::HasFatalFailure()) return;
    OpenPump();
    for (int i = 0; i < kSteps && Sound(); ++i) {
      switch (Roll(44)) {
        case 0: Restart(); break;
        case 1:
        case 2:
        case 3: Append(); break;
        case 4: target_.weather.fault_percent = static_cast<int>(Roll(101)); break;
        case 5: clock_.Advance(milliseconds(Roll(5000))); break;
        case 6: RetryNow(); break;
        case 7: WantSome(); break;
        case 8: DropOne(); break;
        case 9: Skip(); break;
        case 10: EXPECT_TRUE(journal_->RunRetention().has_value()); break;
        default: RunOnce(); break;
      }
    }
    Heal();
    if (Sound()) CheckTheEnd();
  }

 private:
  size_t Roll(size_t sides) { return random_() % sides; }
  bool Sound() {
    if (!target_.violation.empty()) ADD_FAILURE() << target_.violation;
    return target_.violation.empty() && !::testing::Test::HasFailure();
  }
  SimTarget::World WorldOfTheTarget() {
    SimTarget::World world;
    world.clock = &clock_;
    world.cursor = [this] { return cursor_->next(); };
    world.may_be_left_out = [this](uint64_t s) {
      return natures_[s] == Nature::kFiltered || ends_[s] == End::kSkipped || IsExpired(s) ||
             IsTrimmed(s);
    };
    world.is_expired = [this](uint64_t s) { return IsExpired(s); };
    world.is_wanted = [this](uint64_t s) {
      const auto letter = journal_->dead_letters().Get({"t", {s}, {}});
      return letter.has_value() && letter->retry_wanted;
    };
    return world;
  }
  bool IsExpired(uint64_t s) const {
    return options_.age_max > Micros::zero() && accepted_[s] + options_.age_max < clock_.Now();
  }
  // Retention works by itself, too.
  bool IsTrimmed(uint64_t s) {
    if (!sized_) return false;
    for (const StreamStatus& stream : journal_->Streams()) {
      if (stream.name == streams_[s]) return s < stream.first.value;
    }
    return false;
  }

  void OpenPump() {
    cursor_ = journal_.OpenCursor("target/t", router_.Reach(*journal_));
    if (cursor_ == nullptr) return;
    pump_ = std::make_unique<Pump>(options_, *journal_, *cursor_, router_, target_, clock_);
    target_.Forget();
    target_.ForgetWishes();
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
    EXPECT_EQ(cursor_->account().settled(), before.settled());
    EXPECT_LE(cursor_->next(), next);
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
      accepted_.push_back(clock_.Now());
      streams_.push_back(stream);
      ends_.push_back(End::kNone);
      entries.push_back(
          {natures_.size() - 1, stream, std::string(kKinds[static_cast<size_t>(nature)])});
    }
    journal_.AppendMany(entries);
  }
  void RetryNow() {
    pump_->RetryNow();
    target_.ForgetWishes();
  }

  // An operator asks for some dead letters, and has put right what was wrong with a part of them.
  void WantSome() {
    for (size_t i = Roll(6); i > 0 && !letters_.empty(); --i) {
      const uint64_t s =
          *std::next(letters_.begin(), static_cast<ptrdiff_t>(Roll(letters_.size())));
      ASSERT_TRUE(journal_->dead_letters().WantRetry({"t", {s}, {}}).has_value());
      if (Roll(2) == 0) natures_[s] = Nature::kGood;
    }
    pump_->LookForWanted();
  }
  void DropOne() {
    if (letters_.empty()) return;
    const auto which = std::next(letters_.begin(), static_cast<ptrdiff_t>(Roll(letters_.size())));
    ASSERT_TRUE(journal_->dead_letters().Drop({"t", {*which}, {}}).has_value());
    letters_.erase(which);  // it stays counted
  }
  // As the forwarder does it.
  void Skip() {
    if (!skips_ || Roll(4) != 0) return;
    const Sequence from = cursor_->next();
    const Sequence to = from + Roll(std::min<size_t>(journal_->end() - from, 60) + 1);
    ASSERT_TRUE(cursor_->SkipTo(to, "operator").has_value());
    pump_->Reset();
    target_.Forget();
    target_.ForgetWishes();
    const Account now = cursor_->account();
    ExpectBalanced(now);
    for (uint64_t s = from.value; s < to.value; ++s) ends_[s] = End::kSkipped;
    if (sized_) {
      EXPECT_LE(now.skipped - last_.skipped, to - from);
    } else {
      EXPECT_EQ(now.skipped - last_.skipped, to - from);
      EXPECT_EQ(now.evicted, last_.evicted);
    }
    // What retention had taken by then is not what the operator gave up.
    EXPECT_EQ(now.settled() - now.skipped - now.evicted,
              last_.settled() - last_.skipped - last_.evicted);
    EXPECT_EQ(cursor_->next(), std::max(from, to));
    last_ = now;
    last_next_ = cursor_->next();
  }

  void RunOnce() {
    // Now and then the attempt is cut, or was before it began.
    std::stop_source stop;
    const bool cut = Roll(12) == 0;
    if (cut && Roll(3) == 0) stop.request_stop();
    target_.cut = cut ? &stop : nullptr;
    const TargetState before = pump_->status().state;
    const Step step = pump_->Run(stop.get_token());
    target_.cut = nullptr;
    EXPECT_NE(step, Step::kDone);
    ASSERT_NE(step, Step::kBroken) << pump_->error()->message;
    if (stop.stop_requested() && step != Step::kProgress) {
      EXPECT_EQ(pump_->status().state, before) << "what was cut says nothing of the target";
    }
    CheckStep();
    if (step == Step::kWait && Roll(3) != 0) AdvanceTo(pump_->wake_at());
  }
  void AdvanceTo(SteadyTime time) {
    if (time > clock_.Steady()) clock_.Advance(time - clock_.Steady());
  }

  // A letter's reason must be one that its event can have.
  void CheckReason(const DeadLetter& letter) {
    const uint64_t s = letter.id.sequence.value;
    if (letter.reason == "max_age") {
      EXPECT_GT(options_.age_max, Micros::zero());
      EXPECT_GT(letter.last_failed - letter.accepted, options_.age_max) << "sequence " << s;
      EXPECT_EQ(letter.accepted, accepted_[s]) << "sequence " << s;
      return;
    }
    const Nature nature = natures_[s];
    const char* expected = nature == Nature::kPoison || nature == Nature::kTogether ? "rejected"
                           : nature == Nature::kHuge                                ? "too_large"
                                                                                    : "none";
    EXPECT_EQ(letter.reason, expected) << "sequence " << s;
  }
  // Dead letters that were written in this step; of those that are gone, which is returned, the
  // target must have said yes.
  uint64_t UpdateLetters(uint64_t* born) {
    std::set<uint64_t> now;
    for (const DeadLetter& letter : journal_.Dead("t")) {
      const uint64_t s = letter.id.sequence.value;
      now.insert(s);
      if (letters_.contains(s)) continue;
      ++*born;
      EXPECT_GE(s, last_next_.value) << "a dead letter of what was settled before";
      EXPECT_LT(s, cursor_->next().value) << "a dead letter of what is not settled";
      CheckReason(letter);
    }
    uint64_t redeemed = 0;
    for (const uint64_t s : letters_) {
      if (now.contains(s)) continue;
      ++redeemed;
      EXPECT_TRUE(target_.confirmed.contains(s)) << "sequence " << s << " was let go of";
      EXPECT_EQ(ends_[s], End::kDead);
      ends_[s] = End::kDelivered;
    }
    letters_ = std::move(now);
    return redeemed;
  }
  // The account has moved by exactly what the cursor passed.
  void CheckStep() {
    const Account now = cursor_->account();
    const Sequence next = cursor_->next();
    ExpectBalanced(now);
    EXPECT_EQ(now.accepted, natures_.size() - 1);
    ASSERT_GE(next, last_next_);
    EXPECT_EQ(now.skipped, last_.skipped);
    uint64_t born = 0;
    uint64_t redeemed = 0;
    if (now.dead_lettered != last_.dead_lettered) redeemed = UpdateLetters(&born);
    redeemed_ += redeemed;
    uint64_t yes = 0;
    uint64_t filtered = 0;
    uint64_t evicted = 0;
    for (uint64_t s = last_next_.value; s < next.value; ++s) {
      EXPECT_EQ(ends_[s], End::kNone) << "sequence " << s;
      if (letters_.contains(s)) {
        ends_[s] = End::kDead;
      } else if (target_.SaidYes(s)) {
        ends_[s] = End::kDelivered;
        ++yes;
      } else if (natures_[s] == Nature::kFiltered) {
        ends_[s] = End::kFiltered;
        ++filtered;
      } else {
        EXPECT_TRUE(IsTrimmed(s)) << "sequence " << s << " was passed and nobody has it";
        ends_[s] = End::kEvicted;
        ++evicted;
      }
    }
    EXPECT_EQ(now.delivered, last_.delivered + yes + redeemed);
    EXPECT_EQ(now.dead_lettered + redeemed, last_.dead_lettered + born);
    // What retention took may be counted before the cursor's number has passed all of it.
    if (!sized_) {
      EXPECT_EQ(now.filtered, last_.filtered + filtered);
      EXPECT_EQ(now.evicted, 0U);
    }
    EXPECT_LE(now.delivered, target_.confirmed.size()) << "delivered without a yes";
    last_ = now;
    last_next_ = next;
  }

  bool WantsMore() { return !journal_->dead_letters().Wanted("t", 1)->empty(); }
  void Heal() {
    target_.weather.fault_percent = 0;
    if (Sound()) RetryNow();
    for (int i = 0; i < 200'000 && Sound(); ++i) {
      const Step step = pump_->Run({});
      ASSERT_NE(step, Step::kBroken) << pump_->error()->message;
      CheckStep();
      if (step == Step::kIdle) {
        if (!WantsMore()) return;
        RetryNow();
        pump_->LookForWanted();
      }
      if (step == Step::kWait) AdvanceTo(pump_->wake_at());
    }
    if (Sound()) ADD_FAILURE() << "did not drain";
  }

  // Every event has one end, and one that its nature allows.
  void CheckTheEnd() {
    std::map<End, uint64_t> count;
    for (uint64_t s = 1; s < natures_.size(); ++s) {
      ++count[ends_[s]];
      EXPECT_NE(ends_[s], End::kNone) << "sequence " << s;
      const bool good = natures_[s] == Nature::kGood;
      EXPECT_TRUE(good || !target_.confirmed.contains(s)) << "sequence " << s;
      EXPECT_TRUE(ends_[s] != End::kDelivered || target_.confirmed.contains(s)) << "sequence " << s;
    }
    const Account account = cursor_->account();
    EXPECT_EQ(account.delivered, count[End::kDelivered]);
    EXPECT_EQ(account.dead_lettered, count[End::kDead]);
    EXPECT_EQ(account.filtered + account.evicted + account.skipped,
              count[End::kFiltered] + count[End::kEvicted] + count[End::kSkipped]);
    if (!sized_) {
      EXPECT_EQ(account.filtered, count[End::kFiltered]);
      EXPECT_EQ(account.skipped, count[End::kSkipped]);
    }
    EXPECT_EQ(account.pending, 0U);
    EXPECT_EQ(cursor_->next(), journal_->end());
    // What it failed at last may have ended without it.
    EXPECT_TRUE(pump_->status().state == TargetState::kOk || !pump_->status().retry_at);
    // Of all runs together the log tells whether everything came to pass.
    std::printf(
        "RESULT sim | %zu | delivered %llu dead %llu evicted %llu skipped %llu redeemed "
        "%llu%s\n",
        natures_.size() - 1, static_cast<unsigned long long>(account.delivered),
        static_cast<unsigned long long>(account.dead_lettered),
        static_cast<unsigned long long>(account.evicted),
        static_cast<unsigned long long>(account.skipped),
        static_cast<unsigned long long>(redeemed_),
        options_.age_max > Micros::zero() ? " by age" : "");
  }

  std::mt19937_64 random_;
  ManualClock clock_;
  ForwardJournal journal_{&clock_};
  // By sequence; 0 is none.
  std::vector<Nature> natures_{Nature::kGood};
  std::vector<SystemTime> accepted_{SystemTime{}};
  std::vector<std::string> streams_{""};
  std::vector<End> ends_{End::kNone};
  SimTarget target_;
  PumpOptions options_;
  bool sized_ = false;  // retention does not wait for the target
  bool skips_ = false;
  Router router_ = Everything();
  std::unique_ptr<Cursor> cursor_;
  std::unique_ptr<Pump> pump_;
  std::set<uint64_t> letters_;  // that wait in the journal
  uint64_t redeemed_ = 0;
  Account last_;
  Sequence last_next_{1};
};

class PumpSimulation : public ::testing::TestWithParam<uint64_t> {};

TEST_P(PumpSimulation, GivesEveryEventExactlyItsFateWhateverTheTargetDoes) {
  SCOPED_TRACE("SPOOL_SIM_SEED=" + std::to_string(GetParam()));
  Simulation(GetParam()).Go();
}

INSTANTIATE_TEST_SUITE_P(Seeds, PumpSimulation,
                         ::testing::ValuesIn(testing::FaultProfile("SIM", 40).Seeds()));

}  // namespace
}  // namespace spool
