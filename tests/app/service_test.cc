// The whole service in this process, from outside: HTTP in, HTTP and files out.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/app_http.h"
#include "tests/support/free_port.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kPod[] =
    R"({"kind":"Event","apiVersion":"v1","metadata":{"name":"api.1","namespace":"payments",
  "uid":"0b8c8d4e-0000-4000-8000-000000000001","creationTimestamp":"2026-11-20T06:11:14Z"},
  "involvedObject":{"kind":"Pod","namespace":"payments","name":"api"},"reason":"BackOff","type":"Warning",
  "message":"Back-off restarting failed container","source":{"component":"kubelet"},
  "firstTimestamp":"2026-11-20T06:11:14Z","lastTimestamp":"2026-11-20T06:11:14Z","count":1})";

// A producer that waits for the service posts while the targets are still taking their places.
TEST(Service, TheFirstAcknowledgedEventReachesEveryTargetThatBeginsNow) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  const std::string ingest = "127.0.0.1:" + std::to_string(FreePort());
  config.http_sources.front().address = ingest;
  constexpr int kTargets = 12;
  for (int i = 0; i < kTargets; ++i) {
    const std::string name = "out-" + std::to_string(i);
    config.targets.push_back(FileTarget(name, dir / name));
  }
  std::atomic<int> refused_otherwise{0};
  std::jthread producer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const HttpReply reply =
          Call("POST", ingest, "/events", kPod, {{"Content-Type", "application/json"}});
      if (reply.status == 200) return;
      if (reply.status != 0 && reply.Code() != "not_ready") ++refused_otherwise;
    }
  });
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  producer.join();
  EXPECT_EQ(refused_otherwise, 0);
  ASSERT_TRUE(service.WaitSettled());
  for (const TargetConfig& target : config.targets) {
    EXPECT_EQ(CountLines(dir / target.settings.name), 1u) << target.settings.name;
  }
}

TEST(Service, WhatIsPostedArrivesAndTheStatusAccountsForIt) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  config.targets = {FileTarget("out", dir / "out.jsonl")};
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(Call("POST", service.ingest(), "/events", kPod, {{"Content-Type", "application/json"}})
                .status,
            200);
  const HttpReply posted = service.PostEvents(49);
  ASSERT_EQ(posted.status, 200) << posted.body;
  EXPECT_EQ(posted.Json()["stored"], 49);
  ASSERT_TRUE(service.WaitSettled());
  EXPECT_EQ(CountLines(dir / "out.jsonl"), 50u);

  const nlohmann::json status = service.Status();
  EXPECT_EQ(status["version"], SPOOL_VERSION);
  EXPECT_EQ(status["ready"], true);
  EXPECT_GE(status["uptime_seconds"], 0);
  EXPECT_EQ(status["sequence"], (nlohmann::json{{"first", 1}, {"end", 51}}));
  EXPECT_EQ(status["accounted"], true);
  EXPECT_EQ(status["replays_running"], 0);
  EXPECT_TRUE(status["warnings"].empty()) << status["warnings"];
  EXPECT_GT(status["disk"]["capacity_bytes"], status["disk"]["free_bytes"]);
  ASSERT_EQ(status["streams"].size(), 6u);
  uint64_t events = 0;
  for (const auto& stream : status["streams"]) events += stream["events"].get<uint64_t>();
  EXPECT_EQ(events, 50u);
  ASSERT_EQ(status["targets"].size(), 1u);
  const nlohmann::json& target = status["targets"][0];
  EXPECT_EQ(target["name"], "out");
  EXPECT_EQ(target["type"], "file");
  EXPECT_EQ(target["state"], "ok");
  EXPECT_EQ(target["accepted"], 50);
  EXPECT_EQ(target["delivered"], 50);
  EXPECT_EQ(target["lag_events"], 0);
  EXPECT_EQ(target["lag_seconds"], 0);
  EXPECT_EQ(target["last_error"], nullptr);
  EXPECT_TRUE(target["last_success_at"].is_string());
  ASSERT_EQ(status["sources"].size(), 1u);
  EXPECT_EQ(status["sources"][0]["name"], "web");
  EXPECT_EQ(status["sources"][0]["state"], "up");
  EXPECT_EQ(status["sources"][0]["requests"], 2);
  EXPECT_EQ(status["sources"][0]["events"], 50);
}

