// The admin API as a whole: every path with every role, what is refused, and that its description
// tells of what is served.
#include "app/admin_api.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/app_http.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

// "/api/v1/targets/{name}:pause" with something in the place of {name}.
std::string Concrete(std::string_view path) {
  return std::regex_replace(std::string(path), std::regex("\\{name\\}"), "x");
}

// Every path with every role, made from the table of paths.
TEST(AdminApi, EachPathAsksForItsRoleAndForNothingElse) {
  constexpr AdminRole kRoles[] = {AdminRole::kViewer, AdminRole::kReader, AdminRole::kOperator,
                                  AdminRole::kAdmin};
  const AppDir dir;
  Config config = TestConfig(dir.path());
  for (const AdminRole role : kRoles) {
    const std::string name(AdminRoleName(role));
    std::ofstream(dir / name) << name << "-token";
    config.admin.tokens.push_back({Secret::FromFile(dir / name), name});
  }
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  size_t checked = 0;
  for (const AdminRouteInfo& route : AdminRoutes()) {
    const auto call = [&](const std::string& token) {
      HttpHeaders headers;
      if (!token.empty()) headers.emplace_back("Authorization", "Bearer " + token);
      return Call(std::string(route.method), service.admin(), Concrete(route.path), "", headers);
    };
    const std::string what = std::string(route.method) + " " + std::string(route.path);
    const bool open = route.role == AdminRole::kNobody;
    for (const char* token : {"", "wrong"}) {
      const HttpReply reply = call(token);
      EXPECT_EQ(reply.status == 401, !open) << what;
      EXPECT_EQ(reply.Code(), open ? reply.Code() : "unauthorized") << what;
    }
    for (const AdminRole role : kRoles) {
      const HttpReply reply = call(std::string(AdminRoleName(role)) + "-token");
      EXPECT_EQ(reply.Code() == "forbidden", role < route.role) << what << " " << reply.status;
      EXPECT_EQ(reply.status == 403, role < route.role) << what;
      EXPECT_TRUE(reply.status != 401 && reply.status != 0) << what << " " << reply.status;
      ++checked;
    }
    // A GET changes nothing, anything else does: that is what the roles rest on.
    EXPECT_EQ(route.method == "GET", route.role <= AdminRole::kReader) << what;
  }
  EXPECT_GE(checked, 120u);
  EXPECT_EQ(Call("GET", service.admin(), "/nowhere").status, 401);
}

// What is in an event is for readers; a viewer sees that there are some.
TEST(AdminApi, NoPathForViewersShowsWhatIsInEvents) {
  const AppDir dir;
  std::ofstream(dir / "viewer") << "viewer-token";
  Config config = TestConfig(dir.path());
  Receiver receiver;
  receiver.Answer(422);  // every event becomes a dead letter, with its excerpt
  config.targets = {WebhookTarget("hook", receiver.url())};
  config.admin.tokens = {{Secret::FromFile(dir / "viewer"), "viewer"}};
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  const HttpHeaders viewer = {{"Authorization", "Bearer viewer-token"}};
  ASSERT_EQ(Call("POST", service.ingest(), "/v1/events", "{\"note\":\"canary-4711\"}").status, 200);
  ASSERT_TRUE(WaitUntil([&] {
    return Call("GET", service.admin(), "/api/v1/targets/hook", "", viewer)
               .Json()
               .value("dead_lettered", 0) == 1;
  }));
  for (const AdminRouteInfo& route : AdminRoutes()) {
    if (route.method != "GET" || route.role > AdminRole::kViewer) continue;
    const HttpReply reply = Call("GET", service.admin(), Concrete(route.path), "", viewer);
    EXPECT_EQ(reply.body.find("canary"), std::string::npos) << route.path << " " << reply.body;
  }
}

