// Less than what was durable is never taken for all of it: changes that no event follows, logs and
// manifests that are damaged, directories that lost the files that name the rest.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "spool/offline.h"
#include "spool/records.h"
#include "spool/watermark.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/raw_store.h"

namespace spool {
namespace {

namespace fs = std::filesystem;

class Complete : public JournalTest {
 protected:
  fs::path FileOf(std::string_view part) const {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(options.dir + "/db")) {
      if (entry.path().filename().string().find(part) != std::string::npos) found = entry.path();
    }
    EXPECT_FALSE(found.empty()) << "no file with '" << part << "' in its name";
    return found;
  }
  Error Refused() {
    auto opened = Journal::Open(options);
    EXPECT_FALSE(opened) << "it opened";
    return opened ? Error{} : opened.error();
  }
  static void Flip(const fs::path& path, std::streamoff at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 0x20));
  }
};

DeadLetter LetterOf(const Event& event, SystemTime now) {
  DeadLetter letter;
  letter.id = {"mail", {2}, ""};
  letter.event_id = event.id;
  letter.reason = "rejected";
  letter.code = "http_400";
  letter.attempts = 1;
  letter.first_failed = letter.last_failed = letter.accepted = now;
  letter.stream = "events";
  letter.origin = "web";
  letter.record = event.record;
  return letter;
}

TEST_F(Complete, AChangeThatWasCutFromTheLogsEndIsMissed) {
  const auto change = [&](int kind) {
    auto cursor = journal->OpenCursor({"target/mail", Only("events"), {1}});
    ASSERT_TRUE(cursor);
    const auto mark = [&] { return fs::file_size(FileOf(".log")); };
    const auto whole = mark();
    switch (kind) {
      case 0: ASSERT_TRUE(journal->records().Put("job/1", "running")); break;
      case 1: ASSERT_TRUE((*cursor)->SkipTo({6}, "operator")); break;
      default: {
        Settlement s;
        s.next = {3};
        s.moves = {{Stream("events"), 2}};
        s.delivered = 1;
        s.dead = {LetterOf(NumberedEvent(Stream("events"), 2, "x"), clock.Now())};
        ASSERT_TRUE((*cursor)->Advance(s));
      }
    }
    ASSERT_GT(mark(), whole);
    cursor->reset();
    journal.reset();
    fs::resize_file(FileOf(".log"), whole);
  };
  for (int kind = 0; kind < 3; ++kind) {
    fs::remove_all(options.dir);
    Open();
    AppendNumbers("events", 0, 10);
    ASSERT_NO_FATAL_FAILURE(change(kind));
    for (int attempt = 0; attempt < 2; ++attempt) {  // the first must not mend what it refuses
      const Error error = Refused();
      EXPECT_EQ(error.code, Code::kDamaged);
      EXPECT_NE(error.message.find("changes of dead letters"), std::string::npos) << error.message;
    }
    const auto looked = InspectOffline(options.dir, true, nullptr);
    ASSERT_TRUE(looked);
    ASSERT_EQ(looked->damage_in_all, 1u);
    EXPECT_NE(looked->damage[0].what.find("changes of dead letters"), std::string::npos);
    const auto repaired = RepairOffline(options.dir, true, clock.Now());
    ASSERT_TRUE(repaired) << repaired.error().message;
    ASSERT_FALSE(repaired->steps.empty());
    EXPECT_NE(repaired->steps.back().find("are given up"), std::string::npos);
    Open();
    EXPECT_EQ(ReadAll(Only("events")).size(), 10u);
    journal.reset();
    const auto after = InspectOffline(options.dir, true, nullptr);
    ASSERT_TRUE(after);
    EXPECT_EQ(after->damage_in_all, 0u);
  }
}

TEST_F(Complete, ChangesFromManyThreadsAreCountedOnce) {
  Open();
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        EXPECT_TRUE(journal->records().Put("job/" + std::to_string(t), std::to_string(i)));
      }
    });
  }
  for (uint64_t i = 0; i < 50; ++i) AppendNumbers("events", i, 1);
  threads.clear();
  for (int start = 0; start < 3; ++start) Reopen();
  EXPECT_EQ(journal->end(), Sequence{51});
  journal.reset();
  const auto mark = Watermark::Read(options.dir);
  ASSERT_TRUE(mark && *mark);
  EXPECT_GE((*mark)->changes, 100u);
}

TEST_F(Complete, ADamagedLogIsNamedWithTheEventsThatLieBehind) {
  Open();
  AppendNumbers("events", 0, 10);
  const auto whole = fs::file_size(FileOf(".log"));
  AppendNumbers("events", 10, 10);
  AppendNumbers("events", 20, 10);
  journal.reset();
  Flip(FileOf(".log"), static_cast<std::streamoff>(whole) + 60);
  const Error error = Refused();
  EXPECT_EQ(error.code, Code::kDamaged);
  EXPECT_NE(error.message.find("events 11 to 30 lie in the damage or behind it"), std::string::npos)
      << error.message;
  EXPECT_NE(error.message.find(options.dir), std::string::npos) << error.message;
}

TEST_F(Complete, ADamagedManifestIsNamedWithTheEventsThatCannotBeRead) {
  Open();
  AppendNumbers("events", 0, 10);
  journal.reset();
  Flip(FileOf("MANIFEST"), 30);
  const Error error = Refused();
  EXPECT_EQ(error.code, Code::kDamaged);
  EXPECT_NE(error.message.find("of the events up to 10 none can be read"), std::string::npos)
      << error.message;
}

TEST_F(Complete, NoDatabaseIsMadeOverWhatIsLeftOfOne) {
  Open();
  AppendNumbers("events", 0, 10);
  journal.reset();
  fs::remove(options.dir + "/FORMAT");
  fs::remove(options.dir + "/db/CURRENT");
  const auto log = fs::file_size(FileOf(".log"));
  EXPECT_NE(Refused().message.find("a watermark of events 1 to 10"), std::string::npos);
  // A journal whose events are in tables is known by them alone.
  std::ofstream(options.dir + "/db/000099.sst") << "a table";
  fs::remove(options.dir + "/WATERMARK");
  const Error error = Refused();
  EXPECT_EQ(error.code, Code::kDamaged);
  EXPECT_NE(error.message.find("000099.sst"), std::string::npos) << error.message;
  EXPECT_EQ(fs::file_size(FileOf(".log")), log) << "what is refused is not touched";
}

TEST_F(Complete, TheScrubReadsDeadLettersAndRecordsToo) {
  Open();
  AppendNumbers("events", 0, 3);
  auto cursor = journal->OpenCursor({"target/mail", Only("events"), {1}});
  ASSERT_TRUE(cursor);
  Settlement s;
  s.next = {3};
  s.moves = {{Stream("events"), 2}};
  s.delivered = 1;
  s.dead = {LetterOf(NumberedEvent(Stream("events"), 2, "x"), clock.Now())};
  ASSERT_TRUE((*cursor)->Advance(s));
  cursor->reset();
  ASSERT_TRUE(journal->RunScrub());
  EXPECT_EQ(journal->Scrub().damaged, 0u) << journal->Scrub().last_damage;
  journal.reset();
  RawStore(options.dir).Change("dead_letters", 0, [](std::string& value) { value.resize(30); });
  Open();
  ASSERT_TRUE(journal->RunScrub());
  EXPECT_EQ(journal->Scrub().damaged, 1u);
  EXPECT_NE(journal->Scrub().last_damage.find("dead letters"), std::string::npos)
      << journal->Scrub().last_damage;
}

}  // namespace
}  // namespace spool
