// What the pump puts aside, and when it may not.
#include <gtest/gtest.h>

#include "tests/support/forward_pump_fixture.h"

namespace spool {
namespace {

using std::chrono::minutes;

TEST_F(PumpTest, HoldsWhenThereIsNoRoomForMoreDeadLetters) {
  journal_.options.dead_letters_max = 3;
  journal_.Close();
  journal_.Open();
  options_.batch.events = 1;
  journal_.Fill(6);
  sink_.script = ScriptedSink::Always(Verdict::kReject, "http_400");
  Start();
  EXPECT_EQ(RunOn(), Step::kWait);
  EXPECT_EQ(pump_->status().state, TargetState::kHold);
  EXPECT_NE(pump_->status().last_error.find("dead_letters_full"), std::string::npos);
  EXPECT_EQ(account().dead_lettered, 3U);
  EXPECT_EQ(cursor_->next(), Sequence{4});
  for (const DeadLetter& letter : journal_.Dead("t")) {
    ASSERT_TRUE(journal_->dead_letters().Drop(letter.id));
  }
  EXPECT_EQ(RunOn(minutes(5)), Step::kIdle);
  EXPECT_EQ(account().dead_lettered, 6U);
  EXPECT_EQ(journal_.Dead("t").size(), 3U);
}

TEST_F(PumpTest, DeliversWhatIsTooOldWhenThereIsNoRoomForItsDeadLetter) {
  journal_.options.dead_letters_max = 2;
  journal_.Close();
  journal_.Open();
  options_.age_max = minutes(10);
  options_.batch.events = 2;
  journal_.Fill(5);
  clock_.Advance(minutes(11));
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(account().dead_lettered + account().delivered, 5U);
  EXPECT_GE(account().dead_lettered, 2U);
}

TEST_F(PumpTest, PutsAsideWhatIsOlderThanTheTargetWants) {
  options_.age_max = minutes(10);
  journal_.Fill(5);
  clock_.Advance(minutes(8));
  journal_.Fill(5);
  clock_.Advance(minutes(3));
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(sink_.messages(), 5U);
  EXPECT_EQ(sink_.attempts[0][0].sequence.value, 6U);
  const auto dead = journal_.Dead("t");
  ASSERT_EQ(dead.size(), 5U);
  EXPECT_EQ(dead[0].reason, "max_age");
  EXPECT_EQ(account().dead_lettered, 5U);
}

TEST_F(PumpTest, PutsAsideWhatGrowsTooOldDuringAnOutage) {
  options_.age_max = minutes(10);
  options_.retry.max = minutes(1);
  journal_.Fill(5);
  sink_.script = ScriptedSink::Always(Verdict::kRetry, "timeout");
  Start();
  EXPECT_EQ(RunOn(minutes(9)), Step::kWait);
  EXPECT_TRUE(journal_.Dead("t").empty());
  EXPECT_EQ(RunOn(minutes(3)), Step::kIdle);
  ASSERT_EQ(journal_.Dead("t").size(), 5U);
  EXPECT_GT(journal_.Dead("t")[0].attempts, 3U);
  EXPECT_LT(journal_.Dead("t")[0].first_failed, journal_.Dead("t")[0].last_failed);
}

}  // namespace
}  // namespace spool
