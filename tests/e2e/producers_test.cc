// Every producer posts to a real spoold as it is configured, and a person sees what came of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "tests/support/app_http.h"
#include "tests/support/ctl_fixture.h"
#include "tests/support/net_raw_client.h"
#include "tests/support/sample_index.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

using nlohmann::json;

ProducerSample SampleOf(const std::string& name) {
  for (ProducerSample& sample : ProducerSamples()) {
    if (sample.name == name) return std::move(sample);
  }
  ADD_FAILURE() << "there is no sample " << name;
  return {};
}

std::string Gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
std::string Zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}
std::string Snappy(const std::string& text) {
  std::string out(snappy_max_compressed_length(text.size()), '\0');
  size_t size = out.size();
  EXPECT_EQ(snappy_compress(text.data(), text.size(), out.data(), &size), SNAPPY_OK);
  out.resize(size);
  return out;
}

// A spoold with one http source, in a directory of its own.
class ProducersTest : public ::testing::Test {
 protected:
  void Start(const std::string& more = {}, const std::string& reserve = "0",
             const std::string& source = {}) {
    std::ofstream(dir_ / "spool.yaml")
        << "version: 1\ncluster: { name: prod-eu }\nlog: { format: json }\n"
           "journal: { disk_reserve: "
        << reserve
        << " }\nadmin: { address: 127.0.0.1:0 }\n"
           "sources: { web: { type: http, address: \"127.0.0.1:0\""
        << source
        << " } }\n"
           "targets: { sink: { type: \"null\" } }\n"
        << more;
    spoold_ = std::make_unique<Spoold>(
        std::vector<std::string>{"--config", dir_ / "spool.yaml", "--data-dir", dir_ / "data"},
        dir_ / "log");
    static const std::regex kUp(R"re(is up.*"ingest":"([^"]+)".*"admin":"([^"]+)")re");
    std::smatch found;
    std::string log;
    ASSERT_TRUE(WaitUntil([&] {
      std::ifstream in(dir_ / "log");
      log.assign(std::istreambuf_iterator<char>(in), {});
      return std::regex_search(log, found, kUp);
    })) << log;
    ingest_ = found[1].str();
    admin_ = found[2].str();
  }

  json Source() const { return Call("GET", admin_, "/api/v1/sources").Json()["items"][0]; }

  HttpReply Post(const ProducerSample& sample) const {
    HttpHeaders headers = sample.headers;
    headers.emplace_back("Content-Type", sample.content_type);
    return Call("POST", ingest_, sample.path, sample.body, headers);
  }

  // As `spoolctl events ls` shows them, in the order in which they were stored.
  std::vector<json> Events(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"--server", "http://" + admin_, "events", "ls", "--since",
                                     "1h",       "--limit",          "1000",   "-o", "json"};
    args.insert(args.end(), more.begin(), more.end());
    const CtlResult result = RunCtl(args);
    EXPECT_EQ(result.exit, 0) << result.err;
    const json parsed = json::parse(result.out, nullptr, false);
    EXPECT_TRUE(parsed.is_array()) << result.out.substr(0, 300);
    std::vector<json> events;
    if (parsed.is_array()) events.assign(parsed.begin(), parsed.end());
    std::sort(events.begin(), events.end(), [](const json& a, const json& b) {
      return std::stoull(a["sequence"].get<std::string>()) <
             std::stoull(b["sequence"].get<std::string>());
    });
    return events;
  }

  const AppDir dir_;
  std::string ingest_, admin_;
  std::unique_ptr<Spoold> spoold_;
};

