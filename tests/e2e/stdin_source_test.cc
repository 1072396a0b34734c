// A pipe into spoold: all of it is stored, then spoold ends.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

#include "tests/support/numbered_spool.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

class StdinSourceTest : public ::testing::Test {
 protected:
  // The exit status of spoold at the end of a pipe from `command`.
  int Pipe(const std::string& command) const {
    const std::string whole = command + " | '" + BinaryDir() + "/spoold' --config '" +
                              dir_ / "one.yaml" + "' >>'" + dir_ / "log" + "' 2>&1";
    const int status = std::system(whole.c_str());  // NOLINT: a pipe is what it is about
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  const AppDir dir_;
  NumberedSpool spool_{dir_.path(), "one", "{ type: stdin }"};
};

TEST_F(StdinSourceTest, EndsWhenThePipeDoesAndAllIsStored) {
  ASSERT_EQ(Pipe(R"(seq 0 49999 | sed 's/.*/{"n":&}/')"), 0);
  // The last line need not end.
  ASSERT_EQ(Pipe(R"(printf '{"n":50000}\n\n{"n":50001}')"), 0);
  ASSERT_EQ(Pipe("true"), 0);
  std::map<uint64_t, int> numbers;
  spool_.Count(&numbers);
  ExpectEachOnce(numbers, 50'002);
}

TEST_F(StdinSourceTest, GoesOnWhileThePipeIsOpen) {
  // Each half is stored before the pipe ends: what waits for a turn of its own is not what ends it.
  const std::string fifo = dir_ / "fifo";
  ASSERT_EQ(std::system(("mkfifo '" + fifo + "'").c_str()), 0);  // NOLINT
  std::thread run([&] { EXPECT_EQ(Pipe("cat '" + fifo + "'"), 0); });
  {
    std::ofstream out(fifo);
    out << "{\"n\":0}\n" << std::flush;
    EXPECT_TRUE(WaitUntil([&] { return spool_.stored() == 1; })) << spool_.Source().dump();
    EXPECT_EQ(spool_.Source()["state"], "up");
    out << "{\"n\":1}\n" << std::flush;
    EXPECT_TRUE(WaitUntil([&] { return spool_.stored() == 2; }));
  }
  run.join();
}

}  // namespace
}  // namespace spool::testing
