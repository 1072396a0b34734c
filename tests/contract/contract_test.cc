// One suite over every sink: what the pump relies on, whatever the target.
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <set>
#include <thread>

#include "tests/support/contract_targets.h"
#include "tests/support/moment.h"

namespace spool::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SteadyTime Now() { return RealClock().Steady(); }

bool Good(const Outcome& outcome) {
  return outcome.verdict == Verdict::kDelivered || outcome.verdict == Verdict::kDuplicate;
}

std::vector<Outcome> Attempt(Sink& sink, std::span<const Message> messages,
                             SteadyTime deadline = Now() + seconds(20), std::stop_token stop = {}) {
  std::vector<Outcome> outcomes(messages.size());
  sink.Deliver(messages, outcomes, deadline, std::move(stop));
  for (const Outcome& outcome : outcomes) EXPECT_LE(outcome.excerpt.size(), 1024u);
  return outcomes;
}

// Equality that does not print a thousand events when it fails.
::testing::AssertionResult Same(const std::vector<std::string>& got,
                                const std::vector<std::string>& want) {
  if (got == want) return ::testing::AssertionSuccess();
  const auto [a, b] = std::mismatch(got.begin(), got.end(), want.begin(), want.end());
  return ::testing::AssertionFailure()
         << "got " << got.size() << " events, want " << want.size() << "; number "
         << a - got.begin() << " is " << (a == got.end() ? "missing" : a->substr(0, 200))
         << ", want " << (b == want.end() ? "nothing" : b->substr(0, 200));
}

// The bodies of one event each, in the order of their first arrival.
std::vector<std::string> FirstArrivals(const std::vector<std::string>& received) {
  std::vector<std::string> first;
  std::set<std::string> seen;
  for (const std::string& body : received) {
    if (seen.insert(body).second) first.push_back(body);
  }
  return first;
}

class Contract : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    target_ = MakeContractTarget(GetParam());
    sink_ = target_->NewSink();
  }
  void TearDown() override {
    sink_.reset();
    target_.reset();
  }
  std::unique_ptr<ContractTarget> target_;
  std::unique_ptr<Sink> sink_;
};

std::string Name(const ::testing::TestParamInfo<std::string>& info) { return info.param; }

#define SINKS(suite, ...) \
  INSTANTIATE_TEST_SUITE_P(Sinks, suite, ::testing::Values(__VA_ARGS__), Name)

// ---- every sink

class EverySink : public Contract {};
SINKS(EverySink, "null", "stdout", "file", "webhook", "webhook_parallel", "webhook_batch",
      "webhook_lines", "nats", "kafka");

TEST_P(EverySink, LeavesAnEmptyBatchAlone) {
  Attempt(*sink_, {});
  EXPECT_TRUE(target_->Received().empty());
}

TEST_P(EverySink, GivesEveryEventAnOutcome) {
  const ContractBatch batch(1000);
  EXPECT_TRUE(Same(DeliverAll(*sink_, batch), batch.bodies()));
}

TEST_P(EverySink, CanBeDestroyedUnused) { sink_ = target_->NewSink(); }

// ---- sinks that keep

class KeepingSink : public Contract {};
SINKS(KeepingSink, "stdout", "file", "webhook", "webhook_parallel", "webhook_batch",
      "webhook_lines", "nats", "kafka");

TEST_P(KeepingSink, DeliversEachEventOnceWithItsExactBytes) {
  const ContractBatch batch(10);
  for (const Outcome& outcome : Attempt(*sink_, batch.messages())) {
    EXPECT_EQ(outcome.verdict, Verdict::kDelivered) << outcome.code << " " << outcome.excerpt;
  }
  std::vector<std::string> received = target_->Received();
  std::vector<std::string> sent = batch.bodies();
  if (GetParam() == "webhook_parallel") {
    std::ranges::sort(received);
    std::ranges::sort(sent);
  }
  EXPECT_TRUE(Same(received, sent));
}

TEST_P(KeepingSink, DeliversOneEventOfAMegabyte) {
  const ContractBatch batch(1, 1'000'000);
  EXPECT_TRUE(Same(DeliverAll(*sink_, batch, 1), batch.bodies()));
  EXPECT_TRUE(Same(target_->Received(), batch.bodies()));
}

