// Answers that no Kafka broker gives on demand, from the client library's own mock of one, and
// settings that need no broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <map>

#include "forward/sink_factory.h"
#include "forward/sinks/event_text.h"
#include "forward/sinks/kafka_conf.h"
#include "tests/support/contract_targets.h"

namespace spool::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr int16_t kProduce = 0;
constexpr int16_t kInitProducerId = 22;

std::vector<Outcome> Attempt(Sink& sink, std::span<const Message> messages) {
  std::vector<Outcome> outcomes(messages.size());
  sink.Deliver(messages, outcomes, RealClock().Steady() + seconds(20), {});
  return outcomes;
}

class KafkaFaultTest : public ::testing::Test {
 protected:
  KafkaFaultTest() {
    char said[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
    host_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, said, sizeof said);
    cluster_ = rd_kafka_mock_cluster_new(host_, 1);
    rd_kafka_mock_topic_create(cluster_, "events", 1, 1);
    KafkaSettings kafka;
    kafka.brokers = {rd_kafka_mock_cluster_bootstraps(cluster_)};
    kafka.topic = "events";
    SinkSettings settings;
    settings.target = "kafka";
    settings.timeout = {Millis(2000), Millis(10'000)};
    settings.of = kafka;
    sink_ = MakeSink(settings).value();
  }
  ~KafkaFaultTest() override {
    sink_.reset();
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(host_);
  }
  void Next(int16_t request, rd_kafka_resp_err_t error, int times = 1) {
    for (int i = 0; i < times; ++i) {
      rd_kafka_mock_push_request_errors(cluster_, request, 1, error);
    }
  }
  // What the next request for a batch of 20 comes to when it is answered so; then all arrive.
  Outcome Answered(rd_kafka_resp_err_t error) {
    const ContractBatch batch(20, 0, next_);
    next_ += 20;
    Next(kProduce, error);
    const auto outcomes = Attempt(*sink_, batch.messages());
    EXPECT_EQ(DeliverAll(*sink_, batch, 3).size(), 20u) << rd_kafka_err2name(error);
    return outcomes[0];
  }

  rd_kafka_t* host_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  std::unique_ptr<Sink> sink_;
  size_t next_ = 0;
};

TEST_F(KafkaFaultTest, KnowsWhatAnAnswerMeans) {
  struct Case {
    rd_kafka_resp_err_t error;
    Verdict verdict;
    const char* code;
  };
  const Case cases[] = {
      {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, Verdict::kRetry,
       "kafka_out_of_order_sequence_number"},
      {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, Verdict::kRetry, "kafka_invalid_producer_epoch"},
      {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, Verdict::kRetry, "kafka_policy_violation"},
      {RD_KAFKA_RESP_ERR_UNKNOWN, Verdict::kRetry, "kafka_unknown"},
      {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, Verdict::kHold, "kafka_invalid_required_acks"},
      {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, Verdict::kHold,
       "kafka_cluster_authorization_failed"},
      {RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, Verdict::kHold,
       "kafka_unsupported_compression_type"},
      {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Verdict::kTooLarge, "kafka_msg_size_too_large"},
      {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, Verdict::kTooLarge, "kafka_record_list_too_large"},
      {RD_KAFKA_RESP_ERR_INVALID_RECORD, Verdict::kRefusedTogether, "kafka_invalid_record"},
      {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, Verdict::kRefusedTogether, "kafka_invalid_timestamp"},
  };
  for (const Case& one : cases) {
    const Outcome outcome = Answered(one.error);
    EXPECT_EQ(outcome.verdict, one.verdict) << one.code;
    EXPECT_EQ(outcome.code, one.code);
    EXPECT_THAT(outcome.excerpt, HasSubstr("events: "));
  }
}

TEST_F(KafkaFaultTest, LeavesToTheLibraryWhatItCanTryAgainWithoutDoubt) {
  for (const auto error :
       {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND}) {
    EXPECT_EQ(Answered(error).verdict, Verdict::kDelivered) << rd_kafka_err2name(error);
  }
}

TEST_F(KafkaFaultTest, HoldsWhenItMayNotBeIdempotent) {
  const ContractBatch batch(5);
  Next(kInitProducerId, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
  const auto outcomes = Attempt(*sink_, batch.messages());
  EXPECT_EQ(outcomes[0].verdict, Verdict::kHold);
  EXPECT_EQ(outcomes[0].code, "kafka_cluster_authorization_failed");
  EXPECT_EQ(DeliverAll(*sink_, batch, 1).size(), 5u);
}

// ---- settings

std::string Refusal(const KafkaSettings& settings) {
  const Status status = CheckKafka(settings);
  return status ? "" : status.error().message;
}

std::map<std::string, std::string> Properties(const KafkaSettings& settings,
                                              const std::string& password = "") {
  const auto all = MakeKafkaProperties(settings, {}, password);
  return {all.begin(), all.end()};
}

KafkaSettings With(const std::vector<std::string>& brokers) {
  KafkaSettings settings;
  settings.brokers = brokers;
  return settings;
}

TEST(KafkaSettings, SayHowToTalkWithoutGuessing) {
  KafkaSettings settings = With({"one:9092", "[::1]:9093", "three"});
  EXPECT_EQ(Refusal(settings), "");
  EXPECT_EQ(Properties(settings)["security.protocol"], "plaintext");
  EXPECT_EQ(Properties(settings)["bootstrap.servers"], "one:9092,[::1]:9093,three");
  settings.tls = KafkaTls{};
  EXPECT_EQ(Properties(settings)["security.protocol"], "ssl");
  EXPECT_FALSE(Properties(settings).contains("ssl.ca.location"));
  settings.sasl = KafkaSasl{"PLAIN", "joe", Secret::FromEnv("X")};
  EXPECT_EQ(Refusal(settings), "");
  auto properties = Properties(settings, "secret");
  EXPECT_EQ(properties["security.protocol"], "sasl_ssl");
  EXPECT_EQ(properties["sasl.mechanisms"], "PLAIN");
  EXPECT_EQ(properties["sasl.password"], "secret");
  settings.tls.reset();
  EXPECT_EQ(Properties(settings)["security.protocol"], "sasl_plaintext");
}

TEST(KafkaSettings, ThatCannotWorkAreRefused) {
  EXPECT_THAT(Refusal(With({})), HasSubstr("brokers is empty"));
  for (const char* broker : {"", "kafka://h:1", "joe:x@h:1", "h:", "h:0", "h:70000", "h:1,g:2",
                             ":9092", "::1:9092", "[::1", "[::1]9092", "a b:1"}) {
    EXPECT_THAT(Refusal(With({broker})), HasSubstr("brokers: ")) << broker;
  }
  const auto refusal = [](auto change) {
    KafkaSettings settings = With({"h:9092"});
    change(settings);
    return Refusal(settings);
  };
  for (const char* topic :
       {"", ".", "..", "a b", "a/b", "{name}", "{stream", "stream}", "{{ .stream }}"}) {
    EXPECT_THAT(refusal([&](auto& s) { s.topic = topic; }), HasSubstr("topic ")) << topic;
  }
  EXPECT_THAT(refusal([](auto& s) { s.topic = std::string(250, 'x'); }), HasSubstr("too long"));
  EXPECT_THAT(refusal([](auto& s) { s.key = "{nmae}"; }), HasSubstr("{namespace}"));
  EXPECT_THAT(refusal([](auto& s) { s.compression = "rar"; }), HasSubstr("compression"));
  EXPECT_THAT(refusal([](auto& s) { s.tls = KafkaTls{"", "cert", ""}; }), HasSubstr("tls"));
  EXPECT_THAT(refusal([](auto& s) {
                s.sasl = KafkaSasl{"GSSAPI", "u", Secret::FromEnv("X")};
              }),
              HasSubstr("sasl.mechanism"));
  EXPECT_THAT(refusal([](auto& s) {
                s.sasl = KafkaSasl{"PLAIN", "", Secret::FromEnv("X")};
              }),
              HasSubstr("sasl.username"));
  EXPECT_THAT(refusal([](auto& s) {
                s.sasl = KafkaSasl{"PLAIN", "u", {}};
              }),
              HasSubstr("sasl.password"));
}

TEST(KafkaSettings, TemplatesTakeAttributesInEitherSpelling) {
  EventView event;
  event.stream = "security-events";
  event.subject = "Pod/a/b";
  event.problem_key = FastHash128("trouble");
  event.severity = Severity::kError;
  const auto made = [&](const char* text, const char* absent) {
    std::string out = "not empty";
    EventText::Parse("key", text).value().Render(event, absent, out);
    return out;
  };
  EXPECT_EQ(made("{stream}", ""), "security-events");
  EXPECT_EQ(made("{{ .event.stream }}", ""), "security-events");
  EXPECT_EQ(made("k8s.{{.event.stream}}.{severity}-1", ""), "k8s.security-events.error-1");
  EXPECT_EQ(made("{subject}", ""), "Pod/a/b");
  EXPECT_EQ(made("{problemkey}", ""), event.problem_key.Hex());
  EXPECT_EQ(made("{id}{cluster}", ""), "");
  EXPECT_EQ(made("{id}/{cluster}", "_"), "_/_");
  EXPECT_EQ(made("", ""), "");
}

}  // namespace
}  // namespace spool::testing
