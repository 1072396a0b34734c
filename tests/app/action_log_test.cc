// What was done through the admin API stays on record, with who did it and how it ended.
#include "app/action_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "app/admin_api.h"
#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<json> Records(const RunningService& service, const HttpHeaders& headers = {}) {
  return ParseEvents(Call("GET", service.admin(),
                          "/api/v1/events?stream=spool-audit&order=oldest&from_sequence=1", "",
                          headers))
      .events;
}

double Metric(const RunningService& service, const std::string& sample,
              const HttpHeaders& headers = {}) {
  const std::string page = "\n" + Call("GET", service.admin(), "/metrics", "", headers).body;
  const size_t at = page.find("\n" + sample + " ");
  return at == page.npos ? -1 : std::stod(page.substr(at + sample.size() + 2));
}

TEST(ActionLog, EveryPathThatChangesSomethingHasAnAction) {
  std::set<std::string> actions;
  for (const AdminRouteInfo& route : AdminRoutes()) {
    const std::string action = ActionOf(route.method, route.path);
    const std::string what = std::string(route.method) + " " + std::string(route.path);
    const bool looks = route.method == "GET" || route.path == "/api/v1/config:validate" ||
                       route.path == "/api/v1/config:test" ||
                       route.path == "/api/v1/events:explain";
    if (looks) {
      EXPECT_EQ(action, "") << what;
    } else {
      EXPECT_NE(action, "") << what;
      actions.insert(action);
    }
  }
  for (const char* action :
       {"targets:pause", "targets:resume", "targets:skip", "targets:delete", "dead-letters:retry",
        "dead-letters:drop", "replays:create", "replays:pause", "replays:resume", "replays:cancel",
        "node:snapshot", "node:drain", "config:reload", "targets:test"}) {
    EXPECT_TRUE(actions.contains(action)) << action;
  }
  // What is not known is recorded rather than not.
  EXPECT_EQ(ActionOf("POST", "/api/v1/node:melt"), "node:melt");
  EXPECT_EQ(ActionOf("PUT", "/api/v1/log"), "log:change");
}

class Actions : public ::testing::Test {
 protected:
  Config TheConfig() {
    Config config = TestConfig(dir_.path());
    config.cluster = "prod-eu";
    config.targets = {FileTarget("out", dir_ / "out.jsonl")};
    return config;
  }
  const AppDir dir_;
};

