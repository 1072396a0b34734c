#include "spool/source_gaps.h"

#include <gtest/gtest.h>

#include "spool/records.h"
#include "tests/support/journal_fixture.h"

namespace spool {
namespace {

using std::chrono::seconds;

class SourceGapsTest : public JournalTest {
 protected:
  void Load() {
    gaps_.reset();
    auto gaps = SourceGaps::Load(journal->records());
    ASSERT_TRUE(gaps) << gaps.error().message;
    gaps_ = std::move(*gaps);
  }
  SourceGaps& gaps() { return *gaps_; }
  ~SourceGapsTest() override { gaps_.reset(); }

  const SystemTime begin_ = FromMicros(1'000'000'000);
  std::unique_ptr<SourceGaps> gaps_;
};

TEST_F(SourceGapsTest, AGapIsKeptFromItsBeginningOn) {
  Open();
  Load();
  EXPECT_TRUE(gaps().List().empty());
  ASSERT_TRUE(gaps().Begin("web", "stopped", begin_));
  gaps_.reset();
  Reopen();
  Load();
  ASSERT_TRUE(gaps().OpenGap("web"));
  EXPECT_FALSE(gaps().OpenGap("audit"));
  ASSERT_TRUE(gaps().End("web", begin_ + seconds(7)));
  gaps_.reset();
  Reopen();
  Load();
  const auto all = gaps().List();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].source, "web");
  EXPECT_EQ(all[0].cause, "stopped");
  EXPECT_EQ(all[0].from, begin_);
  EXPECT_EQ(all[0].to, begin_ + seconds(7));
  EXPECT_FALSE(gaps().OpenGap("web"));
}

TEST_F(SourceGapsTest, ASourceHasOneOpenGapAtMostAndItNeverEndsBeforeItBegan) {
  Open();
  Load();
  ASSERT_TRUE(gaps().Begin("web", "drained", begin_));
  ASSERT_TRUE(gaps().Begin("web", "stopped", begin_ + seconds(1)));
  ASSERT_TRUE(gaps().Begin("audit", "stopped", begin_ + seconds(1)));
  ASSERT_TRUE(gaps().End("web", begin_ - seconds(5)));
  ASSERT_TRUE(gaps().End("web", begin_ + seconds(5)));
  const auto all = gaps().List();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].cause, "drained");
  EXPECT_EQ(all[0].to, begin_);
  EXPECT_EQ(all[1].to, std::nullopt);
  const auto counts = gaps().Counts();
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts.at({"web", "drained"}), 1u);
}

TEST_F(SourceGapsTest, TheNewestOfEachSourceAreKept) {
  Open();
  Load();
  ASSERT_TRUE(gaps().Begin("audit", "stopped", begin_));
  for (size_t i = 0; i < SourceGaps::kGapsMax + 3; ++i) {
    ASSERT_TRUE(gaps().Begin("web", "full", begin_ + seconds(i)));
    ASSERT_TRUE(gaps().End("web", begin_ + seconds(i)));
  }
  const auto check = [&] {
    const auto all = gaps().List();
    ASSERT_EQ(all.size(), SourceGaps::kGapsMax + 1);
    EXPECT_EQ(all[0].source, "audit");
    EXPECT_EQ(all[1].from, begin_ + seconds(3));
    EXPECT_EQ(all.back().from, begin_ + seconds(SourceGaps::kGapsMax + 2));
  };
  check();
  gaps_.reset();
  Reopen();
  Load();
  check();
}

TEST_F(SourceGapsTest, WhenASourceTookEventsIsRemembered) {
  Open();
  Load();
  EXPECT_EQ(gaps().LastTaking("web"), std::nullopt);
  ASSERT_TRUE(gaps().Taking("web", begin_));
  ASSERT_TRUE(gaps().Taking("web", begin_ + seconds(60)));
  gaps_.reset();
  Reopen();
  Load();
  EXPECT_EQ(gaps().LastTaking("web"), begin_ + seconds(60));
}

TEST_F(SourceGapsTest, ARecordThatCannotBeReadHidesNoOther) {
  Open();
  Load();
  ASSERT_TRUE(gaps().Begin("web", "stopped", begin_));
  Records& records = journal->records();
  ASSERT_TRUE(records.Put("gap/00000000000000000009", "\x01 no gap"));
  ASSERT_TRUE(records.Put("gap/00000000000000000010", ""));
  const auto good = records.List("gap/");
  ASSERT_TRUE(records.Put("gap/00000000000000000011", good->front().second));  // another's
  ASSERT_TRUE(records.Put("taking/audit", "\x07"));
  Load();
  EXPECT_EQ(gaps().List().size(), 1u);
  EXPECT_EQ(gaps().LastTaking("audit"), std::nullopt);
  ASSERT_TRUE(gaps().Begin("audit", "stopped", begin_));
  EXPECT_EQ(gaps().List().back().number, 2u);
}

TEST_F(SourceGapsTest, NamesAreBounded) {
  Open();
  Load();
  EXPECT_FALSE(gaps().Begin(std::string(129, 'x'), "stopped", begin_));
  EXPECT_FALSE(gaps().Taking(std::string(129, 'x'), begin_));
}

}  // namespace
}  // namespace spool
