// Tables of which a block cannot be read, family by family: what is damaged stops no more than it
// must, and a repair makes a journal that starts and knows what it lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>

#include "spool/offline.h"
#include "spool/records.h"
#include "spool/rocks_store.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/raw_store.h"

namespace spool {
namespace {

namespace fs = std::filesystem;

class Repair : public JournalTest {
 protected:
  static constexpr uint64_t kEvents = 40;
  static constexpr int kRecords = 99;

  static std::string Noise(size_t size, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::string text(size, ' ');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  }
  static std::string RecordKey(int i) { return "noise/" + std::to_string(100 + i); }

  // Events of two streams, a target that has had half of them, records over several blocks, and of
  // `events` the first ten gone by retention.
  void Fill() {
    options.streams[1].age_max = std::chrono::hours(1);
    Open();
    auto other = journal->OpenCursor({"target/other", Only("audit"), {1}});
    ASSERT_TRUE(other);
    AppendNumbers("events", 0, 10, Noise(3000, 1));
    clock.Advance(std::chrono::hours(2));
    for (uint64_t i = 10; i < kEvents; i += 2) {
      AppendNumbers(i % 4 == 0 ? "audit" : "events", i, 2, Noise(3000, i));
    }
    ASSERT_TRUE(journal->RunRetention());
    ASSERT_EQ(StatusOf("events").evicted, 10u);
    auto cursor = journal->OpenCursor({"target/mail", journal->AllStreams(), {11}});
    ASSERT_TRUE(cursor);
    ASSERT_TRUE((*cursor)->SkipTo({21}, "operator"));
    for (int i = 0; i < kRecords; ++i) {
      ASSERT_TRUE(
          journal->records().Put(RecordKey(i), Noise(1500, 1000 + static_cast<uint64_t>(i))));
    }
    cursor->reset();
    other->reset();
    journal.reset();
    RawStore(options.dir).Settle();
  }

