#include "spool/volume.h"

#include <gtest/gtest.h>

#include "spool/accept_clock.h"
#include "tests/support/manual_clock.h"

namespace spool {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(RoomMarks, SettledEventsGoBeforeAnythingIsRefused) {
  const RoomMarks marks(64 * kMiB);
  EXPECT_EQ(marks.Judge(80 * kMiB, Room::kAmple), Room::kAmple);
  EXPECT_EQ(marks.Judge(80 * kMiB - 1, Room::kAmple), Room::kTight);
  EXPECT_EQ(marks.Judge(64 * kMiB, Room::kTight), Room::kTight);
  EXPECT_EQ(marks.Judge(64 * kMiB - 1, Room::kTight), Room::kReserve);
  EXPECT_EQ(marks.Judge(32 * kMiB, Room::kReserve), Room::kReserve);
  EXPECT_EQ(marks.Judge(32 * kMiB - 1, Room::kReserve), Room::kNone);
}

TEST(RoomMarks, WhoWasRefusedIsTakenAgainALittleLater) {
  const RoomMarks marks(64 * kMiB);
  EXPECT_EQ(marks.Judge(66 * kMiB, Room::kReserve), Room::kReserve);
  EXPECT_EQ(marks.Judge(66 * kMiB, Room::kNone), Room::kReserve);
  EXPECT_EQ(marks.Judge(68 * kMiB, Room::kReserve), Room::kTight);
  EXPECT_EQ(marks.Judge(66 * kMiB, Room::kTight), Room::kTight);
}

TEST(RoomMarks, WithoutAReserveThereIsAlwaysRoom) {
  EXPECT_EQ(RoomMarks(0).Judge(0, Room::kAmple), Room::kAmple);
}

TEST(FillRate, TellsWhenTheRoomIsGone) {
  FillRate rate;
  const SteadyTime start{};
  for (int i = 0; i <= 60; ++i) {
    rate.Note(start + seconds(i), (1000 - 10 * static_cast<uint64_t>(i)) * kMiB);
    if (i < 20) {
      EXPECT_FALSE(rate.TimeLeft()) << "too early at " << i;
    }
  }
  const auto left = rate.TimeLeft();
  ASSERT_TRUE(left);
  EXPECT_NEAR(static_cast<double>(left->count()) / 1e6, 40, 1);
}

TEST(FillRate, IsSilentWhileTheRoomStaysOrGrows) {
  FillRate rate;
  for (int i = 0; i <= 600; ++i) {
    rate.Note(SteadyTime{} + seconds(i), (100 + static_cast<uint64_t>(i)) * kMiB);
  }
  EXPECT_FALSE(rate.TimeLeft());
  // What shrank long ago is forgotten.
  FillRate calm;
  for (int i = 0; i <= 900; ++i) {
    calm.Note(SteadyTime{} + seconds(i),
              i < 100 ? (1000 - static_cast<uint64_t>(i)) * kMiB : 900 * kMiB);
  }
  EXPECT_FALSE(calm.TimeLeft());
}

TEST(AcceptClock, GoesOnFromTheNewestEventUntilAClockThatIsBehindIsSetRight) {
  ManualClock clock;
  const SystemTime last = clock.Now();
  clock.Step(-hours(24 * 365 * 10));
  AcceptClock accept(clock, last);
  EXPECT_EQ(accept.Now(), last);
  clock.Advance(minutes(5));
  EXPECT_EQ(accept.Now(), last + minutes(5)) << "it stands still";
  EXPECT_LT(accept.Offset(), -hours(24 * 365));
  clock.Step(hours(24 * 365 * 10) + hours(7));  // it had been off for seven hours
  EXPECT_EQ(accept.Now(), last + minutes(5) + hours(7));
  EXPECT_EQ(accept.Offset(), Micros(0));
  clock.Step(hours(24 * 30));  // now it is a jump like any other
  clock.Advance(seconds(1));
  EXPECT_EQ(accept.Now(), last + minutes(5) + hours(7) + seconds(1));
  EXPECT_EQ(accept.Offset(), hours(24 * 30));
}

TEST(AcceptClock, DoesNotTakeAClockForRightThatIsYearsAhead) {
  ManualClock clock;
  const SystemTime last = clock.Now();
  clock.Step(-hours(24));
  AcceptClock accept(clock, last);
  clock.Step(hours(24 * 365 * 3));
  EXPECT_EQ(accept.Now(), last);
}

}  // namespace
}  // namespace spool
