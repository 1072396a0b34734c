// The configuration of a running service is read again: what changes, what does not, and that
// nothing is lost meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <thread>

#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::set<int> NumbersIn(const std::vector<std::string>& bodies) {
  std::set<int> numbers;
  for (const std::string& body : bodies) numbers.insert(json::parse(body)["data"]["n"].get<int>());
  return numbers;
}
std::set<int> NumbersInFile(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return NumbersIn(lines);
}
std::set<int> From(int first, int end) {
  std::set<int> numbers;
  for (int i = first; i < end; ++i) numbers.insert(i);
  return numbers;
}

// One service with a configuration file that the test writes anew.
class Reload : public ::testing::Test {
 protected:
  // `text` is put behind what every test has.
  void Write(const std::string& text, const std::string& source = "") {
    std::ofstream(dir_ / "spool.yaml")
        << "version: 1\ndata_dir: " << dir_ / "data"
        << "\njournal: { disk_reserve: 0 }\nadmin: { address: \"127.0.0.1:0\"" << admin_ << " }\n"
        << "sources: { web: { type: http, address: \"127.0.0.1:0\"" << source << " } }\n"
        << text;
  }
  void Start(const std::string& text) {
    Write(text);
    ConfigResult loaded = LoadConfig(dir_ / "spool.yaml");
    for (const ConfigProblem& problem : loaded.problems) ADD_FAILURE() << FormatProblem(problem);
    ASSERT_TRUE(loaded.config);
    service_ = std::make_unique<RunningService>(*loaded.config,
                                                [this] { return LoadConfig(dir_ / "spool.yaml"); });
    ASSERT_TRUE(service_->ok());
  }
  HttpReply Read(const std::string& text, const std::string& source = "") {
    Write(text, source);
    return service_->Post("/api/v1/config:reload");
  }
  std::string Hook(const std::string& name, const Receiver& receiver,
                   const std::string& more = "") {
    return "  " + name + ": { type: webhook, url: \"" + receiver.url() + "\", start: beginning" +
           more + ", retry: { first: 20ms, max: 200ms } }\n";
  }
  std::string File(const std::string& name, const std::string& more = "") {
    return "  " + name + ": { type: file, path: " + dir_ / name + ", start: beginning" + more +
           " }\n";
  }
  json Target(const std::string& name) { return service_->Target(name); }
  double Metric(const std::string& name) {
    const std::string page = "\n" + service_->Get("/metrics").body;
    const size_t at = page.find("\n" + name + " ");
    return at == page.npos ? -1 : std::strtod(page.c_str() + at + name.size() + 2, nullptr);
  }
  uint64_t Revision() { return service_->Get("/api/v1/config").Json()["revision"]; }

  const AppDir dir_;
  std::string admin_;
  std::unique_ptr<RunningService> service_;
};

TEST_F(Reload, ATargetThatDidNotChangeIsNotDisturbedWhileOthersDo) {
  Receiver still;
  Receiver before;
  Receiver after;
  Start("targets:\n" + Hook("still", still) + Hook("other", before));
  still.Hang(true);
  ASSERT_EQ(service_->PostEvents(1).status, 200);
  ASSERT_TRUE(WaitUntil([&] { return still.requests() == 1 && before.bodies().size() == 1; }));
  const HttpReply reply = Read("targets:\n" + Hook("still", still) + Hook("other", after));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Json()["revision"], 2);
  EXPECT_EQ(reply.Json()["settings"], json({"targets.other.url"}));
  EXPECT_EQ(reply.Json()["targets"],
            (json{{"added", json::array()}, {"changed", {"other"}}, {"removed", json::array()}}));
  // Its attempt was not cut: it ends well, and was the only one.
  EXPECT_EQ(still.requests(), 1u);
  EXPECT_EQ(Target("still")["state"], "ok");
  ASSERT_EQ(service_->PostEvents(3, 1).status, 200);
  ASSERT_TRUE(WaitUntil([&] { return after.bodies().size() == 3; }));
  still.Hang(false);
  ASSERT_TRUE(service_->WaitSettled());
  EXPECT_EQ(NumbersIn(before.bodies()), From(0, 1));
  EXPECT_EQ(NumbersIn(after.bodies()), From(1, 4)) << "it goes on from the cursor that it has";
  EXPECT_EQ(Target("other")["delivered"], 4);
}

