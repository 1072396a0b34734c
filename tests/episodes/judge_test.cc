// The judge of the fault episodes sees what it is there to see.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/episode_judge.h"

namespace spool::testing {
namespace {

using std::chrono::seconds;

constexpr uint64_t kEvents = 20;
const EpisodeTime kStart{std::chrono::hours(1)};

uint64_t HashOf(uint64_t number) { return number * 31 + 7; }

EpisodeArrival Arrived(uint64_t number) {
  return {number, HashOf(number), 100 + number, 0, 0, kStart + seconds(number)};
}

// Two targets that got twenty events each, one of them with a dead letter and a repeat where
// something was wrong.
EpisodeHistory Sound() {
  EpisodeHistory history;
  for (uint64_t n = 0; n < kEvents; ++n) {
    history.sent.push_back(HashOf(n));
    history.acknowledged.push_back(n);
    history.journal.emplace_back(n, 100 + n);
  }
  for (const char* name : {"one", "two"}) {
    EpisodeTarget& target = history.targets[name];
    for (uint64_t n = 0; n < kEvents; ++n) target.arrivals.push_back(Arrived(n));
    EpisodeAccount account;
    account.accepted = 15;
    account.delivered = 10;
    account.pending = 5;
    account.cursor = 110;
    account.arrived = 12;
    target.accounts.push_back(account);
    account.accepted = account.delivered = account.arrived = kEvents;
    account.pending = 0;
    account.cursor = 120;
    target.accounts.push_back(account);
  }
  EpisodeTarget& two = history.targets["two"];
  two.arrivals.erase(two.arrivals.begin() + 4);
  two.refused[4] = two.dead[4] = 400;
  two.accounts.back().delivered = kEvents - 1;
  two.accounts.back().dead_lettered = 1;
  two.arrivals.push_back(Arrived(19));
  two.arrivals.back().at = kStart + seconds(25);
  two.disturbances.push_back({kStart + seconds(18), kStart + seconds(24)});
  two.repeats_max = 1;
  history.faults.push_back({0, "two: black hole", true, true, true, true, true});
  return history;
}

std::set<std::string> Rules(const EpisodeHistory& history) {
  std::set<std::string> rules;
  for (const EpisodeViolation& one : JudgeEpisodes(history)) rules.insert(one.rule);
  return rules;
}

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class EpisodeJudge : public ::testing::Test {
 protected:
  EpisodeTarget& one() { return history_.targets["one"]; }
  EpisodeTarget& two() { return history_.targets["two"]; }
  EpisodeHistory history_ = Sound();
};

TEST_F(EpisodeJudge, FindsNothingWrongWithWhatIsSound) {
  EXPECT_THAT(JudgeEpisodes(history_), IsEmpty()) << ToText(JudgeEpisodes(history_));
}

TEST_F(EpisodeJudge, SeesALostEvent) {
  one().arrivals.erase(one().arrivals.begin() + 7);
  EXPECT_THAT(Rules(history_), ElementsAre("lost"));
}

TEST_F(EpisodeJudge, SeesTheLastEventLost) {
  one().arrivals.pop_back();
  EXPECT_THAT(Rules(history_), ElementsAre("lost"));
}

TEST_F(EpisodeJudge, SeesAnAcknowledgedEventThatWasNotStored) {
  history_.journal.pop_back();
  EXPECT_THAT(Rules(history_), Contains("unstored"));
}

TEST_F(EpisodeJudge, SeesAnEventStoredTwice) {
  history_.journal.emplace_back(3, 120);
  EXPECT_THAT(Rules(history_), Contains("twice"));
}

TEST_F(EpisodeJudge, SeesAHoleInTheJournal) {
  for (size_t i = 10; i < kEvents; ++i) ++history_.journal[i].second;
  EXPECT_THAT(Rules(history_), Contains("misplaced"));
}

// Records of what was done through the admin API have sequences too, and no others do.
TEST_F(EpisodeJudge, KnowsWhichHolesAreRecords) {
  for (size_t i = 10; i < kEvents; ++i) ++history_.journal[i].second;
  const uint64_t hole = history_.journal[10].second - 1;
  history_.recorded = {hole};
  const auto said = JudgeEpisodes(history_);
  EXPECT_TRUE(std::none_of(said.begin(), said.end(), [](const EpisodeViolation& one) {
    return one.detail.find("a hole in the journal") != std::string::npos;
  })) << ToText(said);
  history_.recorded = {hole + 1, hole - 1};
  EXPECT_THAT(Rules(history_), Contains("misplaced"));
}

TEST_F(EpisodeJudge, SeesAnAlteredEvent) {
  one().arrivals[3].hash ^= 1;
  EXPECT_THAT(Rules(history_), ElementsAre("altered"));
}

TEST_F(EpisodeJudge, SeesAnAlteredRepeat) {
  two().arrivals.back().hash ^= 1;
  EXPECT_THAT(Rules(history_), ElementsAre("altered"));
}

TEST_F(EpisodeJudge, SeesAnEventUnderAnothersSequence) {
  one().arrivals[3].sequence = 104;
  EXPECT_THAT(Rules(history_), ElementsAre("misplaced"));
}

TEST_F(EpisodeJudge, SeesAnEventThatNobodySent) {
  one().arrivals.push_back({UINT64_MAX, 0, 0, 0, 0, {}});
  EXPECT_THAT(Rules(history_), ElementsAre("unknown"));
}

TEST_F(EpisodeJudge, SeesFirstArrivalsOutOfOrder) {
  std::swap(one().arrivals[8], one().arrivals[9]);
  EXPECT_THAT(Rules(history_), ElementsAre("order"));
}

TEST_F(EpisodeJudge, LooksForOrderWithinALaneOnly) {
  std::swap(one().arrivals[8], one().arrivals[9]);
  one().arrivals[8].lane = 1;
  EXPECT_THAT(Rules(history_), IsEmpty());
}

TEST_F(EpisodeJudge, LooksForOrderAcrossTheEpochsOfALane) {
  one().arrivals.erase(one().arrivals.begin() + 5);
  one().arrivals.push_back(Arrived(5));
  one().arrivals.back().epoch = 1;
  EXPECT_THAT(Rules(history_), ElementsAre("order"));
}

TEST_F(EpisodeJudge, SeesMoreRepeatsThanDisturbancesExplain) {
  two().arrivals.push_back(two().arrivals.back());
  EXPECT_THAT(Rules(history_), ElementsAre("repeats"));
}

TEST_F(EpisodeJudge, SeesARepeatThatNothingDisturbed) {
  two().disturbances[0] = {kStart - seconds(100), kStart - seconds(90)};
  EXPECT_THAT(Rules(history_), ElementsAre("calm_repeat"));
}

TEST_F(EpisodeJudge, SeesARepeatWhereTheTargetTakesNone) {
  two().dedupes = true;
  EXPECT_THAT(Rules(history_), ElementsAre("twice"));
  two().arrivals.back().epoch = 1;
  EXPECT_THAT(Rules(history_), IsEmpty());
}

TEST_F(EpisodeJudge, SeesADeadLetterThatTheTargetDidNotRefuse) {
  two().refused.clear();
  EXPECT_THAT(Rules(history_), ElementsAre("dead_letter"));
}

TEST_F(EpisodeJudge, SeesADeadLetterWithAnotherReason) {
  two().dead[4] = 422;
  EXPECT_THAT(Rules(history_), ElementsAre("dead_letter"));
}

TEST_F(EpisodeJudge, SeesADeadLetterThatIsNotReported) {
  two().dead.clear();
  EXPECT_THAT(Rules(history_), ElementsAre("counted", "lost"));
}

TEST_F(EpisodeJudge, SeesAnAccountThatDoesNotAddUp) {
  one().accounts[0].pending = 4;
  EXPECT_THAT(Rules(history_), ElementsAre("account"));
}

TEST_F(EpisodeJudge, SeesALastAccountThatAddsUpAndIsWrong) {
  one().accounts.back().delivered -= 2;
  one().accounts.back().skipped += 2;
  EXPECT_THAT(Rules(history_), ElementsAre("counted"));
}

TEST_F(EpisodeJudge, SeesACursorThatWentBack) {
  one().accounts[0].cursor = 121;
  EXPECT_THAT(Rules(history_), ElementsAre("cursor_back"));
}

TEST_F(EpisodeJudge, SeesADeliveryThatWasCountedTooEarly) {
  one().accounts[0].arrived = 9;
  EXPECT_THAT(Rules(history_), ElementsAre("early"));
}

TEST_F(EpisodeJudge, SeesWhatTheEpisodesThemselvesWentWrongWith) {
  history_.faults[0].held = false;
  EXPECT_THAT(Rules(history_), ElementsAre("not_held"));
  history_.faults[0] = {0, "", false, false, true, false, true};
  EXPECT_THAT(Rules(history_), ElementsAre("stuck"));
  history_.faults[0] = {0, "", false, false, true, true, false};
  EXPECT_THAT(Rules(history_), ElementsAre("slowed"));
}

TEST_F(EpisodeJudge, SaysEachRuleAFewTimesOnly) {
  one().arrivals.clear();
  EXPECT_EQ(JudgeEpisodes(history_, 3).size(), 3u);
}

}  // namespace
}  // namespace spool::testing
