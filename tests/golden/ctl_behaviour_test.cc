// How spoolctl behaves: exit statuses, questions, interruption, and what it says when something is
// wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>

#include "tests/support/ctl_test.h"

namespace spool::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Exit statuses.

TEST_F(Ctl, EndsWithSixAndOneClearSentenceWhenNobodyListens) {
  const std::string url = admin_.url();
  admin_.Stop();
  const CtlResult result = RunCtl({"status", "--server", url});
  EXPECT_EQ(result.exit, 6);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("spoolctl: cannot reach spoold at " + url));
  EXPECT_THAT(result.err, HasSubstr("start it with 'spoold', or name another address"));
}

TEST_F(Ctl, EndsWithSixWhenTheAnswerTakesTooLong) {
  std::vector<net::HttpResponder> held;
  net::HttpServerOptions options;
  options.name = "mute";
  options.address = "127.0.0.1:0";
  auto server = net::HttpServer::Start(
      options, [&](net::HttpRequest&&, net::HttpResponder r) { held.push_back(std::move(r)); });
  ASSERT_TRUE(server);
  const CtlResult result =
      RunCtl({"status", "--server", (*server)->address(), "--timeout", "200ms"});
  EXPECT_EQ(result.exit, 6);
  EXPECT_THAT(result.err, HasSubstr("within 200ms"));
  EXPECT_THAT(result.err, HasSubstr("--timeout"));
  (*server)->Stop(RealClock().Steady());
}

TEST_F(Ctl, StatusesOfTheServerBecomeExitStatuses) {
  const std::pair<int, int> exits[] = {{400, 2}, {401, 1}, {403, 1}, {404, 4}, {409, 1},
                                       {429, 1}, {500, 1}, {502, 6}, {503, 6}, {504, 6}};
  for (const auto& [status, exit] : exits) {
    admin_.On("GET /api/v1/status", status, R"({"code":"c","detail":"A clear reason."})");
    const CtlResult result = Run({"status"});
    EXPECT_EQ(result.exit, exit) << status;
    EXPECT_EQ(result.out, "");
    if (status != 401) {
      EXPECT_THAT(result.err, HasSubstr("A clear reason.")) << status;
    }
  }
}

TEST_F(Ctl, AServerThatIsNoSpooldIsToldApart) {
  admin_.On("GET /api/v1/status", [](const net::HttpRequest&) {
    net::HttpResponse response = Ok("<html>hello</html>");
    response.content_type = "text/html";
    return response;
  });
  EXPECT_EQ(Run({"status"}).exit, 1);
  EXPECT_THAT(Run({"status"}).err, HasSubstr("not as spoold's admin API does"));
}

TEST_F(Ctl, AServerThatWantsATokenIsAnsweredWithTheFlagThatGivesOne) {
  admin_.On("GET /api/v1/streams", [](const net::HttpRequest& request) {
    return request.Header("authorization") == "Bearer s3cret"
               ? Ok(R"({"items":[]})")
               : net::Problem(401, "unauthorized", "A token is needed.");
  });
  const CtlResult without = Run({"stream", "ls"});
  EXPECT_EQ(without.exit, 1);
  EXPECT_THAT(without.err, HasSubstr("--token-file"));

  const std::string good = TempFile("s3cret\n");
  EXPECT_EQ(Run({"stream", "ls", "--token-file", good}).exit, 0);
  CtlProcess::Options options = On();
  options.env.emplace_back("SPOOLCTL_TOKEN_FILE", good);
  EXPECT_EQ(RunCtl({"stream", "ls"}, options).exit, 0);

  const std::string bad = TempFile("wr0ng-token\n");
  const CtlResult refused = Run({"stream", "ls", "--token-file", bad});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.err, HasSubstr(bad));
  EXPECT_THAT(refused.err, Not(HasSubstr("wr0ng-token")));

  const CtlResult missing = Run({"stream", "ls", "--token-file", "/nonexistent/token"});
  EXPECT_EQ(missing.exit, 1);
  EXPECT_THAT(missing.err, HasSubstr("/nonexistent/token"));
  const std::string two_lines = TempFile("a\nX-Evil: b\n");
  EXPECT_EQ(Run({"stream", "ls", "--token-file", two_lines}).exit, 1);
}

