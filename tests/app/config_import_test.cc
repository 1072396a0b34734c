// Configurations of kubernetes-event-exporter made into ours: letter by letter in
// tests/golden/import/NAME.txt, and valid. With SPOOL_UPDATE_GOLDEN=1 the texts are written anew.
#include "app/config_import.h"

#include "app/config_trial.h"
#include "tests/app/config_fixture.h"
#include "tests/support/paths.h"

namespace spool {
namespace {

using namespace config_test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::filesystem::path kGolden =
    std::filesystem::path(testing::SourceDir()) / "tests/golden/import";

Config Valid(const std::string& yaml) {
  const ConfigResult result = ParseConfig(yaml, "made.yaml");
  EXPECT_TRUE(result.config) << All(result) << yaml;
  return result.config.value_or(Config());
}

class ConfigImport : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    setenv("ALERT_PATH", "x", 1);
    setenv("ALERT_KEY", "y", 1);
    setenv("KAFKA_PASSWORD", "z", 1);
    setenv("TEAM", "t", 1);
  }
};

TEST_P(ConfigImport, MakesWhatTheFileShowsAndItIsValid) {
  const ImportResult made =
      ImportEventExporter(ReadAll(kGolden / (GetParam() + ".yaml")), GetParam() + ".yaml");
  ASSERT_THAT(made.problems, IsEmpty());
  const std::filesystem::path golden = kGolden / (GetParam() + ".txt");
  if (std::getenv("SPOOL_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << made.yaml;
  EXPECT_EQ(made.yaml, ReadAll(golden));
  Valid(made.yaml);
}

INSTANTIATE_TEST_SUITE_P(Files, ConfigImport,
                         ::testing::Values("configmap", "plain", "every_kind", "layouts", "rules",
                                           "watching", "receivers_alone", "twice"),
                         [](const auto& info) { return info.param; });

// ---- what it did there, it does here

std::string EventOf(const std::string& kind, const std::string& reason,
                    const std::string& type = "Normal", int count = 5) {
  return R"({"kind":"Event","apiVersion":"v1","metadata":{"name":"e","namespace":"prod","uid":"u"},)"
         R"("involvedObject":{"kind":")" +
         kind +
         R"(","namespace":"prod","name":"x","apiVersion":"v1","labels":{"app":"shop"}},"type":")" +
         type + R"(","count":)" + std::to_string(count) + R"(,"reason":")" + reason + "\"}";
}

std::vector<std::string> TargetsOf(const std::string& exporter, const std::string& event) {
  const ImportResult made = ImportEventExporter(exporter, "e.yaml");
  EXPECT_THAT(made.problems, IsEmpty());
  const Config config = Valid(made.yaml);
  const auto trial = ConfigTrial::Create(config);
  EXPECT_TRUE(trial.has_value());
  const auto events = trial->Take(event, "/events");
  EXPECT_TRUE(events && events->size() == 1);
  return trial->Judge(*events->front().View(), false).targets;
}

const char kReceivers[] =
    "receivers:\n- { name: a, file: { path: /a } }\n- { name: b, file: { path: /b } }\n";

TEST(ConfigImport, PatternsMatchAnywhereAsTheyDidThere) {
  const std::string config =
      std::string("route: { routes: [ { match: [ { kind: Pod, receiver: a } ] } ] }\n") +
      kReceivers;
  EXPECT_THAT(TargetsOf(config, EventOf("Pod", "R")), ElementsAre("a"));
  EXPECT_THAT(TargetsOf(config, EventOf("PodDisruptionBudget", "R")), ElementsAre("a"));
  EXPECT_THAT(TargetsOf(config, EventOf("Node", "R")), IsEmpty());
}

TEST(ConfigImport, EachRuleSendsByItselfAndRoutesBelowWantAllOfThem) {
  const std::string config =
      std::string(
          "route: { routes: [ { match: [ { kind: Pod, receiver: a }, { reason: Failed } ],\n"
          "  routes: [ { match: [ { receiver: b } ] } ] } ] }\n") +
      kReceivers;
  EXPECT_THAT(TargetsOf(config, EventOf("Pod", "Started")), ElementsAre("a"));
  EXPECT_THAT(TargetsOf(config, EventOf("Pod", "Failed")), ElementsAre("a", "b"));
  EXPECT_THAT(TargetsOf(config, EventOf("Node", "Failed")), IsEmpty());
}

