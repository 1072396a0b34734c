// The HTTP source over a real journal on a disk, seen from a socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "ingest/sources/http.h"
#include "spool/reader.h"
#include "tests/support/ingest_fixture.h"
#include "tests/support/manual_clock.h"
#include "tests/support/net_raw_client.h"

namespace spool {
namespace {

using test::RawAnswer;
using test::RawSocket;
using ::testing::HasSubstr;
using ::testing::Not;

class HttpSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* base = getenv("TMPDIR");
    std::string pattern = std::string(base != nullptr ? base : "/tmp") + "/spool-ingest-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    Open();
  }
  void TearDown() override {
    source_.reset();
    journal_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Open(uint64_t disk_reserve = 0) {
    source_.reset();
    journal_.reset();
    JournalOptions options;
    options.dir = directory_ + "/journal";
    for (const char* name :
         {"kubernetes-events", "infrastructure-changes", "security-events", "admission-control"}) {
      options.streams.push_back({.name = name});
    }
    options.streams.push_back({.name = "quarantine", .special = true});
    options.disk_reserve_bytes = disk_reserve;
    options.reserve_file_bytes = 0;
    auto journal = Journal::Open(std::move(options));
    ASSERT_TRUE(journal) << journal.error().message;
    journal_ = std::move(*journal);
  }

  void Start(HttpSourceOptions options = {}) {
    options.name = "web";
    options.address = "127.0.0.1:0";
    source_ = std::make_unique<HttpSource>(std::move(options), *journal_);
    const Status started = source_->Start();
    ASSERT_TRUE(started) << started.error().message;
  }

  RawAnswer Request(const std::string& head, std::string_view body) {
    RawSocket socket = RawSocket::Connect(source_->port());
    return Request(socket, head, body);
  }
  static RawAnswer Request(RawSocket& socket, const std::string& head, std::string_view body) {
    const std::string length = std::to_string(body.size());
    socket.Send(head + "\r\nHost: spool\r\nContent-Length: " + length + "\r\n\r\n" +
                std::string(body));
    auto answer = socket.ReadAnswer();
    EXPECT_TRUE(answer) << head;
    return answer.value_or(RawAnswer{});
  }
  RawAnswer Post(const std::string& target, std::string_view body) {
    return Request("POST " + target + " HTTP/1.1\r\nContent-Type: application/json", body);
  }
  RawAnswer Get(const std::string& target) { return Request("GET " + target + " HTTP/1.1", ""); }

  std::vector<std::string> Stored(bool special = false) {
    std::vector<std::string> data;
    auto reader =
        journal_->NewReader(special ? journal_->AllWithSpecial() : journal_->AllStreams());
    Sequence from{1};
    for (;;) {
      auto page = reader->Read(from, {});
      if (!page || (page->events.empty() && page->next == from)) return data;
      for (const EventView& event : page->events) data.emplace_back(event.data);
      from = page->next;
    }
  }

  std::string directory_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<HttpSource> source_;
};

TEST_F(HttpSourceTest, CountsByTheStreamThatEventsWentTo) {
  Start();
  const std::string denied =
      R"({"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","auditID":"a-1",)"
      R"("verb":"create","requestURI":"/api/v1/namespaces/d/secrets","user":{"username":"u"},)"
      R"("objectRef":{"resource":"secrets","namespace":"d","name":"s"},"responseStatus":{"code":403}})";
  ASSERT_EQ(Post("/v1/events", "[" + denied + R"(,{"a":1},17,{"a":2}])").status, 200);
  ASSERT_EQ(Post("/v1/events", "[" + denied + "]").status, 200);
  // Refused whole, and told of in quarantine.
  ASSERT_EQ(Post("/v1/events", "{\"a\":").status, 400);
  const SourceStatus status = source_->status();
  std::map<std::string, std::string> counts;
  for (const StreamCounts& of : status.streams) {
    counts[journal_->StreamName(of.stream)] = std::to_string(of.stored) + "/" +
                                              std::to_string(of.duplicates) + "/" +
                                              std::to_string(of.quarantined);
  }
  EXPECT_EQ(counts, (std::map<std::string, std::string>{{"kubernetes-events", "2/0/0"},
                                                        {"admission-control", "1/1/0"},
                                                        {"quarantine", "0/0/2"}}));
  EXPECT_EQ(status.events, 3u);
  EXPECT_EQ(status.duplicates, 1u);
  EXPECT_EQ(status.quarantined, 2u);
}

TEST_F(HttpSourceTest, TellsWhatWasStored) {
  Start();
  const RawAnswer answer = Post("/v1/events", R"([{"a":1},{"a":2},17])");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("content-type"), "application/json");
  EXPECT_EQ(answer.body,
            "{\"stored\":2,\"duplicates\":0,\"quarantined\":1,\"first\":1,\"last\":3}\n");
  EXPECT_EQ(Post("/v1/events", "[]").body,
            "{\"stored\":0,\"duplicates\":0,\"quarantined\":0,\"first\":null,\"last\":null}\n");
}

