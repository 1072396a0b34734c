// When sources took nothing, and why: recorded as it begins, so that also what ends the process
// leaves a trace. A source that keeps its place misses nothing by that, and tells of its gaps
// itself.
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ingest/source.h"
#include "spool/journal.h"
#include "spool/source_gaps.h"

namespace spool {

class SourceWatch {
 public:
  // Why a source took nothing. A gap that nobody ended before the next start ends there.
  static constexpr std::string_view kStopped = "stopped";  // spoold was told to end
  static constexpr std::string_view kCrashed = "crashed";  // it ended otherwise
  static constexpr std::string_view kDrained = "drained";  // an operator asked for it
  static constexpr std::string_view kFull = "full";        // a stream or the disk had no room
  static constexpr std::array<std::string_view, 4> kCauses{kStopped, kCrashed, kDrained, kFull};

  // How exactly a crash is dated when no event came: what runs says so as often as that.
  static constexpr Micros kSayEvery = std::chrono::seconds(60);
  static constexpr Micros kLookEvery = std::chrono::seconds(1);

  // To be called before the first event is taken: gaps of before end here. A gap that cannot be
  // recorded later on is logged; then the journal has failed, and the process ends. What is passed
  // must outlive it. Errors are the journal's.
  static Result<std::unique_ptr<SourceWatch>> Start(const Journal& journal, SourceGaps& gaps,
                                                    std::vector<const Source*> sources,
                                                    const Clock& clock = RealClock());
  ~SourceWatch();

  // Any thread.
  void Drained(bool on);
  // The sources stopped taking events at `since`; nothing is watched any more. Once.
  void Stopped(SystemTime since);

 private:
  struct Watched {
    const Source* source = nullptr;
    std::string name;
    bool keeps_place = false;  // tells of its gaps itself
    uint64_t full = 0;         // refusals for want of room, as last seen
    uint64_t taken = 0;        // events, as last seen
  };

  SourceWatch(SourceGaps& gaps, std::vector<const Source*> sources, const Clock& clock);
  Status Resume(const Journal& journal);
  void Loop(const std::stop_token& stop);
  void Look(SystemTime before, SystemTime now);

  SourceGaps& gaps_;
  const Clock& clock_;
  std::vector<Watched> watched_;  // the thread's, but for the names
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace spool
