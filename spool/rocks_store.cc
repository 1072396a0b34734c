#include "spool/rocks_store.h"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>

#include "base/assert.h"
#include "base/log.h"
#include "spool/codec.h"
#include "spool/manifest_tail.h"

namespace spool {
namespace {

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

Error ToError(std::string_view doing, const rocksdb::Status& status) {
  Code code = Code::kStorage;
  if (status.IsCorruption()) code = Code::kDamaged;
  return {code, std::string(doing) + ": " + status.ToString()};
}

// Drops what retention has trimmed when the database rewrites a file anyway.
class TrimFilter final : public rocksdb::CompactionFilter {
 public:
  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice&, std::string*,
              bool*) const override {
    return codec::SequenceOfKey(ToView(key)) < below_.load(std::memory_order_relaxed);
  }
  bool IgnoreSnapshots() const override { return true; }
  const char* Name() const override { return "spool.trim"; }
  void Raise(uint64_t below) const { below_.store(below, std::memory_order_relaxed); }
  uint64_t below() const { return below_.load(std::memory_order_relaxed); }

 private:
  mutable std::atomic<uint64_t> below_{0};
};

// The first failure of the database's own work, for whoever wants to know.
class BackgroundErrors final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    Error error = ToError("the database failed", *status);
    if (error.code != Code::kDamaged) error.code = Code::kStorage;
    std::unique_lock lock(mutex_);
    if (error_) return;
    error_ = error;
    const auto told = told_;
    lock.unlock();
    if (told) told(error);
  }
  // What failed is taken up by a new start only. The library's own recovery from a full
  // volume would run against a journal that is closing, and asserts when it is refused again.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
  void Tell(std::function<void(const Error&)> told) {
    std::unique_lock lock(mutex_);
    told_ = told;
    const auto error = error_;
    lock.unlock();
    if (error) told(*error);
  }

 private:
  std::mutex mutex_;
  std::optional<Error> error_;              // guarded by mutex_
  std::function<void(const Error&)> told_;  // guarded by mutex_
};

// RocksDB's own log goes nowhere unless it warns: its LOG files would eat the volume.
class WarningsOnly final : public rocksdb::Logger {
 public:
  WarningsOnly() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::ERROR_LEVEL ||
        level >= rocksdb::InfoLogLevel::HEADER_LEVEL) {
      return;
    }
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    log::Warn("The database reports a problem.", {{"detail", text}});
  }
  void Logv(const char*, va_list) override {}
};

rocksdb::DBOptions DatabaseOptions(rocksdb::Env* env,
                                   RocksStore::DamagedLog log = RocksStore::DamagedLog::kRefused) {
  rocksdb::DBOptions options;
  if (env != nullptr) options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // Measured: the default mode lost acknowledged events after one flipped bit in the log.
  options.wal_recovery_mode = log == RocksStore::DamagedLog::kRefused
                                  ? rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords
                                  : rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.recycle_log_file_num = 0;
  options.track_and_verify_wals_in_manifest = true;
  options.max_bgerror_resume_count = 0;
  options.paranoid_checks = true;
  options.max_total_wal_size = uint64_t{128} << 20;
  options.db_write_buffer_size = size_t{48} << 20;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.keep_log_file_num = 1;
  options.info_log = std::make_shared<WarningsOnly>();
  options.allow_data_in_errors = false;
  return options;
}

rocksdb::ColumnFamilyOptions FamilyOptions(const std::shared_ptr<rocksdb::Cache>& cache,
                                           const TrimFilter* filter) {
  rocksdb::ColumnFamilyOptions options;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 32 << 10;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kZSTD;
  options.compression_opts.level = 1;
  options.write_buffer_size = size_t{16} << 20;
  options.max_write_buffer_number = 2;
  options.compaction_filter = filter;
  return options;
}

}  // namespace

