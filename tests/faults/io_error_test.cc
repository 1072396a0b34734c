// The disk refuses one call, or every one from there on: a write, a sync, a rename, a new file.
// What was acknowledged before stays, and nothing is acknowledged after.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/fault_profile.h"
#include "tests/support/journal_driver.h"
#include "tests/support/journal_fixture.h"

namespace spool::testing {
namespace {

constexpr int kStepsMax = 80;
constexpr int kErrorsOfALife = 8;

class Life {
 public:
  explicit Life(uint64_t seed)
      : seed_(seed), random_(seed), driver_(dir_.path() + "/journal", seed) {
    std::filesystem::create_directories(dir_.path() + "/journal");
  }

  std::string said() const { return "SPOOL_IO_SEED=" + std::to_string(seed_) + "\n" + told_; }

  // Works until a call is refused and on to the journal's end; what is wrong then, or nothing.
  std::string Fail(PowerCutDisk::Call call) {
    PowerCutDisk& disk = driver_.disk();
    const bool often = call == PowerCutDisk::Call::kWrite || call == PowerCutDisk::Call::kSync;
    const uint64_t nth = 1 + random_() % (often ? 40 : 6);
    const bool no_space = random_() % 2 == 0;
    const bool for_good = random_() % 2 == 0;
    told_ = std::string(no_space ? "ENOSPC" : "EIO") + " at " + PowerCutDisk::NameOf(call) + " " +
            std::to_string(nth) + (for_good ? " and all later ones" : "");
    disk.FailAt(call, nth, no_space, for_good);
    if (!driver_.open()) {
      if (auto opened = driver_.Open(); !opened && disk.failed() == 0) {
        return "refused by a healthy disk: " + opened.error().message;
      }
    }
    for (int i = 0; i < kStepsMax && !driver_.failed(); ++i) driver_.Step();
    const bool failed = driver_.failed();
    if (failed && disk.failed() == 0) return "failed on a healthy disk";
    if (driver_.open() && failed && driver_.fatal_calls() != 1) {
      return "on_fatal was called " + std::to_string(driver_.fatal_calls()) + " times";
    }
    if (driver_.open() && !failed && driver_.fatal_calls() != 0) return "on_fatal for nothing";
    if (driver_.open() && failed) {  // still nothing is taken
      for (int i = 0; i < 5; ++i) driver_.Append();
    }
    fired_ = disk.failed() > 0;
    // Half of them are followed by a power cut, which leaves a failed sync's bytes in any state.
    if (random_() % 2 == 0) {
      told_ += ", then" + driver_.Crash(random_());
    } else {
      driver_.Close();
    }
    if (driver_.an_append_was_never_answered()) return "an append was never answered";
    if (driver_.acknowledged_after_fatal() > 0) return "acknowledged after a failure";
    disk.Heal();
    if (auto opened = driver_.Open(); !opened) return "refused: " + opened.error().message;
    auto found = driver_.Look();
    if (!found) return "cannot be read: " + found.error().message;
    const auto wrong = Judge(driver_.history(), *found);
    if (!wrong.empty()) return ToText(wrong);
    driver_.Settle(*found);
    if (random_() % 2 == 0) driver_.Close();  // so that the next error may hit the start
    return {};
  }
  bool fired() const { return fired_; }

 private:
  const uint64_t seed_;
  ScratchDir dir_;
  std::mt19937_64 random_;
  JournalDriver driver_;
  std::string told_;
  bool fired_ = false;
};

TEST(IoError, ARefusedCallLosesNothingAndNothingIsAcknowledgedAfterIt) {
  const FaultProfile profile("IO", 80);
  int errors = 0;
  std::map<std::string, int> kinds;
  for (uint64_t seed = profile.seed(); errors < profile.count(); ++seed) {
    Life life(seed);
    for (int i = 0; i < kErrorsOfALife; ++i) {
      const auto call = static_cast<PowerCutDisk::Call>((seed + i) % PowerCutDisk::kCalls);
      const std::string wrong = life.Fail(call);
      ASSERT_TRUE(wrong.empty()) << wrong << "\n" << life.said();
      if (!life.fired()) continue;
      ++errors;
      ++kinds[PowerCutDisk::NameOf(call)];
    }
  }
  std::string detail;
  for (const auto& [kind, count] : kinds) detail += kind + " " + std::to_string(count) + " ";
  for (const char* kind : {"write", "sync", "sync-dir", "create", "rename", "delete"}) {
    EXPECT_GT(kinds[kind], 0) << kind << " was never refused";
  }
  profile.Report("refused disk calls", errors, detail);
}

}  // namespace
}  // namespace spool::testing
