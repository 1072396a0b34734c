// From text to settings: defaults, every section, several files, the command line.
#include "tests/app/config_fixture.h"
#include "tests/support/paths.h"

namespace spool {
namespace {

using namespace config_test;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kOut = "targets: { out: { type: stdout } }\n";

const StreamOptions& Stream(const Config& config, const std::string& name) {
  for (const StreamOptions& stream : config.journal.streams) {
    if (stream.name == name) return stream;
  }
  ADD_FAILURE() << name;
  return config.journal.streams.front();
}

TEST(Config, RulesOfClassificationAreReadAndChecked) {
  const Config config =
      Good(std::string("version: 1\nclassification: { webhook_mutations: false }\nclassify:\n"
                       "- { when: { source: web, data.team: \"*\" }, set: { category: security, "
                       "subcategory: rbac, severity: alert, stream: quiet } }\n"
                       "- { when: [ { kind: Pod }, { kind: Node } ], set: { severity: info } }\n"
                       "streams: { quiet: {} }\n") +
           kOut);
  EXPECT_FALSE(config.webhook_mutations);
  ASSERT_THAT(config.classify, SizeIs(2));
  EXPECT_THAT(config.classify[0].when, SizeIs(1));
  EXPECT_EQ(config.classify[0].subcategory, "rbac");
  EXPECT_EQ(config.classify[0].severity, Severity::kAlert);
  EXPECT_EQ(config.classify[0].stream, "quiet");
  EXPECT_THAT(config.classify[1].when, SizeIs(2));
  EXPECT_EQ(config.classify[1].category, "");
  EXPECT_TRUE(Good(std::string("version: 1\n") + kOut).webhook_mutations);

  const auto problems = [](const std::string& rule) {
    return Problems("version: 1\nclassify:\n- " + rule + "\n" + kOut);
  };
  EXPECT_THAT(problems("{ when: { kind: Pod } }"), ElementsAre(HasSubstr("must set something")));
  EXPECT_THAT(problems("{ set: { severity: info } }"), ElementsAre(HasSubstr("when")));
  EXPECT_THAT(problems("{ when: { kind: Pod }, set: { category: security } }"),
              ElementsAre(HasSubstr("set together")));
  EXPECT_THAT(problems("{ when: { kind: Pod }, set: { category: security, subcategory: quota } }"),
              ElementsAre(HasSubstr("'quota' is no subcategory of 'security'")));
  EXPECT_THAT(problems("{ when: { kind: Pod }, set: { stream: nowhere } }"),
              ElementsAre(HasSubstr("there is no stream 'nowhere'")));
  EXPECT_THAT(problems("{ when: { kind: Pod }, set: { stream: quarantine } }"),
              ElementsAre(HasSubstr("there is no stream 'quarantine'")));
  EXPECT_THAT(problems("{ when: { kind: \"=~[\" }, set: { severity: info } }"), SizeIs(1));
}

TEST(Config, DefaultsAreThoseOfTheRoomsThatUseThem) {
  const Config config = Good(std::string("version: 1\n") + kOut);
  const JournalOptions journal;
  EXPECT_EQ(config.journal.compression_level, journal.compression_level);
  EXPECT_EQ(config.journal.dedupe_window, journal.dedupe_window);
  EXPECT_EQ(config.journal.dedupe_entries, journal.dedupe_entries);
  EXPECT_EQ(config.journal.disk_reserve_bytes, journal.disk_reserve_bytes);
  const Config with_source =
      Good(std::string("version: 1\nsources: { web: { type: http } }\n") + kOut);
  for (const Config& each : {config, with_source}) {
    ASSERT_THAT(each.http_sources, SizeIs(1));
    EXPECT_EQ(each.http_sources[0].name, "web");
    EXPECT_EQ(each.http_sources[0].address, "127.0.0.1:8080");
    EXPECT_THAT(each.http_sources[0].paths, IsEmpty());
    const net::HttpLimits limits, &got = each.http_sources[0].limits;
    EXPECT_EQ(got.body_bytes, limits.body_bytes);
    EXPECT_EQ(got.in_flight_bytes, limits.in_flight_bytes);
    EXPECT_EQ(got.connections, limits.connections);
    EXPECT_EQ(got.connections_per_peer, 0u);
    EXPECT_EQ(got.header_timeout, limits.header_timeout);
    EXPECT_EQ(got.body_timeout, limits.body_timeout);
    EXPECT_EQ(got.idle_timeout, limits.idle_timeout);
  }
  const TargetSettings& target = config.targets.at(0).settings;
  EXPECT_EQ(target.batch.events, BatchLimits{}.events);
  EXPECT_EQ(target.batch.bytes, BatchLimits{}.bytes);
  EXPECT_EQ(target.batch.wait, BatchLimits{}.wait);
  EXPECT_EQ(target.retry.first, RetryPolicy{}.first);
  EXPECT_EQ(target.retry.max, RetryPolicy{}.max);
  EXPECT_EQ(target.sink.timeout.connect, TargetTimeouts{}.connect);
  EXPECT_EQ(target.sink.timeout.request, TargetTimeouts{}.request);
  EXPECT_EQ(target.events_per_second, 0);
  EXPECT_EQ(target.age_max, 0us);
  EXPECT_EQ(config.targets[0].start, TargetConfig::Start::kNow);

  const Config nats =
      Good("version: 1\ntargets: { n: { type: nats }, h: { type: webhook, url: \"http://h\" } }\n");
  const auto& of = std::get<NatsSettings>(nats.targets.at(0).settings.sink.of);
  EXPECT_EQ(of.url, NatsSettings{}.url);
  EXPECT_EQ(of.subject, NatsSettings{}.subject);
  EXPECT_EQ(of.window, NatsSettings{}.window);
  const auto& hook = std::get<WebhookSettings>(nats.targets.at(1).settings.sink.of);
  EXPECT_EQ(hook.format, WebhookSettings{}.format);
  EXPECT_EQ(hook.concurrency, WebhookSettings{}.concurrency);
}

TEST(Config, TheEmbeddedDefaultShowsEverythingOnStdout) {
  const Config config = DefaultConfig();
  EXPECT_EQ(config.data_dir, "./spool-data");
  EXPECT_EQ(config.journal.dir, "./spool-data");
  EXPECT_EQ(config.admin.address, "127.0.0.1:8081");
  EXPECT_FALSE(config.has_routes);
  ASSERT_THAT(config.http_sources, SizeIs(1));
  EXPECT_EQ(config.http_sources[0].address, "127.0.0.1:8080");
  ASSERT_THAT(config.targets, SizeIs(1));
  EXPECT_EQ(config.targets[0].settings.name, "stdout");
  EXPECT_EQ(config.targets[0].settings.type, "stdout");
  EXPECT_EQ(config.targets[0].start, TargetConfig::Start::kBeginning);
  ASSERT_THAT(config.journal.streams, SizeIs(6));
  const Micros day = std::chrono::hours(24);
  const std::pair<std::string, int> ages[] = {
      {"kubernetes-events", 7}, {"infrastructure-changes", 14},
      {"security-events", 30},  {"admission-control", 30},
      {"quarantine", 7},        {"spool-audit", 365}};
  for (const auto& [name, days] : ages) {
    EXPECT_EQ(Stream(config, name).age_max, day * days) << name;
    EXPECT_EQ(Stream(config, name).special, name == "quarantine" || name == "spool-audit");
  }
  EXPECT_EQ(Stream(config, "quarantine").bytes_max, uint64_t{256} << 20);
  EXPECT_EQ(Stream(config, "quarantine").when_full, WhenFull::kDropOldest);
  EXPECT_EQ(Stream(config, "security-events").when_full, WhenFull::kReject);
}

TEST(Config, ConnectionsOfOneClientAreLimitedWhereAsked) {
  const Config config =
      Good(std::string("version: 1\nsources: { web: { type: http, limits: { connections: 100, "
                       "connections_per_peer: 7 } } }\n") +
           kOut);
  EXPECT_EQ(config.http_sources.at(0).limits.connections, 100u);
  EXPECT_EQ(config.http_sources.at(0).limits.connections_per_peer, 7u);
}

TEST(Config, TheCompleteExampleSaysWhatItMeans) {
  const std::string path = spool::testing::SourceDir() + "/docs/examples/complete.yaml";
  const ConfigResult result = LoadConfig(path);
  ASSERT_TRUE(result.config.has_value()) << All(result);
  EXPECT_THAT(result.warnings, IsEmpty()) << All(result);
  const Config& config = *result.config;
  EXPECT_EQ(config.cluster, "prod-eu");
  EXPECT_EQ(config.journal.dir, "/var/lib/spool");
  EXPECT_EQ(config.log_format, log::Format::kJson);
  ASSERT_THAT(config.admin.tokens, SizeIs(1));
  EXPECT_EQ(config.admin.tokens[0].secret.Where(), "file:/etc/spool/secrets/operator");
  EXPECT_EQ(config.admin.tokens[0].role, "operator");
  ASSERT_THAT(config.http_sources, SizeIs(2));
  EXPECT_EQ(config.http_sources[0].limits.body_bytes, size_t{64} << 20);
  EXPECT_EQ(config.http_sources[0].limits.in_flight_bytes, size_t{64} << 20);
  EXPECT_EQ(config.http_sources[0].quota.events_per_second, 50'000);
  EXPECT_EQ(config.http_sources[0].quota.bytes_per_second, 100 * 1024 * 1024);
  EXPECT_THAT(config.http_sources[1].paths, ElementsAre("/audit"));
  EXPECT_EQ(Stream(config, "security-events").bytes_max, uint64_t{50} << 30);
  EXPECT_TRUE(config.has_routes);
  ASSERT_THAT(config.routes, SizeIs(2));
  EXPECT_THAT(config.routes[0].match, IsEmpty());
  ASSERT_THAT(config.routes[1].match, SizeIs(2));
  EXPECT_THAT(config.routes[1].match[0],
              ElementsAre(std::pair<std::string, std::string>("category", "security"),
                          std::pair<std::string, std::string>("severity", ">=warning")));
  EXPECT_THAT(config.routes[1].drop, SizeIs(2));
  EXPECT_THAT(config.routes[1].to, ElementsAre("pager"));
  const auto& bus = std::get<NatsSettings>(config.targets.at(0).settings.sink.of);
  EXPECT_EQ(bus.subject, "events.{stream}");
  EXPECT_EQ(bus.username, "spool");
  EXPECT_EQ(bus.password->Where(), "file:/etc/spool/secrets/nats");
  const TargetSettings& pager = config.targets.at(1).settings;
  EXPECT_EQ(pager.sink.target, "pager");
  EXPECT_EQ(pager.batch.events, 100u);
  EXPECT_EQ(pager.batch.wait, 200ms);
  EXPECT_EQ(pager.sink.timeout.connect, 2s);
  EXPECT_EQ(pager.retry.max, 5min);
  EXPECT_EQ(pager.events_per_second, 100);
  EXPECT_EQ(pager.age_max, std::chrono::hours(72));
  EXPECT_EQ(std::get<WebhookSettings>(pager.sink.of).bearer->Where(), "env:PAGER_TOKEN");
}

TEST(Config, EveryExampleIsGood) {
  const auto directory = std::filesystem::path(spool::testing::SourceDir()) / "docs/examples";
  size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const ConfigResult result = LoadConfig(entry.path().string());
    EXPECT_TRUE(result.config.has_value()) << All(result);
    EXPECT_THAT(result.warnings, IsEmpty()) << All(result);
    ++seen;
  }
  EXPECT_GE(seen, 3u);
}

TEST(Config, MergedTargetsShareWhatTheyDoNotSay) {
  const Config config =
      *LoadConfig(spool::testing::SourceDir() + "/docs/examples/shared-settings.yaml").config;
  const TargetConfig& green = config.targets.at(1);
  const auto& hook = std::get<WebhookSettings>(green.settings.sink.of);
  EXPECT_EQ(hook.url, "https://green.example.org/events");
  EXPECT_EQ(hook.format, WebhookSettings::Format::kBatch);
  EXPECT_EQ(green.settings.retry.max, 10min);
  EXPECT_EQ(green.start, TargetConfig::Start::kTime);
  EXPECT_EQ(ToMicros(green.start_time), 1795132800000000);
}

TEST(Config, AStreamOverridesOnlyWhatItSays) {
  const Config config = Good(
      "version: 1\nstreams:\n"
      "  security-events: { retention: { size: 1GiB } }\n"
      "  quarantine: { when_full: reject }\n"
      "  mine:\n" +
      std::string(kOut));
  ASSERT_THAT(config.journal.streams, SizeIs(7));
  EXPECT_EQ(Stream(config, "security-events").age_max, std::chrono::hours(24 * 30));
  EXPECT_EQ(Stream(config, "security-events").bytes_max, uint64_t{1} << 30);
  EXPECT_EQ(Stream(config, "quarantine").bytes_max, uint64_t{256} << 20);
  EXPECT_EQ(Stream(config, "quarantine").when_full, WhenFull::kReject);
  EXPECT_TRUE(Stream(config, "quarantine").special);
  EXPECT_EQ(Stream(config, "mine").age_max, std::chrono::hours(24 * 7));
  EXPECT_FALSE(Stream(config, "mine").special);
}

TEST(Config, MoreStreamsThanTheJournalHoldsAreRefused) {
  std::string text = std::string("version: 1\n") + kOut + "streams:\n";
  for (int i = 0; i < 57; ++i) text += "  s" + std::to_string(i) + ":\n";
  EXPECT_THAT(Problems(text), IsEmpty());
  EXPECT_THAT(Problems(text + "  one-more:\n"),
              ElementsAre(HasSubstr("there are 64 streams; 63 are possible")));
}

TEST(Config, RatesAndStartsAreReadInAllTheirForms) {
  const auto target = [](const std::string& what) {
    return Good("version: 1\ntargets: { t: { type: null, " + what + " } }\n").targets.at(0);
  };
  EXPECT_EQ(target("rate: 250").settings.events_per_second, 250);
  EXPECT_EQ(target("rate: 0.5").settings.events_per_second, 0.5);
  EXPECT_EQ(target("rate: 600/m").settings.events_per_second, 10);
  EXPECT_EQ(target("rate: \"100/s\"").settings.events_per_second, 100);
  EXPECT_EQ(target("start: now").start, TargetConfig::Start::kNow);
  EXPECT_EQ(target("start: beginning").start, TargetConfig::Start::kBeginning);
  EXPECT_EQ(target("start: 2h").start, TargetConfig::Start::kTime);
  EXPECT_TRUE(std::holds_alternative<NullSettings>(target("rate: 1").settings.sink.of));
}

TEST(Config, AQuotaIsReadInAllItsForms) {
  const auto quota = [](const std::string& what) {
    return Good("version: 1\nsources: { s: { type: http, quota: { " + what + " } } }\n" + kOut)
        .http_sources.at(0)
        .quota;
  };
  const QuotaLimits both = quota("events: 50000/s, bytes: 100MiB/s, in_flight: 64");
  EXPECT_EQ(both.events_per_second, 50'000);
  EXPECT_EQ(both.bytes_per_second, 100 * 1024 * 1024);
  EXPECT_EQ(both.requests, 64u);
  EXPECT_EQ(quota("bytes: 6GiB/m").bytes_per_second, 6.0 * (1 << 30) / 60);
  EXPECT_EQ(quota("bytes: 4096").bytes_per_second, 4096);
  EXPECT_FALSE(quota("events: 0, bytes: 0, in_flight: 0").any());
  EXPECT_FALSE(Good(std::string("version: 1\n") + kOut).http_sources.at(0).quota.any());
  const auto problems = [](const std::string& what) {
    return Problems("version: 1\nsources: { s: { type: http, quota: { " + what + " } } }\n" + kOut);
  };
  EXPECT_THAT(problems("bytes: 100/d"), ElementsAre(HasSubstr("must be a size in a time")));
  EXPECT_THAT(problems("bytes: 1/s"), ElementsAre(HasSubstr("1KiB/s to 64GiB/s, or 0 (no limit)")));
  EXPECT_THAT(problems("bytes: -1/s"), SizeIs(1));
  EXPECT_THAT(problems("events: many"), ElementsAre(HasSubstr("must be a rate")));
  EXPECT_THAT(problems("in_flight: 70000"), ElementsAre(HasSubstr("1 to 65536")));
}

TEST(Config, AMatcherThatCannotBeCompiledIsToldAtItsValue) {
  const std::string head = std::string("version: 1\n") + kOut + "routes:\n  - to: [out]\n";
  EXPECT_THAT(Problems(head + "    match: { kind: Node, reason: \"=~(\" }\n"),
              ElementsAre(AllOf(HasSubstr("5:35 "), HasSubstr("reason"))));
  EXPECT_THAT(Problems(head + "    drop: [ { severity: \">=loud\" } ]\n"),
              ElementsAre(AllOf(HasSubstr("5:26 "), HasSubstr("severity"))));
  EXPECT_THAT(Problems(head + "    match: { severty: warning }\n"),
              ElementsAre(AllOf(HasSubstr("5:14 "), HasSubstr("did you mean 'severity'?"))));
  EXPECT_THAT(Problems(head + "    match: [ { data.a.b: \"x*\", labels.app: \"!y|z\" } ]\n"),
              IsEmpty());
}

TEST(Config, ATargetThatNoRouteReachesIsAnError) {
  const std::string targets = "targets: { a: { type: stdout }, b: { type: null } }\n";
  EXPECT_THAT(Problems("version: 1\nroutes: [ { to: [a] } ]\n" + targets),
              ElementsAre(HasSubstr("3:33 no route leads to the target 'b'")));
  const Config config = Good("version: 1\nroutes: [ { to: [a] }, { to: [b, a] } ]\n" + targets);
  EXPECT_EQ(config.routes[1].name, "route-2");
  const ConfigResult none = ParseConfig("version: 1\nroutes: []\n" + targets, "spool.yaml");
  ASSERT_TRUE(none.config.has_value());
  EXPECT_TRUE(none.config->has_routes);
  EXPECT_THAT(Lines(none.warnings), ElementsAre(HasSubstr("nothing will be delivered")));
}

TEST(Config, AnAdminAddressBeyondLoopbackNeedsTlsOrInsecureAndAToken) {
  const auto problems = [](const std::string& admin) {
    return Problems("version: 1\nadmin: { " + admin + " }\n" + kOut);
  };
  EXPECT_THAT(problems("address: 127.0.0.9:1"), IsEmpty());
  EXPECT_THAT(problems("address: \"[::1]:1\""), IsEmpty());
  EXPECT_THAT(problems("address: 0.0.0.0:1"), ElementsAre(HasSubstr("without TLS")));
  EXPECT_THAT(problems("address: 0.0.0.0:1, insecure: true"),
              ElementsAre(HasSubstr("at least one token")));
  EXPECT_THAT(problems("address: 0.0.0.0:1, tokens: [ { env: T } ]"),
              ElementsAre(HasSubstr("without TLS")));
  EXPECT_THAT(problems("address: 0.0.0.0:1, insecure: true, tokens: [ { env: T } ]"), IsEmpty());
  EXPECT_THAT(problems("address: 0.0.0.0:1, tls: { cert: c, key: k }"),
              ElementsAre(HasSubstr("at least one token")));
  EXPECT_THAT(problems("address: 0.0.0.0:1, tls: { cert: c, key: k }, tokens: [ { env: T } ]"),
              IsEmpty());
}

TEST(Config, TlsOfListenersIsReadAndItsContradictionsAreToldWithTheirPlaces) {
  const Config config = Good(
      "version: 1\n"
      "admin: { tls: { cert: a.crt, key: a.key, client_ca: a.ca } }\n"
      "sources:\n"
      "  audit: { type: http, tls: { cert: s.crt, key: s.key, client_ca: s.ca,\n"
      "           client_cert: optional, client_names: [agent, b.example] },\n"
      "           tokens: [ { file: /t }, { env: T } ] }\n"
      "targets: { hook: { type: webhook, url: \"https://h\", tls: { ca: w.ca, cert: w.crt, key: "
      "w.key } } }\n");
  ASSERT_TRUE(config.admin.tls);
  EXPECT_EQ(config.admin.tls->cert, "a.crt");
  EXPECT_EQ(config.admin.tls->client_ca, "a.ca");
  EXPECT_TRUE(config.admin.tls->client_required);
  const HttpSourceSettings& audit = config.http_sources.front();
  ASSERT_TRUE(audit.tls);
  EXPECT_EQ(audit.tls->key, "s.key");
  EXPECT_FALSE(audit.tls->client_required);
  EXPECT_TRUE(audit.auth.either);
  EXPECT_THAT(audit.auth.client_names, ElementsAre("agent", "b.example"));
  ASSERT_THAT(audit.auth.tokens, SizeIs(2));
  EXPECT_EQ(audit.auth.tokens[1].Where(), "env:T");
  const auto& hook = std::get<WebhookSettings>(config.targets[0].settings.sink.of);
  EXPECT_EQ(hook.tls.ca_file, "w.ca");
  EXPECT_EQ(hook.tls.key_file, "w.key");

  const auto source = [](const std::string& fields) {
    return Problems("version: 1\nsources: { x: { type: http, " + fields + " } }\n" + kOut);
  };
  EXPECT_THAT(source("tls: {}"),
              ElementsAre(HasSubstr("2:34 'tls' needs 'cert'"), HasSubstr("'tls' needs 'key'")));
  EXPECT_THAT(source("tls: { cert: c }"), ElementsAre(HasSubstr("'tls' needs 'key'")));
  EXPECT_THAT(source("tls: { cert: c, key: k, client_names: [a] }"),
              ElementsAre(HasSubstr("2:67 'client_names' needs 'client_ca'")));
  EXPECT_THAT(source("tls: { cert: c, key: k, client_ca: a, client_names: [] }"),
              ElementsAre(HasSubstr("must not be empty")));
  EXPECT_THAT(source("tls: { cert: c, key: k, client_ca: a, client_cert: optional }"),
              ElementsAre(HasSubstr("needs 'tokens'")));
  EXPECT_THAT(source("tokens: []"), ElementsAre(HasSubstr("must not be empty")));
  EXPECT_THAT(source("tokens: [ { file: f, env: E } ]"), ElementsAre(HasSubstr("file or env")));
  EXPECT_THAT(source("tokens: [ { file: f, role: viewer } ]"), ElementsAre(HasSubstr("role")));
  const auto admin = [](const std::string& fields) {
    return Problems("version: 1\nadmin: { " + fields + " }\n" + kOut);
  };
  EXPECT_THAT(admin("insecure: true, tls: { cert: c, key: k }"),
              ElementsAre(HasSubstr("exclude each other")));
  EXPECT_THAT(admin("tls: { cert: c, key: k, client_cert: optional }"),
              ElementsAre(HasSubstr("client_cert")));
  EXPECT_THAT(admin("tokens: [ { file: f, role: root } ]"), SizeIs(1));
  const auto hook_problems = [](const std::string& fields) {
    return Problems("version: 1\ntargets: { x: { type: webhook, " + fields + " } }\n");
  };
  EXPECT_THAT(hook_problems("url: \"http://h\", tls: { ca: c }"),
              ElementsAre(HasSubstr("https://")));
  EXPECT_THAT(hook_problems("url: \"https://h\", tls: { cert: c }"),
              ElementsAre(HasSubstr("'cert' needs 'key'")));
}

TEST(Config, TwoListenersOnOneAddressAreRefused) {
  const auto problems = [](const std::string& text) {
    return Problems("version: 1\n" + text + "\n" + kOut);
  };
  EXPECT_THAT(problems("admin: { address: 127.0.0.1:8080 }"),
              ElementsAre(HasSubstr("the default source 'web'")));
  EXPECT_THAT(problems("sources: { a: { type: http, address: 127.0.0.1:8081 } }"),
              ElementsAre(HasSubstr("the admin listener and the source 'a'")));
  EXPECT_THAT(problems("sources: { a: { type: http, address: 0.0.0.0:1 }, "
                       "b: { type: http, address: 127.0.0.1:1 } }"),
              SizeIs(1));
  EXPECT_THAT(problems("sources: { a: { type: http, address: 127.0.0.2:1 }, "
                       "b: { type: http, address: 127.0.0.1:1 } }"),
              IsEmpty());
  EXPECT_THAT(problems("sources: { a: { type: http, address: 127.0.0.1:0 }, "
                       "b: { type: http, address: 127.0.0.1:0 } }"),
              IsEmpty());
}

TEST(Config, VariablesAreTakenFromTheEnvironment) {
  const ScopedEnv level("SPOOL_TEST_LEVEL", "3");
  const ScopedEnv yes("SPOOL_TEST_YES", "true");
  const ScopedEnv evil("SPOOL_TEST_EVIL", "x, insecure: true");
  const Config config = Good(
      "version: 1\ncluster: { name: \"${SPOOL_TEST_EVIL}\" }\n"
      "journal: { compression_level: \"${SPOOL_TEST_LEVEL}\" }\n"
      "admin:\n  insecure: ${SPOOL_TEST_YES}\n" +
      std::string(kOut));
  EXPECT_EQ(config.cluster, "x, insecure: true");
  EXPECT_EQ(config.journal.compression_level, 3);
  EXPECT_TRUE(config.admin.insecure);
}

TEST(Config, NatsSettingsThatContradictAreRefused) {
  const auto problems = [](const std::string& text) {
    return Problems("version: 1\ntargets: { n: { type: nats, " + text + " } }\n");
  };
  EXPECT_THAT(problems("username: u"), ElementsAre(HasSubstr("'username' needs 'password'")));
  EXPECT_THAT(problems("password: { env: P }"), ElementsAre(HasSubstr("needs 'username'")));
  EXPECT_THAT(problems("token: { env: T }, username: u, password: { env: P }"),
              ElementsAre(HasSubstr("exclude each other")));
  for (const char* bad :
       {"\"a b\"", "\"a.>\"", "\"*\"", ".a", "a..b", "\"{kind}\"", "\"{stream\""}) {
    EXPECT_THAT(problems(std::string("subject: ") + bad), SizeIs(1)) << bad;
  }
  EXPECT_THAT(problems("stream: a.b"), SizeIs(1));
  EXPECT_THAT(problems("url: \"nats://joe:secret@h\""),
              ElementsAre(HasSubstr("must not hold a user or password")));
}

TEST(Config, KafkaTakesWhatAStrimziClusterNeeds) {
  const Config config = Good(R"(version: 1
targets:
  bus:
    type: kafka
    brokers: ["kafka:9093", "[::1]:9092"]
    topic: "{{ .event.stream }}"
    key: "{{ .event.subject }}"
    tls: { ca: /etc/spool/kafka/ca.crt }
    sasl: { mechanism: SCRAM-SHA-512, username: spool, password: { file: /etc/spool/kafka/password } }
  plain: { type: kafka, brokers: ["kafka"], tls: {}, batch: { events: 70 } }
)");
  const auto& bus = std::get<KafkaSettings>(config.targets.at(0).settings.sink.of);
  EXPECT_THAT(bus.brokers, ElementsAre("kafka:9093", "[::1]:9092"));
  EXPECT_EQ(bus.topic, "{{ .event.stream }}");
  EXPECT_EQ(bus.key, "{{ .event.subject }}");
  EXPECT_EQ(bus.tls->ca_file, "/etc/spool/kafka/ca.crt");
  EXPECT_EQ(bus.sasl->mechanism, "SCRAM-SHA-512");
  EXPECT_EQ(bus.sasl->username, "spool");
  EXPECT_EQ(bus.sasl->password->Where(), "file:/etc/spool/kafka/password");
  EXPECT_EQ(config.targets.at(0).settings.batch.events, 5000u);
  EXPECT_EQ(config.targets.at(0).settings.batch.bytes, size_t{4} << 20);
  EXPECT_EQ(config.targets.at(1).settings.batch.events, 70u);
  EXPECT_EQ(config.targets.at(1).settings.batch.bytes, size_t{4} << 20);
  const auto& plain = std::get<KafkaSettings>(config.targets.at(1).settings.sink.of);
  const KafkaSettings defaults;
  EXPECT_EQ(plain.topic, defaults.topic);
  EXPECT_EQ(plain.key, defaults.key);
  EXPECT_EQ(plain.compression, defaults.compression);
  EXPECT_TRUE(plain.tls.has_value());
  EXPECT_FALSE(plain.sasl.has_value());
}

TEST(Config, KafkaSettingsThatCannotWorkAreRefused) {
  const auto result = [](const std::string& text) {
    return ParseConfig("version: 1\ntargets: { k: { type: kafka, " + text + " } }\n", "spool.yaml");
  };
  const auto problems = [&](const std::string& text) { return Lines(result(text).problems); };
  EXPECT_THAT(problems("topic: a"), ElementsAre(HasSubstr("'brokers' is missing")));
  EXPECT_THAT(problems("brokers: []"), ElementsAre(HasSubstr("must not be empty")));
  EXPECT_THAT(problems("brokers: [\"ssl://k:1\"]"), ElementsAre(HasSubstr("without a scheme")));
  const std::string good = "brokers: [k], ";
  EXPECT_THAT(problems(good + "topic: \"{name}\""), ElementsAre(HasSubstr("{severity}")));
  EXPECT_THAT(problems(good + "topic: a b"), ElementsAre(HasSubstr("topic")));
  EXPECT_THAT(problems(good + "key: \"{nmae}\""), ElementsAre(HasSubstr("{namespace}")));
  EXPECT_THAT(problems(good + "compression: lz5"), SizeIs(1));
  EXPECT_THAT(problems(good + "tls: { cert: /x }"), ElementsAre(HasSubstr("'cert' needs 'key'")));
  EXPECT_THAT(problems(good + "tls: {}, sasl: { username: u }"),
              ElementsAre(HasSubstr("'sasl' needs 'password'")));
  EXPECT_THAT(problems(good + "tls: {}, sasl: { password: { env: P } }"),
              ElementsAre(HasSubstr("'sasl' needs 'username'")));
  const auto open = result(good + "sasl: { username: u, password: { env: P } }");
  EXPECT_THAT(open.problems, IsEmpty());
  EXPECT_THAT(Lines(open.warnings), ElementsAre(HasSubstr("without TLS")));
}

TEST(Config, WebhookHeadersAreChecked) {
  const auto result = [](const std::string& headers) {
    return ParseConfig("version: 1\ntargets: { h: { type: webhook, url: \"http://h\", headers: { " +
                           headers + " } } }\n",
                       "spool.yaml");
  };
  EXPECT_THAT(Lines(result("\"X Y\": a").problems), ElementsAre(HasSubstr("not a header's name")));
  EXPECT_THAT(Lines(result("Host: a").problems),
              ElementsAre(HasSubstr("set by the target itself")));
  EXPECT_THAT(Lines(result("X-A: a, x-a: b").problems), ElementsAre(HasSubstr("given twice")));
  EXPECT_THAT(Lines(result("X-A: \"a\\r\\nX-B: c\"").problems),
              ElementsAre(HasSubstr("control characters")));
  EXPECT_THAT(Lines(result("Authorization: Basic abc").warnings),
              ElementsAre(HasSubstr("holds a secret in plain text")));
  const ScopedEnv basic("SPOOL_TEST_BASIC", "Basic abc");
  EXPECT_THAT(result("Authorization: \"${SPOOL_TEST_BASIC}\"").warnings, IsEmpty());
  EXPECT_THAT(Good("version: 1\ntargets: { h: { type: webhook, url: \"http://h\", headers: { B: x, "
                   "A: y } } }\n")
                  .targets.at(0)
                  .settings.sink.of.index(),
              3u);
}

TEST(ConfigDirectory, FilesAreReadAsOne) {
  const TempDir dir;
  dir.Write("10-base.yaml", "version: 1\nlog: { level: warn }\ncluster: { name: c }\n");
  dir.Write("20-targets.yml",
            "targets: { a: { type: stdout } }\nroutes: [ { name: r1, to: [a] } ]\n");
  dir.Write("30-more.yaml",
            "version: 1\nlog: { format: json }\ntargets: { b: { type: null } }\n"
            "routes: [ { name: r2, to: [b, a] } ]\n");
  dir.Write("40-empty.yaml", "");
  dir.Write("50-nothing.yaml", "targets:\n");
  dir.Write(".hidden.yaml", "nonsense: [");
  dir.Write("notes.txt", "nonsense: [");
  const ConfigResult result = LoadConfig(dir.path());
  ASSERT_TRUE(result.config.has_value()) << All(result);
  EXPECT_EQ(result.config->log_level, log::Level::kWarn);
  EXPECT_EQ(result.config->log_format, log::Format::kJson);
  ASSERT_THAT(result.config->targets, SizeIs(2));
  ASSERT_THAT(result.config->routes, SizeIs(2));
  EXPECT_EQ(result.config->routes[0].name, "r1");
}

TEST(ConfigDirectory, NamesGivenInTwoFilesAreToldWithBothPlaces) {
  const TempDir dir;
  const std::string a =
      dir.Write("a.yaml", "version: 1\ndata_dir: /a\ntargets:\n  x: { type: stdout }\n");
  const std::string b = dir.Write("b.yaml", "targets:\n  x: { type: null }\ndata_dir: /b\n");
  dir.Write("c.yaml", "targets: []\nversion: 2\n");
  const std::vector<std::string> told = Lines(LoadConfig(dir.path()).problems);
  EXPECT_THAT(told,
              Contains("2:3 'x' is given twice in 'targets' (the first is at " + a + ":4:3)"));
  EXPECT_THAT(told, Contains("3:1 'data_dir' is given twice (the first is at " + a + ":2:1)"));
  EXPECT_THAT(told, Contains(HasSubstr("1:1 'targets' is given twice")));
  EXPECT_THAT(told, Contains(HasSubstr("2:1 'version' is given twice")));
  EXPECT_THAT(told, SizeIs(4));
}

TEST(ConfigDirectory, EachFileAnswersForItsOwnProblems) {
  const TempDir dir;
  const std::string a = dir.Write("a.yaml", "version: 1\nlog: { level: loud }\n");
  const std::string b = dir.Write("b.yaml", "targets: { x: { type: stdout }\n");
  const ConfigResult result = LoadConfig(dir.path());
  ASSERT_FALSE(result.problems.empty());
  EXPECT_THAT(All(result), HasSubstr(b + ":2:1: error: this is not valid YAML"));
  EXPECT_FALSE(result.config.has_value());
}

TEST(ConfigDirectory, WhatCannotBeReadIsTold) {
  const TempDir dir;
  EXPECT_THAT(All(LoadConfig(dir.path() + "/nowhere.yaml")), HasSubstr("there is no such file"));
  EXPECT_THAT(All(LoadConfig(dir.path())), HasSubstr("has no *.yaml or *.yml file"));
}

TEST(ConfigOverrides, TakeTheFlagsPlaceAndCheckAgain) {
  Config config = DefaultConfig();
  ASSERT_TRUE(ApplyOverrides({"/d", "127.0.0.1:0", "127.0.0.1:0"}, &config).has_value());
  EXPECT_EQ(config.data_dir, "/d");
  EXPECT_EQ(config.journal.dir, "/d");
  EXPECT_EQ(config.http_sources[0].address, "127.0.0.1:0");
  EXPECT_EQ(config.admin.address, "127.0.0.1:0");
  const auto error = [](const ConfigOverrides& overrides) {
    Config fresh = DefaultConfig();
    const Status status = ApplyOverrides(overrides, &fresh);
    EXPECT_FALSE(status.has_value());
    EXPECT_EQ(fresh.admin.address, "127.0.0.1:8081");
    return status.has_value() ? std::string() : status.error().message;
  };
  EXPECT_THAT(error({"", "here", ""}), HasSubstr("--ingest: 'here'"));
  EXPECT_THAT(error({"", "", "localhost:1"}), HasSubstr("--admin: 'localhost:1'"));
  EXPECT_THAT(error({"", "", "0.0.0.0:9"}), HasSubstr("without TLS"));
  EXPECT_THAT(error({"", "127.0.0.1:8081", ""}), HasSubstr("--ingest: the admin listener and"));
  EXPECT_THAT(error({"", "", "127.0.0.1:8080"}), HasSubstr("--admin: the admin listener and"));
}

}  // namespace
}  // namespace spool
