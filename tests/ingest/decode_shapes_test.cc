// Every shape that a producer sends becomes the event it should, with the producer's own bytes.
#include <gtest/gtest.h>

#include "tests/support/ingest_fixture.h"

namespace spool {
namespace {

TEST(Decode, ACoreEventBecomesAnEvent) {
  IngestFixture ingest({.cluster = "prod-eu"});
  const std::string body = EventText{}.Json();
  for (const std::string_view path : {"/v1/events", "/events", "/audit"}) {
    const ReadBack e = ingest.One(path, body);
    EXPECT_EQ(e.view.data, body);
    EXPECT_TRUE(e.view.json);
    EXPECT_EQ(e.view.producer, "k8s-event");
    EXPECT_EQ(e.view.type, "io.k8s.event.v1");
    EXPECT_EQ(e.view.source, "/clusters/prod-eu/k8s-event");
    EXPECT_EQ(e.view.subject, "Pod/payments/api-7c9d8f6b5-x2x4z");
    EXPECT_EQ(e.view.cluster, "prod-eu");
    EXPECT_EQ(e.view.namespace_, "payments");
    EXPECT_EQ(e.view.kind, "Pod");
    EXPECT_EQ(e.view.name, "api-7c9d8f6b5-x2x4z");
    EXPECT_EQ(e.view.reason, "Unhealthy");
    EXPECT_EQ(e.view.severity, Severity::kWarning);
    EXPECT_EQ(e.view.category, "infrastructure");
    EXPECT_EQ(e.view.subcategory, "pod");
    EXPECT_EQ(e.view.content_type, "application/json");
    EXPECT_EQ(e.stream, "infrastructure-changes");
    EXPECT_EQ(FormatTime(e.view.time), "2026-03-14T09:26:53.000000Z");
    EXPECT_FALSE(e.view.id.empty());
    EXPECT_FALSE(e.view.problem_key.empty());
  }
}

TEST(Decode, AnEventWithoutKindIsKnownByWhatItIsAbout) {
  IngestFixture ingest;
  EventText text;
  text.with_kind = false;
  EXPECT_EQ(ingest.One("/v1/events", text.Json()).view.producer, "k8s-event");
  EXPECT_EQ(ingest.One("/v1/events", text.Json()).view.source, "/clusters/local/k8s-event");
}

TEST(Decode, ANewEventIsReadByItsOwnNames) {
  IngestFixture ingest;
  const ReadBack e = ingest.One("/v1/events", R"({"kind":"Event","apiVersion":"events.k8s.io/v1",
    "metadata":{"name":"web-0.1","namespace":"team-a","uid":"u1","resourceVersion":"7",
    "creationTimestamp":"2026-03-14T09:20:00Z"},"eventTime":"2026-03-14T09:20:00.104729Z",
    "series":{"count":3,"lastObservedTime":"2026-03-14T09:26:53.589793Z"},
    "reportingController":"default-scheduler","action":"Scheduling","reason":"FailedScheduling",
    "regarding":{"kind":"Pod","namespace":"team-a","name":"web-0","apiVersion":"v1"},
    "note":"0/3 nodes are available: 3 Insufficient cpu. preemption: no volume fits","type":"Warning",
    "deprecatedSource":{},"deprecatedFirstTimestamp":null,"deprecatedLastTimestamp":null})");
  EXPECT_EQ(e.view.producer, "k8s-event");
  EXPECT_EQ(e.view.subject, "Pod/team-a/web-0");
  EXPECT_EQ(e.view.subcategory, "resource");
  EXPECT_EQ(FormatTime(e.view.time), "2026-03-14T09:26:53.589793Z");
}

TEST(Decode, AnExportersEventBringsItsClusterAndOwner) {
  const std::string body =
      R"({"metadata":{"name":"web-0.1","namespace":"team-a","uid":"u","resourceVersion":"1"},)"
      R"("reason":"Unhealthy","message":"m","source":{"component":"kubelet"},"type":"Warning",)"
      R"("clusterName":"prod-1","involvedObject":{"kind":"Pod","namespace":"team-a","name":"odd-name",)"
      R"("apiVersion":"v1","labels":{"app":"web"},"ownerReferences":[)"
      R"({"kind":"Thing","name":"other"},{"kind":"ReplicaSet","name":"web-7c9d8f6b5","controller":true}]}})";
  IngestFixture ingest;
  const ReadBack e = ingest.One("/events", body);
  EXPECT_EQ(e.view.producer, "event-exporter");
  EXPECT_EQ(e.view.type, "io.k8s.event.v1");
  EXPECT_EQ(e.view.cluster, "prod-1");
  EXPECT_EQ(e.view.source, "/clusters/prod-1/event-exporter");
  EXPECT_EQ(e.view.data, body);
  // The same trouble of another pod of the owner, told without owner.
  EventText other{.reason = "Unhealthy", .name = "web-7c9d8f6b5-x2x4z"};
  std::string text = other.Json();
  for (size_t at; (at = text.find("payments")) != std::string::npos;) text.replace(at, 8, "team-a");
  IngestFixture named({.cluster = "prod-1"});
  EXPECT_EQ(named.One("/events", text).view.problem_key, e.view.problem_key);
}

TEST(Decode, ListsBecomeTheirItems) {
  const std::string one = EventText{.with_kind = false}.Json();
  const std::string two = EventText{.uid = "u2", .with_kind = false}.Json();
  IngestFixture ingest;
  for (const std::string& frame :
       {R"({"kind":"EventList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[)" +
            one + "," + two + "]}",
        R"({"kind":"EventList","apiVersion":"events.k8s.io/v1","items":[)" + one + " , " + two +
            "]}\n",
        R"({"apiVersion":"v1","items":[)" + one + "," + two + R"(],"kind":"List","metadata":{}})",
        "[" + one + "," + two + "]", one + two, one + "\n" + two + "\n", one + "\r\n\r\n" + two}) {
    const auto events = ingest.Events("/v1/events", frame);
    ASSERT_EQ(events.size(), 2U) << frame;
    EXPECT_EQ(events[0].view.data, one);
    EXPECT_EQ(events[1].view.data, two);
    EXPECT_EQ(events[0].view.producer, "k8s-event");
    EXPECT_EQ(ingest.quarantined, 0U);
  }
}

TEST(Decode, AuditBatchesAndSingleEvents) {
  IngestFixture ingest({.cluster = "c1"});
  const std::string item = AuditText{}.Json();
  for (const std::string& body :
       {R"({"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[)" + item +
            "]}\n",
        R"({"kind":"EventList","apiVersion":"audit.k8s.io/v1beta1","metadata":{},"items":[)" +
            item + "]}",
        R"({"kind":"EventList","items":[)" + item + "]}", R"({"items":[)" + item + "]}", item}) {
    const ReadBack e = ingest.One("/audit", body);
    EXPECT_EQ(e.view.data, item);
    EXPECT_EQ(e.view.producer, "k8s-audit");
    EXPECT_EQ(e.view.type, "io.k8s.audit.v1");
    EXPECT_EQ(e.view.source, "/clusters/c1/k8s-audit");
    EXPECT_EQ(e.view.subject, "Pod/payments/web-0");
    EXPECT_EQ(e.view.kind, "Pod");
    EXPECT_EQ(e.view.reason, "create");
    EXPECT_EQ(e.view.severity, Severity::kInfo);
    EXPECT_EQ(FormatTime(e.view.time), "2026-03-14T09:26:06.542113Z");
    EXPECT_TRUE(e.view.problem_key.empty()) << "a request that went well is no trouble";
  }
  EXPECT_EQ(ingest.One("/v1/events", item).view.producer, "k8s-audit");
  const std::string line = R"({"kind":"Event","apiVersion":"audit.k8s.io/v1",)" + item.substr(1);
  EXPECT_EQ(ingest.One("/v1/events", line).view.producer, "k8s-audit");
}

TEST(Decode, AnAuditEventSaysWhatWasRefused) {
  IngestFixture ingest;
  AuditText text;
  text.object = R"({"resource":"widgets","apiGroup":"example.com","namespace":"payments"})";
  text.status = R"({"code":403,"reason":"Forbidden"})";
  text.annotations =
      R"({"authorization.k8s.io/decision":"forbid","authorization.k8s.io/reason":""})";
  const ReadBack e = ingest.One("/audit", text.Json());
  EXPECT_EQ(e.view.kind, "widgets") << "a kind that is not known stays its resource";
  EXPECT_EQ(e.view.reason, "Forbidden");
  EXPECT_EQ(e.view.severity, Severity::kWarning);
  EXPECT_EQ(e.view.category, "security");
  EXPECT_EQ(e.stream, "security-events");
  EXPECT_FALSE(e.view.problem_key.empty());
  text.object = "null";
  text.uri = "/healthz?verbose";
  EXPECT_EQ(ingest.One("/audit", text.Json()).view.subject, "/healthz");
}

TEST(Decode, WatchFramesAreUnwrapped) {
  IngestFixture ingest;
  const std::string event = EventText{}.Json();
  const std::string body = R"({"type":"ADDED","object":)" + event + "}\n" +
                           R"({"type":"BOOKMARK","object":{"kind":"Event","involvedObject":{}}})" +
                           "\n" + R"({"type":"MODIFIED","object": )" + event + "}\n" +
                           R"({"type":"DELETED","object":)" + event + "}\n" +
                           R"({"type":"ERROR","object":{"kind":"Status","code":410}})";
  const auto events = ingest.Events("/v1/events", body);
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].view.data, event);
  EXPECT_EQ(events[0].view.producer, "k8s-event");
  EXPECT_EQ(events[1].view.data, event);
  EXPECT_EQ(events[2].view.producer, "json") << "mostly the end of its time to live, no news";
  EXPECT_EQ(events[3].view.producer, "json");
}

