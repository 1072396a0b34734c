// spoolctl against two real services at once: a context of both, from the first look to the drain.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/app_http.h"
#include "tests/support/ctl_fixture.h"

namespace spool::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class TwoReplicas : public ::testing::Test {
 protected:
  static Config Configured(const AppDir& dir, const Receiver& hook) {
    Config config = TestConfig(dir.path());
    config.targets = {FileTarget("archive", dir / "archive.jsonl"),
                      WebhookTarget("hook", hook.url())};
    config.routes = {{"all", {}, {}, {"archive"}}, {"some", {{{"data.hook", "*"}}}, {}, {"hook"}}};
    config.has_routes = true;
    return config;
  }

  TwoReplicas()
      : first_(std::make_unique<RunningService>(Configured(one_, receiver_))),
        second_(std::make_unique<RunningService>(Configured(two_, receiver_))) {
    const CtlResult made =
        Ctl({"context", "add", "both", "--server", first_->admin() + "," + second_->admin()});
    EXPECT_EQ(made.exit, 0) << made.err;
  }

  CtlResult Ctl(const std::vector<std::string>& args) const {
    CtlProcess::Options options;
    options.env = {{"SPOOLCTL_CONTEXTS", home_ / "spoolctl/contexts.yaml"}};
    return RunCtl(args, options);
  }
  static std::vector<json> Objects(const std::string& lines) {
    std::vector<json> out;
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) out.push_back(json::parse(line));
    return out;
  }

  const AppDir home_, one_, two_;
  Receiver receiver_;
  std::unique_ptr<RunningService> first_, second_;
};

TEST_F(TwoReplicas, AreSeenChangedAndReplayedAsOne) {
  ASSERT_EQ(Call("POST", first_->ingest(), "/v1/events", R"({"at":"first"})").status, 200);
  ASSERT_EQ(Call("POST", second_->ingest(), "/v1/events", R"({"at":"second"})").status, 200);
  ASSERT_TRUE(first_->WaitSettled() && second_->WaitSettled());
  const std::vector<json> events = Objects(Ctl({"events", "ls", "-o", "jsonl"}).out);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["replica"], first_->admin());
  EXPECT_EQ(events[0]["data"]["at"], "first");
  EXPECT_EQ(events[1]["replica"], second_->admin());
  // An event is on one of them, and found there.
  const CtlResult explained = Ctl({"explain", events[1]["id"], "-o", "json"});
  EXPECT_EQ(explained.exit, 0) << explained.err;
  EXPECT_EQ(explained.err, "");
  EXPECT_EQ(json::parse(explained.out)[0]["replica"], second_->admin());
  const CtlResult replay = Ctl({"replay", "start", "--target", "archive", "--from", "1"});
  EXPECT_EQ(replay.exit, 0) << replay.err;
  EXPECT_TRUE(WaitUntil([&] {
    return CountLines(one_ / "archive.jsonl") == 2 && CountLines(two_ / "archive.jsonl") == 2;
  }));
  const CtlResult paused = Ctl({"target", "pause", "hook"});
  EXPECT_EQ(paused.exit, 0) << paused.err;
  EXPECT_EQ(first_->Target("hook")["state"], "paused");
  EXPECT_EQ(second_->Target("hook")["state"], "paused");
}

TEST_F(TwoReplicas, OneThatIsGoneIsNamedAndTheOtherGoesOn) {
  const std::string gone = second_->admin();
  second_->Stop();
  second_.reset();
  const CtlResult listed = Ctl({"target", "ls", "-o", "jsonl"});
  EXPECT_EQ(listed.exit, 7);
  EXPECT_EQ(Objects(listed.out).size(), 2u);
  EXPECT_THAT(listed.err, HasSubstr("the replica " + gone + " does not answer"));
  EXPECT_EQ(Ctl({"check"}).exit, 2);
  const CtlResult started = Ctl({"replay", "start", "--target", "archive", "--from", "now-1h"});
  EXPECT_EQ(started.exit, 7);
  EXPECT_THAT(started.out, HasSubstr(first_->admin() + ": replay/"));
}

TEST_F(TwoReplicas, DeadLettersOfBothAreExportedAndTestsReachTheTarget) {
  receiver_.Answer(422);
  for (const auto* service : {first_.get(), second_.get()}) {
    ASSERT_EQ(Call("POST", service->ingest(), "/v1/events", R"({"hook":1})").status, 200);
    ASSERT_TRUE(WaitUntil([&] { return service->Target("hook")["dead_lettered"] == 1; }));
  }
  const CtlResult all = Ctl({"dlq", "ls", "-o", "jsonl"});
  EXPECT_EQ(Objects(all.out).size(), 2u) << all.err;
  const CtlResult exported =
      Ctl({"dlq", "export", home_ / "letters.jsonl", "--server", first_->admin()});
  EXPECT_EQ(exported.exit, 0) << exported.err;
  std::ifstream in(home_ / "letters.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(in, line));
  EXPECT_EQ(json::parse(line)["event"]["data"]["hook"], 1);
  EXPECT_EQ(Ctl({"dlq", "export", home_ / "letters.jsonl", "--server", first_->admin()}).exit, 1);
  const CtlResult refused = Ctl({"target", "test", "hook", "--server", first_->admin()});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.err, HasSubstr("did not take it (rejected): http_422"));
  receiver_.Answer(200);
  EXPECT_EQ(Ctl({"target", "test", "hook"}).exit, 0);
  EXPECT_EQ(receiver_.bodies().size(), 2u);
}

TEST_F(TwoReplicas, ADrainEndsWhenBothHaveDeliveredEverything) {
  for (const auto* service : {first_.get(), second_.get()}) {
    ASSERT_EQ(Call("POST", service->ingest(), "/v1/events", R"({"n":1})").status, 200);
  }
  const CtlResult drained = Ctl({"node", "drain", "--wait", "30s", "--yes"});
  EXPECT_EQ(drained.exit, 0) << drained.err;
  EXPECT_THAT(drained.out, Not(HasSubstr("left")));
  for (const auto* service : {first_.get(), second_.get()}) {
    EXPECT_EQ(service->Target("archive")["delivered"], 1);
    EXPECT_EQ(Call("POST", service->ingest(), "/v1/events", R"({"n":2})").status, 503);
  }
  EXPECT_EQ(Ctl({"node", "drain", "--undo"}).exit, 0);
  EXPECT_EQ(Call("POST", first_->ingest(), "/v1/events", R"({"n":3})").status, 200);
}

}  // namespace
}  // namespace spool::testing
