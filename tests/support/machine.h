// What a machine can do to the program: volumes of any size, memory that ends, disk calls that are
// refused, clocks that jump. All of it needs root, as a container's tests have.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/fault_shim.h"

namespace spool::testing {

// A volume in memory, mounted at a directory that it makes; gone with this.
class Volume {
 public:
  Volume(std::string path, uint64_t bytes);
  ~Volume();
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  bool ok() const { return mounted_; }
  bool Resize(uint64_t bytes);
  uint64_t free_bytes() const;
  // A file that takes all but `bytes`; the one before is replaced. False when it cannot be.
  bool FillTo(uint64_t bytes);
  void RemoveFilling();

 private:
  const std::string path_;
  bool mounted_ = false;
};

// A cgroup with a memory limit, of whichever version the machine has.
class MemoryGroup {
 public:
  explicit MemoryGroup(uint64_t limit_bytes);
  ~MemoryGroup();
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  bool ok() const { return !path_.empty(); }
  // Goes before a program: it runs inside, under the same pid.
  std::vector<std::string> under() const;

 private:
  std::string path_;
};

// The library that refuses calls and moves the clock, and its other end.
class FaultShim {
 public:
  // The control file is made at `path`.
  explicit FaultShim(std::string path);
  ~FaultShim();
  FaultShim(const FaultShim&) = delete;
  FaultShim& operator=(const FaultShim&) = delete;

  std::vector<std::string> under() const;
  ShimControl& control() const { return *control_; }
  void Arm(ShimControl::Call call, uint64_t nth, int error, bool for_good,
           const std::string& under);
  void Disarm();
  static const char* NameOf(ShimControl::Call call);

 private:
  const std::string path_;
  ShimControl* control_ = nullptr;
};

// Of a running process.
uint64_t PeakMemoryOf(pid_t pid);      // bytes ever resident at once
uint64_t MemoryOf(pid_t pid);          // bytes resident now
double ProcessorSecondsOf(pid_t pid);  // user and system
size_t DescriptorsOf(pid_t pid);

}  // namespace spool::testing