namespace {

constexpr std::string_view kManifest = "MANIFEST-";

// Shows manifests up to where they can be read, and changes nothing.
class ReadableManifests final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "spool.readable-manifests"; }
  bool cut() const { return cut_; }  // one was not shown to its end
  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override {
    const std::string_view base = std::string_view(name).substr(name.rfind('/') + 1);
    if (!base.starts_with(kManifest)) {
      return FileSystemWrapper::NewSequentialFile(name, options, file, debug);
    }
    std::string bytes;
    if (auto read = rocksdb::ReadFileToString(target(), name, &bytes); !read.ok()) return read;
    const size_t readable = ReadableManifestBytes(bytes);
    if (readable < bytes.size()) cut_ = true;
    bytes.resize(readable);
    *file = std::make_unique<Bytes>(std::move(bytes));
    return rocksdb::IOStatus::OK();
  }

 private:
  class Bytes final : public rocksdb::FSSequentialFile {
   public:
    explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
    rocksdb::IOStatus Read(size_t n, const rocksdb::IOOptions& /*options*/, rocksdb::Slice* result,
                           char* scratch, rocksdb::IODebugContext* /*debug*/) override {
      const size_t taken = bytes_.copy(scratch, n, at_);
      *result = rocksdb::Slice(scratch, taken);
      at_ += taken;
      return rocksdb::IOStatus::OK();
    }
    rocksdb::IOStatus Skip(uint64_t n) override {
      at_ = static_cast<size_t>(std::min<uint64_t>(at_ + n, bytes_.size()));
      return rocksdb::IOStatus::OK();
    }

   private:
    const std::string bytes_;
    size_t at_ = 0;
  };
  std::atomic<bool> cut_{false};
};

// Ends the manifest in use before its first record that cannot be read, at once or not at all.
rocksdb::Status CutManifest(const std::string& dir, rocksdb::Env* env) {
  std::string name, bytes;
  auto done = rocksdb::ReadFileToString(env, dir + "/CURRENT", &name);
  if (!done.ok()) return done;
  while (!name.empty() && name.back() == '\n') name.pop_back();
  if (!name.starts_with(kManifest))
    return rocksdb::Status::OK();  // the database says what is wrong
  done = rocksdb::ReadFileToString(env, dir + "/" + name, &bytes);
  if (!done.ok()) return done;
  const size_t readable = ReadableManifestBytes(bytes);
  if (readable == bytes.size()) return done;
  const std::string fresh =
      dir + "/000000.dbtmp";  // the database removes what is left of that name
  done = rocksdb::WriteStringToFile(env, rocksdb::Slice(bytes.data(), readable), fresh, true);
  if (done.ok()) done = env->RenameFile(fresh, dir + "/" + name);
  std::unique_ptr<rocksdb::Directory> directory;
  if (done.ok()) done = env->NewDirectory(dir, &directory);
  if (done.ok()) done = directory->Fsync();
  return done;
}

}  // namespace

StoreBatch::StoreBatch() = default;
StoreBatch::~StoreBatch() = default;
StoreBatch::StoreBatch(StoreBatch&&) noexcept = default;
void StoreBatch::Put(FamilyId family, std::string_view key, std::string_view value) {
  ops_.push_back({family, std::string(key), std::string(value), false});
}
void StoreBatch::Delete(FamilyId family, std::string_view key) {
  ops_.push_back({family, std::string(key), {}, true});
}

struct RocksStore::Impl {
  std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(size_t{32} << 20);
  std::shared_ptr<BackgroundErrors> errors = std::make_shared<BackgroundErrors>();
  std::vector<std::unique_ptr<TrimFilter>> filters;
  std::vector<std::string> names;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  std::shared_ptr<ReadableManifests> manifests;
  std::unique_ptr<rocksdb::Env> readable;  // with those, in place of the real one; or null
  std::unique_ptr<rocksdb::DB> db;

  ~Impl() {
    if (db == nullptr) return;
    for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
    db->Close().PermitUncheckedError();
  }
};

RocksStore::RocksStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksStore::~RocksStore() = default;

bool RocksStore::Exists(const std::string& dir, rocksdb::Env* env) {
  if (env == nullptr) env = rocksdb::Env::Default();
  return env->FileExists(dir + "/CURRENT").ok();
}

