#include "spool/retention.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace spool {
namespace {

constexpr SystemTime kNow{Micros(1'000'000)};

RetentionView SettledTo(uint64_t sequence) {
  RetentionView view;
  view.now = kNow;
  view.settled = {sequence};
  view.retained_bytes = 100;
  return view;
}

TEST(Retention, WithoutLimitsNothingGoes) {
  const auto ruling = Judge(SettledTo(10), {5}, SystemTime{});
  EXPECT_FALSE(ruling.drop);
  EXPECT_FALSE(ruling.full);
}

TEST(Retention, AgeTakesOnlyWhatIsOlderAndSettled) {
  RetentionView view = SettledTo(10);
  view.age_max = Micros(100);
  EXPECT_FALSE(Judge(view, {10}, kNow - Micros(100)).drop);
  const auto old = Judge(view, {10}, kNow - Micros(101));
  EXPECT_TRUE(old.drop);
  EXPECT_FALSE(old.undelivered);
  EXPECT_STREQ(old.cause, "age");
  for (const WhenFull when : {WhenFull::kReject, WhenFull::kDropOldest}) {
    view.when_full = when;
    const auto pinned = Judge(view, {11}, kNow - Micros(101));
    EXPECT_FALSE(pinned.drop);
    EXPECT_FALSE(pinned.full);
  }
}

TEST(Retention, SizeTakesSettledChunksFirstAndThenAsTheStreamSays) {
  RetentionView view = SettledTo(10);
  view.bytes_max = 100;
  EXPECT_FALSE(Judge(view, {10}, kNow).drop);
  view.retained_bytes = 101;
  const auto settled = Judge(view, {10}, kNow);
  EXPECT_TRUE(settled.drop);
  EXPECT_FALSE(settled.undelivered);
  EXPECT_STREQ(settled.cause, "size");
  const auto rejecting = Judge(view, {11}, kNow);
  EXPECT_FALSE(rejecting.drop);
  EXPECT_TRUE(rejecting.full);
  view.when_full = WhenFull::kDropOldest;
  const auto dropping = Judge(view, {11}, kNow);
  EXPECT_TRUE(dropping.drop);
  EXPECT_TRUE(dropping.undelivered);
  EXPECT_FALSE(dropping.full);
}

using Candidates = std::vector<std::optional<DiskCandidate>>;
constexpr auto kReject = WhenFull::kReject;
constexpr auto kDropOldest = WhenFull::kDropOldest;

TEST(Retention, ALowDiskTakesTheOldestSettledChunkOfAnyStreamFirst) {
  const Candidates oldest{DiskCandidate{kNow - Micros(90), false, kDropOldest},
                          DiskCandidate{kNow - Micros(10), true, kReject}, std::nullopt,
                          DiskCandidate{kNow - Micros(50), true, kReject}};
  EXPECT_EQ(ChooseForDisk(oldest, false), 3u);
  EXPECT_EQ(ChooseForDisk(oldest, true), 3u);
}

TEST(Retention, ALowDiskTakesUndeliveredChunksOnlyWhereTheStreamSaysSo) {
  const Candidates oldest{DiskCandidate{kNow - Micros(90), false, kReject},
                          DiskCandidate{kNow - Micros(50), false, kDropOldest},
                          DiskCandidate{kNow - Micros(70), false, kDropOldest}};
  EXPECT_EQ(ChooseForDisk(oldest, false), std::nullopt);
  EXPECT_EQ(ChooseForDisk(oldest, true), 2u);
  EXPECT_EQ(ChooseForDisk(Candidates{oldest[0], std::nullopt}, true), std::nullopt);
}

}  // namespace
}  // namespace spool