TEST_F(Reload, TheAttemptInHandOfAChangedTargetIsFinished) {
  Receiver receiver;
  Start("targets:\n" + Hook("hook", receiver));
  receiver.Hang(true);
  ASSERT_EQ(service_->PostEvents(1).status, 200);
  ASSERT_TRUE(WaitUntil([&] { return receiver.requests() == 1; }));
  HttpReply reply;
  std::jthread reload(
      [&] { reply = Read("targets:\n" + Hook("hook", receiver, ", batch: { events: 7 }")); });
  // The old forwarder says so as soon as it is on its way out.
  ASSERT_TRUE(WaitUntil(
      [&] { return service_->Post("/api/v1/targets/hook:resume").Code() == "cancelled"; }));
  receiver.Hang(false);
  receiver.Answer(200);
  reload.join();
  ASSERT_EQ(reply.status, 200) << reply.body;
  ASSERT_TRUE(service_->WaitSettled());
  EXPECT_EQ(Target("hook")["delivered"], 1);
}

TEST_F(Reload, ATargetThatIsGoneLeavesItsPlaceUntilThatIsGivenUp) {
  Start("targets:\n" + File("stays") + File("goes"));
  ASSERT_EQ(service_->PostEvents(5).status, 200);
  ASSERT_TRUE(service_->WaitSettled());
  ASSERT_EQ(Read("targets:\n" + File("stays")).status, 200);
  EXPECT_EQ(service_->Get("/api/v1/targets/goes").status, 404);
  ASSERT_EQ(service_->PostEvents(5, 5).status, 200);
  ASSERT_TRUE(WaitUntil([&] { return CountLines(dir_ / "stays") == 10; }));
  EXPECT_EQ(CountLines(dir_ / "goes"), 5u);
  EXPECT_THAT(service_->Status()["warnings"].dump(), HasSubstr("goes is not configured any more"));
  // It comes back where it was ...
  ASSERT_EQ(Read("targets:\n" + File("stays") + File("goes")).status, 200);
  ASSERT_TRUE(service_->WaitSettled());
  EXPECT_EQ(NumbersInFile(dir_ / "goes"), From(0, 10));
  // ... unless its place is given up meanwhile.
  ASSERT_EQ(Read("targets:\n" + File("stays")).status, 200);
  ASSERT_EQ(service_->PostEvents(5, 10).status, 200);
  const HttpReply removed = Call("DELETE", service_->admin(), "/api/v1/targets/goes");
  ASSERT_EQ(removed.status, 200) << removed.body;
  EXPECT_EQ(removed.Json()["pending"], 5);
  EXPECT_TRUE(service_->Status()["warnings"].empty());
  ASSERT_EQ(Read("targets:\n" + File("stays") + "  goes: { type: file, path: " + dir_ / "goes2" +
                 ", start: now }\n")
                .status,
            200);
  ASSERT_EQ(service_->PostEvents(5, 15).status, 200);
  ASSERT_TRUE(service_->WaitSettled());
  EXPECT_EQ(NumbersInFile(dir_ / "goes2"), From(15, 20));
  EXPECT_EQ(NumbersInFile(dir_ / "stays"), From(0, 20));
}

