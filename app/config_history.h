// What another configuration would make of events that are stored.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/result.h"
#include "spool/journal.h"

namespace spool {

inline constexpr uint64_t kHistoryEventsMax = 100'000;
inline constexpr size_t kHistorySamplesMax = 20;

// Of a route or a target: how many of the events it takes.
struct HistoryCount {
  bool before_there = false;  // configured, in either
  bool after_there = false;
  uint64_t before = 0;
  uint64_t after = 0;
  uint64_t gained = 0;
  uint64_t lost = 0;
  uint64_t elsewhere = 0;  // of a target: taken by both, and sent to another topic, subject or form
};

struct HistorySample {
  Sequence sequence;
  std::string stream;
  std::string subject;
  std::string reason;
  std::vector<std::string> gained;  // targets
  std::vector<std::string> lost;
  struct Elsewhere {
    std::string target;
    std::string before;
    std::string after;
  };
  std::vector<Elsewhere> elsewhere;
};

struct HistoryReport {
  uint64_t events = 0;   // that were looked at
  SequenceRange range;   // they are in it
  uint64_t changed = 0;  // go to other targets, or elsewhere there
  std::map<std::string, HistoryCount> routes;
  std::map<std::string, HistoryCount> targets;
  std::vector<HistorySample> samples;  // the newest that change, newest first
};

// Looks at the newest `events` that are stored, at most kHistoryEventsMax. They stay in the streams
// that they are in. Any thread. kInvalid for routes that do not compile, kDamaged when events
// cannot be read, kCancelled on stop.
Result<HistoryReport> CompareOverHistory(const Config& running, const Config& fresh,
                                         const Journal& journal, uint64_t events,
                                         std::stop_token stop);

}  // namespace spool
