// What another configuration would make of what is stored, told by a running service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

using nlohmann::json;

json Named(const json& items, const std::string& name) {
  for (const json& item : items) {
    if (item["name"] == name) return item;
  }
  return nullptr;
}

class ConfigHistory : public ::testing::Test {
 protected:
  ConfigHistory() {
    const ConfigResult loaded = ParseConfig(Text("{ kind: Node }", "spool.{stream}", true), "old");
    EXPECT_TRUE(loaded.config);
    Config config = TestConfig(dir_.path());
    config.routes = loaded.config->routes;
    config.has_routes = true;
    config.targets = loaded.config->targets;
    config.settings = loaded.config->settings;
    service_ = std::make_unique<RunningService>(std::move(config));
    for (int i = 0; i < 30; ++i) Post(i, i % 3 == 0 ? "Node" : "Pod");
  }
  // The nats server is not there: nothing has to be delivered to be judged.
  static std::string Text(const std::string& pager, const std::string& subject, bool old) {
    return "version: 1\nroutes:\n  - { name: all, to: [bus] }\n  - { name: pager, match: " + pager +
           ", to: [hook] }\n" +
           (old ? "  - { name: gone, to: [old] }\n"
                : "  - { name: fresh, match: { kind: Pod }, to: [added] }\n") +
           "targets:\n  bus: { type: nats, url: \"nats://127.0.0.1:9\", subject: \"" + subject +
           "\" }\n  hook: { type: webhook, url: \"http://127.0.0.1:9\" }\n" +
           (old ? "  old: { type: \"null\" }\n" : "  added: { type: \"null\" }\n");
  }
  void Post(int n, const std::string& kind) {
    const std::string body =
        R"({"kind":"Event","apiVersion":"v1","metadata":{"name":"e)" + std::to_string(n) +
        R"(","namespace":"a","uid":"0b8c8d4e-0000-4000-8000-00000000)" + std::to_string(1000 + n) +
        R"("},"involvedObject":{"kind":")" + kind +
        R"(","name":"x"},"type":"Warning","reason":"Odd)" + kind + R"(","message":"m"})";
    ASSERT_EQ(
        Call("POST", service_->ingest(), "/events", body, {{"Content-Type", "application/json"}})
            .status,
        200);
  }
  HttpReply Test(const std::string& text, const std::string& query = "?history=1000") {
    return service_->Post("/api/v1/config:test" + query, text);
  }

  const AppDir dir_;
  std::unique_ptr<RunningService> service_;
};

TEST_F(ConfigHistory, WhatWouldGoOtherWaysIsCountedAndShown) {
  const HttpReply reply = Test(Text("{ reason: Odd* }", "other.{stream}", false));
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json report = reply.Json();
  EXPECT_EQ(report["events"], 30);
  EXPECT_EQ(report["first"], 1);
  EXPECT_EQ(report["end"], 31);
  EXPECT_EQ(report["changed"], 30);
  EXPECT_EQ(Named(report["routes"], "pager"), (json{{"name", "pager"},
                                                    {"state", "kept"},
                                                    {"before", 10},
                                                    {"after", 30},
                                                    {"gained", 20},
                                                    {"lost", 0},
                                                    {"elsewhere", 0}}));
  EXPECT_EQ(Named(report["routes"], "gone")["state"], "removed");
  EXPECT_EQ(Named(report["targets"], "hook")["gained"], 20);
  EXPECT_EQ(Named(report["targets"], "old"), (json{{"name", "old"},
                                                   {"state", "removed"},
                                                   {"before", 30},
                                                   {"after", 0},
                                                   {"gained", 0},
                                                   {"lost", 30},
                                                   {"elsewhere", 0}}));
  EXPECT_EQ(Named(report["targets"], "added")["after"], 20);
  EXPECT_EQ(Named(report["targets"], "bus")["elsewhere"], 30);
  ASSERT_EQ(report["samples"].size(), 20u);
  const json& newest = report["samples"][0];
  EXPECT_EQ(newest["sequence"], 30);
  EXPECT_EQ(newest["gained"], json({"hook", "added"}));
  EXPECT_EQ(newest["lost"], json({"old"}));
  EXPECT_EQ(newest["elsewhere"][0], (json{{"target", "bus"},
                                          {"before", "subject spool.infrastructure-changes"},
                                          {"after", "subject other.infrastructure-changes"}}));
}

TEST_F(ConfigHistory, TheSameConfigurationChangesNothing) {
  const json report = Test(Text("{ kind: Node }", "spool.{stream}", true), "?history=7").Json();
  EXPECT_EQ(report["events"], 7);
  EXPECT_EQ(report["first"], 24);
  EXPECT_EQ(report["changed"], 0);
  EXPECT_TRUE(report["samples"].empty());
}

TEST_F(ConfigHistory, WhatCannotBeMeantIsRefused) {
  const HttpReply wrong = Test("version: 1\ntargets: { a: { type: x } }\n");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.Code(), "invalid_config");
  EXPECT_EQ(wrong.Json()["errors"][0]["line"], 2);
  EXPECT_EQ(Test("version: 1\n", "?history=0").status, 400);
  EXPECT_EQ(Test("version: 1\n", "?history=100001").status, 400);
  EXPECT_EQ(Test("version: 1\n", "?hist=1").status, 400);
}

}  // namespace
}  // namespace spool::testing
