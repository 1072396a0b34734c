// A disk whose power can be cut and whose calls can be made to fail, under RocksDB.
//
// Files live in a real directory, as the page cache would show them. Beside them the disk keeps
// what a platter would have: of each file how much was synced, of the directory which names were.
// Crash() then leaves in the directory what a power cut could leave: what was synced, and of the
// rest whatever the seed says: nothing, all, a prefix, a prefix torn at 512 bytes or 4 KiB, or
// blocks of that size missing in the middle; and unsynced creates, renames and deletes done or not.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace rocksdb {
class Env;
}

namespace spool::testing {

// Any thread, unless a method says otherwise.
class PowerCutDisk {
 public:
  enum class Call { kWrite, kSync, kSyncDirectory, kCreate, kRename, kDelete, kTruncate };
  static constexpr int kCalls = 7;
  static const char* NameOf(Call call);

  // What is in `dir` now counts as synced. `dir` may be missing; its parent may not. Other
  // directories are passed through.
  explicit PowerCutDisk(std::string dir);
  ~PowerCutDisk();
  PowerCutDisk(const PowerCutDisk&) = delete;
  PowerCutDisk& operator=(const PowerCutDisk&) = delete;

  // For JournalOptions::env. Lives as long as the disk.
  rocksdb::Env* env();

  // Calls that change something, since the beginning.
  uint64_t calls() const;
  uint64_t calls(Call call) const;

  // The power goes at the `nth` changing call from now on (1: the next): it may or may not have
  // been carried out, and it and every later one fail.
  void CutAfter(uint64_t nth);
  void CutNow();
  bool cut() const;
  // Leaves in the directory what the platter has, and the power is on again. REQUIRES: no file of
  // it is open. Says what it did, for a failure's message.
  std::string Crash(uint64_t seed);

  // Syncs of files and of the directory succeed and do nothing: the control.
  void IgnoreSyncs();

  // The `nth` call of that kind from now on fails with EIO or ENOSPC, and with `for_good` every
  // later one that changes something. A failed write leaves a part of its bytes.
  void FailAt(Call call, uint64_t nth, bool no_space, bool for_good);
  // How many calls were made to fail.
  uint64_t failed() const;
  // No call fails any more.
  void Heal();

 private:
  class Files;
  std::shared_ptr<Files> files_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace spool::testing
