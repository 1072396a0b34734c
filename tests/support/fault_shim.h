// What a test and the library that it preloads into the program share: which call is to fail, and
// by how much the wall clock is off. A file that both have mapped.
#pragma once

#include <atomic>
#include <cstdint>

namespace spool::testing {

struct ShimControl {
  enum Call : uint32_t { kNone, kWrite, kPwrite, kDatasync, kFsync, kRename, kOpen, kTruncate };
  static constexpr uint32_t kCalls = 7;

  // The nth such call from now on for a file whose path begins with `under`, or each from there on.
  // Set `call` last.
  std::atomic<uint32_t> call;
  std::atomic<uint32_t> for_good;
  std::atomic<int32_t> error;
  std::atomic<uint64_t> nth;
  char under[256];
  std::atomic<uint64_t> seen;

  std::atomic<uint64_t> fired;    // how many were refused
  std::atomic<int64_t> fired_at;  // the first, in microseconds of the steady clock
  std::atomic<uint32_t> wrote;    // the first was about writing
  char path[256];                 // of the first

  std::atomic<int64_t> clock_offset;  // seconds that the wall clock is ahead of the true one
};

}  // namespace spool::testing
