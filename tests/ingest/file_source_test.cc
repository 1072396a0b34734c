// The file source over a real journal: what it takes of files, and where it goes on.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "ingest/sources/file.h"
#include "spool/cursor.h"
#include "tests/support/app_http.h"
#include "tests/support/journal_fixture.h"

namespace spool {
namespace {

namespace fs = std::filesystem;
using ::spool::testing::WaitUntil;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class FileSourceTest : public JournalTest {
 protected:
  FileSourceTest() {
    options.streams = {StreamNamed("kubernetes-events"), StreamNamed("quarantine")};
    options.clock = &RealClock();
    dir_ = scratch.path() + "/logs";
    fs::create_directories(dir_);
    Open();
    gaps_ = *SourceGaps::Load(journal->records());
  }
  ~FileSourceTest() override { source_.reset(); }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ + "/" + name, std::ios::app | std::ios::binary) << text;
  }
  void Start(const std::string& glob, bool from_end = false) {
    IntakeOptions intake;
    intake.name = "log";
    intake.type = "file";
    intake.gaps = gaps_.get();
    source_ = std::make_unique<FileSource>(
        FileSourceSettings{.path = dir_ + "/" + glob, .as = "/v1/events", .from_end = from_end},
        std::move(intake), *journal);
    const Status started = source_->Start();
    ASSERT_TRUE(started) << started.error().message;
    source_->Open();
  }
  void Stop() {
    source_->Stop(RealClock().Steady() + std::chrono::seconds(5));
    source_.reset();
  }
  std::vector<std::string> Stored(std::string_view stream = "kubernetes-events") {
    std::vector<std::string> out;
    for (const ReadEvent& event : ReadAll(Only(stream))) out.push_back(event.data);
    return out;
  }
  bool Await(size_t events) {
    return WaitUntil([&] { return source_->status().events >= events; });
  }
  bool AwaitRead() {
    return WaitUntil([&] { return source_->status().behind_bytes == 0; });
  }

  std::string dir_;
  std::unique_ptr<SourceGaps> gaps_;
  std::unique_ptr<FileSource> source_;
};

TEST_F(FileSourceTest, LinesBecomeEventsInTheirOrder) {
  Write("a.log", "{\"n\":1}\n{\"n\":2}\n\n{\"n\":3}\n");
  Start("*.log");
  ASSERT_TRUE(Await(3));
  EXPECT_THAT(Stored(), ElementsAre("{\"n\":1}", "{\"n\":2}", "{\"n\":3}"));
  Write("a.log", "{\"n\":4}\n");
  Write("b.log", "{\"n\":5}\n");
  ASSERT_TRUE(Await(5));
  const SourceStatus status = source_->status();
  EXPECT_EQ(status.state, "up");
  EXPECT_EQ(status.address, dir_ + "/*.log");
  EXPECT_EQ(status.bytes, 41u);
  EXPECT_TRUE(status.last_event);
}

TEST_F(FileSourceTest, ALineThatIsNotFinishedWaitsForItsEnd) {
  Write("a.log", "{\"n\":1}\n{\"n\":");
  Start("a.log");
  ASSERT_TRUE(Await(1));
  ASSERT_TRUE(WaitUntil([&] { return source_->status().behind_bytes.has_value(); }));
  Write("a.log", "2}\n");
  ASSERT_TRUE(Await(2));
  EXPECT_THAT(Stored(), ElementsAre("{\"n\":1}", "{\"n\":2}"));
}

TEST_F(FileSourceTest, GoesOnWhereItWas) {
  Write("a.log", "{\"n\":1}\n");
  Start("a.log");
  ASSERT_TRUE(Await(1));
  Stop();
  Write("a.log", "{\"n\":2}\n");
  Start("a.log");
  ASSERT_TRUE(Await(1));
  ASSERT_TRUE(AwaitRead());
  EXPECT_THAT(Stored(), ElementsAre("{\"n\":1}", "{\"n\":2}"));
}

TEST_F(FileSourceTest, FromTheEndOnlyWhatComesLaterAndNewFilesWhole) {
  Write("a.log", "{\"n\":1}\n{\"n\":2}\n{\"n\":");
  Start("*.log", true);
  ASSERT_TRUE(WaitUntil([&] { return source_->status().behind_bytes.has_value(); }));
  Write("a.log", "3}\n");
  ASSERT_TRUE(Await(1));
  Write("b.log", "{\"n\":4}\n");
  ASSERT_TRUE(Await(2));
  EXPECT_THAT(Stored(), ElementsAre("{\"n\":3}", "{\"n\":4}"));
}