TEST(AdminApi, TheDescriptionTellsOfExactlyWhatIsServed) {
  std::ifstream in(SourceDir() + "/schemas/openapi.yaml");
  ASSERT_TRUE(in);
  std::set<std::string> described;
  std::string line;
  std::string path;
  bool paths = false;
  const std::regex path_line("^  (/[^ ]*):$");
  const std::regex method_line("^    (get|post|put|delete|patch):.*");
  std::smatch match;
  while (std::getline(in, line)) {
    if (!line.empty() && line[0] != ' ') paths = line == "paths:";
    if (!paths) continue;
    if (std::regex_match(line, match, path_line)) path = match[1];
    if (std::regex_match(line, match, method_line)) {
      std::string method = match[1];
      std::transform(method.begin(), method.end(), method.begin(), ::toupper);
      described.insert(method + " " + path);
    }
  }
  std::set<std::string> served;
  for (const AdminRouteInfo& route : AdminRoutes()) {
    served.insert(std::string(route.method) + " " + std::string(route.path));
  }
  EXPECT_EQ(described, served);
}

class OpenAdminApi : public ::testing::Test {
 protected:
  OpenAdminApi()
      : service_([this] {
          Config config = TestConfig(dir_.path());
          config.targets = {FileTarget("out", dir_ / "out.jsonl")};
          return config;
        }()) {}
  const AppDir dir_;
  RunningService service_;
};

