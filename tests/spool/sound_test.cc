// What is missing, foreign or damaged is told, never passed over, and hides nothing else.
#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <semaphore>
#include <thread>

#include "spool/chunk.h"
#include "spool/journal_errors.h"
#include "spool/watermark.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/raw_store.h"

namespace spool {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;

std::string Noise(size_t size, uint64_t seed = 1) {
  std::mt19937_64 random(size + seed);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}
void FlipALateBit(std::string& value) { value[value.size() - 3] ^= 1; }

class Sound : public JournalTest {
 protected:
  Sound() { options.streams = {StreamNamed("a"), StreamNamed("b")}; }
  void ExpectRefused(Code code) {
    journal.reset();
    for (int attempt = 0; attempt < 2; ++attempt) {  // the first must not mend what it refuses
      const auto opened = Journal::Open(options);
      ASSERT_FALSE(opened) << "attempt " << attempt;
      EXPECT_EQ(opened.error().code, code) << opened.error().message;
    }
  }
};

TEST_F(Sound, AnotherVersionsFormatIsRefusedAndStays) {
  Open();
  AppendNumbers("a", 0, 3);
  journal.reset();
  std::ofstream(options.dir + "/FORMAT") << "spool-journal 9\n";
  ExpectRefused(Code::kInvalid);
  std::ofstream(options.dir + "/FORMAT") << "spool-journal 2\n";
  RawStore(options.dir).Put("default", "format", "spool-journal 9");
  ExpectRefused(Code::kInvalid);
  EXPECT_EQ(RawStore(options.dir).Get("default", "format"), "spool-journal 9");
  std::ofstream(options.dir + "/FORMAT") << "something else";
  ExpectRefused(Code::kDamaged);
}

TEST_F(Sound, ADatabaseThatIsGoneIsNotAnEmptyOne) {
  Open();
  AppendNumbers("a", 0, 3);
  journal.reset();
  fs::remove_all(options.dir + "/db");
  ExpectRefused(Code::kDamaged);
}

TEST_F(Sound, ALogThatIsGoneIsNotAnEmptyOne) {
  Open();
  AppendNumbers("a", 0, 3);
  journal.reset();
  for (const auto& entry : fs::directory_iterator(options.dir + "/db")) {
    if (entry.path().extension() == ".log") fs::remove(entry.path());
  }
  ExpectRefused(Code::kDamaged);
}

TEST_F(Sound, ALogThatIsGoneAfterManyStartsIsMissedByTheWatermark) {
  Open();
  AppendNumbers("a", 0, 10);
  for (uint64_t i = 1; i < 4; ++i) {
    Reopen();
    AppendNumbers("a", i * 10, 10);
  }
  journal.reset();
  for (const auto& entry : fs::directory_iterator(options.dir + "/db")) {
    if (entry.path().extension() == ".log") fs::remove(entry.path());
  }
  ExpectRefused(Code::kDamaged);
  EXPECT_NE(Journal::Open(options).error().message.find("events 31 to 40 were durable"),
            std::string::npos)
      << Journal::Open(options).error().message;
}

TEST_F(Sound, ALogThatWasCutAtARecordsEndIsMissedByTheWatermark) {
  Open();
  fs::path log;
  for (const auto& entry : fs::directory_iterator(options.dir + "/db")) {
    if (entry.path().extension() == ".log") log = entry.path();
  }
  AppendNumbers("a", 0, 10);
  const auto whole_records = fs::file_size(log);
  AppendNumbers("a", 10, 10);
  journal.reset();
  fs::resize_file(log, whole_records);
  ExpectRefused(Code::kDamaged);
}

TEST_F(Sound, AWatermarkThatIsOlderOrDamagedIsHarmless) {
  Open();
  AppendNumbers("a", 0, 10);
  journal.reset();
  const std::string path = options.dir + "/WATERMARK";
  fs::copy_file(path, scratch.path() + "/old");
  Open();
  AppendNumbers("a", 10, 10);
  journal.reset();
  fs::copy_file(scratch.path() + "/old", path, fs::copy_options::overwrite_existing);
  Open();
  EXPECT_EQ(journal->end(), Sequence{21});
  journal.reset();
  fs::resize_file(path, 10);
  Open();
  EXPECT_EQ(journal->end(), Sequence{21});
  journal.reset();
  ASSERT_EQ((*Watermark::Read(options.dir))->end, Sequence{21});  // made anew
  Open();
  journal.reset();
  {  // one slot torn: another still tells
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.write("torn", 4);
  }
  ASSERT_EQ((*Watermark::Read(options.dir))->end, Sequence{21});
}

TEST_F(Sound, AStartThatWasCutOffWhileItMadeTheJournalIsMadeUpFor) {
  Open();
  journal.reset();
  fs::remove(options.dir + "/FORMAT");
  Open();
  EXPECT_FALSE(journal->created());
  EXPECT_TRUE(fs::exists(options.dir + "/FORMAT"));
}

TEST_F(Sound, DamageAheadHidesNothingBeforeIt) {
  Open();
  AppendNumbers("b", 0, 1);
  for (uint64_t i = 0; i < 20; ++i) AppendNumbers("a", 10 + i, 1);
  AppendNumbers("b", 1, 1);
  AppendNumbers("b", 2, 1);
  journal.reset();
  RawStore(options.dir).Change("stream:b", 1, FlipALateBit);
  Open();
  const auto reader = journal->NewReader(journal->AllStreams());
  const auto page = reader->Read({1}, {});
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->events.size(), 21u);
  EXPECT_EQ(page->next, Sequence{22});
  const auto damaged = reader->Read(page->next, {});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, Code::kDamaged);
  EXPECT_NE(damaged.error().message.find("'b' at sequence 22"), std::string::npos)
      << damaged.error().message;
}

