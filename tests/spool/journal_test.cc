#include "spool/journal.h"

#include <gtest/gtest.h>

#include <array>
#include <future>
#include <map>
#include <random>
#include <thread>

#include "spool/records.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/moment.h"

namespace spool {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

std::string Noise(size_t size) {
  std::mt19937_64 random(size);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

TEST_F(JournalTest, EveryFieldIsReadBackAsItWasWritten) {
  Open();
  EventView in;
  in.id = IdOf(7);
  in.problem_key = IdOf(8);
  in.time = FromMicros(123'456'789);
  in.severity = Severity::kCritical;
  in.source = "/clusters/prod";
  in.type = "io.k8s.audit.v1";
  in.subject = "Pod/shop/cart";
  in.producer = "k8s-audit";
  in.category = "security";
  in.subcategory = "rbac";
  in.cluster = "prod";
  in.namespace_ = "shop";
  in.kind = "Pod";
  in.name = "cart";
  in.reason = "Forbidden";
  in.content_type = "text/plain";
  in.extensions = "\"x\":1";
  in.json = false;
  const std::string data("\0\xff binary", 9);
  in.data = data;
  Append({MakeEvent(in, Stream("events"))}, "hook");

  auto page = journal->NewReader(journal->AllStreams())->Read({1}, {});
  ASSERT_TRUE(page);
  ASSERT_EQ(page->events.size(), 1u);
  const EventView& out = page->events[0];
  EXPECT_EQ(out.sequence, Sequence{1});
  EXPECT_EQ(out.ordinal, 0u);
  EXPECT_EQ(out.stream_id, Stream("events"));
  EXPECT_EQ(out.stream, "events");
  EXPECT_EQ(out.accepted, clock.Now());
  EXPECT_EQ(out.origin, "hook");
  EXPECT_EQ(out.id, in.id);
  EXPECT_EQ(out.problem_key, in.problem_key);
  EXPECT_EQ(out.time, in.time);
  EXPECT_EQ(out.severity, in.severity);
  for (const auto text :
       {&EventView::source, &EventView::type, &EventView::subject, &EventView::producer,
        &EventView::category, &EventView::subcategory, &EventView::cluster, &EventView::namespace_,
        &EventView::kind, &EventView::name, &EventView::reason, &EventView::content_type,
        &EventView::extensions, &EventView::data}) {
    EXPECT_EQ(out.*text, in.*text);
  }
  EXPECT_FALSE(out.json);
}

TEST_F(JournalTest, SequencesAreDenseOverAllStreamsAndOrdinalsWithinEach) {
  Open();
  uint64_t number = 0;
  for (int commit = 0; commit < 20; ++commit) {
    std::vector<Event> events;
    for (int i = 0; i < 3; ++i) {
      events.push_back(NumberedEvent(Stream("events"), number++));
      events.push_back(NumberedEvent(Stream("audit"), number++));
    }
    const AppendResult result = Append(std::move(events));
    EXPECT_EQ(result.stored, 6u);
    EXPECT_EQ(result.last - result.first, 5u);
  }
  const auto all = ReadAll(journal->AllStreams(), {1}, {.events_max = 7});
  ASSERT_EQ(all.size(), number);
  std::map<std::string, uint64_t> ordinals;
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].sequence.value, i + 1);
    EXPECT_EQ(all[i].ordinal, ordinals[all[i].stream]++);
  }
  EXPECT_EQ(ordinals["events"], 60u);
  EXPECT_EQ(ReadAll(Only("audit")).size(), 60u);
}

TEST_F(JournalTest, EventsOfOneStreamKeepTheOrderOfTheirRequest) {
  Open();
  AppendNumbers("events", 0, 50);
  const auto all = ReadAll(Only("events"));
  ASSERT_EQ(all.size(), 50u);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].id, IdOf(i));
}