TEST_F(ProducersTest, EachIsUnderstoodAsWhatItIs) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  std::set<std::string> categories;
  size_t seen = 0;
  for (const ProducerSample& sample : ProducerSamples()) {
    const HttpReply reply = Post(sample);
    EXPECT_EQ(reply.status, 200) << sample.name << ": " << reply.body;
    std::vector<json> events;
    // An admission review is answered before it is stored.
    ASSERT_TRUE(WaitUntil([&] {
      events = Events();
      return events.size() >= seen + sample.events.size();
    })) << sample.name;
    ASSERT_EQ(events.size(), seen + sample.events.size()) << sample.name;
    // Within one request streams keep their own order, so each finds its own.
    std::vector<json> fresh(events.begin() + static_cast<std::ptrdiff_t>(seen), events.end());
    for (const json& expected : sample.events) {
      const auto found = std::find_if(fresh.begin(), fresh.end(), [&](const json& event) {
        return Mismatch(expected, event).empty();
      });
      if (found == fresh.end()) {
        ADD_FAILURE() << sample.name << " has no " << expected << "\nbut:\n" << json(fresh).dump(1);
        continue;
      }
      EXPECT_EQ((*found)["id"].get<std::string>().size(), 32U);
      EXPECT_EQ(found->value("cluster", ""), "prod-eu");
      if (found->contains("category")) {
        categories.insert((*found)["category"].get<std::string>() + "/" +
                          (*found)["subcategory"].get<std::string>());
      }
      fresh.erase(found);
    }
    seen = events.size();
  }
  EXPECT_EQ(Events({"--stream", "quarantine"}).size(), 0U);
  // Every one that there is.
  EXPECT_THAT(categories, ::testing::UnorderedElementsAre(
                              "infrastructure/node", "infrastructure/pod", "infrastructure/storage",
                              "infrastructure/network", "infrastructure/resource", "security/rbac",
                              "security/pod-security", "security/image", "security/network-policy",
                              "security/certificate", "security/runtime", "admission/validating",
                              "admission/mutating", "admission/quota", "admission/limitrange"));
}

// What a producer sends once more, because it did not hear our answer, is stored once.
TEST_F(ProducersTest, WhatComesAgainIsKnownAgain) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  const std::vector<ProducerSample> samples = ProducerSamples();
  size_t expected = 0, once_more = 0;
  for (const ProducerSample& sample : samples) {
    EXPECT_EQ(Post(sample).status, 200) << sample.name;
    expected += sample.events.size();
    if (sample.fresh) once_more += sample.events.size();
  }
  ASSERT_TRUE(WaitUntil([&] { return Events().size() >= expected; }));
  std::set<std::string> ids;
  for (const json& event : Events()) ids.insert(event["id"]);
  EXPECT_EQ(ids.size(), expected);
  for (auto it = samples.rbegin(); it != samples.rend(); ++it) {
    EXPECT_EQ(Post(*it).status, 200) << it->name;
  }
  ASSERT_TRUE(WaitUntil([&] {
    const json source = Source();
    return source["events"].get<size_t>() + source["duplicates"].get<size_t>() >= 2 * expected;
  }));
  EXPECT_EQ(Events().size(), expected + once_more);
}

TEST_F(ProducersTest, EachIsAnsweredAsItNeeds) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  for (const ProducerSample& sample : ProducerSamples()) {
    const HttpReply reply = Post(sample);
    EXPECT_EQ(reply.status, 200) << sample.name;
    if (!sample.answer.is_null()) {
      const json answer = reply.Json();
      EXPECT_EQ(answer["kind"], "AdmissionReview");
      EXPECT_EQ(answer["apiVersion"], sample.answer["apiVersion"]);
      EXPECT_EQ(answer["response"]["uid"], sample.answer["uid"]);
      EXPECT_EQ(answer["response"]["allowed"], true);
      EXPECT_EQ(answer["response"].size(), 2U);
    } else if (sample.path == "/v1/logs") {
      EXPECT_EQ(reply.body, "{}");
      EXPECT_EQ(reply.content_type, "application/json");
    } else if (sample.path != "/v1/events") {
      EXPECT_EQ(reply.body, "") << sample.name;
      EXPECT_EQ(reply.content_type, "") << sample.name;
    }
  }
}

TEST_F(ProducersTest, CompressedBodiesAreTheSameBodies) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  const std::string body = SampleOf("fluent-bit-json").body;
  const auto post = [&](const std::string& coding, const std::string& coded) {
    return Call(coding == "zstd" ? "PUT" : "POST", ingest_, "/fluentbit", coded,
                {{"Content-Type", "application/json"}, {"Content-Encoding", coding}});
  };
  for (const auto& [coding, coded] : {std::pair<std::string, std::string>{"gzip", Gzip(body)},
                                      {"zstd", Zstd(body)},
                                      {"snappy", Snappy(body)}}) {
    EXPECT_EQ(post(coding, coded).status, 200) << coding;
    EXPECT_EQ(Source()["events"], 2) << coding;
  }
  EXPECT_EQ(Source()["duplicates"], 4);
}