TEST(Service, StreamsSourcesAndMarkersAreListed) {
  const AppDir dir;
  RunningService service(TestConfig(dir.path()));
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(service.PostEvents(3).status, 200);
  const nlohmann::json stream = service.Get("/api/v1/streams/kubernetes-events").Json();
  EXPECT_EQ(stream["events"], 3);
  EXPECT_GT(stream["bytes"], 0);
  EXPECT_GT(stream["raw_bytes"], 0);
  EXPECT_EQ(stream["first_sequence"], 1);
  EXPECT_EQ(stream["full"], false);
  EXPECT_EQ(stream["retention"]["age_seconds"], 7 * 86400);
  EXPECT_EQ(stream["retention"]["when_full"], "reject");
  EXPECT_TRUE(stream["oldest"].is_string());
  const nlohmann::json empty = service.Get("/api/v1/streams/quarantine").Json();
  EXPECT_EQ(empty["oldest"], nullptr);
  EXPECT_EQ(empty["retention"]["when_full"], "drop_oldest");
  EXPECT_EQ(service.Get("/api/v1/streams").Json()["items"].size(), 6u);
  EXPECT_EQ(service.Get("/api/v1/sources").Json()["items"].size(), 1u);
  EXPECT_EQ(service.Get("/api/v1/markers").Json()["items"].size(), 0u);
  EXPECT_EQ(service.Get("/api/v1/version").Json()["version"], SPOOL_VERSION);
}

TEST(Service, APausedTargetWaitsAlsoAcrossARestart) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  config.targets = {FileTarget("out", dir / "out.jsonl")};
  {
    RunningService service(config);
    ASSERT_TRUE(service.ok());
    const HttpReply paused = service.Post("/api/v1/targets/out:pause");
    ASSERT_EQ(paused.status, 200) << paused.body;
    EXPECT_EQ(paused.Json()["state"], "paused");
    ASSERT_EQ(service.PostEvents(5).status, 200);
    EXPECT_TRUE(WaitUntil([&] { return service.Target("out")["lag_events"] == 5; }));
    EXPECT_EQ(service.Status()["accounted"], true);
  }
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  EXPECT_EQ(service.Target("out")["state"], "paused");
  EXPECT_EQ(service.Target("out")["pending"], 5);
  ASSERT_EQ(service.Post("/api/v1/targets/out:resume").status, 200);
  ASSERT_TRUE(service.WaitSettled());
  EXPECT_EQ(CountLines(dir / "out.jsonl"), 5u);
  EXPECT_EQ(service.Target("out")["state"], "ok");
}

TEST(Service, ASkipPassesOverWhatWaitsAndAMarkerTellsOfIt) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  config.targets = {FileTarget("out", dir / "out.jsonl")};
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(service.Post("/api/v1/targets/out:pause").status, 200);
  ASSERT_EQ(service.PostEvents(8).status, 200);  // from 2 on: the pause is on record as 1
  HttpReply skipped = service.Post("/api/v1/targets/out:skip", R"({"to":"5"})");
  ASSERT_EQ(skipped.status, 200) << skipped.body;
  EXPECT_EQ(skipped.Json(), (nlohmann::json{{"target", "out"}, {"skipped", 3}}));
  EXPECT_EQ(service.Post("/api/v1/targets/out:skip", R"({"to":"2"})").Code(), "invalid");
  EXPECT_EQ(service.Post("/api/v1/targets/out:skip", R"({"to":"100"})").Code(), "invalid");
  skipped = service.Post("/api/v1/targets/out:skip", R"({"to":"now"})");
  ASSERT_EQ(skipped.status, 200) << skipped.body;
  EXPECT_EQ(skipped.Json()["skipped"], 5);
  const nlohmann::json markers = service.Get("/api/v1/markers").Json()["items"];
  ASSERT_EQ(markers.size(), 2u);
  EXPECT_EQ(markers[0]["kind"], "skipped");
  EXPECT_EQ(markers[0]["subject"], "out");
  EXPECT_EQ(markers[0]["cause"], "operator");
  ASSERT_EQ(service.Post("/api/v1/targets/out:resume").status, 200);
  ASSERT_TRUE(service.WaitSettled());
  EXPECT_EQ(service.Target("out")["skipped"], 8);
  EXPECT_EQ(CountLines(dir / "out.jsonl"), 0u);
}

