// What cannot be understood is told of, and never costs its neighbours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

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
  // Where anything may come, what calls itself one must be one, of either kind.
  for (const std::string_view body :
       {R"({"kind":"Event","apiVersion":"v1"})",
        R"({"kind":"Event","apiVersion":"audit.k8s.io/v1"})",
        R"({"kind":"Event","apiVersion":"events.k8s.io/v1","regarding":"pod"})",
        R"({"kind":"Event","apiVersion":"v1","involvedObject":{}})"}) {
    EXPECT_EQ(ReasonOf(ingest, "/v1/events", body), "missing_field") << body;
  }
  EXPECT_EQ(ingest.One("/v1/events", R"({"kind":"Event","apiVersion":"shop/v1"})").view.producer,
            "json");
  EXPECT_EQ(ReasonOf(ingest, "/v1/events",
                     R"({"involvedObject":{"kind":"A"},"regarding":{"kind":"B"},"reason":"r"})"),
            "duplicate_key");
}

TEST(BadInput, AnEventListHasItemsOrTheNullOfGo) {
  IngestFixture ingest;
  for (const std::string_view path : {"/v1/events", "/events", "/audit"}) {
    for (const std::string_view version : {"v1", "audit.k8s.io/v1"}) {
      const std::string open = R"({"kind":"EventList","apiVersion":")" + std::string(version) + '"';
      EXPECT_TRUE(ingest.Events(path, open + R"(,"metadata":{},"items":null})").empty()) << path;
      EXPECT_EQ(ingest.quarantined, 0U);
      for (const char* rest :
           {"}", R"(,"items":{"a":1}})", R"(,"items":"null"})", R"(,"items":0})"}) {
        EXPECT_EQ(ReasonOf(ingest, path, open + rest), "missing_field") << path << open << rest;
      }
    }
  }
}

TEST(BadInput, AListThatWasCutCostsNoneBehindIt) {
  IngestFixture ingest;
  const auto list = [](std::string_view uid) {
    return R"({"kind":"EventList","apiVersion":"v1","items":[)" +
           EventText{.uid = std::string(uid), .with_kind = false}.Json() + "]}";
  };
  const std::string first = list("a");
  for (const size_t cut : {size_t{1}, size_t{2}, size_t{20}, size_t{200}}) {
    const auto events = ingest.Events(
        "/v1/events", first.substr(0, first.size() - cut) + "\n" + list("b") + "\n" + list("c"));
    ASSERT_GE(events.size(), 3U) << cut;
    EXPECT_EQ(ingest.quarantined, 1U) << cut;
    for (const size_t back : {1, 2}) {
      EXPECT_EQ(events[events.size() - back].view.producer, "k8s-event") << cut;
    }
  }
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
        "application/cloudevents-batch+avro", "application/avro", "image/png", "Text/XML",
        "application/json; charset=utf-16", "application/json;Charset=\"UTF-16LE\"",
        "text/plain; format=flowed; charset=utf-32",
        "application/cloudevents+json; charset=UTF-7"}) {
    auto decoded = ingest.Decode("/v1/events", R"({"a":1})", type);
    ASSERT_FALSE(decoded) << type;
    EXPECT_EQ(decoded.error().status, 415);
    EXPECT_EQ(decoded.error().code, "unsupported_media_type");
  }
  for (const std::string_view type :
       {"application/json; charset=utf-8", "application/json;charset=\"UTF-8\"",
        "text/plain; charset=us-ascii", "application/json; charset=ISO-8859-1"}) {
    EXPECT_EQ(ingest.Events("/v1/events", R"({"a":1})", type).size(), 1U) << type;
  }
  const IngestFixture::Headers binary = {
      {"ce-specversion", "1.0"}, {"ce-id", "1"}, {"ce-source", "/s"}, {"ce-type", "t"}};
  EXPECT_EQ(
      ingest.Decode("/v1/events", "{}", "application/json; charset=utf-16", binary).error().status,
      415);
  EXPECT_EQ(ingest.Events("/v1/events", "x", "text/plain; charset=utf-16", binary).size(), 1U)
      << "data that is not JSON is bytes";
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

