#include "spool/dedupe.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace spool {
namespace {

Hash128 KeyOf(uint64_t number) { return Dedupe::Key("web", FastHash128(std::to_string(number))); }

TEST(Dedupe, AKeyIsSeenFromItsSecondTimeOn) {
  Dedupe dedupe(Micros(100), 10);
  EXPECT_FALSE(dedupe.SeenOrAdd(KeyOf(1), FromMicros(0)));
  EXPECT_TRUE(dedupe.SeenOrAdd(KeyOf(1), FromMicros(50)));
  EXPECT_EQ(dedupe.size(), 1u);
}

TEST(Dedupe, ARepeatDoesNotLengthenTheWindow) {
  Dedupe dedupe(Micros(100), 10);
  dedupe.SeenOrAdd(KeyOf(1), FromMicros(0));
  dedupe.SeenOrAdd(KeyOf(1), FromMicros(90));
  EXPECT_FALSE(dedupe.SeenOrAdd(KeyOf(1), FromMicros(101)));
}

TEST(Dedupe, TheOldestKeyGoesWhenTheBoundIsReached) {
  Dedupe dedupe(Micros(100), 2);
  for (uint64_t i = 0; i < 3; ++i) dedupe.SeenOrAdd(KeyOf(i), FromMicros(0));
  EXPECT_EQ(dedupe.size(), 2u);
  EXPECT_TRUE(dedupe.SeenOrAdd(KeyOf(1), FromMicros(0)));
  EXPECT_TRUE(dedupe.SeenOrAdd(KeyOf(2), FromMicros(0)));
  EXPECT_FALSE(dedupe.SeenOrAdd(KeyOf(0), FromMicros(0)));
}

TEST(Dedupe, AWindowOrABoundOfZeroRemembersNothing) {
  for (Dedupe dedupe : {Dedupe(Micros(0), 10), Dedupe(Micros(10), 0)}) {
    EXPECT_FALSE(dedupe.SeenOrAdd(KeyOf(1), FromMicros(0)));
    EXPECT_FALSE(dedupe.SeenOrAdd(KeyOf(1), FromMicros(0)));
  }
}

TEST(Dedupe, TheOriginIsPartOfTheKey) {
  const Hash128 id = FastHash128("x");
  EXPECT_NE(Dedupe::Key("web", id), Dedupe::Key("mail", id));
  EXPECT_EQ(Dedupe::Key("web", id), Dedupe::Key("web", id));
}

TEST(Dedupe, ItAgreesWithAPlainListOverManyRandomKeys) {
  for (const size_t bound : {size_t{7}, size_t{1500}, size_t{5000}}) {
    Dedupe dedupe(Micros(3000), bound);
    std::deque<std::pair<uint64_t, int64_t>> list;
    std::mt19937_64 random(bound);
    int64_t now = 0;
    for (int i = 0; i < 8'000; ++i) {
      now += static_cast<int64_t>(random() % 3);
      const uint64_t number = random() % (bound * 2);
      while (!list.empty() && list.front().second < now - 3000) list.pop_front();
      bool seen = false;
      for (const auto& entry : list) seen = seen || entry.first == number;
      if (!seen) {
        if (list.size() == bound) list.pop_front();
        list.emplace_back(number, now);
      }
      ASSERT_EQ(dedupe.SeenOrAdd(KeyOf(number), FromMicros(now)), seen) << i;
      ASSERT_EQ(dedupe.size(), list.size());
    }
  }
}

}  // namespace
}  // namespace spool
