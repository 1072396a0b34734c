// What is delivered is what schemas/envelope.schema.json promises, whatever came in.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "tests/support/app_http.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Envelope {
 public:
  Envelope() {
    const json text = json::parse(ReadAll(fs::path(SourceDir()) / "schemas/envelope.schema.json"));
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(text), schema_);
  }
  // What is wrong with it; empty when nothing is.
  std::string Complaint(const json& event) const {
    valijson::Validator validator;
    valijson::ValidationResults results;
    const valijson::adapters::NlohmannJsonAdapter target(event);
    if (validator.validate(schema_, target, &results)) return "";
    std::string all;
    for (valijson::ValidationResults::Error error; results.popError(error);) {
      for (const std::string& part : error.context) all += part;
      all += ": " + error.description + "\n";
    }
    return all.empty() ? "not valid" : all;
  }

 private:
  valijson::Schema schema_;
};

// A service that delivers everything, quarantine included, to a file.
class EnvelopeTest : public ::testing::Test {
 protected:
  EnvelopeTest() {
    Config config = TestConfig(dir_.path());
    config.cluster = "prod-eu";
    config.targets = {FileTarget("out", Out())};
    config.has_routes = true;
    config.routes = {
        {.name = "all", .match = {}, .drop = {}, .to = {"out"}},
        {.name = "bad", .match = {{{"stream", "quarantine"}}}, .drop = {}, .to = {"out"}}};
    service_ = std::make_unique<RunningService>(config);
  }
  std::string Out() const { return dir_ / "out.jsonl"; }
  void Post(const std::string& path, const std::string& body, const HttpHeaders& headers = {}) {
    const HttpReply reply = Call("POST", service_->ingest(), path, body, headers);
    EXPECT_EQ(reply.status, 200) << body.substr(0, 200) << "\n" << reply.body;
  }
  std::vector<json> Delivered() {
    EXPECT_TRUE(service_->WaitSettled());
    std::vector<json> events;
    std::ifstream lines(Out());
    for (std::string line; std::getline(lines, line);) events.push_back(json::parse(line));
    return events;
  }

  const AppDir dir_;
  const Envelope envelope_;
  std::unique_ptr<RunningService> service_;
};

// The samples that people are shown, each posted where its producer posts it.
TEST_F(EnvelopeTest, EverySampleIsUnderstoodAndDeliveredAsPromised) {
  ASSERT_TRUE(service_->ok());
  const std::map<std::string, size_t> events = {{"audit-eventlist.json", 3},
                                                {"event-backoff.json", 1},
                                                {"event-list.json", 2},
                                                {"event-node-not-ready.json", 1},
                                                {"event-scheduled.json", 1}};
  size_t posted = 0, files = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(SourceDir()) / "schemas/samples")) {
    const std::string name = entry.path().filename();
    if (entry.is_directory()) continue;  // those of producers have a test of their own
    ASSERT_TRUE(events.contains(name)) << name << ": how many events are in it?";
    Post(name.starts_with("audit") ? "/audit" : "/events", ReadAll(entry.path()),
         {{"Content-Type", "application/json"}});
    posted += events.at(name);
    ++files;
  }
  EXPECT_EQ(files, events.size());
  const std::vector<json> delivered = Delivered();
  ASSERT_EQ(delivered.size(), posted);
  for (const json& event : delivered) {
    EXPECT_EQ(envelope_.Complaint(event), "") << event.dump(2);
    EXPECT_NE(event["stream"], "quarantine") << event.dump(2);
    for (const char* name : {"category", "subcategory", "severity", "cluster", "time", "data"}) {
      EXPECT_TRUE(event.contains(name)) << name << "\n" << event.dump(2);
    }
    EXPECT_EQ(event["cluster"], "prod-eu");
  }
}

// All that an event may look like: other producers' attributes, bytes, hostile texts, quarantine.
TEST_F(EnvelopeTest, SoIsWhateverElseIsTaken) {
  ASSERT_TRUE(service_->ok());
  const HttpHeaders type = {{"Content-Type", "application/json"}};
  Post("/v1/events", R"({"hello":"world"})", type);
  Post("/v1/events",
       "{\"a\":1}\n{\"time\":\"2026-11-20T06:11:14.123456789+02:00\",\"level\":\"error\"}", type);
  Post("/v1/events",
       R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"/wA="})", type);
  Post(
      "/v1/events",
      R"({"specversion":"1.0","id":"2","source":"/s","type":"t","time":"2026-11-20T06:11:14Z","Stream":"x",)"
      R"("sequence":7,"datacontenttype":"text/plain","data":"some text","x_y":{"a":[1]},"flag":true,"n":null})",
      type);
  Post("/v1/events", std::string("\x00\xff", 2),
       {{"Content-Type", "application/octet-stream"},
        {"ce-specversion", "1.0"},
        {"ce-id", "3"},
        {"ce-source", "/s"},
        {"ce-type", "t"},
        {"ce-subject", "caf%C3%A9"}});
  Post("/v1/events", R"([17,{"a":1,"a":2},{"kind":"Event","apiVersion":"v1"}])", type);
  Post("/v1/events",
       R"({"kind":"Event","metadata":{"uid":"\u0000"},"involvedObject":{"kind":"\u2028","name":")" +
           std::string(10'000, 'n') + R"("},"reason":"\"\\\u0007"})",
       type);
  Post("/audit", R"({"auditID":"a","stage":"Panic","verb":"get","requestURI":"/x"})", type);
  const std::vector<json> delivered = Delivered();
  ASSERT_EQ(delivered.size(), 11u);
  std::map<std::string, int> producers;
  size_t quarantined = 0, bytes = 0;
  for (const json& event : delivered) {
    EXPECT_EQ(envelope_.Complaint(event), "") << event.dump(2);
    if (event.contains("producer")) ++producers[event["producer"]];
    quarantined += event["stream"] == "quarantine";
    bytes += event.contains("data_base64");
  }
  EXPECT_EQ(quarantined, 3u);
  EXPECT_EQ(bytes, 2u);
  EXPECT_GE(producers.size(), 4u);
}

// The schema itself can say no.
TEST_F(EnvelopeTest, TheSchemaRefusesWhatNoEventMayBe) {
  ASSERT_TRUE(service_->ok());
  Post("/v1/events", R"({"hello":"world"})", {{"Content-Type", "application/json"}});
  const std::vector<json> delivered = Delivered();
  ASSERT_EQ(delivered.size(), 1u);
  ASSERT_EQ(envelope_.Complaint(delivered[0]), "");
  const auto refused = [&](const json& patch) {
    json event = delivered[0];
    event.merge_patch(patch);
    EXPECT_NE(envelope_.Complaint(event), "") << patch;
  };
  for (const char* name :
       {"specversion", "id", "source", "type", "sequence", "stream", "acceptedtime"}) {
    refused({{name, nullptr}});
  }
  refused({{"id", "XYZ"}});
  refused({{"sequence", 7}});
  refused({{"sequence", "007"}});
  refused({{"time", "yesterday"}});
  refused({{"severity", "loud"}});
  refused({{"subcategory", "node"}});
  refused({{"category", "other"}});
  refused({{"producer", "somebody"}});
  refused({{"Upper", 1}});
  refused({{"data_base64", "AA=="}});
}

}  // namespace
}  // namespace spool::testing
