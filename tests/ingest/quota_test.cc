// A source's quota: what it lets through, what it says, and that it loses no count.
#include "ingest/quota.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/support/manual_clock.h"

namespace spool {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Takes one request with one event if it may; otherwise the seconds to wait.
int Ask(Quota& quota, const Clock& clock, size_t bytes = 0, size_t events = 1) {
  std::shared_ptr<Quota::Place> place;
  const auto refused = quota.Admit(bytes, clock.Steady(), &place);
  if (refused) return refused->retry_after;
  quota.PayEvents(events, clock.Steady());
  return 0;
}

TEST(Quota, HoldsASecondsWorthAndRefillsEvenly) {
  ManualClock clock;
  Quota quota({.events_per_second = 10});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Ask(quota, clock), 0) << i;
  EXPECT_EQ(Ask(quota, clock), 1);
  clock.Advance(milliseconds(1));
  EXPECT_EQ(Ask(quota, clock), 0) << "a hundredth of one is there, the rest is owed";
  clock.Advance(milliseconds(98));
  EXPECT_EQ(Ask(quota, clock), 1);
  clock.Advance(milliseconds(2));
  EXPECT_EQ(Ask(quota, clock), 0);
  EXPECT_EQ(Ask(quota, clock), 1);
  clock.Advance(seconds(1000));  // no more than a second's worth is ever saved
  int taken = 0;
  while (Ask(quota, clock) == 0) ++taken;
  EXPECT_EQ(taken, 10);
}

TEST(Quota, ALargeRequestPassesAndIsPaidForAfterwards) {
  ManualClock clock;
  Quota quota({.bytes_per_second = 1000});
  EXPECT_EQ(Ask(quota, clock, 7500), 0);
  // 1000 were there: 6.5 seconds are owed.
  EXPECT_EQ(Ask(quota, clock, 1), 7);
  clock.Advance(seconds(6));
  EXPECT_EQ(Ask(quota, clock, 1), 1);
  clock.Advance(milliseconds(501));
  EXPECT_EQ(Ask(quota, clock, 1), 0);
  // No sum is beyond an hour's wait.
  clock.Advance(seconds(2));
  EXPECT_EQ(Ask(quota, clock, SIZE_MAX), 0);
  EXPECT_LE(Ask(quota, clock, 1), 3601);
  EXPECT_GE(Ask(quota, clock, 1), 3590);
}

TEST(Quota, OverTimeNoMoreThanTheRatePasses) {
  ManualClock clock;
  Quota quota({.events_per_second = 333, .bytes_per_second = 1'000'000});
  uint64_t events = 0, bytes = 0;
  for (int i = 0; i < 60'000; ++i) {  // a minute, asked every millisecond
    const size_t size = 1 + static_cast<size_t>(i * 7919 % 5000);
    const size_t count = 1 + static_cast<size_t>(i % 17);
    if (Ask(quota, clock, size, count) == 0) events += count, bytes += size;
    clock.Advance(milliseconds(1));
  }
  EXPECT_NEAR(static_cast<double>(events), 61 * 333, 333 * 0.1);
  EXPECT_LE(bytes, 61u * 1'000'000u);
}

TEST(Quota, WhatIsUsedUpIsTold) {
  ManualClock clock;
  Quota quota({.events_per_second = 1, .bytes_per_second = 10, .requests = 1});
  std::shared_ptr<Quota::Place> first, second;
  EXPECT_FALSE(quota.Admit(1, clock.Steady(), &first));
  const auto full = quota.Admit(1, clock.Steady(), &second);
  ASSERT_TRUE(full);
  EXPECT_EQ(full->what, "requests at once");
  EXPECT_EQ(full->retry_after, 1);
  first.reset();
  EXPECT_FALSE(quota.Admit(100, clock.Steady(), &first));
  EXPECT_EQ(quota.Admit(1, clock.Steady(), &second)->what, "bytes a second");
  first.reset();
  quota.PayEvents(100, clock.Steady());
  EXPECT_EQ(quota.Admit(1, clock.Steady(), &second)->what, "events a second");
}

TEST(Quota, WithoutLimitsEverythingPasses) {
  ManualClock clock;
  EXPECT_FALSE(QuotaLimits{}.any());
  Quota quota({});
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(Ask(quota, clock, 1 << 30, 10'000), 0);
}

// Many threads at once: each payment counts once, and no place is given twice.
TEST(Quota, ManyThreadsLoseNoCount) {
  ManualClock clock;
  RateBucket bucket(1e6);
  Quota places({.requests = 3});
  std::atomic<int> inside{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        bucket.Pay(100, clock.Steady());
        std::shared_ptr<Quota::Place> place;
        if (places.Admit(0, clock.Steady(), &place)) continue;
        const int now = ++inside;
        int before = most;
        while (now > before && !most.compare_exchange_weak(before, now)) {
        }
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // 8 seconds' worth less the one that was there, to the nanosecond that each payment rounds up.
  EXPECT_NEAR(static_cast<double>(bucket.Wait(clock.Steady()).count()), 7e9, 100'000);
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 1);
}

}  // namespace
}  // namespace spool
