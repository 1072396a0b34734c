#include "forward/hand.h"

#include <gtest/gtest.h>

#include <map>

#include "forward/route.h"

namespace spool {
namespace {

constexpr StreamId kA{0};
constexpr StreamId kB{1};

// A cursor of two streams that only says where it is.
class PlaceCursor final : public Cursor {
 public:
  const std::string& name() const override { return name_; }
  StreamSet streams() const override {
    StreamSet set;
    set.Add(kA);
    set.Add(kB);
    return set;
  }
  Sequence next() const override { return place; }
  uint64_t OrdinalOf(StreamId stream) const override { return ordinals[stream.value]; }
  Status Advance(const Settlement&) override { return {}; }
  void Observe(Sequence) override {}
  Status SkipTo(Sequence, std::string_view) override { return {}; }
  Status Redeem(const DeadLetterId&) override { return {}; }
  Account account() const override { return {}; }

  Sequence place{1};
  uint64_t ordinals[2] = {0, 0};

 private:
  const std::string name_ = "target/t";
};

class HandTest : public testing::Test {
 protected:
  void SetUp() override {
    router_ = *Router::Compile({{"r", {}, {{{"kind", "Noise"}}}, {"t"}}}, "t", false);
    selection_ = {&router_, nullptr, cursor_.streams(), StreamSet(), Sequence{~uint64_t{0}}};
    hand_.Restart(cursor_);
  }
  struct Entry {
    uint64_t sequence;
    StreamId stream;
    uint64_t ordinal;
    bool wanted = true;
  };
  Status Add(const std::vector<Entry>& entries, uint64_t next, std::vector<LostRange> lost = {}) {
    Page page;
    for (const Entry& entry : entries) {
      EventView& event = page.events.emplace_back();
      event.sequence = {entry.sequence};
      event.stream_id = entry.stream;
      event.stream = entry.stream == kA ? "a" : "b";
      event.ordinal = entry.ordinal;
      event.kind = entry.wanted ? "Pod" : "Noise";
      event.data = "{}";
    }
    page.next = {next};
    page.lost = std::move(lost);
    return hand_.Add(std::move(page), selection_);
  }
  // Sequence numbers of what Collect gives.
  std::vector<uint64_t> Collect(size_t max = 1000) {
    hand_.Collect(max, 1 << 20, Encoding::kCloudEvent, "", messages_, indices_);
    std::vector<uint64_t> sequences;
    for (const Message& message : messages_) sequences.push_back(message.event->sequence.value);
    return sequences;
  }
  bool Take() {
    taken_ = Settlement();
    return hand_.TakePrefix(taken_);
  }
  std::map<int, uint64_t> Moves() const {
    std::map<int, uint64_t> moves;
    for (const Settlement::Move& move : taken_.moves) moves[move.stream.value] = move.ordinal;
    return moves;
  }
  using MoveMap = std::map<int, uint64_t>;
  using Numbers = std::vector<uint64_t>;