TEST(ConfigImport, DropsHoldForAllThatIsBelow) {
  const std::string config = std::string(
                                 "route: { drop: [ { reason: ^Pulled$, minCount: 5 }, { labels: { "
                                 "app: shop }, type: Warning } ],\n"
                                 "  routes: [ { match: [ { receiver: a } ] } ] }\n") +
                             kReceivers;
  EXPECT_THAT(TargetsOf(config, EventOf("Pod", "Pulled")), IsEmpty());
  EXPECT_THAT(TargetsOf(config, EventOf("Pod", "Pulled", "Normal", 4)), ElementsAre("a"));
  EXPECT_THAT(TargetsOf(config, EventOf("Pod", "PulledAll")), ElementsAre("a"));
  EXPECT_THAT(TargetsOf(config, EventOf("Pod", "Other", "Warning")), IsEmpty());
}

// Nothing ever matched it there: a rule that drops by it drops nothing, one that sends, nothing.
TEST(ConfigImport, APatternThatNeverWorkedDoesNotBeginToWork) {
  const std::string config = std::string(
                                 "route: { drop: [ { namespace: \"*prod*\" } ], routes: [ { match: "
                                 "[ { receiver: a } ] },\n"
                                 "  { match: [ { kind: \"(Pod\", receiver: b } ], routes: [ { "
                                 "match: [ { receiver: b } ] } ] } ] }\n") +
                             kReceivers;
  EXPECT_THAT(TargetsOf(config, EventOf("Pod", "R")), ElementsAre("a"));
  const ImportResult made = ImportEventExporter(config, "e.yaml");
  EXPECT_THAT(made.never_worked,
              ElementsAre(HasSubstr("e.yaml:1: namespace: \"*prod*\" is no regular expression"),
                          HasSubstr("e.yaml:2: kind: \"(Pod\" is no regular expression"),
                          HasSubstr("e.yaml:2: routes: a rule above them never matches")));
}

TEST(ConfigImport, SecretsOfTheFileDoNotComeAlong) {
  const ImportResult made = ImportEventExporter(ReadAll(kGolden / "plain.yaml"), "plain.yaml");
  EXPECT_THAT(made.yaml, Not(HasSubstr("hunter2")));
}

TEST(ConfigImport, WhatIsNoExportersIsSaid) {
  for (const char* text : {"a: 1\n", "", "- 1\n", "kind: ConfigMap\ndata: { x: \"y: 1\" }\n", "{",
                           "a: b\n---\nc: d\n"}) {
    const ImportResult made = ImportEventExporter(text, "e.yaml");
    EXPECT_EQ(made.problems.size(), 1u) << text;
    EXPECT_TRUE(made.yaml.empty());
  }
}

// Nothing of a stranger's file gets out of the comment or the quotes that it stands in.
TEST(ConfigImport, StrangeTextsStayTexts) {
  const std::string config =
      "receivers:\n- { name: \"a\\nversion: 2\", webhook: { endpoint: \"http://x/\\\"y$z\", "
      "headers: { \"A\": \"b\\\\c: #d\" } } }\n"
      "- { name: \"x\\ny\", \"k\\nversion: 3\": {} }\n"
      "route: { routes: [ { match: [ { receiver: \"a\\nversion: 2\", \"odd\\nversion: 4\": 1, "
      "reason: \"a\\\"b\\\\\\\\c\", name: \"n\\nm\" } ] } ] }\n";
  const ImportResult made = ImportEventExporter(config, "e.yaml");
  ASSERT_THAT(made.problems, IsEmpty());
  setenv("z", "1", 1);  // which the exporter fills in as well
  const ConfigResult result = ParseConfig(made.yaml, "made");
  ASSERT_TRUE(result.config) << All(result) << made.yaml;
  ASSERT_EQ(result.config->targets.size(), 1u);
  EXPECT_EQ(result.config->targets[0].settings.name, "a-version-2");
}

}  // namespace
}  // namespace spool