TEST_F(ProducersTest, AuditBatchesMayRepeatAndComeInAnyOrder) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  const auto item = [](int n, const std::string& more = {}) {
    return R"({"level":"Metadata","auditID":"same","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list",)"
           R"("user":{"username":"jo"},"responseStatus":{"metadata":{},"code":403},)"
           R"("requestReceivedTimestamp":"2026-11-20T06:11:14.00000)" +
           std::to_string(n) + "Z\"" + more + "}";
  };
  const auto batch = [&](const std::vector<int>& numbers) {
    std::string items;
    for (const int n : numbers) items += (items.empty() ? "" : ",") + item(n);
    return Call("POST", ingest_, "/audit?timeout=30s",
                R"({"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[)" +
                    items + "]}\n",
                {{"Content-Type", "application/json"}});
  };
  EXPECT_EQ(batch({4, 5, 6}).status, 200);
  EXPECT_EQ(batch({1, 2, 3}).status, 200);
  EXPECT_EQ(batch({4, 5, 6}).status, 200);
  EXPECT_EQ(Source()["events"], 6);
  EXPECT_EQ(Source()["duplicates"], 3);
  // The same Audit-ID, URI, user and microsecond do not hide what is not the same request.
  EXPECT_EQ(
      Call("POST", ingest_, "/audit",
           R"({"items":[)" + item(1, R"(,"objectRef":{"resource":"pods","name":"other"})") + "]}")
          .status,
      200);
  EXPECT_EQ(Source()["events"], 7);
  // Whoever sends what is no batch is told so, and one bad item costs nobody else.
  EXPECT_EQ(Call("POST", ingest_, "/audit", R"({"kind":0})").status, 200);
  EXPECT_EQ(Call("POST", ingest_, "/audit", R"({"items":[{"kind":0},)" + item(9) + "]}").status,
            200);
  EXPECT_EQ(Source()["quarantined"], 2);
  EXPECT_EQ(Source()["events"], 8);
}

TEST_F(ProducersTest, OneBadRecordNeverRefusesAChunk) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  std::string lines;
  for (int i = 0; i < 500; ++i) {
    lines += i == 250 ? "{\"date\":1.5,\"log\":\n"
                      : "{\"date\":1795155095.5,\"n\":" + std::to_string(i) + "}\n";
  }
  const HttpReply reply =
      Call("POST", ingest_, "/fluentbit", lines, {{"Content-Type", "application/x-ndjson"}});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "");
  EXPECT_EQ(Source()["events"], 499);
  EXPECT_EQ(Source()["quarantined"], 1);
}

TEST_F(ProducersTest, OtlpIsToldOfWhatItNeedNotSendAgain) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  const HttpReply partly = Call(
      "POST", ingest_, "/v1/logs",
      R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[7,{"body":{"stringValue":"good"}}]}]}]})",
      {{"Content-Type", "application/json"}});
  EXPECT_EQ(partly.status, 200);
  EXPECT_EQ(partly.Json()["partialSuccess"]["rejectedLogRecords"], "1");
  EXPECT_NE(partly.Json()["partialSuccess"]["errorMessage"], "");
  // resource_logs > scope_logs > log_records: one whose body is cut off, one that is empty.
  const std::string request("\x0a\x08\x12\x06\x12\x02\x2a\x09\x12\x00", 10);
  const HttpReply protobuf =
      Call("POST", ingest_, "/v1/logs", request, {{"Content-Type", "application/x-protobuf"}});
  EXPECT_EQ(protobuf.status, 200);
  EXPECT_EQ(protobuf.content_type, "application/x-protobuf");
  // ExportLogsServiceResponse{partial_success{rejected_log_records: 1, error_message}}
  EXPECT_EQ(protobuf.body.substr(0, 1), "\x0a");
  EXPECT_EQ(protobuf.body.substr(2, 3), "\x08\x01\x12");
  EXPECT_EQ(
      Call("POST", ingest_, "/v1/logs", "", {{"Content-Type", "application/x-protobuf"}}).body, "");
  const HttpReply bad =
      Call("POST", ingest_, "/v1/logs", "{", {{"Content-Type", "application/json"}});
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.content_type, "application/json");
  EXPECT_EQ(bad.Json()["code"], 3);  // INVALID_ARGUMENT
  const HttpReply binary =
      Call("POST", ingest_, "/v1/logs", "\x0a\xff", {{"Content-Type", "application/x-protobuf"}});
  EXPECT_EQ(binary.status, 400);
  EXPECT_EQ(binary.content_type, "application/x-protobuf");
  EXPECT_EQ(binary.body.substr(0, 3), "\x08\x03\x12");
}

