#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "tests/support/journal_fixture.h"

namespace spool {
namespace {

namespace fs = std::filesystem;

class DamageTest : public JournalTest {
 protected:
  // Opening and reading what was damaged may fail, but may never give other events.
  void ExpectNoWrongData(const std::vector<ReadEvent>& before, const std::string& what) {
    auto opened = Journal::Open(options);
    if (!opened) {
      EXPECT_TRUE(opened.error().code == Code::kDamaged || opened.error().code == Code::kStorage)
          << what << ": " << opened.error().message;
      return;
    }
    auto reader = (*opened)->NewReader((*opened)->AllStreams());
    std::vector<ReadEvent> after;
    Sequence from{1};
    bool failed = false;
    while (from < (*opened)->end() && !failed) {
      auto page = reader->Read(from, {.events_max = 50});
      failed = !page;
      if (failed) {
        EXPECT_EQ(page.error().code, Code::kDamaged) << what;
        break;
      }
      const ReadAnswer answer = Copy(*page);
      after.insert(after.end(), answer.events.begin(), answer.events.end());
      ASSERT_GT(answer.next, from) << what;
      from = answer.next;
    }
    ASSERT_LE(after.size(), before.size()) << what;
    for (size_t i = 0; i < after.size(); ++i) ASSERT_EQ(after[i], before[i]) << what;
    if (!failed) {
      EXPECT_EQ(after.size(), before.size()) << what;
    }
  }
};

TEST_F(DamageTest, AFlippedByteInAnyFileNeverGivesWrongEvents) {
  Open();
  for (uint64_t i = 0; i < 10; ++i) {
    AppendNumbers(i % 2 == 0 ? "events" : "audit", i * 10, 10, std::string(300, 'x'));
  }
  auto cursor = journal->OpenCursor({"target/a", journal->AllStreams(), journal->end()});
  ASSERT_TRUE(cursor);
  cursor->reset();
  const auto before = ReadAll(journal->AllStreams());
  journal.reset();
  const fs::path intact = scratch.path() + "/intact";
  fs::copy(options.dir, intact, fs::copy_options::recursive);
  std::mt19937_64 random(1);
  for (const auto& entry : fs::recursive_directory_iterator(intact)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || entry.file_size() == 0 || name.rfind("LOG", 0) == 0) continue;
    for (int round = 0; round < 4; ++round) {
      fs::remove_all(options.dir);
      fs::copy(intact, options.dir, fs::copy_options::recursive);
      const fs::path target = options.dir / fs::relative(entry.path(), intact);
      const auto at = static_cast<std::streamoff>(random() % entry.file_size());
      {
        std::fstream file(target, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(at);
        const int byte = file.get();
        file.seekp(at);
        file.put(static_cast<char>(byte ^ 0x20));
      }
      ExpectNoWrongData(before, name + " at " + std::to_string(at));
    }
  }
}

}  // namespace
}  // namespace spool