TEST_F(FileSourceTest, RenamedWhileItWasAwayAndANewOneInItsPlace) {
  Write("a.log", "{\"n\":1}\n");
  Start("a.log");
  ASSERT_TRUE(Await(1));
  Stop();
  Write("a.log", "{\"n\":2}\n");
  fs::rename(dir_ + "/a.log", dir_ + "/a.log.2");
  Write("a.log", "{\"n\":3}\n");  // came and went while nobody looked
  fs::rename(dir_ + "/a.log", dir_ + "/a.log.1");
  Write("a.log", "{\"n\":4}\n");
  Start("a.log");
  ASSERT_TRUE(Await(3));
  ASSERT_TRUE(AwaitRead());
  EXPECT_THAT(Stored(),
              ::testing::UnorderedElementsAre("{\"n\":1}", "{\"n\":2}", "{\"n\":3}", "{\"n\":4}"));
  EXPECT_THAT(gaps_->List(), IsEmpty());
}

TEST_F(FileSourceTest, AFileThatIsGoneIsAGap) {
  Write("a.log", "{\"n\":1}\n");
  Start("*.log");
  ASSERT_TRUE(Await(1));
  Stop();
  Write("a.log", "{\"n\":2}\n");
  fs::remove(dir_ + "/a.log");
  Start("*.log");
  ASSERT_TRUE(WaitUntil([&] { return !gaps_->List().empty(); }, std::chrono::seconds(40)));
  ASSERT_THAT(gaps_->List(), SizeIs(1));
  EXPECT_EQ(gaps_->List()[0].cause, FileSource::kVanished);
  EXPECT_TRUE(gaps_->List()[0].to);
  EXPECT_THAT(source_->status().last_error, HasSubstr("after byte 8"));
}

TEST_F(FileSourceTest, ABadLineCostsNoOther) {
  Write("a.log", "{\"n\":1}\nnot json\n{\"n\":[2\n{\"n\":3}\n");
  Start("a.log");
  ASSERT_TRUE(Await(2));
  EXPECT_THAT(Stored(), ElementsAre("{\"n\":1}", "{\"n\":3}"));
  EXPECT_GE(source_->status().quarantined, 1u);
}

TEST_F(FileSourceTest, LinesOfMegabytesAndOneThatIsTooLong) {
  const std::string large(5'000'000, 'x');
  Write("a.log", "{\"n\":\"" + large + "\"}\n{\"n\":\"");
  for (int i = 0; i < 8; ++i) Write("a.log", large);
  Write("a.log", "\"}\n{\"n\":2}\n");
  Start("a.log");
  ASSERT_TRUE(Await(2));
  const std::vector<std::string> stored = Stored();
  ASSERT_THAT(stored, SizeIs(2));
  EXPECT_EQ(stored[0].size(), large.size() + 8);
  EXPECT_EQ(stored[1], "{\"n\":2}");
  const std::vector<std::string> aside = Stored("quarantine");
  ASSERT_THAT(aside, SizeIs(1));
  EXPECT_THAT(aside[0], HasSubstr("too_large"));
  EXPECT_THAT(aside[0], HasSubstr("a line of 40000009 bytes"));
}

TEST_F(FileSourceTest, WaitsWhileTheJournalIsFullAndLosesNothing) {
  auto cursor = journal->OpenCursor(
      {.name = "target/slow", .streams = Only("kubernetes-events"), .start = Sequence{1}});
  ASSERT_TRUE(cursor);
  StreamOptions bound = StreamNamed("kubernetes-events");
  bound.bytes_max = 1;
  AppendNumbers("kubernetes-events", 1, 100);
  ASSERT_TRUE(journal->SetBounds({bound, StreamNamed("quarantine")}));
  ASSERT_TRUE(journal->RunRetention());
  Write("a.log", "{\"n\":1}\n");
  Start("a.log");
  ASSERT_TRUE(WaitUntil([&] { return source_->status().refused.full >= 2; }));
  EXPECT_EQ(source_->status().state, "waiting");
  EXPECT_THAT(source_->status().last_error, HasSubstr("full"));
  ASSERT_TRUE(journal->SetBounds({StreamNamed("kubernetes-events"), StreamNamed("quarantine")}));
  ASSERT_TRUE(journal->RunRetention());
  ASSERT_TRUE(Await(1));
  EXPECT_EQ(source_->status().state, "up");
  EXPECT_EQ(Stored().back(), "{\"n\":1}");
}

