// Configurations tested before they are used.
#include "app/config_trial.h"

#include "tests/app/config_fixture.h"
#include "tests/support/app_http.h"

namespace spool {
namespace {

using namespace config_test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kNode[] =
    R"({"kind":"Event","apiVersion":"v1","metadata":{"name":"e","namespace":"default","uid":"u"},)"
    R"("involvedObject":{"kind":"Node","name":"n1"},"type":"Warning","reason":"NodeNotReady","message":"m"})";

const std::string kRoutes =
    "version: 1\n"
    "routes:\n"
    "  - { name: archive, to: [all] }\n"
    "  - { name: incidents, match: { kind: Node, reason: \"*NotReady\" }, drop: { namespace: test "
    "}, to: [pager, all] }\n"
    "  - { name: kept-apart, match: { stream: quarantine }, to: [pager] }\n"
    "targets: { all: { type: stdout }, pager: { type: file, path: /x } }\n";

std::vector<TestResult> RunGood(const Config& config) {
  auto results = RunTests(config);
  EXPECT_TRUE(results.has_value()) << results.error().message;
  return results.value_or(std::vector<TestResult>());
}
Config Good(const std::string& text) {
  const ConfigResult result = ParseConfig(text, "spool.yaml");
  EXPECT_TRUE(result.config) << All(result);
  return result.config.value_or(Config());
}
std::string OneTest(const std::string& expect, const std::string& event = kNode) {
  std::string json;
  for (const char c : event) json += c == '\'' ? "''" : std::string(1, c);
  return "tests: [ { name: it works, event: { json: '" + json + "' }, expect: " + expect + " } ]\n";
}

TEST(ConfigTrial, WhatIsExpectedAndSoIsWell) {
  const Config config = Good(
      kRoutes +
      OneTest(
          "{ stream: infrastructure-changes, routes: [incidents, archive], targets: [pager, all],"
          " match: { category: infrastructure, severity: \">=warning\" } }"));
  const auto results = RunGood(config);
  ASSERT_EQ(results.size(), 1u);
  for (const TestFailure& f : results[0].failures) ADD_FAILURE() << f.what << " " << f.is;
  EXPECT_EQ(results[0].test->line, 7);
  EXPECT_THAT(results[0].event, HasSubstr("k8s-event"));
  EXPECT_THAT(results[0].event, HasSubstr("reason=NodeNotReady"));
}

TEST(ConfigTrial, EachThingThatIsOtherwiseIsToldBesideWhatItShouldBe) {
  const Config config = Good(
      kRoutes +
      OneTest(
          "{ stream: security-events, routes: [archive], targets: [all], match: { kind: Pod } }"));
  const auto results = RunGood(config);
  ASSERT_EQ(results.size(), 1u);
  ASSERT_EQ(results[0].failures.size(), 4u);
  const auto& failures = results[0].failures;
  EXPECT_EQ(failures[0].what, "stream");
  EXPECT_EQ(failures[0].expected, "security-events");
  EXPECT_EQ(failures[0].is, "infrastructure-changes");
  EXPECT_EQ(failures[1].expected, "archive");
  EXPECT_EQ(failures[1].is, "archive, incidents");
  EXPECT_EQ(failures[2].is, "all, pager");
  EXPECT_EQ(failures[3].expected, "{ kind: Pod }");
  EXPECT_THAT(failures[3].is, HasSubstr("kind=Node"));
}

TEST(ConfigTrial, QuarantineIsReachedByItsNameAlone) {
  const Config config =
      Good(kRoutes + OneTest("{ stream: quarantine, routes: [kept-apart], targets: [pager] }",
                             R"({"specversion":"1.0","type":"t"})"));
  const auto results = RunGood(config);
  ASSERT_EQ(results.size(), 1u);
  for (const TestFailure& f : results[0].failures) ADD_FAILURE() << f.what << " " << f.is;
}

TEST(ConfigTrial, WithoutRoutesAllGoesEverywhereAndNoRouteTakesIt) {
  const Config config =
      Good("version: 1\ntargets: { a: { type: stdout }, b: { type: file, path: /x } }\n" +
           OneTest("{ routes: [], targets: [a, b] }"));
  EXPECT_THAT(RunGood(config).at(0).failures, IsEmpty());
}

TEST(ConfigTrial, ABodyOfSeveralEventsMustBeRightInEach) {
  const std::string list =
      std::string("[") + kNode + "," +
      R"({"kind":"Event","metadata":{"name":"f","uid":"v"},"involvedObject":{"kind":"Pod","name":"p"},"reason":"Started","type":"Normal"})" +
      "]";
  const auto results = RunGood(Good(kRoutes + OneTest("{ targets: [all, pager] }", list)));
  ASSERT_EQ(results.at(0).failures.size(), 1u);
  EXPECT_EQ(results[0].failures[0].is, "all");
  EXPECT_THAT(results[0].event, HasSubstr("kind=Pod"));
}

TEST(ConfigTrial, FilesAreSeenFromTheConfiguration) {
  const testing::AppDir dir;
  std::filesystem::create_directory(dir / "samples");
  std::ofstream(dir / "samples/node.json") << kNode;
  std::ofstream(dir / "spool.yaml")
      << kRoutes
      << "tests:\n  - { name: there, event: { file: samples/node.json }, expect: { stream: "
         "infrastructure-changes } }\n"
         "  - { name: not there, event: { file: samples/none.json }, expect: { stream: quarantine "
         "} }\n"
         "  - { name: refused, event: { json: \"{\", path: /events }, expect: { stream: quarantine "
         "} }\n";
  const ConfigResult loaded = LoadConfig(dir / "spool.yaml");
  ASSERT_TRUE(loaded.config) << All(loaded);
  const auto results = RunGood(*loaded.config);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_THAT(results[0].failures, IsEmpty());
  ASSERT_EQ(results[1].failures.size(), 1u);
  EXPECT_THAT(results[1].failures[0].is, HasSubstr("samples/none.json cannot be read"));
  ASSERT_EQ(results[2].failures.size(), 1u);
  EXPECT_EQ(results[2].failures[0].what, "event");
}

TEST(ConfigTrial, TestsThatCannotBeMeantAreProblemsOfTheConfiguration) {
  EXPECT_THAT(
      Problems("version: 1\ntargets: { a: { type: stdout } }\ntests:\n"
               "  - { name: one, event: { file: x, json: y }, expect: { stream: nowhere } }\n"
               "  - { name: two, event: { json: y } }\n"
               "  - { name: three, event: { json: y, source: weeb }, expect: { routes: [r], "
               "targets: [b] } }\n"),
      ElementsAre(HasSubstr("4:25 a test needs an event with either file or json"),
                  HasSubstr("there is no stream 'nowhere'"),
                  HasSubstr("5:13 the test 'two' expects nothing"),
                  HasSubstr("there is no source 'weeb' (did you mean 'web'?)"),
                  HasSubstr("there is no route 'r'"), HasSubstr("there is no target 'b'")));
}

}  // namespace
}  // namespace spool