TEST(Service, WhatATargetRefusesWaitsInTheDeadLettersUntilAnOperatorDecides) {
  const AppDir dir;
  Receiver receiver;
  receiver.Answer(400);
  Config config = TestConfig(dir.path());
  config.targets = {WebhookTarget("hook", receiver.url())};
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(service.PostEvents(5).status, 200);
  ASSERT_TRUE(service.WaitSettled());
  EXPECT_EQ(service.Target("hook")["dead_lettered"], 5);

  const nlohmann::json first = service.Get("/api/v1/dead-letters?limit=2").Json();
  ASSERT_EQ(first["items"].size(), 2u);
  ASSERT_TRUE(first["next"].is_string());
  const nlohmann::json rest =
      service
          .Get("/api/v1/dead-letters?target=hook&limit=3&after=" + first["next"].get<std::string>())
          .Json();
  ASSERT_EQ(rest["items"].size(), 3u);
  EXPECT_EQ(rest["next"], nullptr);
  const nlohmann::json letter = first["items"][0];
  EXPECT_EQ(letter["target"], "hook");
  EXPECT_EQ(letter["reason"], "rejected");
  EXPECT_EQ(letter["code"], "http_400");
  EXPECT_EQ(letter["retry_wanted"], false);
  const std::string id = letter["id"];
  const nlohmann::json whole = service.Get("/api/v1/dead-letters/" + id).Json();
  EXPECT_EQ(whole["event"]["id"], letter["event_id"]);
  EXPECT_EQ(whole["event"]["data"]["n"], 0);

  receiver.Answer(200);
  ASSERT_EQ(service.Post("/api/v1/dead-letters/" + id + ":retry").status, 200);
  EXPECT_TRUE(WaitUntil([&] { return service.Target("hook")["delivered"] == 1; }));
  EXPECT_EQ(service.Target("hook")["dead_lettered"], 4);
  EXPECT_EQ(service.Get("/api/v1/dead-letters/" + id).Code(), "not_found");
  const std::string second = first["items"][1]["id"];
  ASSERT_EQ(service.Post("/api/v1/dead-letters/" + second + ":drop").status, 200);
  EXPECT_EQ(service.Post("/api/v1/dead-letters/" + second + ":drop").Code(), "not_found");
  HttpReply bulk =
      service.Post("/api/v1/dead-letters:retry", R"({"target":"hook","reason":"max_age"})");
  EXPECT_EQ(bulk.Json(), (nlohmann::json{{"matched", 0}, {"done", 0}}));
  bulk = service.Post("/api/v1/dead-letters:retry", R"({"target":"hook","reason":"rejected"})");
  EXPECT_EQ(bulk.Json(), (nlohmann::json{{"matched", 3}, {"done", 3}})) << bulk.body;
  EXPECT_TRUE(WaitUntil([&] { return service.Target("hook")["delivered"] == 4; }));
  const nlohmann::json target = service.Target("hook");
  EXPECT_EQ(target["dead_lettered"], 1);  // the dropped one stays counted
  EXPECT_EQ(service.Status()["accounted"], true);
  EXPECT_TRUE(service.Get("/api/v1/dead-letters").Json()["items"].empty());
}

