// Reads everything that is stored, slowly and again and again, so that damage is found while there
// still is another copy somewhere.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "spool/audit.h"
#include "spool/journal_state.h"

namespace spool {

class Scrubber {
 public:
  // Starts the thread "scrub" unless the options say 0 bytes a second.
  explicit Scrubber(const JournalState& state);
  ~Scrubber();
  Scrubber(const Scrubber&) = delete;
  Scrubber& operator=(const Scrubber&) = delete;

  ScrubStatus status() const;  // any thread
  // One whole pass now, as fast as it goes. kStorage or kDamaged from the database; damage of
  // chunks is in the status. Any thread.
  Status RunOnce();

 private:
  Status Pass(const std::stop_token* paced);
  Status Stream(const StreamState& stream, const std::stop_token* paced, ScrubStatus& pass);
  // A family of the journal's own: that it can be read, and what can be checked of each value.
  void Own(FamilyId family, std::string_view name, const std::stop_token* paced, ScrubStatus& pass);
  void Tell(const StreamState& stream, Damage damage, ScrubStatus& pass);
  void Pace(const std::stop_token& stop, uint64_t bytes);

  const JournalState& state_;
  std::mutex pass_;
  mutable std::mutex mutex_;  // guards status_
  ScrubStatus status_;
  std::mutex wait_mutex_;
  std::condition_variable_any wait_;
  std::jthread thread_;
};

}  // namespace spool