// Also what the server refuses before the source sees it is told in OTLP's words.
TEST_F(ProducersTest, OtlpIsRefusedInItsOwnWords) {
  std::ofstream(dir_ / "token") << "correct-horse-battery-staple-97\n";
  Start({}, "0", ", limits: { body: 64KiB }, tokens: [ { file: " + dir_ / "token" + " } ]");
  ASSERT_FALSE(HasFatalFailure());
  const std::pair<std::string, std::string> good{"Authorization",
                                                 "Bearer correct-horse-battery-staple-97"};
  const std::string large(100'000, ' ');
  const auto check = [&](const HttpReply& json, const HttpReply& binary, int status, int code) {
    EXPECT_EQ(json.status, status);
    EXPECT_EQ(json.content_type, "application/json");
    EXPECT_EQ(json.Json()["code"], code) << json.body;
    EXPECT_NE(json.Json()["message"].get<std::string>().find(": "), std::string::npos);
    EXPECT_EQ(binary.status, status);
    EXPECT_EQ(binary.content_type, "application/x-protobuf");
    EXPECT_EQ(binary.body.substr(0, 3), "\x08" + std::string(1, static_cast<char>(code)) + "\x12");
  };
  const auto post = [&](const std::string& body, const std::string& type, HttpHeaders headers) {
    headers.emplace_back("Content-Type", type);
    return Call("POST", ingest_, "/v1/logs", body, headers);
  };
  const std::string js = "application/json", pb = "application/x-protobuf";
  check(post("{}", js, {}), post("", pb, {}), 401, 16);
  check(post(large, js, {good}), post(large, pb, {good}), 413, 8);
  const HttpHeaders brotli{good, {"Content-Encoding", "br"}};
  check(post("{}", js, brotli), post("x", pb, brotli), 415, 3);
  // Everybody else gets the problem.
  EXPECT_EQ(Call("POST", ingest_, "/v1/events", large, {good}).Code(), "body_too_large");
}

// More reserve than any volume has: the disk is full.
TEST_F(ProducersTest, OnAFullDiskEachHearsWhatMakesItComeAgain) {
  Start({}, "16TiB");
  ASSERT_FALSE(HasFatalFailure());
  for (const ProducerSample& sample : ProducerSamples()) {
    const HttpReply reply = Post(sample);
    if (sample.answer.is_null()) {
      EXPECT_EQ(reply.status, 503) << sample.name;
      EXPECT_TRUE(reply.retry_after) << sample.name;
      if (sample.path != "/v1/logs") {
        EXPECT_EQ(reply.Code(), "journal_full");
      }
    } else {
      EXPECT_EQ(reply.status, 200) << sample.name;
      EXPECT_EQ(reply.Json()["response"]["allowed"], true);
    }
  }
  const HttpReply otlp = Call("POST", ingest_, "/v1/logs", SampleOf("otlp-event").body,
                              {{"Content-Type", "application/json"}});
  EXPECT_EQ(otlp.Json()["code"], 14);  // UNAVAILABLE
  ASSERT_TRUE(WaitUntil([&] { return Source()["lost"] == 2; }));
  EXPECT_THAT(Call("GET", admin_, "/metrics").body,
              ::testing::HasSubstr("spool_ingest_lost_total{source=\"web\"} 2"));
  EXPECT_EQ(Source()["events"], 0);
}

TEST_F(ProducersTest, AnAdmissionRequestIsAnsweredBeforeItIsStored) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  // Also an object of the largest kind, and one that is nested deeper than any event may be.
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "{\"a\":";
  deep += "1" + std::string(200, '}');
  for (const std::string& object : {"{\"big\":\"" + std::string(3 << 20, 'x') + "\"}", deep}) {
    const HttpReply reply = Call(
        "POST", ingest_, "/admission/mutating?timeout=10s",
        R"({"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","object":)" +
            object + "}}");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.Json()["response"]["uid"], "u-1");
  }
  EXPECT_TRUE(WaitUntil([&] { return Source()["events"] == 1 && Source()["quarantined"] == 1; }));
  // Without a uid there is nothing to answer.
  EXPECT_EQ(Call("POST", ingest_, "/admission/validating", "{}").status, 200);
  EXPECT_EQ(Call("POST", ingest_, "/admission/validating", "x").status, 400);
}

