#include <gtest/gtest.h>

#include "tests/support/ingest_fixture.h"
#include "tests/support/linear_time.h"

namespace spool {
namespace {

using Headers = IngestFixture::Headers;

const Headers kHeaders = {{"ce-specversion", "1.0"},
                          {"ce-id", "A-1"},
                          {"ce-source", "/shop/7"},
                          {"ce-type", "com.example.sold"}};

Headers With(Headers headers, const std::string& name, const std::string& value) {
  headers.emplace_back(name, value);
  return headers;
}

constexpr std::string_view kStructured =
    R"({"specversion":"1.0","id":"A-1","source":"/shop/7","type":"com.example.sold",)"
    R"("subject":"order/1","time":"2026-03-14T09:26:53.5Z","comexampleext":"v\"x","num":5,"flag":true,)"
    R"("unset":null,"datacontenttype":"application/json","data": { "n" : 1.50 } })";

TEST(CloudEvents, StructuredKeepsDataAsItCame) {
  IngestFixture ingest({.cluster = "c"});
  for (const std::string_view type :
       {"application/cloudevents+json", "Application/CloudEvents+JSON; charset=UTF-8",
        "application/json", ""}) {
    const ReadBack e = ingest.One("/v1/events", kStructured, type);
    EXPECT_EQ(e.view.producer, "cloudevents");
    EXPECT_EQ(e.view.source, "/shop/7");
    EXPECT_EQ(e.view.type, "com.example.sold");
    EXPECT_EQ(e.view.subject, "order/1");
    EXPECT_EQ(e.view.cluster, "c");
    EXPECT_EQ(FormatTime(e.view.time), "2026-03-14T09:26:53.500000Z");
    EXPECT_EQ(e.view.data, "{ \"n\" : 1.50 }");
    EXPECT_TRUE(e.view.json);
    EXPECT_EQ(e.view.extensions,
              R"("comexampleext":"v\"x","num":5,"flag":true,"producerid":"A-1")");
    EXPECT_EQ(e.view.category, "");
    EXPECT_EQ(e.stream, "kubernetes-events");
  }
}

TEST(CloudEvents, ABatchIsSplit) {
  IngestFixture ingest;
  const std::string two = "[" + std::string(kStructured) + "," + std::string(kStructured) + "]";
  EXPECT_EQ(ingest.Events("/v1/events", two, "application/cloudevents-batch+json").size(), 2U);
  EXPECT_EQ(ingest.Events("/v1/events", two, "APPLICATION/CLOUDEVENTS-BATCH+JSON").size(), 2U);
  EXPECT_EQ(ingest.Events("/v1/events", two).size(), 2U);
  EXPECT_TRUE(ingest.Events("/v1/events", "[]", "application/cloudevents-batch+json").empty());
  EXPECT_EQ(ingest
                .Events("/v1/events", "[" + std::string(kStructured) + R"(,{"a":1}])",
                        "application/cloudevents-batch+json")
                .size(),
            2U);
  EXPECT_EQ(ingest.quarantined, 1U) << "in a CloudEvents batch everything must be one";
}

TEST(CloudEvents, BinaryModeReadsTheHeaders) {
  IngestFixture ingest;
  Headers headers = With(kHeaders, "ce-subject", "Euro%20%E2%82%AC");
  headers = With(headers, "ce-comment", R"("a \"quoted\" word")");
  headers = With(headers, "content-type", "application/json");
  const ReadBack e = ingest.One("/v1/events", " {\"n\": 1} ", "application/json", headers);
  EXPECT_EQ(e.view.data, " {\"n\": 1} ");
  EXPECT_TRUE(e.view.json);
  EXPECT_EQ(e.view.content_type, "application/json");
  EXPECT_EQ(e.view.subject, "Euro \xE2\x82\xAC");
  EXPECT_EQ(e.view.extensions, R"("comment":"a \"quoted\" word","producerid":"A-1")");
  EXPECT_EQ(e.view.id, ingest.One("/v1/events", kStructured).view.id)
      << "one event, however it is carried";
}

// The JavaScript SDK sends a text as it is, where Node.js lets it: in Latin-1.
TEST(CloudEvents, HeadersThatAreNotEncodedAreUnderstood) {
  IngestFixture ingest;
  const auto subject = [&ingest](const std::string& value) {
    return std::string(
        ingest.One("/v1/events", "{}", "application/json", With(kHeaders, "ce-subject", value))
            .view.subject);
  };
  EXPECT_EQ(subject("100%"), "100%");
  EXPECT_EQ(subject("%ZZ%4 %41"), "%ZZ%4 A");
  EXPECT_EQ(subject("50 % Gr\xF6\xDF"
                    "e"),
            "50 % Größe");
  EXPECT_EQ(subject("Größe \xE2\x82\xAC"), "Größe €");
  EXPECT_EQ(subject("\xFF%C3%BC"), "ÿü");
  EXPECT_EQ(subject("%2541"), "%41") << "once";
}

// In whatever coat they come, and by their names, too.
TEST(CloudEvents, SecretsInHeadersAreHiddenAsInMembers) {
  IngestFixture ingest;
  Headers headers = With(kHeaders, "ce-subject", "%D0%B2 password%3A%20c4n4ry7hunter2");
  headers = With(headers, "ce-note", "Authorization%3A%20Bearer%20c4n4ry7hunter2.abcdefgh");
  headers = With(headers, "ce-link", "postgres://bob:c4n4ry7%68unter2@db/x");
  headers = With(headers, "ce-dbpassword", "c4n4ry7hunter2");
  headers = With(headers, "ce-plain", "%D1%91 stays");
  const ReadBack e = ingest.One("/v1/events", "{}", "application/json", headers);
  EXPECT_EQ(e.event.record.find("c4n4ry"), std::string::npos) << e.view.extensions;
  EXPECT_NE(e.view.subject.find("[redacted:"), std::string::npos) << e.view.subject;
  EXPECT_NE(e.view.extensions.find("\"dbpassword\":\"[redacted:"), std::string::npos);
  EXPECT_NE(e.view.extensions.find("\"plain\":\"ё stays\""), std::string::npos);
}

TEST(CloudEvents, BinaryModeKeepsBytesThatAreNoJson) {
  IngestFixture ingest;
  const std::string bytes("\x00\xFF<x>", 5);
  const ReadBack e = ingest.One("/v1/events", bytes, "application/x-protobuf", kHeaders);
  EXPECT_FALSE(e.view.json);
  EXPECT_EQ(e.view.data, bytes);
  EXPECT_EQ(e.view.content_type, "application/x-protobuf");
  EXPECT_EQ(ingest.One("/v1/events", "", "", kHeaders).view.data, "");
}

TEST(CloudEvents, BrokenHeadersAreRefusedAndToldOf) {
  IngestFixture ingest;
  for (const Headers& headers :
       {With(kHeaders, "ce-subject", "%C0%A0"), With(kHeaders, "ce-subject", "caf\xE9 %E9"),
        With(kHeaders, "ce-id", "second"),
        Headers{{"ce-specversion", "1.0"}, {"ce-id", "1"}, {"ce-source", "s"}},
        Headers{{"ce-specversion", "0.3"}, {"ce-id", "1"}, {"ce-source", "s"}, {"ce-type", "t"}}}) {
    auto decoded = ingest.Decode("/v1/events", "{}", "application/json", headers);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().status, 400);
    EXPECT_EQ(ingest.quarantine.size(), 1U);
  }
  auto decoded = ingest.Decode("/v1/events", "{\"a\":", "application/json", kHeaders);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, "invalid_json");
}

