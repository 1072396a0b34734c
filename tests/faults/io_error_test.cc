// The disk refuses one call, or every one from there on: a write, a sync, a rename, a new file.
// What was acknowledged before stays, and nothing is acknowledged after.
// The database as Debian builds it has its assertions: an abort ends the test, too.
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <map>
#include <random>
#include <string>

#include "tests/support/fault_profile.h"
#include "tests/support/journal_driver.h"
#include "tests/support/journal_fixture.h"

namespace spool::testing {
namespace {

constexpr int kStepsMax = 80;
constexpr int kErrorsOfALife = 8;
// The database cuts no file short through its file system (it lets each grow as written); the test
// fails when one day it does. The program's own calls of ftruncate are refused in
// tests/machine/storage_error_test.cc.
constexpr PowerCutDisk::Call kRefused[] = {
    PowerCutDisk::Call::kWrite,  PowerCutDisk::Call::kSync,   PowerCutDisk::Call::kSyncDirectory,
    PowerCutDisk::Call::kCreate, PowerCutDisk::Call::kRename, PowerCutDisk::Call::kDelete};

class Life {
 public:
  Life(uint64_t seed, const std::string& dir)
      : seed_(seed), random_(seed), driver_(dir + "/journal", seed) {}
  ~Life() { driver_.Close(); }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  std::string said() const { return "SPOOL_IO_SEED=" + std::to_string(seed_) + "\n" + told_; }

  // Works until a call is refused and on to the journal's end; what is wrong then, or nothing.
  std::string Fail(PowerCutDisk::Call call) {
    PowerCutDisk& disk = driver_.disk();
    const bool often = call == PowerCutDisk::Call::kWrite || call == PowerCutDisk::Call::kSync;
    const uint64_t nth = 1 + random_() % (often ? 40 : 6);
    const bool no_space = random_() % 2 == 0;
    const bool for_good = random_() % 2 == 0;
    kind_ = KindOf(call, no_space);
    told_ = kind_ + " " + std::to_string(nth) + (for_good ? " and all later ones" : "");
    disk.FailAt(call, nth, no_space, for_good);
    if (!driver_.open()) {
      if (auto opened = driver_.Open(); !opened && disk.failed() == 0) {
        return "refused by a healthy disk: " + opened.error().message;
      }
    }
    for (int i = 0; i < kStepsMax && !driver_.failed(); ++i) driver_.Step();
    const bool failed = driver_.failed();
    if (failed && disk.failed() == 0) return "failed on a healthy disk";
    const bool told = driver_.open() && failed;  // a start that is refused says so itself
    if (told) {                                  // still nothing is taken
      for (int i = 0; i < 5; ++i) driver_.Append();
    }
    fired_ = disk.failed() > 0;
    // Half of them are followed by a power cut, which leaves a failed sync's bytes in any state.
    if (random_() % 2 == 0) {
      told_ += ", then" + driver_.Crash(random_());
    } else {
      driver_.Close();
    }
    // Closing may meet the first refusal, too.
    if (driver_.fatal_calls() > 1 || (told && driver_.fatal_calls() == 0)) {
      return "on_fatal was called " + std::to_string(driver_.fatal_calls()) + " times";
    }
    if (driver_.an_append_was_never_answered()) return "an append was never answered";
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
  const std::string& kind() const { return kind_; }  // "EIO at write", of the last one
  uint64_t truncates() { return driver_.disk().calls(PowerCutDisk::Call::kTruncate); }
  static std::string KindOf(PowerCutDisk::Call call, bool no_space) {
    return std::string(no_space ? "ENOSPC" : "EIO") + " at " + PowerCutDisk::NameOf(call);
  }

 private:
  const uint64_t seed_;
  std::mt19937_64 random_;
  JournalDriver driver_;
  std::string told_;
  std::string kind_;
  bool fired_ = false;
};

// A whole life; "" when all is well. Counts what was refused in `kinds`.
std::string Live(uint64_t seed, std::map<std::string, int>& kinds) {
  const ScratchDir dir;
  std::filesystem::create_directories(dir.path() + "/journal");
  Life life(seed, dir.path());
  for (int i = 0; i < kErrorsOfALife; ++i) {
    const auto call = kRefused[(seed + static_cast<uint64_t>(i)) % std::size(kRefused)];
    if (std::string wrong = life.Fail(call); !wrong.empty()) return wrong + "\n" + life.said();
    if (life.fired()) ++kinds[life.kind()];
    if (life.truncates() > 0) return "a file was cut short, which is never refused here";
  }
  return {};
}

TEST(IoError, ARefusedCallLosesNothingAndNothingIsAcknowledgedAfterIt) {
  const FaultProfile profile("IO", 80);
  const auto total = [](const std::map<std::string, int>& kinds) {
    int sum = 0;
    for (const auto& [kind, count] : kinds) sum += count;
    return sum;
  };
  std::map<std::string, int> kinds;
  const auto kept = profile.Kept();
  const auto enough = [&] {  // with some of each call and error
    return total(kinds) >= profile.count() && kinds.size() == 2 * std::size(kRefused);
  };
  const size_t lives_max = kept.size() + static_cast<size_t>(profile.count()) + 50;
  for (size_t i = 0; i < kept.size() || (!enough() && i < lives_max); ++i) {
    const uint64_t seed = profile.SeedAt(i, kept);
    SCOPED_TRACE("SPOOL_IO_SEED=" + std::to_string(seed));
    ASSERT_EQ(Live(seed, kinds), "");
  }
  std::string detail;
  for (const auto& [kind, count] : kinds) detail += kind + ": " + std::to_string(count) + " ";
  for (const PowerCutDisk::Call call : kRefused) {
    for (const bool no_space : {false, true}) {
      const std::string kind = Life::KindOf(call, no_space);
      EXPECT_GT(kinds[kind], 0) << kind << " was never met";
    }
  }
  profile.Report("refused disk calls", total(kinds), detail);
}

}  // namespace
}  // namespace spool::testing