// The streams that the cursor counts change with the routes, and the account holds.
TEST_F(Reload, RoutesThatLeadFromOtherStreamsKeepTheAccountWhole) {
  const std::string both = "targets:\n" + File("out");
  const auto only = [&](const char* stream) {
    return std::string("routes: [ { name: r, match: { stream: ") + stream + " }, to: [out] } ]\n" +
           both;
  };
  Start(both);
  const auto post = [&](int n, const char* category) {
    const std::string body =
        R"({"kind":"Event","apiVersion":"v1","metadata":{"name":"e)" + std::to_string(n) +
        R"(","namespace":"a","uid":"0b8c8d4e-0000-4000-8000-00000000)" + std::to_string(1000 + n) +
        R"("},"involvedObject":{"kind":"Pod","namespace":"a","name":"p"},"type":"Warning","reason":")" +
        category +
        R"(","message":"m","firstTimestamp":"2026-11-20T06:11:14Z","lastTimestamp":"2026-11-20T06:11:14Z"})";
    const HttpReply reply =
        Call("POST", service_->ingest(), "/events", body, {{"Content-Type", "application/json"}});
    ASSERT_EQ(reply.status, 200) << reply.body;
  };
  const auto stream_events = [&](const char* stream) -> int {
    return service_->Get(std::string("/api/v1/streams/") + stream).Json()["events"];
  };
  ASSERT_EQ(service_->Post("/api/v1/targets/out:pause").status, 200);
  ASSERT_EQ(service_->PostEvents(4).status, 200);       // kubernetes-events
  for (int n = 0; n < 3; ++n) post(n, "NodeNotReady");  // infrastructure-changes
  ASSERT_EQ(stream_events("kubernetes-events"), 4);
  ASSERT_EQ(stream_events("infrastructure-changes"), 3);
  ASSERT_EQ(Target("out")["pending"], 7);

  // What no route can reach leaves the account; the pause stays.
  ASSERT_EQ(Read(only("kubernetes-events")).status, 200);
  EXPECT_EQ(Target("out")["state"], "paused");
  EXPECT_EQ(Target("out")["pending"], 4);
  EXPECT_EQ(service_->Status()["accounted"], true);
  // What comes back begins at the cursor's place, where it still waits.
  ASSERT_EQ(Read(both).status, 200);
  EXPECT_EQ(Target("out")["pending"], 7);
  ASSERT_EQ(Read(only("infrastructure-changes")).status, 200);
  ASSERT_EQ(service_->Post("/api/v1/targets/out:resume").status, 200);
  ASSERT_TRUE(service_->WaitSettled());
  EXPECT_EQ(Target("out")["delivered"], 3);
  EXPECT_EQ(CountLines(dir_ / "out"), 3u);
  // The cursor has passed the others by now; what comes from here on is delivered.
  ASSERT_EQ(Read(both).status, 200);
  ASSERT_EQ(service_->PostEvents(2, 100).status, 200);
  ASSERT_TRUE(service_->WaitSettled());
  EXPECT_EQ(CountLines(dir_ / "out"), 5u);
  const json account = Target("out");
  EXPECT_EQ(account["accepted"], 5);
  EXPECT_EQ(account["delivered"], 5);
  EXPECT_EQ(account["filtered"], 0);
}

TEST_F(Reload, ABrokenConfigurationChangesNothingAndIsExplained) {
  const std::string good = "targets:\n" + File("out");
  Start(good);
  const double loaded = Metric("spool_config_last_reload_success_timestamp_seconds");
  EXPECT_GT(loaded, 1e9);
  EXPECT_EQ(Metric("spool_config_last_reload_successful"), 1);
  const HttpReply reply = Read("log: { level: loud }\ntargets:\n  out: { type: fiel }\n");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.Code(), "invalid_config");
  // Letter by letter what a start with it would say.
  const ConfigResult again = LoadConfig(dir_ / "spool.yaml");
  const json errors = reply.Json()["errors"];
  ASSERT_EQ(errors.size(), again.problems.size());
  ASSERT_EQ(errors.size(), 2u);
  for (size_t i = 0; i < errors.size(); ++i) {
    EXPECT_EQ(errors[i]["message"], again.problems[i].message);
    EXPECT_EQ(errors[i]["line"], again.problems[i].line);
    EXPECT_EQ(errors[i]["column"], again.problems[i].column);
    EXPECT_EQ(errors[i]["hint"].is_null() ? "" : errors[i]["hint"], again.problems[i].hint);
    EXPECT_EQ(errors[i]["source_line"], again.problems[i].source_line);
  }
  EXPECT_EQ(Metric("spool_config_last_reload_successful"), 0);
  EXPECT_EQ(Metric("spool_config_last_reload_success_timestamp_seconds"), loaded);
  EXPECT_EQ(Revision(), 1u);
  EXPECT_EQ(service_->Get("/api/v1/config").Json()["last_reload"]["ok"], false);
  ASSERT_EQ(service_->PostEvents(3).status, 200);
  ASSERT_TRUE(service_->WaitSettled());
  EXPECT_EQ(CountLines(dir_ / "out"), 3u);

  const HttpReply same = Read(good);
  ASSERT_EQ(same.status, 200);
  EXPECT_EQ(same.Json()["changed"], false);
  EXPECT_EQ(same.Json()["revision"], 1);
  EXPECT_EQ(Metric("spool_config_last_reload_successful"), 1);
  EXPECT_GT(Metric("spool_config_last_reload_success_timestamp_seconds"), loaded);
}