TEST(Service, AReplaySendsTheChosenEventsOnceMoreAndMarksThem) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  config.targets = {FileTarget("out", dir / "out.jsonl")};
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(service.PostEvents(20).status, 200);
  ASSERT_TRUE(service.WaitSettled());
  const nlohmann::json before = service.Target("out");

  const HttpReply plan = service.Post(
      "/api/v1/replays", R"({"target":"out","from":"1h","match":["data.n=>=15"],"dry_run":true})");
  ASSERT_EQ(plan.status, 200) << plan.body;
  EXPECT_EQ(plan.Json()["total"], 5);
  EXPECT_EQ(plan.Json()["end"], 21);
  EXPECT_EQ(CountLines(dir / "out.jsonl"), 20u);

  const HttpReply started =
      service.Post("/api/v1/replays", R"({"target":"out","from":"3","to":"8"})");
  ASSERT_EQ(started.status, 201) << started.body;
  const std::string id = started.Json()["id"];
  EXPECT_EQ(started.Json()["first"], 3);
  EXPECT_EQ(started.Json()["end"], 8);
  ASSERT_TRUE(
      WaitUntil([&] { return service.Get("/api/v1/replays/" + id).Json()["state"] == "done"; }));
  const nlohmann::json done = service.Get("/api/v1/replays/" + id).Json();
  EXPECT_EQ(done["total"], 5);
  EXPECT_EQ(done["delivered"], 5);
  EXPECT_TRUE(done["finished"].is_string());
  // Its own traffic knows nothing of it. (The place may move over records of what is done here.)
  for (const char* count : {"accepted", "delivered", "pending", "skipped"}) {
    EXPECT_EQ(service.Target("out")[count], before[count]) << count;
  }
  EXPECT_EQ(CountLines(dir / "out.jsonl"), 25u);
  std::ifstream in(dir / "out.jsonl");
  std::string line;
  size_t marked = 0;
  while (std::getline(in, line)) marked += nlohmann::json::parse(line).value("replay", "") == id;
  EXPECT_EQ(marked, 5u);
  EXPECT_EQ(service.Get("/api/v1/replays").Json()["items"].size(), 1u);
  EXPECT_EQ(service.Post("/api/v1/replays/" + id + ":cancel").Code(), "conflict");
  EXPECT_EQ(service.Get("/api/v1/replays/r-000000").Code(), "not_found");
}

TEST(Service, AReplayCanBePausedResumedAndCancelled) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  config.targets = {FileTarget("out", dir / "out.jsonl")};
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(service.PostEvents(500).status, 200);
  ASSERT_TRUE(service.WaitSettled());
  const HttpReply started =
      service.Post("/api/v1/replays", R"({"target":"out","from":"1h","rate":5})");
  ASSERT_EQ(started.status, 201) << started.body;
  const std::string path = "/api/v1/replays/" + started.Json()["id"].get<std::string>();
  EXPECT_EQ(service.Post(path + ":pause").Json()["state"], "paused");
  EXPECT_EQ(service.Post(path + ":resume").Json()["state"], "running");
  EXPECT_EQ(service.Status()["replays_running"], 1);
  EXPECT_EQ(service.Post(path + ":cancel").status, 200);
  EXPECT_TRUE(WaitUntil([&] { return service.Get(path).Json()["state"] == "cancelled"; }));
  EXPECT_EQ(service.Post(path + ":resume").Code(), "conflict");
}

TEST(Service, ASecondServiceOnTheSameDirectoryIsRefusedAndTouchesNothing) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(service.PostEvents(2).status, 200);
  const auto names = [&] {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(config.data_dir)) {
      out.push_back(entry.path().string());
    }
    std::sort(out.begin(), out.end());
    return out;
  };
  const std::vector<std::string> before = names();
  const auto second = Service::Start(config, [](const Error&) {});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kConflict);
  EXPECT_EQ(names(), before);
  EXPECT_EQ(service.PostEvents(2, 2).status, 200);
  EXPECT_EQ(service.Status()["sequence"]["end"], 5);
}

