// The database under a journal, for tests that damage what it holds or watch its files.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace rocksdb {
class Env;
}

namespace spool {

// Opens the database of a closed journal, behind the journal's back. A failure fails the test.
class RawStore {
 public:
  explicit RawStore(const std::string& journal_dir);
  ~RawStore();
  RawStore(const RawStore&) = delete;
  RawStore& operator=(const RawStore&) = delete;

  std::optional<std::string> Get(const std::string& family, const std::string& key) const;
  void Put(const std::string& family, const std::string& key, const std::string& value);
  // Changes the value of the family's `index`-th key.
  void Change(const std::string& family, int index, const std::function<void(std::string&)>& by);
  // Removes the family's `index`-th key.
  void Remove(const std::string& family, int index);
  // A database in `dir` with `count` families whose names have `bytes` bytes: a list of its files of
  // that size and more.
  static void MakeFamilies(const std::string& dir, int count, size_t bytes);
  // Moves everything into table files below level 0, where whole files can be dropped.
  void Settle();

 private:
  std::pair<std::string, std::string> At(const std::string& family, int index) const;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// An environment whose reads of table files can be held up. Outlives the journals that use it.
std::unique_ptr<rocksdb::Env> MakeReadHook(std::function<void()> before_read);

}  // namespace spool