TEST_F(Reload, WhatNeedsARestartIsRefusedWithAllThatStandsBesideIt) {
  Start("targets:\n" + File("out"));
  Write("streams: { quarantine: { retention: { age: 1d } } }\ntargets:\n" + File("out") +
            File("more"),
        ", limits: { connections: 7 }");
  const HttpReply reply = service_->Post("/api/v1/config:reload");
  EXPECT_EQ(reply.status, 409);
  EXPECT_EQ(reply.Code(), "needs_restart");
  EXPECT_THAT(reply.Json()["detail"].get<std::string>(),
              HasSubstr("nothing of it is taken: sources.web.limits.connections."));
  ASSERT_EQ(reply.Json()["errors"].size(), 1u);
  EXPECT_EQ(reply.Json()["errors"][0]["line"], 5);
  EXPECT_EQ(service_->Get("/api/v1/targets/more").status, 404);
  EXPECT_EQ(service_->Get("/api/v1/streams/quarantine").Json()["retention"]["age_seconds"],
            7 * 86400);
  EXPECT_EQ(Revision(), 1u);
}

TEST_F(Reload, RetentionTokensQuotasAndPathsCountAtOnce) {
  const std::string targets = "targets:\n" + File("out");
  Start(targets);
  std::ofstream(dir_ / "token") << "let-me-in\n";
  std::ofstream(dir_ / "admin-token") << "the-admin\n";
  const std::string token = dir_ / "token";
  ASSERT_EQ(
      Read("streams: { kubernetes-events: { retention: { age: 2d, size: 64MiB }, when_full: "
           "drop_oldest } }\n" +
               targets,
           ", paths: [/v1/events], tokens: [ { file: " + token + " } ], quota: { bytes: 1KiB }")
          .status,
      200);
  const json retention = service_->Get("/api/v1/streams/kubernetes-events").Json()["retention"];
  EXPECT_EQ(retention["age_seconds"], 2 * 86400);
  EXPECT_EQ(retention["bytes"], 64 << 20);
  EXPECT_EQ(retention["when_full"], "drop_oldest");
  EXPECT_EQ(service_->PostEvents(1).status, 401);
  const HttpHeaders with{{"Authorization", "Bearer let-me-in"},
                         {"Content-Type", "application/json"}};
  EXPECT_EQ(Call("POST", service_->ingest(), "/events", "{}", with).status, 404);
  const std::string large = "{\"text\":\"" + std::string(8000, 'x') + "\"}";
  EXPECT_EQ(Call("POST", service_->ingest(), "/v1/events", large, with).status, 200);
  EXPECT_EQ(Call("POST", service_->ingest(), "/v1/events", "{}", with).status, 429);
  // What asks for a token from now on also asks for it to take it back.
  admin_ = ", tokens: [ { file: " + dir_ / "admin-token" + ", role: admin } ]";
  ASSERT_EQ(Read(targets).status, 200);
  EXPECT_EQ(service_->Get("/api/v1/status").status, 401);
  EXPECT_EQ(service_->PostEvents(1).status, 200);
  admin_.clear();
  Write(targets);
  EXPECT_EQ(Call("POST", service_->admin(), "/api/v1/config:reload", "",
                 {{"Authorization", "Bearer the-admin"}})
                .status,
            200);
  EXPECT_EQ(service_->Get("/api/v1/status").status, 200);
}

