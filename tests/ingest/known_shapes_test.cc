// Each producer's records, those of schemas/samples/producers and hostile ones, become the events
// that they should.
#include "ingest/known_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/ingest_fixture.h"
#include "tests/support/sample_index.h"

namespace spool {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

IngestFixture::Headers Lowered(const testing::ProducerSample& sample) {
  IngestFixture::Headers headers;
  for (const auto& [name, value] : sample.headers) {
    std::string lower;
    for (const char c : name) lower += static_cast<char>(std::tolower(c));
    headers.emplace_back(lower, value);
  }
  return headers;
}

std::string PathOf(const testing::ProducerSample& sample) {
  return sample.path.substr(0, sample.path.find('?'));
}

// What was not made anew is in the body as it is.
TEST(Samples, DataIsTheProducersOwnBytes) {
  IngestFixture ingest({.cluster = "c"});
  for (const testing::ProducerSample& sample : testing::ProducerSamples()) {
    const auto events =
        ingest.Events(PathOf(sample), sample.body, sample.content_type, Lowered(sample));
    EXPECT_EQ(events.size(), sample.events.size()) << sample.name;
    EXPECT_EQ(ingest.quarantined, 0U) << sample.name;
    const bool made = sample.path == "/v1/logs" || !sample.valid ||
                      sample.content_type == "text/plain" || sample.name == "fluent-bit-audit";
    for (const ReadBack& e : events) {
      EXPECT_TRUE(e.view.json) << sample.name;
      const bool hidden = e.view.data.find("redacted") != std::string_view::npos;
      if (!made && !hidden) {
        EXPECT_NE(sample.body.find(e.view.data), std::string::npos) << sample.name;
      }
      if (!sample.keep.empty()) EXPECT_THAT(std::string(e.view.data), HasSubstr(sample.keep));
      EXPECT_FALSE(e.view.id.empty());
    }
  }
}

// Posted to /v1/events nobody says who sent it.
TEST(Samples, TheShapeAloneSaysWhoItIs) {
  IngestFixture ingest({.cluster = "c"});
  for (const testing::ProducerSample& sample : testing::ProducerSamples()) {
    if (sample.path == "/v1/logs" || sample.path == "/fluentbit" || sample.name == "falco-text") {
      continue;  // these need their path
    }
    const auto events =
        ingest.Events("/v1/events", sample.body, sample.content_type, Lowered(sample));
    ASSERT_EQ(events.size(), sample.events.size()) << sample.name;
    for (size_t i = 0; i < events.size(); ++i) {
      EXPECT_EQ(events[i].view.producer, sample.events[i]["producer"].get<std::string>())
          << sample.name;
    }
  }
}

TEST(Botkube, ATimeThatNobodySetIsNone) {
  IngestFixture ingest;
  const ReadBack e = ingest.One("/botkube", R"({"source":"s","timeStamp":"0001-01-01T00:00:00Z"})");
  EXPECT_EQ(e.view.producer, "botkube");
  EXPECT_EQ(e.view.time, ingest.received);
  const ReadBack inner = ingest.One(
      "/botkube",
      R"({"data":{"Kind":"Pod","Name":"a","TimeStamp":"0001-01-01T00:00:00Z"},"timeStamp":"0001-01-01T00:00:00Z"})");
  EXPECT_EQ(inner.view.time, ingest.received);
  EXPECT_EQ(inner.view.kind, "Pod");
}

TEST(Botkube, WhatItTellsOfARefusalIsClassifiedByItsMessage) {
  IngestFixture ingest;
  const ReadBack e = ingest.One(
      "/botkube",
      R"({"data":{"APIVersion":"apps/v1","Kind":"ReplicaSet","Name":"web-7c9d8f6b5","Namespace":"shop","Messages":["Error creating: pods \"web-7c9d8f6b5-\" is forbidden: violates PodSecurity \"baseline:latest\": privileged"],"Type":"error","Reason":"FailedCreate","Level":"error","TimeStamp":"2026-11-20T06:11:20Z"},"timeStamp":"0001-01-01T00:00:00Z"})");
  EXPECT_EQ(e.view.subcategory, "pod-security");
  EXPECT_EQ(e.view.severity, Severity::kError);
}

TEST(Kubewatch, ItsCloudEventIsKnownByItsBodyWhateverItsTypeSays) {
  IngestFixture ingest({.cluster = "c"});
  const std::string body =
      R"({"specversion":"1.0","type":"KUBERNETES_TOPOLOGY_CHANGE","source":"https://github.com/aantn/kubewatch","id":"1-1","data":{"operation":"update","kind":"Deployment","apiVersion":"apps/v1","obj":{"metadata":{"name":"web","namespace":"shop","resourceVersion":"R"}}}})";
  const ReadBack e = ingest.One("/webhook", body);
  EXPECT_EQ(e.view.producer, "kubewatch");
  EXPECT_EQ(e.view.subject, "Deployment/shop/web");
  EXPECT_EQ(e.view.type, "KUBERNETES_TOPOLOGY_CHANGE");
  // Two starts in one second count alike.
  std::string other = body;
  other.replace(other.find("\"R\""), 3, "\"S\"");
  EXPECT_NE(ingest.One("/webhook", other).view.id, e.view.id);
  EXPECT_EQ(ingest.One("/webhook", body).view.id, e.view.id);
}

