#include "tests/support/moment.h"

#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>

namespace spool {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kTasks = "/proc/self/task";

// The one wait in the tests that nothing ends but time.
void LetPass(milliseconds time) {
  const auto end = steady_clock::now() + time;
  std::mutex mutex;
  std::condition_variable nobody;
  std::unique_lock lock(mutex);
  while (steady_clock::now() < end) nobody.wait_until(lock, end);
}

bool Look(const std::function<bool()>& done) {
  const auto end = steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (steady_clock::now() >= end) return false;
    LetPass(milliseconds(1));
  }
  return true;
}

std::string ReadLine(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

}  // namespace

void AwaitRandomMoment(milliseconds after) { LetPass(after); }
void TakeTime(milliseconds time) { LetPass(time); }

bool AwaitAsleep(pid_t thread) {
  const std::string path = std::string(kTasks) + "/" + std::to_string(thread) + "/stat";
  std::string stat;
  const bool asleep = Look([&] {
    stat = ReadLine(path);
    const size_t after_name = stat.rfind(") ");
    return after_name == stat.npos || stat[after_name + 2] == 'S';
  });
  return asleep && !stat.empty();
}

pid_t ThisThread() { return gettid(); }

pid_t ThreadNamed(const std::string& name) {
  pid_t found = 0;
  Look([&] {
    std::error_code gone;
    for (const auto& task : std::filesystem::directory_iterator(kTasks, gone)) {
      if (ReadLine(task.path() / "comm") == name) {
        found = static_cast<pid_t>(std::atoi(task.path().filename().c_str()));
      }
    }
    return found != 0;
  });
  return found;
}

}  // namespace spool
