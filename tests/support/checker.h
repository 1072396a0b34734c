// Judges a journal by its history: what was asked and answered before, against what is found now.
//
// The history is recorded outside of what may fail. Every rule has a name; a verdict lists what
// breaks which.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "spool/cursor.h"

namespace spool::testing {

// An event as a producer knows it. `number` names it for good.
struct SentEvent {
  uint64_t number = 0;
  std::string stream;
  uint64_t hash = 0;  // of its bytes
};

// One Append. `begun` and `ended` are moments of the history's own clock, which counts up.
struct SentRequest {
  enum class Outcome { kUnknown, kAcknowledged, kRefused };
  std::vector<SentEvent> events;
  uint64_t begun = 0;
  uint64_t ended = 0;
  Outcome outcome = Outcome::kUnknown;
  uint64_t first = 0;  // as acknowledged
  uint64_t last = 0;
  uint32_t stored = 0;
  uint32_t duplicates = 0;
};

// A place that a cursor was moved to. Not certain: the call failed, and may have been carried out.
struct CursorState {
  uint64_t next = 1;
  Account account;
  uint64_t ended = 0;
  bool certain = true;
  bool synced = false;  // was promised to be durable
  // Only the sum of what was evicted and what was skipped is known: a skip that failed.
  bool sum_of_passed = false;
};

// What a target was given.
struct Delivery {
  uint64_t number = 0;
  uint64_t sequence = 0;
  uint64_t hash = 0;  // of its bytes
  uint64_t time = 0;  // 0: only the order of a target's deliveries is known
};

// From a refused write or sync until the journal was opened anew; 0: it was not.
struct Outage {
  uint64_t begun = 0;
  uint64_t ended = 0;
};

struct History {
  std::vector<SentRequest> requests;  // in the order of `begun`
  std::map<std::string, std::vector<CursorState>> cursors;
  std::map<std::string, uint64_t> evicted;  // of each stream, as retention said last
  std::map<std::string, std::vector<Delivery>> deliveries;  // by target
  std::map<std::string, std::set<uint64_t>> unwanted;       // no route leads them to the target
  // Of events that retention has taken: how many each target was given that are not listed any
  // more.
  std::map<std::string, uint64_t> forgotten;
  // Moments after which a target may be given again what it had: its own faults, and ends of the
  // program that were not in order.
  std::map<std::string, std::vector<uint64_t>> disturbed;
  std::vector<uint64_t> restarts;
  uint64_t in_hand_max = 0;  // so many at most after each of them; 0: any number
  std::vector<Outage> outages;
  std::map<uint64_t, uint64_t> places;  // sequences of events, as found before
  std::set<uint64_t> gone;              // sent, and found not to be stored; may not come back
  uint64_t synced = 0;                  // the latest `begun` of all that was promised to be durable
};

struct FoundEvent {
  static constexpr uint64_t kUnknown = UINT64_MAX;
  uint64_t number = kUnknown;
  std::string stream;
  uint64_t sequence = 0;
  uint64_t ordinal = 0;
  uint64_t hash = 0;
};
struct FoundStream {
  uint64_t first = 1;    // sequence of the first retained event, or the stream's end
  uint64_t evicted = 0;  // ever
  uint64_t marked = 0;   // of these, in markers
  uint64_t events = 0;
  bool may_evict = false;
  bool may_lose = false;            // also what a target still needs
  uint64_t undelivered = 0;         // of what was evicted, as the markers tell
  std::optional<uint64_t> metered;  // evicted, as the metrics tell
  // What spoold itself writes: counted, and not among the events found.
  bool own = false;
};
struct FoundCursor {
  uint64_t next = 1;
  Account account;
  std::set<std::string> streams;
  std::map<std::string, uint64_t> places;  // its ordinals, where they are known
  std::vector<FoundEvent> dead_letters;
};
struct Found {
  uint64_t end = 1;
  std::map<std::string, FoundStream> streams;
  std::vector<FoundEvent> events;  // as read from the beginning
  std::map<std::string, FoundCursor> cursors;
  std::vector<std::string> chain_breaks;  // as the journal's own verification tells them
  bool drained = false;  // then every target must have had every event that is not accounted else
};

struct Violation {
  std::string rule;
  std::string detail;
};

// Everything wrong, at most `limit` of it. Rules: lost, twice, altered, unknown, refused, risen,
// misplaced, moved, hole, order, split, chain, false_ack, account, cursor_invented, cursor_undone,
// cursor_back, cursor_ahead, cursor_beyond, dead_letters, marker, eviction_undone,
// eviction_forbidden, delivered_never, delivered_unknown, delivered_altered, delivered_order,
// delivered_again.
std::vector<Violation> Judge(const History& history, const Found& found, size_t limit = 20);

// One line each; empty when there is none.
std::string ToText(const std::vector<Violation>& violations);

}  // namespace spool::testing
