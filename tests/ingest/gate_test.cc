#include "ingest/sources/gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace spool {
namespace {

SteadyTime In(int millis) {
  return RealClock().Steady() + Micros(std::chrono::milliseconds(millis));
}

TEST(Gate, LetsNobodyInOnceClosedAndWaitsForThoseInside) {
  const auto gate = std::make_shared<Gate>(true);
  auto first = gate->Enter();
  auto second = gate->Enter();
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(gate->Close(In(20))) << "two are inside";
  EXPECT_FALSE(gate->Enter());
  first.reset();
  std::jthread leaves([&] { second.reset(); });
  EXPECT_TRUE(gate->Close(In(20'000)));
  gate->Open();
  EXPECT_TRUE(gate->Enter());
}

TEST(Gate, OutlivesItsSourceForWhoIsInside) {
  auto gate = std::make_shared<Gate>(true);
  auto inside = gate->Enter();
  gate.reset();
  inside.reset();  // or the sanitizer tells
}

// Whoever was let in is done by the time that Close says so.
TEST(Gate, NobodyIsInsideOnceItIsClosed) {
  const auto gate = std::make_shared<Gate>(true);
  std::atomic<int> inside{0};
  std::atomic<uint64_t> entered{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        if (const auto place = gate->Enter()) {
          ++inside;
          ++entered;
          --inside;
        }
      }
    });
  }
  for (int round = 0; round < 50; ++round) {
    const uint64_t before = entered;
    while (entered < before + 3) std::this_thread::yield();
    ASSERT_TRUE(gate->Close(In(20'000)));
    ASSERT_EQ(inside, 0);
    gate->Open();
  }
}

}  // namespace
}  // namespace spool