TEST_F(FileSourceTest, ClosedItTakesNothing) {
  Write("a.log", "{\"n\":1}\n");
  Start("a.log");
  ASSERT_TRUE(Await(1));
  EXPECT_TRUE(source_->Close(RealClock().Steady() + std::chrono::seconds(5)));
  EXPECT_EQ(source_->status().state, "drained");
  Write("a.log", "{\"n\":2}\n");
  EXPECT_EQ(source_->status().events, 1u);
  source_->Open();
  ASSERT_TRUE(Await(2));
}

TEST_F(FileSourceTest, ACopyOfAFileThatIsReadIsNotReadAgain) {
  Write("a.log", "{\"pad\":\"" + std::string(300, 'x') + "\"}\n{\"n\":1}\n");
  Start("*.log");
  ASSERT_TRUE(Await(2));
  fs::copy_file(dir_ + "/a.log", dir_ + "/b.log");
  Write("c.log", "{\"n\":2}\n");  // seen after the copy
  ASSERT_TRUE(Await(3));
  EXPECT_THAT(Stored(), SizeIs(3));
}

TEST_F(FileSourceTest, CompressedFilesThatFitAreRead) {
  Write("a.log", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}");
  ASSERT_EQ(std::system(("gzip '" + dir_ + "/a.log'").c_str()), 0);  // NOLINT
  Start("*.gz");
  ASSERT_TRUE(Await(3));
  EXPECT_THAT(Stored(), ElementsAre("{\"n\":1}", "{\"n\":2}", "{\"n\":3}"));
  Stop();
  Start("*.gz");
  Write("b.log.gz", "\x1f\x8b\x08garbage that is none");
  ASSERT_TRUE(WaitUntil([&] { return !gaps_->List().empty(); }));
  EXPECT_EQ(gaps_->List()[0].cause, FileSource::kDamaged);
  EXPECT_THAT(Stored(), SizeIs(3));
}

TEST_F(FileSourceTest, CompressedWhileItWasAwayGoesOnWhereItWas) {
  const std::string first = "{\"pad\":\"" + std::string(2000, 'x') + "\"}\n";
  Write("a.log", first);
  Start("a.log");
  ASSERT_TRUE(Await(1));
  Stop();
  Write("a.log", "{\"n\":2}\n");
  fs::rename(dir_ + "/a.log", dir_ + "/a.log.1");
  ASSERT_EQ(std::system(("gzip '" + dir_ + "/a.log.1'").c_str()), 0);  // NOLINT
  Write("a.log", "{\"n\":3}\n");
  Start("a.log");
  ASSERT_TRUE(Await(2));
  const std::vector<std::string> stored = Stored();
  ASSERT_THAT(stored, SizeIs(3));
  EXPECT_THAT(std::vector<std::string>(stored.begin() + 1, stored.end()),
              ::testing::UnorderedElementsAre("{\"n\":2}", "{\"n\":3}"));
  EXPECT_THAT(gaps_->List(), IsEmpty());
}

TEST_F(FileSourceTest, CutAndCopiedWhileItRuns) {
  const std::string first = "{\"pad\":\"" + std::string(2000, 'x') + "\"}\n";
  Write("a.log", first);
  Start("a.log");
  ASSERT_TRUE(Await(1));
  Write("a.log", "{\"n\":2}\n");
  fs::copy_file(dir_ + "/a.log", dir_ + "/a.log.1");
  fs::resize_file(dir_ + "/a.log", 0);
  Write("a.log", "{\"n\":3}\n");
  ASSERT_TRUE(Await(3));
  ASSERT_TRUE(AwaitRead());
  EXPECT_THAT(Stored(), SizeIs(3));
  EXPECT_THAT(gaps_->List(), IsEmpty());
}

TEST(FilePlace, IsReadAsItWasWritten) {
  FilePlace place;
  place.number = 7;
  place.id = {2049, 1234567};
  place.offset = 1ULL << 40;
  place.sample = 1024;
  place.print = ~0ULL;
  place.finished = true;
  place.seen = FromMicros(1'700'000'000'000'000);
  place.path = "/var/log/a b.log";
  const auto read = DecodeFilePlace(EncodeFilePlace(place));
  ASSERT_TRUE(read);
  EXPECT_EQ(EncodeFilePlace(*read), EncodeFilePlace(place));
  EXPECT_EQ(read->path, place.path);
  EXPECT_FALSE(DecodeFilePlace("2 7 1 1 1 1 1 1 1 x"));
  EXPECT_FALSE(DecodeFilePlace("1 7 1 1 1 4096 1 1 1 x"));
  EXPECT_FALSE(DecodeFilePlace("1 7 1"));
  EXPECT_FALSE(DecodeFilePlace(""));
}

}  // namespace
}  // namespace spool
