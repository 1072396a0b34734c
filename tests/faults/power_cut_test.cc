// The power goes at any call of the database to its disk, again and again in one directory, and the
// journal opened after each cut is held against all that was acknowledged before.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/support/fault_profile.h"
#include "tests/support/journal_driver.h"
#include "tests/support/journal_fixture.h"

namespace spool::testing {
namespace {

constexpr int kCutsOfALife = 8;
constexpr int kStepsMax = 60;

// A journal's life from its first start over several cuts. Ends at the first thing that is wrong.
class Life {
 public:
  explicit Life(uint64_t seed)
      : seed_(seed), random_(seed), driver_(dir_.path() + "/journal", seed) {
    std::filesystem::create_directories(dir_.path() + "/journal");
  }

  JournalDriver& driver() { return driver_; }
  std::string said() const { return "SPOOL_POWER_SEED=" + std::to_string(seed_) + "\n" + told_; }
  int cuts() const { return cuts_; }

  // Works until the power goes; returns what is found wrong afterwards, empty when all is well.
  std::string Cut() {
    // Early ones hit the start and its recovery, late ones the work.
    const uint64_t after = 1 + random_() % (random_() % 2 == 0 ? 40 : 250);
    driver_.disk().CutAfter(after);
    told_ = "cut " + std::to_string(cuts_) + " at call " + std::to_string(after) + ":";
    if (!driver_.open()) {
      if (auto opened = driver_.Open(); opened) {
        if (std::string wrong = Check(); !wrong.empty()) return wrong;
      } else if (!driver_.disk().cut()) {
        return "refused with the power on: " + opened.error().message;
      }
    }
    for (int i = 0; i < kStepsMax && !driver_.failed(); ++i) driver_.Step();
    if (driver_.failed() && !driver_.disk().cut()) {
      return "failed with the power on: " + driver_.refusal().message;
    }
    told_ += driver_.Crash(random_());
    ++cuts_;
    // Now and then the next cut hits the recovery itself.
    if (random_() % 3 == 0) return {};
    return Verify();
  }

  std::string Verify() {
    if (auto opened = driver_.Open(); !opened) return "refused: " + opened.error().message;
    return Check();
  }

  std::string Check() {
    auto found = driver_.Look();
    if (!found) return "cannot be read: " + found.error().message;
    const auto wrong = Judge(driver_.history(), *found);
    if (!wrong.empty()) return ToText(wrong);
    if (driver_.an_append_was_never_answered()) return "an append was never answered";
    driver_.Settle(*found);
    return {};
  }

  // Every target gets the rest.
  std::string End() {
    if (!driver_.open()) {
      if (auto wrong = Verify(); !wrong.empty()) return wrong;
    }
    driver_.Drain();
    auto found = driver_.Look();
    if (!found) return "cannot be read: " + found.error().message;
    found->drained = true;
    return ToText(Judge(driver_.history(), *found));
  }

 private:
  const uint64_t seed_;
  ScratchDir dir_;
  std::mt19937_64 random_;
  JournalDriver driver_;
  std::string told_;
  int cuts_ = 0;
};

TEST(PowerCut, LosesNothingThatWasAcknowledged) {
  const FaultProfile profile("POWER", 150);
  int cuts = 0;
  uint64_t events = 0;
  const auto kept = profile.Kept();
  for (size_t i = 0; i < kept.size() || cuts < profile.count(); ++i) {
    Life life(profile.SeedAt(i, kept));
    std::string wrong;
    for (int cut = 0; cut < kCutsOfALife && wrong.empty(); ++cut) wrong = life.Cut();
    if (wrong.empty()) wrong = life.End();
    ASSERT_TRUE(wrong.empty()) << wrong << life.said();
    cuts += life.cuts();
    events += life.driver().history().places.size();
  }
  profile.Report("power cuts", cuts, std::to_string(events) + " events kept");
}

// The simulator bites: without syncs the same work loses what was acknowledged.
TEST(PowerCut, LosesEventsWhenSyncsAreIgnored) {
  const FaultProfile profile("POWER", 20);
  int lost = 0;
  for (uint64_t i = 0; i < 20; ++i) {
    Life life(profile.seed() + i);
    life.driver().disk().IgnoreSyncs();
    life.driver().WithoutWatermark();
    std::string wrong;
    for (int cut = 0; cut < kCutsOfALife && wrong.empty(); ++cut) wrong = life.Cut();
    if (!wrong.empty()) ++lost;
  }
  EXPECT_GE(lost, 15) << "of 20";
}

}  // namespace
}  // namespace spool::testing