TEST_F(HttpSourceTest, TheOtherPathsAnswerWithAnEmptyBody) {
  Start();
  for (const auto& [path, body] :
       {std::pair<std::string, std::string>{"/events", EventText{}.Json()},
        {"/audit?timeout=30s", R"({"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[)" +
                                   AuditText{}.Json() + "]}\n"}}) {
    const RawAnswer answer = Post(path, body);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.Header("content-length"), "0");
    EXPECT_EQ(answer.Header("content-type"), "");
  }
  EXPECT_EQ(Stored().size(), 2U);
}

TEST_F(HttpSourceTest, WhatWasAcknowledgedIsThereAfterAReopen) {
  Start();
  const std::string event = EventText{}.Json();
  ASSERT_EQ(Post("/events", event).status, 200);
  ASSERT_EQ(Post("/v1/events", R"({ "n" : 123456789012345678901234567890 })").status, 200);
  Open();
  EXPECT_EQ(Stored(),
            (std::vector<std::string>{event, R"({ "n" : 123456789012345678901234567890 })"}));
}

TEST_F(HttpSourceTest, RepeatsAreCountedNotStored) {
  Start();
  const std::string batch =
      "[" + EventText{.uid = "a"}.Json() + "," + EventText{.uid = "b"}.Json() + "]";
  EXPECT_THAT(Post("/v1/events", batch).body, HasSubstr("\"stored\":2,\"duplicates\":0"));
  const std::string again = Post("/v1/events", batch).body;
  EXPECT_THAT(again, HasSubstr("\"stored\":0,\"duplicates\":2"));
  EXPECT_THAT(again, HasSubstr("\"first\":null,\"last\":null"));
  EXPECT_EQ(Stored().size(), 2U);
}

TEST_F(HttpSourceTest, TwoRequestsUnderOneAuditIdAreBothKept) {
  Start();
  Post("/audit", AuditText{.id = "x", .verb = "get"}.Json());
  Post("/audit", AuditText{.id = "x", .verb = "delete"}.Json());
  EXPECT_EQ(Stored().size(), 2U);
}

TEST_F(HttpSourceTest, AnIdempotencyKeyMakesARequestRepeatable) {
  Start();
  const std::string head = "POST /v1/events HTTP/1.1\r\nIdempotency-Key: k1";
  EXPECT_THAT(Request(head, R"([{"a":1},{"a":1}])").body, HasSubstr("\"stored\":2,"));
  EXPECT_THAT(Request(head, R"([{"a":1},{"a":1}])").body,
              HasSubstr("\"stored\":0,\"duplicates\":2"));
}