TEST_F(Actions, LeaveARecordEach) {
  {
    const RunningService service(TheConfig());
    ASSERT_EQ(service.PostEvents(5).status, 200);
    ASSERT_TRUE(service.WaitSettled());
    ASSERT_EQ(service.Post("/api/v1/targets/out:pause").status, 200);
    ASSERT_EQ(service.PostEvents(5, 5).status, 200);
    ASSERT_EQ(service.Post("/api/v1/targets/out:skip", R"({"to":"now"})").status, 200);
    ASSERT_EQ(service.Post("/api/v1/targets/out:resume").status, 200);
    const HttpReply replay =
        service.Post("/api/v1/replays", R"({"target":"out","from":"1","rate":0.01})");
    ASSERT_EQ(replay.status, 201) << replay.body;
    const std::string id = replay.Json()["id"];
    ASSERT_EQ(service.Post("/api/v1/replays/" + id + ":cancel").status, 200);
    ASSERT_EQ(service.Post("/api/v1/targets/nobody:pause").status, 404);
    ASSERT_EQ(service.Post("/api/v1/node:snapshot", "{\"dir\":\"" + dir_ / "copy" + "\"}").status,
              200);
    ASSERT_EQ(service.Post("/api/v1/dead-letters:drop", R"({"target":"out"})").status, 200);
  }
  // Looked at by the next start: it is on disk.
  const RunningService service(TheConfig());
  const std::vector<json> records = Records(service);
  std::vector<std::string> told;
  for (const json& record : records) {
    const json& data = record["data"];
    told.push_back(data["action"].get<std::string>() + " " + data["object"].get<std::string>() +
                   " " + data["result"].get<std::string>());
    EXPECT_EQ(record["stream"], "spool-audit");
    EXPECT_EQ(record["type"], "dev.spool.audit.v1");
    EXPECT_EQ(record["source"], "/clusters/prod-eu/spool/admin");
    EXPECT_EQ(record["producer"], "spool");
    EXPECT_EQ(record["reason"], data["action"]);
    EXPECT_EQ(record["severity"], data["result"] == "ok" ? "notice" : "warning");
    EXPECT_EQ(data["actor"], "127.0.0.1");
    EXPECT_EQ(data["shown"], "nothing");
    EXPECT_THAT(data["peer"].get<std::string>(), HasSubstr("127.0.0.1:"));
  }
  const std::string replay = records.size() > 4 ? records[4]["data"].value("object", "") : "";
  EXPECT_THAT(told,
              ::testing::ElementsAre("targets:pause targets/out ok", "targets:skip targets/out ok",
                                     "targets:resume targets/out ok", "replays:create replays ok",
                                     "replays:cancel " + replay + " ok",
                                     "targets:pause targets/nobody not_found",
                                     "node:snapshot node ok", "dead-letters:drop dead-letters ok"));
  ASSERT_THAT(records, SizeIs(8));
  EXPECT_EQ(records[1]["data"]["skipped"], 5);
  EXPECT_EQ(records[1]["data"]["request"], json::parse(R"({"to":"now"})"));
  EXPECT_EQ("replays/" + records[3]["data"]["replay"].get<std::string>(), replay);
  EXPECT_EQ(records[7]["data"]["done"], 0);
  // The target, which gets everything, has got none of it.
  EXPECT_EQ(service.Target("out")["accepted"], 10);
}

TEST_F(Actions, WhatOnlyLooksLeavesNone) {
  const RunningService service(TheConfig());
  ASSERT_EQ(service.PostEvents(1).status, 200);
  ASSERT_EQ(service.Post("/api/v1/config:validate", "version: 1\n").status, 200);
  ASSERT_EQ(service.Post("/api/v1/replays", R"({"target":"out","from":"1","dry_run":true})").status,
            200);
  ASSERT_EQ(service.Get("/api/v1/targets").status, 200);
  EXPECT_THAT(Records(service), IsEmpty());
  // Who does not name the stream does not see it.
  ASSERT_EQ(service.Post("/api/v1/targets/out:pause").status, 200);
  EXPECT_THAT(ParseEvents(service.Get("/api/v1/events?from_sequence=1&order=oldest")).events,
              SizeIs(1));
  EXPECT_THAT(Records(service), SizeIs(1));
}

TEST_F(Actions, GoWhereARouteNamesTheirStream) {
  Config config = TheConfig();
  config.has_routes = true;
  config.routes = {
      {.name = "audit", .match = {{{"stream", "spool-audit"}}}, .drop = {}, .to = {"out"}}};
  const RunningService service(config);
  ASSERT_EQ(service.PostEvents(3).status, 200);
  ASSERT_EQ(service.Post("/api/v1/targets/out:resume").status, 200);
  ASSERT_TRUE(WaitUntil([&] { return CountLines(dir_ / "out.jsonl") == 1; }));
  std::ifstream in(dir_ / "out.jsonl");
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(json::parse(line)["data"]["action"], "targets:resume");
}

