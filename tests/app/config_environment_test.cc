#include "app/config_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace spool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

ConfigResult From(const std::map<std::string, std::string>& variables) {
  return EnvironmentConfig([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(ConfigEnvironment, ABusIsATargetAndEventsComeFromEverywhere) {
  const ConfigResult result = From({{"NATS_URL", "nats://nats.event-bus.svc.cluster.local:4222"},
                                    {"KAFKA_BROKERS", "a:9092, b:9092,"},
                                    {"LOG_LEVEL", "WARNING"}});
  ASSERT_TRUE(result.config) << result.problems.front().message;
  const Config& config = *result.config;
  EXPECT_EQ(config.log_level, log::Level::kWarn);
  ASSERT_THAT(config.http_sources, SizeIs(1));
  EXPECT_EQ(config.http_sources[0].address, "0.0.0.0:8080");
  EXPECT_EQ(config.admin.address, "127.0.0.1:8081");
  ASSERT_THAT(config.targets, SizeIs(2));
  for (const TargetConfig& target : config.targets) {
    EXPECT_EQ(target.start, TargetConfig::Start::kBeginning);
    if (target.settings.name == "nats") {
      const auto& nats = std::get<NatsSettings>(target.settings.sink.of);
      EXPECT_EQ(nats.url, "nats://nats.event-bus.svc.cluster.local:4222");
      EXPECT_EQ(nats.subject, "{stream}");
    } else {
      const auto& kafka = std::get<KafkaSettings>(target.settings.sink.of);
      EXPECT_THAT(kafka.brokers, ElementsAre("a:9092", "b:9092"));
      EXPECT_EQ(kafka.topic, "{stream}");
    }
  }
}

TEST(ConfigEnvironment, WithoutABusItIsTheDefault) {
  for (const auto& variables : std::vector<std::map<std::string, std::string>>{
           {}, {{"NATS_URL", ""}, {"KAFKA_BROKERS", ""}}, {{"LOG_LEVEL", "debug"}}}) {
    const ConfigResult result = From(variables);
    ASSERT_TRUE(result.config);
    EXPECT_EQ(result.config->http_sources.at(0).address, "127.0.0.1:8080");
    ASSERT_THAT(result.config->targets, SizeIs(1));
    EXPECT_EQ(result.config->targets[0].settings.type, "stdout");
    EXPECT_EQ(result.config->log_level,
              variables.contains("LOG_LEVEL") ? log::Level::kDebug : log::Level::kInfo);
  }
}

TEST(ConfigEnvironment, WhatIsNotThereYetIsRefusedByName) {
  const ConfigResult adapter =
      From({{"SERVICENOW_INSTANCE", "https://dev12345.service-now.com"},
            {"SERVICENOW_USERNAME", "u"},
            {"SERVICENOW_PASSWORD", "hunter2"},
            {"KAFKA_BROKERS", "event-cluster-kafka-bootstrap.event-bus.svc.cluster.local:9092"},
            {"KAFKA_TOPICS", "kubernetes-events,security-events"}});
  EXPECT_FALSE(adapter.config);
  ASSERT_THAT(adapter.problems, SizeIs(1));
  std::string told;
  for (const ConfigProblem& problem : adapter.problems) told += FormatProblem(problem);
  EXPECT_THAT(told, HasSubstr("SERVICENOW_INSTANCE: targets of type servicenow are not available"));
  EXPECT_EQ(told.find("hunter2"), std::string::npos);
  const ConfigResult splunk = From({{"SPLUNK_HEC_URL", "https://splunk-hec.local/x"}});
  ASSERT_THAT(splunk.problems, SizeIs(1));
  EXPECT_THAT(FormatProblem(splunk.problems[0]), HasSubstr("splunk"));
  // One of a group alone means the same thing.
  for (const char* variable : {"SPLUNK_TOKEN", "SERVICENOW_TABLE_MAPPING"}) {
    const ConfigResult alone = From({{variable, "hunter2"}});
    ASSERT_THAT(alone.problems, SizeIs(1)) << variable;
    EXPECT_THAT(FormatProblem(alone.problems[0]), HasSubstr(variable));
    EXPECT_EQ(FormatProblem(alone.problems[0]).find("hunter2"), std::string::npos);
  }
}

TEST(ConfigEnvironment, WithTopicsKafkaIsTheSource) {
  const ConfigResult result = From(
      {{"KAFKA_BROKERS", "a:9092,b:9092"}, {"KAFKA_TOPICS", "kubernetes-events, security-events"}});
  ASSERT_TRUE(result.config);
  ASSERT_THAT(result.config->pulled_sources, SizeIs(1));
  const auto& kafka = std::get<KafkaSourceSettings>(result.config->pulled_sources[0].of);
  EXPECT_THAT(kafka.brokers, SizeIs(2));
  EXPECT_EQ(kafka.topics.at(1), "security-events");
  EXPECT_EQ(kafka.group, "spool");
  ASSERT_THAT(result.config->targets, SizeIs(1));
  EXPECT_EQ(result.config->targets[0].settings.type, "stdout");
  EXPECT_FALSE(From({{"KAFKA_TOPICS", "a"}}).config);
}

// A value is a value, whatever is in it: it adds no keys, and no variable of its own.
TEST(ConfigEnvironment, AValueCannotBecomeConfiguration) {
  setenv("SPOOL_TEST_SECRET", "the-secret", 1);
  for (const std::string value :
       {"nats://x:1\" }\n  evil: { type: stdout }", "nats://${SPOOL_TEST_SECRET}:4222", "no url"}) {
    const ConfigResult result = From({{"NATS_URL", value}});
    if (result.config) {
      EXPECT_THAT(result.config->targets, SizeIs(1));
      EXPECT_EQ(std::get<NatsSettings>(result.config->targets[0].settings.sink.of).url, value);
    }
    for (const ConfigProblem& problem : result.problems) {
      EXPECT_THAT(FormatProblem(problem), HasSubstr("NATS_URL"));
      EXPECT_EQ(FormatProblem(problem).find("the-secret"), std::string::npos);
    }
  }
  unsetenv("SPOOL_TEST_SECRET");
  EXPECT_FALSE(From({{"LOG_LEVEL", "loud"}}).config);
  EXPECT_FALSE(From({{"KAFKA_BROKERS", " , "}}).config);
}

}  // namespace
}  // namespace spool