TEST_F(JournalTest, DuplicatesAreCountedAndNotStored) {
  Open();
  const StreamId stream = Stream("events");
  const AppendResult first = Append({NumberedEvent(stream, 1), NumberedEvent(stream, 1)});
  EXPECT_EQ(first.stored, 1u);
  EXPECT_EQ(first.duplicates, 1u);
  const AppendResult again = AppendNumbers("events", 1, 1);
  EXPECT_EQ(again.stored, 0u);
  EXPECT_EQ(again.duplicates, 1u);
  EXPECT_EQ(again.first, Sequence{0});
  EXPECT_EQ(again.last, Sequence{0});
  Reopen();
  EXPECT_EQ(AppendNumbers("events", 1, 1).duplicates, 1u);
  EXPECT_EQ(ReadAll(journal->AllStreams()).size(), 1u);
}

TEST_F(JournalTest, RecordsOfARequestAreDurableWithItsEvents) {
  Open();
  const auto append = [&](std::vector<Event> events, std::vector<RecordPut> records) {
    std::promise<Result<AppendResult>> answer;
    auto future = answer.get_future();
    journal->Append(
        std::move(events), "tail", std::move(records),
        [&answer](Result<AppendResult> result) { answer.set_value(std::move(result)); });
    return future.get();
  };
  const auto place = [&] { return journal->records().Get("place/tail").value().value_or("none"); };
  const StreamId stream = Stream("events");
  ASSERT_TRUE(append({NumberedEvent(stream, 1)}, {{"place/tail", "10"}}));
  EXPECT_EQ(place(), "10");
  Reopen();
  EXPECT_EQ(place(), "10");
  const auto repeated = append({NumberedEvent(stream, 1)}, {{"place/tail", "11"}});
  ASSERT_TRUE(repeated);
  EXPECT_EQ(repeated->duplicates, 1u);
  EXPECT_EQ(place(), "11");
  ASSERT_TRUE(append({}, {{"place/tail", "12"}, {"place/tail", "13"}}));
  Reopen();
  EXPECT_EQ(place(), "13");
  const auto refused =
      append({NumberedEvent(stream, 2)}, {{"place/tail", "14"}, {std::string(257, 'k'), ""}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(place(), "13");
  EXPECT_EQ(ReadAll(journal->AllStreams()).size(), 1u);
}

TEST_F(JournalTest, AResultTellsWhatEachStreamGot) {
  Open();
  const StreamId events = Stream("events"), audit = Stream("audit");
  AppendNumbers("audit", 1, 1);
  const AppendResult result =
      Append({NumberedEvent(events, 10), NumberedEvent(audit, 11), NumberedEvent(events, 12),
              NumberedEvent(audit, 1), NumberedEvent(audit, 13), NumberedEvent(events, 14)});
  ASSERT_EQ(result.parts.size(), 2u);
  EXPECT_EQ(result.parts[0].stream, events);
  EXPECT_EQ(result.parts[0].stored, 3u);
  EXPECT_EQ(result.parts[0].duplicates, 0u);
  EXPECT_EQ(result.parts[1].stream, audit);
  EXPECT_EQ(result.parts[1].stored, 2u);
  EXPECT_EQ(result.parts[1].duplicates, 1u);
  for (const AppendedPart& part : result.parts) {
    const auto there = ReadAll(Only(part.stream == events ? "events" : "audit"), part.first);
    ASSERT_EQ(there.size(), part.stored);
    EXPECT_EQ(there.front().sequence, part.first);
  }
  // Of which nothing is stored, the place is none.
  const AppendResult again = AppendNumbers("events", 10, 1);
  ASSERT_EQ(again.parts.size(), 1u);
  EXPECT_EQ(again.parts[0].first, Sequence{0});
  EXPECT_EQ(again.parts[0].duplicates, 1u);
  EXPECT_TRUE(Append({}).parts.empty());
}

TEST_F(JournalTest, TheSameIdFromAnotherOriginIsAnotherEvent) {
  Open();
  Append({NumberedEvent(Stream("events"), 1)}, "web");
  EXPECT_EQ(Append({NumberedEvent(Stream("events"), 1)}, "mail").stored, 1u);
}

TEST_F(JournalTest, ADuplicateBeyondTheWindowIsStoredAgain) {
  Open();
  AppendNumbers("events", 1, 1);
  clock.Advance(options.dedupe_window + seconds(1));
  EXPECT_EQ(AppendNumbers("events", 1, 1).stored, 1u);
}

TEST_F(JournalTest, AnEmptyAppendSucceedsAndGivesNoSequence) {
  Open();
  const AppendResult result = Append({});
  EXPECT_EQ(result.stored, 0u);
  EXPECT_EQ(result.first, Sequence{0});
  EXPECT_EQ(journal->end(), Sequence{1});
}

TEST_F(JournalTest, AnEventOfFiveMegabytesComesBackWhole) {
  Open();
  const std::string data = Noise(5 << 20);
  AppendNumbers("events", 1, 1, data);
  Reopen();
  const auto all = ReadAll(journal->AllStreams(), {1}, {.bytes_max = 1});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_TRUE(all[0].data == data);
}

TEST_F(JournalTest, ACommitLargerThanAChunkIsReadBackInOrder) {
  Open();
  const std::string data = Noise(100'000);
  const AppendResult result = AppendNumbers("events", 0, 45, data);
  EXPECT_EQ(result.first, Sequence{1});
  EXPECT_EQ(result.last, Sequence{45});
  const auto all = ReadAll(journal->AllStreams());
  ASSERT_EQ(all.size(), 45u);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].id, IdOf(i));
    EXPECT_TRUE(all[i].data == data);
  }
  for (uint64_t from = 1; from <= 45; ++from) {
    auto page = journal->NewReader(journal->AllStreams())->Read({from}, {.events_max = 1});
    ASSERT_TRUE(page);
    EXPECT_EQ(page->events.at(0).sequence, Sequence{from});
  }
}

