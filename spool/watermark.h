// How far events were durable when the process last lived: DIR/WATERMARK.
//
// RocksDB does not notice an active log that was deleted, or cut at a record's end: it opens with
// fewer events. The watermark does. It is written after each commit's sync and before its answers,
// and itself synced at a start and then at most once a second, so after a process crash it is exact
// and after a power cut at most a second old. An older one is harmless.
//
// Three slots, at 0, 8192 and 16384. One holds what was synced last and is not written until
// another does, one may be under a sync, one is written: however often that happens between two
// syncs, a power cut tears no slot that was synced, and at least one is whole. Without one, a log
// that ends in torn records could not be told from one that is damaged. A slot:
//   'S' 'W' version 0   4 bytes
//   size of what follows up to the hash 4 · counter 8 · end 8
//   varint n, then n times {stream's name as a text, its end's ordinal as a varint}
//   changes as a varint; 0 where a slot ends before it, as the first ones did
//   XXH3-64 of the bytes before 8
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "spool/sequence.h"

namespace spool {

// What was durable: every sequence below `end`, of each stream that many events since it began, and
// that many synced changes of the journal's own records (dead letters, skips, trims, jobs).
struct DurableMark {
  Sequence end{1};
  std::vector<std::pair<std::string, uint64_t>> streams;
  uint64_t changes = 0;
};

// One thread at a time for Write, any one other for Sync.
class Watermark {
 public:
  Watermark() = default;
  ~Watermark();
  Watermark(const Watermark&) = delete;
  Watermark& operator=(const Watermark&) = delete;

  // What the file in `dir` says; nothing when there is no file or neither slot is whole (which is
  // told). kStorage when it cannot be read.
  static Result<std::optional<DurableMark>> Read(const std::string& dir);

  // Opens it, or makes it; what it says then is durable. kStorage.
  Status Open(const std::string& dir);
  // kStorage.
  Status Write(const DurableMark& mark);
  // Makes what was written durable, if anything was. kStorage.
  Status Sync();

 private:
  int fd_ = -1;
  uint64_t counter_ = 0;
  std::mutex mutex_;    // guards what follows
  size_t durable_ = 2;  // the slot that was synced last; not written
  size_t written_ = 0;  // the slot that Write overwrites; never the one under a sync
  bool unsynced_ = false;
};

}  // namespace spool