TEST_F(Ctl, WrongUsageEndsWithTwoAndNeverAsksTheServer) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"nonsense"},
      {"stream"},
      {"stream", "info"},
      {"stream", "ls", "extra"},
      {"stream", "ls", "-o", "xml"},
      {"events", "ls", "--since", "soon"},
      {"events", "ls", "--since", "1h", "--from", "2h"},
      {"events", "ls", "--limit", "0"},
      {"events", "ls", "--limit", "-3"},
      {"events", "ls", "--limit", "many"},
      {"events", "ls", "--scan", "0"},
      {"events", "ls", "--by", "moon"},
      {"events", "ls", "-f", "--to", "now"},
      {"events", "ls", "--match", "=x"},
      {"events", "get"},
      {"events", "get", "not-an-id"},
      {"target", "skip", "kafka"},
      {"target", "skip", "kafka", "--to", "then"},
      {"dlq", "retry"},
      {"dlq", "retry", "--all"},
      {"dlq", "retry", "--target", "kafka"},
      {"dlq", "retry", "kafka-1", "--target", "kafka", "--all"},
      {"dlq", "drop", "--reason", "x", "--all"},
      {"replay", "start", "--target", "kafka"},
      {"replay", "start", "--from", "1h"},
      {"replay", "start", "--target", "kafka", "--from", "1h", "--rate", "0"},
      {"status", "--timeout", "5"},
      {"status", "--server", "ftp://x"},
      {"status", "--server", "http://"},
      {"status", "--unknown"},
      {"config", "validate"}};
  for (const auto& args : wrong) {
    const CtlResult result = Run(args);
    EXPECT_EQ(result.exit, 2) << ::testing::PrintToString(args) << result.err;
    EXPECT_EQ(result.out, "") << ::testing::PrintToString(args);
    EXPECT_NE(result.err, "") << ::testing::PrintToString(args);
  }
  EXPECT_THAT(admin_.requests(), ElementsAre());
}

TEST_F(Ctl, HelpIsGivenForEveryCommandWithAnExample) {
  const std::vector<std::vector<std::string>> commands = {
      {"status"},           {"stream", "ls"},     {"stream", "info"},  {"events", "ls"},
      {"events", "tail"},   {"events", "get"},    {"target", "ls"},    {"target", "info"},
      {"target", "pause"},  {"target", "resume"}, {"target", "skip"},  {"dlq", "ls"},
      {"dlq", "get"},       {"dlq", "retry"},     {"dlq", "drop"},     {"replay", "start"},
      {"replay", "ls"},     {"replay", "info"},   {"replay", "watch"}, {"replay", "pause"},
      {"replay", "resume"}, {"replay", "cancel"}, {"source", "ls"},    {"config", "validate"},
      {"version"}};
  for (std::vector<std::string> args : commands) {
    std::string example = "spoolctl";
    for (const std::string& word : args) example += " " + word;
    args.push_back("--help");
    const CtlResult result = Run(args);
    EXPECT_EQ(result.exit, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.out, HasSubstr("Example:\n  " + example)) << example;
  }
}

TEST_F(Ctl, OutputThatCannotBeWrittenIsAFailure) {
  CtlProcess::Options options = On();
  options.out = "/dev/full";
  const CtlResult result = RunCtl({"version", "--client"}, options);
  EXPECT_EQ(result.exit, 1);
  EXPECT_THAT(result.err, HasSubstr("could not be written"));
}

// Names.

TEST_F(Ctl, AnUnknownTargetEndsWithFourAndNamesTheOneThatWasMeant) {
  admin_.On("GET /api/v1/targets", 200, R"({"items":[{"name":"kafka"},{"name":"splunk"}]})");
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"target", "info", "kafak"},
           {"target", "pause", "kafak"},
           {"target", "skip", "kafak", "--to", "now", "-y"},
           {"dlq", "retry", "--target", "kafak", "--all"},
           {"dlq", "ls", "--target", "kafak"},
           {"replay", "start", "--target", "kafak", "--from", "1h"}}) {
    const CtlResult result = Run(args);
    EXPECT_EQ(result.exit, 4) << ::testing::PrintToString(args);
    EXPECT_THAT(result.err, HasSubstr("there is no target 'kafak'"));
    EXPECT_THAT(result.err, HasSubstr("did you mean 'kafka'?"));
  }
}