TEST_P(KeepingSink, DeliversFortyMegabytesThroughBoundedBuffers) {
  const ContractBatch batch(80, 500'000);
  EXPECT_EQ(DeliverAll(*sink_, batch, 40).size(), batch.size());
  EXPECT_EQ(target_->Received().size(), batch.size());
}

class OrderedSink : public Contract {};
SINKS(OrderedSink, "stdout", "file", "webhook", "webhook_batch", "webhook_lines", "nats", "kafka");

TEST_P(OrderedSink, KeepsTheOrderOfAThousand) {
  const ContractBatch batch(1000);
  EXPECT_TRUE(Same(DeliverAll(*sink_, batch), batch.bodies()));
  EXPECT_TRUE(Same(target_->Received(), batch.bodies()));
}

TEST_P(OrderedSink, KeepsTheOrderOverManyBatches) {
  std::vector<std::string> sent;
  for (size_t i = 0; i < 20; ++i) {
    const ContractBatch batch(17, 0, i * 17);
    EXPECT_EQ(DeliverAll(*sink_, batch).size(), batch.size());
    sent.insert(sent.end(), batch.bodies().begin(), batch.bodies().end());
  }
  EXPECT_TRUE(Same(target_->Received(), sent));
}

// ---- targets that hang

class HangingTarget : public Contract {};
SINKS(HangingTarget, "stdout", "webhook", "webhook_parallel", "webhook_batch", "webhook_lines",
      "nats", "kafka");

TEST_P(HangingTarget, EndsTheAttemptAtTheDeadline) {
  const ContractBatch first(1);
  ASSERT_EQ(DeliverAll(*sink_, first).size(), 1u);
  target_->Hang();
  const ContractBatch batch(500, 1000, 1);
  const SteadyTime began = Now();
  const auto outcomes = Attempt(*sink_, batch.messages(), began + milliseconds(400));
  EXPECT_LT(Now() - began, seconds(2));
  EXPECT_GE(Now() - began, milliseconds(390));
  EXPECT_FALSE(Good(outcomes.back()));
  EXPECT_EQ(outcomes.back().verdict, Verdict::kRetry);
  const auto failed = std::ranges::find_if_not(outcomes, Good);
  EXPECT_EQ(failed->code, "timeout") << failed->excerpt;
  target_->Unhang();
}

TEST_P(HangingTarget, EndsTheAttemptAtTheDeadlineBeforeTheFirstConnectionToo) {
  target_->Hang();
  const ContractBatch batch(200, 1000);
  const SteadyTime began = Now();
  const auto outcomes = Attempt(*sink_, batch.messages(), began + milliseconds(400));
  EXPECT_LT(Now() - began, seconds(2));
  EXPECT_EQ(outcomes.back().verdict, Verdict::kRetry);
  target_->Unhang();
}

TEST_P(HangingTarget, EndsTheAttemptSoonAfterAStop) {
  const ContractBatch first(1);
  ASSERT_EQ(DeliverAll(*sink_, first).size(), 1u);
  target_->Hang();
  const ContractBatch batch(500, 1000, 1);
  std::stop_source stop;
  SteadyTime stopped;
  std::vector<Outcome> outcomes;
  std::promise<pid_t> thread;
  std::jthread attempt([&] {
    thread.set_value(ThisThread());
    outcomes = Attempt(*sink_, batch.messages(), Now() + seconds(60), stop.get_token());
  });
  ASSERT_TRUE(AwaitAsleep(thread.get_future().get()));  // it waits for the target
  stopped = Now();
  stop.request_stop();
  attempt.join();
  EXPECT_LT(Now() - stopped, seconds(1));
  EXPECT_EQ(outcomes.back().verdict, Verdict::kRetry);
  target_->Unhang();
}

TEST_P(HangingTarget, DeliversEverythingOnceItAnswersAgain) {
  const ContractBatch batch(300, 1000);
  target_->Hang();
  const auto outcomes = Attempt(*sink_, batch.messages(), Now() + milliseconds(300));
  EXPECT_FALSE(Good(outcomes.back()));
  target_->Unhang();
  DeliverAll(*sink_, batch);
  std::vector<std::string> received = FirstArrivals(target_->Received());
  std::vector<std::string> sent = batch.bodies();
  if (GetParam() == "webhook_parallel") {
    std::ranges::sort(received);
    std::ranges::sort(sent);
  }
  EXPECT_TRUE(Same(received, sent));
}

// ---- targets that go away

class AbsentTarget : public Contract {};
SINKS(AbsentTarget, "stdout", "file", "webhook", "webhook_parallel", "webhook_batch",
      "webhook_lines", "nats", "kafka");

TEST_P(AbsentTarget, CreditsNothingAndSaysSoQuickly) {
  target_->Down();
  const ContractBatch batch(100);
  const SteadyTime began = Now();
  const auto outcomes = Attempt(*sink_, batch.messages());
  EXPECT_LT(Now() - began, seconds(4));
  EXPECT_EQ(outcomes.front().verdict, target_->verdict_when_down());
  EXPECT_FALSE(outcomes.front().code.empty());
  for (const Outcome& outcome : outcomes) {
    EXPECT_TRUE(outcome.verdict == Verdict::kRetry ||
                outcome.verdict == target_->verdict_when_down());
  }
  target_->Up();
  EXPECT_TRUE(target_->Received().empty());
}

TEST_P(AbsentTarget, IsDeliveredToByTheSameSinkOnceItIsBack) {
  const ContractBatch before(50);
  ASSERT_EQ(DeliverAll(*sink_, before).size(), 50u);
  target_->Down();
  const ContractBatch batch(100, 0, 50);
  for (int i = 0; i < 3; ++i) {
    for (const Outcome& outcome : Attempt(*sink_, batch.messages())) EXPECT_FALSE(Good(outcome));
  }
  target_->Up();
  EXPECT_EQ(DeliverAll(*sink_, batch).size(), 100u);
  std::vector<std::string> sent = before.bodies();
  sent.insert(sent.end(), batch.bodies().begin(), batch.bodies().end());
  std::vector<std::string> received = FirstArrivals(target_->Received());
  std::erase_if(received, [](const std::string& line) { return line.starts_with("TORN"); });
  std::ranges::sort(received);
  std::ranges::sort(sent);
  EXPECT_TRUE(Same(received, sent));
}

// ---- refusals

class GuardedTarget : public Contract {};
SINKS(GuardedTarget, "webhook", "webhook_parallel", "webhook_batch", "webhook_lines", "nats",
      "kafka");

TEST_P(GuardedTarget, HoldsWhenCredentialsAreRefusedAndDropsNothing) {
  target_->RefuseCredentials();
  const ContractBatch batch(20);
  for (int i = 0; i < 3; ++i) {
    const auto outcomes = Attempt(*sink_, batch.messages());
    EXPECT_EQ(outcomes.front().verdict, Verdict::kHold) << outcomes.front().code;
    for (const Outcome& outcome : outcomes) {
      EXPECT_TRUE(outcome.verdict == Verdict::kHold || outcome.verdict == Verdict::kRetry);
      EXPECT_EQ(outcome.excerpt.find("right"), std::string::npos);
    }
  }
  target_->AcceptCredentials();
  EXPECT_EQ(DeliverAll(*sink_, batch).size(), 20u);
  EXPECT_EQ(FirstArrivals(target_->Received()).size(), 20u);
}

TEST_P(GuardedTarget, SaysTooLargeOfWhatIsTooLarge) {
  target_->LimitSize(20'000);
  const ContractBatch small(5);
  EXPECT_EQ(DeliverAll(*sink_, small).size(), 5u);
  const ContractBatch large(1, 50'000, 5);
  EXPECT_EQ(Attempt(*sink_, large.messages()).front().verdict, Verdict::kTooLarge);
  const ContractBatch after(5, 0, 6);
  EXPECT_EQ(DeliverAll(*sink_, after).size(), 5u);
  EXPECT_EQ(target_->Received().size(), 10u);
}

// ---- faults in between

class FlakyTarget : public Contract {};
SINKS(FlakyTarget, "webhook", "webhook_parallel", "webhook_batch", "webhook_lines");
class FlakyOrderedTarget : public Contract {};
SINKS(FlakyOrderedTarget, "webhook", "webhook_batch", "webhook_lines");

TEST_P(FlakyTarget, IsNeverCreditedWithWhatItDidNotTake) {
  target_->Flaky();
  std::set<std::string> credited;
  for (size_t i = 0; i < 30; ++i) {
    const ContractBatch batch(10, 0, i * 10);
    for (std::string& body : DeliverAll(*sink_, batch)) credited.insert(std::move(body));
    const std::vector<std::string> received = target_->Received();
    const std::set<std::string> seen(received.begin(), received.end());
    for (const std::string& body : credited) ASSERT_TRUE(seen.contains(body));
  }
  EXPECT_EQ(credited.size(), 300u);
}

TEST_P(FlakyOrderedTarget, GetsFirstDeliveriesInOrderAllTheSame) {
  target_->Flaky();
  const ContractBatch batch(100);
  EXPECT_EQ(DeliverAll(*sink_, batch, 400).size(), 100u);
  EXPECT_TRUE(Same(FirstArrivals(target_->Received()), batch.bodies()));
}

}  // namespace
}  // namespace spool::testing