TEST_F(HttpSourceTest, CloudEventsComeInThreeModes) {
  Start();
  EXPECT_EQ(
      Request("POST /v1/events HTTP/1.1\r\nCe-Specversion: 1.0\r\nCe-Id: 1\r\nCe-Source: /s\r\n"
              "Ce-Type: t\r\nContent-Type: application/json",
              R"({"mode":"binary"})")
          .status,
      200);
  const std::string one = R"({"specversion":"1.0","id":"2","source":"/s","type":"t","data":2})";
  EXPECT_EQ(
      Request("POST /v1/events HTTP/1.1\r\nContent-Type: application/cloudevents+json", one).status,
      200);
  EXPECT_THAT(
      Request("POST /v1/events HTTP/1.1\r\nContent-Type: application/cloudevents-batch+json",
              "[" + one + "," + one + "]")
          .body,
      HasSubstr("\"stored\":0,\"duplicates\":2"));
  EXPECT_EQ(Stored(), (std::vector<std::string>{R"({"mode":"binary"})", "2"}));
}

TEST_F(HttpSourceTest, EveryRefusalHasItsCode) {
  Start({.limits = {.body_bytes = 4096}, .decode = {.limits = {.records_max = 2}}});
  const struct {
    std::string head;
    std::string body;
    int status;
    std::string code;
  } cases[] = {
      {"POST /nowhere HTTP/1.1", "{}", 404, "not_found"},
      {"POST /v1/events/ HTTP/1.1", "{}", 404, "not_found"},
      {"POST /v1%2Fevents HTTP/1.1", "{}", 404, "not_found"},
      {"POST /v1%2fevents HTTP/1.1", "{}", 404, "not_found"},
      {"GET /v1/events HTTP/1.1", "", 405, "method_not_allowed"},
      {"PUT /audit HTTP/1.1", "{}", 405, "method_not_allowed"},
      {"POST /health HTTP/1.1", "{}", 405, "method_not_allowed"},
      {"POST /v1/events HTTP/1.1", "", 400, "empty_body"},
      {"POST /v1/events HTTP/1.1", "no json", 400, "invalid_json"},
      {"POST /v1/events HTTP/1.1\r\nContent-Type: application/x-protobuf", "x", 415,
       "unsupported_media_type"},
      {"POST /v1/events HTTP/1.1\r\nContent-Type: application/json; charset=utf-16", "{}", 415,
       "unsupported_media_type"},
      {"POST /v1/events HTTP/1.1", "[{},{},{}]", 413, "too_many_records"},
  };
  for (const auto& c : cases) {
    const RawAnswer answer = Request(c.head, c.body);
    EXPECT_EQ(answer.status, c.status) << c.head;
    EXPECT_EQ(answer.Header("content-type"), "application/problem+json") << c.head;
    EXPECT_THAT(answer.body, HasSubstr("\"" + c.code + "\"")) << c.head;
    EXPECT_EQ(answer.Header("allow").empty(), c.status != 405) << c.head;
  }
  EXPECT_EQ(Post("/v1/events", std::string(5000, ' ')).status, 413);
  EXPECT_TRUE(Stored().empty());
}

TEST_F(HttpSourceTest, AnUnreadableBodyIsRefusedWithItsOffsetAndToldOf) {
  Start();
  const RawAnswer answer = Post("/v1/events", R"({"a":nan})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("\"offset\":5"));
  const auto stored = Stored(/*special=*/true);
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_THAT(stored[0], HasSubstr("\"reason\":\"invalid_json\""));
  EXPECT_TRUE(Stored(/*special=*/false).empty()) << "who does not name quarantine does not see it";
}

TEST_F(HttpSourceTest, OnlyTheConfiguredPathsAreServed) {
  Start({.paths = {"/audit"}});
  EXPECT_EQ(Post("/v1/events", "{}").status, 404);
  EXPECT_EQ(Post("/audit", AuditText{}.Json()).status, 200);
  EXPECT_EQ(Get("/health").status, 200);
  HttpSource wrong({.name = "x", .address = "127.0.0.1:0", .paths = {"/adit"}}, *journal_);
  EXPECT_EQ(wrong.Start().error().code, Code::kInvalid);
}

