#include "tests/support/power_cut_fs.h"

#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

namespace spool::testing {

namespace fs = std::filesystem;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

namespace {

// A file, whatever its name.
struct Node {
  uint64_t size = 0;
  uint64_t synced = 0;
  std::string kept;  // where its bytes are once no name has it any more
};
using NodePtr = std::shared_ptr<Node>;
using Names = std::map<std::string, NodePtr>;

struct Change {
  enum class Kind { kBind, kUnbind, kRename } kind;
  std::string name;
  std::string to;  // of a rename
  NodePtr node;
};

std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

// The state of the disk and the file system over it.
class PowerCutDisk::Files final : public rocksdb::FileSystemWrapper,
                                  public std::enable_shared_from_this<Files> {
 public:
  explicit Files(std::string dir)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), dir_(std::move(dir)) {
    fs::create_directories(gone());
    Adopt();
  }
  ~Files() override {
    std::error_code ignored;
    fs::remove_all(gone(), ignored);
  }
  const char* Name() const override { return "PowerCutDisk"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* debug) override;
  IOStatus ReopenWritableFile(const std::string&, const rocksdb::FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("files are written once");
  }
  IOStatus ReuseWritableFile(const std::string&, const std::string&, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("files are not recycled");
  }
  IOStatus NewRandomRWFile(const std::string&, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("files are written once");
  }
  IOStatus LinkFile(const std::string&, const std::string&, const IOOptions&,
                    IODebugContext*) override {
    return IOStatus::NotSupported("files have one name");
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* debug) override;
  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* debug) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override;
  IOStatus Truncate(const std::string& path, size_t size, const IOOptions& options,
                    IODebugContext* debug) override;

  IOStatus Write(const NodePtr& node, rocksdb::FSWritableFile& file, const rocksdb::Slice& data,
                 const IOOptions& options, IODebugContext* debug);
  IOStatus Sync(const NodePtr& node, rocksdb::FSWritableFile& file, const IOOptions& options,
                IODebugContext* debug);
  IOStatus SyncDirectory();
  IOStatus TruncateOpen(const NodePtr& node, rocksdb::FSWritableFile& file, uint64_t size,
                        const IOOptions& options, IODebugContext* debug);

  std::string Crash(uint64_t seed);

  mutable std::mutex mutex_;
  std::array<uint64_t, kCalls> counts_{};
  uint64_t calls_ = 0;
  std::optional<uint64_t> cut_at_;
  bool cut_ = false;
  bool ignore_syncs_ = false;
  struct {
    std::optional<Call> call;
    uint64_t at = 0;
    bool no_space = false;
    bool for_good = false;
    bool begun = false;
    uint64_t failed = 0;
  } fault_;

 private:
  // Whether a call is carried out, and what it answers.
  enum class Ruling { kDo, kDoAndCut, kFail, kDead };
  Ruling Rule(Call call) {
    if (cut_) return Ruling::kDead;
    const uint64_t number = ++calls_;
    const uint64_t of_kind = ++counts_[static_cast<size_t>(call)];
    if (fault_.begun && fault_.for_good) {
      ++fault_.failed;
      return Ruling::kFail;
    }
    if (fault_.call == call && of_kind == fault_.at) {
      fault_.begun = true;
      ++fault_.failed;
      return Ruling::kFail;
    }
    if (cut_at_ && number >= *cut_at_) {
      cut_ = true;
      return Ruling::kDoAndCut;
    }
    return Ruling::kDo;
  }
  IOStatus Refused(Ruling ruling) const {
    if (ruling == Ruling::kFail && fault_.no_space) {
      return IOStatus::NoSpace("No space left on device (injected)");
    }
    return IOStatus::IOError(ruling == Ruling::kFail ? "Input/output error (injected)"
                                                     : "the power is off");
  }
  static bool Done(Ruling ruling) { return ruling == Ruling::kDo || ruling == Ruling::kDoAndCut; }
  IOStatus Answer(Ruling ruling, IOStatus status) const {
    return ruling == Ruling::kDoAndCut ? Refused(ruling) : status;
  }

