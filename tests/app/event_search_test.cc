// GET /api/v1/events over a real journal.
#include "app/event_search.h"

#include <gtest/gtest.h>

#include "spool/event.h"
#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

// A journal with events of our making, in one service so that the API can be asked.
class EventSearchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    JournalOptions options;
    options.dir = dir_ / "journal";
    options.streams = DefaultStreams();
    options.disk_reserve_bytes = 0;
    options.reserve_file_bytes = 0;
    auto journal = Journal::Open(options);
    ASSERT_TRUE(journal.has_value()) << journal.error().message;
    journal_ = std::move(*journal);
  }

  struct Shape {
    std::string stream = "kubernetes-events";
    std::string kind = "Pod";
    Severity severity = Severity::kInfo;
    SystemTime time = FromMicros(1'700'000'000'000'000);
    size_t pad = 0;
  };
  void Add(size_t count, const Shape& shape) {
    while (count > 0) {
      std::vector<Event> events;
      for (size_t i = 0; i < std::min<size_t>(count, 2000); ++i) {
        const std::string data = "{\"n\":" + std::to_string(added_++) + ",\"pad\":\"" +
                                 std::string(shape.pad, 'x') + "\"}";
        EventView view;
        view.id = Sha256Prefix(data);
        view.time = shape.time;
        view.severity = shape.severity;
        view.source = "/test";
        view.type = "test";
        view.kind = shape.kind;
        view.content_type = "application/json";
        view.data = data;
        events.push_back(MakeEvent(view, *journal_->FindStream(shape.stream)));
      }
      count -= events.size();
      ASSERT_TRUE(journal_->AppendAndWait(std::move(events), "web").has_value());
    }
  }

  EventPage Search(const std::string& query) {
    const auto params = QueryParams::Parse(query);
    EXPECT_TRUE(params.has_value());
    auto search = ParseEventSearch(*params, *journal_, RealClock().Now());
    EXPECT_TRUE(search.has_value()) << search.error().message;
    auto result = RunEventSearch(*search, *journal_, {});
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return ParseEvents({.status = 200,
                        .content_type = "application/jsonl",
                        .body = result->lines + ScanLine(result->report),
                        .error = {}});
  }
  static std::vector<uint64_t> Sequences(const EventPage& page) {
    std::vector<uint64_t> out;
    for (const auto& event : page.events)
      out.push_back(std::stoull(event["sequence"].get<std::string>()));
    return out;
  }

  const AppDir dir_;
  std::unique_ptr<Journal> journal_;
  uint64_t added_ = 0;
};

using Numbers = std::vector<uint64_t>;

TEST_F(EventSearchTest, AnEmptyJournalIsThroughAtOnce) {
  for (const char* query :
       {"", "order=oldest", "order=newest&limit=5", "from_sequence=100&order=oldest"}) {
    const EventPage page = Search(query);
    EXPECT_TRUE(page.events.empty());
    EXPECT_EQ(page.scan["complete"], true);
    EXPECT_EQ(page.scan["scanned"], 0);
  }
  EXPECT_EQ(Search("from_sequence=100&order=oldest").scan["next"], 100);
}

TEST_F(EventSearchTest, TheNewestAreFoundFirstAndPrintedOldestFirst) {
  Add(1000, {});
  EXPECT_EQ(Sequences(Search("limit=3")), (Numbers{998, 999, 1000}));
  const EventPage page = Search("limit=3&to_sequence=500");
  EXPECT_EQ(Sequences(page), (Numbers{497, 498, 499}));
  EXPECT_EQ(page.scan["complete"], true);
  EXPECT_EQ(page.scan["next"], 497);
  EXPECT_EQ(page.scan["matched"], 3);
  EXPECT_EQ(page.scan["end"], 1001);
  EXPECT_EQ(Sequences(Search("limit=3&order=oldest&from_sequence=10")), (Numbers{10, 11, 12}));
  EXPECT_EQ(Search("limit=3&order=oldest&from_sequence=10").scan["next"], 13);
  EXPECT_EQ(Search("").events.size(), 100u);
}

TEST_F(EventSearchTest, PagesJoinWithoutGapsAndRepeatsInBothDirections) {
  for (int i = 0; i < 40; ++i) {
    Add(29, {.kind = "Pod"});
    Add(1, {.kind = "Node"});
  }
  Numbers forward;
  uint64_t from = 1;
  for (int i = 0; i < 100; ++i) {
    const EventPage page =
        Search("kind=Node&order=oldest&limit=3&from_sequence=" + std::to_string(from));
    for (const uint64_t s : Sequences(page)) forward.push_back(s);
    if (page.events.empty()) break;
    from = page.scan["next"];
  }
  Numbers backward;
  uint64_t to = 1'000'000;
  for (int i = 0; i < 100; ++i) {
    const EventPage page = Search("kind=Node&limit=3&to_sequence=" + std::to_string(to));
    const Numbers found = Sequences(page);
    backward.insert(backward.begin(), found.begin(), found.end());
    if (page.events.empty()) break;
    to = page.scan["next"];
  }
  EXPECT_EQ(forward.size(), 40u);
  EXPECT_EQ(forward, backward);
}