TEST_F(JournalTest, APagesEventsOutliveTheReaderThatMadeThem) {
  Open();
  AppendNumbers("events", 0, 3, "kept");
  Result<Page> page = journal->NewReader(journal->AllStreams())->Read({1}, {});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->events.at(2).data, "kept");
}

TEST_F(JournalTest, FindGivesTheFirstSequenceAcceptedAtOrAfterATime) {
  Open();
  std::vector<std::pair<SystemTime, Sequence>> commits;
  for (uint64_t i = 0; i < 20; ++i) {
    clock.Advance(seconds(10));
    const auto result = AppendNumbers(i % 3 == 0 ? "audit" : "events", i * 5, 5);
    commits.emplace_back(clock.Now(), result.first);
  }
  for (const auto& [time, first] : commits) {
    EXPECT_EQ(journal->Find(time).value(), first);
    EXPECT_EQ(journal->Find(time - seconds(1)).value(), first);
    EXPECT_EQ(journal->Find(time - Micros(1)).value(), first);
  }
  EXPECT_EQ(journal->Find(SystemTime{}).value(), Sequence{1});
  EXPECT_EQ(journal->Find(clock.Now() + Micros(1)).value(), journal->end());
}

TEST_F(JournalTest, FindInAnEmptyJournalGivesTheEnd) {
  Open();
  EXPECT_EQ(journal->Find(clock.Now()).value(), journal->end());
}

