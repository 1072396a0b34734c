#include <algorithm>

#include "tests/support/judgement.h"

namespace spool::testing {
namespace {

bool Same(const CursorState& state, const FoundCursor& cursor) {
  const Account& a = state.account;
  const Account& b = cursor.account;
  if (state.next != cursor.next || a.delivered != b.delivered || a.filtered != b.filtered ||
      a.dead_lettered != b.dead_lettered) {
    return false;
  }
  if (state.sum_of_passed) return a.evicted + a.skipped == b.evicted + b.skipped;
  return a.evicted == b.evicted && a.skipped == b.skipped;
}

template <class Map>
const typename Map::mapped_type& OrEmpty(const Map& map, const std::string& name) {
  static const typename Map::mapped_type empty{};
  const auto found = map.find(name);
  return found == map.end() ? empty : found->second;
}

}  // namespace

void Judgement::CheckCursors() {
  for (const auto& [name, cursor] : found_.cursors) {
    CheckCursor(name, cursor);
    CheckEvictions(name, cursor);
    const auto states = history_.cursors.find(name);
    if (states != history_.cursors.end()) CheckStates(name, cursor, states->second);
  }
  for (const auto& [name, states] : history_.cursors) {
    if (!found_.cursors.contains(name)) Say("cursor_undone", name + " is gone");
  }
}

void Judgement::CheckCursor(const std::string& name, const FoundCursor& cursor) {
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
}

// What a cursor still needs goes only from streams that say so, and is marked as such.
void Judgement::CheckEvictions(const std::string& name, const FoundCursor& cursor) {
  uint64_t lost = cursor.account.evicted;
  uint64_t marked = 0;
  bool may_lose = false;
  for (const std::string& stream_name : cursor.streams) {
    const auto stream = found_.streams.find(stream_name);
    if (stream == found_.streams.end()) continue;
    may_lose = may_lose || stream->second.may_lose;
    marked += stream->second.undelivered;
    const auto place = cursor.places.find(stream_name);
    if (place == cursor.places.end() || place->second >= stream->second.evicted) continue;
    lost += stream->second.evicted - place->second;
    if (!stream->second.may_lose) {
      Say("eviction_forbidden", stream_name + " evicted " + std::to_string(stream->second.evicted) +
                                    " events, and " + name + " has settled only " +
                                    std::to_string(place->second));
    }
  }
  if (cursor.account.evicted > 0 && !may_lose) {
    Say("eviction_forbidden", name + " lost " + std::to_string(cursor.account.evicted) +
                                  " events, and none of its streams may lose any");
  }
  if (lost > marked) {
    Say("marker", name + " lost " + std::to_string(lost) + " events to retention, of which " +
                      std::to_string(marked) + " have a marker");
  }
}

bool Judgement::RestartedBetween(uint64_t begin, uint64_t end) const {
  return std::any_of(history_.restarts.begin(), history_.restarts.end(),
                     [&](uint64_t time) { return begin <= time && time <= end; });
}

void Judgement::CheckStates(const std::string& name, const FoundCursor& cursor,
                            const std::vector<CursorState>& states) {
  // Only from the last place that was promised to be durable on.
  size_t durable = 0;
  bool any = false;
  bool later = false;
  const CursorState* before = nullptr;
  for (size_t i = 0; i < states.size(); ++i) {
    const CursorState& state = states[i];
    if (!state.certain) continue;
    if (state.synced || state.ended < history_.synced) durable = i;
    if (before != nullptr && state.next < before->next &&
        !RestartedBetween(before->ended, state.ended)) {
      Say("cursor_back", name + " went from " + std::to_string(before->next) + " to " +
                             std::to_string(state.next));
    }
    before = &state;
  }
  for (size_t i = 0; i < states.size(); ++i) {
    if (!Same(states[i], cursor)) continue;
    any = true;
    later = later || i >= durable;
  }
  const std::string place = name + " is at " + std::to_string(cursor.next);
  if (!any) {
    Say("cursor_invented", place + ", where it never was with that account");
  } else if (!later) {
    Say("cursor_undone",
        place + ", though " + std::to_string(states[durable].next) + " was durable");
  }
  if (before != nullptr && cursor.next < before->next &&
      !RestartedBetween(before->ended, UINT64_MAX)) {
    Say("cursor_back", place + ", and was at " + std::to_string(before->next));
  }
}

void Judgement::CheckTarget(const std::string& target, const std::vector<Delivery>& deliveries) {
  std::set<uint64_t> given;
  uint64_t highest = 0;
  for (const Delivery& delivery : deliveries) {
    CheckDelivery(target, delivery);
    if (!given.insert(delivery.number).second) continue;
    if (delivery.sequence < highest) {
      Say("delivered_order", target + " was given " + Of(delivery.number) + " at " +
                                 std::to_string(delivery.sequence) + " for the first time behind " +
                                 std::to_string(highest));
    }
    highest = std::max(highest, delivery.sequence);
  }
  CheckRepeats(target, deliveries);
  const auto cursor = found_.cursors.find("target/" + target);
  if (cursor != found_.cursors.end()) CheckGiven(target, cursor->second, given);
}

void Judgement::CheckDelivery(const std::string& target, const Delivery& delivery) {
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
  if (sent != sent_.end() && sent->second->hash != delivery.hash) {
    Say("delivered_altered", what + ", which is not what was sent");
  }
  if (OrEmpty(history_.unwanted, target).contains(delivery.number)) {
    Say("delivered_unknown", what + ", which no route leads there");
  }
}

// Only what disturbs a target makes it get again what it had, and then in order.
void Judgement::CheckRepeats(const std::string& target, const std::vector<Delivery>& deliveries) {
  std::vector<uint64_t> disturbed = OrEmpty(history_.disturbed, target);
  disturbed.insert(disturbed.end(), history_.restarts.begin(), history_.restarts.end());
  std::sort(disturbed.begin(), disturbed.end());
  std::set<uint64_t> given;
  uint64_t repeats = 0;
  uint64_t steps_back = 0;
  const Delivery* before = nullptr;
  for (const Delivery& delivery : deliveries) {
    repeats += given.insert(delivery.number).second ? 0 : 1;
    if (before != nullptr && delivery.sequence <= before->sequence) {
      ++steps_back;
      const auto why = std::lower_bound(disturbed.begin(), disturbed.end(), before->time);
      if (delivery.time != 0 && (why == disturbed.end() || *why > delivery.time)) {
        Say("delivered_again", target + " was given " + Of(delivery.number) + " at " +
                                   std::to_string(delivery.sequence) + " behind " +
                                   std::to_string(before->sequence) + ", and nothing was wrong");
      }
    }
    before = &delivery;
  }
  if (steps_back > disturbed.size() ||
      (history_.in_hand_max > 0 && repeats > history_.in_hand_max * disturbed.size())) {
    Say("delivered_again", target + " was given " + std::to_string(repeats) + " events again in " +
                               std::to_string(steps_back) + " runs, after " +
                               std::to_string(disturbed.size()) + " disturbances");
  }
}

// Where the cursor has passed, and to the end when all is drained, every event is accounted for.
void Judgement::CheckGiven(const std::string& target, const FoundCursor& cursor,
                           const std::set<uint64_t>& given) {
  const Account& a = cursor.account;
  const auto& unwanted = OrEmpty(history_.unwanted, target);
  const uint64_t in_all = given.size() + OrEmpty(history_.forgotten, target);
  if (a.delivered > in_all || a.filtered > unwanted.size()) {
    Say("account", target + " counts " + std::to_string(a.delivered) + " delivered and " +
                       std::to_string(a.filtered) + " filtered; it was given " +
                       std::to_string(in_all) + ", and " + std::to_string(unwanted.size()) +
                       " are not for it");
  }
  if (found_.drained && a.pending > 0) {
    Say("delivered_never", target + " has " + std::to_string(a.pending) + " pending");
  }
  std::set<uint64_t> settled = given;
  settled.insert(unwanted.begin(), unwanted.end());
  for (const FoundEvent& letter : cursor.dead_letters) settled.insert(letter.number);
  uint64_t passed = 0;
  uint64_t first = 0;
  for (const FoundEvent& event : found_.events) {
    if (event.sequence >= cursor.next && !found_.drained) break;
    if (!cursor.streams.contains(event.stream) || settled.contains(event.number)) continue;
    if (passed++ == 0) first = event.number;
  }
  if (passed > a.skipped) {
    Say(found_.drained ? "delivered_never" : "cursor_ahead",
        target + " was never given " + std::to_string(passed) + " events from " + Of(first) +
            " on, and only " + std::to_string(a.skipped) + " were skipped");
  }
  uint64_t gone = 0;
  for (const uint64_t number : acknowledged_) {
    const bool for_it = cursor.streams.contains(sent_.at(number)->stream);
    if (for_it && !at_.contains(number) && !settled.contains(number)) ++gone;
  }
  uint64_t may_be_gone = a.evicted + a.skipped + OrEmpty(history_.forgotten, target);
  for (const auto& [name, place] : cursor.places) {
    const auto stream = found_.streams.find(name);
    if (stream == found_.streams.end() || stream->second.evicted <= place) continue;
    may_be_gone += stream->second.evicted - place;
  }
  if (gone > may_be_gone && (found_.drained || !cursor.places.empty())) {
    Say("delivered_never", target + " was never given " + std::to_string(gone) +
                               " events that are gone, and counts only " +
                               std::to_string(may_be_gone) + " as evicted or skipped");
  }
}

}  // namespace spool::testing
