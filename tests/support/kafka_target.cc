#include "tests/support/kafka_target.h"

#include "forward/sink_factory.h"
#include "tests/support/kafka_broker.h"

namespace spool::testing {
namespace {

class KafkaTarget : public ContractTarget {
 public:
  KafkaTarget() : secret_(dir_.Write("password", std::string(KafkaBroker::kPassword) + "\n")) {
    topic_ = broker_.NewTopic();
    broker_.Allow(topic_);
  }
  ~KafkaTarget() override { broker_.Up(); }

  std::unique_ptr<Sink> NewSink() override {
    KafkaSettings kafka;
    kafka.brokers = {broker_.sasl_ssl()};
    kafka.topic = topic_;
    kafka.compression = "none";  // a limit on the size counts compressed bytes
    kafka.tls = KafkaTls{broker_.ca_file(), "", ""};
    kafka.sasl = KafkaSasl{"SCRAM-SHA-512", KafkaBroker::kUser, Secret::FromFile(secret_)};
    SinkSettings settings;
    settings.target = "kafka";
    settings.timeout = {Millis(2000), Millis(10000)};
    settings.of = kafka;
    return MakeSink(settings).value();
  }
  std::vector<std::string> Received() override {
    std::vector<std::string> bodies;
    for (KafkaStored& stored : broker_.Read(topic_)) bodies.push_back(std::move(stored.value));
    return bodies;
  }
  void Down() override { broker_.Kill(); }
  void Up() override { broker_.Restart(); }
  void Hang() override { broker_.Pause(); }
  void Unhang() override { broker_.Up(); }
  void RefuseCredentials() override { dir_.Write("password", "another\n"); }
  void AcceptCredentials() override {
    dir_.Write("password", std::string(KafkaBroker::kPassword) + "\n");
  }
  void LimitSize(size_t bytes) override {
    broker_.ConfigureTopic(topic_, {{"max.message.bytes", std::to_string(bytes)}});
  }

 private:
  ContractDir dir_;
  const std::string secret_;
  KafkaBroker& broker_ = KafkaBroker::Shared();
  std::string topic_;
};

}  // namespace

std::unique_ptr<ContractTarget> MakeKafkaTarget() { return std::make_unique<KafkaTarget>(); }

}  // namespace spool::testing