  PlaceCursor cursor_;
  Router router_ = *Router::Compile({}, "t", true);
  Hand::Selection selection_;
  Hand hand_{"t"};
  std::vector<Message> messages_;
  std::vector<uint32_t> indices_;
  Settlement taken_;
};

TEST_F(HandTest, PassesOnlyTheContiguousSettledRun) {
  ASSERT_TRUE(
      Add({{1, kA, 0}, {2, kB, 0}, {3, kA, 1, false}, {4, kA, 2}, {6, kB, 1}}, 9).has_value());
  EXPECT_EQ(Collect(), (Numbers{1, 2, 4, 6}));
  EXPECT_FALSE(Take());
  hand_.Settle(indices_[2], Fate::kDelivered);
  EXPECT_FALSE(Take());
  hand_.Settle(indices_[0], Fate::kDelivered);
  ASSERT_TRUE(Take());
  EXPECT_EQ(taken_.next.value, 2U);
  EXPECT_EQ(taken_.delivered, 1U);
  EXPECT_EQ(Moves(), (MoveMap{{0, 1}}));
  EXPECT_EQ(Collect(), (Numbers{2, 6}));
  hand_.Settle(indices_[0], Fate::kDuplicate);
  ASSERT_TRUE(Take());
  EXPECT_EQ(taken_.next.value, 6U);
  EXPECT_EQ(taken_.delivered, 2U);
  EXPECT_EQ(taken_.duplicates, 1U);
  EXPECT_EQ(taken_.filtered, 1U);
  EXPECT_EQ(Moves(), (MoveMap{{0, 3}, {1, 1}}));
  Collect();
  DeadLetter letter;
  letter.reason = "rejected";
  hand_.SettleDead(indices_[0], letter);
  ASSERT_TRUE(Take());
  EXPECT_EQ(taken_.next.value, 9U);  // the whole page is passed
  ASSERT_EQ(taken_.dead.size(), 1U);
  EXPECT_EQ(taken_.dead[0].reason, "rejected");
  EXPECT_EQ(Moves(), (MoveMap{{1, 2}}));
  EXPECT_TRUE(hand_.empty());
}

TEST_F(HandTest, KeepsNoPageOfFilteredEventsOnly) {
  ASSERT_TRUE(Add({{1, kA, 0, false}, {2, kA, 1, false}}, 3).has_value());
  EXPECT_EQ(hand_.pages(), 0U);
  EXPECT_EQ(hand_.items(), 2U);
  ASSERT_TRUE(Take());
  EXPECT_EQ(taken_.filtered, 2U);
  EXPECT_EQ(taken_.next.value, 3U);
}

TEST_F(HandTest, CountsALostRangeAtOnceWhenNothingIsBeforeIt) {
  ASSERT_TRUE(Add({{2, kA, 0}, {60, kB, 20}}, 61, {{kB, {60}, 20}}).has_value());
  EXPECT_TRUE(hand_.begins_with_loss());
  ASSERT_TRUE(Take());
  EXPECT_EQ(taken_.evicted, 20U);
  EXPECT_EQ(taken_.next.value, 2U);
  EXPECT_EQ(Moves(), (MoveMap{{1, 20}}));
  EXPECT_EQ(Collect(), (Numbers{2, 60}));
}

TEST_F(HandTest, CountsALostRangeBehindWhatIsStillPending) {
  ASSERT_TRUE(Add({{1, kB, 0}, {2, kB, 1}}, 3).has_value());
  ASSERT_TRUE(Add({{60, kB, 20}}, 61, {{kB, {60}, 20}}).has_value());
  EXPECT_FALSE(Take());
  EXPECT_EQ(Collect(), (Numbers{1, 2, 60}));
  hand_.Settle(indices_[0], Fate::kDelivered);
  hand_.Settle(indices_[1], Fate::kDelivered);
  ASSERT_TRUE(Take());
  EXPECT_EQ(taken_.delivered, 2U);
  EXPECT_EQ(taken_.evicted, 18U);
  EXPECT_EQ(Moves(), (MoveMap{{1, 20}}));
  EXPECT_EQ(taken_.next.value, 60U);
}

TEST_F(HandTest, IgnoresALossOfWhatWasSettledBefore) {
  cursor_.ordinals[1] = 30;
  hand_.Restart(cursor_);
  ASSERT_TRUE(Add({{60, kB, 30}}, 61, {{kB, {60}, 20}}).has_value());
  EXPECT_FALSE(hand_.begins_with_loss());
  EXPECT_FALSE(Take());
}

TEST_F(HandTest, TakesALossAloneAsProgress) {
  ASSERT_TRUE(Add({}, 50, {{kA, {50}, 7}, {kB, {40}, 3}}).has_value());
  ASSERT_TRUE(Take());
  EXPECT_EQ(taken_.evicted, 10U);
  EXPECT_EQ(taken_.next.value, 50U);
  EXPECT_EQ(Moves(), (MoveMap{{0, 7}, {1, 3}}));
}

TEST_F(HandTest, CountsNoLossBeyondTheEndOfItsRange) {
  selection_.end = {11};
  ASSERT_TRUE(Add({}, 1000, {{kA, {1000}, 700}}).has_value());
  ASSERT_TRUE(Take());
  EXPECT_EQ(taken_.evicted, 10U);
  EXPECT_EQ(taken_.next.value, 11U);
}

TEST_F(HandTest, LeavesOutWhatLiesBeyondTheEndOfItsRange) {
  selection_.end = {3};
  ASSERT_TRUE(Add({{1, kA, 0}, {2, kA, 1}, {3, kA, 2}, {4, kA, 3}}, 5).has_value());
  EXPECT_EQ(Collect(), (Numbers{1, 2}));
  EXPECT_EQ(hand_.read_next().value, 3U);
}

TEST_F(HandTest, RefusesAPageThatSkipsAnEvent) {
  ASSERT_TRUE(Add({{1, kA, 0}}, 2).has_value());
  const Status gap = Add({{5, kA, 2}}, 6);
  ASSERT_FALSE(gap.has_value());
  EXPECT_EQ(gap.error().code, Code::kDamaged);
  EXPECT_NE(gap.error().message.find("ordinal 2 where 1 was expected"), std::string::npos);
}

TEST_F(HandTest, KeepsRenderedBytesWhileMoreIsRendered) {
  std::vector<Entry> entries;
  for (uint64_t i = 0; i < 500; ++i) entries.push_back({i + 1, kA, i});
  ASSERT_TRUE(Add(entries, 501).has_value());
  Collect(1);
  const std::string first(messages_[0].body);
  EXPECT_NE(first.find("\"sequence\":\"1\""), std::string::npos);
  Collect();
  ASSERT_EQ(messages_.size(), 500U);
  EXPECT_EQ(messages_[0].body, first);
  EXPECT_NE(messages_[499].body.find("\"sequence\":\"500\""), std::string::npos);
}

}  // namespace
}  // namespace spool
