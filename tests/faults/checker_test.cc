// The checker is proved by lies: each turns exactly its own rule red.
#include "tests/support/checker.h"

#include <gtest/gtest.h>

#include <functional>

namespace spool::testing {
namespace {

// A short life in which all went well: ten events in two streams, of which retention took two, and
// a target that had six of them, one as a dead letter.
struct Story {
  History history;
  Found found;
};

Story Good() {
  Story story;
  auto& requests = story.history.requests;
  const auto send = [&](uint64_t first, uint64_t count, const char* stream, uint64_t sequence) {
    SentRequest request;
    for (uint64_t n = first; n < first + count; ++n) request.events.push_back({n, stream, n * 17});
    request.begun = requests.empty() ? 1 : requests.back().ended + 1;
    request.ended = request.begun + 1;
    request.outcome = SentRequest::Outcome::kAcknowledged;
    request.first = sequence;
    request.last = sequence + count - 1;
    request.stored = static_cast<uint32_t>(count);
    requests.push_back(request);
  };
  send(100, 2, "short", 1);  // both evicted since
  send(102, 3, "plain", 3);
  send(105, 2, "short", 6);
  send(107, 3, "plain", 8);
  story.history.synced = requests.back().begun;
  story.history.evicted = {{"short", 2}};

  story.found.end = 11;
  story.found.streams["short"] = {6, 2, 2, 2, true, true, 2, 2};
  story.found.streams["plain"] = {3, 0, 0, 6};
  for (uint64_t i = 0; i < 8; ++i) {
    const uint64_t number = 102 + i;
    const bool is_short = number == 105 || number == 106;
    const uint64_t ordinal = is_short ? number - 103 : number < 105 ? number - 102 : number - 104;
    story.found.events.push_back(
        {number, is_short ? "short" : "plain", 3 + i, ordinal, number * 17});
  }

  FoundCursor cursor;
  cursor.next = 9;
  cursor.streams = {"short", "plain"};
  cursor.account.accepted = 10;
  cursor.account.delivered = 5;
  cursor.account.dead_lettered = 1;
  cursor.account.evicted = 2;
  cursor.account.pending = 2;
  cursor.dead_letters = {{107, "plain", 8, 3, 107 * 17}};
  story.found.cursors["target/t"] = cursor;
  CursorState begun;
  begun.synced = true;
  CursorState earlier;
  earlier.next = 5;
  earlier.account.delivered = 2;
  earlier.account.evicted = 2;
  earlier.ended = 4;
  CursorState last;
  last.next = cursor.next;
  last.account = cursor.account;
  last.ended = 20;
  story.history.cursors["target/t"] = {begun, earlier, last};
  for (uint64_t n = 102; n < 108; ++n) story.history.deliveries["t"].push_back({n, n - 99, n * 17});
  return story;
}

// The same, to the end: the target has had the rest.
Story Drained() {
  Story story = Good();
  FoundCursor& cursor = story.found.cursors["target/t"];
  story.found.drained = true;
  cursor.next = 11;
  cursor.account.delivered = 7;
  cursor.account.pending = 0;
  CursorState state;
  state.next = 11;
  state.account = cursor.account;
  state.ended = 30;
  story.history.cursors["target/t"].push_back(state);
  for (uint64_t n = 108; n < 110; ++n) story.history.deliveries["t"].push_back({n, n - 99, n * 17});
  return story;
}

struct Lie {
  const char* name;
  const char* rule;  // that it must break
  std::function<void(Story&)> tell;
};

void Renumber(Story& story) {  // what is left after a loss, as if nothing had been
  std::map<std::string, uint64_t> ordinals;
  uint64_t sequence = 3;
  for (FoundEvent& event : story.found.events) {
    const auto at = ordinals.emplace(event.stream, story.found.streams[event.stream].evicted).first;
    event.ordinal = at->second++;
    event.sequence = sequence++;
  }
  for (auto& [name, stream] : story.found.streams) stream.events = ordinals[name] - stream.evicted;
  story.found.end = sequence;
}

FoundCursor& CursorOf(Story& story) { return story.found.cursors["target/t"]; }

const std::vector<Lie>& Lies() {
  static const std::vector<Lie> lies = {
      {"answered before it was stored", "lost",
       [](Story& s) {
         s.found.events.pop_back();
         Renumber(s);
       }},
      {"answered before the sync", "lost",
       [](Story& s) {
         s.found.events.resize(5);
         Renumber(s);
       }},
      {"stored twice", "twice",
       [](Story& s) {
         s.found.events.push_back(s.found.events.back());
         Renumber(s);
       }},
      {"a byte changed", "altered", [](Story& s) { s.found.events[2].hash ^= 1; }},
      {"in another stream", "altered",
       [](Story& s) { s.history.requests[3].events[0].stream = "short"; }},
      {"never sent", "unknown", [](Story& s) { s.found.events[1].number = 999; }},
      {"a sequence left out", "hole",
       [](Story& s) {
         for (size_t i = 4; i < s.found.events.size(); ++i) ++s.found.events[i].sequence;
         ++s.found.end;
       }},
      {"an ordinal left out", "hole", [](Story& s) { ++s.found.events.back().ordinal; }},
      {"the end beyond what is there", "hole", [](Story& s) { ++s.found.end; }},
      {"two places changed", "misplaced",
       [](Story& s) {
         std::swap(s.found.events[5].number, s.found.events[6].number);
         std::swap(s.found.events[5].hash, s.found.events[6].hash);
       }},
      {"a later request before an earlier", "order",
       [](Story& s) {
         s.history.requests[3].begun = s.history.requests[1].begun;
         s.history.requests[3].ended = s.history.requests[1].begun;
         s.history.requests[1].begun = 100;
         s.history.requests[1].ended = 101;
       }},
      {"half a request", "split",
       [](Story& s) {
         s.history.requests[3].outcome = SentRequest::Outcome::kUnknown;
         s.found.events.pop_back();
         Renumber(s);
       }},
      {"refused and stored", "risen", [](Story& s) { s.history.gone.insert(109); }},
      {"refused and there", "refused",
       [](Story& s) { s.history.requests[3].outcome = SentRequest::Outcome::kRefused; }},
      {"acknowledged though the disk had failed", "false_ack",
       [](Story& s) {
         s.history.outages = {{s.history.requests[2].ended, 0}};
       }},
      {"acknowledged before the journal was opened anew", "false_ack",
       [](Story& s) {
         s.history.outages = {{s.history.requests[2].ended, s.history.requests[3].ended + 1}};
       }},
      {"moved since it was last seen", "moved", [](Story& s) { s.history.places[104] = 4; }},
      {"the chain of hashes broken", "chain",
       [](Story& s) { s.found.chain_breaks.push_back("chunk at 6 does not follow chunk at 3"); }},
      {"delivered and not counted", "account", [](Story& s) { --CursorOf(s).account.delivered; }},
      {"counted and not accepted", "account",
       [](Story& s) {
         ++CursorOf(s).account.filtered;
         ++CursorOf(s).account.accepted;
       }},
      {"a dead letter without its event", "dead_letters",
       [](Story& s) { CursorOf(s).dead_letters.clear(); }},
      {"a dead letter with other bytes", "dead_letters",
       [](Story& s) { CursorOf(s).dead_letters[0].hash ^= 1; }},
      {"a cursor beyond the end", "cursor_beyond", [](Story& s) { CursorOf(s).next = 99; }},
      {"a cursor where it never was", "cursor_invented", [](Story& s) { CursorOf(s).next = 8; }},
      {"a durable advance undone", "cursor_undone",
       [](Story& s) {
         const CursorState begun = s.history.cursors["target/t"][0];
         CursorOf(s).next = begun.next;
         CursorOf(s).account = {10, 0, 0, 0, 0, 0, 10, 0, 0};
         CursorOf(s).dead_letters.clear();
       }},
      {"a cursor that went back", "cursor_back",
       [](Story& s) {
         CursorState back = s.history.cursors["target/t"][1];
         back.ended = 25;
         s.history.cursors["target/t"].push_back(back);
       }},
      {"a cursor behind its last place without a restart", "cursor_back",
       [](Story& s) { CursorOf(s).next = 5; }},
      {"a cursor beyond what was given", "cursor_ahead",
       [](Story& s) { s.history.deliveries["t"].erase(s.history.deliveries["t"].begin() + 3); }},
      {"a skip that skipped less than it counts", "cursor_ahead",
       [](Story& s) {
         auto& deliveries = s.history.deliveries["t"];
         deliveries.erase(deliveries.begin() + 2, deliveries.begin() + 4);
         CursorOf(s).account.skipped = 1;
       }},
      {"more counted as delivered than was given", "account",
       [](Story& s) { s.history.deliveries["t"].resize(4); }},
      {"counted as filtered, and no route says so", "account",
       [](Story& s) {
         --CursorOf(s).account.delivered;
         ++CursorOf(s).account.filtered;
       }},
      {"a cursor gone", "cursor_undone", [](Story& s) { s.found.cursors.clear(); }},
      {"evicted without a marker", "marker", [](Story& s) { s.found.streams["short"].marked = 0; }},
      {"evicted without counting it in the metrics", "marker",
       [](Story& s) { s.found.streams["short"].metered = 1; }},
      {"evicted what must be kept", "eviction_forbidden",
       [](Story& s) { s.found.streams["short"].may_evict = false; }},
      {"evicted before the target had it", "eviction_forbidden",
       [](Story& s) {
         s.found.streams["short"].may_lose = false;
         CursorOf(s).places["short"] = 1;
       }},
      {"counted as evicted where nothing may be lost", "eviction_forbidden",
       [](Story& s) { s.found.streams["short"].may_lose = false; }},
      {"a loss that its marker does not tell", "marker",
       [](Story& s) { s.found.streams["short"].undelivered = 1; }},
      {"an eviction undone", "eviction_undone", [](Story& s) { s.history.evicted["short"] = 3; }},
      {"delivered and not in the journal", "delivered_unknown",
       [](Story& s) {
         s.history.deliveries["t"].push_back({777, 11, 0});
       }},
      {"delivered under another sequence", "delivered_unknown",
       [](Story& s) {
         s.history.deliveries["t"].push_back({104, 9, 104 * 17});
       }},
      {"delivered with other bytes", "delivered_altered",
       [](Story& s) { s.history.deliveries["t"][1].hash ^= 1; }},
      {"delivered where no route leads", "delivered_unknown",
       [](Story& s) { s.history.unwanted["t"] = {104}; }},
      {"delivered again though nothing was wrong", "delivered_again",
       [](Story& s) {
         s.history.deliveries["t"].push_back({104, 5, 104 * 17});
       }},
      {"delivered again before anything was wrong", "delivered_again",
       [](Story& s) {
         for (Delivery& delivery : s.history.deliveries["t"]) delivery.time = 10;
         s.history.deliveries["t"].push_back({104, 5, 104 * 17, 12});
         s.history.disturbed["t"] = {14};
       }},
      {"delivered again in another order", "delivered_again",
       [](Story& s) {
         s.history.restarts = {14};
         s.history.deliveries["t"].push_back({105, 6, 105 * 17});
         s.history.deliveries["t"].push_back({104, 5, 104 * 17});
       }},
      {"more delivered again than was in hand", "delivered_again",
       [](Story& s) {
         s.history.restarts = {14};
         s.history.in_hand_max = 1;
         s.history.deliveries["t"].push_back({104, 5, 104 * 17});
         s.history.deliveries["t"].push_back({105, 6, 105 * 17});
       }},
      {"delivered out of order", "delivered_order",
       [](Story& s) { std::swap(s.history.deliveries["t"][0], s.history.deliveries["t"][1]); }},
  };
  return lies;
}

TEST(Checker, FindsNothingWrongWithAnHonestHistory) {
  EXPECT_EQ(ToText(Judge(Good().history, Good().found)), "");
  EXPECT_EQ(ToText(Judge(Drained().history, Drained().found)), "");
  EXPECT_EQ(ToText(Judge({}, {})), "");
}

TEST(Checker, AllowsWhatIsAllowed) {
  Story unsynced = Good();  // an advance that no sync had reached
  unsynced.history.synced = 0;
  unsynced.history.restarts = {25};
  CursorOf(unsynced).next = 1;
  CursorOf(unsynced).account = {10, 0, 0, 0, 0, 0, 10, 0, 0};
  CursorOf(unsynced).dead_letters.clear();
  EXPECT_EQ(ToText(Judge(unsynced.history, unsynced.found)), "");
  Story repeated = Good();  // deliveries that were made again, in order, after a fault
  for (Delivery& delivery : repeated.history.deliveries["t"]) delivery.time = 10;
  repeated.history.disturbed["t"] = {11};
  repeated.history.in_hand_max = 2;
  repeated.history.deliveries["t"].push_back({104, 5, 104 * 17, 12});
  repeated.history.deliveries["t"].push_back({105, 6, 105 * 17, 13});
  EXPECT_EQ(ToText(Judge(repeated.history, repeated.found)), "");
  Story doubtful = Good();  // nobody knows whether the last request was stored: it was
  doubtful.history.requests[3].outcome = SentRequest::Outcome::kUnknown;
  EXPECT_EQ(ToText(Judge(doubtful.history, doubtful.found)), "");
  Story recovered = Good();  // the disk failed, and the journal was opened anew before the last
  recovered.history.outages = {
      {recovered.history.requests[1].ended, recovered.history.requests[2].begun}};
  EXPECT_EQ(ToText(Judge(recovered.history, recovered.found)), "");
  Story refused = Good();  // refused at first, and taken when it was sent again
  SentRequest before = refused.history.requests[3];
  before.outcome = SentRequest::Outcome::kRefused;
  refused.history.requests.insert(refused.history.requests.end() - 1, before);
  EXPECT_EQ(ToText(Judge(refused.history, refused.found)), "");
  Story routed = Good();  // one was not for the target
  routed.history.unwanted["t"] = {104};
  routed.history.deliveries["t"].erase(routed.history.deliveries["t"].begin() + 2);
  for (Account* account :
       {&CursorOf(routed).account, &routed.history.cursors["target/t"].back().account}) {
    --account->delivered;
    ++account->filtered;
  }
  EXPECT_EQ(ToText(Judge(routed.history, routed.found)), "");
}

TEST(Checker, SeesEachLie) {
  EXPECT_GE(Lies().size(), 12u);
  for (const Lie& lie : Lies()) {
    Story story = Good();
    lie.tell(story);
    const auto wrong = Judge(story.history, story.found);
    bool seen = false;
    for (const Violation& violation : wrong) seen = seen || violation.rule == lie.rule;
    EXPECT_TRUE(seen) << lie.name << " does not break '" << lie.rule << "', but:\n"
                      << ToText(wrong);
  }
}

TEST(Checker, SeesWhatATargetNeverHad) {
  Story pending = Drained();
  CursorOf(pending) = Good().found.cursors["target/t"];
  EXPECT_NE(ToText(Judge(pending.history, pending.found)).find("delivered_never"),
            std::string::npos);
  Story counted = Drained();  // the account says delivered, the target knows nothing of it
  counted.history.deliveries["t"].pop_back();
  counted.history.deliveries["t"].pop_back();
  EXPECT_NE(ToText(Judge(counted.history, counted.found)).find("delivered_never"),
            std::string::npos);
  Story gone = Drained();  // evicted before the target had it, and only one of two is counted so
  --CursorOf(gone).account.evicted;
  ++CursorOf(gone).account.skipped;
  EXPECT_EQ(ToText(Judge(gone.history, gone.found)).find("delivered_never"), std::string::npos);
  --CursorOf(gone).account.skipped;
  EXPECT_NE(ToText(Judge(gone.history, gone.found)).find("delivered_never"), std::string::npos);
}

}  // namespace
}  // namespace spool::testing