TEST(Decode, AnyOtherObjectIsKeptAsItCame) {
  IngestFixture ingest;
  for (const std::string_view body :
       {R"({"a":1})", R"({ "n" : 123456789012345678901234567890, "z":-0, "f":1e400 })",
        R"({"evt.time":1685022245478445995,"s":"\u003c\u0000"})", R"({"kind":0})", R"({})"}) {
    const ReadBack e = ingest.One("/v1/events", body);
    EXPECT_EQ(e.view.data, body);
    EXPECT_EQ(e.view.producer, "json");
    EXPECT_EQ(e.view.type, "dev.spool.json.v1");
    EXPECT_EQ(e.view.category, "");
    EXPECT_EQ(e.stream, "kubernetes-events");
    EXPECT_EQ(e.view.time, ingest.received);
    EXPECT_TRUE(e.view.problem_key.empty());
  }
  // What an exporter with a layout of its own sends is its operator's business.
  EXPECT_EQ(ingest.One("/events", R"({"message":"m","ns":"x"})").view.producer, "json");
}

TEST(Decode, ATimeOfItsOwnIsTaken) {
  IngestFixture ingest;
  const auto time = [&ingest](std::string_view body) {
    return FormatTime(ingest.One("/v1/events", body).view.time);
  };
  EXPECT_EQ(time(R"({"time":"2026-03-14T09:26:53.5Z"})"), "2026-03-14T09:26:53.500000Z");
  EXPECT_EQ(time(R"({"@timestamp":1773480413.25})"), "2026-03-14T09:26:53.250000Z");
  EXPECT_EQ(time(R"({"ts":1773480413250})"), "2026-03-14T09:26:53.250000Z");
  EXPECT_EQ(time(R"({"time":"0001-01-01T00:00:00Z"})"), FormatTime(ingest.received));
  EXPECT_EQ(time(R"({"time":"noon"})"), FormatTime(ingest.received));
  EXPECT_EQ(time(R"({"time":7})"), FormatTime(ingest.received));
}