TEST_F(Sound, DamageIsToldAlsoWhereEventsWereEvicted) {
  options.streams[0].bytes_max = 4000;
  options.streams[0].when_full = WhenFull::kDropOldest;
  Open();
  auto cursor = journal->OpenCursor({"target/t", journal->AllStreams(), {1}});
  ASSERT_TRUE(cursor);
  AppendNumbers("b", 0, 1, Noise(1500));
  AppendNumbers("b", 1, 1, Noise(1500, 2));
  for (uint64_t i = 0; i < 10; ++i) AppendNumbers("a", 10 + i, 1, Noise(1500, i));
  AppendNumbers("b", 50, 1);
  cursor->reset();
  journal.reset();
  RawStore(options.dir).Change("stream:b", 1, FlipALateBit);
  Open();
  ASSERT_TRUE(journal->RunRetention());
  ASSERT_GT(StatusOf("a").evicted, 0u);
  const auto damaged = journal->NewReader(journal->AllStreams())->Read({2}, {});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, Code::kDamaged);
}

TEST_F(Sound, AnOperatorCanSkipADamagedChunkAndOnlyThat) {
  Open();
  auto cursor = journal->OpenCursor({"target/t", Only("b"), {1}});
  ASSERT_TRUE(cursor);
  AppendNumbers("b", 0, 5);
  AppendNumbers("a", 5, 2);
  AppendNumbers("b", 10, 3);
  cursor->reset();
  journal.reset();
  RawStore(options.dir).Change("stream:b", 0, [](std::string& value) { value[2] ^= 0x40; });
  // The oldest chunk is looked at by every start, which is no reason for the others to stand still.
  Open();
  const auto reads = [] { return JournalErrors()[static_cast<size_t>(JournalOp::kRead)]; };
  const uint64_t before = reads();
  EXPECT_EQ(journal->NewReader(Only("b"))->Read({1}, {}).error().code, Code::kDamaged);
  EXPECT_EQ(reads(), before + 1);
  EXPECT_EQ(ReadAll(Only("a")).size(), 2u);
  journal.reset();
  RawStore(options.dir).Change("stream:b", 0, [](std::string& value) { value[2] ^= 0x40; });
  Open();
  AppendNumbers("b", 20, 4);
  journal.reset();
  RawStore(options.dir).Change("stream:b", 1, [](std::string& value) { value[2] ^= 0x40; });
  Open();
  auto again = journal->OpenCursor({"target/t", Only("b"), {1}});
  ASSERT_TRUE(again);
  EXPECT_FALSE((*again)->SkipTo({9}, "operator"));  // inside the damage: how much would it skip?
  const Status skipped = (*again)->SkipTo({11}, "operator");
  ASSERT_TRUE(skipped) << skipped.error().message;
  EXPECT_EQ((*again)->account().skipped, 8u);
  EXPECT_EQ((*again)->account().pending, 4u);
  EXPECT_EQ(ReadAll(Only("b"), {11}).size(), 4u);
}

