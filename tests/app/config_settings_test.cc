// What a configuration comes to, as it is shown and compared.
#include "app/config_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "app/config.h"
#include "app/reload.h"
#include "tests/support/paths.h"

namespace spool {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Config Parse(const std::string& text) {
  const ConfigResult result = ParseConfig(text, "test.yaml");
  for (const ConfigProblem& problem : result.problems) ADD_FAILURE() << FormatProblem(problem);
  return result.config.value_or(Config());
}

std::map<std::string, std::string> ByKey(const ConfigSettings& settings) {
  std::map<std::string, std::string> out;
  for (const Setting& setting : settings) {
    EXPECT_TRUE(out.emplace(setting.Key(), setting.value).second)
        << setting.Key() << " is there twice";
  }
  return out;
}

std::vector<std::string> Differences(const Config& a, const Config& b) {
  std::vector<std::string> out;
  for (const SettingChange& change : CompareSettings(a.settings, b.settings)) {
    out.push_back(change.Key() + ": " + change.before.value_or("-") + " > " +
                  change.after.value_or("-"));
  }
  return out;
}

TEST(ConfigSettings, DefaultsAreThereAsTheyCount) {
  const Config config = Parse(
      "version: 1\nstreams: { audit-log: {}, security-events: { retention: { size: 1GiB } } }\n"
      "targets: { k: { type: kafka, brokers: [\"k:9092\"] }, f: { type: file, path: /x } }\n");
  const auto settings = ByKey(config.settings);
  EXPECT_EQ(settings.at("targets.k.batch.events"), "5000");
  EXPECT_EQ(settings.at("targets.k.batch.bytes"), "4MiB");
  EXPECT_EQ(config.targets[0].settings.batch.events, 5000u);
  EXPECT_EQ(config.targets[0].settings.batch.bytes, size_t{4} << 20);
  EXPECT_EQ(settings.at("targets.f.batch.events"), "1000");
  EXPECT_EQ(settings.at("sources.web.type"), "http");
  EXPECT_EQ(settings.at("sources.web.address"), "\"127.0.0.1:8080\"");
  EXPECT_EQ(settings.at("streams.security-events.retention.age"), "30d");
  EXPECT_EQ(settings.at("streams.security-events.retention.size"), "1GiB");
  EXPECT_EQ(settings.at("streams.quarantine.when_full"), "drop_oldest");
  EXPECT_EQ(settings.at("streams.audit-log.retention.age"), "7d");
  EXPECT_FALSE(settings.contains("targets.k.tls.ca")) << "its being there would mean TLS";
  for (const Setting& setting : config.settings) {
    const bool written = setting.Key() == "version" || setting.Key() == "targets.f.path" ||
                         setting.Key() == "targets.k.brokers" || setting.path.back() == "type" ||
                         setting.Key() == "streams.security-events.retention.size";
    EXPECT_EQ(setting.written, written && setting.Key() != "sources.web.type") << setting.Key();
    EXPECT_EQ(setting.line > 0, setting.written) << setting.Key();
  }
}

TEST(ConfigSettings, SecretsAreReferencesAndWhatMayBeOneIsHidden) {
  setenv("SETTINGS_TEST_VALUE", "hunter2", 1);
  const Config config = Parse(
      "version: 1\n"
      "admin: { tokens: [ { env: SETTINGS_TEST_VALUE, role: admin } ] }\n"
      "targets:\n"
      "  hook: { type: webhook, url: \"https://x/y?token=hunter2\", bearer: { file: /s/hook },\n"
      "          headers: { X-Api-Key: hunter2, X-Team: a, X-Other: \"${SETTINGS_TEST_VALUE}\" } "
      "}\n"
      "  bus: { type: nats, username: \"${SETTINGS_TEST_VALUE}\", password: { env: "
      "SETTINGS_TEST_VALUE } }\n");
  const auto settings = ByKey(config.settings);
  EXPECT_EQ(settings.at("admin.tokens[0].env"), "SETTINGS_TEST_VALUE");
  EXPECT_EQ(settings.at("targets.hook.bearer"), "{ file: /s/hook }");
  EXPECT_EQ(settings.at("targets.hook.headers.X-Api-Key"), "(hidden)");
  EXPECT_EQ(settings.at("targets.hook.headers.X-Team"), "a");
  EXPECT_EQ(settings.at("targets.hook.headers.X-Other"), "\"${SETTINGS_TEST_VALUE}\"");
  EXPECT_EQ(settings.at("targets.hook.url"), "\"https://x/y?(hidden)\"");
  EXPECT_EQ(settings.at("targets.bus.username"), "\"${SETTINGS_TEST_VALUE}\"");
  EXPECT_EQ(settings.at("targets.bus.password"), "{ env: SETTINGS_TEST_VALUE }");
  EXPECT_THAT(SettingsYaml(config.settings, true), Not(HasSubstr("hunter2")));
}

// Nothing keeps two tokens from having one name; each is there, is compared and is shown.
TEST(ConfigSettings, ItemsOfOneNameHaveAKeyEach) {
  const auto parse = [](const std::string& tokens) {
    return Parse("version: 1\nadmin: { tokens: [ " + tokens + " ] }\n");
  };
  const std::string a = "{ name: ops, file: /a, role: viewer }";
  const std::string b = "{ name: ops, file: /b, role: viewer }";
  const std::string c = "{ name: \"ops#2\", file: /c, role: viewer }";
  const std::string zero = "{ name: \"0\", file: /z, role: viewer }";
  const Config all = parse(a + ", " + b + ", " + c);
  const auto settings = ByKey(all.settings);
  EXPECT_EQ(settings.at("admin.tokens[ops].file"), "/a");
  EXPECT_EQ(settings.at("admin.tokens[ops#2].file"), "/b");
  EXPECT_EQ(settings.at("admin.tokens[ops#2#2].file"), "/c");
  ByKey(parse("{ file: /a, role: viewer }, " + zero).settings);
  for (const std::string& fewer : {a + ", " + b, a + ", " + c, b + ", " + c}) {
    EXPECT_FALSE(PlanReload(all, parse(fewer)).keys.empty()) << fewer;
    EXPECT_FALSE(PlanReload(parse(fewer), all).keys.empty()) << fewer;
  }
  EXPECT_FALSE(PlanReload(parse(a + ", " + b), parse(a)).keys.empty());
  EXPECT_FALSE(PlanReload(parse(a + ", " + b), parse(b)).keys.empty());
  EXPECT_TRUE(PlanReload(all, parse(a + ", " + b + ", " + c)).keys.empty());
  const ConfigResult shown = ParseConfig(SettingsYaml(all.settings, true), "shown");
  ASSERT_TRUE(shown.config);
  EXPECT_EQ(shown.config->admin.tokens.size(), 3u);
}

// Also one that changes is told from what it was.
TEST(ConfigSettings, WhatIsHiddenIsComparedAllTheSame) {
  const auto hook = [](const std::string& url, const std::string& key) {
    return Parse("version: 1\ntargets: { hook: { type: webhook, url: \"" + url +
                 "\", headers: { X-Api-Key: " + key + " } } }\n");
  };
  EXPECT_THAT(Differences(hook("https://x?a", "k"), hook("https://x?a", "k")), IsEmpty());
  EXPECT_THAT(Differences(hook("https://x?a", "k"), hook("https://x?b", "k")),
              ElementsAre(HasSubstr("targets.hook.url: ")));
  EXPECT_THAT(Differences(hook("https://x?a", "k"), hook("https://x?a", "l")),
              ElementsAre(HasSubstr("targets.hook.headers.X-Api-Key: ")));
}

TEST(ConfigSettings, EveryExampleMeansTheSameWhenItIsReadAsItIsShown) {
  int read = 0;
  for (const auto& entry :
       fs::directory_iterator(fs::path(testing::SourceDir()) / "docs/examples")) {
    if (entry.path().extension() != ".yaml") continue;
    const ConfigResult first = LoadConfig(entry.path());
    if (!first.config) continue;  // it wants variables; config_build_test says which
    ++read;
    const std::string shown = SettingsYaml(first.config->settings, true);
    const ConfigResult second = ParseConfig(shown, "shown");
    for (const ConfigProblem& problem : second.problems) ADD_FAILURE() << FormatProblem(problem);
    ASSERT_TRUE(second.config) << entry.path() << "\n" << shown;
    EXPECT_THAT(Differences(*first.config, *second.config), IsEmpty()) << entry.path();
  }
  EXPECT_GT(read, 0);
}

TEST(ConfigSettings, TextsThatYamlWouldTakeForSomethingElseStayTexts) {
  const std::string text =
      "version: 1\ncluster: { name: 'a: b # \"c\" \\ $$5' }\n"
      "routes: [ { name: r, match: { \"data.a b\": \"=~^x|y{1,2}\", reason: \"!null\" }, to: "
      "[\"none\"] } ]\n"
      "targets: { none: { type: null } }\n";
  const Config config = Parse(text);
  const std::string shown = SettingsYaml(config.settings, false);
  EXPECT_THAT(Differences(config, Parse(shown)), IsEmpty()) << shown;
  EXPECT_EQ(Parse(shown).cluster, config.cluster);
  EXPECT_EQ(Parse(shown).routes, config.routes);
}

TEST(ConfigSettings, ARouteIsKnownByItsName) {
  const std::string targets = "targets: { a: { type: stdout } }\n";
  const Config one =
      Parse("version: 1\nroutes: [ { name: x, to: [a] }, { name: y, to: [a] } ]\n" + targets);
  const Config two = Parse(
      "version: 1\nroutes: [ { name: y, to: [a] }, { name: x, match: { kind: Pod }, to: [a] } ]\n" +
      targets);
  EXPECT_THAT(Differences(one, two), ElementsAre("routes[x].match: - > [{ kind: Pod }]"));
}

// ---- what a reload would do about it

ReloadPlan Plan(const std::string& before, const std::string& after) {
  return PlanReload(Parse("version: 1\n" + before), Parse("version: 1\n" + after));
}

TEST(ReloadPlan, TargetsThatAreConcernedAreFound) {
  const ReloadPlan plan = Plan(
      "routes: [ { name: r, to: [same, routed, file] }, { name: s, to: [gone] } ]\n"
      "targets: { same: { type: stdout }, routed: { type: stdout }, file: { type: file, path: /a },"
      " gone: { type: stdout } }",
      "routes: [ { name: other-name, to: [file, same] }, { to: [routed], match: { kind: Pod } },"
      " { to: [fresh] } ]\n"
      "targets: { same: { type: stdout, start: beginning }, routed: { type: stdout },"
      " file: { type: file, path: /b }, fresh: { type: stdout } }");
  EXPECT_THAT(plan.refused, IsEmpty());
  EXPECT_THAT(plan.added, ElementsAre("fresh"));
  EXPECT_THAT(plan.changed, ElementsAre("routed", "file"));
  EXPECT_THAT(plan.removed, ElementsAre("gone"));
}

TEST(ReloadPlan, WhatNeedsARestartIsNamedWhereItStands) {
  const std::string targets = "targets: { t: { type: stdout } }\n";
  const ReloadPlan plan = Plan(
      "sources: { web: { type: http }, old: { type: http, address: 127.0.0.1:9 } }\n" + targets,
      "data_dir: /else\njournal: { scrub: 1MiB, dedupe: { window: 1m } }\n"
      "admin: { address: 127.0.0.1:1 }\ncluster: { name: x }\n"
      "sources: { web: { type: http, limits: { body: 1MiB } }, new: { type: http, address: "
      "127.0.0.1:8 } }\n"
      "streams: { more: {} }\n" +
          targets);
  EXPECT_THAT(plan.fixed, ElementsAre("admin.address", "cluster.name", "data_dir",
                                      "journal.dedupe.window", "journal.scrub", "sources.new",
                                      "sources.old", "sources.web.limits.body", "streams.more"));
  ASSERT_EQ(plan.refused.size(), 9u);
  bool seen = false;
  for (const ConfigProblem& problem : plan.refused) {
    if (!problem.message.starts_with("'journal.scrub'")) continue;
    seen = true;
    EXPECT_EQ(FormatPlace(problem),
              "test.yaml:3:19: error: 'journal.scrub' is 4MiB in the running spoold, and cannot be "
              "changed while it runs");
  }
  EXPECT_TRUE(seen);
}

TEST(ReloadPlan, WhatCanChangeIsNotRefused) {
  const std::string targets = "targets: { t: { type: stdout } }\n";
  const ReloadPlan plan =
      Plan(targets,
           "log: { level: debug, format: json }\nadmin: { tokens: [ { env: HOME } ] }\n"
           "sources: { web: { type: http, paths: [/events], quota: { events: 5/s }, tokens: [ { "
           "env: HOME } ] } }\n"
           "streams: { quarantine: { retention: { age: 1d, size: 20MiB }, when_full: reject } }\n" +
               targets);
  EXPECT_THAT(plan.fixed, IsEmpty());
  EXPECT_THAT(plan.changed, IsEmpty());
  EXPECT_THAT(plan.keys, ::testing::Contains("sources.web.quota.events"));
}

}  // namespace
}  // namespace spool