TEST_F(EventSearchTest, FiltersAreJoinedAndSpecialStreamsMustBeNamed) {
  Add(5, {.kind = "Pod", .severity = Severity::kInfo});
  Add(5, {.kind = "Node", .severity = Severity::kError});
  Add(5, {.stream = "security-events", .kind = "Pod", .severity = Severity::kError});
  Add(5, {.stream = "quarantine"});
  EXPECT_EQ(Search("").events.size(), 15u);
  EXPECT_EQ(Search("kind=Pod").events.size(), 10u);
  EXPECT_EQ(Search("kind=Pod&severity=%3E%3Dwarning").events.size(), 5u);
  EXPECT_EQ(Search("match=kind!%3DPod").events.size(), 5u);
  EXPECT_EQ(Search("match=kind%3DPod&match=severity%3Derror").events.size(), 5u);
  EXPECT_EQ(Search("kind=Pod&match=data.n%3D12").events.size(), 1u);
  EXPECT_EQ(Search("stream=security-events").events.size(), 5u);
  EXPECT_EQ(Search("stream=quarantine").events.size(), 5u);
  EXPECT_EQ(Search("match=stream%3Dquarantine").events.size(), 5u);
  EXPECT_EQ(Search("stream=*").events.size(), 15u);
  EXPECT_EQ(Search("source=web").events.size(), 15u);
  EXPECT_EQ(Search("stream=none").events.size(), 0u);
}