TEST_F(HttpSourceTest, AFullDiskIsAnsweredWith503AndStoresNothing) {
  Open(/*disk_reserve=*/uint64_t{1} << 60);
  Start();
  for (const std::string_view body : {R"({"a":1})", "no json"}) {
    const RawAnswer answer = Post("/v1/events", body);
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.Header("retry-after"), "5");
    EXPECT_THAT(answer.body, HasSubstr("\"journal_full\""));
  }
  EXPECT_TRUE(Stored(/*special=*/true).empty());
}

TEST_F(HttpSourceTest, AClosedSourceListensAndTakesNothing) {
  HttpSourceOptions options;
  options.closed = true;
  Start(std::move(options));
  const RawAnswer refused = Post("/v1/events", R"({"a":1})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr(R"("code":"not_ready")"));
  EXPECT_EQ(refused.Header("Retry-After"), "1");
  EXPECT_EQ(journal_->end(), Sequence{1});
  source_->Open();
  EXPECT_EQ(Post("/v1/events", R"({"a":1})").status, 200);
  EXPECT_EQ(journal_->end(), Sequence{2});
}

TEST_F(HttpSourceTest, HealthAndReadySayWhy) {
  auto ready = std::make_shared<std::atomic<bool>>(true);
  Start({.ready = [ready]() -> Status {
    if (*ready) return {};
    return Fail(Code::kDamaged, "the journal needs \"repair\"");
  }});
  EXPECT_EQ(Get("/health").status, 200);
  EXPECT_EQ(Get("/ready").status, 200);
  EXPECT_EQ(Get("/ready?verbose").body, "{\"status\":\"ok\",\"reasons\":[]}\n");
  *ready = false;
  EXPECT_EQ(Get("/health").status, 200);
  for (const char* path : {"/ready", "/ready?verbose"}) {
    const RawAnswer answer = Get(path);
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.Header("content-type"), "application/problem+json");
    EXPECT_EQ(answer.Header("retry-after"), "1");
    EXPECT_THAT(answer.body, HasSubstr("\"status\":503,\"code\":\"not_ready\""));
  }
  EXPECT_THAT(Get("/ready").body, Not(HasSubstr("repair")));
  EXPECT_THAT(Get("/ready?verbose").body,
              HasSubstr("\"detail\":\"the journal needs \\\"repair\\\"\""));
}

TEST_F(HttpSourceTest, ProbesMayAskForTheHeadAlone) {
  auto ready = std::make_shared<std::atomic<bool>>(true);
  Start({.ready = [ready]() -> Status {
    if (*ready) return {};
    return Fail(Code::kUnavailable, "not yet");
  }});
  for (const bool good : {true, false}) {
    *ready = good;
    RawSocket socket = RawSocket::Connect(source_->port());
    for (const char* path : {"/health", "/ready?verbose"}) {
      socket.Send("HEAD " + std::string(path) + " HTTP/1.1\r\nHost: spool\r\n\r\n");
      const auto answer = socket.ReadAnswer(RawSocket::kPatience, /*head_request=*/true);
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, good || path == std::string("/health") ? 200 : 503);
    }
  }
  EXPECT_EQ(Post("/health", "").Header("allow"), "GET, HEAD");
}