TEST_F(ProducersTest, OperatorsRulesComeBeforeTheBuiltInOnes) {
  Start(
      "classification: { webhook_mutations: false }\n"
      "classify:\n"
      "  - { when: { producer: kubewatch, kind: Node }, set: { severity: debug } }\n"
      "  - { when: { source: web, data.team: \"*\" }, set: { category: infrastructure, "
      "subcategory: "
      "resource, severity: notice, stream: kubernetes-events } }\n"
      "  - { when: { data.team: \"*\" }, set: { severity: emergency } }\n"
      "  - { when: [ { reason: K8sRequiredLabels } ], set: { category: security, subcategory: "
      "pod-security } }\n");
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_EQ(Call("POST", ingest_, "/v1/events", R"({"team":"a"})").status, 200);
  for (const char* name : {"kubewatch-old-node", "gatekeeper-export", "audit-batch"}) {
    ASSERT_EQ(Post(SampleOf(name)).status, 200);
  }
  const auto only = [&](const std::string& key, const std::string& value) {
    json found;
    for (const json& event : Events()) {
      if (event.value(key, "") == value) found = event;
    }
    return found;
  };
  EXPECT_EQ(Mismatch({{"category", "infrastructure"},
                      {"subcategory", "resource"},
                      {"severity", "notice"},
                      {"stream", "kubernetes-events"}},
                     only("producer", "json")),
            "");
  EXPECT_EQ(
      Mismatch({{"category", "infrastructure"}, {"subcategory", "node"}, {"severity", "debug"}},
               only("producer", "kubewatch")),
      "");
  EXPECT_EQ(Mismatch({{"category", "security"},
                      {"subcategory", "pod-security"},
                      {"stream", "security-events"}},
                     only("reason", "K8sRequiredLabels")),
            "");
  // What a mesh changed stays where its kind belongs.
  json changed;
  for (const json& event : Events()) {
    if (event.value("name", "") == "api-7d3" && event.value("reason", "") == "create") {
      changed = event;
    }
  }
  EXPECT_EQ(Mismatch({{"category", "infrastructure"}, {"subcategory", "pod"}}, changed), "");
}

// kubewatch never reads an answer's body: one that is empty leaves its connection usable.
TEST_F(ProducersTest, AnEmptyAnswerKeepsItsConnection) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  const int port = std::stoi(ingest_.substr(ingest_.rfind(':') + 1));
  test::RawSocket socket = test::RawSocket::Connect(port);
  const std::string body = SampleOf("kubewatch-binding").body;
  for (int i = 0; i < 1'000; ++i) {
    socket.Send(
        "POST /webhook HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
    const auto answer = socket.ReadAnswer();
    ASSERT_TRUE(answer) << i;
    ASSERT_EQ(answer->status, 200);
    ASSERT_EQ(answer->Header("content-length"), "0");
    ASSERT_EQ(answer->Header("content-type"), "");
  }
  EXPECT_THAT(Call("GET", admin_, "/metrics").body,
              ::testing::HasSubstr("spool_ingest_connections{source=\"web\"} 1"));
}

// As the API server may be configured: large objects, whole.
TEST_F(ProducersTest, ABatchOfThirtyMebibytesIsTaken) {
  Start({}, "0", ", limits: { body: 64MiB, in_flight: 64MiB }");
  ASSERT_FALSE(HasFatalFailure());
  std::string batch =
      R"({"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[)";
  for (int i = 0; i < 310; ++i) {
    batch += (i == 0 ? "" : ",") + std::string(R"({"level":"RequestResponse","auditID":"a)") +
             std::to_string(i) +
             R"(","stage":"ResponseComplete","verb":"update","responseObject":{"spec":")" +
             std::string(100 << 10, 'x') + "\"}}";
  }
  batch += "]}\n";
  ASSERT_GT(batch.size(), size_t{30} << 20);
  const HttpReply reply = Call("POST", ingest_, "/audit?timeout=30s", batch);
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(Source()["events"], 310);
}

}  // namespace
}  // namespace spool::testing
