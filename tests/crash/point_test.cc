// kill -9 at named places: on entering a certain system call on a certain kind of file, at a start
// or under load. What was acknowledged before is judged as after any other kill.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "tests/support/crash_fixture.h"
#include "tests/support/fault_profile.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;

struct Point {
  const char* name;
  const char* call;
  const char* file;  // its kind; empty: any descriptor
  int spread;        // it is one of the first so many such calls
};
void PrintTo(const Point& point, std::ostream* out) { *out << point.name; }

// A call's end is the beginning of the next: after the log's sync comes the watermark's write, then
// the answer.
constexpr Point kPoints[] = {
    {"LogCreated", "openat", "WAL", 3},
    {"LogAllocated", "fallocate", "WAL", 1},
    {"LogWritten", "write", "WAL", 60},
    {"LogSynced", "fdatasync", "WAL", 60},
    {"LogClosed", "close", "WAL", 2},
    {"LogRead", "read,pread64", "WAL", 2},
    {"LogDeleted", "unlink", "WAL", 1},
    {"TableCreated", "openat", "SST", 4},
    {"TableAllocated", "fallocate", "SST", 2},
    {"TableWritten", "write", "SST", 4},
    {"TableCut", "ftruncate", "SST", 2},
    {"TableSynced", "fdatasync", "SST", 3},
    {"TableRead", "pread64", "SST", 4},
    {"TableClosed", "close", "SST", 3},
    {"TableDeleted", "unlink", "SST", 2},
    {"ManifestCreated", "openat", "MANIFEST", 2},
    {"ManifestWritten", "write", "MANIFEST", 5},
    {"ManifestSynced", "fdatasync", "MANIFEST", 5},
    {"ManifestAllocated", "fallocate", "MANIFEST", 2},
    {"ManifestClosed", "close", "MANIFEST", 2},
    {"ManifestDeleted", "unlink", "MANIFEST", 1},
    {"ManifestNamed", "rename", "TEMPORARY", 3},
    {"TemporaryCreated", "openat", "TEMPORARY", 3},
    {"TemporaryWritten", "write", "TEMPORARY", 2},
    {"TemporarySynced", "fdatasync,fsync", "TEMPORARY", 2},
    {"CurrentRead", "openat", "CURRENT", 2},
    {"DatabaseDirectorySynced", "fsync,fdatasync", "DATABASE", 4},
    {"DatabaseDirectoryOpened", "openat", "DATABASE", 4},
    {"FormatRead", "openat", "FORMAT", 1},
    {"FormatWritten", "write", "FORMAT", 1},
    {"FormatSynced", "fsync", "FORMAT", 1},
    {"FormatNamed", "rename", "FORMAT", 1},
    {"WatermarkOpened", "openat", "WATERMARK", 2},
    {"WatermarkWritten", "pwrite64", "WATERMARK", 60},
    {"WatermarkSynced", "fdatasync", "WATERMARK", 2},
    {"LockTaken", "flock", "LOCK", 1},
    {"MessageSent", "sendmsg,sendto", "", 100},
    {"FileTargetWritten", "write,writev,pwrite64", "OUT", 40},
    {"FileTargetSynced", "fdatasync,fsync", "OUT", 20},
};

