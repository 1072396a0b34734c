// The disk refuses one call, or every one from there on: a write, a sync, a rename, a new file.
// What was acknowledged before stays, and nothing is acknowledged after.
//
// The database as Debian builds it asserts on some errors of a disk, and an abort is as good an end
// as exit 74. So each life is a process of its own, and what was acknowledged is kept outside of
// it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/support/fault_profile.h"
#include "tests/support/journal_driver.h"
#include "tests/support/journal_fixture.h"

namespace spool::testing {
namespace {

constexpr int kStepsMax = 80;
constexpr int kErrorsOfALife = 8;

class Life {
 public:
  Life(uint64_t seed, const std::string& dir)
      : seed_(seed),
        random_(seed),
        acknowledged_(open((dir + "/acknowledged").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)),
        driver_(dir + "/journal", seed) {
    driver_.on_acknowledged = [this](const SentRequest& request) {
      std::vector<uint64_t> numbers;
      for (const SentEvent& event : request.events) {
        if (event.stream == "plain") numbers.push_back(event.number);
      }
      const size_t size = numbers.size() * sizeof(uint64_t);
      if (write(acknowledged_, numbers.data(), size) != static_cast<ssize_t>(size)) std::abort();
    };
  }
  ~Life() {
    driver_.Close();
    close(acknowledged_);
  }
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

 private:
  const uint64_t seed_;
  std::mt19937_64 random_;
  const int acknowledged_;
  JournalDriver driver_;
  std::string told_;
  bool fired_ = false;
};

// A whole life in `dir`; "" when all is well.
std::string Live(uint64_t seed, const std::string& dir) {
  std::filesystem::create_directories(dir + "/journal");
  Life life(seed, dir);
  for (int i = 0; i < kErrorsOfALife; ++i) {
    const auto call =
        static_cast<PowerCutDisk::Call>((seed + static_cast<uint64_t>(i)) % PowerCutDisk::kCalls);
    if (std::string wrong = life.Fail(call); !wrong.empty()) return wrong + "\n" + life.said();
    if (!life.fired()) continue;
    std::ofstream(dir + "/fired", std::ios::app) << PowerCutDisk::NameOf(call) << "\n";
  }
  return {};
}

// What an aborted life left: all that it acknowledged in the stream that keeps everything.
std::string Recover(const std::string& dir) {
  JournalOptions options;
  options.dir = dir + "/journal";
  options.streams = {StreamNamed("plain")};
  options.disk_reserve_bytes = 0;
  options.reserve_file_bytes = 0;
  auto opened = Journal::Open(options);
  if (!opened) return "refused after an abort: " + opened.error().message;
  StreamSet plain;
  plain.Add(*(*opened)->FindStream("plain"));
  std::map<Hash128, uint64_t> found;
  const auto reader = (*opened)->NewReader(plain);
  for (Sequence from{1}; from < (*opened)->end();) {
    auto page = reader->Read(from, {});
    if (!page) return "cannot be read after an abort: " + page.error().message;
    for (const EventView& event : page->events) {
      if (!found.emplace(event.id, FastHash64(event.data)).second) return "stored twice";
    }
    from = page->next;
  }
  std::ifstream in(dir + "/acknowledged", std::ios::binary);
  for (uint64_t n = 0; in.read(reinterpret_cast<char*>(&n), sizeof n);) {
    const auto at = found.find(IdOf(n));
    if (at == found.end()) return "event " + std::to_string(n) + " is lost after an abort";
    if (at->second != FastHash64(JournalDriver::DataOf(n))) return "altered after an abort";
  }
  return {};
}

// Runs this program's OneLife with `what` to do in `dir`; its wait status.
int Spawn(uint64_t seed, const std::string& dir, const char* what) {
  setenv("SPOOL_IO_LIFE", (std::to_string(seed) + " " + what + " " + dir).c_str(), 1);
  std::string program = "/proc/self/exe";
  std::string filter = "--gtest_filter=IoError.OneLife*";
  char* const arguments[] = {program.data(), filter.data(), nullptr};
  pid_t child = -1;
  int status = -1;
  if (posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ) == 0) {
    waitpid(child, &status, 0);
  }
  unsetenv("SPOOL_IO_LIFE");
  return status;
}

// By itself it is a life of one seed; the test below runs it as a process for each of many.
TEST(IoError, OneLifeWithRefusedCallsLosesNothing) {
  const ScratchDir scratch;
  uint64_t seed = 1;
  std::string what = "live";
  std::string dir = scratch.path();
  if (const char* given = std::getenv("SPOOL_IO_LIFE")) {
    std::istringstream(given) >> seed >> what >> dir;
  }
  EXPECT_EQ(what == "live" ? Live(seed, dir) : Recover(dir), "");
}

TEST(IoError, ARefusedCallLosesNothingAndNothingIsAcknowledgedAfterIt) {
  const FaultProfile profile("IO", 80);
  int errors = 0;
  int aborts = 0;
  std::map<std::string, int> kinds;
  const auto kept = profile.Kept();
  for (size_t i = 0; i < kept.size() || errors < profile.count(); ++i) {
    const uint64_t seed = profile.SeedAt(i, kept);
    const ScratchDir dir;
    const int status = Spawn(seed, dir.path(), "live");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
      ++aborts;
      ++errors;
      const int recovered = Spawn(seed, dir.path(), "recover");
      ASSERT_TRUE(WIFEXITED(recovered) && WEXITSTATUS(recovered) == 0) << "SPOOL_IO_SEED=" << seed;
    } else {
      ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "SPOOL_IO_SEED=" << seed;
    }
    std::ifstream fired(dir.path() + "/fired");
    for (std::string kind; std::getline(fired, kind); ++errors) ++kinds[kind];
  }
  std::string detail;
  for (const auto& [kind, count] : kinds) detail += kind + " " + std::to_string(count) + " ";
  for (const char* kind : {"write", "sync", "sync-dir", "create", "rename", "delete"}) {
    EXPECT_GT(kinds[kind], 0) << kind << " was never refused";
  }
  EXPECT_LT(aborts * 20, errors) << "the database aborts too often to prove anything";
  profile.Report("refused disk calls", errors, detail + "aborts " + std::to_string(aborts));
}

}  // namespace
}  // namespace spool::testing