TEST_F(Sound, AChunkWhoseRunsOfOriginsDoNotAddUpIsRefusedWhateverTheyWrapTo) {
  ChunkHeader header;
  header.first = {1};
  ChunkCompressor compressor(1);
  ChunkBuilder builder;
  builder.Add(NumberedEvent({0}, 1), "web");
  auto packed = builder.Pack(compressor);
  packed.origins = {{"x", ~uint32_t{0}}, {"y", 2}};
  EXPECT_FALSE(ParseChunk(SealChunk(packed, &header)));
  packed.origins = {{"x", 0}, {"y", 1}};
  EXPECT_FALSE(ParseChunk(SealChunk(packed, &header)));
  packed.origins = {{"y", 1}};
  EXPECT_TRUE(ParseChunk(SealChunk(packed, &header)));
}

TEST_F(Sound, EvictionWhileAReaderLooksGivesALostRangeAndNoGap) {
  options.dedupe_entries = 0;
  Open();
  AppendNumbers("a", 0, 1, Noise(60000));
  for (uint64_t i = 0; i < 20; ++i) AppendNumbers("b", 10 + i, 1, Noise(60000, i));
  for (uint64_t i = 0; i < 3; ++i) AppendNumbers("a", 100 + i, 1, Noise(60000, 50 + i));
  journal.reset();
  RawStore(options.dir).Settle();
  // The reader stops before its first look into a file, after it has seen where streams begin.
  static thread_local bool stop_here = false;
  std::binary_semaphore inside{0};
  std::binary_semaphore go_on{0};
  const auto env = MakeReadHook([&] {
    if (!stop_here) return;
    stop_here = false;
    inside.release();
    go_on.acquire();
  });
  options.env = env.get();
  options.streams[1].bytes_max = 70000;
  options.streams[1].when_full = WhenFull::kDropOldest;
  Open();
  AppendNumbers("b", 500, 1, Noise(60000, 99));
  std::optional<ReadAnswer> answer;
  std::thread reading([&] {
    stop_here = true;
    const auto page = journal->NewReader(journal->AllStreams())->Read({2}, {});
    stop_here = false;
    if (page) answer = Copy(*page);
  });
  const bool stopped = inside.try_acquire_for(std::chrono::seconds(20));
  EXPECT_TRUE(stopped);
  EXPECT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("b").evicted, 20u);
  go_on.release();
  reading.join();
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->lost.size(), 1u);
  EXPECT_EQ(answer->lost[0].ordinal, 20u);
  EXPECT_EQ(answer->events.size(), 4u);
  journal.reset();
}

TEST_F(Sound, AForwardJumpOfTheWallClockEvictsNothing) {
  options.streams[1].age_max = hours(24 * 7);
  Open();
  AppendNumbers("b", 0, 10);
  clock.Step(hours(24 * 30));
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("b").evicted, 0u);
  clock.Step(-hours(24 * 900));
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("b").evicted, 0u);
  clock.Advance(hours(24 * 8));
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("b").evicted, 10u);
}

TEST_F(Sound, AStartWithAClockThatIsYearsAheadEvictsNothingForADay) {
  options.streams[1].age_max = hours(24 * 7);
  Open();
  AppendNumbers("b", 0, 10);
  journal.reset();
  clock.Step(hours(24 * 365 * 5));
  Open();
  AppendNumbers("a", 10, 1);
  clock.Advance(hours(23));
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("b").evicted, 0u);
  clock.Advance(hours(2));
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("b").evicted, 10u);
}

TEST_F(Sound, OneDamagedStreamDoesNotKeepTheOthersFromTheirLimits) {
  for (auto& stream : options.streams) stream.age_max = hours(1);
  Open();
  for (uint64_t i = 0; i < 3; ++i) AppendNumbers("a", i, 1);
  for (uint64_t i = 0; i < 3; ++i) AppendNumbers("b", 100 + i, 1);
  journal.reset();
  RawStore(options.dir).Change("stream:a", 1, [](std::string& value) { value = "junk"; });
  Open();
  clock.Advance(hours(2));
  const Status ran = journal->RunRetention();
  ASSERT_FALSE(ran);
  EXPECT_NE(ran.error().message.find("'a'"), std::string::npos) << ran.error().message;
  EXPECT_EQ(StatusOf("a").evicted, 1u);
  EXPECT_EQ(StatusOf("b").evicted, 3u);
}

