#include "forward/forwarder.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "spool/records.h"
#include "tests/support/forward_fixture.h"
#include "tests/support/moment.h"

namespace spool {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What a test and a forwarder's sink share.
struct Target {
  std::mutex mutex;
  std::condition_variable changed;
  std::multiset<uint64_t> delivered;
  Verdict verdict = Verdict::kDelivered;
  bool hangs = false;
  int attempts = 0;
  int hanging = 0;

  void Set(Verdict v) {
    const std::lock_guard lock(mutex);
    verdict = v;
  }
  int Attempts() {
    const std::lock_guard lock(mutex);
    return attempts;
  }
  void Hang(bool yes) {
    const std::lock_guard lock(mutex);
    hangs = yes;
    changed.notify_all();
  }
  template <class Predicate>
  bool Await(Predicate predicate, seconds patience = seconds(20)) {
    // Looked at every few milliseconds too, since not all that is waited for happens in the sink.
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::unique_lock lock(mutex);
    while (!predicate()) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      changed.wait_for(lock, milliseconds(5));
    }
    return true;
  }
  bool AwaitDelivered(size_t count) {
    return Await([&] { return delivered.size() >= count; });
  }
};

class SharedSink final : public Sink {
 public:
  explicit SharedSink(Target& target) : target_(target) {}
  Encoding encoding() const override { return Encoding::kNone; }
  void Deliver(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime,
               std::stop_token stop) override {
    std::unique_lock lock(target_.mutex);
    ++target_.attempts;
    target_.changed.notify_all();
    if (target_.hangs) {
      ++target_.hanging;
      target_.changed.notify_all();
      const std::stop_callback ring(stop, [this] { target_.changed.notify_all(); });
      while (target_.hangs && !stop.stop_requested()) {
        target_.changed.wait_for(lock, milliseconds(20));
      }
      --target_.hanging;
      if (stop.stop_requested()) return;
    }
    for (size_t i = 0; i < messages.size(); ++i) {
      outcomes[i].verdict = target_.verdict;
      outcomes[i].code = target_.verdict == Verdict::kDelivered ? "" : "test_code";
      if (target_.verdict == Verdict::kDelivered) {
        target_.delivered.insert(messages[i].event->sequence.value);
      }
    }
    target_.changed.notify_all();
  }

 private:
  Target& target_;
};

class ForwarderTest : public testing::Test {
 protected:
  void SetUp() override {
    journal_.Open();
    settings_.name = "t";
    settings_.type = "null";
    settings_.start = {1};
    settings_.retry.first = milliseconds(1);
    settings_.retry.max = milliseconds(5);
    settings_.retry.hold_probe = milliseconds(5);
  }
  void Start() { forwarder_ = StartOne(settings_, target_); }
  std::unique_ptr<Forwarder> StartOne(const TargetSettings& settings, Target& target) {
    auto started = Forwarder::StartWith(std::make_unique<SharedSink>(target), settings,
                                        Everything(), *journal_, RealClock());
    EXPECT_TRUE(started.has_value()) << started.error().message;
    return started ? std::move(*started) : nullptr;
  }
  void Stop(Micros grace = seconds(10)) {
    forwarder_->Stop(RealClock().Steady() + grace);
    forwarder_.reset();
  }
  // The forwarder has done all that it means to do for now: it is asleep, and another one on the
  // same journal, which nothing holds back, has delivered everything.
  void AwaitRest() {
    Target target;
    TargetSettings settings;
    settings.name = "witness-" + std::to_string(++witnesses_);
    settings.type = "null";
    settings.start = {1};
    const auto witness = StartOne(settings, target);
    ASSERT_NE(witness, nullptr);
    ASSERT_TRUE(target.AwaitDelivered(journal_->end().value - 1));
    witness->Stop(RealClock().Steady() + seconds(10));
    ASSERT_TRUE(AwaitAsleep(ThreadNamed("fwd-t")));
  }
  bool AwaitPending(uint64_t count) {
    return target_.Await([&] { return forwarder_->status().account.pending == count; });
  }

  ForwardJournal journal_;
  TargetSettings settings_;
  Target target_;
  std::unique_ptr<Forwarder> forwarder_;
  int witnesses_ = 0;
};

TEST_F(ForwarderTest, DeliversWhatIsThereAndWhatComes) {
  journal_.Fill(100);
  Start();
  EXPECT_TRUE(target_.AwaitDelivered(100));
  journal_.Fill(50);
  EXPECT_TRUE(target_.AwaitDelivered(150));
  Stop();
  EXPECT_EQ(target_.delivered.size(), 150U);
}

TEST_F(ForwarderTest, DeliversANewEventWithoutDelay) {
  Start();
  journal_.Fill(1);
  ASSERT_TRUE(target_.AwaitDelivered(1));
  const pid_t thread = ThreadNamed("fwd-t");
  for (size_t i = 2; i < 12; ++i) {
    // It has just fallen asleep, for a second if nobody wakes it; the journal does at once.
    ASSERT_TRUE(AwaitAsleep(thread));
    journal_.Fill(1);
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(target_.AwaitDelivered(i));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(700)) << "event " << i;
  }
}

