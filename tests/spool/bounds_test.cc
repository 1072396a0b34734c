// Retention that changes while the journal is open.
#include <gtest/gtest.h>

#include "tests/support/journal_fixture.h"

namespace spool {
namespace {

TEST_F(JournalTest, BoundsThatAreSetAnewCountFromTheNextPassOn) {
  Reopen();
  AppendNumbers("events", 0, 5);
  AppendNumbers("audit", 10, 5);
  clock.Advance(std::chrono::minutes(10));
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(journal->Streams().at(1).events, 5u) << "there was no limit";
  StreamOptions bounds = StreamNamed("events");
  bounds.age_max = std::chrono::minutes(5);
  bounds.bytes_max = uint64_t{1} << 30;
  bounds.when_full = WhenFull::kDropOldest;
  ASSERT_TRUE(journal->SetBounds({bounds}));
  const StreamStatus set = journal->Streams().at(1);
  EXPECT_EQ(set.age_max, bounds.age_max);
  EXPECT_EQ(set.bytes_max, bounds.bytes_max);
  EXPECT_EQ(set.when_full, WhenFull::kDropOldest);
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(journal->Streams().at(1).events, 0u);
  EXPECT_EQ(journal->Streams().at(0).events, 5u) << "of the other stream nothing was said";
}

TEST_F(JournalTest, BoundsOfAStreamThatIsNotOpenChangeNothing) {
  Reopen();
  StreamOptions bounds = StreamNamed("events");
  bounds.age_max = std::chrono::minutes(5);
  const Status set = journal->SetBounds({bounds, StreamNamed("other")});
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, Code::kNotFound);
  EXPECT_EQ(journal->Streams().at(1).age_max, Micros(0));
}

}  // namespace
}  // namespace spool