TEST(CloudEvents, DataMayBeAnything) {
  IngestFixture ingest;
  const auto with = [&ingest](const std::string& rest) {
    return ingest.One("/v1/events",
                      R"({"specversion":"1.0","id":"1","source":"s","type":"t")" + rest + "}");
  };
  const ReadBack text = with(R"(,"datacontenttype":"text/xml","data":"<a b=\"c\"/>")");
  EXPECT_EQ(text.view.data, R"("<a b=\"c\"/>")");
  EXPECT_EQ(text.view.content_type, "text/xml");
  EXPECT_TRUE(text.view.json);
  EXPECT_EQ(with(R"(,"data":1.5)").view.data, "1.5");
  EXPECT_EQ(with(R"(,"data":null)").view.data, "null");
  EXPECT_EQ(with(R"(,"data":[1, 2])").view.data, "[1, 2]");
  EXPECT_EQ(with("").view.data, "");
  const ReadBack bytes = with(R"(,"datacontenttype":"image/png","data_base64":"AP8=")");
  EXPECT_EQ(bytes.view.data, std::string_view("\0\xFF", 2));
  EXPECT_FALSE(bytes.view.json);
  const ReadBack json = with(R"(,"data_base64":"eyJhIjoxfQ==")");
  EXPECT_EQ(json.view.data, R"({"a":1})");
  EXPECT_TRUE(json.view.json);
}

