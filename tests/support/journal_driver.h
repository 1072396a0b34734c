// Random operations on a journal over a disk that may fail, recorded for the checker.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "spool/cursor.h"
#include "spool/journal.h"
#include "tests/support/checker.h"
#include "tests/support/file_platter.h"
#include "tests/support/manual_clock.h"
#include "tests/support/power_cut_fs.h"

namespace spool::testing {

// One thread. Streams: "plain" keeps all, "aged" lets go of what is old and settled, "sized" of the
// oldest whatever its targets need. Targets: "all" of every stream, "some" of two.
class JournalDriver {
 public:
  // The journal is in `dir`, whose parent is there.
  JournalDriver(const std::string& dir, uint64_t seed);
  ~JournalDriver();
  JournalDriver(const JournalDriver&) = delete;
  JournalDriver& operator=(const JournalDriver&) = delete;

  // The journal and its cursors. What is refused leaves it closed.
  Status Open();
  bool open() const { return journal_ != nullptr; }
  // One operation at random; closing and opening is one of them, and may leave it closed.
  void Step();
  // Some requests, without waiting for their answers. REQUIRES: open.
  void Append();
  // Waits for what is under way, then closes.
  void Close();
  // After a storage error, or when it could not be opened.
  bool failed() const { return journal_ == nullptr || !journal_->healthy(); }
  // Why the last Open in Step was refused.
  const Error& refusal() const { return refusal_; }

  // Closes, and leaves in the directory what a power cut at this moment could leave. Says what.
  std::string Crash(uint64_t seed);

  // All that is in the journal now. REQUIRES: open.
  Result<Found> Look();
  // What was found is what the history goes on from. Call it when it was judged to be right.
  void Settle(const Found& found);
  // Settles everything of every target, so that the checker can ask for each delivery.
  void Drain();

  const History& history() const { return history_; }
  PowerCutDisk& disk() { return disk_; }
  Journal& journal() { return *journal_; }
  JournalOptions& options() { return options_; }
  // Of on_fatal, since the last Open.
  int fatal_calls() const { return fatal_calls_; }
  bool an_append_was_never_answered() const { return unanswered_; }
  // Without the watermark, a log that is too short is taken for whole: for controls.
  void WithoutWatermark() { without_watermark_ = true; }

  static std::string DataOf(uint64_t number);

 private:
  struct Target {
    std::string name;
    std::vector<std::string> streams;
    std::unique_ptr<Cursor> cursor;
    std::vector<DeadLetterId> letters;
  };

  uint64_t Pick(uint64_t below) { return random_() % below; }
  uint64_t Tick() { return ++time_; }
  void Send(std::vector<SentEvent> events, const char* origin);
  bool SendAgain();
  // A restart that was not in order: what a target had may come again.
  void NoteRestart();
  static bool Wants(const std::string& target, uint64_t number);
  void WaitForAnswers();
  void Advance(Target& target, bool all);
  void Skip(Target& target);
  void Redeem(Target& target);
  void Record(Target& target, uint64_t begun, CursorState state, bool done, bool synced);
  void Retain();
  FoundEvent ToFound(const EventView& event) const;

  const std::string dir_;
  std::mt19937_64 random_;
  ManualClock clock_;
  PowerCutDisk disk_;
  FilePlatter watermark_;
  JournalOptions options_;
  std::unique_ptr<Journal> journal_;
  std::vector<Target> targets_;
  size_t stalled_ = SIZE_MAX;  // of targets_, or beyond
  std::map<Hash128, uint64_t> numbers_;
  uint64_t next_number_ = 1;
  std::deque<std::vector<SentEvent>> in_doubt_;  // of "plain" alone: may be sent again
  bool without_watermark_ = false;
  Error refusal_{Code::kUnavailable, "never opened"};

  std::mutex mutex_;  // history_'s requests, synced and outages, which other threads change
  std::condition_variable answered_;
  size_t outstanding_ = 0;
  History history_;
  std::atomic<uint64_t> time_{0};
  std::atomic<int> fatal_calls_{0};
  bool unanswered_ = false;
};

}  // namespace spool::testing
