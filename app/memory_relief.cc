#include "app/memory_relief.h"

#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "base/thread.h"

namespace spool {
namespace {

constexpr std::chrono::seconds kEvery{1};
constexpr uint64_t kAbove = uint64_t{128} << 20;

// 0 if it cannot be told.
uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  uint64_t resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

MemoryRelief::MemoryRelief()
    : thread_(StartThread("memory", [this](std::stop_token stop) {
        std::unique_lock lock(mutex_);
        while (!wait_.wait_for(lock, stop, kEvery, [&] { return stop.stop_requested(); })) {
          if (ResidentBytes() > kAbove) malloc_trim(0);
        }
      })) {}

MemoryRelief::~MemoryRelief() = default;

}  // namespace spool
