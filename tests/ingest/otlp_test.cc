// Log records of OTLP in both forms, and what a broken one costs.
#include "ingest/otlp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/support/ingest_fixture.h"

namespace spool {
namespace {

using nlohmann::json;

// Messages of protobuf, written by the encoding guide.
std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(0x80 | (value & 0x7f)));
  out.push_back(static_cast<char>(value));
  return out;
}
std::string Bytes(uint32_t number, const std::string& bytes) {
  return Varint(number << 3 | 2) + Varint(bytes.size()) + bytes;
}
std::string Int(uint32_t number, uint64_t value) { return Varint(number << 3) + Varint(value); }
std::string Fixed64(uint32_t number, uint64_t value) {
  std::string out = Varint(number << 3 | 1);
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}
std::string Fixed32(uint32_t number, uint32_t value) {
  std::string out = Varint(number << 3 | 5);
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}
std::string Double(uint32_t number, double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return Fixed64(number, bits);
}
std::string Text(const std::string& text) { return Bytes(1, text); }  // an AnyValue
std::string KeyValue(const std::string& key, const std::string& value) {
  return Bytes(1, key) + Bytes(2, value);
}
std::string Request(const std::string& record) {
  const std::string resource = Bytes(1, KeyValue("k8s.pod.name", Text("web-0")));
  const std::string scope = Bytes(1, "lib") + Bytes(2, "1.2");
  return Bytes(1, Bytes(1, resource) + Bytes(2, Bytes(1, scope) + Bytes(2, record)));
}

constexpr std::string_view kProtobuf = "application/x-protobuf";

TEST(Otlp, ARecordOfEitherFormIsTheSame) {
  const std::string map = Bytes(
      6, Bytes(1, KeyValue("n", Int(3, uint64_t(-7)))) + Bytes(1, KeyValue("d", Double(4, 1.5))));
  const std::string list = Bytes(5, Bytes(1, Int(2, 1)) + Bytes(1, Bytes(7, "ab\xff")));
  const std::string record = Fixed64(1, 1795155099000000000) + Fixed64(11, 1795155099000000001) +
                             Int(2, 17) + Bytes(3, "ERROR") + Bytes(5, map) +
                             Bytes(6, KeyValue("list", list)) + Bytes(6, KeyValue("none", "")) +
                             Int(7, 3) + Fixed32(8, 1) + Bytes(9, std::string("\x01\xab", 2)) +
                             Bytes(10, "\x7f") + Bytes(12, "login") +
                             Bytes(99, "from a later version");
  const std::string as_json =
      R"({"resourceLogs":[{"resource":{"attributes":[{"key":"k8s.pod.name","value":{"stringValue":"web-0"}}]},
      "scopeLogs":[{"scope":{"name":"lib","version":"1.2"},"logRecords":[{"timeUnixNano":"1795155099000000000",
      "observedTimeUnixNano":"1795155099000000001","severityNumber":17,"severityText":"ERROR",
      "body":{"kvlistValue":{"values":[{"key":"n","value":{"intValue":"-7"}},{"key":"d","value":{"doubleValue":1.5}}]}},
      "attributes":[{"key":"list","value":{"arrayValue":{"values":[{"boolValue":true},{"bytesValue":"YWL/"}]}}},{"key":"none","value":{}}],
      "droppedAttributesCount":3,"flags":1,"traceId":"01ab","spanId":"7f","eventName":"login"}]}]}]})";
  IngestFixture ingest({.cluster = "c"});
  const ReadBack a = ingest.One("/v1/logs", Request(record), kProtobuf);
  const ReadBack b = ingest.One("/v1/logs", as_json);
  EXPECT_EQ(json::parse(a.view.data), json::parse(b.view.data));
  EXPECT_EQ(json::parse(a.view.data)["body"], json::parse(R"({"n":-7,"d":1.5})"));
  for (const ReadBack* e : {&a, &b}) {
    EXPECT_EQ(e->view.producer, "otlp");
    EXPECT_EQ(e->view.type, "io.opentelemetry.log.v1");
    EXPECT_EQ(e->view.severity, Severity::kError);
    EXPECT_EQ(e->view.kind, "Pod");
    EXPECT_EQ(e->view.name, "web-0");
    EXPECT_EQ(e->view.reason, "login");
    EXPECT_EQ(FormatTime(e->view.time), "2026-11-20T06:11:39.000000Z");
    EXPECT_EQ(e->view.category, "");
  }
}

TEST(Otlp, NothingIsASuccess) {
  IngestFixture ingest;
  EXPECT_TRUE(ingest.Events("/v1/logs", "", kProtobuf).empty());
  EXPECT_TRUE(ingest.Events("/v1/logs", "{}").empty());
  EXPECT_TRUE(ingest.Events("/v1/logs", R"({"resourceLogs":[],"unknown":1})").empty());
  EXPECT_TRUE(ingest.Events("/v1/logs", Bytes(1, ""), kProtobuf).empty());
}

