#include "tests/support/file_platter.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <vector>

namespace spool::testing {
namespace {

constexpr size_t kPage = 4096;

std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string PathOf(int fd) {
  char text[4096];
  const ssize_t size = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), text, sizeof text);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
}

}  // namespace

struct FilePlatter::State {
  std::string path;
  std::string dir;
  std::mutex mutex;  // guards what follows
  bool cut = false;
  bool named = false;  // its name is durable
  std::string synced;
  std::string cached;
  std::set<size_t> dirty;  // pages written since their last sync
};

namespace {

std::mutex registry_mutex;
std::map<std::string, std::shared_ptr<FilePlatter::State>> registry;

// Never destroyed before the last call: other threads may still write at the process's end.
std::shared_ptr<FilePlatter::State> Watched(int fd, bool directory) {
  const std::lock_guard lock(registry_mutex);
  if (registry.empty()) return nullptr;
  const std::string path = PathOf(fd);
  if (!directory) {
    const auto found = registry.find(path);
    return found == registry.end() ? nullptr : found->second;
  }
  for (const auto& [file, state] : registry) {
    if (state->dir == path) return state;
  }
  return nullptr;
}

void Written(FilePlatter::State& state, const char* data, size_t size, size_t at) {
  const std::lock_guard lock(state.mutex);
  if (state.cut || size == 0) return;
  if (state.cached.size() < at + size) state.cached.resize(at + size, '\0');
  state.cached.replace(at, size, data, size);
  for (size_t page = at / kPage; page <= (at + size - 1) / kPage; ++page) state.dirty.insert(page);
}

template <class Call>
Call* Next(const char* name) {
  return reinterpret_cast<Call*>(dlsym(RTLD_NEXT, name));
}

int SyncData(int fd, int (*next)(int)) {
  const auto state = Watched(fd, false);
  if (state == nullptr) return next(fd);
  std::string before;
  std::set<size_t> pages;
  {
    const std::lock_guard lock(state->mutex);
    before = state->cached;
    pages.swap(state->dirty);
  }
  const int result = next(fd);
  const std::lock_guard lock(state->mutex);
  if (result != 0 || state->cut) {
    state->dirty.merge(pages);
    return result;
  }
  if (state->synced.size() < before.size()) state->synced.resize(before.size(), '\0');
  for (const size_t page : pages) {
    state->synced.replace(page * kPage, kPage, before.substr(page * kPage, kPage));
  }
  return result;
}

}  // namespace

FilePlatter::FilePlatter(std::string path) : state_(std::make_shared<State>()) {
  namespace fs = std::filesystem;
  state_->dir = fs::weakly_canonical(fs::path(path).parent_path());
  state_->path = state_->dir + "/" + fs::path(path).filename().string();
  state_->named = fs::exists(path);
  state_->synced = state_->cached = ReadBytes(path);
  const std::lock_guard lock(registry_mutex);
  registry[state_->path] = state_;
}

FilePlatter::~FilePlatter() {
  const std::lock_guard lock(registry_mutex);
  registry.erase(state_->path);
}

void FilePlatter::CutNow() {
  const std::lock_guard lock(state_->mutex);
  state_->cut = true;
}

size_t FilePlatter::unsynced() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dirty.size();
}

std::string FilePlatter::Crash(uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::lock_guard lock(state_->mutex);
  std::string told;
  std::string left = state_->synced;
  if (!state_->named && random() % 2 == 0) {
    std::filesystem::remove(state_->path);
    left.clear();
    told = " its name is gone;";
  } else {
    for (const size_t page : state_->dirty) {
      const size_t at = page * kPage;
      const std::string fresh = state_->cached.substr(at, kPage);
      if (left.size() < at + fresh.size()) left.resize(at + fresh.size(), '\0');
      const uint64_t fate = random() % 4;
      size_t kept = fate == 0 ? 0 : fresh.size();
      // Where the bytes are, rather than in the zeros behind them.
      if (fate >= 2) kept = random() % std::min<size_t>(fresh.size(), 200);
      left.replace(at, kept, fresh, 0, kept);
      if (fate == 3) left.replace(at + kept, fresh.size() - kept, fresh.size() - kept, '\0');
      told += " page " + std::to_string(page) +
              (fate == 0   ? " as before;"
               : fate == 1 ? " as written;"
                           : " torn;");
    }
    std::ofstream(state_->path, std::ios::binary | std::ios::trunc) << left;
    state_->named = true;
  }
  state_->synced = state_->cached = left;
  state_->dirty.clear();
  state_->cut = false;
  return told.empty() ? "" : "watermark:" + told;
}

}  // namespace spool::testing

// In front of the C library's own, which they call.
extern "C" {

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  using Call = ssize_t(int, const void*, size_t, off_t);
  static Call* const next = spool::testing::Next<Call>("pwrite");
  const ssize_t done = next(fd, data, size, at);
  if (done > 0) {
    if (const auto state = spool::testing::Watched(fd, false)) {
      spool::testing::Written(*state, static_cast<const char*>(data), static_cast<size_t>(done),
                              static_cast<size_t>(at));
    }
  }
  return done;
}

int fdatasync(int fd) {
  static auto* const next = spool::testing::Next<int(int)>("fdatasync");
  return spool::testing::SyncData(fd, next);
}

int fsync(int fd) {
  static auto* const next = spool::testing::Next<int(int)>("fsync");
  const int result = spool::testing::SyncData(fd, next);
  if (result == 0) {
    if (const auto state = spool::testing::Watched(fd, true)) {
      const std::lock_guard lock(state->mutex);
      if (!state->cut) state->named = true;
    }
  }
  return result;
}

}  // extern "C"
