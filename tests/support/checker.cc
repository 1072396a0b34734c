#include "tests/support/checker.h"

#include <algorithm>
#include <unordered_map>

namespace spool::testing {
namespace {

using Outcome = SentRequest::Outcome;

class Judgement {
 public:
  Judgement(const History& history, const Found& found, size_t limit)
      : history_(history), found_(found), limit_(limit) {}

  std::vector<Violation> All() {
    Index();
    CheckFound();
    CheckRequests();
    CheckOrder();
    CheckStreams();
    for (const auto& [name, cursor] : found_.cursors) CheckCursor(name, cursor);
    for (const auto& [name, states] : history_.cursors) {
      if (!found_.cursors.contains(name)) Say("cursor_undone", name + " is gone");
    }
    for (const auto& [target, deliveries] : history_.deliveries) CheckTarget(target, deliveries);
    for (const std::string& text : found_.chain_breaks) Say("chain", text);
    return std::move(violations_);
  }

 private:
  void Say(const char* rule, std::string detail) {
    if (violations_.size() < limit_) violations_.push_back({rule, std::move(detail)});
  }
  static std::string Of(uint64_t number) { return "event " + std::to_string(number); }

  void Index() {
    for (const SentRequest& request : history_.requests) {
      for (const SentEvent& event : request.events) sent_.emplace(event.number, &event);
    }
    for (const FoundEvent& event : found_.events) {
      if (event.number == FoundEvent::kUnknown) continue;
      if (!at_.emplace(event.number, &event).second) {
        Say("twice", Of(event.number) + " is stored at " +
                         std::to_string(at_[event.number]->sequence) + " and at " +
                         std::to_string(event.sequence));
      }
    }
  }

  // What is there must have been sent, as it was sent, and be dense.
  void CheckFound() {
    uint64_t before = 0;
    std::map<std::string, uint64_t> ordinals;
    for (const FoundEvent& event : found_.events) {
      const std::string what = Of(event.number) + " at sequence " + std::to_string(event.sequence);
      if (event.sequence <= before || event.sequence >= found_.end) {
        Say("hole", what + " follows " + std::to_string(before) + ", the end is " +
                        std::to_string(found_.end));
      }
      before = event.sequence;
      const auto stream = found_.streams.find(event.stream);
      if (stream == found_.streams.end()) {
        Say("unknown", what + " is in a stream '" + event.stream + "' that there is not");
        continue;
      }
      const auto ordinal = ordinals.emplace(event.stream, stream->second.evicted).first;
      if (event.ordinal != ordinal->second) {
        Say("hole", what + " has ordinal " + std::to_string(event.ordinal) + " in " + event.stream +
                        ", not " + std::to_string(ordinal->second));
      }
      ordinal->second = event.ordinal + 1;
      const auto sent = sent_.find(event.number);
      if (sent == sent_.end()) {
        Say("unknown", what + " was never sent");
        continue;
      }
      if (sent->second->hash != event.hash || sent->second->stream != event.stream) {
        Say("altered", what + " is not what was sent");
      }
      if (history_.gone.contains(event.number)) Say("risen", what + " was gone before");
      const auto place = history_.places.find(event.number);
      if (place != history_.places.end() && place->second != event.sequence) {
        Say("moved", what + " was at " + std::to_string(place->second));
      }
    }
  }

  // Whether retention may have taken what was at or behind `sequence`.
  bool MayBeEvicted(const SentEvent& event, uint64_t sequence) const {
    const auto stream = found_.streams.find(event.stream);
    return stream != found_.streams.end() && stream->second.may_evict &&
           sequence < stream->second.first;
  }

  void CheckRequests() {
    for (const SentRequest& request : history_.requests) {
      size_t there = 0;
      size_t missing = 0;
      for (size_t i = 0; i < request.events.size(); ++i) {
        const SentEvent& event = request.events[i];
        const auto at = at_.find(event.number);
        const auto place = history_.places.find(event.number);
        uint64_t known = place != history_.places.end() ? place->second : request.first;
        if (at != at_.end()) {
          ++there;
          CheckPlace(request, i, *at->second);
          continue;
        }
        // A repeat of an evicted event was answered for one that had its place long before.
        if (place == history_.places.end() && request.duplicates > 0) known = 0;
        if (MayBeEvicted(event, known)) continue;
        ++missing;
        if (request.outcome == Outcome::kAcknowledged) {
          Say("lost", Of(event.number) + " of " + event.stream + " was acknowledged in " +
                          std::to_string(request.first) + ".." + std::to_string(request.last) +
                          " and is not there");
        }
      }
      if (there > 0 && missing > 0 && request.outcome != Outcome::kAcknowledged) {
        Say("split", "of a request of " + std::to_string(request.events.size()) + " events from " +
                         Of(request.events.front().number) + " only " + std::to_string(there) +
                         " are there");
      }
    }
  }