TEST_F(ForwarderTest, GoesOnWhereItStopped) {
  journal_.Fill(30);
  Start();
  EXPECT_TRUE(target_.AwaitDelivered(30));
  Stop();
  journal_.Fill(20);
  journal_.Close();
  journal_.Open();
  Start();
  EXPECT_TRUE(target_.AwaitDelivered(50));
  Stop();
  EXPECT_EQ(std::set<uint64_t>(target_.delivered.begin(), target_.delivered.end()).size(), 50U);
  EXPECT_EQ(target_.delivered.size(), 50U);
}

TEST_F(ForwarderTest, StaysPausedOverARestart) {
  Start();
  ASSERT_TRUE(forwarder_->Pause().has_value());
  EXPECT_EQ(forwarder_->status().pump.state, TargetState::kPaused);
  journal_.Fill(10);
  Stop();
  EXPECT_TRUE(journal_->records().Get("paused/t")->has_value());
  journal_.Close();
  journal_.Open();
  Start();
  EXPECT_EQ(forwarder_->status().pump.state, TargetState::kPaused);
  AwaitRest();
  EXPECT_EQ(target_.Attempts(), 0);
  EXPECT_EQ(forwarder_->status().account.pending, 10U);
  ASSERT_TRUE(forwarder_->Resume().has_value());
  EXPECT_TRUE(target_.AwaitDelivered(10));
  EXPECT_EQ(forwarder_->status().pump.state, TargetState::kOk);
  Stop();
  EXPECT_FALSE(journal_->records().Get("paused/t")->has_value());
}

TEST_F(ForwarderTest, PausesInTheMiddleOfTheStream) {
  Start();
  journal_.Fill(10);
  ASSERT_TRUE(target_.AwaitDelivered(10));
  ASSERT_TRUE(forwarder_->Pause().has_value());
  AwaitRest();  // an attempt that had begun may end
  journal_.Fill(20);
  AwaitRest();
  EXPECT_EQ(target_.delivered.size(), 10U);
  ASSERT_TRUE(forwarder_->Resume().has_value());
  EXPECT_TRUE(target_.AwaitDelivered(30));
  Stop();
}

TEST_F(ForwarderTest, EndsABackoffAtOnceWhenResumed) {
  settings_.retry.first = settings_.retry.max = std::chrono::hours(10);
  target_.Set(Verdict::kRetry);
  journal_.Fill(5);
  Start();
  ASSERT_TRUE(target_.Await([&] { return target_.attempts >= 1; }));
  target_.Set(Verdict::kDelivered);
  ASSERT_TRUE(forwarder_->Resume().has_value());
  EXPECT_TRUE(target_.AwaitDelivered(5));
  Stop();
}

TEST_F(ForwarderTest, DeliversWhenTheTargetComesBack) {
  for (const Verdict away : {Verdict::kRetry, Verdict::kHold}) {
    target_.Set(away);
    journal_.Fill(5);
    if (forwarder_ == nullptr) Start();
    const int before = target_.Attempts();
    ASSERT_TRUE(target_.Await([&] { return target_.attempts >= before + 5; }));
    target_.Set(Verdict::kDelivered);
    ASSERT_TRUE(target_.AwaitDelivered(away == Verdict::kRetry ? 5 : 10));
  }
  EXPECT_TRUE(journal_.Dead("t").empty());
  Stop();
}

TEST_F(ForwarderTest, SkipsAheadAndSaysWhatItPassed) {
  target_.Set(Verdict::kHold);
  journal_.Fill(100);
  Start();
  ASSERT_TRUE(target_.Await([&] { return target_.attempts >= 1; }));
  ASSERT_TRUE(forwarder_->SkipTo({61}).has_value());
  target_.Set(Verdict::kDelivered);
  EXPECT_TRUE(target_.AwaitDelivered(40));
  const Status behind = forwarder_->SkipTo({3});
  ASSERT_FALSE(behind.has_value());
  EXPECT_EQ(behind.error().code, Code::kInvalid);
  ASSERT_TRUE(AwaitPending(0));
  const TargetStatus status = forwarder_->status();
  EXPECT_EQ(status.account.skipped, 60U);
  EXPECT_EQ(status.account.delivered, 40U);
  EXPECT_EQ(status.cursor.value, 101U);
  EXPECT_EQ(*target_.delivered.begin(), 61U);
  ExpectBalanced(status.account);
  Stop();
}

TEST_F(ForwarderTest, SkipsPastATargetThatHangs) {
  target_.Hang(true);
  journal_.Fill(10);
  Start();
  ASSERT_TRUE(target_.Await([&] { return target_.hanging > 0; }));
  ASSERT_TRUE(forwarder_->SkipTo({11}).has_value());  // while it still hangs
  EXPECT_EQ(forwarder_->status().account.skipped, 10U);
  target_.Hang(false);
  journal_.Fill(5);
  EXPECT_TRUE(target_.AwaitDelivered(5));
  Stop();
  EXPECT_EQ(*target_.delivered.begin(), 11U);
}

