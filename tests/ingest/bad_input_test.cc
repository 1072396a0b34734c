// What cannot be understood is told of, and never costs its neighbours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/json_scan.h"
#include "tests/support/ingest_fixture.h"

namespace spool {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The reason under which a body's one record went to quarantine.
std::string ReasonOf(IngestFixture& ingest, std::string_view path, std::string_view body) {
  const auto events = ingest.Events(path, body);
  EXPECT_EQ(ingest.quarantined, 1U) << body.substr(0, 100);
  if (events.size() != 1) return "";
  EXPECT_EQ(events[0].stream, "quarantine");
  EXPECT_EQ(events[0].view.type, "dev.spool.quarantine.v1");
  EXPECT_EQ(events[0].view.category, "");
  JsonScanner scanner;
  EXPECT_TRUE(scanner.Scan(events[0].view.data, 64)) << events[0].view.data;
  return std::string(events[0].view.reason);
}

TEST(BadInput, OneBadRecordOfFiveHundredCostsOnlyItself) {
  for (const std::string& bad : {std::string(R"({"n":nan})"), std::string("{\"n\":\"\xFF\"}"),
                                 std::string(R"({"n":1,"n":2})"), std::string("17"),
                                 std::string(R"({"n":[}})"), std::string("{\"n\":\"a\nb\"}"),
                                 "{\"n\":" + std::string(100, '[') + std::string(100, ']') + "}"}) {
    for (const std::string_view separator : {",", "\n"}) {
      if (separator == "\n" && bad.find('\n') != std::string::npos) continue;
      std::string body = separator == "," ? "[" : "";
      for (int i = 0; i < 500; ++i) {
        if (i > 0) body += separator;
        body += i == 250 ? bad : EventText{.uid = "u" + std::to_string(i)}.Json();
      }
      if (separator == ",") body += "]";
      IngestFixture ingest;
      const auto events = ingest.Events("/v1/events", body);
      ASSERT_EQ(events.size(), 500U) << bad;
      EXPECT_EQ(ingest.quarantined, 1U);
      EXPECT_EQ(events[250].stream, "quarantine");
      EXPECT_EQ(events[251].view.data, EventText{.uid = "u251"}.Json());
    }
  }
}

TEST(BadInput, EachReasonHasItsWord) {
  IngestFixture ingest({.limits = {.record_bytes_max = 2000}});
  const std::string good = R"({"a":1})";
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", "17"), "not_an_object");
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", "\"text\""), "not_an_object");
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", "[[1]]"), "not_an_object");
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", "{\"a\":\"\xC0\xA0\"}"), "invalid_utf8");
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", R"({"a":"\ud800"})"), "invalid_utf8");
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", R"({"metadata":{},"metadata":{}})"), "duplicate_key");
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", R"({"metadata":{"uid":"a","uid":"b"}})"),
            "duplicate_key");
  EXPECT_EQ(ReasonOf(ingest, "/audit", R"({"auditID":"a","stage":"s","auditID":"b"})"),
            "duplicate_key");
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", R"({"a":")" + std::string(2000, 'x') + "\"}"),
            "too_large");
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", R"({"specversion":"1.0","id":"1"})"),
            "invalid_cloudevent");
}

TEST(BadInput, AuditAndEventsMustHaveWhatNamesThem) {
  IngestFixture ingest;
  for (const std::string_view body :
       {R"({"kind":0})", R"({"auditID":"a"})", R"({"stage":"ResponseComplete"})", R"({"a":1})",
        R"({"auditID":"","stage":"x"})", R"({"auditID":7,"stage":"x"})",
        R"({"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"level":"Metadata"}]})"}) {
    EXPECT_EQ(ReasonOf(ingest, "/audit", body), "missing_field") << body;
  }
  for (const std::string_view body :
       {R"({"kind":"Event","apiVersion":"v1","reason":"x"})", R"({"involvedObject":{}})",
        R"({"kind":"EventList","apiVersion":"v1","items":[{"reason":"x"}]})",
        R"({"kind":"Event","apiVersion":"events.k8s.io/v1","regarding":"pod"})"}) {
    EXPECT_EQ(ReasonOf(ingest, "/events", body), "missing_field") << body;
  }
  EXPECT_EQ(ReasonOf(ingest, "/v1/events",
                     R"({"involvedObject":{"kind":"A"},"regarding":{"kind":"B"},"reason":"r"})"),
            "duplicate_key");
}

TEST(BadInput, DeepNestingIsQuarantinedOrRefused) {
  IngestFixture ingest;
  constexpr size_t kDeep = 100'000;
  const std::string arrays = std::string(kDeep, '[') + std::string(kDeep, ']');
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", arrays), "too_deep");
  std::string objects, closing(kDeep, '}');
  for (size_t i = 0; i < kDeep; ++i) objects += "{\"a\":";
  EXPECT_EQ(ReasonOf(ingest, "/v1/events", objects + "1" + closing), "too_deep");
  EXPECT_EQ(ingest.Decode("/v1/events", objects).error().code, "invalid_json");
  EXPECT_EQ(ingest.Decode("/v1/events", std::string(kDeep, '[')).error().code, "invalid_json");
  EXPECT_EQ(ingest.Decode("/v1/events", std::string(kDeep, '{')).error().code, "invalid_json");
}

