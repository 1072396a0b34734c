#include "spool/manifest_tail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "tests/support/journal_fixture.h"
#include "tests/support/raw_store.h"

namespace spool {
namespace {

namespace fs = std::filesystem;

std::string Read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void Write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class ManifestTail : public JournalTest {
 protected:
  fs::path InUse() const {
    std::string name = Read(options.dir + "/db/CURRENT");
    name.pop_back();
    return options.dir + "/db/" + name;
  }
  // A journal of `count` events as a kill leaves it: the last of them are in the log alone.
  void Make(uint64_t count) {
    Open();
    AppendNumbers("events", 0, count / 2);
    journal.reset();
    RawStore(options.dir).Settle();
    Open();
    AppendNumbers("events", count / 2, count - count / 2);
    fs::copy(options.dir, options.dir + "-killed", fs::copy_options::recursive);
    journal.reset();
    options.dir += "-killed";
  }
  // Another copy of what Make left.
  void Again() {
    const std::string made = made_.empty() ? made_ = options.dir : made_;
    options.dir = made + "-copy";
    fs::remove_all(options.dir);
    fs::copy(made, options.dir, fs::copy_options::recursive);
  }

 private:
  std::string made_;
};

TEST_F(ManifestTail, AWholeOneIsReadableToItsEndAndSoIsOneThatIsCut) {
  Make(40);
  const std::string whole = Read(InUse());
  ASSERT_GT(whole.size(), 300u);
  for (size_t size = 0; size <= whole.size(); ++size) {
    ASSERT_EQ(ReadableManifestBytes(std::string_view(whole).substr(0, size)), size);
  }
}

TEST_F(ManifestTail, RecordsOfManyBlocksAreFollowed) {
  Make(40);
  const std::string one = Read(InUse());
  // Blocks of 32 KiB that end in nothing, as the database leaves them when no header fits any more.
  std::string many;
  for (int i = 0; i < 3; ++i) {
    many += one;
    many.resize((many.size() / 32768 + 1) * 32768, '\0');
  }
  many += one;
  EXPECT_EQ(ReadableManifestBytes(many), many.size());
  std::string damaged = many;
  damaged[2 * 32768 + 10] ^= 1;
  const size_t readable = ReadableManifestBytes(damaged);
  EXPECT_LE(readable, 2u * 32768);
  EXPECT_GT(readable, 32768u);
}

// What a power cut leaves of a record that was being written: its first block, its last, or
// neither.
TEST_F(ManifestTail, ATornRecordThatWasNeverSyncedIsCutOff) {
  Make(40);
  const std::string whole = Read(InUse());
  for (int torn = 0; torn < 3; ++torn) {
    Again();
    std::string record = whole.substr(0, 90);  // any that is sound
    ASSERT_EQ(ReadableManifestBytes(record), record.size());
    const size_t half = 20;
    if (torn == 0) record.replace(half, record.size() - half, record.size() - half, '\0');
    if (torn == 1) record.replace(8, half, half, '\0');
    if (torn == 2) record[half] ^= 1;
    Write(InUse(), whole + record);
    Open();
    EXPECT_EQ(ReadAll(journal->AllStreams()).size(), 40u) << torn;
    EXPECT_EQ(AppendNumbers("events", 100, 1).first, Sequence{41});
    Reopen();
    EXPECT_EQ(ReadAll(journal->AllStreams()).size(), 41u) << torn;
    journal.reset();
  }
}

// A record in two parts, since a block ends in it; one of them never came.
TEST_F(ManifestTail, WhatIsTornOverTheEndOfABlockIsSeen) {
  const std::string db = options.dir + "-db";
  {
    // Written by the library: names of families fill the list over the end of its first block.
    RawStore::MakeFamilies(db, 12, 4'000);
  }
  std::string name = Read(db + "/CURRENT");
  name.pop_back();
  const std::string whole = Read(db + "/" + name);
  ASSERT_GT(whole.size(), 32768u + 1000);
  EXPECT_EQ(ReadableManifestBytes(whole), whole.size());
  std::string first = whole;  // its second part never came
  std::fill(first.begin() + 32768, first.end(), '\0');
  const size_t begin = ReadableManifestBytes(first);
  EXPECT_LT(begin, 32768u);
  EXPECT_GT(begin, 20'000u);
  std::string second = whole;  // its first part never came
  std::fill(second.begin() + static_cast<ptrdiff_t>(begin), second.begin() + 32768, '\0');
  EXPECT_EQ(ReadableManifestBytes(second), begin);
}

// Tables that a cut list does not name, in the middle of what is there: the ends tell nothing.
TEST_F(ManifestTail, ATableThatOnlyADamagedRecordNamesIsMissed) {
  options.dedupe_entries = 0;
  Open();
  auto cursor = journal->OpenCursor({"target/a", journal->AllStreams(), {1}}).value();
  const std::string noise(400'000, 'x');
  std::mt19937_64 random(1);
  constexpr uint64_t kEvents = 450;
  for (uint64_t i = 0; i < kEvents; ++i) {
    std::string data = noise;
    for (size_t at = 0; at + 8 <= data.size(); at += 8) {
      const uint64_t word = random();
      std::memcpy(data.data() + at, &word, 8);
    }
    AppendNumbers("events", i, 1, data);
  }
  cursor.reset();
  fs::copy(options.dir, options.dir + "-killed", fs::copy_options::recursive);
  journal.reset();
  options.dir += "-killed";
  const std::string whole = Read(InUse());
  const fs::path manifest = fs::relative(InUse(), options.dir);
  int refused = 0;
  for (size_t at = 0; at + 7 < whole.size();) {
    const size_t length =
        static_cast<uint8_t>(whole[at + 4]) + 256 * static_cast<uint8_t>(whole[at + 5]);
    Again();
    std::string damaged = whole;
    damaged[at + 7] ^= 0x10;
    Write(options.dir / manifest, damaged);
    auto again = Journal::Open(options);
    if (!again) {
      ++refused;
    } else {
      journal = std::move(*again);
      ASSERT_EQ(ReadAll(journal->AllStreams()).size(), kEvents) << "byte " << at;
      journal.reset();
    }
    at += 7 + length;
  }
  EXPECT_GT(refused, 5);
}

// What was synced and is needed: never an open with fewer events, and nothing is changed.
TEST_F(ManifestTail, ADamagedRecordIsCutOffOnlyWhenNothingIsMissingWithoutIt) {
  Make(40);
  const std::string whole = Read(InUse());
  int opened = 0, refused = 0;
  for (size_t at = 11; at < whole.size(); at += 23) {
    Again();
    std::string damaged = whole;
    damaged[at] ^= 0x10;
    const fs::path manifest = InUse();
    Write(manifest, damaged);
    auto again = Journal::Open(options);
    if (!again) {
      ++refused;
      EXPECT_EQ(again.error().code, Code::kDamaged) << again.error().message;
      EXPECT_EQ(Read(manifest), damaged) << "byte " << at;
      continue;
    }
    ++opened;
    journal = std::move(*again);
    EXPECT_EQ(ReadAll(journal->AllStreams()).size(), 40u) << "byte " << at;
    journal.reset();
  }
  EXPECT_GT(refused, 5);
  EXPECT_GT(opened + refused, 10);
}

}  // namespace
}  // namespace spool