TEST(Service, ATargetThatIsGoneFromTheConfigKeepsItsPlaceUntilItIsGivenUp) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  config.targets = {FileTarget("old", dir / "old.jsonl"), FileTarget("out", dir / "out.jsonl")};
  {
    RunningService service(config);
    ASSERT_TRUE(service.ok());
    ASSERT_EQ(service.Post("/api/v1/targets/old:pause").status, 200);
    ASSERT_EQ(service.PostEvents(3).status, 200);
    EXPECT_EQ(Call("DELETE", service.admin(), "/api/v1/targets/old").Code(), "conflict");
  }
  config.targets.erase(config.targets.begin());
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  const nlohmann::json warnings = service.Status()["warnings"];
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].get<std::string>().find("old is not configured any more"),
            std::string::npos);
  EXPECT_NE(warnings[0].get<std::string>().find(" 3 events"), std::string::npos) << warnings[0];
  const HttpReply gone = Call("DELETE", service.admin(), "/api/v1/targets/old");
  EXPECT_EQ(gone.status, 200) << gone.body;
  EXPECT_EQ(gone.Json()["pending"], 3);
  EXPECT_TRUE(service.Status()["warnings"].empty());
  EXPECT_EQ(Call("DELETE", service.admin(), "/api/v1/targets/old").Code(), "not_found");
}

TEST(Service, ANewTargetBeginsWhereItsConfigSays) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  {
    RunningService service(config);
    ASSERT_TRUE(service.ok());
    ASSERT_EQ(service.PostEvents(4).status, 200);
  }
  // "beginning" means a journal that begins with this target, not the past of an old one.
  config.targets = {FileTarget("beginning", dir / "a"), FileTarget("now", dir / "b"),
                    FileTarget("time", dir / "c")};
  config.targets[1].start = TargetConfig::Start::kNow;
  config.targets[2].start = TargetConfig::Start::kTime;
  config.targets[2].start_time = RealClock().Now() - std::chrono::hours(1);
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(service.PostEvents(1, 4).status, 200);
  ASSERT_TRUE(service.WaitSettled());
  EXPECT_EQ(service.Target("beginning")["accepted"], 1);
  EXPECT_EQ(service.Target("now")["accepted"], 1);
  EXPECT_EQ(service.Target("time")["accepted"], 5);
}

TEST(Service, EveryRefusalOfTheIngestListenerIsAProblemWithItsCode) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  config.http_sources[0].limits.body_bytes = 4096;
  config.http_sources[0].paths = {"/v1/events", "/audit"};
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  struct Case {
    const char* method;
    const char* path;
    std::string body;
    HttpHeaders headers;
    int status;
    const char* code;
  };
  for (const Case& c : std::vector<Case>{
           {"POST", "/v1/events", "{\"a\":", {}, 400, "invalid_json"},
           {"POST", "/v1/events", "", {}, 400, "empty_body"},
           {"POST", "/nowhere", "{}", {}, 404, "not_found"},
           {"POST", "/events", "{}", {}, 404, "not_found"},  // known, but not configured
           {"GET", "/v1/events", "", {}, 405, "method_not_allowed"},
           {"POST", "/v1/events", std::string(5000, ' '), {}, 413, "body_too_large"},
           {"POST",
            "/v1/events",
            "{}",
            {{"Content-Type", "application/x-protobuf"}},
            415,
            "unsupported_media_type"},
           {"POST",
            "/v1/events",
            "{}",
            {{"Content-Encoding", "br"}},
            415,
            "unsupported_encoding"}}) {
    const HttpReply reply = Call(c.method, service.ingest(), c.path, c.body, c.headers);
    EXPECT_EQ(reply.status, c.status) << c.code << " " << reply.body;
    EXPECT_EQ(reply.Code(), c.code) << reply.body;
  }
  const EventPage quarantine = ParseEvents(service.Get("/api/v1/events?stream=quarantine"));
  EXPECT_EQ(quarantine.events.size(), 1u);
  EXPECT_EQ(service.Get("/api/v1/sources").Json()["items"][0]["quarantined"], 1);
}