namespace {

std::vector<rocksdb::ColumnFamilyDescriptor> Describe(
    const std::vector<std::string>& names, const std::shared_ptr<rocksdb::Cache>& cache,
    std::vector<std::unique_ptr<TrimFilter>>& filters) {
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) {
    filters.push_back(std::make_unique<TrimFilter>());
    const bool chunks = name.rfind("stream:", 0) == 0;
    descriptors.emplace_back(name, FamilyOptions(cache, chunks ? filters.back().get() : nullptr));
  }
  return descriptors;
}

}  // namespace

Result<std::unique_ptr<RocksStore>> RocksStore::OpenReadOnly(const std::string& dir,
                                                             rocksdb::Env* env, DamagedLog log) {
  auto impl = std::make_unique<Impl>();
  rocksdb::DBOptions options = DatabaseOptions(env, log);
  options.create_if_missing = false;
  if (log == DamagedLog::kCut) {
    impl->manifests = std::make_shared<ReadableManifests>(options.env->GetFileSystem());
    impl->readable = rocksdb::NewCompositeEnv(impl->manifests);
    options.env = impl->readable.get();
  }
  std::vector<std::string> names;
  auto status = rocksdb::DB::ListColumnFamilies(options, dir, &names);
  rocksdb::DB* db = nullptr;
  if (status.ok()) {
    status = rocksdb::DB::OpenForReadOnly(options, dir, Describe(names, impl->cache, impl->filters),
                                          &impl->handles, &db);
  }
  if (!status.ok()) return tl::unexpected(ToError("cannot open the journal in " + dir, status));
  impl->db.reset(db);
  impl->names = std::move(names);
  return std::unique_ptr<RocksStore>(new RocksStore(std::move(impl)));
}

void RocksStore::LookAtTable(const std::string& path) {
  rocksdb::SstFileReader reader{rocksdb::Options()};
  reader.Open(path).PermitUncheckedError();
}

bool RocksStore::cut_manifest() const {
  return impl_->manifests != nullptr && impl_->manifests->cut();
}

Status RocksStore::ForEachUnlisted(const TakeUnlisted& take) const {
  const std::string& dir = impl_->db->GetName();
  rocksdb::Options options;
  options.env = impl_->db->GetEnv();
  std::vector<rocksdb::LiveFileMetaData> listed;
  impl_->db->GetLiveFilesMetaData(&listed);
  std::vector<std::string> names;
  const auto children = options.env->GetChildren(dir, &names);
  if (!children.ok()) return tl::unexpected(ToError("cannot list " + dir, children));
  for (const std::string& name : names) {
    const auto same = [&](const auto& table) { return table.name == "/" + name; };
    if (!name.ends_with(".sst") || std::ranges::any_of(listed, same)) continue;
    const auto refused = [&](const rocksdb::Status& status) {
      return Fail(Code::kDamaged, name + ", which is not listed: " + status.ToString());
    };
    rocksdb::SstFileReader reader(options);
    if (const auto opened = reader.Open(dir + "/" + name); !opened.ok()) return refused(opened);
    const std::string family = reader.GetTableProperties()->column_family_name;
    const std::unique_ptr<rocksdb::Iterator> it(reader.NewIterator(rocksdb::ReadOptions()));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      if (auto taken = take(family, ToView(it->key()), ToView(it->value())); !taken) return taken;
    }
    if (!it->status().ok()) return refused(it->status());
  }
  return {};
}

