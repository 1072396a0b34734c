#include "spool/cursor.h"

#include <gtest/gtest.h>

#include "tests/support/journal_fixture.h"
#include "tests/support/raw_store.h"

namespace spool {
namespace {

class CursorTest : public JournalTest {
 protected:
  std::unique_ptr<Cursor> OpenCursor(StreamSet streams, Sequence start = {1}) {
    auto cursor = journal->OpenCursor({"target/mail", streams, start});
    EXPECT_TRUE(cursor) << cursor.error().message;
    return std::move(*cursor);
  }
  static void ExpectBalanced(const Account& a) { EXPECT_EQ(a.accepted, a.settled() + a.pending); }
  Settlement Delivered(Sequence next, std::string_view stream, uint64_t ordinal, uint64_t count) {
    Settlement s;
    s.next = next;
    s.moves = {{Stream(stream), ordinal}};
    s.delivered = count;
    return s;
  }
  DeadLetter LetterFor(Sequence sequence, uint64_t number) {
    DeadLetter letter;
    letter.id = {"mail", sequence, ""};
    letter.event_id = IdOf(number);
    letter.reason = "rejected";
    letter.code = "http_400";
    letter.excerpt = "no";
    letter.attempts = 1;
    letter.first_failed = letter.last_failed = letter.accepted = clock.Now();
    letter.stream = "events";
    letter.origin = "web";
    letter.record = NumberedEvent(Stream("events"), number, "dead").record;
    return letter;
  }
};

TEST_F(CursorTest, TheAccountBalancesAfterEveryKindOfSettlement) {
  Open();
  auto cursor = OpenCursor(Only("events"));
  AppendNumbers("events", 0, 10);
  Settlement s = Delivered({7}, "events", 6, 3);
  s.filtered = 2;
  s.evicted = 1;
  s.duplicates = 1;
  s.retries = 4;
  ASSERT_TRUE(cursor->Advance(s));
  const Account a = cursor->account();
  EXPECT_EQ(a.accepted, 10u);
  EXPECT_EQ(a.delivered, 3u);
  EXPECT_EQ(a.filtered, 2u);
  EXPECT_EQ(a.evicted, 1u);
  EXPECT_EQ(a.duplicates, 1u);
  EXPECT_EQ(a.retries, 4u);
  EXPECT_EQ(a.pending, 4u);
  ExpectBalanced(a);
  EXPECT_EQ(cursor->next(), Sequence{7});
  EXPECT_EQ(cursor->OrdinalOf(Stream("events")), 6u);
}

TEST_F(CursorTest, ItsPlaceAndAccountAreThereAfterReopening) {
  Open();
  auto cursor = OpenCursor(Only("events"));
  AppendNumbers("events", 0, 5);
  ASSERT_TRUE(cursor->Advance(Delivered({4}, "events", 3, 3)));
  cursor.reset();
  Reopen();
  ASSERT_EQ(journal->Cursors().size(), 1u);
  EXPECT_FALSE(journal->Cursors()[0].open);
  cursor = OpenCursor(Only("events"), {1});
  EXPECT_EQ(cursor->next(), Sequence{4});
  EXPECT_EQ(cursor->account().delivered, 3u);
  EXPECT_EQ(cursor->account().pending, 2u);
  ExpectBalanced(cursor->account());
}

TEST_F(CursorTest, ACursorThatIsOpenCannotBeOpenedOrRemoved) {
  Open();
  auto cursor = OpenCursor(Only("events"));
  auto second = journal->OpenCursor({"target/mail", Only("events"), {1}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kConflict);
  EXPECT_EQ(journal->RemoveCursor("target/mail").error().code, Code::kConflict);
  cursor.reset();
  EXPECT_TRUE(journal->RemoveCursor("target/mail"));
  EXPECT_EQ(journal->RemoveCursor("target/mail").error().code, Code::kNotFound);
  Reopen();
  EXPECT_TRUE(journal->Cursors().empty());
}

TEST_F(CursorTest, ASkipIsCountedAndLeavesAMarker) {
  Open();
  auto cursor = OpenCursor(Only("events"));
  AppendNumbers("events", 0, 4);
  AppendNumbers("audit", 4, 2);
  AppendNumbers("events", 6, 4);
  ASSERT_TRUE(cursor->SkipTo({8}, "operator"));
  EXPECT_EQ(cursor->account().skipped, 5u);
  EXPECT_EQ(cursor->account().pending, 3u);
  ExpectBalanced(cursor->account());
  EXPECT_EQ(cursor->SkipTo({7}, "operator").error().code, Code::kInvalid);
  EXPECT_EQ(cursor->SkipTo({12}, "operator").error().code, Code::kInvalid);
  cursor.reset();
  Reopen();
  const auto markers = journal->Markers();
  ASSERT_EQ(markers.size(), 1u);
  EXPECT_EQ(markers[0].kind, Marker::Kind::kSkipped);
  EXPECT_EQ(markers[0].subject, "mail");
  EXPECT_EQ(markers[0].range, (SequenceRange{{1}, {8}}));
  EXPECT_EQ(markers[0].events, 5u);
  EXPECT_EQ(markers[0].cause, "operator");
}

TEST_F(CursorTest, AStreamAddedLaterBeginsAtTheCursorsPlace) {
  Open();
  AppendNumbers("audit", 0, 3);
  AppendNumbers("events", 3, 3);
  auto cursor = OpenCursor(Only("events"));
  ASSERT_TRUE(cursor->Advance(Delivered({6}, "events", 2, 2)));
  AppendNumbers("audit", 6, 2);
  cursor.reset();
  cursor = OpenCursor(journal->AllStreams());
  EXPECT_EQ(cursor->OrdinalOf(Stream("audit")), 3u);
  EXPECT_EQ(cursor->account().accepted, 5u);
  EXPECT_EQ(cursor->account().pending, 3u);
  ExpectBalanced(cursor->account());
}

TEST_F(CursorTest, AStreamTakenAwayLeavesWithWhatWasPending) {
  Open();
  auto cursor = OpenCursor(journal->AllStreams());
  AppendNumbers("audit", 0, 3);
  AppendNumbers("events", 3, 3);
  ASSERT_TRUE(cursor->Advance(Delivered({3}, "audit", 2, 2)));
  cursor.reset();
  cursor = OpenCursor(Only("events"));
  EXPECT_EQ(cursor->account().accepted, 5u);
  EXPECT_EQ(cursor->account().pending, 3u);
  EXPECT_EQ(cursor->account().delivered, 2u);
  ExpectBalanced(cursor->account());
}

TEST_F(CursorTest, ObservingMovesThePlaceOnAndNothingElse) {
  Open();
  auto cursor = OpenCursor(Only("events"));
  AppendNumbers("audit", 0, 3);
  cursor->Observe({4});
  cursor->Observe({2});
  EXPECT_EQ(cursor->next(), Sequence{4});
  EXPECT_EQ(cursor->account().accepted, 0u);
}

TEST_F(CursorTest, ADeadLetterIsWrittenWithTheCursorThatPassesIt) {
  Open();
  auto cursor = OpenCursor(Only("events"));
  AppendNumbers("events", 0, 2, "dead");
  Settlement s = Delivered({3}, "events", 2, 1);
  s.dead = {LetterFor({2}, 1)};
  ASSERT_TRUE(cursor->Advance(s));
  cursor.reset();
  Reopen();
  cursor = OpenCursor(Only("events"));
  EXPECT_EQ(cursor->account().dead_lettered, 1u);
  ExpectBalanced(cursor->account());
  auto letters = journal->dead_letters().List("mail", std::nullopt, 10);
  ASSERT_TRUE(letters);
  ASSERT_EQ(letters->size(), 1u);
  auto view = letters->front().View();
  ASSERT_TRUE(view);
  EXPECT_EQ(view->sequence, Sequence{2});
  EXPECT_EQ(view->id, IdOf(1));
  EXPECT_EQ(view->data, "dead");
  EXPECT_EQ(view->stream, "events");
  const auto totals = journal->dead_letters().Totals();
  ASSERT_EQ(totals.size(), 1u);
  EXPECT_EQ(totals[0].count, 1u);
}

TEST_F(CursorTest, ARedeemedDeadLetterCountsAsDelivered) {
  Open();
  auto cursor = OpenCursor(Only("events"));
  AppendNumbers("events", 0, 1);
  Settlement s = Delivered({2}, "events", 1, 0);
  s.dead = {LetterFor({1}, 0)};
  ASSERT_TRUE(cursor->Advance(s));
  DeadLetters& dead = journal->dead_letters();
  const DeadLetterId id{"mail", {1}, ""};
  EXPECT_TRUE(dead.Wanted("mail", 10)->empty());
  ASSERT_TRUE(dead.WantRetry(id));
  EXPECT_EQ(dead.Wanted("mail", 10)->size(), 1u);
  ASSERT_TRUE(cursor->Redeem(id));
  EXPECT_EQ(cursor->account().delivered, 1u);
  EXPECT_EQ(cursor->account().dead_lettered, 0u);
  ExpectBalanced(cursor->account());
  EXPECT_EQ(cursor->Redeem(id).error().code, Code::kNotFound);
  EXPECT_EQ(dead.WantRetry(id).error().code, Code::kNotFound);
  EXPECT_TRUE(dead.Wanted("mail", 10)->empty());
  EXPECT_TRUE(dead.Totals().empty());
}

TEST_F(CursorTest, ADroppedDeadLetterStaysCounted) {
  Open();
  auto cursor = OpenCursor(Only("events"));
  AppendNumbers("events", 0, 1);
  Settlement s = Delivered({2}, "events", 1, 0);
  s.dead = {LetterFor({1}, 0)};
  ASSERT_TRUE(cursor->Advance(s));
  ASSERT_TRUE(journal->dead_letters().Drop(s.dead[0].id));
  EXPECT_EQ(journal->dead_letters().Drop(s.dead[0].id).error().code, Code::kNotFound);
  EXPECT_EQ(cursor->account().dead_lettered, 1u);
  ExpectBalanced(cursor->account());
}

TEST_F(CursorTest, TotalsOfDeadLettersAreKeptAndCountedAnewWhenTheyAreGone) {
  Open();
  auto cursor = OpenCursor(Only("events"));
  AppendNumbers("events", 0, 3);
  Settlement s = Delivered({4}, "events", 3, 0);
  s.dead = {LetterFor({1}, 0), LetterFor({2}, 1), LetterFor({3}, 2)};
  ASSERT_TRUE(cursor->Advance(s));
  ASSERT_TRUE(journal->dead_letters().Drop(s.dead[1].id));
  ASSERT_TRUE(journal->dead_letters().WantRetry(s.dead[2].id));
  const auto before = journal->dead_letters().Totals();
  ASSERT_EQ(before.size(), 1u);
  EXPECT_EQ(before[0].count, 2u);
  const auto expect_the_same = [&] {
    const auto after = journal->dead_letters().Totals();
    ASSERT_EQ(after.size(), 1u);
    EXPECT_EQ(after[0].count, before[0].count);
    EXPECT_EQ(after[0].bytes, before[0].bytes);
    const auto wanted = journal->dead_letters().Wanted("mail", 10);
    ASSERT_EQ(wanted->size(), 1u);
    EXPECT_EQ(wanted->front().id, s.dead[2].id);
  };
  cursor.reset();
  Reopen();
  expect_the_same();
  journal.reset();
  {
    RawStore raw(options.dir);
    ASSERT_TRUE(raw.Get("default", "d"));
    raw.Remove("default", 1);  // behind c/target/mail
    ASSERT_FALSE(raw.Get("default", "d"));
    raw.Put("default", "d/mail", std::string("\x63\x63", 2));
  }
  Open();
  expect_the_same();
}

TEST_F(CursorTest, ATargetHasRoomForSoManyDeadLetters) {
  options.dead_letters_max = 2;
  Open();
  auto cursor = OpenCursor(Only("events"));
  AppendNumbers("events", 0, 2);
  DeadLetters& dead = journal->dead_letters();
  EXPECT_TRUE(dead.HasRoom("mail"));
  Settlement s = Delivered({3}, "events", 2, 0);
  s.dead = {LetterFor({1}, 0), LetterFor({2}, 1)};
  ASSERT_TRUE(cursor->Advance(s));
  EXPECT_FALSE(dead.HasRoom("mail"));
  EXPECT_TRUE(dead.HasRoom("other"));
  ASSERT_TRUE(dead.Drop(s.dead[0].id));
  EXPECT_TRUE(dead.HasRoom("mail"));
  cursor.reset();
  journal.reset();
  options.dead_letters_max = 100;
  options.dead_letter_bytes_max = 1;
  Open();
  EXPECT_FALSE(journal->dead_letters().HasRoom("mail"));
}

TEST(DeadLetterId, ItsTextIsReadBackAsTheSameId) {
  for (const DeadLetterId& id :
       {DeadLetterId{"mail", {1}, ""}, DeadLetterId{"mail-2", {77}, ""},
        DeadLetterId{"a-7-r-x", {5}, ""}, DeadLetterId{"mail", {9}, "r-abcdef"},
        DeadLetterId{"mail-3", {UINT64_MAX}, "r-k2"}}) {
    EXPECT_EQ(ParseDeadLetterId(ToText(id)), id) << ToText(id);
  }
}

TEST(DeadLetterId, OtherTextIsNone) {
  for (const char* text : {"", "mail", "-5", "mail-", "mail-x", "mail-5x",
                           "mail-99999999999999999999", "mail-123456789012345678901"}) {
    EXPECT_FALSE(ParseDeadLetterId(text)) << text;
  }
}

}  // namespace
}  // namespace spool