TEST(Decode, EventTimesAreBelievedInOrder) {
  IngestFixture ingest;
  const auto time = [&ingest](const std::string& times) {
    return FormatTime(ingest
                          .One("/v1/events",
                               R"({"involvedObject":{"kind":"Pod","name":"p"},"reason":"R",)" +
                                   times +
                                   R"("metadata":{"creationTimestamp":"2026-01-01T00:00:01Z"}})")
                          .view.time)
        .substr(17, 2);
  };
  const std::string first = R"("firstTimestamp":"2026-01-01T00:00:02Z",)";
  const std::string event = R"("eventTime":"2026-01-01T00:00:03.000000Z",)";
  const std::string last = R"("lastTimestamp":"2026-01-01T00:00:04Z",)";
  const std::string series = R"("series":{"lastObservedTime":"2026-01-01T00:00:05.000000Z"},)";
  EXPECT_EQ(time(""), "01");
  EXPECT_EQ(time(first), "02");
  EXPECT_EQ(time(first + event), "03");
  EXPECT_EQ(time(first + event + last), "04");
  EXPECT_EQ(time(series + first + event + last), "05");
  EXPECT_EQ(time(R"("deprecatedLastTimestamp":"2026-01-01T00:00:04Z",)" + event), "04");
  EXPECT_EQ(time(R"("lastTimestamp":null,"eventTime":"0001-01-01T00:00:00Z",)" + first), "02");
}

TEST(Decode, LongAttributesAreCutBetweenCharacters) {
  IngestFixture ingest;
  std::string name(kAttributeMax - 1, 'x');
  name += "\xE2\x82\xAC";
  const ReadBack e = ingest.One("/v1/events", EventText{.name = name}.Json());
  EXPECT_EQ(e.view.name, name.substr(0, kAttributeMax - 1));
  EXPECT_LE(e.view.subject.size(), kAttributeMax);
}

TEST(Decode, AnEmptyListIsNoError) {
  IngestFixture ingest;
  for (const std::string_view body : {"[]", " [ ] ", R"({"kind":"EventList","items":[]})",
                                      R"({"type":"BOOKMARK","object":{}})"}) {
    EXPECT_TRUE(ingest.Events("/v1/events", body).empty()) << body;
  }
}

TEST(Decode, AByteOrderMarkIsSkipped) {
  IngestFixture ingest;
  EXPECT_EQ(ingest.One("/v1/events", "\xEF\xBB\xBF{\"a\":1}").view.data, R"({"a":1})");
}

TEST(Decode, ContentTypesAreTakenKindly) {
  IngestFixture ingest;
  for (const std::string_view type :
       {"", "application/json; charset=utf-8", "text/plain", "application/x-ndjson",
        "application/x-www-form-urlencoded", "APPLICATION/JSON", "application/octet-stream"}) {
    EXPECT_EQ(ingest.Events("/v1/events", R"({"a":1})", type).size(), 1U) << type;
  }
}

}  // namespace
}  // namespace spool