TEST_F(Reload, OneOfTwoTokensOfANameIsTakenBack) {
  const std::string targets = "targets:\n" + File("out");
  for (const char* name : {"old", "new"}) std::ofstream(dir_ / name) << "secret-" << name << "\n";
  const auto token = [&](const std::string& file) {
    return "{ name: ops, file: " + dir_ / file + ", role: admin }";
  };
  const auto asked = [&](const std::string& word) {
    return Call("GET", service_->admin(), "/api/v1/status", "",
                {{"Authorization", "Bearer secret-" + word}})
        .status;
  };
  admin_ = ", tokens: [ " + token("old") + ", " + token("new") + " ]";
  Start(targets);
  EXPECT_EQ(asked("old"), 200);
  EXPECT_EQ(asked("new"), 200);
  for (const char* kept : {"new", "old"}) {
    admin_ = ", tokens: [ " + token("old") + ", " + token("new") + " ]";
    Write(targets);
    ASSERT_TRUE(service_->service().Reload().ok);
    admin_ = ", tokens: [ " + token(kept) + " ]";
    Write(targets);
    ASSERT_TRUE(service_->service().Reload().ok);
    EXPECT_EQ(asked("old"), kept == std::string("old") ? 200 : 401);
    EXPECT_EQ(asked("new"), kept == std::string("new") ? 200 : 401);
  }
}

TEST_F(Reload, WhatWasRefusedBeforeStaysCounted) {
  const std::string targets = "targets:\n" + File("out");
  std::ofstream(dir_ / "admin-token") << "the-admin\n";
  admin_ = ", tokens: [ { file: " + dir_ / "admin-token" + ", role: admin } ]";
  Start(targets);
  const HttpHeaders with{{"Authorization", "Bearer the-admin"}};
  const auto refused = [&] {
    const std::string page = Call("GET", service_->admin(), "/metrics", "", with).body;
    const std::string name = "spool_api_refused_total{code=\"unauthorized\"} ";
    const size_t at = page.find(name);
    return at == page.npos ? -1 : std::atoi(page.c_str() + at + name.size());
  };
  EXPECT_EQ(service_->Get("/api/v1/status").status, 401);
  EXPECT_EQ(refused(), 1);
  Write("log: { level: warn }\n" + targets);
  ASSERT_TRUE(service_->service().Reload().ok);
  EXPECT_EQ(refused(), 1);
}

// `beginning` is for who made the journal, and a reload made none.
TEST_F(Reload, ATargetThatComesLaterBeginsNow) {
  Start("targets:\n" + File("out"));
  ASSERT_EQ(service_->PostEvents(3).status, 200);
  ASSERT_TRUE(service_->WaitSettled());
  ASSERT_EQ(Read("targets:\n" + File("out") + File("late")).status, 200);
  ASSERT_EQ(service_->PostEvents(2, 3).status, 200);
  ASSERT_TRUE(service_->WaitSettled());
  EXPECT_EQ(NumbersInFile(dir_ / "out"), From(0, 5));
  EXPECT_EQ(NumbersInFile(dir_ / "late"), From(3, 5));
}

TEST_F(Reload, WhoGivesUpAPlaceGivesUpThatItWasPaused) {
  Start("targets:\n" + File("out") + File("other"));
  ASSERT_EQ(service_->Post("/api/v1/targets/other:pause").status, 200);
  ASSERT_EQ(Read("targets:\n" + File("out")).status, 200);
  ASSERT_EQ(Call("DELETE", service_->admin(), "/api/v1/targets/other").status, 200);
  ASSERT_EQ(Read("targets:\n" + File("out") + File("other")).status, 200);
  EXPECT_EQ(Target("other")["state"], "ok");
}

