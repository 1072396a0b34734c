// How fast do the sources that fetch from a bus make durable what is there, beside a loop of the
// client library that only takes and acknowledges it, on the same broker?
// bench_fetch [--events N] [--rounds N] [--dir DIR]; DIR must lie on the disk in question.
//
// Rendered Kubernetes Events are on the bus before the clock starts. It runs from the first event
// that is stored to the last one: joining a group takes seconds, and only the broker's.
#include <librdkafka/rdkafka.h>
#include <nats/nats.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/load.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/nats_server.h"
#include "tests/support/numbered_spool.h"

namespace spool::bench {
namespace {

using testing::KafkaBroker;
using testing::NatsServer;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "bench_fetch: %s\n", what.c_str());
  std::exit(1);
}
void Check(natsStatus status, const char* doing) {
  if (status != NATS_OK) Die(std::string(doing) + ": " + natsStatus_GetText(status));
}

// Events a second through the source of a spoold.
double ThroughSpool(const std::string& base, const std::string& source, size_t events) {
  std::string dir = base + "/spool-bench-fetch-XXXXXX";
  if (mkdtemp(dir.data()) == nullptr) Die("cannot make a directory in " + base);
  double rate = 0;
  {
    testing::NumberedSpool spool(dir, "spool", source);
    spool.Start();
    uint64_t before = 0;
    testing::WaitUntil([&] { return (before = spool.stored()) > 0; }, std::chrono::minutes(1));
    const auto start = std::chrono::steady_clock::now();
    if (!testing::WaitUntil([&] { return spool.stored() >= events; }, std::chrono::minutes(5))) {
      Die("the source does not come to the end: " + spool.Source().dump());
    }
    rate = static_cast<double>(events - before) / Since(start);
    spool.End();
  }
  std::filesystem::remove_all(dir);
  return rate;
}

double BareNats(const NatsServer& server, size_t events) {
  natsConnection* connection = nullptr;
  Check(natsConnection_ConnectTo(&connection, server.url().c_str()), "connect");
  jsCtx* js = nullptr;
  Check(natsConnection_JetStream(&js, connection, nullptr), "JetStream");
  jsSubOptions options;
  jsSubOptions_Init(&options);
  options.Stream = "EVENTS";
  options.Config.MaxAckPending = 16'000;
  natsSubscription* subscription = nullptr;
  Check(js_PullSubscribe(&subscription, js, "events.>", "bare", nullptr, &options, nullptr),
        "subscribe");
  const auto start = std::chrono::steady_clock::now();
  for (size_t got = 0; got < events;) {
    natsMsgList list{};
    Check(natsSubscription_Fetch(&list, subscription, 2000, 5000, nullptr), "fetch");
    for (int i = 0; i < list.Count; ++i) natsMsg_Ack(list.Msgs[i], nullptr);
    got += static_cast<size_t>(list.Count);
    natsMsgList_Destroy(&list);
  }
  const double rate = static_cast<double>(events) / Since(start);
  js_DeleteConsumer(js, "EVENTS", "bare", nullptr, nullptr);
  natsSubscription_Destroy(subscription);
  jsCtx_Destroy(js);
  natsConnection_Destroy(connection);
  return rate;
}

void FillNats(const NatsServer& server, const Load& load) {
  natsConnection* connection = nullptr;
  Check(natsConnection_ConnectTo(&connection, server.url().c_str()), "connect");
  jsCtx* js = nullptr;
  Check(natsConnection_JetStream(&js, connection, nullptr), "JetStream");
  for (const Message& message : load.messages) {
    Check(js_PublishAsync(js, "events.a", message.body.data(),
                          static_cast<int>(message.body.size()), nullptr),
          "publish");
  }
  Check(js_PublishAsyncComplete(js, nullptr), "wait for the answers");
  jsCtx_Destroy(js);
  natsConnection_Destroy(connection);
}

rd_kafka_t* KafkaClient(const KafkaBroker& broker, rd_kafka_type_t type,
                        const KafkaBroker::Config& more) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", broker.plain().c_str(), nullptr, 0);
  for (const auto& [name, value] : more) {
    rd_kafka_conf_set(conf, name.c_str(), value.c_str(), nullptr, 0);
  }
  rd_kafka_t* const client = rd_kafka_new(type, conf, nullptr, 0);
  if (client == nullptr) Die("no Kafka client");
  return client;
}