// Events weigh more than the bytes that they come in: what they weigh is bounded, too.
TEST_F(HttpSourceTest, SmallBodiesCannotBecomeMoreEventsThanThereIsMemoryFor) {
  Start({.limits = {.in_flight_bytes = 1 << 20}});
  std::string lines;
  for (int i = 0; i < 10'000; ++i) lines += "{\"a\":1}\n";
  const RawAnswer answer = Post("/v1/events", lines);
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(answer.body, HasSubstr("\"body_too_large\""));
  EXPECT_EQ(source_->server_stats().in_flight_bytes, 0U);
  EXPECT_EQ(Post("/v1/events", lines.substr(0, lines.size() / 8)).status, 200);
  EXPECT_EQ(Post("/v1/events", lines + "{}").status, 413) << "no more than 10,000 records";
  EXPECT_EQ(Stored().size(), 1250U);
  EXPECT_EQ(source_->server_stats().in_flight_bytes, 0U);
}

// A body as large as all bodies in flight may be is stored, not only read.
TEST_F(HttpSourceTest, ABodyThatNeedsTheWholeBudgetIsStored) {
  constexpr size_t kAll = size_t{64} << 20;
  Start({.limits = {.body_bytes = kAll, .in_flight_bytes = kAll}});
  const std::string record = R"({"a":")" + std::string(1'000'000, 'x') + "\"}\n";
  std::string body;
  while (body.size() + record.size() <= kAll) body += record;
  EXPECT_THAT(Post("/v1/events", body).body, HasSubstr("\"stored\":67,"));
  EXPECT_EQ(Post("/v1/events", body + std::string(kAll + 1 - body.size(), ' ')).status, 413);
  EXPECT_EQ(source_->server_stats().in_flight_bytes, 0U);
}

TEST_F(HttpSourceTest, WhatTheServerRefusedCountsAsRejected) {
  Start({.limits = {.body_bytes = 4096}});
  RawSocket malformed = RawSocket::Connect(source_->port());
  malformed.Send("GET /v1/events HTTP/1.1\r\n\r\n");  // no Host
  EXPECT_EQ(malformed.ReadAnswer()->status, 400);
  EXPECT_EQ(Post("/v1/events", std::string(5000, ' ')).status, 413);
  EXPECT_EQ(Post("/v1/events", "nothing").status, 400);
  const SourceStatus status = source_->status();
  EXPECT_EQ(status.refused.malformed, 2U);
  EXPECT_EQ(status.refused.too_large, 1U);
  EXPECT_EQ(status.refused.total(), 3U);
  EXPECT_EQ(status.requests, 1U);
}

TEST_F(HttpSourceTest, BeyondTheQuotaNothingIsStoredAndTheWaitIsTold) {
  ManualClock clock;
  Start({.quota = {.events_per_second = 4, .bytes_per_second = 1000}, .clock = &clock});
  EXPECT_EQ(Post("/v1/events", R"([{"a":1},{"a":2},17])").status, 200);
  EXPECT_EQ(Post("/v1/events", R"([{"a":3},{"a":4},{"a":5},{"a":6}])").status, 200)
      << "one is left, the rest is owed";
  for (const std::string path : {"/v1/events", "/events", "/audit"}) {
    const RawAnswer answer = Post(path, R"({"a":7})");
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.Header("content-type"), "application/problem+json");
    EXPECT_EQ(answer.Header("retry-after"), "1");
    EXPECT_THAT(answer.body, HasSubstr("\"status\":429,\"code\":\"quota_exceeded\""));
    EXPECT_THAT(answer.body, HasSubstr("events a second"));
  }
  EXPECT_EQ(Get("/ready").status, 200) << "probes have no quota";
  EXPECT_EQ(Stored().size(), 6U);
  clock.Advance(std::chrono::milliseconds(751));
  EXPECT_EQ(Post("/v1/events", R"({"a":")" + std::string(5000, 'x') + "\"}").status, 200);
  const RawAnswer answer = Post("/v1/events", "{}");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.Header("retry-after"), "5");
  EXPECT_THAT(answer.body, HasSubstr("bytes a second"));
  const SourceStatus status = source_->status();
  EXPECT_EQ(status.refused.quota, 4U);
  EXPECT_EQ(status.refused.total(), 4U);
  EXPECT_EQ(status.requests, 7U);
  source_.reset();  // before its clock
}