// A token that nobody can read is found before anything changes.
TEST_F(Reload, WhatCannotBeBuiltIsNotBegun) {
  Start("targets:\n" + File("out"));
  const HttpReply reply =
      Read("targets:\n" + File("more"), ", tokens: [ { file: " + dir_ / "none" + " } ]");
  EXPECT_EQ(reply.status, 400) << reply.body;
  EXPECT_EQ(reply.Code(), "invalid_config");
  EXPECT_THAT(reply.Json()["detail"].get<std::string>(), HasSubstr(dir_ / "none"));
  EXPECT_EQ(service_->PostEvents(1).status, 200);
  EXPECT_EQ(service_->Get("/api/v1/targets/more").status, 404);
  EXPECT_EQ(service_->Get("/api/v1/targets/out").status, 200);
  EXPECT_EQ(Revision(), 1u);
}

TEST_F(Reload, AReplayGoesOnWithWhatItsTargetHasBecomeAndWaitsForOneThatIsGone) {
  Receiver bad;
  Receiver good;
  Start("targets:\n" + Hook("hook", good));
  ASSERT_EQ(service_->PostEvents(6).status, 200);
  ASSERT_TRUE(service_->WaitSettled());
  ASSERT_EQ(good.bodies().size(), 6u);
  ASSERT_EQ(Read("targets:\n" + Hook("hook", bad)).status, 200);
  bad.Answer(503);
  const HttpReply started = service_->Post("/api/v1/replays", R"({"target":"hook","from":"1"})");
  ASSERT_EQ(started.status, 201) << started.body;
  const std::string path = "/api/v1/replays/" + started.Json()["id"].get<std::string>();
  ASSERT_TRUE(WaitUntil([&] { return bad.requests() > 1; }));
  ASSERT_EQ(Read("targets:\n" + File("else")).status, 200);
  EXPECT_EQ(service_->Get(path).Json()["state"], "paused");
  EXPECT_EQ(service_->Post(path + ":resume").status, 409);
  ASSERT_EQ(Read("targets:\n" + Hook("hook", bad)).status, 200);
  ASSERT_EQ(service_->Post(path + ":resume").status, 200);
  const size_t before = bad.requests();
  ASSERT_TRUE(WaitUntil([&] { return bad.requests() > before; }));
  ASSERT_EQ(Read("targets:\n" + Hook("hook", good)).status, 200);
  ASSERT_TRUE(WaitUntil([&] { return service_->Get(path).Json()["state"] == "done"; }))
      << service_->Get(path).body;
  EXPECT_EQ(service_->Get(path).Json()["delivered"], 6);
  EXPECT_EQ(good.bodies().size(), 12u);
  EXPECT_TRUE(bad.bodies().empty());
}

// The parts of the API are replaced when the last target has changed; one that changed at once runs
// by then.
TEST_F(Reload, ADeadLetterIsSentAgainByWhatItsTargetHasBecomeWhileOthersStillChange) {
  Receiver refusing;
  Receiver taking;
  Receiver slow;
  refusing.Answer(422);
  Start("targets:\n" + Hook("quick", refusing) + Hook("slow", slow));
  slow.Hang(true);
  ASSERT_EQ(service_->PostEvents(1).status, 200);
  ASSERT_TRUE(WaitUntil([&] { return Target("quick")["dead_lettered"] == 1; }));
  ASSERT_TRUE(WaitUntil([&] { return slow.requests() == 1; }));
  HttpReply reply;
  std::jthread reload([&] {
    reply =
        Read("targets:\n" + Hook("quick", taking) + Hook("slow", slow, ", batch: { events: 7 }"));
  });
  ASSERT_TRUE(WaitUntil(
      [&] { return service_->Post("/api/v1/targets/slow:resume").Code() == "cancelled"; }));
  ASSERT_EQ(service_->PostEvents(1, 1).status, 200);
  ASSERT_TRUE(WaitUntil([&] { return taking.bodies().size() == 1; }));
  const HttpReply wanted = service_->Post("/api/v1/dead-letters:retry", R"({"target":"quick"})");
  EXPECT_EQ(wanted.status, 200) << wanted.body;
  EXPECT_TRUE(WaitUntil([&] { return taking.bodies().size() == 2; }, std::chrono::seconds(3)));
  slow.Hang(false);
  slow.Answer(200);
  reload.join();
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(NumbersIn(taking.bodies()), From(0, 2));
}