void FillKafka(const KafkaBroker& broker, const std::string& topic, const Load& load) {
  rd_kafka_t* const producer = KafkaClient(broker, RD_KAFKA_PRODUCER,
                                           {{"enable.idempotence", "true"},
                                            {"compression.codec", "lz4"},
                                            {"queue.buffering.max.messages", "1000000"}});
  for (const Message& message : load.messages) {
    while (rd_kafka_producev(
               producer, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
               RD_KAFKA_V_VALUE(const_cast<char*>(message.body.data()), message.body.size()),
               RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_poll(producer, 10);
    }
  }
  if (rd_kafka_flush(producer, 120'000) != RD_KAFKA_RESP_ERR_NO_ERROR) Die("cannot fill Kafka");
  rd_kafka_destroy(producer);
}

double BareKafka(const KafkaBroker& broker, const std::string& topic, int round, size_t events) {
  rd_kafka_t* const consumer = KafkaClient(broker, RD_KAFKA_CONSUMER,
                                           {{"group.id", "bare" + std::to_string(round)},
                                            {"enable.auto.commit", "false"},
                                            {"auto.offset.reset", "earliest"}});
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* const topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic.c_str(), RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(consumer, topics);
  rd_kafka_topic_partition_list_destroy(topics);
  auto start = std::chrono::steady_clock::now();
  for (size_t got = 0; got < events;) {
    rd_kafka_message_t* const message = rd_kafka_consumer_poll(consumer, 60'000);
    if (message == nullptr || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) Die("cannot consume");
    if (got == 0) start = std::chrono::steady_clock::now();
    rd_kafka_message_destroy(message);
    if (++got % 5000 == 0) rd_kafka_commit(consumer, nullptr, 1);
  }
  const double rate = static_cast<double>(events) / Since(start);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return rate;
}

void Print(const char* bus, const std::vector<double>& bare, const std::vector<double>& ours) {
  std::printf("%-8s %12.0f %12.0f %8.3f\n", bus, Median(bare), Median(ours),
              Median(ours) / Median(bare));
}

int Main(size_t events, int rounds, const std::string& base) {
  const Load load = MakeLoad(events);
  std::printf("fetch: %zu events of %.0f bytes on a bus; medians of %d rounds\n", events,
              load.body_bytes(), rounds);
  std::printf("%-8s %12s %12s %8s\n", "", "bare ev/s", "stored ev/s", "of bare");
  {
    const std::unique_ptr<NatsServer> server = NatsServer::Start();
    if (!server || !server->AddStream("EVENTS", {"events.>"})) return 1;
    FillNats(*server, load);
    std::vector<double> bare, ours;
    for (int round = 1; round <= rounds; ++round) {
      bare.push_back(BareNats(*server, events));
      ours.push_back(ThroughSpool(base,
                                  "{ type: nats, url: \"" + server->url() +
                                      "\", stream: EVENTS, durable: d" + std::to_string(round) +
                                      " }",
                                  events));
    }
    Print("nats", bare, ours);
  }
  const std::unique_ptr<KafkaBroker> broker = KafkaBroker::Start({.fast_start = false});
  if (!broker) return 1;
  const std::string topic = broker->NewTopic(3);
  FillKafka(*broker, topic, load);
  std::vector<double> bare, ours;
  for (int round = 1; round <= rounds; ++round) {
    bare.push_back(BareKafka(*broker, topic, round, events));
    ours.push_back(ThroughSpool(base,
                                "{ type: kafka, brokers: [\"" + broker->plain() + "\"], topics: [" +
                                    topic + "], group: g" + std::to_string(round) + " }",
                                events));
  }
  Print("kafka", bare, ours);
  return 0;
}

}  // namespace
}  // namespace spool::bench

int main(int argc, char** argv) {
  size_t events = 300'000;
  int rounds = 3;
  std::string base = getenv("TMPDIR") != nullptr ? getenv("TMPDIR") : "/tmp";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--events") == 0) events = strtoull(argv[i + 1], nullptr, 10);
    if (strcmp(argv[i], "--rounds") == 0) rounds = atoi(argv[i + 1]);
    if (strcmp(argv[i], "--dir") == 0) base = argv[i + 1];
  }
  return spool::bench::Main(events, rounds, base);
}
