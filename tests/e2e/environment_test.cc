// The program without a configuration file, as a Deployment starts it.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>

#include "tests/support/app_http.h"
#include "tests/support/nats_server.h"
#include "tests/support/net_raw_client.h"
#include "tests/support/paths.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

// The container's env of the manifest in the documentation.
std::map<std::string, std::string> EnvOfTheManifest() {
  std::ifstream in(SourceDir() + "/docs/kubernetes/event-router.yaml");
  std::map<std::string, std::string> env;
  const std::regex name(R"(^ *- name: ([A-Z_]+)$)");
  const std::regex value(R"re(^ *value: "(.*)"$)re");
  std::smatch match;
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_match(line, match, name)) last = match[1];
    if (std::regex_match(line, match, value)) env[last] = match[1];
  }
  return env;
}

class Environment : public ::testing::Test {
 protected:
  ~Environment() override {
    for (const auto& [name, value] : set_) unsetenv(name.c_str());
  }
  void Set(const std::string& name, const std::string& value) {
    set_[name] = value;
    setenv(name.c_str(), value.c_str(), 1);
  }
  void Start() {
    spoold_ =
        std::make_unique<Spoold>(std::vector<std::string>{"--data-dir", dir_ / "data", "--ingest",
                                                          "0.0.0.0:" + port_, "--admin", admin_},
                                 dir_ / "log");
  }
  // As the kubelet asks, on the port for events.
  bool WaitReady() const {
    return WaitUntil([&] { return Call("GET", ingest_, "/ready").status == 200; });
  }
  std::string Log() const {
    std::ifstream in(dir_ / "log");
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const AppDir dir_;
  const std::string port_ = std::to_string(test::UnusedPort());
  const std::string ingest_ = "127.0.0.1:" + port_;
  const std::string admin_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
  std::map<std::string, std::string> set_;
  std::unique_ptr<Spoold> spoold_;
};

// No bus answers there, which is no reason not to take events.
TEST_F(Environment, TheManifestsVariablesAreEnoughToTakeEvents) {
  const auto env = EnvOfTheManifest();
  ASSERT_EQ(env.size(), 3u);
  for (const auto& [name, value] : env) Set(name, value);
  Start();
  ASSERT_TRUE(WaitReady()) << Log();
  EXPECT_EQ(Call("GET", ingest_, "/health").status, 200);
  EXPECT_EQ(Call("POST", ingest_, "/v1/events", "{\"a\":1}", {{"Content-Type", "application/json"}})
                .status,
            200);
  for (const char* target : {"nats", "kafka"}) {
    const auto status = Call("GET", admin_, std::string("/api/v1/targets/") + target).Json();
    EXPECT_EQ(status["type"], target);
    EXPECT_EQ(status["pending"], 1);
  }
}

TEST_F(Environment, EventsArriveUnderTheirStreamsName) {
  const auto nats = NatsServer::Start();
  ASSERT_TRUE(nats);
  ASSERT_TRUE(nats->AddStream("EVENTS", {"kubernetes-events", "security-events"}));
  Set("NATS_URL", nats->url());
  Start();
  ASSERT_TRUE(WaitReady()) << Log();
  EXPECT_EQ(Call("POST", ingest_, "/v1/events", "{\"a\":1}", {{"Content-Type", "application/json"}})
                .status,
            200);
  ASSERT_TRUE(WaitUntil([&] { return nats->Count("EVENTS") == 1; })) << Log();
  EXPECT_EQ(nats->Read("EVENTS").at(0).subject, "kubernetes-events");
}

TEST_F(Environment, AnAdapterThatIsNotThereYetIsAConfigurationError) {
  Set("SPLUNK_HEC_URL", "https://splunk-hec.local/services/collector");
  Set("SPLUNK_TOKEN", "the-token");
  Start();
  EXPECT_EQ(spoold_->Wait(std::chrono::seconds(10)), 78);
  EXPECT_NE(Log().find("SPLUNK_HEC_URL: targets of type splunk are not available yet"),
            std::string::npos)
      << Log();
  EXPECT_EQ(Log().find("the-token"), std::string::npos);
}

}  // namespace
}  // namespace spool::testing