TEST(BadInput, ABodyThatIsNoJsonIsRefusedAndToldOf) {
  IngestFixture ingest;
  const struct {
    std::string_view body;
    int64_t offset;
  } cases[] = {{"hello", 0},     {"{\"a\":nan}", 5}, {"  <xml/>", 2}, {"{\"a\":1", 6}, {"[nan]", 1},
               {"\xFF\xFE{", 0}, {"{", 1},           {"[", 1},        {"nan\nnan", 0}};
  for (const auto& c : cases) {
    auto decoded = ingest.Decode("/v1/events", c.body);
    ASSERT_FALSE(decoded) << c.body;
    EXPECT_EQ(decoded.error().status, 400);
    EXPECT_EQ(decoded.error().code, "invalid_json");
    EXPECT_EQ(decoded.error().offset, c.offset) << c.body;
    ASSERT_EQ(ingest.quarantine.size(), 1U);
    const auto events = ingest.Read(std::move(ingest.quarantine));
    EXPECT_EQ(events[0].stream, "quarantine");
    EXPECT_THAT(std::string(events[0].view.data),
                HasSubstr("\"length\":" + std::to_string(c.body.size())));
  }
}

TEST(BadInput, AnEmptyBodyIsRefusedQuietly) {
  IngestFixture ingest;
  for (const std::string_view body : {"", " \r\n\t", "\xEF\xBB\xBF"}) {
    auto decoded = ingest.Decode("/v1/events", body);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().status, 400);
    EXPECT_EQ(decoded.error().code, "empty_body");
    EXPECT_TRUE(ingest.quarantine.empty());
  }
}

TEST(BadInput, TooManyRecordsRefuseTheRequest) {
  IngestFixture ingest({.limits = {.records_max = 3}});
  EXPECT_EQ(ingest.Events("/v1/events", "[{},{},{}]").size(), 3U);
  for (const std::string_view body : {"[{},{},{},{}]", "{}\n{}\n{}\n{}", "[1,2,nan,3]"}) {
    auto decoded = ingest.Decode("/v1/events", body);
    ASSERT_FALSE(decoded) << body;
    EXPECT_EQ(decoded.error().status, 413);
    EXPECT_EQ(decoded.error().code, "too_many_records");
    EXPECT_TRUE(ingest.quarantine.empty());
  }
}

TEST(BadInput, TypesThatAreNoJsonAreRefused) {
  IngestFixture ingest;
  for (const std::string_view type :
       {"application/x-protobuf", "multipart/form-data; boundary=x", "application/cloudevents+avro",
        "application/cloudevents-batch+avro", "application/msgpack", "image/png", "Text/XML"}) {
    auto decoded = ingest.Decode("/v1/events", R"({"a":1})", type);
    ASSERT_FALSE(decoded) << type;
    EXPECT_EQ(decoded.error().status, 415);
    EXPECT_EQ(decoded.error().code, "unsupported_media_type");
  }
}

TEST(BadInput, ABodyThatWasCutOffKeepsWhatCameWhole) {
  IngestFixture ingest;
  const auto events = ingest.Events("/v1/events", R"([{"a":1},{"a":2},{"a":)");
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(ingest.quarantined, 1U);
  EXPECT_EQ(events[2].view.reason, "invalid_json");
}

TEST(BadInput, QuarantineTellsAllButTheRecord) {
  IngestFixture ingest({.cluster = "c"});
  const std::string body = R"([{"a":1},{"user":"jane","password":"hunter2","x":nan}])";
  const auto events = ingest.Events("/v1/events", body);
  ASSERT_EQ(events.size(), 2U);
  const std::string data(events[1].view.data);
  EXPECT_THAT(data, HasSubstr(R"("reason":"invalid_json")"));
  EXPECT_THAT(data, HasSubstr(R"("path":"/v1/events")"));
  EXPECT_THAT(data, HasSubstr(R"("offset":9)"));
  EXPECT_THAT(data, HasSubstr(R"("error_offset":)" + std::to_string(body.find("nan"))));
  EXPECT_THAT(data, HasSubstr(R"("hash":")"));
  EXPECT_THAT(data, HasSubstr("jane"));
  EXPECT_THAT(data, Not(HasSubstr("hunter2")));
  EXPECT_EQ(events[1].view.severity, Severity::kWarning);
  EXPECT_EQ(events[1].view.source, "/clusters/c/unknown");
}

TEST(BadInput, NothingOfAnAuditEventIsShown) {
  IngestFixture ingest;
  for (const std::string_view path : {"/audit", "/v1/events"}) {
    const auto events = ingest.Events(
        path, R"([{"auditID":"a","stage":"s"},{"auditID":"b","canary":"c4n4ry","x":nan}])");
    ASSERT_EQ(events.size(), 2U);
    EXPECT_THAT(std::string(events[1].view.data), Not(HasSubstr("c4n4ry")));
    EXPECT_THAT(std::string(events[1].view.data), Not(HasSubstr("excerpt")));
  }
}

TEST(BadInput, FluentBitsRepeatedDateIsNoFault) {
  IngestFixture ingest;
  const auto events = ingest.Events(
      "/v1/events", R"([{"date":1773480413.0,"log":"a","date":"2026"},{"date":1.5,"log":nan}])");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].view.producer, "json");
  EXPECT_EQ(ingest.quarantined, 1U);
}

TEST(BadInput, ALargeRecordLeavesNoLargeBuffers) {
  IngestFixture ingest;
  const std::string body = R"({"a":")" + std::string(size_t{4} << 20, 'x') + "\"}";
  EXPECT_EQ(ingest.One("/v1/events", body).view.data.size(), body.size());
  EXPECT_EQ(ingest.One("/v1/events", R"({"a":1})").view.data, R"({"a":1})");
}

}  // namespace
}  // namespace spool