  std::string gone() const { return dir_ + ".gone"; }
  // The file's name if it is directly in the directory.
  std::optional<std::string> Inside(const std::string& path) const {
    if (path.rfind(dir_ + "/", 0) != 0) return std::nullopt;
    std::string name = path.substr(dir_.size() + 1);
    name.erase(0, name.find_first_not_of('/'));
    if (name.find('/') != name.npos || name == "LOCK") return std::nullopt;
    return name;
  }
  // Bytes of a node that loses its name stay until no crash can bring them back.
  void Keep(const std::string& path, const NodePtr& node) {
    node->kept = gone() + "/" + std::to_string(++kept_);
    fs::rename(path, node->kept);
  }
  // Takes what is in the directory as synced.
  void Adopt();
  std::string Platter(const NodePtr& node, const std::string& bytes, std::mt19937_64& random,
                      std::string& told) const;

  const std::string dir_;
  Names now_;
  Names synced_;
  std::vector<Change> changes_;  // of the directory since its last sync
  uint64_t kept_ = 0;
};

namespace {

template <class FilesPtr>
class CutFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  CutFile(std::unique_ptr<rocksdb::FSWritableFile> file, FilesPtr files, NodePtr node)
      : FSWritableFileOwnerWrapper(std::move(file)),
        files_(std::move(files)),
        node_(std::move(node)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    return files_->Write(node_, *target(), data, options, debug);
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
    return files_->Write(node_, *target(), data, options, debug);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    return files_->TruncateOpen(node_, *target(), size, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return files_->Sync(node_, *target(), options, debug);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return files_->Sync(node_, *target(), options, debug);
  }
  void SetPreallocationBlockSize(size_t) override {}
  // Promises nothing.
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  IOStatus Allocate(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  const FilesPtr files_;
  const NodePtr node_;
};

template <class FilesPtr>
class CutDirectory final : public rocksdb::FSDirectory {
 public:
  explicit CutDirectory(FilesPtr files) : files_(std::move(files)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return files_->SyncDirectory(); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  const FilesPtr files_;
};

}  // namespace

void PowerCutDisk::Files::Adopt() {
  now_.clear();
  changes_.clear();
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(dir_, missing)) {
    const auto name = Inside(entry.path().string());
    if (!name || !entry.is_regular_file()) continue;
    auto node = std::make_shared<Node>();
    node->size = node->synced = entry.file_size();
    now_[*name] = std::move(node);
  }
  synced_ = now_;
}

IOStatus PowerCutDisk::Files::NewWritableFile(const std::string& path,
                                              const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                                              IODebugContext* debug) {
  const auto name = Inside(path);
  if (!name) return FileSystemWrapper::NewWritableFile(path, options, result, debug);
  const std::lock_guard lock(mutex_);
  const Ruling ruling = Rule(Call::kCreate);
  if (!Done(ruling)) return Refused(ruling);
  // Another file under an old name, as far as a crash is concerned.
  if (const auto old = now_.find(*name); old != now_.end()) Keep(path, old->second);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  IOStatus status = FileSystemWrapper::NewWritableFile(path, options, &file, debug);
  if (!status.ok()) return status;
  auto node = std::make_shared<Node>();
  now_[*name] = node;
  changes_.push_back({Change::Kind::kBind, *name, {}, node});
  if (ruling == Ruling::kDo) {
    *result = std::make_unique<CutFile<std::shared_ptr<Files>>>(std::move(file), shared_from_this(),
                                                                node);
  }
  return Answer(ruling, status);
}

IOStatus PowerCutDisk::Files::NewDirectory(const std::string& path, const IOOptions& options,
                                           std::unique_ptr<rocksdb::FSDirectory>* result,
                                           IODebugContext* debug) {
  if (path != dir_ && path != dir_ + "/") {
    return FileSystemWrapper::NewDirectory(path, options, result, debug);
  }
  *result = std::make_unique<CutDirectory<std::shared_ptr<Files>>>(shared_from_this());
  return IOStatus::OK();
}

IOStatus PowerCutDisk::Files::DeleteFile(const std::string& path, const IOOptions& options,
                                         IODebugContext* debug) {
  const auto name = Inside(path);
  if (!name) return FileSystemWrapper::DeleteFile(path, options, debug);
  const std::lock_guard lock(mutex_);
  const auto found = now_.find(*name);
  if (found == now_.end()) return IOStatus::PathNotFound(path);
  const Ruling ruling = Rule(Call::kDelete);
  if (!Done(ruling)) return Refused(ruling);
  Keep(path, found->second);
  changes_.push_back({Change::Kind::kUnbind, *name, {}, found->second});
  now_.erase(found);
  return Answer(ruling, IOStatus::OK());
}

IOStatus PowerCutDisk::Files::RenameFile(const std::string& from, const std::string& to,
                                         const IOOptions& options, IODebugContext* debug) {
  const auto source = Inside(from);
  const auto target = Inside(to);
  if (!source || !target) return FileSystemWrapper::RenameFile(from, to, options, debug);
  const std::lock_guard lock(mutex_);
  const auto found = now_.find(*source);
  if (found == now_.end()) return IOStatus::PathNotFound(from);
  const Ruling ruling = Rule(Call::kRename);
  if (!Done(ruling)) return Refused(ruling);
  const NodePtr node = found->second;
  if (const auto old = now_.find(*target); old != now_.end()) Keep(to, old->second);
  IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
  now_.erase(*source);
  now_[*target] = node;
  changes_.push_back({Change::Kind::kRename, *source, *target, node});
  return Answer(ruling, status);
}

IOStatus PowerCutDisk::Files::Truncate(const std::string& path, size_t size,
                                       const IOOptions& options, IODebugContext* debug) {
  const auto name = Inside(path);
  const std::lock_guard lock(mutex_);
  const auto found = name ? now_.find(*name) : now_.end();
  if (found == now_.end()) return FileSystemWrapper::Truncate(path, size, options, debug);
  const Ruling ruling = Rule(Call::kTruncate);
  if (!Done(ruling)) return Refused(ruling);
  IOStatus status = FileSystemWrapper::Truncate(path, size, options, debug);
  if (status.ok()) {
    found->second->size = size;
    found->second->synced = std::min<uint64_t>(found->second->synced, size);
  }
  return Answer(ruling, status);
}

IOStatus PowerCutDisk::Files::Write(const NodePtr& node, rocksdb::FSWritableFile& file,
                                    const rocksdb::Slice& data, const IOOptions& options,
                                    IODebugContext* debug) {
  const std::lock_guard lock(mutex_);
  const Ruling ruling = Rule(Call::kWrite);
  if (ruling == Ruling::kFail && data.size() > 1) {
    const rocksdb::Slice part(data.data(), data.size() / 2);
    if (file.Append(part, options, debug).ok()) node->size += part.size();
  }
  if (!Done(ruling)) return Refused(ruling);
  IOStatus status = file.Append(data, options, debug);
  if (status.ok()) node->size += data.size();
  return Answer(ruling, status);
}

IOStatus PowerCutDisk::Files::Sync(const NodePtr& node, rocksdb::FSWritableFile& file,
                                   const IOOptions& options, IODebugContext* debug) {
  const std::lock_guard lock(mutex_);
  const Ruling ruling = Rule(Call::kSync);
  if (!Done(ruling)) return Refused(ruling);
  IOStatus status = file.Flush(options, debug);
  // The sync that the cut hits did nothing; that it may have done all is what Platter() may say.
  if (ruling == Ruling::kDo && status.ok() && !ignore_syncs_) node->synced = node->size;
  return Answer(ruling, status);
}

IOStatus PowerCutDisk::Files::SyncDirectory() {
  const std::lock_guard lock(mutex_);
  const Ruling ruling = Rule(Call::kSyncDirectory);
  if (!Done(ruling)) return Refused(ruling);
  if (ruling == Ruling::kDo && !ignore_syncs_) {
    for (const Change& change : changes_) {
      std::error_code ignored;
      if (!change.node->kept.empty()) fs::remove(change.node->kept, ignored);
    }
    // What was replaced by a create or a rename has no change of its own.
    for (const auto& [name, node] : synced_) {
      std::error_code ignored;
      if (!node->kept.empty()) fs::remove(node->kept, ignored);
    }
    synced_ = now_;
    changes_.clear();
  }
  return Answer(ruling, IOStatus::OK());
}

IOStatus PowerCutDisk::Files::TruncateOpen(const NodePtr& node, rocksdb::FSWritableFile& file,
                                           uint64_t size, const IOOptions& options,
                                           IODebugContext* debug) {
  const std::lock_guard lock(mutex_);
  const Ruling ruling = Rule(Call::kTruncate);
  if (!Done(ruling)) return Refused(ruling);
  IOStatus status = file.Truncate(size, options, debug);
  if (status.ok()) {
    node->size = size;
    node->synced = std::min(node->synced, size);
  }
  return Answer(ruling, status);
}

// What of a file's bytes the platter has.
std::string PowerCutDisk::Files::Platter(const NodePtr& node, const std::string& bytes,
                                         std::mt19937_64& random, std::string& told) const {
  const uint64_t synced = std::min<uint64_t>(node->synced, bytes.size());
  if (synced == bytes.size()) return bytes;
  const uint64_t unsynced = bytes.size() - synced;
  const uint64_t block = random() % 2 == 0 ? 512 : 4096;
  std::string out = bytes;
  switch (random() % 6) {
    case 0:
      told += " dropped";
      out.resize(synced);
      break;
    case 1: told += " whole"; break;
    case 2:
      told += " cut";
      out.resize(synced + random() % unsynced);
      break;
    case 3: {  // at a block's end
      told += " torn";
      const uint64_t end = (synced + random() % unsynced) / block * block;
      out.resize(std::max(synced, end));
      break;
    }
    default: {  // some blocks never came, others behind them did
      told += " reordered";
      const uint64_t permille = 1 + random() % 999;
      uint64_t end = synced;
      for (uint64_t at = synced / block * block; at < bytes.size(); at += block) {
        const uint64_t from = std::max(at, synced);
        const uint64_t to = std::min<uint64_t>(at + block, bytes.size());
        if (random() % 1000 < permille) {
          end = to;
        } else {
          std::fill(out.begin() + static_cast<ptrdiff_t>(from),
                    out.begin() + static_cast<ptrdiff_t>(to), '\0');
        }
      }
      if (random() % 4 != 0) out.resize(end);  // or its size was known, and not its bytes
      break;
    }
  }
  told += ":" + std::to_string(synced) + "+" + std::to_string(unsynced) + "->" +
          std::to_string(out.size());
  return out;
}

std::string PowerCutDisk::Files::Crash(uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  std::string told;
  // Which of the directory's changes arrived: a journaling file system carries a rename out after
  // all that came before it; of what came behind the last one any part.
  Names names = synced_;
  const uint64_t mode = random() % 4;
  size_t tried = mode == 0 ? 0 : mode == 1 ? changes_.size() : random() % (changes_.size() + 1);
  size_t certain = mode < 3 ? tried : 0;
  for (size_t i = 0; i < tried; ++i) {
    if (changes_[i].kind == Change::Kind::kRename) certain = std::max(certain, i + 1);
  }
  for (size_t i = 0; i < changes_.size(); ++i) {
    const bool arrived = i < certain || (i < tried && random() % 2 == 0);
    const Change& change = changes_[i];
    told += (arrived ? " +" : " -") + change.name + (change.to.empty() ? "" : ">" + change.to);
    if (!arrived) continue;
    const auto bound = names.find(change.name);
    if (change.kind == Change::Kind::kBind) {
      names[change.name] = change.node;
    } else if (bound != names.end() && bound->second == change.node) {
      names.erase(bound);
    }
    if (change.kind == Change::Kind::kRename) names[change.to] = change.node;
  }
  // Their bytes, all before any is written: names may have changed places.
  std::map<const Node*, std::string> where;
  for (const auto& [name, node] : now_) where[node.get()] = dir_ + "/" + name;
  std::map<std::string, std::string> bytes;
  for (const auto& [name, node] : names) {
    const auto present = now_.find(name);
    if (present != now_.end() && present->second == node && node->synced == node->size) {
      now_.erase(present);  // stays as it is
      continue;
    }
    const std::string path = node->kept.empty() ? where[node.get()] : node->kept;
    std::string kept = ReadBytes(path);
    if (kept.size() != node->size) {
      ADD_FAILURE() << "the disk lost track of " << name << ": " << kept.size() << " bytes, not "
                    << node->size;
    }
    std::string detail;
    bytes[name] = Platter(node, kept, random, detail);
    if (!detail.empty()) told += " " + name + detail;
  }
  for (const auto& [name, node] : now_) fs::remove(dir_ + "/" + name);
  for (const auto& [name, content] : bytes) {
    std::ofstream(dir_ + "/" + name, std::ios::binary) << content;
  }
  fs::remove_all(gone());
  fs::create_directories(gone());
  Adopt();
  cut_ = false;
  cut_at_.reset();
  fault_ = {};
  return told;
}

PowerCutDisk::PowerCutDisk(std::string dir) : files_(std::make_shared<Files>(std::move(dir))) {
  env_ = rocksdb::NewCompositeEnv(files_);
}
PowerCutDisk::~PowerCutDisk() = default;

const char* PowerCutDisk::NameOf(Call call) {
  static constexpr const char* kNames[kCalls] = {"write",  "sync",   "sync-dir", "create",
                                                 "rename", "delete", "truncate"};
  return kNames[static_cast<size_t>(call)];
}

rocksdb::Env* PowerCutDisk::env() { return env_.get(); }

uint64_t PowerCutDisk::calls() const {
  const std::lock_guard lock(files_->mutex_);
  return files_->calls_;
}
uint64_t PowerCutDisk::calls(Call call) const {
  const std::lock_guard lock(files_->mutex_);
  return files_->counts_[static_cast<size_t>(call)];
}

void PowerCutDisk::CutAfter(uint64_t nth) {
  const std::lock_guard lock(files_->mutex_);
  files_->cut_at_ = files_->calls_ + nth;
}
void PowerCutDisk::CutNow() {
  const std::lock_guard lock(files_->mutex_);
  files_->cut_ = true;
}
bool PowerCutDisk::cut() const {
  const std::lock_guard lock(files_->mutex_);
  return files_->cut_;
}
std::string PowerCutDisk::Crash(uint64_t seed) { return files_->Crash(seed); }

void PowerCutDisk::IgnoreSyncs() {
  const std::lock_guard lock(files_->mutex_);
  files_->ignore_syncs_ = true;
}

void PowerCutDisk::FailAt(Call call, uint64_t nth, bool no_space, bool for_good) {
  const std::lock_guard lock(files_->mutex_);
  files_->fault_ = {
      call, files_->counts_[static_cast<size_t>(call)] + nth, no_space, for_good, false, 0};
}
uint64_t PowerCutDisk::failed() const {
  const std::lock_guard lock(files_->mutex_);
  return files_->fault_.failed;
}
void PowerCutDisk::Heal() {
  const std::lock_guard lock(files_->mutex_);
  files_->fault_ = {};
}

}  // namespace spool::testing
