#include "spool/retention.h"

#include <gtest/gtest.h>

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

TEST(Retention, ALowDiskTakesAsSizeDoes) {
  RetentionView view = SettledTo(10);
  view.disk_low = true;
  EXPECT_TRUE(Judge(view, {10}, kNow).drop);
  EXPECT_STREQ(Judge(view, {10}, kNow).cause, "disk");
  EXPECT_TRUE(Judge(view, {11}, kNow).full);
}

}  // namespace
}  // namespace spool