TEST_F(OpenAdminApi, WhatDoesNotExistIs404AndAWrongMethodIs405) {
  for (const char* path :
       {"/nowhere", "/api/v1", "/api/v1/", "/api/v1/targets/", "/api/v1/targets/none",
        "/api/v1/streams/none", "/api/v1/events/1", "/api/v1/events/none", "/api/v1/events/0",
        "/api/v1/events/99999999999999999999999", "/api/v1/events/00112233445566778899aabbccddeeff",
        "/api/v1/dead-letters/none", "/api/v1/dead-letters/out-1", "/api/v1/replays/none",
        "/api/v1/targets/a/b", "/api/v1/targets/%2e%2e%2fversion"}) {
    const HttpReply reply = service_.Get(path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_EQ(reply.Code(), "not_found") << path << " " << reply.body;
  }
  for (const char* path : {"/api/v1/targets/none:pause", "/api/v1/targets/none:resume",
                           "/api/v1/dead-letters/out-1:retry", "/api/v1/dead-letters/none:drop",
                           "/api/v1/replays/none:cancel", "/api/v1/targets/out:explode"}) {
    const HttpReply reply = service_.Post(path);
    EXPECT_EQ(reply.Code(), "not_found") << path << " " << reply.status << reply.body;
  }
  for (const auto& [method, path] :
       std::vector<std::pair<const char*, const char*>>{{"POST", "/api/v1/status"},
                                                        {"DELETE", "/api/v1/replays"},
                                                        {"GET", "/api/v1/targets/out:pause"},
                                                        {"PUT", "/metrics"},
                                                        {"OPTIONS", "/api/v1/version"}}) {
    const HttpReply reply = Call(method, service_.admin(), path);
    EXPECT_EQ(reply.status, 405) << path;
    EXPECT_EQ(reply.Code(), "method_not_allowed") << path;
  }
}

TEST_F(OpenAdminApi, ABadQueryIsRefusedAndNamed) {
  for (const char* query : {"limit=0",
                            "limit=10001",
                            "limit=x",
                            "order=up",
                            "wait=31&from_sequence=1",
                            "wait=1",
                            "wait=1&from_sequence=1&order=newest",
                            "from=teatime",
                            "to=-",
                            "since=5",
                            "from=2h&since=1h",
                            "from=1h&to=2h",
                            "by=time",
                            "from_sequence=-1",
                            "to_sequence=1.5",
                            "severity=>=loud",
                            "match=nothing",
                            "match=kind=~(",
                            "colour=red",
                            "limit=1&limit=2",
                            "kind=%",
                            "match=colour=red"}) {
    const HttpReply reply = service_.Get(std::string("/api/v1/events?") + query);
    EXPECT_EQ(reply.status, 400) << query << " " << reply.body;
    EXPECT_EQ(reply.Code(), "invalid") << query;
  }
  for (const char* path :
       {"/api/v1/status?x=1", "/api/v1/dead-letters?limit=0", "/api/v1/dead-letters?after=x",
        "/api/v1/dead-letters?target=", "/api/v1/events/1?x=1",
        "/api/v1/events/00112233445566778899aabbccddeeff?since=x"}) {
    EXPECT_EQ(service_.Get(path).Code(), "invalid") << path;
  }
}

TEST_F(OpenAdminApi, ABadBodyIsRefusedAndNamed) {
  const std::vector<std::pair<const char*, const char*>> bad = {
      {"/api/v1/targets/out:skip", ""},
      {"/api/v1/targets/out:skip", "{"},
      {"/api/v1/targets/out:skip", R"({"to":"teatime"})"},
      {"/api/v1/targets/out:skip", R"({"to":true})"},
      {"/api/v1/targets/out:skip", R"({"too":"1"})"},
      {"/api/v1/dead-letters:retry", "{}"},
      {"/api/v1/dead-letters:drop", R"({"target":""})"},
      {"/api/v1/dead-letters:drop", R"({"target":7})"},
      {"/api/v1/replays", "{}"},
      {"/api/v1/replays", R"({"target":"out"})"},
      {"/api/v1/replays", R"({"target":"out","from":"teatime"})"},
      {"/api/v1/replays", R"({"target":"out","from":"1h","rate":-1})"},
      {"/api/v1/replays", R"({"target":"out","from":"1h","match":"kind=Pod"})"},
      {"/api/v1/replays", R"({"target":"out","from":"1h","match":["kind=~("]})"},
      {"/api/v1/replays", R"({"target":"out","from":"1h","dry_run":"yes"})"},
  };
  for (const auto& [path, body] : bad) {
    const HttpReply reply = service_.Post(path, body);
    EXPECT_EQ(reply.status, 400) << path << " " << body << " " << reply.body;
    EXPECT_EQ(reply.Code(), "invalid") << path << " " << body;
  }
  EXPECT_EQ(service_.Post("/api/v1/replays", R"({"target":"none","from":"1h"})").Code(),
            "not_found");
  EXPECT_EQ(service_.Post("/api/v1/dead-letters:retry", R"({"target":"none"})").Code(),
            "not_found");
  EXPECT_EQ(service_.Post("/api/v1/config:validate", std::string(2 << 20, 'x')).status, 413);
}

TEST_F(OpenAdminApi, ForeignHostsAndOriginsAreRefused) {
  EXPECT_EQ(Call("GET", service_.admin(), "/api/v1/status", "", {{"Host", "evil.example"}}).Code(),
            "bad_host");
  EXPECT_EQ(Call("POST", service_.admin(), "/api/v1/targets/out:pause", "",
                 {{"Origin", "http://evil.example"}})
                .Code(),
            "bad_origin");
  EXPECT_EQ(service_.Target("out")["state"], "ok");
  EXPECT_EQ(Call("GET", service_.admin(), "/api/v1/status", "", {{"Host", "localhost"}}).status,
            200);
}

TEST_F(OpenAdminApi, AConfigurationIsCheckedWithEveryProblemInItsPlace) {
  const HttpReply good =
      service_.Post("/api/v1/config:validate", "version: 1\ntargets: { a: { type: stdout } }\n");
  EXPECT_EQ(good.status, 200) << good.body;
  EXPECT_EQ(good.Json()["ok"], true);
  const HttpReply bad = service_.Post(
      "/api/v1/config:validate",
      "version: 1\ntargets:\n  a: { type: stdot }\n  b: { type: stdout, colour: red }\n");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.Code(), "invalid_config");
  const nlohmann::json errors = bad.Json()["errors"];
  ASSERT_EQ(errors.size(), 2u) << bad.body;
  EXPECT_EQ(errors[0]["line"], 3);
  EXPECT_EQ(errors[1]["line"], 4);
}

TEST_F(OpenAdminApi, ProbesTellWhyInWords) {
  EXPECT_EQ(service_.Get("/health").body, "ok\n");
  EXPECT_EQ(service_.Get("/ready").body, "ok\n");
  const nlohmann::json verbose = service_.Get("/ready?verbose").Json();
  EXPECT_EQ(verbose["status"], "ok");
  EXPECT_TRUE(verbose["reasons"].empty());
  EXPECT_EQ(Call("HEAD", service_.admin(), "/ready").status, 200);
  EXPECT_EQ(Call("GET", service_.ingest(), "/ready").status, 200);
  EXPECT_EQ(Call("GET", service_.ingest(), "/health").status, 200);
}

// What dashboards and alerts rest on: a metric that is renamed or gone is a change that breaks
// them, and one that is on no page is of no use to anybody.
std::set<std::string> MetricsOfThePage() {
  std::ifstream in(std::string(spool::testing::SourceDir()) + "/docs/metrics.md");
  std::set<std::string> names;
  const std::regex name("`((spool|process)_[a-z0-9_]+)");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string first = line.substr(0, line.find(" | "));
    for (auto it = std::sregex_iterator(first.begin(), first.end(), name);
         it != std::sregex_iterator(); ++it) {
      EXPECT_TRUE(names.insert((*it)[1]).second) << (*it)[1] << " is on the page twice";
    }
  }
  return names;
}

