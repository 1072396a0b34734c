// What a power cut leaves of one file that our own code writes in place.
//
// The database's files have PowerCutDisk. The watermark is written with pwrite and fdatasync, so
// these calls are watched in the whole process: what was synced is kept aside, and of what was
// written since, a cut leaves whatever the seed says.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace spool::testing {

// Any thread; one for each path at a time. A file that is there now counts as synced.
class FilePlatter {
 public:
  explicit FilePlatter(std::string path);
  ~FilePlatter();
  FilePlatter(const FilePlatter&) = delete;
  FilePlatter& operator=(const FilePlatter&) = delete;

  // The power is gone: what is written and synced from here on is not kept.
  void CutNow();
  // Leaves in the file what the platter has, and the power is on again. Each page that was written
  // since its last sync is as before, as written last, or torn anywhere with the rest as before or
  // lost; a name that was never synced may be gone. Says what it did. REQUIRES: nobody has the file
  // open.
  std::string Crash(uint64_t seed);
  // Pages that are written and not synced.
  size_t unsynced() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace spool::testing
