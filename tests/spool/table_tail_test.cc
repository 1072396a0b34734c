// The end of a table says where everything else in it is, and is used before it is checked.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "spool/offline.h"
#include "spool/table_probe.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/raw_store.h"

namespace spool {
namespace {

namespace fs = std::filesystem;

class TableTail : public JournalTest {
 protected:
  static constexpr size_t kTail = 120;

  std::vector<std::string> Tables() const {
    std::vector<std::string> all;
    for (const auto& file : fs::directory_iterator(options.dir + "/db")) {
      if (file.path().extension() == ".sst") all.push_back(file.path());
    }
    std::sort(all.begin(), all.end());
    return all;
  }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  // A bit of the table that the library gives up on.
  static std::string Spoiled(std::string sound, size_t back) {
    sound[sound.size() - back] = static_cast<char>(sound[sound.size() - back] ^ 0x80);
    return sound;
  }
};

TEST_F(TableTail, ABitThatChangedInItEndsNoProcess) {
  Open();
  AppendNumbers("events", 0, 20, std::string(200, 'x'));
  AppendNumbers("audit", 20, 20, std::string(200, 'y'));
  journal.reset();
  RawStore(options.dir).Settle();
  const auto tables = Tables();
  ASSERT_GE(tables.size(), 2u);
  int told = 0;
  std::vector<std::pair<std::string, std::string>> ending;
  for (const std::string& path : tables) {
    const std::string sound = Read(path);
    for (size_t back = 1; back <= std::min(kTail, sound.size()); ++back) {
      Write(path, Spoiled(sound, back));
      const auto found = InspectOffline(options.dir, false, nullptr);  // or this process ends here
      ASSERT_TRUE(found) << found.error().message;
      told += found->damage_in_all > 0;
      const auto ends = TablesThatEndTheProcess(options.dir + "/db");
      ASSERT_TRUE(ends);
      if (ends->empty()) continue;
      EXPECT_EQ(*ends, std::vector<std::string>{fs::path(path).filename()});
      ASSERT_GT(found->damage_in_all, 0u);
      EXPECT_NE(found->damage[0].what.find(ends->front()), std::string::npos);
      ending.emplace_back(path, Read(path));
    }
    Write(path, sound);
  }
  EXPECT_GT(told, 40);
  ASSERT_FALSE(ending.empty()) << "nothing here needs another process any more";

  // What a repair makes of one that had events.
  const std::string before = options.dir;
  bool lost_events = false;
  for (const auto& [path, bytes] : ending) {
    options.dir = before + "-copy";
    fs::remove_all(options.dir);
    fs::copy(before, options.dir, fs::copy_options::recursive);
    Write(options.dir + "/db/" + fs::path(path).filename().string(), bytes);
    ASSERT_FALSE(RepairOffline(options.dir, false, clock.Now())->lost.empty());
    const auto repaired = RepairOffline(options.dir, true, clock.Now());
    ASSERT_TRUE(repaired) << repaired.error().message;
    uint64_t lost = 0;
    for (const Damage& one : repaired->lost) lost += one.stream.empty() ? 0 : one.events;
    Open();
    EXPECT_EQ(ReadAll(journal->AllStreams(), {1}).size() + lost, 40u) << path;
    EXPECT_EQ(journal->stored().end, Sequence{41});
    lost_events = lost_events || lost > 0;
    journal.reset();
  }
  EXPECT_TRUE(lost_events);
}

// The process that meets such a table is gone before it can say why: the next one says it.
TEST_F(TableTail, AStartAfterOneThatWasEndedTellsWhichTableItIs) {
  Open();
  AppendNumbers("events", 0, 20, std::string(200, 'x'));
  EXPECT_TRUE(fs::exists(options.dir + "/OPEN"));
  journal.reset();
  EXPECT_FALSE(fs::exists(options.dir + "/OPEN"));
  RawStore(options.dir).Settle();
  std::string ending;
  for (const std::string& path : Tables()) {
    const std::string sound = Read(path);
    for (size_t back = 1; back <= kTail && ending.empty(); ++back) {
      Write(path, Spoiled(sound, back));
      if (!TablesThatEndTheProcess(options.dir + "/db")->empty())
        ending = fs::path(path).filename();
    }
    if (!ending.empty()) break;
    Write(path, sound);
  }
  ASSERT_FALSE(ending.empty());
  ASSERT_TRUE(LookBeforeOpening(options.dir));
  EXPECT_FALSE(fs::exists(options.dir + "/DAMAGED")) << "the journal was closed";
  std::ofstream(options.dir + "/OPEN") << "";
  const Status told = LookBeforeOpening(options.dir);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, Code::kDamaged);
  EXPECT_NE(told.error().message.find(ending), std::string::npos) << told.error().message;
  const auto refused = Journal::Open(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDamaged);
  EXPECT_NE(refused.error().message.find(ending), std::string::npos) << refused.error().message;
  ASSERT_TRUE(RepairOffline(options.dir, true, clock.Now()));
  Open();
  EXPECT_EQ(journal->stored().end, Sequence{21});
}

}  // namespace
}  // namespace spool
