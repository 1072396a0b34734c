// The broker behind the program is killed, paused and restarted while events flow, and sometimes
// the program with it.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/crash_fixture.h"

namespace spool::testing {
namespace {

TEST_F(Crash, ABrokerKilledMidBatchAgainAndAgainGetsEveryEventOnceAndInOrder) {
  constexpr int kCycles = 12;
  auto spoold = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    producers_->Begin();
    // Only a broker that has taken some of what flows is stopped in the middle of something.
    const int64_t before = nats_->Count("CRASH");
    ASSERT_TRUE(WaitUntil([&] { return nats_->Count("CRASH") > before; })) << Told();
    AwaitRandomMoment(Random(5, 120));
    if (cycle % 4 == 3) {
      nats_->Pause();
      AwaitRandomMoment(Random(50, 300));
      nats_->Continue();
    } else {
      nats_->Kill();
      AwaitRandomMoment(Random(10, 300));
      if (cycle % 3 == 2) {  // both at once: the program comes back first, to no broker
        ASSERT_TRUE(spoold->Kill()) << Told();
        spoold = Start();
        ASSERT_TRUE(WaitReady()) << Told();
      }
      ASSERT_TRUE(nats_->Restart());
    }
    AwaitRandomMoment(Random(20, 200));
    producers_->End();
  }
  ASSERT_TRUE(WaitSettled()) << Call("GET", admin_, "/api/v1/status").body << "\n" << Told();
  CheckEverything();
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(std::chrono::seconds(25)), 0) << Told();
}

}  // namespace
}  // namespace spool::testing