TEST_F(Ctl, NamesReachTheServerEncoded) {
  Run({"target", "info", "a/b:pause?x y"});
  EXPECT_EQ(admin_.requests().at(0),
            "GET /api/v1/targets/a%2Fb:pause?x y");  // decoded by the server
}

// Confirmation.

TEST_F(Ctl, OnATerminalDropAsksAndDoesNothingUnlessTold) {
  admin_.On("POST /api/v1/dead-letters/kafka-7:drop", 200, R"({"id":"kafka-7"})");
  auto no = CtlProcess::Start({"dlq", "drop", "kafka-7"}, On(80));
  ASSERT_TRUE(no->WaitForText("[y/N]"));
  no->Type("\n");
  const CtlResult refused = no->Finish();
  EXPECT_EQ(refused.exit, 5);
  EXPECT_THAT(refused.out, HasSubstr("nothing was done"));
  EXPECT_THAT(admin_.requests(), ElementsAre());

  auto yes = CtlProcess::Start({"dlq", "drop", "kafka-7"}, On(80));
  ASSERT_TRUE(yes->WaitForText("[y/N]"));
  yes->Type("y\n");
  EXPECT_EQ(yes->Finish().exit, 0);
  EXPECT_THAT(admin_.requests(), ElementsAre("POST /api/v1/dead-letters/kafka-7:drop"));
}

TEST_F(Ctl, CtrlCAtAQuestionEndsWithoutDoing) {
  auto process = CtlProcess::Start({"dlq", "drop", "kafka-7"}, On(80));
  ASSERT_TRUE(process->WaitForText("[y/N]"));
  process->Type("\x03");
  EXPECT_EQ(process->Finish().exit, 130);
  EXPECT_THAT(admin_.requests(), ElementsAre());
}

TEST_F(Ctl, InAScriptNothingDangerousHappensWithoutYes) {
  admin_.On("GET /api/v1/targets/kafka", 200, R"({"name":"kafka","cursor":5})");
  admin_.On("GET /api/v1/replays/r-1", 200, R"({"id":"r-1","total":2,"settled":1})");
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"target", "skip", "kafka", "--to", "9"},
                                             {"dlq", "drop", "kafka-7"},
                                             {"dlq", "drop", "--target", "kafka", "--all"},
                                             {"replay", "cancel", "r-1"}}) {
    const CtlResult result = Run(args);
    EXPECT_EQ(result.exit, 5) << ::testing::PrintToString(args);
    EXPECT_THAT(result.err, HasSubstr("--yes"));
  }
  for (const std::string& request : admin_.requests()) EXPECT_THAT(request, Not(HasSubstr("POST")));
}

TEST_F(Ctl, SkipSendsATimeOrASequenceAsItWasTyped) {
  admin_.On("GET /api/v1/targets/kafka", 200, R"({"name":"kafka","cursor":5})");
  admin_.On("POST /api/v1/targets/kafka:skip", 200, R"({"target":"kafka","skipped":4})");
  EXPECT_THAT(Run({"target", "skip", "kafka", "--to", "9", "-y"}).out,
              HasSubstr("target/kafka skipped 4 events"));
  Run({"target", "skip", "kafka", "--to", "now-1h", "-y"});
  EXPECT_EQ(admin_.requests().at(1), R"(POST /api/v1/targets/kafka:skip {"to":"9"})");
  EXPECT_EQ(admin_.requests().at(3), R"(POST /api/v1/targets/kafka:skip {"to":"now-1h"})");
}

// Dead letters.