// A piece of a Secret does not say that it is one; its neighbours do.
TEST(BadInput, NothingIsShownOfABodyThatSpeaksOfSecrets) {
  IngestFixture ingest;
  for (const std::string_view body :
       {R"([{"kind":"Secret","a":1},{"pin":"c4n4ry","x":nan}])",
        R"([{"pin":"c4n4ry","x":nan},{"kind":"SecretList","a":1}])",
        "{\"kind\":\"Secret\",\"data\":\n{\"pin\":\"c4n4ry\"},\n{\"pin\":\"c4n4ry\",\n",
        R"([{"log":"{\"kind\":\"Secret\"}"},{"pin":"c4n4ry","pin":1}])",
        "{\"a\":1}\nkind: Secret\npin: c4n4ry\n",
        R"([{"requestObject":{"a":1}},{"pin":"c4n4ry","x":nan}])"}) {
    for (const ReadBack& event : ingest.Events("/v1/events", body)) {
      if (event.stream != "quarantine") continue;
      EXPECT_THAT(std::string(event.view.data), Not(HasSubstr("c4n4ry"))) << body;
      EXPECT_THAT(std::string(event.view.data), Not(HasSubstr("excerpt"))) << body;
    }
    EXPECT_GT(ingest.quarantined, 0U) << body;
  }
  // A body that is refused whole, too.
  EXPECT_FALSE(ingest.Decode("/v1/events", "kind: Secret\npin: c4n4ry\n"));
  const auto told = ingest.Read(std::move(ingest.quarantine));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_THAT(std::string(told[0].view.data), Not(HasSubstr("c4n4ry")));
  // The next request starts afresh.
  const auto events = ingest.Events("/v1/events", R"([{"a":1},{"pin":"shown","x":nan}])");
  EXPECT_THAT(std::string(events.at(1).view.data), HasSubstr("shown"));
}

TEST(BadInput, FluentBitsRepeatedDateIsNoFault) {
  IngestFixture ingest;
  const auto events = ingest.Events(
      "/v1/events", R"([{"date":1773480413.0,"log":"a","date":"2026"},{"date":1.5,"log":nan}])");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].view.producer, "json");
  EXPECT_EQ(ingest.quarantined, 1U);
}

// The memory of a request's events is asked for before it is used, and a refusal leaves nothing.
TEST(BadInput, EventsAreAdmittedByTheirMemory) {
  std::vector<Event> none;
  std::string body;
  for (int i = 0; i < 1000; ++i) body += "{\"a\":1}\n";
  DecodeOptions options;
  options.stream = [](std::string_view) { return StreamId{1}; };
  Decoder decoder(options);
  size_t admitted = 0, questions = 0, limit = SIZE_MAX;
  Incoming::Admission no = Incoming::Admission::kNotNow;
  const auto decode = [&] {
    admitted = questions = 0;
    return decoder.Decode({.path = "/v1/events",
                           .content_type = {},
                           .idempotency_key = {},
                           .headers = nullptr,
                           .body = body,
                           .received = {},
                           .admit =
                               [&](size_t bytes) {
                                 ++questions;
                                 if (bytes > limit) return no;
                                 admitted = bytes;
                                 return Incoming::Admission::kYes;
                               }},
                          &none);
  };
  auto decoded = decode();
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->events.size(), 1000U);
  size_t held = decoded->events.capacity() * sizeof(Event);
  for (const Event& event : decoded->events) held += event.record.capacity();
  EXPECT_GE(decoded->bytes, held);
  EXPECT_GE(admitted, decoded->bytes);
  EXPECT_LT(admitted, 2 * held);
  EXPECT_LT(questions, 50U);

  limit = decoded->bytes - 1;
  decoded = decode();
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().status, 503);
  EXPECT_EQ(decoded.error().code, "overloaded");
  no = Incoming::Admission::kNever;
  decoded = decode();
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().status, 413);
  EXPECT_EQ(decoded.error().code, "body_too_large");
  body = "{\"a\":\"" + std::string(size_t{2} << 20, 'x') + "\"}";
  limit = size_t{1} << 20;
  EXPECT_FALSE(decode());
  body = std::string(200'000, '7') + "x\n{}";
  limit = 100;
  EXPECT_FALSE(decode()) << "quarantine events count, too";
  EXPECT_TRUE(none.empty());
}

