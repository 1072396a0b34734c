// Looking at a journal that nobody has open, and making a damaged one usable again.
#include "spool/offline.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "spool/watermark.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/raw_store.h"

namespace spool {
namespace {

namespace fs = std::filesystem;

class Offline : public JournalTest {
 protected:
  Offline() { options.streams = {StreamNamed("a"), StreamNamed("b")}; }

  static std::string Noise(size_t size, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::string text(size, ' ');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  }
  // Ten commits of two events in turn: a has 1-2, 5-6, …, b has 3-4, 7-8, …, 40 in all.
  void FillAndClose(size_t bytes = 2) {
    Open();
    auto cursor = journal->OpenCursor({"target/t", journal->AllStreams(), {1}});
    ASSERT_TRUE(cursor);
    for (uint64_t i = 0; i < 20; ++i) {
      AppendNumbers(i % 2 == 0 ? "a" : "b", i * 2, 2, Noise(bytes, i));
    }
    cursor->reset();
    journal.reset();
  }
  OfflineReport Verify() {
    auto report = InspectOffline(options.dir, true, nullptr);
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : OfflineReport();
  }
  RepairReport Repair() {
    auto report = RepairOffline(options.dir, true, clock.Now());
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : RepairReport();
  }
  // Opens, reads everything, and says which sequences are there; lost ones are counted.
  std::vector<uint64_t> Sequences(uint64_t* lost) {
    Open();
    std::vector<uint64_t> all;
    *lost = 0;
    std::array<uint64_t, 2> next{};
    const auto reader = journal->NewReader(journal->AllStreams());
    for (Sequence from{1}; from < journal->end();) {
      const auto page = reader->Read(from, {.events_max = 3});
      if (!page) {
        ADD_FAILURE() << page.error().message;
        break;
      }
      for (const LostRange& range : page->lost) {
        *lost += range.ordinal - next[range.stream.value];
        next[range.stream.value] = range.ordinal;
      }
      for (const EventView& event : page->events) {
        EXPECT_EQ(event.ordinal, next[event.stream_id.value]++);
        all.push_back(event.sequence.value);
      }
      if (page->next <= from) {
        ADD_FAILURE() << "no way on from " << from.value;
        break;
      }
      from = page->next;
    }
    return all;
  }
};

TEST_F(Offline, ASoundJournalIsDescribedAndNothingIsWrongWithIt) {
  FillAndClose();
  const OfflineReport report = Verify();
  EXPECT_EQ(report.damage_in_all, 0u) << report.damage[0].what;
  EXPECT_EQ(report.end, Sequence{41});
  EXPECT_EQ(report.watermark, Sequence{41});
  ASSERT_EQ(report.streams.size(), 2u);
  EXPECT_EQ(report.streams[0].name, "a");
  EXPECT_EQ(report.streams[0].events, 20u);
  EXPECT_EQ(report.streams[0].chunks, 10u);
  EXPECT_EQ(report.streams[1].range, (SequenceRange{{1}, {41}}));
  ASSERT_EQ(report.cursors.size(), 1u);
  EXPECT_EQ(report.cursors[0].account.pending, 40u);
}

TEST_F(Offline, AJournalInUseIsLeftAloneAndNoneIsNotMade) {
  Open();
  const auto used = InspectOffline(options.dir, true, nullptr);
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, Code::kConflict);
  const std::string none = scratch.path() + "/none";
  EXPECT_EQ(InspectOffline(none, true, nullptr).error().code, Code::kNotFound);
  EXPECT_FALSE(fs::exists(none));
  fs::create_directory(none);
  EXPECT_EQ(RepairOffline(none, true, clock.Now()).error().code, Code::kNotFound);
  EXPECT_TRUE(fs::is_empty(none));
}

TEST_F(Offline, ASnapshotMadeWhileEventsComeRestores) {
  Open();
  for (uint64_t i = 0; i < 5; ++i) AppendNumbers("a", i * 10, 10);
  auto cursor = journal->OpenCursor({"target/t", Only("a"), {1}});
  ASSERT_TRUE(cursor);
  ASSERT_TRUE((*cursor)->SkipTo({11}, "operator"));
  std::atomic<bool> stop{false};
  std::thread appending([&] {
    for (uint64_t i = 100; !stop; ++i) AppendNumbers("b", i, 1);
  });
  const std::string copy = scratch.path() + "/copy";
  const auto end = journal->Snapshot(copy);
  stop = true;
  appending.join();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_GE(*end, Sequence{51});
  EXPECT_EQ(journal->Snapshot(copy).error().code, Code::kConflict);
  EXPECT_FALSE(fs::exists(copy + ".partial"));
  // Something of the name under which it is made is somebody's, and stays.
  const std::string other = scratch.path() + "/other";
  fs::create_directory(other + ".partial");
  std::ofstream(other + ".partial/theirs") << "x";
  EXPECT_EQ(journal->Snapshot(other).error().code, Code::kConflict);
  EXPECT_TRUE(fs::exists(other + ".partial/theirs"));
  // What stands beside a journal is there before the copy has its name, or there is no copy.
  const std::string third = scratch.path() + "/third";
  EXPECT_TRUE(journal->Snapshot(third, [&](const std::string& dir) -> Status {
    EXPECT_FALSE(fs::exists(third));
    std::ofstream(dir + "/KEY") << "k";
    return {};
  }));
  EXPECT_TRUE(fs::exists(third + "/KEY"));
  const std::string fourth = scratch.path() + "/fourth";
  const auto refused = journal->Snapshot(
      fourth, [](const std::string&) -> Status { return Fail(Code::kStorage, "no key"); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "no key");
  EXPECT_FALSE(fs::exists(fourth) || fs::exists(fourth + ".partial"));
  cursor->reset();
  journal.reset();
  const auto report = InspectOffline(copy, true, nullptr);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->damage_in_all, 0u) << report->damage[0].what;
  options.dir = copy;
  Open();
  EXPECT_GE(journal->end(), *end);
  EXPECT_EQ(ReadAll(Only("a")).size(), 50u);
  EXPECT_EQ(journal->Cursors()[0].account.skipped, 10u);
}

TEST_F(Offline, ADamagedChunkIsNamedAndGivenUpOnlyWhenAsked) {
  FillAndClose();
  RawStore(options.dir).Change("stream:b", 3, [](std::string& value) { value.back() ^= 1; });
  const OfflineReport report = Verify();
  ASSERT_EQ(report.damage_in_all, 1u);
  EXPECT_EQ(report.damage[0].stream, "b");
  EXPECT_EQ(report.damage[0].range, (SequenceRange{{15}, {17}}));
  const auto looked = RepairOffline(options.dir, false, clock.Now());
  ASSERT_TRUE(looked);
  EXPECT_EQ(looked->lost.size(), 1u);
  EXPECT_EQ(Verify().damage_in_all, 1u);  // nothing was changed
  const RepairReport repaired = Repair();
  ASSERT_EQ(repaired.lost.size(), 1u);
  EXPECT_EQ(repaired.lost[0].range, (SequenceRange{{15}, {17}}));
  EXPECT_EQ(Verify().damage_in_all, 0u);
  uint64_t lost = 0;
  const auto sequences = Sequences(&lost);
  EXPECT_EQ(sequences.size(), 38u);
  EXPECT_EQ(lost, 2u);
  ASSERT_EQ(journal->Markers().size(), 1u);
  const Marker marker = journal->Markers()[0];
  EXPECT_EQ(marker.kind, Marker::Kind::kLost);
  EXPECT_EQ(marker.subject, "b");
  EXPECT_EQ(marker.range, (SequenceRange{{15}, {17}}));
  EXPECT_EQ(marker.events, 2u);
}

TEST_F(Offline, ChunksThatAreRubbishSideBySideAndAtBothEndsAreGivenUpExactly) {
  FillAndClose();
  {
    RawStore raw(options.dir);
    for (const int i : {0, 1, 5, 9}) {
      raw.Change("stream:b", i, [](std::string& value) { value = "rubbish"; });
    }
  }
  ASSERT_FALSE(Journal::Open(options));
  const RepairReport repaired = Repair();
  EXPECT_EQ(repaired.lost.size(), 4u);
  EXPECT_EQ(Verify().damage_in_all, 0u);
  uint64_t lost = 0;
  EXPECT_EQ(Sequences(&lost).size(), 32u);
  EXPECT_EQ(lost, 8u);
  EXPECT_EQ(journal->end(), Sequence{41});
}

TEST_F(Offline, AChunkThatIsGoneIsNoticedByItsNeighbours) {
  FillAndClose();
  {
    RawStore raw(options.dir);
    raw.Remove("stream:a", 4);
    raw.Remove("stream:a", 4);
  }
  const OfflineReport report = Verify();
  ASSERT_EQ(report.damage_in_all, 1u);
  EXPECT_EQ(report.damage[0].events, 4u);
  Repair();
  EXPECT_EQ(Verify().damage_in_all, 0u);
  uint64_t lost = 0;
  EXPECT_EQ(Sequences(&lost).size(), 36u);
  EXPECT_EQ(lost, 4u);
}

TEST_F(Offline, ALogThatIsGoneIsGivenUpAndItsSequencesAreNotGivenAgain) {
  Open();
  AppendNumbers("a", 0, 10);
  Reopen();
  auto cursor = journal->OpenCursor({"target/t", Only("a"), {1}});
  ASSERT_TRUE(cursor);
  AppendNumbers("a", 10, 10);
  ASSERT_TRUE((*cursor)->SkipTo({16}, "operator"));
  cursor->reset();
  journal.reset();
  for (const auto& entry : fs::directory_iterator(options.dir + "/db")) {
    if (entry.path().extension() == ".log") fs::remove(entry.path());
  }
  const OfflineReport report = Verify();
  EXPECT_GE(report.damage_in_all, 1u);
  EXPECT_EQ(report.damage[0].range, (SequenceRange{{11}, {21}}));
  Repair();
  Open();
  EXPECT_EQ(journal->end(), Sequence{21});
  EXPECT_EQ(AppendNumbers("a", 50, 1).first, Sequence{21});
  EXPECT_EQ(ReadAll(Only("a")).size(), 11u);
  Reopen();
  EXPECT_EQ(journal->end(), Sequence{22});
}

TEST_F(Offline, ACursorBeyondWhatIsLeftComesBackWithItsAccountInBalance) {
  FillAndClose();
  Open();
  auto cursor = journal->OpenCursor({"target/t", journal->AllStreams(), {1}});
  ASSERT_TRUE(cursor);
  ASSERT_TRUE((*cursor)->SkipTo({41}, "operator"));
  cursor->reset();
  journal.reset();
  {
    RawStore raw(options.dir);
    raw.Remove("stream:b", 9);
    raw.Remove("stream:b", 8);
  }
  fs::remove(options.dir + "/WATERMARK");  // or the lost events would keep their places
  ASSERT_FALSE(Journal::Open(options));
  Repair();
  Open();
  const auto cursors = journal->Cursors();
  ASSERT_EQ(cursors.size(), 1u);
  const Account& account = cursors[0].account;
  EXPECT_EQ(account.accepted, account.settled() + account.pending);
  EXPECT_EQ(account.skipped, 36u);
}

TEST_F(Offline, ATableFileThatIsGoneOrHasABadBlockCostsWhatWasInItAndNoMore) {
  for (const bool gone : {true, false}) {
    SCOPED_TRACE(gone ? "gone" : "a bad block");
    fs::remove_all(options.dir);
    FillAndClose(20000);
    RawStore(options.dir).Settle();
    Open();
    AppendNumbers("a", 100, 5);
    journal.reset();
    fs::path largest;
    for (const auto& entry : fs::directory_iterator(options.dir + "/db")) {
      if (entry.path().extension() != ".sst") continue;
      if (largest.empty() || entry.file_size() > fs::file_size(largest)) largest = entry.path();
    }
    ASSERT_FALSE(largest.empty());
    if (gone) {
      fs::remove(largest);
    } else {
      std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(100'000);
      file.write(std::string(64, 'X').data(), 64);
    }
    EXPECT_GE(Verify().damage_in_all, 1u);
    Repair();
    const OfflineReport after = Verify();
    EXPECT_EQ(after.damage_in_all, 0u) << after.damage[0].what;
    uint64_t lost = 0;
    const auto sequences = Sequences(&lost);
    EXPECT_EQ(sequences.size() + lost, 45u);
    EXPECT_GT(lost, 0u);
    // A table that is gone takes all that was in it, a block only itself: a chunk of two events.
    if (gone) {
      EXPECT_GE(sequences.size(), 25u);
    } else {
      EXPECT_EQ(sequences.size(), 43u);
    }
    EXPECT_EQ(journal->end(), Sequence{46});
    journal.reset();
  }
}

}  // namespace
}  // namespace spool
