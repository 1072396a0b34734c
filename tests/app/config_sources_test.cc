// What is configured of sources that fetch, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/config.h"

namespace spool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Config Good(const std::string& text) {
  const ConfigResult result = ParseConfig("version: 1\n" + text, "test.yaml");
  for (const ConfigProblem& problem : result.problems) ADD_FAILURE() << FormatProblem(problem);
  return result.config.value_or(Config());
}
std::string Problem(const std::string& text) {
  const ConfigResult result = ParseConfig("version: 1\n" + text, "test.yaml");
  std::string all;
  for (const ConfigProblem& problem : result.problems) all += FormatProblem(problem);
  return all;
}

TEST(ConfigSources, FilesAndPipes) {
  const Config config = Good(
      "sources:\n  log: { type: file, path: /var/log/a.log, format: k8s-audit, start: end, redact: "
      "[a.b] }\n  pipe: { type: stdin }\n  web: { type: http }\n");
  ASSERT_THAT(config.http_sources, SizeIs(1));
  ASSERT_THAT(config.pulled_sources, SizeIs(2));
  EXPECT_EQ(config.pulled_sources[0].name, "log");
  EXPECT_THAT(config.pulled_sources[0].redact, ElementsAre("a.b"));
  const auto& file = std::get<FileSourceSettings>(config.pulled_sources[0].of);
  EXPECT_EQ(file.path, "/var/log/a.log");
  EXPECT_EQ(file.as, "/audit");
  EXPECT_TRUE(file.from_end);
  EXPECT_EQ(std::get<StdinSourceSettings>(config.pulled_sources[1].of).as, "/v1/events");
  EXPECT_THAT(Problem("sources: { log: { type: file } }\n"), HasSubstr("path"));
  EXPECT_THAT(Problem("sources: { log: { type: file, path: a, format: xml } }\n"),
              HasSubstr("format"));
}

TEST(ConfigSources, Buses) {
  const Config config = Good(
      "sources:\n  bus: { type: nats, url: \"nats://a:4222\", stream: EVENTS }\n"
      "  topics: { type: kafka, brokers: [\"k:9092\"], topics: [a, b], group: g }\n");
  const auto& nats = std::get<NatsSourceSettings>(config.pulled_sources.at(0).of);
  EXPECT_EQ(nats.durable, "spool");
  EXPECT_EQ(nats.stream, "EVENTS");
  const auto& kafka = std::get<KafkaSourceSettings>(config.pulled_sources.at(1).of);
  EXPECT_THAT(kafka.topics, ElementsAre("a", "b"));
  EXPECT_EQ(kafka.group, "g");
  EXPECT_THAT(Problem("sources: { b: { type: nats, stream: \"a b\" } }\n"),
              HasSubstr("must not hold"));
  EXPECT_THAT(Problem("sources: { b: { type: nats, stream: a, username: u } }\n"),
              HasSubstr("'username' needs 'password'"));
  EXPECT_THAT(Problem("sources: { b: { type: kafka, brokers: [\"http://k\"], topics: [a] } }\n"),
              HasSubstr("without a scheme"));
  EXPECT_THAT(
      Problem(
          "sources: { b: { type: kafka, brokers: [k], topics: [a], sasl: { username: u } } }\n"),
      HasSubstr("'sasl' needs 'password'"));
}

TEST(ConfigSources, ABusThatIsSourceAndTargetIsRefused) {
  const auto nats = [](const std::string& source, const std::string& target) {
    return Problem("sources: { bus: { type: nats, url: \"nats://localhost\", stream: S, " + source +
                   " } }\ntargets: { out: { type: nats, url: \"nats://127.0.0.1:4222\", " + target +
                   " } }\n");
  };
  const auto loops = HasSubstr("again and again");
  EXPECT_THAT(nats("subject: \"spool.>\"", "subject: \"spool.{stream}\""), loops);
  EXPECT_THAT(nats("subject: \"*.a\"", "subject: \"spool.{stream}\""), loops);
  EXPECT_THAT(nats("durable: d", "subject: \"spool.{stream}\""), loops);
  EXPECT_EQ(nats("subject: \"in.>\"", "subject: \"spool.{stream}\""), "");
  EXPECT_EQ(nats("subject: \"spool.*\"", "subject: \"spool.a.b\""), "");
  EXPECT_EQ(nats("durable: d", "subject: \"spool.x\", stream: OTHER"), "");
  const auto kafka = [](const std::string& topics, const std::string& topic) {
    return Problem("sources: { bus: { type: kafka, brokers: [\"k:9092\"], topics: [" + topics +
                   "] } }\ntargets: { out: { type: kafka, brokers: [\"k\"], topic: \"" + topic +
                   "\" } }\n");
  };
  EXPECT_THAT(kafka("a, b", "b"), loops);
  EXPECT_THAT(kafka("security-events", "{stream}"), loops);
  EXPECT_THAT(kafka("\"^in\"", "x"), loops);
  EXPECT_EQ(kafka("a, b", "c"), "");
  EXPECT_EQ(kafka("in", "out-{stream}"), "");
}

}  // namespace
}  // namespace spool
