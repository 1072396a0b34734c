#include "app/descriptors.h"

#include <gtest/gtest.h>

#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

Config WithTargets() {
  Config config = TestConfig("/nowhere");
  config.targets = {FileTarget("f", "/dev/null"), WebhookTarget("w", "http://localhost")};
  return config;
}

TEST(Descriptors, ManyLeaveEverythingAsItIs) {
  Config config = WithTargets();
  const size_t connections = config.http_sources[0].limits.connections;
  ASSERT_TRUE(FitDescriptors(65536, &config));
  EXPECT_EQ(config.http_sources[0].limits.connections, connections);
  EXPECT_EQ(config.journal.open_tables_max, 256);
  EXPECT_EQ(config.admin.connections, 128u);
}

TEST(Descriptors, FewAreSharedAndNeverPromisedTwice) {
  for (const uint64_t limit : {200u, 256u, 512u, 1024u}) {
    Config config = WithTargets();
    config.http_sources.push_back(config.http_sources[0]);
    for (HttpSourceSettings& source : config.http_sources) source.limits.connections = 1024;
    ASSERT_TRUE(FitDescriptors(limit, &config)) << limit;
    uint64_t promised = static_cast<uint64_t>(config.journal.open_tables_max);
    promised += config.admin.connections;
    for (const HttpSourceSettings& source : config.http_sources) {
      EXPECT_GE(source.limits.connections, 16u) << limit;
      promised += source.limits.connections;
    }
    EXPECT_LE(promised + 64 + 4 + 10, limit) << "the process, a file, a webhook";
    EXPECT_GE(config.journal.open_tables_max, 32);
    EXPECT_GE(config.admin.connections, 16u);
  }
}

TEST(Descriptors, TooFewAreRefusedAndNothingChanges) {
  Config config = WithTargets();
  const Status fits = FitDescriptors(100, &config);
  ASSERT_FALSE(fits);
  EXPECT_EQ(fits.error().code, Code::kInvalid);
  EXPECT_EQ(config.journal.open_tables_max, 256);
}

// The smallest limit that is enough tells what the targets are given.
uint64_t Least(std::vector<TargetConfig> targets) {
  Config config = TestConfig("/nowhere");
  config.targets = std::move(targets);
  uint64_t limit = 1;
  while (!FitDescriptors(limit, &config)) ++limit;
  return limit;
}

TargetConfig Target(auto settings) {
  TargetConfig target;
  target.settings.sink.of = std::move(settings);
  return target;
}

TEST(Descriptors, ATargetsPartIsWhatItsKindNeeds) {
  const uint64_t none = Least({});
  const auto part = [&](TargetConfig target) { return Least({std::move(target)}) - none; };
  EXPECT_EQ(part(Target(NullSettings())), 0u);
  EXPECT_EQ(part(Target(StdoutSettings())), 0u);
  EXPECT_EQ(part(Target(FileSettings())), 4u);
  EXPECT_EQ(part(Target(NatsSettings())), 8u);
  WebhookSettings webhook;
  EXPECT_EQ(part(Target(webhook)), 10u);
  webhook.concurrency = 32;
  EXPECT_EQ(part(Target(webhook)), 72u);
  webhook.format = WebhookSettings::Format::kJsonLines;  // one request at a time
  EXPECT_EQ(part(Target(webhook)), 10u);
  KafkaSettings kafka;
  kafka.brokers = {"a:9092"};
  EXPECT_EQ(part(Target(kafka)), 34u);
  kafka.brokers.resize(9, "b:9092");
  EXPECT_EQ(part(Target(kafka)), 124u);
  EXPECT_EQ(Least({Target(webhook), Target(kafka)}) - none, 134u);
}

}  // namespace
}  // namespace spool::testing
