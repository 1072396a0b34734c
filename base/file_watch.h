// Notices that files have changed, and waits until they are at rest: certificates and tokens are
// rewritten under a running process, and one that is read in the midst of that is not the new one.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"

namespace spool {

// One thread at a time. It never reads a file, so a look costs one stat for each.
class FileWatch {
 public:
  // What the files are now counts as seen. A link is followed: a Secret that Kubernetes mounts
  // changes by a link that points elsewhere. Files that do not exist are a state like any other.
  explicit FileWatch(std::vector<std::string> paths);

  // True once for each change, at the first look at which the last change is a second old: by the
  // files' own times, or because an earlier look, a second ago, saw the same.
  bool Changed(SystemTime now, SteadyTime steady);

 private:
  // What a look sees, and the latest change among the files that exist, in microseconds.
  std::string Look(int64_t* changed) const;

  const std::vector<std::string> paths_;
  std::string seen_;
  std::string pending_;
  SteadyTime pending_since_;
};

}  // namespace spool
