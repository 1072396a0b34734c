// Keeps what the allocator holds on to within the budget of memory.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace spool {

// Under a load of large and small bodies the allocator keeps up to a third of the resident memory
// in holes between what is in use. A thread looks every second, and above two thirds of the budget
// (192 MiB) has the allocator give whole pages of them back to the system: a few milliseconds in
// which allocations of the same arena wait. Below that nothing is done. The thread ends with this.
class MemoryRelief {
 public:
  MemoryRelief();
  ~MemoryRelief();
  MemoryRelief(const MemoryRelief&) = delete;
  MemoryRelief& operator=(const MemoryRelief&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable_any wait_;
  std::jthread thread_;
};

}  // namespace spool