TEST(Falco, ATextsClockIsOfTheDayThatIsNearest) {
  IngestFixture ingest;
  const auto time = [&](const std::string& clock) {
    return FormatTime(
        ingest.One("/falco", clock + ": Notice Something (k8s.ns=a k8s.pod=b)", "text/plain")
            .view.time);
  };
  EXPECT_EQ(time("06:11:10.250000001"), "2026-11-20T06:11:10.250000Z");
  EXPECT_EQ(time("2026-11-20T06:11:10.5+0000"), "2026-11-20T06:11:14.402113Z");  // no RFC 3339
  EXPECT_EQ(time("2026-11-20T06:10:00Z"), "2026-11-20T06:10:00.000000Z");
  ingest.received = *ParseRfc3339("2026-11-20T00:00:01Z");
  EXPECT_EQ(time("23:59:59.5"), "2026-11-19T23:59:59.500000Z");
  EXPECT_EQ(time("12:00:00.5"), "2026-11-20T00:00:01.000000Z");  // of another zone
  EXPECT_EQ(time("99:00:00.5"), "2026-11-20T00:00:01.000000Z");
}

TEST(Falco, LinesOfTextAreAlertsOfTheirOwn) {
  IngestFixture ingest;
  const auto events = ingest.Events(
      "/falco", "06:11:10.1: Critical One\r\n\n06:11:10.2: Debug Two \xff\"\n", "text/plain");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].view.severity, Severity::kCritical);
  EXPECT_EQ(events[0].view.data, R"({"output":"06:11:10.1: Critical One"})");
  EXPECT_EQ(events[1].view.severity, Severity::kDebug);
  EXPECT_NE(events[0].view.id, events[1].view.id);
  EXPECT_EQ(ingest.One("/falco", "06:11:10.1: Critical One", "text/plain").view.id,
            events[0].view.id);
}

TEST(Gatekeeper, AnAuditThatFindsTheSameAgainIsAnotherRecordOfTheSameTrouble) {
  IngestFixture ingest;
  const std::string body =
      R"({"id":"RUN","eventType":"violation_audited","kind":"K8sX","name":"c","message":"m","enforcementAction":"deny","resourceKind":"Pod","resourceNamespace":"n","resourceName":"p"})";
  const auto run = [&](const std::string& id) {
    std::string text = body;
    text.replace(text.find("RUN"), 3, id);
    return ingest.One("/gatekeeper", text);
  };
  const ReadBack first = run("2026-11-20T06:11:29Z"), second = run("2026-11-20T06:12:29Z");
  EXPECT_NE(first.view.id, second.view.id);
  EXPECT_EQ(first.view.problem_key, second.view.problem_key);
  EXPECT_EQ(run("2026-11-20T06:11:29Z").view.id, first.view.id);
}

TEST(Gatekeeper, ALineThatIsNoJsonCostsOnlyItself) {
  IngestFixture ingest;
  const auto events = ingest.Events("/gatekeeper",
                                    "{\"level\":\"info\" \"event_type\":\"violation_audited\"}\n"
                                    "{\"level\":\"info\",\"process\":\"audit\",\"event_type\":"
                                    "\"audit_finished\",\"ts\":1795155093.5}\n",
                                    "application/x-ndjson");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(ingest.quarantined, 1U);
  EXPECT_EQ(events[1].view.producer, "gatekeeper");
  EXPECT_EQ(events[1].view.extensions, "\"marker\":true");
}

TEST(KubeArmor, BothSpellingsSayTheSame) {
  IngestFixture ingest;
  const ReadBack upper = ingest.One(
      "/kubearmor",
      R"({"Timestamp":1,"UpdatedTime":"2026-11-20T06:11:32.5Z","HostName":"h","PodName":"web-1","NamespaceName":"n","Type":"MatchedHostPolicy","Operation":"File","PolicyName":"p","Severity":"5"})");
  const ReadBack lower = ingest.One(
      "/kubearmor",
      R"({"timestamp":1,"updatedTime":"2026-11-20T06:11:32.5Z","hostName":"h","podName":"web-1","namespaceName":"n","type":"MatchedHostPolicy","operation":"File","policyName":"p","severity":"5"})");
  for (const auto field : {&EventView::subject, &EventView::reason, &EventView::namespace_,
                           &EventView::type, &EventView::subcategory}) {
    EXPECT_EQ(upper.view.*field, lower.view.*field);
  }
  EXPECT_EQ(upper.view.time, lower.view.time);
  EXPECT_EQ(upper.view.problem_key, lower.view.problem_key);
  EXPECT_EQ(upper.view.severity, Severity::kError);
}

