// Random operations on a journal against a plain list of what must be in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

#include "tests/support/fault_profile.h"
#include "tests/support/journal_fixture.h"

namespace spool {
namespace {

constexpr int kOperations = 300;
constexpr std::array<const char*, 4> kNames = {"aged", "plain", "sized", "strict"};

// "aged" lets go of what is old and settled, "sized" of the oldest whatever its readers need,
// "strict" of what is settled, and refuses what comes when that is not enough.
class JournalModel : public JournalTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  uint64_t Pick(uint64_t below) { return random_() % below; }

  void OpenAll() {
    Open();
    StreamSet two = Only("aged");
    two.Add(Stream("plain"));
    cursors_.clear();
    cursors_.push_back(journal->OpenCursor({"target/two", two, {1}}).value());
    cursors_.push_back(journal->OpenCursor({"target/all", journal->AllStreams(), {1}}).value());
  }

  void AppendSome() {
    const std::string origin = Pick(2) == 0 ? "web" : "mail";
    std::vector<Event> events;
    std::map<std::string, std::vector<ReadEvent>> stored;
    std::map<std::pair<std::string, uint64_t>, SystemTime> seen = horizon_;
    uint32_t duplicates = 0;
    bool strict = false;
    const SystemTime now = clock.Now();
    for (uint64_t i = Pick(12); i > 0; --i) {
      const uint64_t number = Pick(4) == 0 ? Pick(next_number_) : next_number_++;
      const std::string name = kNames[Pick(kNames.size())];
      const std::string data(Pick(10) == 0 ? 20'000 : Pick(300), static_cast<char>('a' + Pick(26)));
      events.push_back(NumberedEvent(Stream(name), number, data));
      strict |= name == "strict";
      const auto before = seen.find({origin, number});
      if (before != seen.end() && now - before->second <= options.dedupe_window) {
        ++duplicates;
        continue;
      }
      seen[{origin, number}] = now;
      stored[name].push_back({{}, 0, name, origin, IdOf(number), now, data});
    }
    const bool full_before = StatusOf("strict").full;
    Result<AppendResult> result = journal->AppendAndWait(events, origin);
    if (!result) {
      ASSERT_EQ(result.error().code, Code::kFull) << result.error().message;
      ASSERT_TRUE(strict) << "no other stream may refuse";
      ++refused_;
      ASSERT_EQ(journal->end(), Sequence{all_.size() + 1});
      ASSERT_NO_FATAL_FAILURE(CheckRetention());
      if (StatusOf("strict").full) return;
      // There is room again, and nothing of the request was taken or remembered as a repeat.
      result = journal->AppendAndWait(events, origin);
      ASSERT_TRUE(result) << result.error().message;
    } else if (strict && full_before) {
      // Retention works by itself, too.
      ASSERT_FALSE(StatusOf("strict").full) << "a full stream took events";
    }
    horizon_ = std::move(seen);
    uint32_t count = 0;
    for (const char* name : kNames) {  // one commit numbers stream by stream
      for (ReadEvent& event : stored[name]) {
        event.sequence = {all_.size() + 1};
        event.ordinal = ordinals_[name]++;
        all_.push_back(std::move(event));
        ++count;
      }
    }
    ASSERT_EQ(result->stored, count);
    ASSERT_EQ(result->duplicates, duplicates);
    ASSERT_EQ(journal->end(), Sequence{all_.size() + 1});
  }

  std::map<std::string, uint64_t> Evicted() const {
    std::map<std::string, uint64_t> evicted;
    for (const auto& status : journal->Streams()) evicted[status.name] = status.evicted;
    return evicted;
  }

  // Searches by accept time: an event's own, a microsecond beside it, and before and after all.
  void FindSome() {
    SystemTime time =
        all_.empty() || Pick(10) == 0 ? clock.Now() : all_[Pick(all_.size())].accepted;
    time += Micros(static_cast<int64_t>(Pick(3)) - 1);
    if (Pick(20) == 0) time = SystemTime{};
    for (;;) {
      const auto evicted = Evicted();
      const auto found = journal->Find(time);
      ASSERT_TRUE(found) << found.error().message;
      if (Evicted() != evicted) continue;  // retention works by itself, too
      Sequence expected = journal->end();
      for (const ReadEvent& event : all_) {
        if (event.accepted < time || event.ordinal < evicted.at(event.stream)) continue;
        expected = event.sequence;
        break;
      }
      ASSERT_EQ(*found, expected);
      return;
    }
  }

  // Reads once and compares with the list, less what the page says is lost.
  void ReadSome() {
    if (Pick(3) == 0 || reader_ == nullptr) {
      read_names_.clear();
      StreamSet set;
      for (const char* name : kNames) {
        if (Pick(2) == 0) continue;
        set.Add(Stream(name));
        read_names_[name] = true;
      }
      reader_ = journal->NewReader(set);
      from_ = {1};
    }
    if (Pick(3) == 0) from_ = {1 + Pick(all_.size() + 1)};
    const ReadLimits limits{1 + Pick(40), 1 + Pick(30'000)};
    auto page = reader_->Read(from_, limits);
    ASSERT_TRUE(page) << page.error().message;
    const ReadAnswer answer = Copy(*page);
    std::map<std::string, LostRange> lost;
    for (const LostRange& range : answer.lost) lost[journal->StreamName(range.stream)] = range;
    std::vector<ReadEvent> expected;
    size_t bytes = 0;
    bool limited = false;
    for (size_t i = from_.value - 1; i < all_.size(); ++i) {
      const ReadEvent& event = all_[i];
      if (!read_names_.contains(event.stream)) continue;
      const auto gone = lost.find(event.stream);
      if (gone != lost.end()) {
        ASSERT_EQ(event.ordinal < gone->second.ordinal, event.sequence < gone->second.end);
        if (event.sequence < gone->second.end) continue;
      }
      if (!expected.empty() &&
          (expected.size() >= limits.events_max || bytes >= limits.bytes_max)) {
        limited = true;
        break;
      }
      expected.push_back(event);
      bytes += event.data.size();
    }
    ASSERT_EQ(answer.events, expected);
    ASSERT_GE(answer.next, from_);
    if (!expected.empty()) {
      ASSERT_GT(answer.next, expected.back().sequence);
    }
    if (expected.empty()) {
      ASSERT_EQ(answer.next, std::max(from_, journal->end()));
    }
    if (limited) {
      ASSERT_LT(answer.next, journal->end());
    }
    from_ = answer.next;
  }

  // Settles a random part of what the cursor has before it.
  void AdvanceSome() {
    Cursor& cursor = *cursors_[Pick(cursors_.size())];
    auto page = journal->NewReader(cursor.streams())->Read(cursor.next(), {1 + Pick(100), 1 << 20});
    ASSERT_TRUE(page) << page.error().message;
    Settlement s;
    s.next = page->next;
    std::map<StreamId, uint64_t> places;
    for (const LostRange& lost : page->lost) {
      const uint64_t place = cursor.OrdinalOf(lost.stream);
      if (lost.ordinal <= place) continue;
      s.evicted += lost.ordinal - place;
      places[lost.stream] = lost.ordinal;
    }
    for (const EventView& event : page->events) {
      Pick(3) == 0 ? ++s.filtered : ++s.delivered;
      places[event.stream_id] = event.ordinal + 1;
    }
    for (const auto& [stream, ordinal] : places) s.moves.push_back({stream, ordinal});
    ASSERT_TRUE(cursor.Advance(s));
  }

  void CheckAccounts() {
    for (const auto& cursor : cursors_) {
      uint64_t accepted = 0;
      for (const auto& [name, ordinal] : ordinals_) {
        if (cursor->streams().Contains(Stream(name))) accepted += ordinal;
      }
      const Account a = cursor->account();
      ASSERT_EQ(a.accepted, accepted);
      ASSERT_EQ(a.accepted, a.settled() + a.pending);
    }
  }

  // Only the stream that says so may lose what a cursor has not settled.
  void CheckRetention() {
    ASSERT_TRUE(journal->RunRetention());
    for (const auto& status : journal->Streams()) {
      ASSERT_EQ(status.events + status.evicted, ordinals_[status.name]);
      if (status.name == "plain") {
        ASSERT_EQ(status.evicted, 0u);
      }
      if (status.name == "sized") {
        ASSERT_LE(status.bytes, status.bytes_max);
      }
      if (status.name == "aged" || status.name == "strict") {
        for (const auto& cursor : cursors_) {
          if (!cursor->streams().Contains(status.id)) continue;
          ASSERT_LE(status.evicted, cursor->OrdinalOf(status.id));
        }
      }
      ASSERT_EQ(status.full, status.name == "strict" && status.bytes > status.bytes_max);
    }
  }

  // However the operations went, every run ends with a stream that is full and has room again.
  void FillUntilRefused() {
    for (int i = 0; i < 500 && !(refused_ > 0 && StatusOf("strict").full); ++i) {
      AppendSome();
      if (!HasFatalFailure()) CheckRetention();
      if (HasFatalFailure()) return;
    }
    ASSERT_TRUE(StatusOf("strict").full);
    for (const auto& cursor : cursors_) {
      while (cursor->next() < journal->end() && !HasFatalFailure()) AdvanceSome();
    }
    ASSERT_NO_FATAL_FAILURE(CheckRetention());
    ASSERT_FALSE(StatusOf("strict").full);
    ASSERT_NO_FATAL_FAILURE(AppendSome());
    ASSERT_NO_FATAL_FAILURE(CheckAccounts());
  }

  void Restart() {
    std::vector<Sequence> places;
    for (const auto& cursor : cursors_) places.push_back(cursor->next());
    reader_.reset();
    cursors_.clear();
    journal.reset();
    OpenAll();
    for (size_t i = 0; i < cursors_.size(); ++i) ASSERT_EQ(cursors_[i]->next(), places[i]);
    ASSERT_EQ(journal->end(), Sequence{all_.size() + 1});
    // The horizon is rebuilt from what is still stored.
    for (const ReadEvent& event : all_) {
      if (event.ordinal >= StatusOf(event.stream).evicted) continue;
      std::erase_if(horizon_, [&](const auto& entry) {
        return entry.first.first == event.origin && IdOf(entry.first.second) == event.id &&
               entry.second == event.accepted;
      });
    }
  }

  std::mt19937_64 random_;
  int refused_ = 0;             // requests, because a stream was full
  std::vector<ReadEvent> all_;  // by sequence
  std::map<std::string, uint64_t> ordinals_;
  std::map<std::pair<std::string, uint64_t>, SystemTime> horizon_;
  uint64_t next_number_ = 1;
  std::vector<std::unique_ptr<Cursor>> cursors_;
  std::unique_ptr<Reader> reader_;
  std::map<std::string, bool> read_names_;
  Sequence from_{1};
};

TEST_P(JournalModel, AgreesWithAPlainListAfterRandomOperations) {
  const uint64_t seed = GetParam();
  SCOPED_TRACE("SPOOL_MODEL_SEED=" + std::to_string(seed));
  random_.seed(seed);
  options.streams.clear();
  for (const char* name : kNames) options.streams.push_back(StreamNamed(name));
  options.streams[0].age_max = std::chrono::hours(1);
  options.streams[2].bytes_max = 8'000;
  options.streams[2].when_full = WhenFull::kDropOldest;
  options.streams[3].bytes_max = 8'000;
  OpenAll();
  for (int i = 0; i < kOperations && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("operation " + std::to_string(i));
    const uint64_t what = Pick(100);
    if (what < 38) {
      AppendSome();
    } else if (what < 64) {
      ReadSome();
    } else if (what < 72) {
      FindSome();
    } else if (what < 85) {
      AdvanceSome();
    } else if (what < 91) {
      clock.Advance(std::chrono::minutes(Pick(25)));
    } else if (what < 97) {
      CheckRetention();
    } else {
      Restart();
    }
    if (!HasFatalFailure()) CheckAccounts();
  }
  if (!HasFatalFailure()) FillUntilRefused();
  reader_.reset();
  cursors_.clear();
}

INSTANTIATE_TEST_SUITE_P(Seeds, JournalModel,
                         ::testing::ValuesIn(testing::FaultProfile("MODEL", 30).Seeds()));

}  // namespace
}  // namespace spool