TEST_F(ForwarderTest, SendsABatchThatFillsBeforeItsWaitIsOver) {
  settings_.batch = {.events = 10, .wait = std::chrono::minutes(10)};
  Start();
  journal_.Fill(4);
  AwaitRest();  // it has seen them and waits for more
  EXPECT_EQ(target_.Attempts(), 0);
  journal_.Fill(6);
  EXPECT_TRUE(target_.AwaitDelivered(10));
  EXPECT_EQ(target_.Attempts(), 1);
  Stop();
}

TEST_F(ForwarderTest, KnowsSinceWhenEventsWaitAlsoWhilePausedAndAfterASkip) {
  journal_.Fill(10);
  ASSERT_TRUE(journal_->records().Put("paused/t", "1").has_value());
  Start();
  const auto page = journal_->NewReader(journal_->AllStreams())->Read({1}, {});
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(forwarder_->status().oldest_pending, page->events[0].accepted);
  ASSERT_TRUE(forwarder_->SkipTo({6}).has_value());
  EXPECT_EQ(forwarder_->status().oldest_pending, page->events[5].accepted);
  ASSERT_TRUE(forwarder_->SkipTo({11}).has_value());
  EXPECT_EQ(forwarder_->status().oldest_pending, std::nullopt);
  Stop();
}

TEST_F(ForwarderTest, SkipsWhilePaused) {
  journal_.Fill(10);
  ASSERT_TRUE(journal_->records().Put("paused/t", "1").has_value());
  Start();
  ASSERT_TRUE(forwarder_->SkipTo({11}).has_value());
  EXPECT_EQ(forwarder_->status().account.skipped, 10U);
  EXPECT_EQ(forwarder_->status().pump.state, TargetState::kPaused);
  Stop();
  EXPECT_EQ(target_.Attempts(), 0);
}

TEST_F(ForwarderTest, CutsAHangingSinkAtTheDeadlineAndLosesNothing) {
  target_.Hang(true);
  journal_.Fill(10);
  Start();
  ASSERT_TRUE(target_.Await([&] { return target_.hanging > 0; }));
  const auto begin = std::chrono::steady_clock::now();
  Stop(milliseconds(300));
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, milliseconds(290));
  EXPECT_LT(took, seconds(3));
  EXPECT_TRUE(target_.delivered.empty());
  target_.Hang(false);
  Start();
  EXPECT_TRUE(target_.AwaitDelivered(10));
  Stop();
}

TEST_F(ForwarderTest, LetsAnAttemptEndWithinTheGrace) {
  target_.Hang(true);
  journal_.Fill(10);
  Start();
  ASSERT_TRUE(target_.Await([&] { return target_.hanging > 0; }));
  std::atomic<bool> stopping{false};
  const pid_t stopper = ThisThread();
  std::jthread release([&] {
    EXPECT_TRUE(target_.Await([&] { return stopping.load(); }));
    EXPECT_TRUE(AwaitAsleep(stopper));  // it waits for the attempt to end
    target_.Hang(false);
  });
  const auto begin = std::chrono::steady_clock::now();
  stopping = true;
  Stop(seconds(30));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(10));
  EXPECT_EQ(target_.delivered.size(), 10U);
  for (const CursorStatus& cursor : journal_->Cursors()) EXPECT_EQ(cursor.account.delivered, 10U);
}

TEST_F(ForwarderTest, SendsDeadLettersAgainWhenWoken) {
  target_.Set(Verdict::kReject);
  journal_.Fill(5);
  Start();
  ASSERT_TRUE(AwaitPending(0));
  target_.Set(Verdict::kDelivered);
  for (const DeadLetter& letter : journal_.Dead("t")) {
    ASSERT_TRUE(journal_->dead_letters().WantRetry(letter.id).has_value());
  }
  forwarder_->Wake();
  EXPECT_TRUE(target_.AwaitDelivered(5));
  EXPECT_TRUE(target_.Await([&] { return forwarder_->status().account.delivered == 5; }));
  Stop();
  EXPECT_TRUE(journal_.Dead("t").empty());
}

TEST_F(ForwarderTest, RefusesASecondForwarderOfTheSameName) {
  Start();
  auto second = Forwarder::StartWith(std::make_unique<SharedSink>(target_), settings_, Everything(),
                                     *journal_, RealClock());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kConflict);
  Stop();
}

TEST_F(ForwarderTest, MakesItsSinkFromTheSettings) {
  journal_.Fill(25);
  settings_.sink.target = "t";
  settings_.sink.of = NullSettings{};
  auto started = Forwarder::Start(settings_, Everything(), *journal_, RealClock());
  ASSERT_TRUE(started.has_value()) << started.error().message;
  forwarder_ = std::move(*started);
  EXPECT_TRUE(target_.Await([&] { return forwarder_->status().account.delivered == 25; }));
  forwarder_.reset();  // stops by itself
}

}  // namespace
}  // namespace spool