TEST(Service, ADiskBelowItsReserveRefusesEventsButTheServiceLives) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  config.journal.disk_reserve_bytes = uint64_t{1} << 60;
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  const HttpReply refused = service.PostEvents(1);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Code(), "journal_full") << refused.body;
  EXPECT_TRUE(refused.retry_after);
  EXPECT_EQ(service.Get("/health").status, 200);
  const nlohmann::json status = service.Status();
  ASSERT_EQ(status["warnings"].size(), 1u);
  EXPECT_NE(status["warnings"][0].get<std::string>().find("less than the reserve"),
            std::string::npos);
  EXPECT_EQ(status["sequence"]["end"], 1);
}

TEST(Service, ItStopsWithinTheDeadlineThoughATargetHangs) {
  const AppDir dir;
  Receiver receiver;
  receiver.Hang(true);
  Config config = TestConfig(dir.path());
  config.targets = {WebhookTarget("hook", receiver.url()), FileTarget("out", dir / "out.jsonl")};
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(service.PostEvents(1).status, 200);
  ASSERT_TRUE(WaitUntil([&] { return receiver.requests() > 0; }));
  ASSERT_TRUE(WaitUntil([&] { return CountLines(dir / "out.jsonl") == 1; }));
  const auto begin = RealClock().Steady();
  service.service().Stop(begin + std::chrono::seconds(3));
  EXPECT_LT(RealClock().Steady() - begin, std::chrono::seconds(4));
  receiver.Hang(false);

  RunningService again(config);
  ASSERT_TRUE(again.ok());
  ASSERT_TRUE(again.WaitSettled());
  EXPECT_EQ(receiver.bodies().size(), 1u);
  EXPECT_EQ(again.Target("hook")["delivered"], 1);
  EXPECT_EQ(again.Target("out")["delivered"], 1);
}

TEST(Service, AWaitingRequestIsAnsweredWhenTheServiceStops) {
  const AppDir dir;
  RunningService service(TestConfig(dir.path()));
  ASSERT_TRUE(service.ok());
  HttpReply reply;
  std::thread waiting([&] { reply = service.Get("/api/v1/events?from_sequence=1&wait=30"); });
  const bool reached = WaitUntil([&] {
    return service.Get("/metrics").body.find("\nspool_api_waiting_requests 1\n") !=
           std::string::npos;
  });
  const auto begin = RealClock().Steady();
  service.Stop();
  waiting.join();
  EXPECT_LT(RealClock().Steady() - begin, std::chrono::seconds(8));
  EXPECT_TRUE(reached);
  EXPECT_TRUE(reply.status == 200 || reply.status == 503) << reply.status << " " << reply.error;
  if (reply.status == 200) {
    EXPECT_EQ(ParseEvents(reply).scan["matched"], 0);
  }
}

TEST(Service, DamageIsToldByTheAdminListenerAlone) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  auto service = Service::ServeDamage(config, Error{Code::kDamaged, "chunk 7 fails its checksum"});
  ASSERT_TRUE(service.has_value());
  const std::string admin = (*service)->admin_address();
  EXPECT_TRUE((*service)->ingest_addresses().empty());
  EXPECT_EQ(Call("GET", admin, "/health").status, 200);
  const HttpReply ready = Call("GET", admin, "/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.Code(), "damaged");
  EXPECT_NE(ready.body.find("chunk 7 fails its checksum"), std::string::npos);
  EXPECT_EQ(Call("GET", admin, "/api/v1/status").Code(), "damaged");
  EXPECT_EQ(Call("GET", admin, "/api/v1/events").Code(), "damaged");
  EXPECT_EQ(Call("GET", admin, "/api/v1/version").status, 200);
  EXPECT_NE(Call("GET", admin, "/metrics").body.find("spool_ready 0"), std::string::npos);
  EXPECT_FALSE(fs::exists(config.data_dir));
}

}  // namespace
}  // namespace spool::testing
