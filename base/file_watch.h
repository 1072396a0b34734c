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

  // True from the first look at which the last change is a second old (by the files' own times, or
  // because an earlier look, a second ago, saw the same) until Taken. So a change whose files could
  // not be read this time, for want of descriptors for example, is told of again.
  bool Changed(SystemTime now, SteadyTime steady);
  // The files were read as the last Changed found them, or are given up as they are.
  void Taken();
  // Whether the last Changed that was true told of its change for the first time.
  bool first() const { return first_; }

 private:
  // What a look sees, and the latest change among the files that exist, in microseconds.
  std::string Look(int64_t* changed) const;

  const std::vector<std::string> paths_;
  std::string seen_;
  std::string told_;  // a change that nobody has taken; empty if there is none
  bool first_ = false;
  std::string pending_;
  SteadyTime pending_since_;
};

}  // namespace spool
