// Dead letters that an operator wants sent again, beside live traffic.
#include <gtest/gtest.h>

#include "tests/support/forward_pump_fixture.h"

namespace spool {
namespace {

using std::chrono::minutes;

// Makes dead letters of everything, then lets the target take all.
class PumpRedrive : public PumpTest {
 protected:
  void MakeDead(size_t count) {
    journal_.Fill(count);
    sink_.script = ScriptedSink::Always(Verdict::kReject, "http_400");
    Start();
    ASSERT_EQ(RunOn(), Step::kIdle);
    ASSERT_EQ(account().dead_lettered, count);
    sink_.attempts.clear();
  }
  void WantAll() {
    for (const DeadLetter& letter : journal_.Dead("t")) {
      ASSERT_TRUE(journal_->dead_letters().WantRetry(letter.id).has_value());
    }
    pump_->LookForWanted();
  }
  // All that waits for the target has ended otherwise: then nothing is waited for.
  void GrowOld(Verdict verdict) {
    options_.age_max = std::chrono::hours(1);
    MakeDead(2);
    journal_.Fill(5);
    sink_.script = ScriptedSink::Always(verdict, "http_503");
    EXPECT_EQ(RunOn(minutes(30)), Step::kWait);
    EXPECT_NE(pump_->status().state, TargetState::kOk);
    sink_.attempts.clear();
    clock_.Advance(std::chrono::hours(2));
    EXPECT_EQ(RunOn(), Step::kIdle);
    EXPECT_TRUE(sink_.attempts.empty());
    EXPECT_NE(pump_->status().state, TargetState::kOk) << "it has not answered since";
    EXPECT_FALSE(pump_->status().retry_at);
    sink_.script = ScriptedSink::Accept;
    WantAll();
    EXPECT_EQ(RunOn(), Step::kIdle);
    EXPECT_EQ(sink_.attempts.size(), 7U);
    EXPECT_EQ(pump_->status().state, TargetState::kOk);
    EXPECT_EQ(pump_->status().last_error, "");
    EXPECT_EQ(account().delivered, 7U);
    EXPECT_EQ(account().dead_lettered, 0U);
  }
};

TEST_F(PumpRedrive, SendsAWantedDeadLetterAgainAndCountsItAsDelivered) {
  MakeDead(40);
  sink_.script = ScriptedSink::Accept;
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_TRUE(sink_.attempts.empty());  // nobody asked
  WantAll();
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(sink_.attempts.size(), 40U);
  EXPECT_NE(sink_.attempts[0][0].body.find("\"sequence\":\"1\""), std::string::npos);
  EXPECT_TRUE(journal_.Dead("t").empty());
  EXPECT_EQ(account().delivered, 40U);
  EXPECT_EQ(account().dead_lettered, 0U);
}

TEST_F(PumpRedrive, WaitsForNoEventWhenWhatATargetThatWasAwayMissedIsTooOld) {
  GrowOld(Verdict::kRetry);
}

TEST_F(PumpRedrive, WaitsForNoEventWhenWhatATargetRefusedToTakeIsTooOld) {
  GrowOld(Verdict::kHold);
}

TEST_F(PumpRedrive, KeepsOneThatIsRefusedAgain) {
  MakeDead(2);
  sink_.script = ScriptedSink::Always(Verdict::kReject, "http_422");
  WantAll();
  EXPECT_EQ(RunOn(), Step::kIdle);
  const auto dead = journal_.Dead("t");
  ASSERT_EQ(dead.size(), 2U);
  EXPECT_EQ(dead[0].code, "http_422");
  EXPECT_EQ(dead[0].attempts, 2U);
  EXPECT_FALSE(dead[0].retry_wanted);
  EXPECT_EQ(account().dead_lettered, 2U);
  EXPECT_EQ(sink_.attempts.size(), 2U);
}

TEST_F(PumpRedrive, DoesNotSendOneThatWasDroppedWhileTheTargetHeldIt) {
  MakeDead(3);
  sink_.script = ScriptedSink::Always(Verdict::kHold, "http_401");
  WantAll();
  EXPECT_EQ(RunOn(), Step::kIdle);
  ASSERT_EQ(sink_.attempts.size(), 1U);
  sink_.attempts.clear();
  ASSERT_TRUE(journal_->dead_letters().Drop(journal_.Dead("t")[1].id).has_value());
  sink_.script = ScriptedSink::Accept;
  for (int i = 0; i < 10; ++i) {
    clock_.Advance(minutes(5));
    EXPECT_EQ(RunOn(), Step::kIdle);
  }
  ASSERT_EQ(sink_.attempts.size(), 2U);
  for (const auto& attempt : sink_.attempts) EXPECT_NE(attempt[0].sequence.value, 2U);
  EXPECT_TRUE(journal_.Dead("t").empty());
  EXPECT_EQ(account().delivered, 2U);
  EXPECT_EQ(account().dead_lettered, 1U);
}

TEST_F(PumpRedrive, TakesTurnsWithLiveTraffic) {
  MakeDead(10);
  sink_.script = ScriptedSink::Accept;
  WantAll();
  options_.batch.events = 1;
  NewPump();
  for (int i = 0; i < 10; ++i) journal_.Fill(1);
  EXPECT_EQ(RunOn(), Step::kIdle);
  ASSERT_EQ(sink_.attempts.size(), 20U);
  for (size_t i = 0; i + 1 < 20; i += 2) {
    EXPECT_NE(sink_.attempts[i][0].sequence.value > 10,
              sink_.attempts[i + 1][0].sequence.value > 10);
  }
}

TEST_F(PumpRedrive, DoesNotHoldUpLiveTrafficWhenItGetsNoAnswer) {
  MakeDead(1);
  sink_.script = [](std::span<const Message> messages, std::span<Outcome> outcomes) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const bool old = messages[i].event->sequence.value == 1;
      outcomes[i].verdict = old ? Verdict::kRetry : Verdict::kDelivered;
      outcomes[i].code = old ? "http_500" : "";
    }
  };
  WantAll();
  for (int i = 0; i < 50; ++i) {
    journal_.Fill(1);
    EXPECT_EQ(RunOn(), Step::kIdle);
    EXPECT_EQ(pump_->status().state, TargetState::kOk);
    clock_.Advance(minutes(1));
  }
  EXPECT_EQ(account().delivered, 50U);
  const auto dead = journal_.Dead("t");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_FALSE(dead[0].retry_wanted);  // given back after a few tries
  EXPECT_EQ(dead[0].code, "http_500");
}

TEST_F(PumpRedrive, FindsAtItsStartWhatWasWantedBefore) {
  MakeDead(3);
  WantAll();
  Restart();
  sink_.script = ScriptedSink::Accept;
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(account().delivered, 3U);
}

}  // namespace
}  // namespace spool