TEST_F(HttpSourceTest, APlaceIsFreeAgainOnceItsRequestIsAnswered) {
  Start({.quota = {.requests = 1}});
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Post("/v1/events", R"({"a":1})").status, 200);
    EXPECT_EQ(Post("/v1/events", "nothing").status, 400);
  }
}

TEST_F(HttpSourceTest, AWebhookSenderMayAskFirst) {
  Start();
  const RawAnswer answer =
      Request("OPTIONS /v1/events HTTP/1.1\r\nWebHook-Request-Origin: shop.example", "");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("webhook-allowed-origin"), "*");
  EXPECT_EQ(answer.Header("webhook-allowed-rate"), "*");
  Start({.quota = {.events_per_second = 2.5}});
  EXPECT_EQ(Request("OPTIONS /v1/events HTTP/1.1\r\nWebHook-Request-Origin: shop.example", "")
                .Header("webhook-allowed-rate"),
            "150");
}

TEST_F(HttpSourceTest, CountsWhatItDid) {
  Start();
  EXPECT_EQ(source_->status().state, "up");
  EXPECT_FALSE(source_->status().last_event);
  Post("/v1/events", "[" + EventText{}.Json() + R"(,{"a":1},17])");
  Post("/v1/events", EventText{}.Json());
  Post("/v1/events", "nothing");
  Get("/health");
  const SourceStatus status = source_->status();
  EXPECT_EQ(status.name, "web");
  EXPECT_EQ(status.type, "http");
  EXPECT_EQ(status.address, "127.0.0.1:" + std::to_string(source_->port()));
  EXPECT_EQ(status.requests, 3U);
  EXPECT_EQ(status.events, 2U);
  EXPECT_EQ(status.duplicates, 1U);
  EXPECT_EQ(status.quarantined, 2U);
  EXPECT_EQ(status.refused.malformed, 1U);
  EXPECT_EQ(status.refused.total(), 1U);
  using Answers = std::vector<std::pair<int, uint64_t>>;
  EXPECT_EQ(source_->server_stats().answers, (Answers{{200, 2}, {400, 1}})) << "without the probe";
  uint64_t timed = 0;
  for (const uint64_t count : source_->server_stats().seconds.counts) timed += count;
  EXPECT_EQ(timed, 3U);
  EXPECT_TRUE(status.last_event);
}

TEST_F(HttpSourceTest, ManySendersLoseNothing) {
  Start();
  constexpr int kSenders = 8, kRequests = 40;
  std::vector<std::thread> senders;
  std::atomic<int> good{0};
  for (int s = 0; s < kSenders; ++s) {
    senders.emplace_back([&, s] {
      RawSocket socket = RawSocket::Connect(source_->port());
      for (int r = 0; r < kRequests; ++r) {
        const std::string tag = std::to_string(s) + "-" + std::to_string(r);
        const RawAnswer answer = Request(socket, "POST /events HTTP/1.1",
                                         "[" + EventText{.uid = tag + "a"}.Json() + "," +
                                             EventText{.uid = tag + "b"}.Json() + "]");
        good += answer.status == 200 ? 1 : 0;
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(good, kSenders * kRequests);
  const auto stored = Stored();
  EXPECT_EQ(std::set<std::string>(stored.begin(), stored.end()).size(),
            static_cast<size_t>(2 * kSenders * kRequests));
}

TEST_F(HttpSourceTest, AStoppedSourceTakesNothingAndMayBeStoppedAgain) {
  Start();
  const int port = source_->port();
  ASSERT_EQ(Post("/v1/events", R"({"a":1})").status, 200);
  source_->Stop(RealClock().Steady() + std::chrono::seconds(5));
  EXPECT_EQ(source_->status().state, "stopping");
  EXPECT_FALSE(RawSocket::Connect(port).ok());
  source_->Stop(RealClock().Steady());
  EXPECT_EQ(Stored().size(), 1U);
}

}  // namespace
}  // namespace spool
