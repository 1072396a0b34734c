#include "base/result.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <set>

#include "base/assert.h"
#include "base/thread.h"

namespace spool {
namespace {

TEST(Result, EveryCodeHasASpellingOfItsOwn) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Code::kStorage); ++i) {
    names.insert(CodeName(static_cast<Code>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(Code::kStorage) + 1);
  EXPECT_EQ(names.count("unknown"), 0u);
  EXPECT_EQ(CodeName(Code::kNotFound), "not_found");
}

TEST(Result, AContextGoesBeforeTheCauseAndKeepsItsCode) {
  const Result<int> inner = Fail(Code::kDamaged, "checksum differs");
  const Status outer = Fail("cannot open journal", inner.error());
  ASSERT_FALSE(outer);
  EXPECT_EQ(outer.error().code, Code::kDamaged);
  EXPECT_EQ(outer.error().message, "cannot open journal: checksum differs");
}

TEST(AssertDeathTest, AViolatedInvariantEndsTheProcessAndNamesItself) {
  SPOOL_ASSERT(1 + 1 == 2);
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(SPOOL_ASSERT(1 + 1 == 3), "invariant violated: 1 \\+ 1 == 3 at .*result_test.cc:");
}

TEST(Thread, IsNamedTakesNoSignalsAndStopsWhenDestroyed) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::string name;
  bool blocks_term = false;
  bool stopped = false;
  {
    const std::jthread thread = StartThread("a-name-that-is-too-long", [&](std::stop_token stop) {
      char buffer[32];
      pthread_getname_np(pthread_self(), buffer, sizeof buffer);
      sigset_t blocked;
      pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
      std::unique_lock lock(mutex);
      name = buffer;
      blocks_term = sigismember(&blocked, SIGTERM) == 1;
      wake.wait(lock, stop, [&] { return stop.stop_requested(); });
      stopped = true;
    });
  }
  EXPECT_EQ(name, "a-name-that-is-");
  EXPECT_TRUE(blocks_term);
  EXPECT_TRUE(stopped);
}

}  // namespace
}  // namespace spool