// Bytes that the heap holds for us now, wherever they are.
size_t HeapBytes() {
  const auto heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

// A decoder lives as long as its source: what one request made it take must not stay.
TEST(BadInput, LargeRecordsLeaveNoLargeBuffers) {
  IngestFixture ingest;
  const std::string small = R"({"a":"\u0041","id":"1"})";
  ingest.One("/v1/events", small);
  const size_t before = HeapBytes();
  constexpr size_t kLarge = size_t{1} << 20;
  // One large text with escapes, as another of its members each time.
  for (int i = 0; i < 40; ++i) {
    std::string body = R"({"specversion":"1.0","source":"/s","type":"t")";
    for (int n = 0; n < i; ++n) body += ",\"x" + std::to_string(n) + R"(":"\n")";
    body += R"(,"subject":")" + std::string(kLarge, 'x') + R"(\n","id":"1"})";
    EXPECT_EQ(ingest.One("/v1/events", body).view.subject.size(), kAttributeMax);
  }
  // Others that need much: tokens, members, keys with escapes, a broken record, base64.
  const auto need_much = [&ingest] {
    std::string tokens = "[1", members = R"({"a":1)", keys = R"({"a":1)";
    while (tokens.size() < kLarge) tokens += ",[1,[]]";
    for (int i = 0; i < 50'000; ++i) members += ",\"m" + std::to_string(i) + "\":1";
    for (int i = 0; i < 5'000; ++i) keys += ",\"\\n" + std::to_string(i) + "\":1";
    for (const std::string& body :
         {R"({"a":)" + tokens + "]}", members + "}", keys + "}", R"({"a":")" + tokens,
          R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":")" +
              std::string(kLarge, 'A') + "\"}"}) {
      (void)ingest.Decode("/v1/events", body);
      ingest.quarantine.clear();
    }
  };
  need_much();
  EXPECT_EQ(ingest.One("/v1/events", small).view.data, small);
  EXPECT_LT(HeapBytes(), before + (size_t{1} << 20));
}

// What understanding takes beside the events is asked for, too.
TEST(BadInput, ScratchMemoryIsAdmitted) {
  constexpr size_t kLarge = size_t{4} << 20;
  std::string tokens = R"({"a":[1)";
  while (tokens.size() < kLarge) tokens += ",[],1";
  const std::string escaped =
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","subject":")" +
      std::string(kLarge, 'x') + R"(\n"})";
  const std::string base64 =
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":")" +
      std::string(kLarge, 'A') + "\"}";
  const struct {
    std::string body;
    size_t scratch;  // no less than this is needed
  } cases[] = {{tokens + "]}", 4 * kLarge / 2}, {escaped, kLarge}, {base64, kLarge / 4 * 3}};
  DecodeOptions options;
  options.stream = [](std::string_view) { return StreamId{1}; };
  Decoder decoder(options);
  for (const auto& c : cases) {
    size_t admitted = 0, limit = SIZE_MAX;
    std::vector<Event> none;
    const auto decode = [&] {
      return decoder.Decode({.path = "/v1/events",
                             .content_type = {},
                             .idempotency_key = {},
                             .headers = nullptr,
                             .body = c.body,
                             .received = {},
                             .admit =
                                 [&](size_t bytes) {
                                   if (bytes > limit) return Incoming::Admission::kNever;
                                   admitted = bytes;
                                   return Incoming::Admission::kYes;
                                 }},
                            &none);
    };
    const auto decoded = decode();
    ASSERT_TRUE(decoded) << c.body.substr(0, 60);
    EXPECT_GE(admitted, c.scratch) << c.body.substr(0, 60);
    EXPECT_LT(admitted, decoded->bytes + 8 * kLarge) << c.body.substr(0, 60);
    limit = c.scratch;
    const auto refused = decode();
    ASSERT_FALSE(refused) << c.body.substr(0, 60);
    EXPECT_EQ(refused.error().code, "body_too_large");
    EXPECT_TRUE(none.empty());
  }
}

// A refusal in the middle of a record is not made good by room that comes later.
TEST(BadInput, ARecordThatWasStarvedIsNotStoredInPart) {
  const std::string body =
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"\n)" +
      std::string(size_t{1} << 20, 'x') + R"(","x":"\n)" + std::string(100'000, 'y') + "\"}";
  DecodeOptions options;
  options.stream = [](std::string_view) { return StreamId{1}; };
  Decoder decoder(options);
  std::vector<Event> none;
  int left = 2;  // the leap, and the plain question behind it
  const auto decoded = decoder.Decode({.path = "/v1/events",
                                       .content_type = {},
                                       .idempotency_key = {},
                                       .headers = nullptr,
                                       .body = body,
                                       .received = {},
                                       .admit =
                                           [&](size_t) {
                                             return left-- > 0 ? Incoming::Admission::kNotNow
                                                               : Incoming::Admission::kYes;
                                           }},
                                      &none);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().status, 503);
}

}  // namespace
}  // namespace spool