TEST_F(Ctl, DeadLettersAreReadPageByPage) {
  admin_.On("GET /api/v1/dead-letters", [](const net::HttpRequest& request) {
    const std::string after = request.QueryParam("after");
    if (after.empty()) return Ok(R"({"items":[{"id":"k-1"},{"id":"k-2"}],"next":"k-2"})");
    if (after == "k-2") return Ok(R"({"items":[{"id":"k-3"}],"next":"k-3"})");
    return Ok(R"({"items":[{"id":"k-4"}],"next":null})");
  });
  EXPECT_EQ(Run({"dlq", "ls", "-o", "name"}).out, "dlq/k-1\ndlq/k-2\ndlq/k-3\ndlq/k-4\n");
  const CtlResult three = Run({"dlq", "ls", "-o", "name", "--limit", "3", "--target", "k"});
  EXPECT_EQ(three.out, "dlq/k-1\ndlq/k-2\ndlq/k-3\n");
  EXPECT_THAT(three.err, HasSubstr("--after k-3"));
  EXPECT_EQ(admin_.requests().back(), "GET /api/v1/dead-letters?limit=1&target=k&after=k-2");
}

TEST_F(Ctl, PartOfManyIsSeven) {
  admin_.On("POST /api/v1/dead-letters/k-1:retry", 200, R"({"id":"k-1"})");
  EXPECT_EQ(Run({"dlq", "retry", "k-1", "k-2"}).exit, 7);
  EXPECT_EQ(Run({"dlq", "retry", "k-2", "k-1"}).exit, 7);
  EXPECT_EQ(Run({"dlq", "retry", "k-2", "k-3"}).exit, 4);
  EXPECT_EQ(Run({"dlq", "retry", "k-1"}).exit, 0);
  admin_.On("POST /api/v1/dead-letters:drop", 200, R"({"matched":3,"done":2})");
  EXPECT_EQ(Run({"dlq", "drop", "--target", "k", "--reason", "r", "--all", "-y"}).exit, 7);
  EXPECT_EQ(admin_.requests().back(),
            R"(POST /api/v1/dead-letters:drop {"target":"k","reason":"r"})");
}

// Replays.

std::string ReplayAt(const char* state, uint64_t settled, uint64_t rejected = 0) {
  return R"({"id":"r-1","target":"splunk","state":")" + std::string(state) +
         R"(","total":100,"settled":)" + std::to_string(settled) + R"(,"delivered":)" +
         std::to_string(settled - rejected) + R"(,"rejected":)" + std::to_string(rejected) +
         R"(,"evicted":0,"error":null})";
}

TEST_F(Ctl, AReplayStartsWithTheRangeThatTheDryRunResolved) {
  admin_.On("POST /api/v1/replays", [](const net::HttpRequest& request) {
    if (request.body.find("\"dry_run\":true") == request.body.npos) {
      return Ok(ReplayAt("running", 0), 201);
    }
    return Ok(R"({"target":"splunk","from":"2026-11-20T06:00:00.000000Z",)"
              R"("to":"2026-11-20T09:00:00.000000Z","first":1,"end":101,"total":100,"bytes":5})");
  });
  const CtlResult result = Run({"replay", "start", "--target", "splunk", "--from", "now-3h",
                                "--match", "kind=Pod", "--rate", "30/m"});
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("[2026-11-20T06:00:00Z, 2026-11-20T09:00:00Z)"));
  EXPECT_THAT(result.out, HasSubstr("replay/r-1 started"));
  EXPECT_THAT(
      admin_.requests(),
      ElementsAre(R"(POST /api/v1/replays {"target":"splunk","from":"now-3h","to":"now",)"
                  R"("match":["kind=Pod"],"rate":0.5,"dry_run":true})",
                  R"(POST /api/v1/replays {"target":"splunk",)"
                  R"("from":"2026-11-20T06:00:00.000000Z","to":"2026-11-20T09:00:00.000000Z",)"
                  R"("match":["kind=Pod"],"rate":0.5,"dry_run":false})"));
}

TEST_F(Ctl, WatchDrawsABarOnATerminalUntilTheEnd) {
  std::atomic<int> polls{0};
  admin_.On("GET /api/v1/replays/r-1", [&](const net::HttpRequest&) {
    const int n = ++polls;
    return Ok(n < 3 ? ReplayAt("running", static_cast<uint64_t>(n) * 30) : ReplayAt("done", 100));
  });
  const CtlResult result = RunCtl({"replay", "watch", "r-1", "--no-color"}, On(80));
  EXPECT_EQ(result.exit, 0);
  EXPECT_THAT(result.out, HasSubstr("r-1 → splunk  ██"));
  EXPECT_THAT(result.out, HasSubstr("30.0%  30/100"));
  EXPECT_THAT(result.out, HasSubstr("replay/r-1 done: 100 delivered, 0 rejected"));
}

