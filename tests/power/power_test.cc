// spoold on ext4 in a machine whose power is cut at random, dozens of times on one disk. README.md
// in this folder tells what that models and what it does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/fault_profile.h"
#include "tests/support/paths.h"
#include "tests/support/power_rig.h"

namespace spool::testing {
namespace {

using ::testing::StartsWith;

std::string Text(std::vector<Violation> violations) {
  constexpr size_t kMost = 20;
  if (violations.size() > kMost) violations.resize(kMost);
  return ToText(violations);
}

class MachinePower : public PowerRig {
 protected:
  // Spoold comes up and nothing is missing.
  void CheckAfterCut() {
    Mount();
    ASSERT_EQ(Start(), "ready") << Told();
    const std::vector<Violation> violations = Check();
    ASSERT_FALSE(HasFailure());
    ASSERT_TRUE(violations.empty()) << Text(violations) << Told();
  }

  // A new disk, a life in which all is as it should be, and then one with spoold's syncs taken away
  // but for those of that file, until the power is cut.
  void LiveWithoutSyncs(uint64_t seed, const std::string& synced, std::chrono::milliseconds time) {
    NewDisk(seed);
    if (!HasFatalFailure()) Boot();
    if (HasFatalFailure()) return;
    Mount();
    ASSERT_EQ(Start(), "ready") << Told();
    BeginLoad();
    ASSERT_NO_FATAL_FAILURE(LoadFor(std::chrono::milliseconds(300)));
    EndLoad();
    const std::vector<Violation> violations = Check();
    ASSERT_TRUE(violations.empty()) << Text(violations) << Told();
    ASSERT_NO_FATAL_FAILURE(StopAndVerify());
    const std::string name = synced.empty() ? "" : " POWER_SYNCED=" + synced;
    ASSERT_EQ(Start("LD_PRELOAD=" + BinaryDir() + "/libpower_unsynced.so" + name), "ready")
        << Told();
    BeginLoad();
    ASSERT_NO_FATAL_FAILURE(LoadFor(time));
    ASSERT_NO_FATAL_FAILURE(Cut());
    ASSERT_NO_FATAL_FAILURE(Boot());
    Mount();
  }
};

TEST_F(MachinePower, CutAtRandomLosesNothingThatWasAcknowledged) {
  const FaultProfile profile("UML", 4);
  ASSERT_NO_FATAL_FAILURE(NewDisk(profile.seed()));
  for (int cut = 0; cut < profile.count(); ++cut) {
    ASSERT_NO_FATAL_FAILURE(Boot());
    if (cut % 5 == 3) {  // while it still recovers from the last one
      BeginStart();
      ASSERT_NO_FATAL_FAILURE(LoadFor(Random(1, 700)));
      ASSERT_NO_FATAL_FAILURE(Cut());
      continue;
    }
    ASSERT_NO_FATAL_FAILURE(CheckAfterCut());
    if (cut % 5 == 2) {
      ASSERT_NO_FATAL_FAILURE(StopAndVerify());
      ASSERT_EQ(Start(), "ready") << Told();
    }
    BeginLoad();
    ASSERT_NO_FATAL_FAILURE(LoadFor(Random(50, 1500)));
    ASSERT_NO_FATAL_FAILURE(Cut());
  }
  ASSERT_NO_FATAL_FAILURE(Boot());
  ASSERT_NO_FATAL_FAILURE(CheckAfterCut());
  ASSERT_NO_FATAL_FAILURE(StopAndVerify());
  ASSERT_NO_FATAL_FAILURE(SwitchOff());
  EXPECT_GT(history_.acknowledged(), 0u);
  if (profile.count() >= 20) {  // a few lives may be too short for that
    EXPECT_GT(evicted_, 0u);
  }
  profile.Report("machine power cuts", profile.count(), Counted());
}

// The same machine and the same cuts, and a program that does not sync: the rig must see the loss.
TEST_F(MachinePower, WithoutSyncsTheCutsLoseEvents) {
  const FaultProfile profile("UNSYNCED", 1);
  int losing = 0;
  int refused = 0;
  size_t lost = 0;
  for (int cut = 0; cut < profile.count(); ++cut) {
    ASSERT_NO_FATAL_FAILURE(
        LiveWithoutSyncs(profile.seed() + static_cast<uint64_t>(cut), "", Random(300, 1200)));
    const std::string outcome = Start();
    if (outcome != "ready") {
      ASSERT_THAT(outcome, StartsWith("damaged")) << Told();
      ++refused;
      continue;
    }
    const size_t before = lost;
    for (const Violation& violation : Check()) lost += violation.rule == "lost";
    losing += lost > before;
  }
  EXPECT_GT(lost, 0u) << "a machine that loses nothing proves nothing";
  EXPECT_GE(2 * (losing + refused), profile.count());
  profile.Report("machine power cuts without syncs", profile.count(),
                 std::to_string(losing) + " cuts lost " + std::to_string(lost) +
                     " acknowledged events, " + std::to_string(refused) + " were refused");
}

// The disk keeps what spoold noted of how far it was durable, and loses what it noted it of.
TEST_F(MachinePower, ALogThatTheDiskLostIsMissedByTheWatermark) {
  const FaultProfile profile("LOST_LOG", 1);
  for (int cut = 0; cut < profile.count(); ++cut) {
    // Longer than the watermark may be behind.
    ASSERT_NO_FATAL_FAILURE(LiveWithoutSyncs(profile.seed() + static_cast<uint64_t>(cut),
                                             "WATERMARK", Random(2500, 3500)));
    ASSERT_THAT(Start(), StartsWith("damaged")) << Told();
  }
  profile.Report("lost logs refused", profile.count(), "");
}

}  // namespace
}  // namespace spool::testing
