// How far was durable, whatever a power cut tears.
#include "spool/watermark.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "tests/support/fault_profile.h"
#include "tests/support/file_platter.h"
#include "tests/support/journal_fixture.h"

namespace spool::testing {
namespace {

// Written many times between two syncs, and the power cut in between: every page that was not
// synced may be torn, all of them at once.
TEST(Watermark, WhatWasSyncedSurvivesHoweverOftenItWasWrittenSince) {
  const FaultProfile profile("WATERMARK", 1000);
  size_t torn = 0;
  for (const uint64_t seed : profile.Seeds()) {
    SCOPED_TRACE("SPOOL_WATERMARK_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    const ScratchDir dir;
    FilePlatter platter(dir.path() + "/WATERMARK");
    uint64_t written = 1;
    uint64_t synced = 0;
    for (int life = 0; life < 4; ++life) {
      {
        Watermark watermark;
        ASSERT_TRUE(watermark.Open(dir.path()));
        if (const auto said = Watermark::Read(dir.path()); *said) synced = (*said)->end.value;
        bool wrote = false;
        for (uint64_t steps = random() % 40; steps > 0; --steps) {
          if (random() % 6 == 0) {
            ASSERT_TRUE(watermark.Sync());
            if (wrote) synced = written;
          } else {
            // Long names make a slot that lies in two pages.
            DurableMark mark{{++written}, {{std::string(random() % 5000, 'x'), written}}};
            ASSERT_TRUE(watermark.Write(mark));
            wrote = true;
          }
        }
        if (random() % 3 == 0) continue;  // the process ends, the power stays
        if (platter.unsynced() > 1) ++torn;
        platter.CutNow();
      }
      platter.Crash(random());
      const auto found = Watermark::Read(dir.path());
      ASSERT_TRUE(found);
      if (synced > 1) {
        ASSERT_TRUE(*found) << "no slot is whole";
        ASSERT_GE((*found)->end.value, synced);
      }
      if (!*found) continue;
      ASSERT_LE((*found)->end.value, written);
      ASSERT_EQ((*found)->streams[0].second, (*found)->end.value);
      synced = (*found)->end.value;
    }
  }
  EXPECT_GT(torn, static_cast<size_t>(profile.count()) / 4);  // more than one page at once
}

TEST(Watermark, IsWrittenWhileItIsSynced) {
  const ScratchDir dir;
  Watermark watermark;
  ASSERT_TRUE(watermark.Open(dir.path()));
  std::jthread syncs([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) ASSERT_TRUE(watermark.Sync());
  });
  for (uint64_t end = 2; end < 3000; ++end) {
    ASSERT_TRUE(watermark.Write({{end}, {}}));
    ASSERT_EQ((*Watermark::Read(dir.path()))->end.value, end);
  }
}

}  // namespace
}  // namespace spool::testing
