// `spoold publish`, as a CronJob runs it: it sends what a target has not had, and ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/app_http.h"
#include "tests/support/nats_server.h"
#include "tests/support/paths.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
constexpr std::chrono::seconds kLimit{30};

class Publish : public ::testing::Test {
 protected:
  ~Publish() override {
    for (const std::string& name : set_) unsetenv(name.c_str());
  }
  void Set(const std::string& name, const std::string& value) {
    set_.insert(name);
    setenv(name.c_str(), value.c_str(), 1);
  }
  // What a spoold took in while it ran.
  void Store(int events) const {
    RunningService service(TestConfig(dir_.path()));
    ASSERT_TRUE(service.ok());
    ASSERT_EQ(service.PostEvents(events).status, 200);
  }
  void Configure(const std::string& targets) const {
    std::ofstream(dir_ / "spool.yaml")
        << "version: 1\ndata_dir: " << data() << "\njournal: { disk_reserve: 0 }\ntargets:\n"
        << targets;
  }
  std::string data() const { return dir_ / "data"; }
  std::unique_ptr<Spoold> Start(const std::vector<std::string>& more) const {
    std::vector<std::string> args{"publish", "--config", dir_ / "spool.yaml"};
    args.insert(args.end(), more.begin(), more.end());
    return std::make_unique<Spoold>(args, dir_ / "log");
  }
  int Run(const std::vector<std::string>& more) const { return Start(more)->Wait(kLimit); }
  // Under the image's name for it.
  int RunAsPublish(std::vector<std::string> words) const {
    return Spoold(std::move(words), dir_ / "log",
                  {"bash", "-c", R"(exec -a /usr/bin/publish "$0" "$@")"})
        .Wait(kLimit);
  }
  std::string Log() const {
    std::ifstream in(dir_ / "log");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // The account as the next spoold sees it; `target` must not get anything meanwhile.
  nlohmann::json AccountOf(TargetConfig target) const {
    Config config = TestConfig(dir_.path());
    const std::string name = target.settings.name;
    config.targets.push_back(std::move(target));
    const RunningService service(std::move(config));
    return service.Target(name);
  }

  const AppDir dir_;
  std::set<std::string> set_;
};

std::string Webhook(const std::string& url, const std::string& more = {}) {
  return "  hook: { type: webhook, url: \"" + url +
         "\", start: beginning, retry: { first: 50ms, max: 200ms }" + more + " }\n";
}

std::set<int> Numbers(const std::vector<std::string>& bodies) {
  std::set<int> numbers;
  for (const std::string& body : bodies) {
    const auto json = nlohmann::json::parse(body, nullptr, false);
    for (const auto& event : json.is_array() ? json : nlohmann::json::array({json})) {
      if (event.is_object()) numbers.insert(event["data"].value("n", -1));
    }
  }
  return numbers;
}

void ExpectAccounted(const nlohmann::json& target, int accepted) {
  EXPECT_EQ(target["accepted"], accepted) << target;
  EXPECT_EQ(target["delivered"], accepted) << target;
  EXPECT_EQ(target["pending"], 0) << target;
}

TEST_F(Publish, SendsWhatTheTargetHasNotHadAndEnds) {
  Receiver receiver;
  Store(30);
  Configure(Webhook(receiver.url()));
  ASSERT_EQ(Run({"--target", "hook"}), 0) << Log();
  EXPECT_EQ(Numbers(receiver.bodies()).size(), 30u);
  EXPECT_THAT(Log(), HasSubstr("delivered=30"));
  const size_t requests = receiver.requests();
  // There is nothing more, and nothing is sent twice.
  ASSERT_EQ(Run({"--target", "hook"}), 0) << Log();
  EXPECT_EQ(receiver.requests(), requests);
  ExpectAccounted(AccountOf(WebhookTarget("hook", receiver.url())), 30);
}

TEST_F(Publish, WhatATargetRefusesNowIsLeftForTheNextRun) {
  Receiver receiver;
  receiver.Answer(503);
  Store(10);
  Configure(Webhook(receiver.url()));
  EXPECT_EQ(Run({"--target", "hook", "--timeout", "1s"}), 7) << Log();
  EXPECT_THAT(Log(), HasSubstr("pending=10"));
  receiver.Answer(200);
  EXPECT_EQ(Run({"--target", "hook"}), 0) << Log();
  EXPECT_EQ(Numbers(receiver.bodies()).size(), 10u);
}

// Nobody corrects a password within a run, so that one does not go on asking.
TEST_F(Publish, ATargetThatNeedsHandsEndsTheRunAtOnce) {
  Receiver receiver;
  receiver.Answer(401);
  Store(3);
  Configure(Webhook(receiver.url()));
  EXPECT_EQ(Run({"--target", "hook", "--timeout", "0"}), 7) << Log();
  EXPECT_EQ(receiver.requests(), 1u);
  EXPECT_THAT(Log(), HasSubstr("http_401"));
}

TEST_F(Publish, ASignalEndsItInGoodOrder) {
  Receiver receiver;
  Store(400);
  Configure(Webhook(receiver.url(), ", rate: 100/s"));
  const auto run = Start({"--target", "hook"});
  ASSERT_TRUE(WaitUntil([&] { return !receiver.bodies().empty(); })) << Log();
  run->Signal(SIGTERM);
  EXPECT_EQ(run->Wait(std::chrono::seconds(10)), 7) << Log();
  const size_t before = Numbers(receiver.bodies()).size();
  EXPECT_LT(before, 400u);
  Configure(Webhook(receiver.url()));
  EXPECT_EQ(Run({"--target", "hook"}), 0) << Log();
  EXPECT_EQ(Numbers(receiver.bodies()).size(), 400u);
  // What was answered before the signal was not sent again.
  size_t events = 0;
  for (const std::string& body : receiver.bodies()) events += Numbers({body}).size();
  EXPECT_EQ(events, 400u);
}

// An attempt that hangs is cut after its grace; the run does not hang with it.
TEST_F(Publish, ASignalIsNotHeldUpByATargetThatHangs) {
  Receiver receiver;
  receiver.Hang(true);
  Store(3);
  Configure(Webhook(receiver.url()));
  const auto run = Start({"--target", "hook"});
  ASSERT_TRUE(WaitUntil([&] { return receiver.requests() > 0; })) << Log();
  run->Signal(SIGTERM);
  EXPECT_EQ(run->Wait(std::chrono::seconds(15)), 7) << Log();
  receiver.Hang(false);
}

TEST_F(Publish, KilledHalfWayItLosesNothing) {
  const auto nats = NatsServer::Start();
  ASSERT_TRUE(nats);
  ASSERT_TRUE(nats->AddStream("EVENTS", {"kubernetes-events"}));
  Store(600);
  const std::string target =
      "  nats: { type: nats, url: \"" + nats->url() + "\", subject: \"{stream}\", start: beginning";
  Configure(target + ", batch: { events: 20 }, rate: 200/s }\n");
  {
    const auto run = Start({"--target", "nats"});
    ASSERT_TRUE(WaitUntil([&] { return nats->Count("EVENTS") >= 40; })) << Log();
    ASSERT_TRUE(run->Kill());
  }
  ASSERT_LT(nats->Count("EVENTS"), 600);
  Configure(target + " }\n");
  ASSERT_EQ(Run({"--target", "nats"}), 0) << Log();
  std::set<int> numbers;
  for (const NatsStored& stored : nats->Read("EVENTS")) {
    numbers.insert(nlohmann::json::parse(stored.body)["data"].value("n", -1));
  }
  EXPECT_EQ(numbers.size(), 600u);
  EXPECT_EQ(*numbers.begin(), 0);
  EXPECT_EQ(*numbers.rbegin(), 599);
  // By its ids the bus knows again what was sent twice.
  EXPECT_EQ(nats->Count("EVENTS"), 600);
  TargetConfig same = FileTarget("nats", dir_ / "never");
  ExpectAccounted(AccountOf(same), 600);
}

TEST_F(Publish, SaysWhyItCannot) {
  Receiver receiver;
  Configure(Webhook(receiver.url()));
  EXPECT_EQ(Run({"--target", "hook"}), 4);
  EXPECT_THAT(Log(), HasSubstr("There is no journal in the data directory"));
  EXPECT_FALSE(fs::exists(data())) << "a journal was made where there was none";
  Store(2);
  EXPECT_EQ(Run({"--target", "hok"}), 4);
  EXPECT_THAT(Log(), HasSubstr("did you mean 'hook'?"));
  EXPECT_EQ(Run({"--target", "hook", "--source", "nats"}), 78);
  EXPECT_THAT(Log(), HasSubstr("--source nats: taking events from NATS is not available"));
  EXPECT_EQ(Run({"--target", "hook", "--source", "rabbit"}), 2);
  EXPECT_EQ(Run({"--target", "hook", "--timeout", "soon"}), 2);
  EXPECT_EQ(Run({"--target", "hook", "--admin", "127.0.0.1:0"}), 2);
  EXPECT_EQ(Run({}), 2);
  EXPECT_THAT(Log(), HasSubstr("[usage]"));
  EXPECT_EQ(Run({"--targt", "hook"}), 2);
  EXPECT_THAT(Log(), HasSubstr("did you mean --target?"));
  {
    const RunningService service(TestConfig(dir_.path()));
    EXPECT_EQ(Run({"--target", "hook"}), 1);
    EXPECT_THAT(Log(), HasSubstr("is in use by another process; nothing in it was touched "
                                 "[data_dir_in_use]\n  a spoold that runs there delivers"));
  }
  EXPECT_EQ(receiver.requests(), 0u);
  EXPECT_EQ(Run({"--target", "hook"}), 0) << Log();
}

TEST_F(Publish, APausedTargetStaysPaused) {
  Receiver receiver;
  {
    Config config = TestConfig(dir_.path());
    config.targets.push_back(WebhookTarget("hook", receiver.url()));
    const RunningService service(config);
    ASSERT_EQ(service.Post("/api/v1/targets/hook:pause").status, 200);
    ASSERT_EQ(service.PostEvents(5).status, 200);
  }
  Configure(Webhook(receiver.url()));
  EXPECT_EQ(Run({"--target", "hook"}), 7);
  EXPECT_THAT(Log(), HasSubstr("The target is paused"));
  EXPECT_EQ(receiver.requests(), 0u);
}

// What the target refuses for good is settled, and said.
TEST_F(Publish, DeadLettersAreTold) {
  Receiver receiver;
  receiver.Answer(400);
  Store(2);
  Configure(Webhook(receiver.url()));
  EXPECT_EQ(Run({"--target", "hook"}), 0) << Log();
  EXPECT_THAT(Log(), HasSubstr("dead_lettered=2"));
  EXPECT_THAT(Log(), HasSubstr("they wait among the dead letters"));
}

// The container's command of the manifest, with the volume and the bus of this test.
TEST_F(Publish, TheManifestsCommandAndVariablesAreEnough) {
  const auto nats = NatsServer::Start();
  ASSERT_TRUE(nats);
  ASSERT_TRUE(nats->AddStream("EVENTS", {"kubernetes-events"}));
  Store(7);
  std::ifstream in(SourceDir() + "/docs/kubernetes/publish.yaml");
  nlohmann::json command;
  std::string variable;
  for (std::string line; std::getline(in, line);) {
    if (const size_t at = line.find("command: "); at != line.npos) {
      command = nlohmann::json::parse(line.substr(at + 9));
    }
    if (line.find("- name: NATS_URL") != line.npos) variable = "NATS_URL";
  }
  ASSERT_EQ(variable, "NATS_URL");
  ASSERT_EQ(command[0], "publish");
  std::vector<std::string> words;
  for (size_t i = 1; i < command.size(); ++i) {
    std::string word = command[i];
    if (word.starts_with("--data-dir=")) word = "--data-dir=" + data();
    words.push_back(std::move(word));
  }
  Set("NATS_URL", nats->url());
  EXPECT_EQ(RunAsPublish(words), 0) << Log();
  EXPECT_EQ(nats->Count("EVENTS"), 7);
}

// A line as it stands in CronJobs, which needs what is not there yet, is taken and answered.
TEST_F(Publish, ASourceAndATargetThatAreNotThereYetAreBothTold) {
  Set("SPLUNK_HEC_URL", "https://splunk-hec.local/services/collector");
  Set("SPLUNK_TOKEN", "the-token");
  EXPECT_EQ(RunAsPublish({"--source=nats", "--target=splunk"}), 78);
  EXPECT_THAT(Log(), HasSubstr("targets of type splunk are not available yet"));
  EXPECT_THAT(Log(), HasSubstr("--source nats: taking events from NATS is not available"));
  EXPECT_THAT(Log(), Not(HasSubstr("the-token")));
}

}  // namespace
}  // namespace spool::testing
