// A file that is written, rotated and compressed while the program that follows it is killed again
// and again: each line is in the journal, and once.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "tests/support/app_http.h"
#include "tests/support/fault_profile.h"
#include "tests/support/moment.h"
#include "tests/support/numbered_spool.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;

std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Writes numbered lines without an id or a time of their own: a line that is taken twice is two
// events. Now and then it rotates its file. One thread, and whoever joins it.
class Writer {
 public:
  enum class Rotation { kRenames, kCopies };

  Writer(fs::path dir, Rotation rotation, uint64_t seed)
      : dir_(std::move(dir)), rotation_(rotation), random_(seed) {
    fs::create_directories(dir_);
    Open();
  }
  ~Writer() {
    End();
    if (fd_ >= 0) close(fd_);
  }

  void Begin() {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) Burst();
    });
  }
  void End() { thread_ = {}; }
  uint64_t written() const { return next_; }
  int rotations() const { return rotations_; }

 private:
  fs::path current() const { return dir_ / "app.log"; }
  void Open() {
    fd_ = open(current().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ASSERT_GE(fd_, 0);
  }
  void Write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t done = write(fd_, text.data(), text.size());
      ASSERT_GT(done, 0);
      text.remove_prefix(static_cast<size_t>(done));
    }
  }
  void Burst() {
    const int lines = std::uniform_int_distribution<int>(1, 200)(random_);
    std::string text;
    for (int i = 0; i < lines; ++i) {
      const bool large = std::uniform_int_distribution<int>(0, 2000)(random_) == 0;
      text += R"({"n":)" + std::to_string(next_++) + R"(,"pad":")" +
              std::string(large ? 1'500'000 : 40, 'x') + "\"}\n";
    }
    // In two pieces, so that the reader meets half a line.
    const size_t half = text.size() / 2;
    Write(std::string_view(text).substr(0, half));
    AwaitRandomMoment(std::chrono::milliseconds(1));
    Write(std::string_view(text).substr(half));
    if (std::uniform_int_distribution<int>(0, 120)(random_) == 0) Rotate();
  }
  void Rotate() {
    ++rotations_;
    if (rotation_ == Rotation::kCopies) {
      for (int i = 40; i > 0; --i) {
        const fs::path from = dir_ / ("app.log." + std::to_string(i));
        if (fs::exists(from)) fs::rename(from, dir_ / ("app.log." + std::to_string(i + 1)));
      }
      fs::copy_file(current(), dir_ / "app.log.1");
      ASSERT_EQ(ftruncate(fd_, 0), 0);
      return;
    }
    close(fd_);
    const fs::path old = dir_ / ("app-2026-11-28T06-00-" + std::to_string(rotations_) + ".log");
    fs::rename(current(), old);
    Open();
  }

  const fs::path dir_;
  const Rotation rotation_;
  std::mt19937_64 random_;
  int fd_ = -1;
  std::atomic<uint64_t> next_{0};
  std::atomic<int> rotations_{0};
  std::jthread thread_;
};

class FileSourceCrash : public ::testing::TestWithParam<Writer::Rotation> {
 protected:
  FileSourceCrash()
      : spool_(dir_.path(), "spool", "{ type: file, path: \"" + dir_ / "logs/app.log" + "\" }") {}

  const AppDir dir_;
  NumberedSpool spool_;
};

TEST_P(FileSourceCrash, EachLineIsStoredOnceWhateverIsKilledAndRotated) {
  const uint64_t seed = std::random_device()();
  const FaultProfile profile("CRASH", 12, seed);
  std::mt19937_64 random(seed);
  Writer writer(dir_ / "logs", GetParam(), seed);
  writer.Begin();
  for (int cycle = 0; cycle < profile.count(); ++cycle) {
    spool_.Start();
    AwaitRandomMoment(
        std::chrono::milliseconds(std::uniform_int_distribution<int>(30, 900)(random)));
    ASSERT_TRUE(spool_.Kill()) << "seed " << seed;
    if (cycle % 3 == 2) AwaitRandomMoment(std::chrono::milliseconds(400));  // it misses rotations
  }
  spool_.Start();
  AwaitRandomMoment(std::chrono::milliseconds(500));
  writer.End();
  ASSERT_GT(writer.rotations(), 3);
  const uint64_t written = writer.written();
  EXPECT_TRUE(WaitUntil([&] {
    return spool_.stored() >= written && spool_.Source()["behind_bytes"] == 0;
  })) << spool_.Source().dump()
      << spool_.stored() << " of " << written << ", seed " << seed;
  EXPECT_TRUE(spool_.Source()["last_error"].is_null()) << spool_.Source().dump();
  // Being killed is no gap of a source that keeps its place.
  EXPECT_EQ(spool_.gaps().dump(), "[]");
  spool_.End();
  std::map<uint64_t, int> numbers;
  spool_.Count(&numbers);
  ExpectEachOnce(numbers, written);
  profile.Report("kills of a file source", profile.count(), "");
  if (HasFailure()) std::printf("%s\nseed %lu\n", Slurp(dir_ / "log").c_str(), seed);
}

INSTANTIATE_TEST_SUITE_P(Rotations, FileSourceCrash,
                         ::testing::Values(Writer::Rotation::kRenames, Writer::Rotation::kCopies),
                         [](const auto& info) {
                           return info.param == Writer::Rotation::kRenames ? "Renames" : "Copies";
                         });

}  // namespace
}  // namespace spool::testing
