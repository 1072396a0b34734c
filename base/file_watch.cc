#include "base/file_watch.h"

#include <sys/stat.h>

#include <algorithm>

namespace spool {
namespace {

constexpr Micros kRest = std::chrono::seconds(1);

}  // namespace

FileWatch::FileWatch(std::vector<std::string> paths) : paths_(std::move(paths)) {
  int64_t changed = 0;
  seen_ = Look(&changed);
}

std::string FileWatch::Look(int64_t* changed) const {
  std::string sight;
  for (const std::string& path : paths_) {
    struct stat file {};
    if (stat(path.c_str(), &file) != 0) {
      sight += "-;";
      continue;
    }
    // The change time cannot be set by whoever writes the file, so equal ones mean equal bytes.
    for (const int64_t part :
         {static_cast<int64_t>(file.st_dev), static_cast<int64_t>(file.st_ino),
          static_cast<int64_t>(file.st_size), static_cast<int64_t>(file.st_ctim.tv_sec),
          static_cast<int64_t>(file.st_ctim.tv_nsec)}) {
      sight += std::to_string(part) + ',';
    }
    *changed = std::max(*changed, file.st_ctim.tv_sec * 1'000'000 + file.st_ctim.tv_nsec / 1000);
    sight += ';';
  }
  return sight;
}

bool FileWatch::Changed(SystemTime now, SteadyTime steady) {
  int64_t changed = 0;
  std::string sight = Look(&changed);
  // A change that was not taken stays one even where the files go back to what was taken before:
  // whoever was told of it must hear that it is over.
  if (sight == (told_.empty() ? seen_ : told_)) {
    pending_.clear();
    first_ = false;
    return !told_.empty();
  }
  if (sight != pending_) {
    pending_ = sight;
    pending_since_ = steady;
  }
  // A file that is gone has no time, and a clock that was set back makes every change one to come.
  const bool old =
      sight.find('-') == sight.npos && changed > 0 && now - FromMicros(changed) >= kRest;
  if (!old && steady - pending_since_ < kRest) return false;
  told_ = std::move(sight);
  first_ = true;
  pending_.clear();
  return true;
}

void FileWatch::Taken() {
  if (told_.empty()) return;
  seen_ = std::move(told_);
  told_.clear();
}

}  // namespace spool
