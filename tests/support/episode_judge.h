// Judges what targets were sent while networks and targets failed, by what an outsider recorded.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace spool::testing {

using EpisodeTime = std::chrono::steady_clock::time_point;

// What a target kept. Targets keep repeats too.
struct EpisodeArrival {
  uint64_t number = 0;    // of the event; what nobody sent is UINT64_MAX
  uint64_t hash = 0;      // of its data
  uint64_t sequence = 0;  // as it says itself
  int lane = 0;           // order holds within one: a partition
  int epoch = 0;          // of a store that was emptied and made anew
  EpisodeTime at{};       // when, if the target tells
};

// The product's account of a target, as its API said it.
struct EpisodeAccount {
  uint64_t cursor = 0;
  uint64_t accepted = 0;
  uint64_t delivered = 0;
  uint64_t filtered = 0;
  uint64_t dead_lettered = 0;
  uint64_t evicted = 0;
  uint64_t skipped = 0;
  uint64_t pending = 0;
  uint64_t retries = 0;
  uint64_t arrived = UINT64_MAX;  // different events at the target, counted after the account
};

struct EpisodeSpan {
  EpisodeTime begin;
  EpisodeTime end;
};

struct EpisodeTarget {
  std::vector<EpisodeArrival> arrivals;  // lane by lane, epoch by epoch, in the order of each
  std::vector<EpisodeSpan> disturbances;
  bool dedupes = false;             // it takes no event twice into one epoch
  uint64_t repeats_max = 0;         // in flight × times that a confirmation may have been lost
  std::map<uint64_t, int> refused;  // what it refused for good, with its code
  std::map<uint64_t, int> dead;     // what the product reports as dead letters, with the code
  std::vector<EpisodeAccount>
      accounts;  // in the order they were asked for; the last when all was settled
};

// One thing that went wrong on purpose.
struct EpisodeFault {
  int number = 0;
  std::string what;
  bool must_hold = false;  // a person has to mend it: the product keeps everything and says so
  bool held = false;
  bool felt = false;            // events had to be tried again, or a connection was made anew
  bool drained = false;         // in time after it was over
  bool others_went_on = false;  // while it lasted
  int64_t others_millis = 0;    // that they took to have what had come until then
};

struct EpisodeHistory {
  std::vector<uint64_t> sent;                          // the data's hash of each number
  std::vector<uint64_t> acknowledged;                  // numbers
  std::vector<std::pair<uint64_t, uint64_t>> journal;  // number and sequence in the journal's order
  std::set<uint64_t> recorded;  // sequences of records of what was done through the admin API
  std::map<std::string, EpisodeTarget> targets;
  std::vector<EpisodeFault> faults;
};

struct EpisodeViolation {
  std::string rule;
  std::string detail;
};

// Everything wrong, at most `limit` of each rule: lost, unstored, unknown, altered, misplaced,
// order, twice, repeats, calm_repeat, dead_letter, account, counted, cursor_back, early, not_held,
// stuck, slowed. A repeat in a calm is one with no disturbance between it and the arrival before,
// `grace` around each.
std::vector<EpisodeViolation> JudgeEpisodes(
    const EpisodeHistory& history, size_t limit = 5,
    std::chrono::milliseconds grace = std::chrono::seconds(3));

// One line each; empty when there is none.
std::string ToText(const std::vector<EpisodeViolation>& violations);

}  // namespace spool::testing