// Each line of the text format: name, labels, value; help and type before the first sample.
TEST_F(OpenAdminApi, MetricsFollowTheRulesOfTheirFormat) {
  ASSERT_EQ(service_.PostEvents(3).status, 200);
  ASSERT_TRUE(service_.WaitSettled());
  const HttpReply reply = service_.Get("/metrics");
  EXPECT_EQ(reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
  std::map<std::string, std::string> types;
  std::set<std::string> helped;
  std::set<std::string> metered;
  std::map<std::string, double> samples;
  std::istringstream lines(reply.body);
  std::string line;
  const std::regex sample(
      R"re(^([a-z_][a-z0-9_]*)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? ([^ ]+)$)re");
  std::smatch match;
  while (std::getline(lines, line)) {
    if (line.starts_with("# HELP ")) {
      const std::string rest = line.substr(7);
      const std::string name = rest.substr(0, rest.find(' '));
      EXPECT_TRUE(helped.insert(name).second) << name << " has two helps";
      EXPECT_GT(rest.size(), name.size() + 5) << name;
    } else if (line.starts_with("# TYPE ")) {
      const std::string rest = line.substr(7);
      types[rest.substr(0, rest.find(' '))] = rest.substr(rest.find(' ') + 1);
    } else {
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      std::string name = match[1];
      // The lines of a histogram are of one metric.
      for (const std::string end : {"_bucket", "_sum", "_count"}) {
        if (!name.ends_with(end)) continue;
        const std::string whole = name.substr(0, name.size() - end.size());
        if (types.contains(whole) && types[whole] == "histogram") name = whole;
      }
      metered.insert(name);
      ASSERT_TRUE(types.contains(name)) << line;
      EXPECT_TRUE(helped.contains(name)) << line;
      EXPECT_EQ(types[name] == "counter", name.ends_with("_total")) << line;
      EXPECT_TRUE(name.starts_with("spool_") || name.starts_with("process_")) << line;
      EXPECT_TRUE(samples.emplace(match[1].str() + match[2].str(), std::stod(match[4])).second)
          << line << " is twice";
    }
  }
  // Served only while there is something to tell.
  const auto may_be_absent = [](const std::string& name) {
    return name.starts_with("spool_tls_") || name == "spool_disk_full_in_seconds" ||
           name == "spool_secret_loaded_timestamp_seconds" ||
           name == "spool_source_batches_total" || name == "spool_source_behind_bytes" ||
           name == "spool_source_behind_messages" ||
           name == "spool_source_last_error_timestamp_seconds";
  };
  const std::set<std::string> page = MetricsOfThePage();
  for (const std::string& name : metered) EXPECT_TRUE(page.contains(name)) << name;
  for (const std::string& name : page) {
    EXPECT_TRUE(metered.contains(name) || may_be_absent(name)) << name;
  }
  EXPECT_EQ(samples["spool_ready"], 1);
  const auto ingested = [&](const std::string& stream, const std::string& result) {
    const std::string name = "spool_ingest_events_total{source=\"web\",stream=\"" + stream +
                             "\",result=\"" + result + "\"}";
    return samples.contains(name) ? samples[name] : -1;
  };
  EXPECT_EQ(ingested("kubernetes-events", "stored"), 3);
  EXPECT_EQ(ingested("security-events", "stored"), 0);
  EXPECT_EQ(ingested("security-events", "duplicate"), 0);
  EXPECT_EQ(ingested("quarantine", "quarantined"), 0);
  EXPECT_EQ(ingested("spool-audit", "stored"), -1);  // no source gets there
  EXPECT_EQ(samples["spool_target_events_total{target=\"out\",outcome=\"delivered\"}"], 3);
  EXPECT_EQ(samples.count("spool_ledger_difference{target=\"out\"}"), 1u);
  EXPECT_EQ(samples["spool_ledger_difference{target=\"out\"}"], 0);
  EXPECT_EQ(samples["spool_target_state{target=\"out\",state=\"ok\"}"], 1);
  EXPECT_EQ(samples["spool_ingest_requests_total{source=\"web\",code=\"200\"}"], 1);
  EXPECT_EQ(samples["spool_ingest_request_duration_seconds_count{source=\"web\"}"], 1);
  EXPECT_EQ(samples["spool_journal_commit_events_sum"], 3);
  EXPECT_EQ(samples["spool_journal_fsync_duration_seconds_count"],
            samples["spool_journal_commits_total"]);
  EXPECT_EQ(samples["spool_target_delivery_latency_seconds_count{target=\"out\"}"], 3);
  EXPECT_GE(samples["spool_target_attempts_total{target=\"out\",outcome=\"delivered\"}"], 1);
  EXPECT_EQ(samples["spool_target_in_flight_events{target=\"out\"}"], 0);
  EXPECT_EQ(samples["spool_stream_head_sequence{stream=\"kubernetes-events\"}"], 4);
  EXPECT_EQ(samples["spool_stream_events{stream=\"kubernetes-events\"}"], 3);
  EXPECT_EQ(samples["spool_journal_end_sequence"], 4);
  EXPECT_EQ(samples.count("spool_dlq_events{target=\"out\"}"), 1u);
  EXPECT_EQ(samples.count("spool_replay_jobs{state=\"running\"}"), 1u);
  EXPECT_EQ(samples["spool_stream_stored_events_total{stream=\"kubernetes-events\"}"], 3);
  EXPECT_EQ(samples.count("spool_journal_errors_total{op=\"write\"}"), 1u);
  EXPECT_GT(samples["process_resident_memory_bytes"], 0);
}

TEST_F(OpenAdminApi, SearchesThatWaitKeepNobodyElseWaiting) {
  std::vector<std::thread> waiting;
  std::vector<HttpReply> replies(20);
  for (HttpReply& reply : replies) {
    waiting.emplace_back([&] { reply = service_.Get("/api/v1/events?from_sequence=1&wait=20"); });
  }
  EXPECT_EQ(ParseEvents(service_.Get("/api/v1/events")).events.size(), 0u);
  EXPECT_EQ(service_.Get("/ready").status, 200);
  ASSERT_EQ(service_.PostEvents(1).status, 200);
  for (std::thread& thread : waiting) thread.join();
  for (const HttpReply& reply : replies) EXPECT_EQ(ParseEvents(reply).events.size(), 1u);
}

}  // namespace
}  // namespace spool::testing
