// The memory budget under full load, in a cgroup that ends who takes more.
#include <signal.h>

#include "tests/machine/disk_fixture.h"
#include "tests/support/fault_profile.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

class Memory : public OnAVolume {
 protected:
  // A volume in memory would be charged to the program, so its files are on a real one.
  Memory() {
    data_dir_ = (disk_ = BinaryDir() + "/memory-test-" + std::to_string(getpid())) + "/data";
  }
  ~Memory() override {
    std::error_code ignored;
    std::filesystem::remove_all(disk_, ignored);
  }
  std::string Targets() {
    std::string more;
    for (int i = 0; i < 5; ++i) {
      more += "  null" + std::to_string(i) + ": { type: null, start: beginning }\n";
    }
    more += "  file: { type: file, path: \"" + disk_ + "/out.jsonl\", start: beginning }\n";
    for (int i = 0; i < 2; ++i) {
      more += "  slow" + std::to_string(i) + ": { type: webhook, format: batch, url: \"" +
              slow_.url() + "\", start: beginning, retry: { first: 20ms, max: 200ms } }\n";
    }
    return more;
  }

  std::string disk_;
  Receiver slow_;
};

// SPOOL_MEMORY_COUNT: for how many seconds.
TEST_F(Memory, StaysInItsBudgetUnderFullLoad) {
  const FaultProfile profile("MEMORY", 10);
  MemoryGroup group(256 * kMiB);
  ASSERT_TRUE(group.ok()) << "a cgroup with a memory limit could not be made";
  slow_.Answer(503);
  auto spoold = Start("64MiB", Targets(), group.under());
  ASSERT_TRUE(WaitReady()) << Told();
  // Bodies up to 1 MiB on 16 connections, of events small and large.
  BulkLoad small(ingest_);
  BulkLoad middle(ingest_);
  const auto end = steady_clock::now() + seconds(profile.count());
  uint64_t peak = 0;
  load_->Begin({.connections = 6, .events = 1, .event_bytes = 1'000'000});
  small.Begin({.connections = 5, .events = 700, .event_bytes = 1000});
  middle.Begin({.connections = 5, .events = 16, .event_bytes = 60'000});
  std::thread looks([&] {
    for (int i = 0; steady_clock::now() < end; ++i) {
      if (i % 4 == 0) {
        Call("POST", admin_, "/api/v1/replays", R"({"target":"null0","from":"now-1h"})");
      }
      Call("GET", admin_, "/api/v1/events?order=newest&limit=200&match=data.n%3D1");
      Call("GET", admin_, "/metrics");
    }
  });
  WaitUntil(
      [&] {
        peak = std::max(peak, MemoryOf(spoold->pid()));
        return steady_clock::now() > end || spoold->Wait(std::chrono::milliseconds(0)) != -1;
      },
      seconds(profile.count() + 10));
  looks.join();
  load_->End();
  small.End();
  middle.End();
  const uint64_t whole = PeakMemoryOf(spoold->pid());
  std::printf(
      "[          ] %llu MiB at most; %llu requests, %llu refused\n",
      static_cast<unsigned long long>(whole / kMiB),
      static_cast<unsigned long long>(load_->acknowledged() + small.acknowledged() +
                                      middle.acknowledged()),
      static_cast<unsigned long long>(load_->refused() + small.refused() + middle.refused()));
  ASSERT_GT(whole, 0u) << "it did not live: " << Told();
  EXPECT_LE(whole, 192 * kMiB);
  EXPECT_EQ(load_->unanswered() + small.unanswered() + middle.unanswered(), 0u) << Told();
  // A few that are larger.
  BulkLoad large(ingest_);
  large.Begin({.connections = 3, .events = 3, .event_bytes = 4'500'000, .requests_max = 12});
  large.Wait();
  EXPECT_EQ(large.unanswered(), 0u) << Told();
  EXPECT_GT(large.acknowledged(), 0u);
  std::printf("[          ] %llu MiB at most with bodies of 13 MiB\n",
              static_cast<unsigned long long>(PeakMemoryOf(spoold->pid()) / kMiB));
  EXPECT_EQ(Call("GET", admin_, "/ready").status, 200) << Told();
  EXPECT_EQ(Status()["accounted"], true);
  profile.Report("seconds under a memory limit", profile.count(), std::to_string(whole / kMiB));
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(seconds(25)), 0) << Told();
}

}  // namespace
}  // namespace spool::testing