Result<std::string> RocksStore::Salvage(const std::string& dir, bool anew) {
  rocksdb::DBOptions options = DatabaseOptions(nullptr);
  options.create_if_missing = false;
  // First the gentler way, which keeps what the manifest says.
  const auto open = [&](rocksdb::WALRecoveryMode mode) {
    options.wal_recovery_mode = mode;
    options.track_and_verify_wals_in_manifest =
        mode == rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    Impl impl;
    std::vector<std::string> names;
    auto status = rocksdb::DB::ListColumnFamilies(options, dir, &names);
    rocksdb::DB* db = nullptr;
    if (status.ok()) {
      status = rocksdb::DB::Open(options, dir, Describe(names, impl.cache, impl.filters),
                                 &impl.handles, &db);
    }
    if (status.ok()) impl.db.reset(db);
    return status;
  };
  auto status = open(rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords);
  if (status.ok() && !anew) return std::string();
  const std::string why = status.ok() ? "a table file cannot be read" : status.ToString();
  if (!anew && open(rocksdb::WALRecoveryMode::kPointInTimeRecovery).ok()) {
    return "the log was cut at its first damaged record (" + why + ")";
  }
  std::vector<std::unique_ptr<TrimFilter>> filters;
  const auto cache = rocksdb::NewLRUCache(size_t{32} << 20);
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies(options, dir, &names).ok()) names.clear();
  rocksdb::ColumnFamilyOptions unknown = FamilyOptions(cache, nullptr);
  status = rocksdb::RepairDB(dir, options, Describe(names, cache, filters), unknown);
  if (!status.ok()) return tl::unexpected(ToError("the database cannot be salvaged", status));
  status = open(rocksdb::WALRecoveryMode::kPointInTimeRecovery);
  if (!status.ok()) return tl::unexpected(ToError("the database cannot be salvaged", status));
  return "the database was put together anew from the files that can be read (" + why + ")";
}

Result<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& dir,
                                                     const std::vector<std::string>& families,
                                                     rocksdb::Env* env, int open_tables_max,
                                                     DamagedLog log) {
  auto impl = std::make_unique<Impl>();
  rocksdb::DBOptions options = DatabaseOptions(env, log);
  options.listeners.push_back(impl->errors);
  options.max_open_files = open_tables_max;
  std::vector<std::string> names;
  options.env->CreateDirIfMissing(dir).PermitUncheckedError();  // Open says what is wrong
  if (Exists(dir, env)) {
    if (log == DamagedLog::kCut) {
      const auto cut = CutManifest(dir, options.env);
      if (!cut.ok()) return tl::unexpected(ToError("cannot open the journal in " + dir, cut));
    }
    const auto listed = rocksdb::DB::ListColumnFamilies(options, dir, &names);
    if (!listed.ok()) return tl::unexpected(ToError("cannot open the journal in " + dir, listed));
  } else {
    names.push_back(rocksdb::kDefaultColumnFamilyName);
  }
  for (const std::string& family : families) {
    if (std::find(names.begin(), names.end(), family) == names.end()) names.push_back(family);
  }
  rocksdb::DB* db = nullptr;
  const auto opened = rocksdb::DB::Open(options, dir, Describe(names, impl->cache, impl->filters),
                                        &impl->handles, &db);
  if (!opened.ok()) return tl::unexpected(ToError("cannot open the journal in " + dir, opened));
  impl->db.reset(db);
  impl->names = std::move(names);
  return std::unique_ptr<RocksStore>(new RocksStore(std::move(impl)));
}

FamilyId RocksStore::Family(std::string_view name) const {
  for (size_t i = 0; i < impl_->names.size(); ++i) {
    if (impl_->names[i] == name) return {static_cast<uint32_t>(i)};
  }
  SPOOL_ASSERT(false && "a family that was asked for at open is missing");
  return {};
}

std::vector<std::string> RocksStore::Families() const { return impl_->names; }

Status RocksStore::Write(const StoreBatch& batch, bool sync) {
  size_t size = 64;
  for (const auto& op : batch.ops_) size += op.key.size() + op.value.size() + 16;
  // Eight checksum bytes a key guard the way from here into the memtable.
  rocksdb::WriteBatch changes(size, 0, 8, 0);
  for (const auto& op : batch.ops_) {
    auto* family = impl_->handles[op.family.value];
    const auto added = op.remove ? changes.Delete(family, ToSlice(op.key))
                                 : changes.Put(family, ToSlice(op.key), ToSlice(op.value));
    SPOOL_ASSERT(added.ok());
  }
  rocksdb::WriteOptions options;
  options.sync = sync;
  options.protection_bytes_per_key = 8;
  const auto written = impl_->db->Write(options, &changes);
  if (!written.ok()) {
    Error error = ToError("the journal cannot be written", written);
    error.code = Code::kStorage;  // whatever it was, what is on disk is unknown now
    return tl::unexpected(error);
  }
  return {};
}