TEST_F(Ctl, WatchInAPipeSaysOnlyHowItEnded) {
  std::atomic<int> polls{0};
  admin_.On("GET /api/v1/replays/r-1", [&](const net::HttpRequest&) {
    return Ok(++polls < 2 ? ReplayAt("running", 1) : ReplayAt("done", 100, 3));
  });
  const CtlResult result = Run({"replay", "watch", "replay/r-1"});
  EXPECT_EQ(result.exit, 7);  // 3 of them were refused
  EXPECT_EQ(result.out, "replay/r-1 done: 97 delivered, 3 rejected\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(Ctl, WatchOfAReplayThatFailsOrIsCancelledFails) {
  for (const char* state : {"failed", "cancelled"}) {
    admin_.On("GET /api/v1/replays/r-1", 200, ReplayAt(state, 5));
    EXPECT_EQ(Run({"replay", "watch", "r-1"}).exit, 1) << state;
  }
}

TEST_F(Ctl, CtrlCDetachesFromAReplayAndTellsHowToComeBack) {
  admin_.On("GET /api/v1/replays/r-1", 200, ReplayAt("running", 5));
  auto process = CtlProcess::Start({"replay", "watch", "r-1"}, On(80));
  ASSERT_TRUE(process->WaitForText("5/100"));
  process->Type("\x03");
  const CtlResult result = process->Finish();
  EXPECT_EQ(result.exit, 130);
  EXPECT_THAT(result.out, HasSubstr("spoolctl replay watch r-1"));
  for (const std::string& request : admin_.requests()) EXPECT_THAT(request, Not(HasSubstr("POST")));
}

// Configuration.

TEST_F(Ctl, AConfigurationIsCheckedWithoutAServer) {
  const std::string url = admin_.url();
  admin_.Stop();
  const std::string good = TempFile("version: 1\n");
  const CtlResult valid = RunCtl({"config", "validate", good});
  EXPECT_EQ(valid.exit, 0) << valid.err;
  EXPECT_EQ(valid.out, good + ": valid\n");

  const std::string bad = TempFile("version: 1\nstreems: {}\nlog: { level: loud }\n");
  const CtlResult invalid = RunCtl({"config", "validate", bad});
  EXPECT_EQ(invalid.exit, 78);
  EXPECT_EQ(invalid.out, "");
  EXPECT_THAT(invalid.err, HasSubstr(bad + ":2:1: error:"));
  EXPECT_THAT(invalid.err, HasSubstr("streams"));
  EXPECT_THAT(invalid.err, HasSubstr("2 errors"));

  const CtlResult json = RunCtl({"config", "validate", bad, "-o", "json"});
  EXPECT_EQ(json.exit, 78);
  EXPECT_THAT(json.out, HasSubstr("\"ok\": false"));
  EXPECT_THAT(json.out, HasSubstr("\"line\": 2"));

  EXPECT_EQ(RunCtl({"config", "validate", "/nonexistent.yaml"}).exit, 4);
}

TEST_F(Ctl, HostileConfigurationTextIsShownHarmless) {
  const std::string bad = TempFile("\"st\xe2\x80\xaereems\": {}\n");
  const CtlResult result = RunCtl({"config", "validate", bad});
  EXPECT_EQ(result.exit, 78);
  EXPECT_TRUE(IsTame(result.err)) << result.err;
}

TEST_F(Ctl, TheClientsVersionNeedsNoServer) {
  const std::string url = admin_.url();
  admin_.Stop();
  const CtlResult result = RunCtl({"version", "--server", url});
  EXPECT_EQ(result.exit, 0);
  EXPECT_THAT(result.out, ::testing::StartsWith("spoolctl "));
  EXPECT_THAT(result.err, HasSubstr("cannot reach"));
  EXPECT_EQ(RunCtl({"--version"}).exit, 0);
}

}  // namespace
}  // namespace spool::testing
