// Events from a real Kafka broker: committed only when they are stored, shared in a group, and each
// once whatever is killed.
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <map>
#include <random>

#include "tests/support/kafka_broker.h"
#include "tests/support/moment.h"
#include "tests/support/numbered_spool.h"

namespace spool::testing {
namespace {

class KafkaSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    broker_ = &KafkaBroker::Shared();
    ASSERT_TRUE(broker_->running());
    topic_ = broker_->NewTopic(4);
  }

  NumberedSpool Make(const std::string& name) {
    return {dir_.path(), name,
            "{ type: kafka, brokers: [\"" + broker_->plain() + "\"], topics: [" + topic_ +
                "], group: g-" + topic_ + " }"};
  }

  // Numbers from `first` on, over all partitions; returns when the broker has them.
  void Publish(uint64_t first, uint64_t count) const {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", broker_->plain().c_str(), nullptr, 0);
    rd_kafka_conf_set(conf, "enable.idempotence", "true", nullptr, 0);
    rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
    ASSERT_NE(producer, nullptr);
    for (uint64_t n = first; n < first + count; ++n) {
      const std::string text = R"({"n":)" + std::to_string(n) + "}";
      for (;;) {
        const auto error = rd_kafka_producev(
            producer, RD_KAFKA_V_TOPIC(topic_.c_str()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_PARTITION(static_cast<int32_t>(n % 4)),
            RD_KAFKA_V_VALUE(const_cast<char*>(text.data()), text.size()), RD_KAFKA_V_END);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
        ASSERT_EQ(error, RD_KAFKA_RESP_ERR__QUEUE_FULL);
        rd_kafka_poll(producer, 10);
      }
    }
    ASSERT_EQ(rd_kafka_flush(producer, 60'000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(producer);
  }

  const AppDir dir_;
  KafkaBroker* broker_ = nullptr;
  std::string topic_;
};

TEST_F(KafkaSourceTest, EachMessageIsStoredOnceWhateverIsKilled) {
  std::mt19937_64 random(11);
  NumberedSpool spool = Make("one");
  spool.Start();
  uint64_t count = 0;
  for (int cycle = 0; cycle < 5; ++cycle) {
    Publish(count, 20'000);
    count += 20'000;
    ASSERT_TRUE(
        WaitUntil([&] { return spool.stored() >= count - 20'000; }, std::chrono::seconds(60)))
        << spool.Source().dump();
    AwaitRandomMoment(
        std::chrono::milliseconds(std::uniform_int_distribution<int>(0, 300)(random)));
    if (cycle == 2) {
      broker_->Kill();
      ASSERT_TRUE(broker_->Restart());
      continue;
    }
    ASSERT_TRUE(spool.Kill());
    spool.Start();
  }
  EXPECT_TRUE(WaitUntil([&] { return spool.stored() >= count; }, std::chrono::seconds(90)))
      << spool.Source().dump() << " of " << count;
  EXPECT_TRUE(
      WaitUntil([&] { return spool.Source()["behind_messages"] == 0; }, std::chrono::seconds(30)))
      << spool.Source().dump();
  spool.End();
  // A restart in peace finds nothing more.
  spool.Start();
  Publish(count, 10);
  count += 10;
  EXPECT_TRUE(WaitUntil([&] { return spool.stored() >= count; }, std::chrono::seconds(60)));
  spool.End();
  std::map<uint64_t, int> numbers;
  spool.Count(&numbers);
  ExpectEachOnce(numbers, count);
}

TEST_F(KafkaSourceTest, ASecondSpoolOfTheGroupTakesItsShareAndNothingTwice) {
  NumberedSpool one = Make("one"), two = Make("two");
  one.Start();
  Publish(0, 30'000);
  ASSERT_TRUE(WaitUntil([&] { return one.stored() > 0; }, std::chrono::seconds(60)));
  two.Start();  // the partitions are shared anew in the midst of it
  uint64_t count = 30'000;
  ASSERT_TRUE(WaitUntil(
      [&] {
        Publish(count, 200);
        count += 200;
        return two.stored() > 0;
      },
      std::chrono::seconds(90)))
      << two.Source().dump();
  ASSERT_TRUE(
      WaitUntil([&] { return one.stored() + two.stored() >= count; }, std::chrono::seconds(60)));
  one.End();  // what it had goes to the other
  Publish(count, 2'000);
  count += 2'000;
  EXPECT_TRUE(
      WaitUntil([&] { return two.Source()["behind_messages"] == 0; }, std::chrono::seconds(60)));
  std::map<uint64_t, int> numbers;
  one.Count(&numbers);
  uint64_t of_one = 0;
  for (const auto& [number, times] : numbers) of_one += static_cast<uint64_t>(times);
  EXPECT_TRUE(WaitUntil([&] { return of_one + two.stored() >= count; }, std::chrono::seconds(60)));
  two.End();
  two.Count(&numbers);
  ExpectEachOnce(numbers, count);
}

}  // namespace
}  // namespace spool::testing