  void CheckPlace(const SentRequest& request, size_t index, const FoundEvent& event) {
    if (request.outcome != Outcome::kAcknowledged || request.duplicates > 0) return;
    const bool one_stream =
        std::all_of(request.events.begin(), request.events.end(),
                    [&](const SentEvent& e) { return e.stream == request.events[0].stream; });
    const bool fits = one_stream
                          ? event.sequence == request.first + index
                          : event.sequence >= request.first && event.sequence <= request.last;
    if (!fits) {
      Say("misplaced", Of(event.number) + " is at " + std::to_string(event.sequence) +
                           ", acknowledged in " + std::to_string(request.first) + ".." +
                           std::to_string(request.last));
    }
  }

  // What was acknowledged before another was sent has the lower sequences.
  void CheckOrder() {
    struct Moment {
      uint64_t time;
      bool end;
      const SentRequest* request;
    };
    std::vector<Moment> moments;
    for (const SentRequest& request : history_.requests) {
      if (request.duplicates > 0) continue;
      moments.push_back({request.begun, false, &request});
      if (request.outcome == Outcome::kAcknowledged && request.stored > 0) {
        moments.push_back({request.ended, true, &request});
      }
    }
    std::sort(moments.begin(), moments.end(),
              [](const Moment& a, const Moment& b) { return a.time < b.time; });
    uint64_t highest = 0;  // of all that had been acknowledged
    for (const Moment& moment : moments) {
      uint64_t low = UINT64_MAX;
      uint64_t high = 0;
      for (const SentEvent& event : moment.request->events) {
        const auto at = at_.find(event.number);
        if (at == at_.end()) continue;
        low = std::min(low, at->second->sequence);
        high = std::max(high, at->second->sequence);
      }
      if (moment.end) {
        highest = std::max(highest, high);
      } else if (low <= highest) {
        const bool repeated = std::any_of(
            moment.request->events.begin(), moment.request->events.end(), [&](const SentEvent& e) {
              return sent_.at(e.number) != &e;  // sent before, and found now where it was then
            });
        if (!repeated) {
          Say("order", "a request from " + Of(moment.request->events.front().number) + " is at " +
                           std::to_string(low) + ", behind " + std::to_string(highest) +
                           " acknowledged before it was sent");
        }
      }
    }
  }

  void CheckStreams() {
    uint64_t all = 0;
    std::map<std::string, uint64_t> read;
    for (const FoundEvent& event : found_.events) ++read[event.stream];
    for (const auto& [name, stream] : found_.streams) {
      all += stream.events + stream.evicted;
      if (read[name] != stream.events) {
        Say("hole", name + " has " + std::to_string(stream.events) + " events and gave " +
                        std::to_string(read[name]));
      }
      if (stream.evicted != stream.marked) {
        Say("marker", name + " evicted " + std::to_string(stream.evicted) + " events, " +
                          std::to_string(stream.marked) + " of them with a marker");
      }
      if (stream.evicted > 0 && !stream.may_evict) {
        Say("eviction_forbidden", name + " evicted " + std::to_string(stream.evicted));
      }
      const auto said = history_.evicted.find(name);
      if (said != history_.evicted.end() && stream.evicted < said->second) {
        Say("eviction_undone", name + " had evicted " + std::to_string(said->second) +
                                   " and now only " + std::to_string(stream.evicted));
      }
    }
    if (all + 1 != found_.end) {
      Say("hole", "the end is " + std::to_string(found_.end) + " with " + std::to_string(all) +
                      " events stored or evicted");
    }
  }

  static bool Same(const CursorState& state, const FoundCursor& cursor) {
    const Account& a = state.account;
    const Account& b = cursor.account;
    return state.next == cursor.next && a.delivered == b.delivered && a.filtered == b.filtered &&
           a.dead_lettered == b.dead_lettered && a.evicted == b.evicted && a.skipped == b.skipped;
  }

