// The disk refuses one call, or every one from there on, while the real program starts or works:
// the n-th write, sync, rename, open, cut. Nothing is acknowledged after that until a restart, the
// process ends within a second, and the restart has all that was acknowledged.
#include <signal.h>

#include <cerrno>
#include <iterator>
#include <set>

#include "tests/machine/disk_fixture.h"
#include "tests/support/fault_profile.h"

namespace spool::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class StorageError : public Crash {
 protected:
  StorageError() : shim_(dir_ / "shim") {}

  struct Wish {
    ShimControl::Call call;
    uint64_t nth;
    int error;
    bool for_good;
    bool from_start;
  };
  Wish MakeWish(int i) {
    constexpr int kErrors[] = {EIO, ENOSPC, EDQUOT};
    // How many of each there are in a life that is short; a start has most of some.
    constexpr uint64_t kAtStart[] = {0, 12, 2, 8, 6, 2, 30, 3};
    constexpr uint64_t kUnderLoad[] = {0, 60, 60, 60, 1, 0, 0, 0};
    Wish wish{};
    wish.call = static_cast<ShimControl::Call>(1 + static_cast<uint32_t>(i) % ShimControl::kCalls);
    // Each call with each error before any comes again.
    wish.error = kErrors[static_cast<uint32_t>(i) / ShimControl::kCalls % std::size(kErrors)];
    wish.for_good = random_() % 2 == 0;
    wish.from_start = kUnderLoad[wish.call] < 2 || random_() % 3 == 0;
    const uint64_t many = (wish.from_start ? kAtStart : kUnderLoad)[wish.call];
    wish.nth = 1 + random_() % many;
    return wish;
  }
  std::string ToText(const Wish& wish) const {
    return std::string(strerrorname_np(wish.error)) + " at " + FaultShim::NameOf(wish.call) + " " +
           std::to_string(wish.nth) + (wish.for_good ? " and all later ones" : "") +
           (wish.from_start ? ", from the start on" : ", under load") + ", first refused " +
           shim_.control().path;
  }
  static bool IsEnd(int exit) { return exit == 74; }

  // One life in which the call is refused; whether it was reached.
  bool Live(const Wish& wish, std::map<int, int>& exits) {
    const std::string data = dir_ / "data";
    const auto arm = [&] { shim_.Arm(wish.call, wish.nth, wish.error, wish.for_good, data); };
    shim_.Disarm();
    if (wish.from_start) arm();
    auto spoold = Start(shim_.under());
    int exit = -1;
    const auto ended = [&] {
      if (exit == -1) exit = spoold->Wait(milliseconds(0));
      return exit != -1;
    };
    WaitUntil([&] { return ended() || Call("GET", admin_, "/ready").status == 200; });
    if (!ended()) {
      producers_->Begin();
      if (!wish.from_start) {
        const size_t before = producers_->acknowledgements();
        WaitUntil([&] { return producers_->acknowledgements() > before + 5; });
        arm();
      }
      WaitUntil([&] { return shim_.control().fired > 0 || ended(); }, milliseconds(1500));
    }
    const ShimControl& control = shim_.control();
    if (control.fired == 0) {
      EXPECT_EQ(exit, -1) << "it ended by itself; " << Told();
      shim_.Disarm();
      EXPECT_TRUE(ended() || spoold->Kill());
      producers_->End();
      return false;
    }
    // A file that is only read is no matter of storing; one that is not cut is longer, no worse;
    // and nothing depends on the database's note of its options (for which it syncs its directory,
    // too) or on the reserve.
    const std::string path = control.path;
    const bool needed = !path.ends_with(".dbtmp") && path.find("/OPTIONS-") == path.npos &&
                        !path.ends_with("/RESERVE") && !path.ends_with("/db");
    const bool final = control.wrote != 0 && wish.call != ShimControl::kTruncate && needed;
    WaitUntil(ended, milliseconds(final ? 5000 : 1500));
    const auto at = steady_clock::now();
    producers_->End();
    const steady_clock::time_point refused_at{microseconds(control.fired_at)};
    const bool log = path.ends_with(".log") || path.ends_with("WATERMARK");
    if (final) {
      EXPECT_TRUE(IsEnd(exit)) << exit << " after " << ToText(wish) << "; " << Told();
      EXPECT_LT(at - refused_at, milliseconds(1500)) << ToText(wish) << "; " << Told();
      // What writes tables tells the journal a moment later.
      EXPECT_LT(producers_->last_acknowledged(), refused_at + milliseconds(log ? 0 : 300))
          << "acknowledged after " << ToText(wish);
    } else {
      EXPECT_TRUE(exit == -1 || IsEnd(exit)) << exit << " after " << ToText(wish);
    }
    ++exits[exit];
    shim_.Disarm();
    if (exit == -1) spoold->Kill();
    return true;
  }

