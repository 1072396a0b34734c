#include "base/file_watch.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"

namespace spool {
namespace {

using std::chrono::milliseconds;

class FileWatchTest : public ::testing::Test {
 protected:
  FileWatchTest() {
    std::string name = std::filesystem::temp_directory_path() / "spool-watch-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    dir_ = name;
    Write("a", "one");
  }
  ~FileWatchTest() override { std::filesystem::remove_all(dir_); }
  std::string Path(const std::string& name) const { return dir_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
  }
  // The machine's time and so much more.
  static SystemTime Later(milliseconds more) { return RealClock().Now() + more; }
  static SteadyTime Steady(milliseconds at) { return SteadyTime(at); }

  std::string dir_;
};

TEST_F(FileWatchTest, TellsOfAChangeOnce) {
  FileWatch watch({Path("a")});
  EXPECT_FALSE(watch.Changed(Later(milliseconds(5000)), Steady(milliseconds(0))));
  Write("a", "two!");
  EXPECT_TRUE(watch.Changed(Later(milliseconds(5000)), Steady(milliseconds(1))));
  watch.Taken();
  EXPECT_FALSE(watch.Changed(Later(milliseconds(9000)), Steady(milliseconds(9000))));
}

TEST_F(FileWatchTest, TellsAgainOfAChangeThatNobodyTook) {
  FileWatch watch({Path("a")});
  const auto changed = [&] {
    return watch.Changed(Later(milliseconds(5000)), Steady(milliseconds(0)));
  };
  Write("a", "two!");
  EXPECT_TRUE(changed());
  EXPECT_TRUE(watch.first());
  EXPECT_TRUE(changed());
  EXPECT_FALSE(watch.first());
  Write("a", "three");  // another change, although the one before it was not taken
  EXPECT_TRUE(changed());
  EXPECT_TRUE(watch.first());
  watch.Taken();
  EXPECT_FALSE(changed());
}

// As a link does that is set to a new directory and then back.
TEST_F(FileWatchTest, GoingBackIsAChangeWhereOneWasNotTaken) {
  Write("b", "two");
  std::filesystem::create_symlink("a", Path("link"));
  FileWatch watch({Path("link")});
  const auto point = [&](const char* to) {
    std::filesystem::remove(Path("link"));
    std::filesystem::create_symlink(to, Path("link"));
  };
  const auto changed = [&] {
    return watch.Changed(Later(milliseconds(5000)), Steady(milliseconds(0)));
  };
  point("b");
  EXPECT_TRUE(changed());
  point("a");
  EXPECT_TRUE(changed());
  watch.Taken();
  EXPECT_FALSE(changed());
}

TEST_F(FileWatchTest, WaitsUntilAChangeIsASecondOld) {
  FileWatch watch({Path("a")});
  Write("a", "two!");
  EXPECT_FALSE(watch.Changed(Later(milliseconds(0)), Steady(milliseconds(0))));
  Write("a", "three");  // still being written
  EXPECT_FALSE(watch.Changed(Later(milliseconds(0)), Steady(milliseconds(1500))));
  EXPECT_FALSE(watch.Changed(Later(milliseconds(0)), Steady(milliseconds(2000))));
  EXPECT_TRUE(watch.Changed(Later(milliseconds(0)), Steady(milliseconds(2500))));
}

TEST_F(FileWatchTest, AClockThatWasSetBackHidesNothing) {
  FileWatch watch({Path("a")});
  Write("a", "two!");
  const SystemTime years_ago = FromMicros(1);
  EXPECT_FALSE(watch.Changed(years_ago, Steady(milliseconds(0))));
  EXPECT_TRUE(watch.Changed(years_ago, Steady(milliseconds(1000))));
}

TEST_F(FileWatchTest, AFileThatGoesAndOneThatComesAreChanges) {
  FileWatch watch({Path("a"), Path("b")});
  std::filesystem::remove(Path("a"));
  EXPECT_FALSE(watch.Changed(Later(milliseconds(5000)), Steady(milliseconds(0))));
  EXPECT_TRUE(watch.Changed(Later(milliseconds(5000)), Steady(milliseconds(1000))));
  watch.Taken();
  Write("a", "one");
  Write("b", "one");
  EXPECT_TRUE(watch.Changed(Later(milliseconds(5000)), Steady(milliseconds(1001))));
}

TEST_F(FileWatchTest, SameSizeAndSetBackTimesAreNoDisguise) {
  FileWatch watch({Path("a")});
  const auto time = std::filesystem::last_write_time(Path("a"));
  Write("a", "eno");
  std::filesystem::last_write_time(Path("a"), time);
  EXPECT_TRUE(watch.Changed(Later(milliseconds(5000)), Steady(milliseconds(0))));
}

}  // namespace
}  // namespace spool