TEST(CloudEvents, RecordsThatAreNoneGoToQuarantine) {
  IngestFixture ingest;
  for (const std::string_view rest :
       {R"("id":"1","source":"s")", R"("id":"","source":"s","type":"t")",
        R"("source":"s","type":"t")", R"("id":7,"source":"s","type":"t")",
        R"("id":"1","source":"s","type":"t","data_base64":"?")",
        R"("id":"1","source":"s","type":"t","data":1,"data_base64":"AA==")"}) {
    ingest.Events("/v1/events", R"({"specversion":"1.0",)" + std::string(rest) + "}");
    EXPECT_EQ(ingest.quarantined, 1U) << rest;
  }
  ingest.Events("/v1/events", R"({"specversion":"1.0","id":"1","source":"s","type":"t","x":")" +
                                  std::string(5000, 'x') + "\"}");
  EXPECT_EQ(ingest.quarantined, 1U);
}

TEST(CloudEvents, AnExtensionCannotTakeTheEnvelopesNames) {
  IngestFixture ingest;
  const ReadBack e = ingest.One(
      "/v1/events",
      R"({"specversion":"1.0","id":"1","source":"s","type":"t","sequence":"9","category":"security",)"
      R"("Bad_Name":1,"obj":{"a":1}})");
  EXPECT_EQ(e.view.category, "");
  EXPECT_EQ(
      e.view.extensions,
      R"("cesequence":"9","cecategory":"security","badname":1,"obj":"{\"a\":1}","producerid":"1")");
}

TEST(CloudEvents, DataThatIsAnEventIsClassifiedAsOne) {
  IngestFixture ingest;
  const auto wrap = [](const std::string& type, const std::string& data) {
    return R"({"specversion":"1.0","id":"1","source":"s","type":")" + type + R"(","data":)" + data +
           "}";
  };
  const ReadBack event =
      ingest.One("/v1/events", wrap("t", EventText{.reason = "FailedMount"}.Json()));
  EXPECT_EQ(event.view.producer, "cloudevents");
  EXPECT_EQ(event.view.subcategory, "storage");
  EXPECT_EQ(event.view.kind, "Pod");
  EXPECT_EQ(event.view.subject, "Pod/payments/api-7c9d8f6b5-x2x4z");
  EXPECT_FALSE(event.view.problem_key.empty());
  AuditText denied;
  denied.status = R"({"code":401})";
  EXPECT_EQ(ingest.One("/v1/events", wrap("t", denied.Json())).view.subcategory, "rbac");
  const ReadBack moved = ingest.One(
      "/v1/events", wrap("KUBERNETES_TOPOLOGY_CHANGE", R"({"kind":"Node","apiVersion":"v1"})"));
  EXPECT_EQ(moved.view.subcategory, "node");
  const ReadBack falco = ingest.One(
      "/v1/events",
      wrap("falco.rule.output.v1", R"({"rule":"Shell","source":"syscall","priority":"Critical"})"));
  EXPECT_EQ(falco.view.category, "security");
  EXPECT_EQ(falco.view.severity, Severity::kCritical);
}

// Extensions beyond what an event may have cost no more than a look.
TEST(CloudEvents, ManyExtensionsTakeLinearTime) {
  const auto make = [](size_t count) {
    std::string body = R"({"specversion":"1.0","id":"1","source":"/s","type":"t")";
    for (size_t i = 0; i < count; ++i) body += ",\"x" + std::to_string(i) + "\":1";
    return body + "}";
  };
  IngestFixture ingest;
  const auto take = [&ingest](const std::string& body) {
    EXPECT_EQ(ingest.One("/v1/events", body).view.reason, "attributes_too_large");
  };
  EXPECT_LT(GrowthOverEightfold(7'500, make, take), kGrowthMax);
}

}  // namespace
}  // namespace spool