  void CheckCursor(const std::string& name, const FoundCursor& cursor) {
    uint64_t accepted = 0;
    for (const std::string& stream : cursor.streams) {
      const auto found = found_.streams.find(stream);
      if (found != found_.streams.end()) accepted += found->second.events + found->second.evicted;
    }
    const Account& a = cursor.account;
    if (a.accepted != accepted || a.accepted != a.settled() + a.pending) {
      Say("account", name + ": accepted " + std::to_string(a.accepted) + " of " +
                         std::to_string(accepted) + ", settled " + std::to_string(a.settled()) +
                         ", pending " + std::to_string(a.pending));
    }
    if (cursor.next > found_.end) {
      Say("cursor_beyond", name + " is at " + std::to_string(cursor.next) + ", the end is " +
                               std::to_string(found_.end));
    }
    if (cursor.dead_letters.size() != a.dead_lettered) {
      Say("dead_letters", name + " counts " + std::to_string(a.dead_lettered) + " and has " +
                              std::to_string(cursor.dead_letters.size()));
    }
    for (const FoundEvent& letter : cursor.dead_letters) {
      const auto sent = sent_.find(letter.number);
      if (sent == sent_.end() || sent->second->hash != letter.hash) {
        Say("dead_letters", name + " has one of " + Of(letter.number) + " that was not sent so");
      }
    }
    const auto states = history_.cursors.find(name);
    if (states == history_.cursors.end()) return;
    // Only from the last place that was promised to be durable on.
    size_t durable = 0;
    for (size_t i = 0; i < states->second.size(); ++i) {
      const CursorState& state = states->second[i];
      if (state.certain && (state.synced || state.ended < history_.synced)) durable = i;
    }
    bool any = false;
    bool later = false;
    for (size_t i = 0; i < states->second.size(); ++i) {
      if (!Same(states->second[i], cursor)) continue;
      any = true;
      later = later || i >= durable;
    }
    const std::string place = name + " is at " + std::to_string(cursor.next);
    if (!any) {
      Say("cursor_invented", place + ", where it never was with that account");
    } else if (!later) {
      Say("cursor_undone",
          place + ", though " + std::to_string(states->second[durable].next) + " was durable");
    }
  }

  void CheckTarget(const std::string& target, const std::vector<Delivery>& deliveries) {
    std::set<uint64_t> seen;
    uint64_t highest = 0;
    for (const Delivery& delivery : deliveries) {
      const std::string what = target + " was given " + Of(delivery.number);
      const auto sent = sent_.find(delivery.number);
      const auto at = at_.find(delivery.number);
      const bool evicted =
          at == at_.end() && sent != sent_.end() && MayBeEvicted(*sent->second, delivery.sequence);
      if ((at == at_.end() && !evicted) ||
          (at != at_.end() && at->second->sequence != delivery.sequence)) {
        Say("delivered_unknown",
            what + ", which the journal does not have at " + std::to_string(delivery.sequence));
      }
      if (!seen.insert(delivery.number).second) continue;
      if (delivery.sequence < highest) {
        Say("delivered_order", what + " at " + std::to_string(delivery.sequence) +
                                   " for the first time behind " + std::to_string(highest));
      }
      highest = std::max(highest, delivery.sequence);
    }
    const auto cursor = found_.cursors.find("target/" + target);
    if (!found_.drained || cursor == found_.cursors.end()) return;
    const Account& a = cursor->second.account;
    if (a.pending > 0) {
      Say("delivered_never", target + " has " + std::to_string(a.pending) + " pending");
    }
    uint64_t missed = 0;
    for (const FoundEvent& event : found_.events) {
      if (cursor->second.streams.contains(event.stream) && !seen.contains(event.number)) ++missed;
    }
    if (missed > a.filtered + a.dead_lettered + a.skipped) {
      Say("delivered_never", target + " was never given " + std::to_string(missed) +
                                 " events, and its account explains only " +
                                 std::to_string(a.filtered + a.dead_lettered + a.skipped));
    }
  }

  const History& history_;
  const Found& found_;
  const size_t limit_;
  std::unordered_map<uint64_t, const SentEvent*> sent_;
  std::unordered_map<uint64_t, const FoundEvent*> at_;
  std::vector<Violation> violations_;
};

}  // namespace

std::vector<Violation> Judge(const History& history, const Found& found, size_t limit) {
  return Judgement(history, found, limit).All();
}

std::string ToText(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& violation : violations) {
    text += violation.rule + ": " + violation.detail + "\n";
  }
  return text;
}

}  // namespace spool::testing
