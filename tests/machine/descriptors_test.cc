// More connections than the process may have open files.
#include <signal.h>
#include <sys/resource.h>

#include <vector>

#include "tests/machine/disk_fixture.h"

namespace spool::testing {
namespace {

class Descriptors : public OnAVolume {
 protected:
  static std::vector<std::string> Limit(int files) {
    return {"prlimit", "--nofile=" + std::to_string(files)};
  }
  int ingest_port() const { return std::atoi(ingest_.substr(ingest_.rfind(':') + 1).c_str()); }
};

TEST_F(Descriptors, ThousandsOfConnectionsTakeNothingFromOthers) {
  constexpr size_t kConnections = 3000;
  rlimit mine{};
  getrlimit(RLIMIT_NOFILE, &mine);
  mine.rlim_cur = std::min<rlim_t>(mine.rlim_max, 2 * kConnections);
  setrlimit(RLIMIT_NOFILE, &mine);
  ASSERT_GE(mine.rlim_cur, kConnections + 200);
  auto spoold = Start("64MiB", "", Limit(256));
  ASSERT_TRUE(WaitReady()) << Told();
  EXPECT_NE(TextOf(log()).find("leaves a source fewer connections"), std::string::npos);
  auto working = test::RawSocket::Connect(ingest_port());  // here before the crowd
  const auto works = [&] {
    return working.Send(
               "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"a\":1}") &&
           working.ReadAnswer().value_or(test::RawAnswer()).status == 200;
  };
  EXPECT_TRUE(works());
  std::vector<test::RawSocket> crowd;
  for (size_t i = 0; i < kConnections; ++i) {
    crowd.push_back(test::RawSocket::Connect(ingest_port()));
  }
  EXPECT_TRUE(works()) << "who was connected is not served";
  EXPECT_EQ(Call("GET", admin_, "/ready").status, 200) << "the admin API has no room";
  EXPECT_LT(DescriptorsOf(spoold->pid()), 256u);
  // It waits; it does not spin.
  const double before = ProcessorSecondsOf(spoold->pid());
  const auto since = std::chrono::steady_clock::now();
  WaitUntil([&] { return std::chrono::steady_clock::now() - since > std::chrono::seconds(2); });
  const double used = ProcessorSecondsOf(spoold->pid()) - before;
  std::printf("[          ] %zu of 256 files open, %.2f s of processor time in 2 s\n",
              DescriptorsOf(spoold->pid()), used);
  EXPECT_LT(used, 0.4);
  EXPECT_TRUE(works());
  ASSERT_TRUE(WaitSettled("hook"));
  crowd.clear();
  EXPECT_TRUE(WaitUntil([&] {
    const auto answer = PostRaw(ingest_, "{\"a\":2}");
    return answer && answer->status == 200;
  })) << Told();
  Load(20);
  EXPECT_EQ(load_->refused() + load_->unanswered(), 0u);
  ASSERT_TRUE(WaitSettled("hook"));
  CheckStored();
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(std::chrono::seconds(20)), 0) << Told();
}

// Whatever else holds descriptors: listeners that cannot accept wait, and go on by themselves.
TEST_F(Descriptors, WhenTheyAreGoneListenersWaitAndGoOn) {
  auto spoold = Start("64MiB", "", Limit(256));
  ASSERT_TRUE(WaitReady()) << Told();
  auto working = test::RawSocket::Connect(ingest_port());
  const auto works = [&] {
    return working.Send(
               "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"a\":1}") &&
           working.ReadAnswer().value_or(test::RawAnswer()).status == 200;
  };
  EXPECT_TRUE(works());
  ASSERT_TRUE(WaitSettled("hook"));
  rlimit before{};
  const rlimit none{3, 256};  // what is open stays, and no new one has a number below
  ASSERT_EQ(prlimit(spoold->pid(), RLIMIT_NOFILE, &none, &before), 0);
  const auto gone = [&] {
    return TextOf(log()).find("New connections cannot be accepted now") != std::string::npos;
  };
  // One that was counted may be closed by now, so it can take more than one to have none left. The
  // last waits in the backlog.
  std::vector<test::RawSocket> waiting;
  while (!gone() && waiting.size() < 50) {
    waiting.push_back(test::RawSocket::Connect(ingest_port()));
    ASSERT_TRUE(waiting.back().Send(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"a\":2}"));
    WaitUntil(gone, std::chrono::milliseconds(500));
  }
  ASSERT_TRUE(gone()) << Told();
  const double used_before = ProcessorSecondsOf(spoold->pid());
  const auto since = std::chrono::steady_clock::now();
  WaitUntil([&] { return std::chrono::steady_clock::now() - since > std::chrono::seconds(2); });
  EXPECT_LT(ProcessorSecondsOf(spoold->pid()) - used_before, 0.4) << "the accept loop spins";
  EXPECT_TRUE(works());
  ASSERT_EQ(prlimit(spoold->pid(), RLIMIT_NOFILE, &before, nullptr), 0);
  const auto answer = waiting.back().ReadAnswer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
}

TEST_F(Descriptors, TooFewForTheConfigurationIsSaid) {
  auto spoold = Start("64MiB", "", Limit(64));
  EXPECT_EQ(spoold->Wait(std::chrono::seconds(10)), 78) << Told();
  EXPECT_NE(TextOf(log()).find("needs at least"), std::string::npos) << Told();
}

// A database that cannot be opened for want of descriptors is not damaged.
TEST_F(Descriptors, ADatabaseThatCannotBeOpenedForWantOfThemIsNotDamaged) {
  FaultShim shim(dir_ / "shim");
  {
    auto spoold = Start("64MiB");
    ASSERT_TRUE(WaitReady()) << Told();
    Load(20);
    ASSERT_TRUE(spoold->Kill());
  }
  for (const uint64_t nth : {1, 3, 6, 9}) {
    shim.Arm(ShimControl::kOpen, nth, EMFILE, true, dir_ / "data/db");
    auto spoold = Start("64MiB", "", shim.under());
    EXPECT_EQ(spoold->Wait(std::chrono::seconds(10)), 74) << nth << "; " << Told();
    EXPECT_EQ(TextOf(log()).find("damaged"), std::string::npos) << Told();
  }
  shim.Disarm();
  auto spoold = Start("64MiB");
  ASSERT_TRUE(WaitReady()) << Told();
  ASSERT_TRUE(WaitSettled("hook"));
  CheckStored();
}

}  // namespace
}  // namespace spool::testing