// Things that only look a little like a producer's stay what they are.
TEST(KnownShapes, OrdinaryJsonIsNobodys) {
  IngestFixture ingest;
  for (const std::string_view body :
       {R"({"type":"a","operation":"b"})", R"({"rule":"x","priority":"high"})",
        R"({"id":"1","message":"audit is paused"})", R"({"meta":{},"status":"ok","summary":"s"})",
        R"({"timeStamp":"2026","data":1,"extra":2})", R"({"request":{"uid":"1"}})",
        R"({"event_type":"click"})", R"({"eventmeta":"text"})", R"({"Type":"Message"})"}) {
    EXPECT_EQ(ingest.One("/v1/events", body).view.producer, "json") << body;
  }
}

// Members of the wrong kinds are as if they were not there.
TEST(KnownShapes, WrongKindsAreNoFault) {
  IngestFixture ingest;
  for (const std::string_view body :
       {R"({"eventmeta":{"kind":1,"name":null,"namespace":[],"reason":{}},"time":0})",
        R"({"meta":{},"status":{"messages":"x","level":7},"summary":""})",
        R"({"rule":"r","priority":"Odd","output":"","output_fields":[1],"time":[]})",
        R"({"eventType":"violation_audited","id":{},"kind":[]})",
        R"({"Type":"Message","Level":"","Message":"m","Timestamp":"x"})",
        R"({"kind":"AdmissionReview","request":{"uid":5,"kind":"Pod","object":"x"}})"}) {
    const ReadBack e = ingest.One("/v1/events", body);
    EXPECT_NE(e.view.producer, "json") << body;
    EXPECT_EQ(ingest.quarantined, 0U);
    EXPECT_FALSE(e.view.id.empty());
  }
}

// One who may write an Event's message must not be able to put another record in its place.
TEST(LogLines, ARecordsOwnMessageIsNotTakenForARecord) {
  IngestFixture ingest;
  EventText event{.reason = "Custom"};
  event.message = R"({\"auditID\":\"a\",\"stage\":\"ResponseComplete\"})";
  EXPECT_EQ(ingest.One("/events", event.Json()).view.reason, "Custom");
  const ReadBack falco = ingest.One(
      "/falco",
      R"({"rule":"r","priority":"Error","output":"o","message":"{\"auditID\":\"a\",\"stage\":\"s\"}"})");
  EXPECT_EQ(falco.view.producer, "falco");
}

TEST(LogLines, WhatIsNoKnownRecordStaysALine) {
  IngestFixture ingest;
  for (const std::string_view body :
       {R"({"date":1.5,"log":"{\"a\":1}"})", R"({"date":1.5,"log":"{\"auditID\":\"a\""})",
        R"({"date":1.5,"log":"plain"})", R"({"date":1.5,"log":{"auditID":"a","stage":"s"}})"}) {
    EXPECT_EQ(ingest.One("/fluentbit", body).view.data, body);
  }
}

TEST(LogLines, AnAuditLineIsTheEventThatItHolds) {
  IngestFixture ingest;
  const std::string line = AuditText{}.Json();
  std::string quoted;
  for (const char c : line) quoted += c == '"' ? "\\\"" : std::string(1, c);
  for (const std::string_view path : {"/fluentbit", "/audit", "/v1/events"}) {
    const ReadBack e = ingest.One(path, R"({"date":1.5,"log":")" + quoted + "\\n\"}");
    EXPECT_EQ(e.view.data, line);
    EXPECT_EQ(e.view.type, "io.k8s.audit.v1");
    EXPECT_EQ(e.view.producer, path == "/fluentbit" ? "fluent-bit" : "k8s-audit");
    // However it came, it is the same.
    EXPECT_EQ(e.view.id, ingest.One("/audit", line).view.id);
  }
}

// Times of logs are often whole seconds: what is equal in one request is there twice.
TEST(LogLines, EqualLinesOfOneChunkAreTwoAndOfARepeatedChunkTheSame) {
  IngestFixture ingest;
  const std::string body =
      R"([{"date":1795155095.0,"log":"GET /"},{"date":1795155095.0,"log":"GET /"},{"date":1795155095.0,"log":"GET /a"}])";
  std::vector<Hash128> first, second;
  for (const ReadBack& e : ingest.Events("/fluentbit", body)) first.push_back(e.view.id);
  for (const ReadBack& e : ingest.Events("/fluentbit", body)) second.push_back(e.view.id);
  EXPECT_EQ(first, second);
  EXPECT_EQ(std::set<Hash128>(first.begin(), first.end()).size(), 3U);
  // An Event is named by itself, however often it comes.
  const std::string event = EventText{}.Json();
  const auto events = ingest.Events("/fluentbit", event + "\n" + event);
  EXPECT_EQ(events.at(0).view.id, events.at(1).view.id);
}

// The caller of the API chooses the auditID.
TEST(Identity, NobodyHidesARequestBehindAnother) {
  IngestFixture ingest;
  AuditText first{.id = "x"}, second{.id = "x"};
  second.object = R"({"resource":"pods","namespace":"payments","name":"evil","apiVersion":"v1"})";
  EXPECT_NE(ingest.One("/audit", first.Json()).view.id,
            ingest.One("/audit", second.Json()).view.id);
}

}  // namespace
}  // namespace spool
