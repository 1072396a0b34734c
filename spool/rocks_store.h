// The database under the journal, as far as the journal needs it. RocksDB is known to the .cc
// alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spool/store_status.h"

namespace rocksdb {
class Env;
}

namespace spool {

struct FamilyId {
  uint32_t value = 0;
};

// Changes that become durable together or not at all. One thread.
class StoreBatch {
 public:
  StoreBatch();
  ~StoreBatch();
  StoreBatch(StoreBatch&&) noexcept;
  void Put(FamilyId family, std::string_view key, std::string_view value);
  void Delete(FamilyId family, std::string_view key);

 private:
  friend class RocksStore;
  struct Op {
    FamilyId family;
    std::string key;
    std::string value;
    bool remove;
  };
  std::vector<Op> ops_;
};

// Any thread.
class RocksStore {
 public:
  // A log or manifest with a damaged record is refused, or ends before it. Records that were never
  // synced may be damaged by a power cut; whether that is all is for the caller to know.
  enum class DamagedLog { kRefused, kCut };
  // Opens or creates with at least the families named. kDamaged for corruption, kStorage
  // otherwise.
  static Result<std::unique_ptr<RocksStore>> Open(const std::string& dir,
                                                  const std::vector<std::string>& families,
                                                  rocksdb::Env* env, int open_tables_max = 256,
                                                  DamagedLog log = DamagedLog::kRefused);
  // What is there, without changing a byte: Write must not be called. Errors as Open.
  static Result<std::unique_ptr<RocksStore>> OpenReadOnly(const std::string& dir,
                                                          rocksdb::Env* env = nullptr,
                                                          DamagedLog log = DamagedLog::kRefused);
  // Opens a table by itself, as a database does, and forgets it again.
  static void LookAtTable(const std::string& path);
  // Makes a database that does not open openable, at the price of what cannot be read: a log ends
  // at its first damaged record, files that are gone or damaged are left out (`anew`: even though
  // it opens). Says what it did, "" when nothing was needed. kDamaged when even that fails.
  static Result<std::string> Salvage(const std::string& dir, bool anew);
  // True if there is a database in `dir`, sound or not.
  static bool Exists(const std::string& dir, rocksdb::Env* env);
  ~RocksStore();
  RocksStore(const RocksStore&) = delete;
  RocksStore& operator=(const RocksStore&) = delete;

  // Whether what OpenReadOnly was to cut was the manifest, or that as well.
  bool cut_manifest() const;
  // What is in tables of the directory that the database does not list, by family and key; `take`
  // may end it with an error, which is given back. A table that cannot be read is kDamaged.
  using TakeUnlisted = std::function<Status(const std::string& family, std::string_view key,
                                            std::string_view value)>;
  Status ForEachUnlisted(const TakeUnlisted& take) const;

  FamilyId Family(std::string_view name) const;  // must exist
  std::vector<std::string> Families() const;

  // With `sync` it is on stable storage when this returns. After any failure the caller must end.
  Status Write(const StoreBatch& batch, bool sync);
  Result<std::optional<std::string>> Get(FamilyId family, std::string_view key) const;

  // A snapshot of one family in key order. One thread; short-lived.
  class Iterator {
   public:
    explicit Iterator(void* it) : it_(it) {}
    ~Iterator();
    Iterator(const Iterator&) = delete;
    Iterator& operator=(const Iterator&) = delete;
    void Seek(std::string_view key);
    void SeekForPrev(std::string_view key);
    void SeekToFirst();
    void SeekToLast();
    void Next();
    void Prev();
    bool Valid() const;
    std::string_view key() const;  // until the next move
    std::string_view value() const;
    Status status() const;  // kDamaged or kStorage when a move failed

   private:
    void* it_;
  };
  std::unique_ptr<Iterator> NewIterator(FamilyId family) const;

  // Keys of the family below `key` are garbage from now on: whole files go at once, the rest when
  // the database next rewrites them.
  void DropBefore(FamilyId family, std::string_view key);

  // Gives room back that DropBefore could not: flushes what keeps logs, and rewrites the newest
  // tables without their garbage. Needs room itself first, for which `free_bytes` must suffice.
  void Reclaim(uint64_t free_bytes);

  // Called once, on a thread of the database, when it has failed by itself, as in writing a table
  // (kStorage) or in rewriting one that is damaged (kDamaged): every later Write fails. At once if
  // it has already.
  void OnBackgroundError(std::function<void(const Error&)> told);

  uint64_t DiskBytes() const;  // files of the database
  StoreStatus status() const;
  // The table file that may hold the key; "" when it is in none.
  std::string FileOf(FamilyId family, std::string_view key) const;
  // The least and the greatest key of that file.
  std::optional<std::pair<std::string, std::string>> TableRange(FamilyId family,
                                                                std::string_view key) const;
  // Copies the database as of now to `dir`, which must not exist; files are linked where they can
  // be. kStorage.
  Status Snapshot(const std::string& dir) const;

 private:
  struct Impl;
  explicit RocksStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spool