TEST_F(JournalTest, WaitForReturnsAtOnceForWhatIsThereAndWhenStopped) {
  Open();
  AppendNumbers("events", 0, 1);
  EXPECT_TRUE(journal->WaitFor({1}, Millis(0), {}));
  EXPECT_FALSE(journal->WaitFor({2}, Millis(0), {}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(journal->WaitFor({2}, std::chrono::minutes(5), stop.get_token()));
}

TEST_F(JournalTest, WaitForWakesWhenAnEventArrives) {
  Open();
  std::promise<pid_t> thread;
  auto waiting = std::async(std::launch::async, [&] {
    thread.set_value(ThisThread());
    const bool there = journal->WaitFor({1}, minutes(1), {});
    return std::pair(there, std::chrono::steady_clock::now());
  });
  ASSERT_TRUE(AwaitAsleep(thread.get_future().get()));
  const auto appended = std::chrono::steady_clock::now();
  AppendNumbers("events", 0, 1);
  const auto [there, woken] = waiting.get();
  EXPECT_TRUE(there);
  EXPECT_LT(woken - appended, seconds(10));  // its own time out is a minute
}

TEST_F(JournalTest, ProducersAtOnceAllGetTheirOwnSequences) {
  Open();
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kEach = 50;
  std::vector<std::jthread> producers;
  for (uint64_t t = 0; t < kThreads; ++t) {
    producers.emplace_back([&, t] {
      for (uint64_t i = 0; i < kEach; ++i) AppendNumbers("events", t * 1000 + i * 2, 2);
    });
  }
  producers.clear();
  const auto all = ReadAll(journal->AllStreams());
  ASSERT_EQ(all.size(), kThreads * kEach * 2);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].sequence.value, i + 1);
}

// Threads that bring large requests at once pack some of them themselves.
TEST_F(JournalTest, LargeRequestsAtOnceKeepTheirOrderAndTheirRepeatsAreNotStored) {
  options.caller_packs_bytes = 1;
  Open();
  constexpr uint64_t kThreads = 4, kRequests = 25, kEvents = 60;
  std::vector<std::jthread> threads;
  std::array<std::vector<AppendResult>, kThreads> results;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t r = 0; r < kRequests; ++r) {
        std::vector<Event> events;
        const uint64_t first = (t * kRequests + r) * kEvents;
        for (uint64_t i = 0; i < kEvents; ++i) {
          // Each fifth request repeats an event of its own thread's request before.
          const bool repeats = r % 5 == 4 && i == 7;
          events.push_back(NumberedEvent(Stream(i % 3 == 0 ? "audit" : "events"),
                                         repeats ? first - kEvents + i : first + i,
                                         Noise(700 + i)));
        }
        results[t].push_back(Append(std::move(events)));
      }
    });
  }
  threads.clear();
  constexpr uint64_t kRepeats = kThreads * (kRequests / 5);
  const auto check = [&] {
    const auto all = ReadAll(journal->AllStreams());
    ASSERT_EQ(all.size(), kThreads * kRequests * kEvents - kRepeats);
    for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i].sequence.value, i + 1);
    for (uint64_t t = 0; t < kThreads; ++t) {
      for (uint64_t r = 0; r < kRequests; ++r) {
        const AppendResult& result = results[t][r];
        ASSERT_EQ(result.duplicates, r % 5 == 4 ? 1u : 0u);
        for (const AppendedPart& part : result.parts) {
          const bool audit = part.stream == Stream("audit");
          uint64_t at = part.first.value - 1;
          for (uint64_t i = 0; i < kEvents; ++i) {
            if ((i % 3 == 0) != audit || (r % 5 == 4 && i == 7)) continue;
            ASSERT_EQ(all[at].id, IdOf((t * kRequests + r) * kEvents + i));
            ASSERT_EQ(all[at++].data, Noise(700 + i));
          }
        }
      }
    }
  };
  check();
  Reopen();
  check();
}

TEST_F(JournalTest, ASecondOpenOfTheSameDirectoryIsAConflict) {
  Open();
  auto second = Journal::Open(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kConflict);
}

TEST_F(JournalTest, EverythingIsThereAfterReopening) {
  Open();
  EXPECT_TRUE(journal->created());
  AppendNumbers("events", 0, 10, "one");
  AppendNumbers("audit", 10, 10, "two");
  const auto before = ReadAll(journal->AllStreams());
  const StreamStatus status = StatusOf("events");
  Reopen();
  EXPECT_FALSE(journal->created());
  EXPECT_EQ(ReadAll(journal->AllStreams()), before);
  EXPECT_EQ(StatusOf("events").bytes, status.bytes);
  EXPECT_EQ(AppendNumbers("events", 100, 1).first, Sequence{21});
}

