// What does the Kafka sink cost beyond the client library's own producer loop, on the same broker?
// bench_kafka [--events N] [--rounds N] [--batch N] [--bytes N] [--partitions N]
//             [--compression CODEC]
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/load.h"
#include "forward/sink_factory.h"
#include "tests/support/kafka_broker.h"

namespace spool::bench {
namespace {

using testing::KafkaBroker;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "bench_kafka: %s\n", what.c_str());
  std::exit(1);
}

struct Options {
  size_t events = 200'000;
  int rounds = 7;
  size_t batch = 5000;  // of one attempt, as a Kafka target's batch.events and batch.bytes
  size_t bytes = size_t{4} << 20;
  int partitions = 3;
  std::string compression = "lz4";
};

struct Counts {
  size_t delivered = 0;
  size_t failed = 0;
};

void Count(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* counts = static_cast<Counts*>(opaque);
  ++(message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? counts->delivered : counts->failed);
}

// The yardstick: the same messages through one idempotent producer that never waits for anything
// but room in its queue, with the library's own defaults.
double BareLoop(const KafkaBroker& broker, const std::string& topic, const Load& load,
                const Options& options) {
  Counts counts;
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char said[256];
  for (const auto& [name, value] : KafkaBroker::Config{{"bootstrap.servers", broker.plain()},
                                                       {"enable.idempotence", "true"},
                                                       {"compression.codec", options.compression},
                                                       {"partitioner", "murmur2_random"}}) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), said, sizeof said) !=
        RD_KAFKA_CONF_OK) {
      Die(said);
    }
  }
  rd_kafka_conf_set_opaque(conf, &counts);
  rd_kafka_conf_set_dr_msg_cb(conf, Count);
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, said, sizeof said);
  if (producer == nullptr) Die(said);
  rd_kafka_topic_t* to = rd_kafka_topic_new(producer, topic.c_str(), nullptr);
  const auto start = std::chrono::steady_clock::now();
  for (const Message& message : load.messages) {
    const EventView& event = *message.event;
    const std::string id = event.id.Hex();
    while (true) {
      const auto error = rd_kafka_producev(
          producer, RD_KAFKA_V_RKT(to), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
          RD_KAFKA_V_VALUE(const_cast<char*>(message.body.data()), message.body.size()),
          RD_KAFKA_V_KEY(event.subject.data(), event.subject.size()),
          RD_KAFKA_V_HEADER("content-type", "application/cloudevents+json; charset=UTF-8", -1),
          RD_KAFKA_V_HEADER("ce_specversion", "1.0", -1),
          RD_KAFKA_V_HEADER("ce_id", id.data(), static_cast<ssize_t>(id.size())),
          RD_KAFKA_V_HEADER("ce_source", event.source.data(),
                            static_cast<ssize_t>(event.source.size())),
          RD_KAFKA_V_HEADER("ce_type", event.type.data(), static_cast<ssize_t>(event.type.size())),
          RD_KAFKA_V_END);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) Die(rd_kafka_err2str(error));
      rd_kafka_poll(producer, 10);
    }
    rd_kafka_poll(producer, 0);
  }
  rd_kafka_flush(producer, 60'000);
  const double seconds = Since(start);
  rd_kafka_topic_destroy(to);
  rd_kafka_destroy(producer);
  if (counts.delivered != load.messages.size()) Die("the bare loop lost messages");
  return seconds;
}

double ThroughSink(const KafkaBroker& broker, const std::string& topic, const Load& load,
                   const Options& options) {
  KafkaSettings kafka;
  kafka.brokers = {broker.plain()};
  kafka.topic = topic;
  kafka.compression = options.compression;
  SinkSettings settings;
  settings.target = "bench";
  settings.of = kafka;
  const std::unique_ptr<Sink> sink = MakeSink(settings).value();
  return DeliverAll(*sink, load, options.batch, options.bytes);
}

int Main(const Options& options) {
  const std::unique_ptr<KafkaBroker> broker = KafkaBroker::Start({.fast_start = false});
  if (!broker) Die("no broker");
  const Load load = MakeLoad(options.events);
  const double events = static_cast<double>(options.events);
  std::printf(
      "kafka: %zu events of %.0f bytes rendered, attempts of %zu or %zu bytes, %d partitions, "
      "%s\n",
      options.events, load.body_bytes(), options.batch, options.bytes, options.partitions,
      options.compression.c_str());
  std::printf("%-8s %12s %12s %8s\n", "round", "bare ev/s", "sink ev/s", "of bare");
  std::vector<double> bare;
  std::vector<double> ours;
  for (int round = 0; round <= options.rounds; ++round) {
    const KafkaBroker::Config keep_little = {{"retention.bytes", "1"},
                                             {"segment.bytes", "67108864"}};
    const std::string topic = broker->NewTopic(options.partitions, keep_little);
    const double one = BareLoop(*broker, topic, load, options);
    broker->DeleteTopic(topic);
    const std::string other = broker->NewTopic(options.partitions, keep_little);
    const double two = ThroughSink(*broker, other, load, options);
    broker->DeleteTopic(other);
    if (round == 0) continue;  // the JVM gets warm
    bare.push_back(events / one);
    ours.push_back(events / two);
    std::printf("%-8d %12.0f %12.0f %8.3f\n", round, bare.back(), ours.back(),
                ours.back() / bare.back());
  }
  std::printf("%-8s %12.0f %12.0f %8.3f\n", "median:", Median(bare), Median(ours),
              Median(ours) / Median(bare));
  return 0;
}

}  // namespace
}  // namespace spool::bench

int main(int count, char** arguments) {
  spool::bench::Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    const char* value = arguments[i + 1];
    if (name == "--events") options.events = std::strtoull(value, nullptr, 10);
    if (name == "--rounds") options.rounds = std::atoi(value);
    if (name == "--batch") options.batch = std::strtoull(value, nullptr, 10);
    if (name == "--bytes") options.bytes = std::strtoull(value, nullptr, 10);
    if (name == "--partitions") options.partitions = std::atoi(value);
    if (name == "--compression") options.compression = value;
  }
  return spool::bench::Main(options);
}
