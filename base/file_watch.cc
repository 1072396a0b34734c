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
  if (sight == seen_) {
    pending_.clear();
    return false;
  }
  if (sight != pending_) {
    pending_ = sight;
    pending_since_ = steady;
  }
  // A file that is gone has no time, and a clock that was set back makes every change one to come.
  const bool old =
      sight.find('-') == sight.npos && changed > 0 && now - FromMicros(changed) >= kRest;
  if (!old && steady - pending_since_ < kRest) return false;
  seen_ = std::move(sight);
  pending_.clear();
  return true;
}

}  // namespace spool