TEST_F(JournalTest, AFullStreamThatRejectsRefusesUntilItsEventsAreSettled) {
  options.streams[1].bytes_max = 2000;
  Open();
  auto cursor = journal->OpenCursor({"target/a", Only("events"), {1}}).value();
  const std::string data = Noise(1500);
  AppendNumbers("events", 0, 1, data);
  AppendNumbers("events", 1, 1, data);
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_TRUE(StatusOf("events").full);
  auto refused = journal->AppendAndWait({NumberedEvent(Stream("events"), 9)}, "web");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFull);
  EXPECT_EQ(AppendNumbers("audit", 10, 1).stored, 1u);
  EXPECT_EQ(ReadAll(Only("events")).size(), 2u);

  Settlement settled;
  settled.next = {3};
  settled.moves = {{Stream("events"), 2}};
  settled.delivered = 2;
  ASSERT_TRUE(cursor->Advance(settled));
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_FALSE(StatusOf("events").full);
  EXPECT_EQ(AppendNumbers("events", 9, 1).stored, 1u);
}

TEST_F(JournalTest, DropOldestEvictsUndeliveredEventsAndLeavesAMarker) {
  options.streams[1].bytes_max = 4000;
  options.streams[1].when_full = WhenFull::kDropOldest;
  Open();
  auto cursor = journal->OpenCursor({"target/a", Only("events"), {1}}).value();
  for (uint64_t i = 0; i < 5; ++i) AppendNumbers("events", i, 1, Noise(1500));
  ASSERT_TRUE(journal->RunRetention());
  const StreamStatus status = StatusOf("events");
  EXPECT_EQ(status.evicted, 3u);
  EXPECT_EQ(status.events, 2u);
  EXPECT_LE(status.bytes, 4000u);
  EXPECT_FALSE(status.full);
  uint64_t events = 0;
  for (const Marker& marker : journal->Markers()) {
    EXPECT_EQ(marker.kind, Marker::Kind::kEvicted);
    EXPECT_EQ(marker.subject, "events");
    EXPECT_EQ(marker.cause, "size");
    EXPECT_EQ(marker.undelivered, marker.events);
    events += marker.events;
  }
  EXPECT_EQ(events, 3u);
  auto page = journal->NewReader(Only("events"))->Read({1}, {});
  ASSERT_TRUE(page);
  ASSERT_EQ(page->lost.size(), 1u);
  EXPECT_EQ(page->lost[0].ordinal, 3u);
  EXPECT_EQ(page->lost[0].end, Sequence{4});
  ASSERT_EQ(page->events.size(), 2u);
  EXPECT_EQ(page->events[0].ordinal, 3u);
  EXPECT_EQ(journal->stored().first, Sequence{4});
}

TEST_F(JournalTest, AgeRemovesOnlyWhatEveryPinningCursorHasSettled) {
  options.streams[1].age_max = hours(1);
  Open();
  auto cursor = journal->OpenCursor({"target/a", Only("events"), {1}}).value();
  auto loose = journal->OpenCursor({"replay/b", Only("events"), {1}, false}).value();
  AppendNumbers("events", 0, 2);
  AppendNumbers("events", 2, 2);
  clock.Advance(hours(2));
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("events").evicted, 0u);
  Settlement settled;
  settled.next = {3};
  settled.moves = {{Stream("events"), 2}};
  settled.filtered = 2;
  ASSERT_TRUE(cursor->Advance(settled));
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("events").evicted, 2u);
  EXPECT_EQ(StatusOf("events").first, Sequence{3});
  const auto markers = journal->Markers();
  ASSERT_EQ(markers.size(), 1u);
  EXPECT_EQ(markers[0].cause, "age");
  EXPECT_EQ(markers[0].undelivered, 0u);
  EXPECT_EQ(markers[0].range, (SequenceRange{{1}, {3}}));
}