class CrashPoint : public Crash, public ::testing::WithParamInterface<Point> {
 protected:
  // Paths that a file of the kind has, or may soon have.
  std::vector<std::string> Paths(const std::string& kind) const {
    const std::string data = dir_ / "data";
    if (kind == "OUT") return {dir_ / "out.jsonl"};
    if (kind == "DATABASE") return {data + "/db"};
    if (kind == "CURRENT") return {data + "/db/CURRENT"};
    if (kind == "FORMAT") return {data + "/FORMAT", data + "/FORMAT.new"};
    if (kind == "WATERMARK" || kind == "LOCK") return {data + "/" + kind};
    int last = 0;
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(data + "/db", missing)) {
      std::string name = entry.path().filename().string();
      if (const size_t dash = name.rfind('-'); dash != name.npos) name.erase(0, dash + 1);
      last = std::max(last, std::atoi(name.c_str()));
    }
    std::vector<std::string> paths;
    for (int i = std::max(1, last - 60); i < last + 60; ++i) {
      char number[16];
      std::snprintf(number, sizeof number, "%06d", i);
      const std::string file = data + "/db/";
      if (kind == "WAL") paths.push_back(file + number + ".log");
      if (kind == "SST") paths.push_back(file + number + ".sst");
      if (kind == "MANIFEST") paths.push_back(file + "MANIFEST-" + number);
      if (kind == "TEMPORARY") paths.push_back(file + number + ".dbtmp");
    }
    return paths;
  }

  std::vector<std::string> Tracer(const Point& point, int nth) const {
    // -D: the program keeps its parent and its pid.
    std::vector<std::string> tracer = {"strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e"};
    tracer.push_back("trace=" + std::string(point.call));
    for (const std::string& path : Paths(point.file)) {
      tracer.push_back("-P");
      tracer.push_back(path);
    }
    tracer.push_back("-e");
    tracer.push_back("inject=" + std::string(point.call) +
                     ":signal=KILL:when=" + std::to_string(nth));
    return tracer;
  }

  // Undisturbed lives that end with a kill under load; 0: one without load.
  void Live(int lives) {
    for (int i = 0; i < std::max(lives, 1); ++i) {
      auto calm = Start();
      ASSERT_TRUE(WaitReady()) << Told();
      if (lives > 0) {
        producers_->Begin();
        const size_t before = producers_->acknowledgements();
        WaitUntil([&] { return producers_->acknowledgements() > before + 5; });
      }
      ASSERT_TRUE(calm->Kill()) << Told();
      producers_->End();
    }
  }
};

TEST_P(CrashPoint, LosesNothing) {
  const Point& point = GetParam();
  const FaultProfile profile("POINT", 1, seed_);
  int hits = 0;
  int misses = 0;
  const bool recovers = std::string(point.file) == "WAL" || std::string(point.file) == "SST";
  if (recovers) Live(5);  // as many as make the database merge tables
  while (hits < profile.count() && misses <= 2 * profile.count() + 4) {
    if (recovers && random_() % 2 == 0) Live(1);
    // What was not reached is tried nearer to the beginning.
    const int spread = std::max(1, point.spread >> std::min(misses, 8));
    const int nth = 1 + static_cast<int>(random_() % static_cast<uint64_t>(spread));
    auto spoold = Start(Tracer(point, nth));
    bool dead = false;
    const auto ended = [&] {
      dead = dead || spoold->Wait(std::chrono::milliseconds(0)) == 128 + SIGKILL;
      return dead;
    };
    WaitUntil([&] { return ended() || Call("GET", admin_, "/ready").status == 200; },
              std::chrono::seconds(20));
    if (!dead) {
      producers_->Begin();
      WaitUntil(ended, std::chrono::milliseconds(1'500));
    }
    if (!dead) {
      ++misses;
      ASSERT_TRUE(spoold->Kill()) << "it ended by itself, " << Told();
    } else {
      ++hits;
    }
    producers_->End();
    // Every other time also what a start leaves when nothing disturbs it.
    if (random_() % 2 == 0) Live(0);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(hits, 0) << point.name << " was never reached";
  auto spoold = Start();
  ASSERT_TRUE(WaitReady()) << point.name << ", " << Told();
  producers_->Begin();
  const size_t before = producers_->acknowledgements();
  EXPECT_TRUE(WaitUntil([&] { return producers_->acknowledgements() > before + 3; })) << Told();
  producers_->End();
  ASSERT_TRUE(WaitSettled()) << Call("GET", admin_, "/api/v1/status").body << "\n" << Told();
  CheckEverything();
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(std::chrono::seconds(25)), 0) << Told();
  profile.Report((std::string("kill at ") + point.name).c_str(), hits, "");
}

// All of them, or every sixth in a short profile.
std::vector<Point> Points() {
  const bool all = std::getenv("SPOOL_POINT_COUNT") != nullptr;
  std::vector<Point> points;
  for (size_t i = 0; i < std::size(kPoints); ++i) {
    if (all || i % 6 == 3) points.push_back(kPoints[i]);
  }
  return points;
}
INSTANTIATE_TEST_SUITE_P(Points, CrashPoint, ::testing::ValuesIn(Points()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace spool::testing