TEST_F(Actions, TellWhichTokenWasShown) {
  std::ofstream(dir_ / "night") << "night-token";
  std::ofstream(dir_ / "day") << "day-token";
  Config config = TheConfig();
  config.admin.tokens = {{Secret::FromFile(dir_ / "night"), "operator", "night shift"},
                         {Secret::FromFile(dir_ / "day"), "admin", ""}};
  const RunningService service(config);
  const HttpHeaders night{{"Authorization", "Bearer night-token"}};
  const HttpHeaders day{{"Authorization", "Bearer day-token"}};
  const auto post = [&](const std::string& path, const HttpHeaders& headers) {
    return Call("POST", service.admin(), path, "", headers).status;
  };
  ASSERT_EQ(post("/api/v1/targets/out:pause", night), 200);
  ASSERT_EQ(post("/api/v1/targets/out:resume", day), 200);
  EXPECT_EQ(post("/api/v1/targets/out:pause", {}), 401);
  EXPECT_EQ(post("/api/v1/targets/out:pause", {{"Authorization", "Bearer guess"}}), 401);
  EXPECT_EQ(post("/api/v1/node:snapshot", night), 403);
  EXPECT_EQ(post("/api/v1/targets/out:pause", {{"Origin", "http://evil.example"}}), 403);
  EXPECT_EQ(post("/api/v1/targets/out:pause", {{"Host", "evil.example"}}), 403);
  const std::vector<json> records = Records(service, day);
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0]["data"]["actor"], "night shift");
  EXPECT_EQ(records[0]["data"]["role"], "operator");
  EXPECT_EQ(records[0]["data"]["message"], "night shift (operator): ok");
  EXPECT_EQ(records[0]["data"]["shown"], "token");
  EXPECT_EQ(records[1]["data"]["actor"], "file:" + dir_ / "day");
  for (const json& record : records) EXPECT_EQ(record.dump().find("-token"), std::string::npos);
  for (const auto& [code, count] : std::vector<std::pair<std::string, int>>{
           {"unauthorized", 2}, {"forbidden", 1}, {"bad_origin", 1}, {"bad_host", 1}}) {
    EXPECT_EQ(Metric(service, "spool_api_refused_total{code=\"" + code + "\"}", day), count)
        << code;
  }
  EXPECT_EQ(Metric(service, "spool_audit_actions_total{result=\"recorded\"}", day), 2);
}

// Pause reads no body; whoever sends one by mistake may send anything.
TEST_F(Actions, KeepNoBodyThatNobodyRead) {
  const RunningService service(TheConfig());
  const std::string body = R"({"password":"hunter2"})";
  ASSERT_EQ(service.Post("/api/v1/targets/out:pause", body).status, 200);
  ASSERT_EQ(service.Post("/api/v1/node:drain", R"({"drain":false})").status, 200);
  const std::vector<json> records = Records(service, {});
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_FALSE(records[0]["data"].contains("request")) << records[0];
  EXPECT_EQ(records[1]["data"]["request"], json({{"drain", false}}));
}

TEST_F(Actions, TellWhoseCertificateItWas) {
  AdminSettings settings;
  const auto auth = AdminAuth::Create(settings);
  ASSERT_TRUE(auth.has_value());
  net::HttpRequest request;
  request.peer = "10.0.0.7:41234";
  request.client = std::make_shared<net::TlsClient>(
      net::TlsClient{.names = {"ops.example", "spiffe://prod/ops"}});
  const AdminActor actor = (*auth)->ActorOf(request);
  EXPECT_EQ(actor.name, "ops.example");
  EXPECT_EQ(actor.shown, "certificate");
  EXPECT_EQ(actor.certificate, "ops.example, spiffe://prod/ops");
}

// At 3 a.m., on a volume that is full, an operator can still act; it is said and counted that
// there is no record.
TEST_F(Actions, AreDoneWhenTheyCannotBeRecorded) {
  Config config = TheConfig();
  config.journal.disk_reserve_bytes = uint64_t{1} << 60;  // no volume has half of that
  const RunningService service(config);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(service.Post("/api/v1/targets/out:pause").status, 200);
  EXPECT_EQ(service.Target("out")["state"], "paused");
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("error An admin action could not be recorded"));
  EXPECT_THAT(log, HasSubstr("targets:pause"));
  EXPECT_THAT(Records(service), IsEmpty());
  EXPECT_EQ(Metric(service, "spool_audit_actions_total{result=\"lost\"}"), 1);
  EXPECT_EQ(Metric(service, "spool_audit_actions_total{result=\"recorded\"}"), 0);
}

}  // namespace
}  // namespace spool::testing
