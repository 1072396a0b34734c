// Applies retention: once a second it asks of each stream's oldest chunks whether they may go.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "spool/journal_state.h"

namespace spool {

class Janitor {
 public:
  explicit Janitor(JournalState& state);
  ~Janitor();
  // One pass over all streams and the disk. Any thread.
  Status RunOnce();
  DiskStatus disk() const;

 private:
  struct Sweep;
  Sweep Begin(StreamState& stream) const;
  Status TrimByAgeAndSize(StreamState& stream, SystemTime now, bool& more);
  Status TrimForDisk(SystemTime now);
  void KeepRoom();
  void NoteNeeded(StreamState& stream);
  void Forecast();
  Status Finish(Sweep& sweep, const char* cause, SystemTime now);

  JournalState& state_;
  std::mutex pass_;
  FillRate fill_rate_;                 // guarded by pass_
  std::atomic<bool> gave_way_{false};  // in the last pass, for the disk
  bool trimmed_ = false;               // guarded by pass_: something was, since the last reclaiming
  SteadyTime reclaimed_{};             // guarded by pass_
  mutable std::mutex disk_mutex_;
  DiskStatus disk_;
  std::atomic<bool> urgent_{false};  // there is less room than before
  std::mutex wait_mutex_;
  std::condition_variable_any wait_;
  std::jthread thread_;
};

}  // namespace spool
