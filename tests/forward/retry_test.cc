#include "forward/retry.h"

#include <gtest/gtest.h>

#include <set>

#include "forward/attempt_size.h"
#include "forward/token_bucket.h"

namespace spool {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Backoff, StaysWithinADoublingCeilingUpToTheMaximum) {
  RetryPolicy policy;
  policy.first = seconds(1);
  policy.max = seconds(20);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(policy, seed);
    Micros ceiling = policy.first;
    for (int i = 0; i < 200; ++i) {
      const Micros pause = backoff.Next(std::nullopt);
      EXPECT_GE(pause, Micros(0));
      EXPECT_LE(pause, ceiling) << "failure " << i << " seed " << seed;
      ceiling = std::min<Micros>(ceiling * 2, policy.max);
    }
  }
}

TEST(Backoff, IsSpreadOverTheWholeRangeAndDiffersBySeed) {
  RetryPolicy policy;
  policy.first = policy.max = seconds(10);
  int low = 0;
  int high = 0;
  std::set<int64_t> pauses;
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    const Micros pause = Backoff(policy, seed * 2).Next(std::nullopt);
    pauses.insert(pause.count());
    low += pause < seconds(2) ? 1 : 0;
    high += pause > seconds(8) ? 1 : 0;
  }
  EXPECT_GT(pauses.size(), 990U);
  EXPECT_NEAR(low, 200, 60);
  EXPECT_NEAR(high, 200, 60);
}

TEST(Backoff, NeverComesBackBeforeTheTargetsWishButSoonAfter) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Backoff backoff(RetryPolicy(), seed);
    const Micros pause = backoff.Next(seconds(30));
    EXPECT_GE(pause, seconds(30));
    EXPECT_LE(pause, seconds(33));
  }
}

TEST(Backoff, ClampsAnAbsurdWish) {
  RetryPolicy policy;
  policy.retry_after_max = minutes(60);
  Backoff backoff(policy, 7);
  EXPECT_LE(backoff.Next(std::chrono::hours(24 * 365)), minutes(66));
  EXPECT_GE(Backoff(policy, 9).Next(seconds(-5)), Micros(0));
}

TEST(Backoff, BeginsAnewAfterAReset) {
  RetryPolicy policy;
  policy.first = milliseconds(10);
  Backoff backoff(policy, 3);
  for (int i = 0; i < 30; ++i) backoff.Next(std::nullopt);
  EXPECT_EQ(backoff.failures(), 30U);
  backoff.Reset();
  EXPECT_LE(backoff.Next(std::nullopt), milliseconds(10));
}

TEST(Backoff, ProbesAHoldAtItsOwnPace) {
  RetryPolicy policy;
  policy.hold_probe = seconds(30);
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Micros pause = Backoff(policy, seed).Hold();
    EXPECT_GE(pause, seconds(27));
    EXPECT_LE(pause, seconds(33));
  }
}

TEST(TokenBucket, LetsThroughItsRateInBatchesAndNoMore) {
  TokenBucket bucket(1000);
  SteadyTime now{seconds(100)};
  size_t sent = 0;
  size_t batches = 0;
  while (now < SteadyTime{seconds(110)}) {
    const size_t allowed = bucket.Allowance(5000, now);
    if (allowed == 0) {
      const SteadyTime ready = bucket.ReadyAt(5000, now);
      ASSERT_GT(ready, now);
      now = ready;
      continue;
    }
    bucket.Take(allowed);
    sent += allowed;
    ++batches;
  }
  EXPECT_NEAR(static_cast<double>(sent), 10'000, 101);
  EXPECT_LE(batches, 101U);
}

TEST(TokenBucket, SendsSingleEventsEvenlyAtALowRate) {
  TokenBucket bucket(0.5);
  SteadyTime now{seconds(100)};
  ASSERT_EQ(bucket.Allowance(10, now), 1U);
  bucket.Take(1);
  EXPECT_EQ(bucket.Allowance(10, now), 0U);
  EXPECT_EQ(bucket.ReadyAt(10, now), now + seconds(2));
  EXPECT_EQ(bucket.Allowance(10, now + seconds(2)), 1U);
}

TEST(TokenBucket, WithoutARateDoesNotLimit) {
  TokenBucket bucket(0);
  EXPECT_EQ(bucket.Allowance(123456, SteadyTime{}), 123456U);
}

// How many attempts it takes to get `n` messages through when the ones in `bad` are refused.
size_t AttemptsToBisect(size_t n, const std::set<size_t>& bad, size_t* dead) {
  AttemptSize size(n);
  size_t attempts = 0;
  *dead = 0;
  for (size_t at = 0; at < n;) {
    const size_t take = std::min(size.Next(), n - at);
    ++attempts;
    const auto offender = bad.lower_bound(at);
    if (offender == bad.end() || *offender >= at + take) {
      size.Succeeded(take);
      at += take;
    } else if (take == 1) {
      size.Single();
      ++*dead;
      ++at;
    } else {
      size.RefusedTogether(take);
    }
  }
  return attempts;
}

TEST(AttemptSize, IsolatesOneOffenderInAboutTwoLogarithms) {
  for (size_t bad = 0; bad < 1000; ++bad) {
    size_t dead = 0;
    EXPECT_LE(AttemptsToBisect(1000, {bad}, &dead), 32U) << "offender " << bad;
    EXPECT_EQ(dead, 1U);
  }
}

TEST(AttemptSize, CostsNoMoreThanOneAttemptEachWhereAllAreRefused) {
  std::set<size_t> bad;
  for (size_t i = 0; i < 500; ++i) bad.insert(i);
  size_t dead = 0;
  EXPECT_LE(AttemptsToBisect(500, bad, &dead), 520U);
  EXPECT_EQ(dead, 500U);
}

TEST(AttemptSize, KeepsToASizeThatATargetBearsAndGrowsBackLater) {
  AttemptSize size(1000);
  size.TooLarge(1000);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(size.Next(), 500U);
    size.Succeeded(500);
  }
  size.Succeeded(500);
  EXPECT_EQ(size.Next(), 1000U);
}

}  // namespace
}  // namespace spool
