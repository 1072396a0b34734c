// The program under load, ended again and again, and what an outsider then finds: in the journal
// through the admin API, in the file, at the webhook and in JetStream.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <iterator>

#include "tests/support/crash_fixture.h"
#include "tests/support/fault_profile.h"

namespace spool::testing {
namespace {

TEST_F(Crash, RandomKillsUnderLoadLoseNothingThatWasAcknowledged) {
  const FaultProfile profile("CRASH", 40, seed_);
  const int cycles = profile.count();
  {  // from here on the stream that is kept small drops its oldest with each that comes
    auto spoold = Start();
    ASSERT_TRUE(WaitReady()) << Told();
    ASSERT_TRUE(producers_->Fill()) << Told();
    ASSERT_TRUE(spoold->Kill()) << Told();
  }
  for (int cycle = 0; cycle < cycles; ++cycle) {
    if (cycle % 5 == 4) {  // also while it still recovers from the last one
      auto starting = Start();
      AwaitRandomMoment(Random(1, 80));
      ASSERT_TRUE(starting->Kill()) << Told();
    }
    auto spoold = Start();
    ASSERT_TRUE(WaitReady()) << "cycle " << cycle << ", " << Told();
    producers_->Begin();
    AwaitRandomMoment(Random(60, 400));
    const bool killed = spoold->Kill();
    producers_->End();
    ASSERT_TRUE(killed) << "it ended by itself in cycle " << cycle << ", " << Told();
  }
  auto spoold = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  // What comes fresh after the last kill goes all the way, too.
  producers_->Begin();
  const size_t before = producers_->acknowledgements();
  EXPECT_TRUE(WaitUntil([&] { return producers_->acknowledgements() > before + 5; })) << Told();
  producers_->End();
  ASSERT_TRUE(WaitSettled()) << Call("GET", admin_, "/api/v1/status").body << "\n" << Told();
  CheckEverything();
  EXPECT_GT(EvictedOf("security-events"), 0u);
  profile.Report("random kills", cycles, "");
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(std::chrono::seconds(25)), 0) << Told();
  if (HasFailure()) std::printf("%s\n", Told().c_str());
}

TEST_F(Crash, ASecondProcessOnTheDirectoryEndsAndTheFirstGoesOn) {
  auto first = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  producers_->Begin();
  // Ports of its own, so that only the directory is in the way.
  Spoold second(
      {"--config", dir_ / "spool.yaml", "--ingest", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
      dir_ / "second");
  const int exit = second.Wait(std::chrono::seconds(20));
  EXPECT_EQ(exit, 1);
  std::ifstream in(dir_ / "second");
  const std::string said{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(said.find("[data_dir_in_use]"), std::string::npos) << said;
  EXPECT_NE(said.find(dir_ / "data"), std::string::npos) << said;
  const size_t before = producers_->acknowledgements();
  EXPECT_TRUE(WaitUntil([&] { return producers_->acknowledgements() > before + 3; })) << Told();
  producers_->End();
  EXPECT_EQ(producers_->batches_in_doubt(), 0u);
  ASSERT_TRUE(WaitSettled()) << Told();
  CheckEverything();
  first->Signal(SIGTERM);
  EXPECT_EQ(first->Wait(std::chrono::seconds(25)), 0) << Told();
}

TEST_F(Crash, SigtermUnderLoadEndsInTimeAndLosesNothing) {
  for (int cycle = 0; cycle < 3; ++cycle) {
    auto spoold = Start();
    ASSERT_TRUE(WaitReady()) << Told();
    producers_->Begin();
    AwaitRandomMoment(Random(200, 500));
    spoold->Signal(SIGTERM);
    EXPECT_EQ(spoold->Wait(std::chrono::seconds(20)), 0) << Told();
    producers_->End();
  }
  auto spoold = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  ASSERT_TRUE(WaitSettled()) << Told();
  CheckEverything();
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(std::chrono::seconds(20)), 0) << Told();
}

}  // namespace
}  // namespace spool::testing