Result<std::optional<std::string>> RocksStore::Get(FamilyId family, std::string_view key) const {
  std::string value;
  const auto got =
      impl_->db->Get(rocksdb::ReadOptions(), impl_->handles[family.value], ToSlice(key), &value);
  if (got.IsNotFound()) return std::optional<std::string>();
  if (!got.ok()) return tl::unexpected(ToError("the journal cannot be read", got));
  return std::optional<std::string>(std::move(value));
}

namespace {
rocksdb::Iterator* Raw(void* it) { return static_cast<rocksdb::Iterator*>(it); }
}  // namespace

RocksStore::Iterator::~Iterator() { delete Raw(it_); }
void RocksStore::Iterator::Seek(std::string_view key) { Raw(it_)->Seek(ToSlice(key)); }
void RocksStore::Iterator::SeekForPrev(std::string_view key) {
  Raw(it_)->SeekForPrev(ToSlice(key));
}
void RocksStore::Iterator::SeekToFirst() { Raw(it_)->SeekToFirst(); }
void RocksStore::Iterator::SeekToLast() { Raw(it_)->SeekToLast(); }
void RocksStore::Iterator::Next() { Raw(it_)->Next(); }
void RocksStore::Iterator::Prev() { Raw(it_)->Prev(); }
bool RocksStore::Iterator::Valid() const { return Raw(it_)->Valid(); }
std::string_view RocksStore::Iterator::key() const { return ToView(Raw(it_)->key()); }
std::string_view RocksStore::Iterator::value() const { return ToView(Raw(it_)->value()); }
Status RocksStore::Iterator::status() const {
  const auto status = Raw(it_)->status();
  if (status.ok()) return {};
  return tl::unexpected(ToError("the journal cannot be read", status));
}

std::unique_ptr<RocksStore::Iterator> RocksStore::NewIterator(FamilyId family) const {
  rocksdb::ReadOptions options;
  options.total_order_seek = true;
  return std::make_unique<Iterator>(impl_->db->NewIterator(options, impl_->handles[family.value]));
}

void RocksStore::DropBefore(FamilyId family, std::string_view key) {
  impl_->filters[family.value]->Raise(codec::SequenceOfKey(key));
  const rocksdb::Slice end = ToSlice(key);
  const auto deleted = rocksdb::DeleteFilesInRange(impl_->db.get(), impl_->handles[family.value],
                                                   nullptr, &end, /*include_end=*/false);
  if (!deleted.ok()) {
    log::Warn("Trimmed files could not be removed yet.", {{"detail", deleted.ToString()}});
  }
}

void RocksStore::Reclaim(uint64_t free_bytes) {
  constexpr uint64_t kLogWorthIt = uint64_t{8} << 20;
  constexpr uint64_t kMargin = uint64_t{4} << 20;
  uint64_t unflushed = 0;
  uint64_t logs = 0;
  impl_->db->GetAggregatedIntProperty("rocksdb.cur-size-all-mem-tables", &unflushed);
  rocksdb::VectorLogPtr files;
  if (impl_->db->GetSortedWalFiles(files).ok()) {
    for (const auto& file : files) logs += file->SizeFileBytes();
  }
  rocksdb::Status status;
  if (logs > kLogWorthIt && unflushed + kMargin < free_bytes) {
    status = impl_->db->Flush(rocksdb::FlushOptions(), impl_->handles);
  }
  for (size_t i = 0; status.ok() && i < impl_->handles.size(); ++i) {
    if (impl_->filters[i]->below() == 0) continue;
    const std::string end = codec::SequenceKey(impl_->filters[i]->below());
    rocksdb::ColumnFamilyMetaData meta;
    impl_->db->GetColumnFamilyMetaData(impl_->handles[i], &meta);
    if (meta.levels.empty()) continue;
    uint64_t garbage = 0;
    uint64_t whole = 0;  // what may be written anew
    for (const auto& file : meta.levels.front().files) {
      if (file.largestkey < end) garbage += file.size;
      if (file.smallestkey < end) whole += file.size;
    }
    if (garbage == 0 || whole - garbage + kMargin > free_bytes) continue;
    const rocksdb::Slice last = ToSlice(end);
    status =
        impl_->db->CompactRange(rocksdb::CompactRangeOptions(), impl_->handles[i], nullptr, &last);
  }
  if (!status.ok()) log::Warn("Room could not be made yet.", {{"detail", status.ToString()}});
}

