// GET /api/v1/events/{id}:explain and POST /api/v1/events:explain of a running service.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

using nlohmann::json;

json ByName(const json& list, const char* key, const std::string& name) {
  for (const json& item : list) {
    if (item[key] == name) return item;
  }
  return nullptr;
}

class ExplainApi : public ::testing::Test {
 protected:
  static Config Configured(const AppDir& dir, const std::string& hook) {
    Config config = TestConfig(dir.path());
    config.targets = {FileTarget("archive", dir / "archive.jsonl"),
                      FileTarget("nodes", dir / "nodes.jsonl"), WebhookTarget("hook", hook)};
    config.routes = {{"all", {}, {}, {"archive"}},
                     {"some", {{{"data.kind", "Node"}}}, {{{"data.mute", "true"}}}, {"nodes"}},
                     {"hooks", {{{"data.hook", "*"}}}, {}, {"hook"}}};
    config.has_routes = true;
    return config;
  }

  ExplainApi() : service_(Configured(dir_, receiver_.url())) {}

  std::vector<std::string> Lines(const std::string& name) const {
    std::ifstream in(dir_ / name);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  json Explain(uint64_t sequence) const {
    const HttpReply reply = service_.Get("/api/v1/events/" + std::to_string(sequence) + ":explain");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.Json();
  }

  const AppDir dir_;
  Receiver receiver_;
  RunningService service_;
};

TEST_F(ExplainApi, SaysOfEveryEventWhatWasDoneWithIt) {
  ASSERT_TRUE(service_.ok());
  const std::vector<std::string> bodies = {R"({"n":1,"kind":"Node"})",
                                           R"({"n":2,"kind":"Node","mute":true})",
                                           R"({"n":3,"kind":"Pod"})", R"({"n":4})"};
  for (const std::string& body : bodies) {
    ASSERT_EQ(Call("POST", service_.ingest(), "/v1/events", body).status, 200);
  }
  ASSERT_TRUE(service_.WaitSettled());
  const std::vector<std::string> archive = Lines("archive.jsonl");
  const std::vector<std::string> nodes = Lines("nodes.jsonl");
  ASSERT_EQ(archive.size(), 4u);
  ASSERT_EQ(nodes.size(), 1u);
  for (const std::string& line : archive) {
    const json event = json::parse(line);
    const uint64_t sequence = std::stoull(event["sequence"].get<std::string>());
    const json told = Explain(sequence);
    EXPECT_EQ(told["event"]["id"], event["id"]);
    const json at_archive = ByName(told["targets"], "target", "archive");
    EXPECT_EQ(at_archive["wanted"], true);
    EXPECT_EQ(at_archive["outcome"], "settled");
    EXPECT_EQ(at_archive["payload"], line + "\n");  // byte by byte what was written
    const json at_nodes = ByName(told["targets"], "target", "nodes");
    const bool delivered = std::find(nodes.begin(), nodes.end(), line) != nodes.end();
    EXPECT_EQ(at_nodes["wanted"], delivered) << told;
    EXPECT_EQ(at_nodes["outcome"], delivered ? "settled" : "not_wanted");
    EXPECT_EQ(at_nodes.contains("payload"), delivered);
  }
}

TEST_F(ExplainApi, NamesTheKeyThatFailedAndTheRuleThatDropped) {
  ASSERT_TRUE(service_.ok());
  for (const char* body : {R"({"kind":"Node","mute":true})", R"({"kind":"Pod"})", "[{}]"}) {
    ASSERT_EQ(Call("POST", service_.ingest(), "/v1/events", body).status, 200);
  }
  const json dropped = ByName(Explain(1)["routes"], "route", "some");
  EXPECT_EQ(dropped["verdict"], "dropped");
  EXPECT_EQ(dropped["why"], "drop[0]: data.mute=true");
  const json other = ByName(Explain(2)["routes"], "route", "some");
  EXPECT_EQ(other["verdict"], "unmatched");
  EXPECT_EQ(other["why"], R"(match[0]: data.kind is "Pod", wants "Node")");
  const json absent = ByName(Explain(3)["routes"], "route", "some");
  EXPECT_EQ(absent["why"], R"(match[0]: data.kind is absent, wants "Node")");
  EXPECT_EQ(absent["match"][0]["conditions"][0]["value"], nullptr);
  EXPECT_EQ(ByName(Explain(3)["routes"], "route", "all")["verdict"], "matched");
}

TEST_F(ExplainApi, KnowsDeadLettersSkipsAndWhatIsStillPending) {
  ASSERT_TRUE(service_.ok());
  receiver_.Answer(422);
  ASSERT_EQ(Call("POST", service_.ingest(), "/v1/events", R"({"hook":1})").status, 200);
  ASSERT_TRUE(WaitUntil([&] { return service_.Target("hook")["dead_lettered"] == 1; }));
  const json dead = ByName(Explain(1)["targets"], "target", "hook");
  EXPECT_EQ(dead["outcome"], "dead_letter");
  EXPECT_EQ(dead["dead_letter"], "hook-1");
  ASSERT_EQ(service_.Post("/api/v1/targets/hook:pause").status, 200);
  // The record of the pause has a sequence, too.
  const HttpReply stored = Call("POST", service_.ingest(), "/v1/events", R"({"hook":2})");
  ASSERT_EQ(stored.status, 200);
  const auto sequence = stored.Json()["first"].get<uint64_t>();
  EXPECT_EQ(ByName(Explain(sequence)["targets"], "target", "hook")["outcome"], "pending");
  const std::string to = R"({"to":")" + std::to_string(sequence + 1) + R"("})";
  ASSERT_EQ(service_.Post("/api/v1/targets/hook:skip", to).status, 200);
  EXPECT_EQ(ByName(Explain(sequence)["targets"], "target", "hook")["outcome"], "skipped");
}

TEST_F(ExplainApi, ExplainsARequestThatWasNotMadeAndStoresNothing) {
  ASSERT_TRUE(service_.ok());
  const json before = service_.Status();
  const HttpReply reply = service_.Post("/api/v1/events:explain", R"([{"kind":"Node"},{"n":1}])");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json told = reply.Json();
  EXPECT_EQ(told["events"], 2);
  ASSERT_EQ(told["items"].size(), 2u);
  EXPECT_EQ(told["items"][0]["event"]["sequence"], nullptr);
  EXPECT_EQ(told["items"][0]["event"]["origin"], "web");
  EXPECT_EQ(ByName(told["items"][0]["targets"], "target", "nodes")["wanted"], true);
  EXPECT_EQ(ByName(told["items"][0]["targets"], "target", "nodes")["outcome"], nullptr);
  EXPECT_EQ(ByName(told["items"][1]["targets"], "target", "nodes")["wanted"], false);
  EXPECT_EQ(service_.Status()["sequence"], before["sequence"]);
  // What cannot be read goes where it would go, and no ordinary route takes it from there.
  const json broken = service_.Post("/api/v1/events:explain", "{\"a\":").Json();
  EXPECT_EQ(broken["items"][0]["event"]["stream"], "quarantine");
  EXPECT_EQ(broken["items"][0]["special"], true);
  const json all = ByName(broken["items"][0]["routes"], "route", "all");
  EXPECT_EQ(all["verdict"], "unmatched");
  EXPECT_EQ(all["why"], "only a rule that names the stream \"quarantine\" takes from it");
}

TEST_F(ExplainApi, OfManyEventsTheFirstHundredAreExplained) {
  ASSERT_TRUE(service_.ok());
  std::string body = "[{}";
  for (int i = 0; i < 149; ++i) body += ",{\"n\":" + std::to_string(i) + "}";
  const json told = service_.Post("/api/v1/events:explain", body + "]").Json();
  EXPECT_EQ(told["events"], 150);
  EXPECT_EQ(told["items"].size(), 100u);
}

TEST_F(ExplainApi, ATestEventIsSentBesideTheOthersAndCountedNowhere) {
  ASSERT_TRUE(service_.ok());
  ASSERT_EQ(Call("POST", service_.ingest(), "/v1/events", R"({"n":1,"kind":"Pod"})").status, 200);
  ASSERT_TRUE(service_.WaitSettled());
  ASSERT_EQ(service_.Post("/api/v1/targets/hook:pause").status, 200);
  const json before = service_.Target("hook");
  const json made = service_.Post("/api/v1/targets/hook:test").Json();
  EXPECT_EQ(made["outcome"], "delivered") << made;
  EXPECT_EQ(made["where"], "POST " + receiver_.url());
  ASSERT_EQ(receiver_.bodies().size(), 1u);
  const json sent = json::parse(receiver_.bodies()[0]);
  EXPECT_EQ(sent["id"], made["event_id"]);
  EXPECT_EQ(sent["replay"], "test");
  EXPECT_EQ(sent["type"], "dev.spool.test.v1");
  const json stored = service_.Post("/api/v1/targets/hook:test", R"({"sequence":1})").Json();
  EXPECT_EQ(stored["outcome"], "delivered");
  EXPECT_EQ(json::parse(receiver_.bodies()[1])["data"]["n"], 1);
  receiver_.Answer(401);
  const json held = service_.Post("/api/v1/targets/hook:test").Json();
  EXPECT_EQ(held["outcome"], "hold");
  EXPECT_EQ(held["code"], "http_401");
  EXPECT_EQ(service_.Target("hook"), before);
  EXPECT_EQ(service_.Post("/api/v1/targets/nope:test").Code(), "not_found");
  EXPECT_EQ(service_.Post("/api/v1/targets/hook:test", R"({"sequence":99})").Code(),
            "event_not_found");
  EXPECT_EQ(service_.Post("/api/v1/targets/hook:test", R"({"event":1})").status, 400);
}

TEST_F(ExplainApi, ADrainedNodeRefusesEventsAndDeliversTheRest) {
  ASSERT_TRUE(service_.ok());
  ASSERT_EQ(service_.Post("/api/v1/targets/hook:pause").status, 200);
  ASSERT_EQ(Call("POST", service_.ingest(), "/v1/events", R"({"hook":1})").status, 200);
  const json begun = service_.Post("/api/v1/node:drain", R"({"drain":true})").Json();
  EXPECT_EQ(begun["draining"], true);
  EXPECT_GE(begun["pending"], 1);
  const HttpReply refused = Call("POST", service_.ingest(), "/v1/events", R"({"hook":2})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Code(), "not_ready");
  EXPECT_TRUE(refused.retry_after);
  EXPECT_NE(refused.body.find("is drained"), std::string::npos) << refused.body;
  EXPECT_EQ(Call("GET", service_.ingest(), "/ready").status, 503);
  EXPECT_EQ(service_.Get("/ready").Code(), "draining");
  ASSERT_EQ(service_.Post("/api/v1/targets/hook:resume").status, 200);
  ASSERT_TRUE(service_.WaitSettled());
  EXPECT_EQ(receiver_.bodies().size(), 1u);
  EXPECT_EQ(service_.Post("/api/v1/node:drain", R"({"drain":false})").Json()["draining"], false);
  EXPECT_EQ(Call("POST", service_.ingest(), "/v1/events", R"({"hook":3})").status, 200);
  EXPECT_EQ(service_.Get("/ready").status, 200);
  EXPECT_EQ(service_.Post("/api/v1/node:drain", R"({"drain":"x"})").status, 400);
}

TEST_F(ExplainApi, TheStatusCountsTheDeadLettersThatAreThereNow) {
  ASSERT_TRUE(service_.ok());
  EXPECT_EQ(service_.Status()["dead_letters"], json::array());
  receiver_.Answer(422);
  ASSERT_EQ(Call("POST", service_.ingest(), "/v1/events", R"({"hook":1})").status, 200);
  ASSERT_TRUE(WaitUntil([&] { return service_.Status()["dead_letters"].size() == 1; }));
  EXPECT_EQ(service_.Status()["dead_letters"][0]["target"], "hook");
  EXPECT_EQ(service_.Status()["dead_letters"][0]["count"], 1);
  ASSERT_EQ(service_.Post("/api/v1/dead-letters/hook-1:drop").status, 200);
  const json after = service_.Status()["dead_letters"];
  EXPECT_TRUE(after.empty() || after[0]["count"] == 0) << after;
}

// Who holds the path of a Slack webhook may post as it.
TEST(ExplainedUrl, WhatAVariableBroughtInIsNotShown) {
  const AppDir dir;
  Receiver receiver;
  receiver.Answer(400);
  const std::string base = receiver.url().substr(0, receiver.url().find('/', 8));
  ASSERT_EQ(setenv("SPOOL_TEST_HOOK", "T024BE7LD/B0123/the-secret-part", 1), 0);
  ASSERT_EQ(setenv("SPOOL_TEST_HOOK_URL", (base + "/services/the-secret-part").c_str(), 1), 0);
  const auto hook = [](const std::string& name, const std::string& url) {
    return "  " + name + ": { type: webhook, url: \"" + url + "\", start: beginning }\n";
  };
  ConfigResult read =
      ParseConfig("version: 1\ndata_dir: " + dir / "data" +
                      "\njournal: { disk_reserve: 0 }\nadmin: { address: \"127.0.0.1:0\" }\n"
                      "sources: { web: { type: http, address: \"127.0.0.1:0\" } }\ntargets:\n" +
                      hook("path", base + "/services/${SPOOL_TEST_HOOK}") +
                      hook("whole", "${SPOOL_TEST_HOOK_URL}") + hook("plain", base + "/hook/in") +
                      hook("query", base + "/hook?token=the-secret-part"),
                  "spool.yaml");
  unsetenv("SPOOL_TEST_HOOK");
  unsetenv("SPOOL_TEST_HOOK_URL");
  ASSERT_TRUE(read.config) << FormatProblem(read.problems.at(0));
  const RunningService service(std::move(*read.config));
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(service.PostEvents(1).status, 200);
  const HttpReply told = service.Get("/api/v1/events/1:explain");
  const json targets = told.Json()["targets"];
  EXPECT_EQ(ByName(targets, "target", "path")["where"],
            "POST " + base + "/services/${SPOOL_TEST_HOOK}");
  EXPECT_EQ(ByName(targets, "target", "whole")["where"], "POST ${SPOOL_TEST_HOOK_URL}");
  EXPECT_EQ(ByName(targets, "target", "plain")["where"], "POST " + base + "/hook/in");
  EXPECT_EQ(ByName(targets, "target", "query")["where"], "POST " + base + "/hook?[hidden]");
  EXPECT_EQ(told.body.find("the-secret-part"), std::string::npos);
  for (const char* name : {"path", "whole", "query"}) {
    const HttpReply tested = service.Post("/api/v1/targets/" + std::string(name) + ":test");
    EXPECT_EQ(tested.Json()["outcome"], "rejected") << tested.body;
    EXPECT_EQ(tested.body.find("the-secret-part"), std::string::npos) << tested.body;
  }
}

TEST_F(ExplainApi, RefusesWhatItDoesNotKnow) {
  ASSERT_TRUE(service_.ok());
  EXPECT_EQ(service_.Get("/api/v1/events/1:explain").status, 404);
  EXPECT_EQ(service_.Get("/api/v1/events/nonsense:explain").status, 404);
  EXPECT_EQ(service_.Get("/api/v1/events/" + std::string(32, 'a') + ":explain").status, 404);
  EXPECT_EQ(service_.Get("/api/v1/events/1:explain?limit=1").status, 400);
  EXPECT_EQ(service_.Post("/api/v1/events:explain?path=/nope", "{}").status, 400);
  EXPECT_EQ(service_.Post("/api/v1/events:explain?source=nope", "{}").status, 404);
}

}  // namespace
}  // namespace spool::testing
