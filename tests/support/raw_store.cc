#include "tests/support/raw_store.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <map>
#include <vector>

namespace spool {

struct RawStore::Impl {
  std::unique_ptr<rocksdb::DB> db;
  std::map<std::string, rocksdb::ColumnFamilyHandle*> families;
};

RawStore::RawStore(const std::string& journal_dir) : impl_(std::make_unique<Impl>()) {
  const std::string dir = journal_dir + "/db";
  const rocksdb::DBOptions options;
  std::vector<std::string> names;
  auto status = rocksdb::DB::ListColumnFamilies(options, dir, &names);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const auto& name : names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  if (status.ok()) status = rocksdb::DB::Open(options, dir, descriptors, &handles, &db);
  if (!status.ok()) {
    ADD_FAILURE() << status.ToString();
    std::abort();
  }
  impl_->db.reset(db);
  for (size_t i = 0; i < names.size(); ++i) impl_->families[names[i]] = handles[i];
}

void RawStore::MakeFamilies(const std::string& dir, int count, size_t bytes) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, dir, &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  for (int i = 0; i < count; ++i) {
    rocksdb::ColumnFamilyHandle* family = nullptr;
    const std::string name = std::to_string(i) + std::string(bytes, 'n');
    ASSERT_TRUE(db->CreateColumnFamily(rocksdb::ColumnFamilyOptions(), name, &family).ok());
    db->DestroyColumnFamilyHandle(family);
  }
}

RawStore::~RawStore() {
  for (const auto& [name, handle] : impl_->families) {
    impl_->db->DestroyColumnFamilyHandle(handle);
  }
  EXPECT_TRUE(impl_->db->Close().ok());
}

std::optional<std::string> RawStore::Get(const std::string& family, const std::string& key) const {
  std::string value;
  const auto got = impl_->db->Get({}, impl_->families.at(family), key, &value);
  if (!got.ok()) return std::nullopt;
  return value;
}

void RawStore::Put(const std::string& family, const std::string& key, const std::string& value) {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  EXPECT_TRUE(impl_->db->Put(synced, impl_->families.at(family), key, value).ok());
}

std::pair<std::string, std::string> RawStore::At(const std::string& family, int index) const {
  const std::unique_ptr<rocksdb::Iterator> it(
      impl_->db->NewIterator({}, impl_->families.at(family)));
  it->SeekToFirst();
  for (int i = 0; i < index && it->Valid(); ++i) it->Next();
  if (!it->Valid()) {
    ADD_FAILURE() << family << " has no key " << index;
    return {};
  }
  return {it->key().ToString(), it->value().ToString()};
}

void RawStore::Change(const std::string& family, int index,
                      const std::function<void(std::string&)>& by) {
  auto [key, value] = At(family, index);
  by(value);
  Put(family, key, value);
}

void RawStore::Remove(const std::string& family, int index) {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const std::string key = At(family, index).first;
  EXPECT_TRUE(impl_->db->Delete(synced, impl_->families.at(family), key).ok());
}

void RawStore::Settle() {
  for (const auto& [name, handle] : impl_->families) {
    EXPECT_TRUE(impl_->db->Flush({}, handle).ok());
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    options.change_level = true;
    options.target_level = 1;
    EXPECT_TRUE(impl_->db->CompactRange(options, handle, nullptr, nullptr).ok());
  }
}

namespace {

class HookedFile final : public rocksdb::RandomAccessFile {
 public:
  HookedFile(std::unique_ptr<rocksdb::RandomAccessFile> file, const std::function<void()>& hook)
      : file_(std::move(file)), hook_(hook) {}
  rocksdb::Status Read(uint64_t offset, size_t n, rocksdb::Slice* result,
                       char* scratch) const override {
    hook_();
    return file_->Read(offset, n, result, scratch);
  }
  size_t GetUniqueId(char* id, size_t size) const override { return file_->GetUniqueId(id, size); }

 private:
  const std::unique_ptr<rocksdb::RandomAccessFile> file_;
  const std::function<void()>& hook_;
};

class ReadHook final : public rocksdb::EnvWrapper {
 public:
  explicit ReadHook(std::function<void()> before_read)
      : EnvWrapper(rocksdb::Env::Default()), hook_(std::move(before_read)) {}
  const char* Name() const override { return "read-hook"; }
  rocksdb::Status NewRandomAccessFile(const std::string& name,
                                      std::unique_ptr<rocksdb::RandomAccessFile>* result,
                                      const rocksdb::EnvOptions& options) override {
    std::unique_ptr<rocksdb::RandomAccessFile> file;
    auto status = EnvWrapper::NewRandomAccessFile(name, &file, options);
    if (status.ok()) *result = std::make_unique<HookedFile>(std::move(file), hook_);
    return status;
  }

 private:
  const std::function<void()> hook_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> MakeReadHook(std::function<void()> before_read) {
  return std::make_unique<ReadHook>(std::move(before_read));
}

}  // namespace spool