TEST(Otlp, ABrokenRecordCostsOnlyItself) {
  IngestFixture ingest;
  const std::string good = Bytes(5, Text("good")), bad = Bytes(5, Varint(1 << 3 | 2) + Varint(900));
  const std::string logs =
      Bytes(1, Bytes(2, Bytes(2, good) + Bytes(2, bad) + Bytes(2, good + Bytes(3, "x"))));
  const auto events = ingest.Events("/v1/logs", logs, kProtobuf);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(ingest.quarantined, 1U);
  EXPECT_EQ(events[1].stream, "quarantine");
  const auto json_events = ingest.Events(
      "/v1/logs",
      R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[7,{"attributes":[{"key":"a","value":{}},{"key":"a","value":{}}]},{"body":{"stringValue":"good"}}]}]}]})");
  ASSERT_EQ(json_events.size(), 3U);
  EXPECT_EQ(ingest.quarantined, 2U);
  EXPECT_EQ(json_events[2].view.data, R"({"body":"good"})");
}

// Nothing that was sent is passed over in silence.
TEST(Otlp, ABrokenPartIsToldOf) {
  IngestFixture ingest;
  const std::string good = Bytes(1, Bytes(2, Bytes(2, Bytes(5, Text("good")))));
  for (const std::string& bad : {Bytes(1, "\xff"), Bytes(1, Bytes(2, "\xff")),
                                 Bytes(1, Bytes(1, "\xff")), std::string("\x0a\x7f")}) {
    const auto events = ingest.Events("/v1/logs", good + bad, kProtobuf);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(ingest.quarantined, 1U);
  }
  for (const char* bad : {"7", R"({"scopeLogs":7})", R"({"scopeLogs":[7]})",
                          R"({"scopeLogs":[{"logRecords":{}}]})"}) {
    const auto events = ingest.Events(
        "/v1/logs",
        R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a"}}]}]},)" +
            std::string(bad) + "]}");
    ASSERT_EQ(events.size(), 2U) << bad;
    EXPECT_EQ(ingest.quarantined, 1U) << bad;
  }
}

TEST(Otlp, ABodyThatIsNoRequestIsRefused) {
  IngestFixture ingest;
  const auto protobuf = ingest.Decode("/v1/logs", "\x0a\xff", kProtobuf);
  ASSERT_FALSE(protobuf);
  EXPECT_EQ(protobuf.error().code, "invalid_protobuf");
  for (const std::string_view body : {"[]", "{\"resourceLogs\":[", "x"}) {
    const auto refused = ingest.Decode("/v1/logs", body);
    ASSERT_FALSE(refused) << body;
    EXPECT_EQ(refused.error().code, "invalid_json");
  }
  const auto type = ingest.Decode("/v1/logs", "x", "text/html");
  ASSERT_FALSE(type);
  EXPECT_EQ(type.error().status, 415);
}

TEST(Otlp, DepthIsBounded) {
  IngestFixture ingest;
  std::string value = Text("x");
  for (int i = 0; i < 5'000; ++i) value = Bytes(5, Bytes(1, value));
  const auto events =
      ingest.Decode("/v1/logs", Bytes(1, Bytes(2, Bytes(2, Bytes(5, value)))), kProtobuf);
  ASSERT_FALSE(events);  // it had nothing else
  EXPECT_EQ(ingest.quarantine.size(), 1U);
}

// Many of one request: each has the id that it has alone, whatever came before it.
TEST(Otlp, EventsInRecordsHaveTheirOwnIds) {
  IngestFixture ingest({.cluster = "c"});
  const auto record = [](int number) {
    json event = {{"apiVersion", "v1"},
                  {"kind", "Event"},
                  {"type", "Warning"},
                  {"reason", "BackOff"},
                  {"involvedObject", {{"kind", "Pod"}, {"namespace", "n"}, {"name", "p"}}},
                  {"metadata",
                   {{"uid", "uid-" + std::to_string(number)},
                    {"resourceVersion", std::to_string(number)},
                    {"namespace", "n"}}}};
    return json{{"timeUnixNano", "1795155099000000000"}, {"body", {{"stringValue", event.dump()}}}};
  };
  const auto request = [&](int first, int count) {
    json records = json::array();
    for (int i = first; i < first + count; ++i) records.push_back(record(i));
    return json{{"resourceLogs", {{{"scopeLogs", {{{"logRecords", records}}}}}}}}.dump();
  };
  std::vector<Hash128> together;
  for (const int first : {0, 40}) {
    const auto all = ingest.Events("/v1/logs", request(first, 40));
    ASSERT_EQ(all.size(), 40u);
    for (const ReadBack& one : all) together.push_back(one.view.id);
  }
  for (int i = 0; i < 80; ++i) {
    EXPECT_EQ(together[static_cast<size_t>(i)], ingest.One("/v1/logs", request(i, 1)).view.id) << i;
  }
}

TEST(Otlp, EqualRecordsWithATimeAreOne) {
  IngestFixture ingest;
  const std::string timed = Request(Fixed64(1, 1795155099000000000) + Bytes(5, Text("a")));
  EXPECT_EQ(ingest.One("/v1/logs", timed, kProtobuf).view.id,
            ingest.One("/v1/logs", timed, kProtobuf).view.id);
  const std::string timeless = Request(Bytes(5, Text("a")));
  EXPECT_NE(ingest.One("/v1/logs", timeless, kProtobuf).view.id,
            ingest.One("/v1/logs", timeless, kProtobuf).view.id);
}

}  // namespace
}  // namespace spool