TEST_F(EventSearchTest, TimesNarrowByAcceptTimeOrChooseByEventTime) {
  const SystemTime old = FromMicros(1'500'000'000'000'000);  // 2017-07-14T02:40:00Z
  Add(4, {.time = old});
  Add(4, {});
  EXPECT_EQ(Search("since=1h").events.size(), 8u);
  EXPECT_EQ(Search("to=1h").events.size(), 0u);
  EXPECT_EQ(Search("by=event-time&from=2017-07-14&to=2017-07-15").events.size(), 4u);
  EXPECT_EQ(Search("by=event-time&since=2017-07-15").events.size(), 4u);
  EXPECT_EQ(Search("from=2017-07-14&to=2017-07-15").events.size(), 0u);
}

TEST_F(EventSearchTest, AScanIsBoundedAndSaysHowToGoOn) {
  Add(230'000, {.kind = "Pod"});
  Add(1, {.kind = "Node"});
  Add(10, {.kind = "Pod"});
  EventPage page = Search("kind=Node&order=oldest");
  EXPECT_TRUE(page.events.empty());
  EXPECT_EQ(page.scan["complete"], false);
  EXPECT_EQ(page.scan["scanned"], kScanEventsMax);
  EXPECT_EQ(page.scan["next"], kScanEventsMax + 1);
  page = Search("kind=Node&order=oldest&from_sequence=" + page.scan["next"].dump());
  EXPECT_EQ(Sequences(page), (Numbers{230'001}));
  EXPECT_EQ(page.scan["complete"], true);

  EXPECT_EQ(Sequences(Search("kind=Node&limit=1")), (Numbers{230'001}));
  uint64_t to = 230'001;
  uint64_t scanned = 0;
  for (int i = 0; i < 5; ++i) {
    page = Search("kind=Node&limit=1&to_sequence=" + std::to_string(to));
    EXPECT_LE(page.scan["scanned"], kScanEventsMax);
    EXPECT_LT(page.scan["next"], to);
    to = page.scan["next"];
    scanned += page.scan["scanned"].get<uint64_t>();
    if (page.scan["complete"] == true) break;
  }
  EXPECT_EQ(to, 1u);
  EXPECT_EQ(page.scan["complete"], true);
  EXPECT_GE(scanned, 230'000u);
}

TEST_F(EventSearchTest, ARareStreamAtTheFarEndIsFoundThoughOthersAreDense) {
  Add(3, {.stream = "security-events"});
  Add(100'000, {});
  Add(2, {.stream = "security-events"});
  const EventPage page = Search("stream=security-events&limit=5");
  EXPECT_EQ(Sequences(page), (Numbers{1, 2, 3, 100'004, 100'005}));
  EXPECT_LE(page.scan["scanned"], 100);
  // Dense behind thin: the growing windows run into it and must still give the newest.
  Add(60'000, {.stream = "infrastructure-changes"});
  Add(100'000, {});
  const EventPage dense = Search("stream=infrastructure-changes|security-events&limit=3");
  EXPECT_EQ(Sequences(dense), (Numbers{160'003, 160'004, 160'005}));
}

TEST_F(EventSearchTest, AnAnswerIsBoundedInBytesInBothDirections) {
  Add(24, {.pad = 1 << 20});
  const EventPage oldest = Search("order=oldest&limit=100");
  EXPECT_GE(oldest.events.size(), 4u);
  EXPECT_LE(oldest.events.size(), 8u);
  EXPECT_EQ(oldest.scan["complete"], false);
  EXPECT_EQ(oldest.scan["next"], oldest.events.size() + 1);
  const EventPage newest = Search("limit=100");
  EXPECT_EQ(newest.scan["complete"], false);
  ASSERT_FALSE(newest.events.empty());
  EXPECT_EQ(Sequences(newest).back(), 24u);
  EXPECT_EQ(newest.scan["next"], Sequences(newest).front());
  size_t seen = newest.events.size();
  uint64_t to = newest.scan["next"];
  while (to > 1) {
    const EventPage page = Search("limit=100&to_sequence=" + std::to_string(to));
    ASSERT_FALSE(page.events.empty());
    EXPECT_EQ(Sequences(page).back(), to - 1);
    seen += page.events.size();
    to = page.scan["next"];
  }
  EXPECT_EQ(seen, 24u);
}

TEST_F(EventSearchTest, AStoppedScanEndsAtOnce) {
  Add(100, {});
  const auto search = ParseEventSearch(*QueryParams::Parse(""), *journal_, RealClock().Now());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(RunEventSearch(*search, *journal_, stop.get_token()).error().code, Code::kCancelled);
}

TEST_F(EventSearchTest, AnEventIsFoundBySequenceAndById) {
  Add(30'000, {});
  Add(1, {.stream = "quarantine"});
  const auto one = LookUpEvent(Sequence{17}, *journal_);
  ASSERT_TRUE(one.has_value());
  const nlohmann::json event = nlohmann::json::parse(*one);
  EXPECT_EQ(event["data"]["n"], 16);
  EXPECT_TRUE(LookUpEvent(Sequence{30'001}, *journal_).has_value());
  for (const uint64_t none : {uint64_t{0}, uint64_t{30'002}, UINT64_MAX}) {
    EXPECT_EQ(LookUpEvent(Sequence{none}, *journal_).error().code, Code::kNotFound);
  }
  const auto id = Hash128::FromHex(event["id"].get<std::string>());
  ASSERT_TRUE(id.has_value());
  const SystemTime hour_ago = RealClock().Now() - std::chrono::hours(1);
  EXPECT_EQ(LookUpEvent(*id, hour_ago, {}, *journal_, {}).value_or(""), *one);
  EXPECT_EQ(LookUpEvent(*id, hour_ago, Sequence{18}, *journal_, {}).value_or(""), *one);
  EXPECT_FALSE(LookUpEvent(*id, hour_ago, Sequence{17}, *journal_, {}).has_value());
  const SystemTime later = RealClock().Now() + std::chrono::hours(1);
  EXPECT_FALSE(LookUpEvent(*id, later, {}, *journal_, {}).has_value());
}

TEST(EventFeed, ARequestThatWaitsIsAnsweredByTheFirstMatchOrAtItsTime) {
  const AppDir dir;
  RunningService service(TestConfig(dir.path()));
  ASSERT_TRUE(service.ok());
  const auto begin = RealClock().Steady();
  const EventPage nothing = ParseEvents(service.Get("/api/v1/events?from_sequence=1&wait=1"));
  EXPECT_GE(RealClock().Steady() - begin, std::chrono::milliseconds(900));
  EXPECT_TRUE(nothing.events.empty());
  EXPECT_EQ(nothing.scan["next"], 1);

  HttpReply reply;
  std::thread waiting(
      [&] { reply = service.Get("/api/v1/events?from_sequence=1&wait=30&match=data.n%3D7"); });
  ASSERT_EQ(service.PostEvents(3).status, 200);
  ASSERT_EQ(service.PostEvents(6, 3).status, 200);
  waiting.join();
  const EventPage page = ParseEvents(reply);
  ASSERT_EQ(page.events.size(), 1u);
  EXPECT_EQ(page.events[0]["data"]["n"], 7);
  // What was there before it came is answered at once.
  EXPECT_EQ(ParseEvents(service.Get("/api/v1/events?from_sequence=1&wait=30")).events.size(), 9u);
  const EventPage past = ParseEvents(service.Get("/api/v1/events?from_sequence=10&to=1h&wait=1"));
  EXPECT_TRUE(past.events.empty());
}

}  // namespace
}  // namespace spool::testing
