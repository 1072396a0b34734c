// The program is halted for a while, told to end under load, and told twice.
#include <signal.h>

#include "tests/machine/disk_fixture.h"
#include "tests/support/fault_profile.h"
#include "tests/support/moment.h"

namespace spool::testing {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

class Halted : public Crash {};

// SPOOL_HALT_COUNT: how many seconds it stands still.
TEST_F(Halted, ForAWhileLosesNothingAndGoesOn) {
  const FaultProfile profile("HALT", 5, seed_);
  auto spoold = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  producers_->Begin();
  ASSERT_TRUE(WaitUntil([&] { return producers_->acknowledgements() > 100; })) << Told();
  spoold->Signal(SIGSTOP);
  TakeTime(seconds(profile.count()));
  const size_t before = producers_->acknowledgements();
  spoold->Signal(SIGCONT);
  const auto goes_on = steady_clock::now();
  if (profile.count() > 15) {  // the producers have given up by then
    producers_->End();
    producers_->Begin();
  }
  ASSERT_TRUE(WaitUntil([&] { return producers_->acknowledgements() > before + 100; })) << Told();
  std::printf("[          ] 100 requests %lld ms after %d s of standing still\n",
              static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                         steady_clock::now() - goes_on)
                                         .count()),
              profile.count());
  producers_->End();
  EXPECT_EQ(Call("GET", admin_, "/ready").status, 200);
  ASSERT_TRUE(WaitSettled()) << Told();
  const auto status = Call("GET", admin_, "/api/v1/status").Json();
  for (const auto& target : status["targets"]) EXPECT_EQ(target["dead_lettered"], 0) << target;
  EXPECT_EQ(TextOf(log()).find("clock"), std::string::npos) << Told();
  CheckEverything();
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(seconds(25)), 0) << Told();
  profile.Report("seconds halted", profile.count(), "");
}

class Ended : public OnAVolume {};

TEST_F(Ended, TwiceAtOnceAndLosesNothing) {
  auto spoold = Start("64MiB");
  ASSERT_TRUE(WaitReady()) << Told();
  Load(10);
  receiver_.Hang(true);  // so that ending takes its time
  load_->Begin({});
  ASSERT_TRUE(WaitUntil([&] { return load_->acknowledged() > 20; })) << Told();
  spoold->Signal(SIGTERM);
  ASSERT_TRUE(WaitUntil(
      [&] { return TextOf(log()).find("Stopping as a signal asked") != std::string::npos; }));
  const auto told = steady_clock::now();
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(seconds(5)), 128 + SIGTERM) << Told();
  EXPECT_LT(steady_clock::now() - told, seconds(1));
  load_->End();
  receiver_.Hang(false);
  spoold = Start("64MiB");
  ASSERT_TRUE(WaitReady()) << Told();
  ASSERT_TRUE(WaitSettled("hook"));
  CheckStored();
}

}  // namespace
}  // namespace spool::testing