  FaultShim shim_;
};

TEST_F(StorageError, EndsTheProcessWithinASecondAndLosesNothing) {
  const FaultProfile profile("STORAGE", 21, seed_);
  int fired = 0;
  int missed = 0;
  std::map<std::string, int> kinds;
  std::map<int, int> exits;
  std::set<std::string> met;  // "EIO at write"
  const auto name_of = [](uint32_t call, int error) {
    return std::string(strerrorname_np(error)) + " at " +
           FaultShim::NameOf(static_cast<ShimControl::Call>(call));
  };
  const auto enough = [&] {  // with some of each call and error
    return fired >= profile.count() && met.size() == ShimControl::kCalls * 2;
  };
  for (int i = 0; !enough() && missed < 3 * profile.count() + 20; ++i) {
    // A start that finds nothing to recover opens and renames little.
    const Wish wish = MakeWish(i);
    if (Live(wish, exits)) {
      ++fired;
      ++kinds[FaultShim::NameOf(wish.call)];
      if (wish.error != EDQUOT) met.insert(name_of(wish.call, wish.error));
    } else {
      ++missed;
    }
    if (HasFailure()) break;
    if (i % 4 == 3) {  // also what a start leaves when nothing disturbs it
      auto calm = Start();
      ASSERT_TRUE(WaitReady()) << ToText(wish) << "; " << Told();
      ASSERT_TRUE(calm->Kill());
    }
  }
  ASSERT_FALSE(HasFailure()) << "seed " << seed_;
  auto spoold = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  ASSERT_TRUE(WaitSettled()) << Call("GET", admin_, "/api/v1/status").body << "\n" << Told();
  CheckEverything();
  std::string detail;
  for (const auto& [kind, count] : kinds) detail += kind + " " + std::to_string(count) + " ";
  for (const auto& [exit, count] : exits) {
    detail += "exit " + std::to_string(exit) + ": " + std::to_string(count) + " ";
  }
  for (uint32_t call = 1; call <= ShimControl::kCalls; ++call) {
    for (const int error : {EIO, ENOSPC}) {
      const std::string name = name_of(call, error);
      EXPECT_TRUE(met.contains(name)) << name << " was never met";
    }
  }
  EXPECT_GT(exits[74], 0);
  profile.Report("refused calls of the program", fired, detail);
  std::printf("[          ] %s\n", detail.c_str());
}

// The database's own work fails while nobody writes: that is noticed, too.
TEST_F(StorageError, IsNoticedWithoutLoad) {
  auto spoold = Start(shim_.under());
  ASSERT_TRUE(WaitReady()) << Told();
  producers_->Begin();
  ASSERT_TRUE(WaitUntil([&] { return producers_->acknowledgements() > 20; }));
  producers_->End();
  ASSERT_TRUE(WaitSettled()) << Told();
  shim_.Arm(ShimControl::kDatasync, 1, EIO, true, dir_ / "data/db");
  // A snapshot makes it write a table.
  Call("POST", admin_, "/api/v1/node:snapshot", "{\"dir\":\"" + dir_ / "copy\"}");
  EXPECT_TRUE(IsEnd(spoold->Wait(std::chrono::seconds(5)))) << Told();
  shim_.Disarm();
  spoold = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  ASSERT_TRUE(WaitSettled()) << Told();
  CheckEverything();
}

TEST_F(StorageError, DamageIsServedWithItsReason) {
  {
    auto spoold = Start();
    ASSERT_TRUE(WaitReady()) << Told();
    producers_->Begin();
    ASSERT_TRUE(WaitUntil([&] { return producers_->acknowledgements() > 20; }));
    ASSERT_TRUE(spoold->Kill());
    producers_->End();
  }
  std::filesystem::resize_file(dir_ / "data/FORMAT", 3);
  auto spoold = Start();
  // The listener of the start that failed may be seen first, as it goes.
  HttpReply ready;
  EXPECT_TRUE(WaitUntil([&] {
    ready = Call("GET", admin_, "/ready?verbose");
    return ready.body.find("The journal is damaged") != std::string::npos;
  })) << ready.body
      << Told();
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.Json()["code"], "damaged");
  EXPECT_EQ(Call("GET", ingest_, "/ready").status, 0);
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(std::chrono::seconds(10)), 0) << Told();
}

}  // namespace
}  // namespace spool::testing
