// Random operations on a journal against a plain list of what must be in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <random>

#include "tests/support/journal_fixture.h"

namespace spool {
namespace {

constexpr int kOperations = 300;
constexpr uint64_t kSeeds = 30;
constexpr std::array<const char*, 3> kNames = {"aged", "plain", "sized"};

class JournalModel : public JournalTest, public testing::WithParamInterface<uint64_t> {
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
    uint32_t duplicates = 0;
    const SystemTime now = clock.Now();
    for (uint64_t i = Pick(12); i > 0; --i) {
      const uint64_t number = Pick(4) == 0 ? Pick(next_number_) : next_number_++;
      const std::string name = kNames[Pick(kNames.size())];
      const std::string data(Pick(10) == 0 ? 20'000 : Pick(300), static_cast<char>('a' + Pick(26)));
      events.push_back(NumberedEvent(Stream(name), number, data));
      const auto seen = horizon_.find({origin, number});
      if (seen != horizon_.end() && now - seen->second <= options.dedupe_window) {
        ++duplicates;
        continue;
      }
      horizon_[{origin, number}] = now;
      stored[name].push_back({{}, 0, name, origin, IdOf(number), now, data});
    }
    const AppendResult result = Append(std::move(events), origin);
    uint32_t count = 0;
    for (const char* name : kNames) {  // one commit numbers stream by stream
      for (ReadEvent& event : stored[name]) {
        event.sequence = {all_.size() + 1};
        event.ordinal = ordinals_[name]++;
        all_.push_back(std::move(event));
        ++count;
      }
    }
    ASSERT_EQ(result.stored, count);
    ASSERT_EQ(result.duplicates, duplicates);
    ASSERT_EQ(journal->end(), Sequence{all_.size() + 1});
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
      if (status.name == "aged") {
        for (const auto& cursor : cursors_) {
          ASSERT_LE(status.evicted, cursor->OrdinalOf(status.id));
        }
      }
    }
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
  options.streams = {StreamNamed("aged"), StreamNamed("plain"), StreamNamed("sized")};
  options.streams[0].age_max = std::chrono::hours(1);
  options.streams[2].bytes_max = 8'000;
  options.streams[2].when_full = WhenFull::kDropOldest;
  OpenAll();
  for (int i = 0; i < kOperations && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("operation " + std::to_string(i));
    const uint64_t what = Pick(100);
    if (what < 40) {
      AppendSome();
    } else if (what < 70) {
      ReadSome();
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
  reader_.reset();
  cursors_.clear();
}

std::vector<uint64_t> Seeds() {
  if (const char* one = std::getenv("SPOOL_MODEL_SEED")) return {std::strtoull(one, nullptr, 10)};
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) seeds.push_back(seed);
  return seeds;
}
INSTANTIATE_TEST_SUITE_P(Seeds, JournalModel, testing::ValuesIn(Seeds()));

}  // namespace
}  // namespace spool