TEST_F(Sound, WhatRetentionDoesAllDayPushesOutNoMarkerOfALoss) {
  options.streams[1].age_max = hours(1);
  Open();
  auto cursor = journal->OpenCursor({"target/t", Only("a"), {1}});
  ASSERT_TRUE(cursor);
  AppendNumbers("a", 0, 5);
  ASSERT_TRUE((*cursor)->SkipTo({6}, "operator"));
  for (uint64_t i = 0; i < 1100; ++i) {
    AppendNumbers("b", 100 + i, 1);
    clock.Advance(hours(i % 2 == 0 ? 2 : 30));
    ASSERT_TRUE(journal->RunRetention());
  }
  cursor->reset();
  Reopen();
  size_t skipped = 0;
  uint64_t evicted = 0;
  for (const Marker& marker : journal->Markers()) {
    skipped += marker.kind == Marker::Kind::kSkipped ? 1 : 0;
    evicted += marker.kind == Marker::Kind::kEvicted ? marker.events : 0;
  }
  EXPECT_EQ(skipped, 1u);
  EXPECT_EQ(evicted, 1100u);
  EXPECT_LE(journal->Markers().size(), 1001u);
}

TEST_F(Sound, ALowDiskTakesWhatIsSettledEverywhereBeforeWhatATargetNeeds) {
  options.streams[0].when_full = WhenFull::kDropOldest;
  Open();
  auto cursor = journal->OpenCursor({"target/t", Only("a"), {1}});
  ASSERT_TRUE(cursor);
  AppendNumbers("a", 0, 5);
  for (uint64_t i = 0; i < 100; ++i) AppendNumbers("b", 100 + i, 1);
  cursor->reset();
  options.disk_reserve_bytes = uint64_t{1} << 60;
  Reopen();
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("a").evicted, 0u);
  EXPECT_GT(StatusOf("b").evicted, 0u);
  while (StatusOf("b").events > 0) ASSERT_TRUE(journal->RunRetention());
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("a").evicted, 5u);
}

TEST_F(Sound, TheScrubReadsEverythingAndNamesWhatIsDamaged) {
  Open();
  for (uint64_t i = 0; i < 10; ++i)
    AppendNumbers(i % 2 == 0 ? "a" : "b", i * 10, 10, Noise(900, i));
  ASSERT_TRUE(journal->RunScrub());
  EXPECT_EQ(journal->Scrub().damaged, 0u) << journal->Scrub().last_damage;
  EXPECT_GT(journal->Scrub().bytes, journal->counters().stored_bytes);  // and records
  journal.reset();
  RawStore(options.dir).Change("stream:b", 2, FlipALateBit);
  RawStore(options.dir).Settle();
  Open();
  ASSERT_TRUE(journal->RunScrub());
  EXPECT_EQ(journal->Scrub().damaged, 1u);
  EXPECT_EQ(journal->Scrub().passes, 1u);
  const std::string said = journal->Scrub().last_damage;
  EXPECT_NE(said.find("stream 'b', sequence 51, file /"), std::string::npos) << said;
}

TEST_F(Sound, TheScrubAndRetentionDoNotDisturbEachOther) {
  options.streams[0].bytes_max = 20000;
  options.streams[0].when_full = WhenFull::kDropOldest;
  Open();
  for (uint64_t i = 0; i < 60; ++i) {
    AppendNumbers("a", i * 10, 10, Noise(200, i));
    ASSERT_TRUE(journal->RunRetention());
    ASSERT_TRUE(journal->RunScrub());
    ASSERT_EQ(journal->Scrub().damaged, 0u) << journal->Scrub().last_damage;
  }
  EXPECT_GT(StatusOf("a").evicted, 0u);
}

TEST_F(Sound, ACursorCannotBeginBeyondTheEnd) {
  Open();
  AppendNumbers("a", 0, 3);
  const auto cursor = journal->OpenCursor({"target/t", Only("a"), {1000}});
  ASSERT_FALSE(cursor);
  EXPECT_EQ(cursor.error().code, Code::kInvalid);
}

TEST_F(Sound, AStreamThatIsNotConfiguredAnyMoreStaysSpecial) {
  options.streams[1].special = true;
  Open();
  AppendNumbers("b", 0, 3);
  options.streams.pop_back();
  Reopen();
  EXPECT_EQ(ReadAll(journal->AllStreams()).size(), 0u);
  EXPECT_EQ(ReadAll(journal->AllWithSpecial()).size(), 3u);
}

}  // namespace
}  // namespace spool