void RocksStore::OnBackgroundError(std::function<void(const Error&)> told) {
  impl_->errors->Tell(std::move(told));
}

uint64_t RocksStore::DiskBytes() const {
  std::vector<std::string> files;
  uint64_t total = 0;
  rocksdb::Env* env = impl_->db->GetEnv();
  const std::string dir = impl_->db->GetName();
  if (!env->GetChildren(dir, &files).ok()) return 0;
  for (const std::string& file : files) {
    uint64_t size = 0;
    if (env->GetFileSize(dir + "/" + file, &size).ok()) total += size;
  }
  return total;
}

StoreStatus RocksStore::status() const {
  const auto sum = [this](const char* property) {
    uint64_t value = 0;
    impl_->db->GetAggregatedIntProperty(property, &value);
    return value;
  };
  // These are the database's as a whole; added up over the families they would count many times.
  const auto one = [this](const char* property) {
    uint64_t value = 0;
    impl_->db->GetIntProperty(property, &value);
    return value;
  };
  using Properties = rocksdb::DB::Properties;
  StoreStatus out;
  out.stopped = one(Properties::kIsWriteStopped.c_str()) != 0;
  out.delayed_write_rate = one(Properties::kActualDelayedWriteRate.c_str());
  out.memtable_bytes = sum(Properties::kCurSizeAllMemTables.c_str());
  out.pending_compaction_bytes = sum(Properties::kEstimatePendingCompactionBytes.c_str());
  out.table_bytes = sum(Properties::kLiveSstFilesSize.c_str());
  out.block_cache_bytes = one(Properties::kBlockCacheUsage.c_str());
  out.running_compactions = one(Properties::kNumRunningCompactions.c_str());
  out.running_flushes = one(Properties::kNumRunningFlushes.c_str());
  return out;
}

std::string RocksStore::FileOf(FamilyId family, std::string_view key) const {
  rocksdb::ColumnFamilyMetaData meta;
  impl_->db->GetColumnFamilyMetaData(impl_->handles[family.value], &meta);
  for (const auto& level : meta.levels) {
    for (const auto& file : level.files) {
      if (file.smallestkey <= key && key <= file.largestkey) return file.name;
    }
  }
  return {};
}

std::optional<std::pair<std::string, std::string>> RocksStore::TableRange(
    FamilyId family, std::string_view key) const {
  rocksdb::ColumnFamilyMetaData meta;
  impl_->db->GetColumnFamilyMetaData(impl_->handles[family.value], &meta);
  for (const auto& level : meta.levels) {
    for (const auto& file : level.files) {
      if (file.smallestkey > key || key > file.largestkey) continue;
      return std::pair(file.smallestkey, file.largestkey);
    }
  }
  return std::nullopt;
}

Status RocksStore::Snapshot(const std::string& dir) const {
  rocksdb::Checkpoint* made = nullptr;
  auto status = rocksdb::Checkpoint::Create(impl_->db.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  // 0: the log is flushed into tables first, so that the copy needs none of it.
  if (status.ok()) status = checkpoint->CreateCheckpoint(dir, /*log_size_for_flush=*/0);
  if (!status.ok()) {
    Error error = ToError("the snapshot cannot be made", status);
    error.code = Code::kStorage;
    return tl::unexpected(error);
  }
  return {};
}

}  // namespace spool