  // The database opens, `key` cannot be read and `whole` can.
  bool OnlySpoils(const std::string& family, const std::string& key,
                  const std::string& whole) const {
    const auto store = RocksStore::OpenReadOnly(options.dir + "/db");
    if (!store) return false;
    const FamilyId id = (*store)->Family(family);
    return !(*store)->Get(id, key) && (*store)->Get(id, whole);
  }
  // Spoils a block of a table so that `key` cannot be read, though the database opens and `whole`
  // can.
  void Spoil(const std::string& family, const std::string& key, const std::string& whole) {
    std::string name;
    {
      const auto store = RocksStore::OpenReadOnly(options.dir + "/db");
      ASSERT_TRUE(store);
      name = (*store)->FileOf((*store)->Family(family), key);
    }
    ASSERT_FALSE(name.empty()) << key << " is in no table";
    const std::string path = options.dir + "/db/" + name;
    std::ifstream in(path, std::ios::binary);
    const std::string sound{std::istreambuf_iterator<char>(in), {}};
    const auto spoiled_at = [&](size_t at) {
      std::string spoiled = sound;
      for (size_t i = 0; i < 16; ++i) spoiled[at + i] = static_cast<char>(~spoiled[at + i]);
      std::ofstream(path, std::ios::binary | std::ios::trunc) << spoiled;
      return OnlySpoils(family, key, whole);
    };
    // Every 64th byte in the end, but far apart at first: a look opens the database, and what is
    // spoiled is a whole block, wherever it is hit. The last block is a small one; behind it is the
    // table's own description, which the database does not check as it reads it.
    constexpr size_t kWidest = 4096;
    const size_t end = sound.size() > 2 * kWidest ? sound.size() - kWidest : 0;
    const auto among_the_first = [&](size_t widest, size_t narrowest) {
      for (size_t step = widest; step >= narrowest; step /= 2) {
        const bool first = step == kWidest;  // later, what lies halfway between those before
        for (size_t at = 64 + (first ? 0 : step); at < end; at += first ? step : 2 * step) {
          if (spoiled_at(at)) return true;
        }
      }
      return false;
    };
    if (among_the_first(kWidest, 1024)) return;
    for (size_t at = std::max<size_t>(64, end); at + 64 < sound.size(); at += 64) {
      if (spoiled_at(at)) return;
    }
    if (among_the_first(512, 64)) return;
    FAIL() << "no block holds " << key << " without " << whole;
  }
  RepairReport MustRepair() {
    const auto found = InspectOffline(options.dir, true, nullptr);
    EXPECT_TRUE(found && found->damage_in_all > 0);
    const auto looked = RepairOffline(options.dir, false, clock.Now());
    EXPECT_TRUE(looked && !looked->lost.empty()) << "a repair says beforehand what is damaged";
    auto repaired = RepairOffline(options.dir, true, clock.Now());
    EXPECT_TRUE(repaired) << repaired.error().message;
    const auto after = InspectOffline(options.dir, true, nullptr);
    EXPECT_TRUE(after && after->damage_in_all == 0)
        << (after && after->damage_in_all > 0 ? after->damage[0].what : "");
    return repaired.value_or(RepairReport{});
  }
  bool Says(const RepairReport& report, const std::string& text) const {
    return std::any_of(report.steps.begin(), report.steps.end(), [&](const std::string& step) {
      return step.find(text) != std::string::npos;
    });
  }
  // All events that retention had left are there, and nothing is told to be lost.
  void ExpectAllEvents() {
    const size_t kept = ReadAll(journal->AllStreams(), journal->stored().first).size();
    EXPECT_GE(kept, kEvents - 10);
    EXPECT_EQ(kept + StatusOf("events").evicted, kEvents);
    for (const Marker& marker : journal->Markers()) EXPECT_NE(marker.kind, Marker::Kind::kLost);
  }
  std::optional<CursorStatus> CursorOf(const std::string& name) const {
    for (CursorStatus& cursor : journal->Cursors()) {
      if (cursor.name == name) return std::move(cursor);
    }
    return std::nullopt;
  }
};

TEST_F(Repair, RecordsThatCannotBeReadCostThemselvesAndNoPlace) {
  Fill();
  Spoil("default", "r/" + RecordKey(50), "c/target/mail");
  const RepairReport report = MustRepair();
  EXPECT_TRUE(Says(report, "replays may be gone"));
  EXPECT_FALSE(Says(report, "places of targets"));
  Open();
  EXPECT_FALSE(journal->places_lost());
  ExpectAllEvents();
  const auto cursor = CursorOf("target/mail");
  ASSERT_TRUE(cursor);
  EXPECT_EQ(cursor->next, Sequence{21});
  EXPECT_EQ(cursor->account.skipped, 10u);
  int there = 0;
  for (int i = 0; i < kRecords; ++i) {
    const auto record = journal->records().Get(RecordKey(i));
    ASSERT_TRUE(record);
    if (!*record) continue;
    EXPECT_EQ(**record, Noise(1500, 1000 + static_cast<uint64_t>(i)));
    ++there;
  }
  EXPECT_LT(there, kRecords);
  EXPECT_GE(there, kRecords - 25) << "a block, not a table";
}

TEST_F(Repair, ATargetWhosePlaceCannotBeReadBeginsAgainInsteadOfLeavingOut) {
  Fill();
  Spoil("default", "c/target/mail", "t/events");
  ASSERT_FALSE(Journal::Open(options)) << "a journal without its places is not served";
  const RepairReport report = MustRepair();
  EXPECT_TRUE(Says(report, "places of targets may be gone"));
  EXPECT_TRUE(Says(report, "begins at the oldest event"));
  Open();
  ExpectAllEvents();
  EXPECT_TRUE(journal->places_lost());
  Reopen();
  EXPECT_TRUE(journal->places_lost()) << "until somebody has taken a place";
  ASSERT_TRUE(journal->PlacesAreTaken());
  EXPECT_FALSE(journal->places_lost());
  Reopen();
  EXPECT_FALSE(journal->places_lost());
}

TEST_F(Repair, WhereRetentionLeftAStreamIsMadeUpFromWhatIsThere) {
  Fill();
  Spoil("default", "t/events", "c/target/mail");
  ASSERT_FALSE(Journal::Open(options));
  const RepairReport report = MustRepair();
  EXPECT_TRUE(Says(report, "made up"));
  EXPECT_TRUE(report.lost.empty()) << report.lost[0].what;
  Open();
  ExpectAllEvents();
  const auto cursor = CursorOf("target/mail");
  ASSERT_TRUE(cursor);
  EXPECT_EQ(cursor->next, Sequence{21});
  EXPECT_EQ(cursor->account.accepted, cursor->account.settled() + cursor->account.pending);
}

TEST_F(Repair, DeadLettersThatCannotBeReadCostThemselvesAndNoStart) {
  Open();
  auto cursor = journal->OpenCursor({"target/mail", Only("events"), {1}});
  ASSERT_TRUE(cursor);
  constexpr uint64_t kLetters = 80;
  AppendNumbers("events", 0, kLetters);
  Settlement settled;
  settled.next = {kLetters + 1};
  settled.moves = {{Stream("events"), kLetters}};
  for (uint64_t i = 0; i < kLetters; ++i) {
    DeadLetter letter;
    letter.id = {"mail", {i + 1}, ""};
    letter.event_id = IdOf(i);
    letter.reason = "rejected";
    letter.stream = "events";
    letter.record = NumberedEvent(Stream("events"), i, Noise(2000, i)).record;
    settled.dead.push_back(std::move(letter));
  }
  ASSERT_TRUE((*cursor)->Advance(settled));
  cursor->reset();
  journal.reset();
  RawStore(options.dir).Settle();
  std::string middle;
  std::string first;
  {
    const auto store = RocksStore::OpenReadOnly(options.dir + "/db");
    ASSERT_TRUE(store);
    const auto it = (*store)->NewIterator((*store)->Family("dead_letters"));
    it->SeekToFirst();
    first = it->key();
    for (uint64_t i = 0; i < kLetters / 2; ++i) it->Next();
    middle = it->key();
  }
  Spoil("dead_letters", middle, first);
  Open();  // the others go on
  journal.reset();
  const RepairReport report = MustRepair();
  EXPECT_TRUE(Says(report, "some dead letters are given up"));
  Open();
  const auto letters = journal->dead_letters().List("mail", std::nullopt, 1000);
  ASSERT_TRUE(letters) << letters.error().message;
  EXPECT_LT(letters->size(), kLetters);
  EXPECT_GE(letters->size(), kLetters - 20) << "a block, not a table";
  ASSERT_EQ(journal->dead_letters().Totals().size(), 1u);
  EXPECT_EQ(journal->dead_letters().Totals()[0].count, letters->size());
}

// With the horizon of repeats as it is in production, which reads the newest chunks at a start.
TEST_F(Repair, ABlockAmongTheNewestChunksKeepsNoOtherStreamFromGoingOn) {
  Fill();
  ASSERT_GT(options.dedupe_entries, kEvents);
  std::string last, key;
  {
    const auto store = RocksStore::OpenReadOnly(options.dir + "/db");
    ASSERT_TRUE(store);
    const auto it = (*store)->NewIterator((*store)->Family("stream:events"));
    it->SeekToLast();
    last = it->key();
    it->Prev();
    it->Prev();
    it->Prev();
    key = it->key();
  }
  Spoil("stream:events", key, last);
  Open();
  EXPECT_EQ(AppendNumbers("audit", 500, 1).stored, 1u);
  EXPECT_EQ(AppendNumbers("events", 501, 1).stored, 1u);
  EXPECT_EQ(ReadAll(Only("audit")).size(), StatusOf("audit").events);
}

// Dead letters are not read at a start; what is bad among them is met when their tables are merged.
TEST_F(Repair, DamageThatIsMetInTheBackgroundIsServedAsDamageNotAgainAndAgain) {
  std::atomic<int> failures{0};
  options.on_fatal = [&](const Error&) { ++failures; };
  uint64_t number = 0;
  // Each life that ends leaves a table; the database merges them when there are some. False when
  // the journal is refused as damaged.
  const auto live = [&] {
    auto opened = Journal::Open(options);
    if (!opened) {
      EXPECT_EQ(opened.error().code, Code::kDamaged) << opened.error().message;
      return false;
    }
    journal = std::move(*opened);
    auto cursor = journal->OpenCursor({"target/mail", Only("events"), {1}});
    if (!cursor) {  // it has met the damage by now
      journal.reset();
      return true;
    }
    Settlement settled;
    for (int i = 0; i < 8; ++i) {
      const Event event = NumberedEvent(Stream("events"), number, Noise(2000, number));
      if (!journal->AppendAndWait({event}, "web")) break;  // it has met the damage by now
      DeadLetter letter;  // of two targets, so that all tables overlap
      letter.id = {number % 2 == 0 ? "a" : "z", {number + 1}, ""};
      letter.event_id = IdOf(number++);
      letter.reason = "rejected";
      letter.record = event.record;
      settled.dead.push_back(std::move(letter));
    }
    settled.next = {number + 1};
    settled.moves = {{Stream("events"), number}};
    if (!settled.dead.empty()) static_cast<void>((*cursor)->Advance(settled));
    cursor->reset();
    journal.reset();
    return true;
  };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(live());
  std::string first, last;
  {
    const auto store = RocksStore::OpenReadOnly(options.dir + "/db");
    ASSERT_TRUE(store);
    const auto it = (*store)->NewIterator((*store)->Family("dead_letters"));
    it->SeekToFirst();
    first = it->key();
    it->SeekToLast();
    last = it->key();
  }
  Spoil("dead_letters", first, last);
  bool damaged = false;
  for (int i = 0; i < 20 && !damaged; ++i) damaged = !live();
  EXPECT_TRUE(damaged);
  EXPECT_EQ(failures, 1);
  EXPECT_TRUE(Says(MustRepair(), "some dead letters are given up"));
  Open();
  EXPECT_TRUE(journal->dead_letters().List("a", std::nullopt, 1000));
  EXPECT_TRUE(journal->dead_letters().List("z", std::nullopt, 1000));
}

TEST_F(Repair, AStreamThatCannotGiveWayKeepsItsLimit) {
  options.streams[0].bytes_max = 20'000;
  options.streams[0].when_full = WhenFull::kDropOldest;
  Open();
  for (uint64_t i = 0; i < 5; ++i) AppendNumbers("audit", i, 1, Noise(3000, i));
  journal.reset();
  RawStore(options.dir).Change("stream:audit", 0, [](std::string& value) { value = "junk"; });
  Open();
  for (uint64_t i = 5; i < 10; ++i) AppendNumbers("audit", i, 1, Noise(3000, i));
  EXPECT_FALSE(journal->RunRetention());
  const auto refused =
      journal->AppendAndWait({NumberedEvent(Stream("audit"), 99, Noise(3000, 99))}, "web");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFull);
  EXPECT_EQ(AppendNumbers("events", 100, 1).stored, 1u);
}

}  // namespace
}  // namespace spool