TEST_F(JournalTest, AStreamEmptiedByRetentionNeverReusesItsNumbers) {
  options.streams[1].age_max = hours(1);
  Open();
  AppendNumbers("events", 0, 4);
  clock.Advance(hours(2));
  ASSERT_TRUE(journal->RunRetention());
  EXPECT_EQ(StatusOf("events").events, 0u);
  EXPECT_FALSE(StatusOf("events").oldest);
  Reopen();
  EXPECT_EQ(StatusOf("events").evicted, 4u);
  EXPECT_EQ(journal->Markers().size(), 1u);
  EXPECT_EQ(AppendNumbers("events", 10, 1).first, Sequence{5});
  const auto all = ReadAll(Only("events"), {5});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].ordinal, 4u);
}

TEST_F(JournalTest, ADiskBelowTheReserveRefusesNewEventsAndStillReads) {
  Open();
  AppendNumbers("events", 0, 3);
  auto pin = journal->OpenCursor({"target/a", Only("events"), {1}}).value();
  pin.reset();
  options.disk_reserve_bytes = uint64_t{1} << 60;
  Reopen();
  auto refused = journal->AppendAndWait({NumberedEvent(Stream("events"), 9)}, "web");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFull);
  EXPECT_TRUE(journal->Disk().below_reserve);
  EXPECT_EQ(ReadAll(Only("events")).size(), 3u);
  EXPECT_TRUE(journal->AppendAndWait({}, "web"));
}

TEST_F(JournalTest, AStreamThatIsNoLongerConfiguredStaysReadable) {
  Open();
  AppendNumbers("audit", 0, 3, "old");
  AppendNumbers("events", 3, 3);
  const auto before = ReadAll(journal->AllStreams());
  options.streams = {StreamNamed("fresh"), StreamNamed("events")};
  Reopen();
  EXPECT_FALSE(StatusOf("audit").configured);
  EXPECT_TRUE(StatusOf("fresh").configured);
  EXPECT_EQ(ReadAll(journal->AllStreams()), before);
  EXPECT_EQ(AppendNumbers("fresh", 9, 1).first, Sequence{7});
}

TEST_F(JournalTest, SpecialStreamsAreReadOnlyByNamingThem) {
  options.streams[0].special = true;
  Open();
  AppendNumbers("audit", 0, 2);
  EXPECT_TRUE(ReadAll(journal->AllStreams()).empty());
  EXPECT_EQ(ReadAll(journal->AllWithSpecial()).size(), 2u);
}

TEST_F(JournalTest, AStreamNobodyKnowsIsInvalidAndNothingIsStored) {
  Open();
  auto refused =
      journal->AppendAndWait({NumberedEvent(Stream("events"), 1), NumberedEvent({9}, 2)}, "web");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(journal->end(), Sequence{1});
}

TEST_F(JournalTest, BadOptionsAreInvalid) {
  options.streams = {};
  EXPECT_EQ(Journal::Open(options).error().code, Code::kInvalid);
  options.streams = {StreamNamed("twice"), StreamNamed("twice")};
  EXPECT_EQ(Journal::Open(options).error().code, Code::kInvalid);
  options.streams = {StreamNamed("Not A Name")};
  EXPECT_EQ(Journal::Open(options).error().code, Code::kInvalid);
}

TEST_F(JournalTest, AcceptTimesNeverGoBackWhenTheWallClockDoes) {
  Open();
  AppendNumbers("events", 0, 1);
  clock.Step(-minutes(30));
  AppendNumbers("events", 1, 1);
  clock.Step(-hours(48));
  AppendNumbers("events", 2, 1);
  const auto all = ReadAll(journal->AllStreams());
  ASSERT_EQ(all.size(), 3u);
  EXPECT_LE(all[0].accepted, all[1].accepted);
  EXPECT_LE(all[1].accepted, all[2].accepted);
}

}  // namespace
}  // namespace spool