// Resumed while its last attempt at the old target still hangs.
TEST_F(Reload, AReplayThatIsResumedGoesToTheTargetThatCameBack) {
  Receiver old;
  Receiver now;
  Start("targets:\n" + Hook("hook", now));
  ASSERT_EQ(service_->PostEvents(3).status, 200);
  ASSERT_TRUE(service_->WaitSettled());
  ASSERT_EQ(Read("targets:\n" + Hook("hook", old)).status, 200);
  old.Hang(true);
  const HttpReply started = service_->Post("/api/v1/replays", R"({"target":"hook","from":"1"})");
  ASSERT_EQ(started.status, 201) << started.body;
  const std::string path = "/api/v1/replays/" + started.Json()["id"].get<std::string>();
  ASSERT_TRUE(WaitUntil([&] { return old.requests() == 1; }));
  ASSERT_EQ(Read("targets:\n" + File("else")).status, 200);
  ASSERT_EQ(service_->Get(path).Json()["state"], "paused");
  ASSERT_EQ(Read("targets:\n" + Hook("hook", now)).status, 200);
  ASSERT_EQ(service_->Post(path + ":resume").status, 200);
  old.Answer(503);
  old.Hang(false);
  ASSERT_TRUE(WaitUntil([&] { return service_->Get(path).Json()["state"] == "done"; }))
      << service_->Get(path).body;
  EXPECT_EQ(now.bodies().size(), 6u);
}

TEST_F(Reload, ReloadsFromAllSidesAreOneAfterTheOther) {
  Start("targets:\n" + File("out"));
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> sides;
    for (int side = 0; side < 4; ++side) {
      sides.emplace_back([&] {
        for (int i = 0; i < 10; ++i) {
          if (!service_->service().Reload().ok) ++failed;
          if (service_->Get("/api/v1/status").status != 200) ++failed;
        }
      });
    }
    for (int i = 0; i < 20; ++i) {
      // Written beside and renamed, as an editor or a mounted ConfigMap does.
      const std::string text =
          "targets:\n" + File("out", ", batch: { events: " + std::to_string(i + 1) + " }");
      std::ifstream in(dir_ / "spool.yaml");
      std::string all{std::istreambuf_iterator<char>(in), {}};
      all = all.substr(0, all.find("targets:")) + text;
      std::ofstream(dir_ / "next") << all;
      std::rename((dir_ / "next").c_str(), (dir_ / "spool.yaml").c_str());
      ASSERT_EQ(service_->PostEvents(5, i * 5).status, 200);
    }
  }
  EXPECT_EQ(failed, 0);
  ASSERT_TRUE(service_->service().Reload().ok);
  ASSERT_TRUE(service_->WaitSettled());
  EXPECT_EQ(CountLines(dir_ / "out"), 100u);
  EXPECT_EQ(NumbersInFile(dir_ / "out"), From(0, 100));
}

TEST_F(Reload, AStopInTheMiddleOfReloadsEnds) {
  Start("targets:\n" + File("out"));
  std::atomic<int> answered{0};
  std::vector<std::jthread> sides;
  const std::string admin = service_->admin();
  for (int side = 0; side < 6; ++side) {
    sides.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        if (Call("POST", admin, "/api/v1/config:reload").status == 0) return;
        ++answered;
      }
    });
  }
  ASSERT_TRUE(WaitUntil([&] { return answered > 20; }));
  service_->Stop();
  EXPECT_FALSE(service_->service().Reload().ok);
}

}  // namespace
}  // namespace spool::testing
