// What is particular to Kafka, against a real broker.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#ifdef __SANITIZE_THREAD__
#include <pthread.h>
#include <threads.h>
#endif

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include "forward/sink_factory.h"
#include "tests/support/app_http.h"
#include "tests/support/contract_targets.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/moment.h"

namespace {
// The sink's newest producer, to provoke in it what no broker does on demand.
std::atomic<rd_kafka_t*> newest_producer{nullptr};
}  // namespace

// In front of the library's own, which it calls.
extern "C" rd_kafka_t* rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t* conf, char* said,
                                    size_t size) {
  using Make = rd_kafka_t* (*)(rd_kafka_type_t, rd_kafka_conf_t*, char*, size_t);
  static const auto make = reinterpret_cast<Make>(dlsym(RTLD_NEXT, "rd_kafka_new"));
  char name[32] = "";
  size_t length = sizeof name;
  rd_kafka_conf_get(conf, "client.id", name, &length);
  rd_kafka_t* made = make(type, conf, said, size);
  if (std::string_view(name) == "spool") newest_producer = made;
  return made;
}

#ifdef __SANITIZE_THREAD__
// The sanitizer follows pthread_create but not C11's, with which the library makes its threads: one
// that it does not know ends the process at its first allocation.
extern "C" int thrd_create(thrd_t* made, thrd_start_t run, void* with) {
  struct Start {
    thrd_start_t run;
    void* with;
  };
  const auto begin = [](void* start) -> void* {
    const std::unique_ptr<Start> owned(static_cast<Start*>(start));
    return reinterpret_cast<void*>(static_cast<intptr_t>(owned->run(owned->with)));
  };
  return pthread_create(made, nullptr, begin, new Start{run, with}) == 0 ? thrd_success
                                                                         : thrd_error;
}
extern "C" int thrd_join(thrd_t thread, int* result) {
  void* value = nullptr;
  if (pthread_join(thread, &value) != 0) return thrd_error;
  if (result != nullptr) *result = static_cast<int>(reinterpret_cast<intptr_t>(value));
  return thrd_success;
}
#endif

namespace spool::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

SteadyTime Now() { return RealClock().Steady(); }

bool Good(const Outcome& outcome) { return outcome.verdict == Verdict::kDelivered; }

std::vector<Outcome> Attempt(Sink& sink, std::span<const Message> messages,
                             SteadyTime deadline = Now() + seconds(20)) {
  std::vector<Outcome> outcomes(messages.size());
  sink.Deliver(messages, outcomes, deadline, {});
  return outcomes;
}

// Delivers as a pump would, `size` events at most at once, halving what is too large, until
// nothing is left; false when that takes too long or an event alone is refused.
bool Pump(Sink& sink, std::span<const Message> messages, size_t size,
          const std::atomic<bool>* cancelled = nullptr) {
  std::vector<Message> left(messages.begin(), messages.end());
  size_t now = size;
  bool given_up = false;
  // True at the end, false after an attempt that came to nothing.
  const auto deliver = [&] {
    while (!left.empty() && !given_up) {
      const auto part = std::span(left).first(std::min(now, left.size()));
      const auto outcomes = Attempt(sink, part);
      std::vector<Message> again;
      bool too_large = false;
      for (size_t i = 0; i < outcomes.size(); ++i) {
        if (!Good(outcomes[i])) again.push_back(part[i]);
        too_large |= outcomes[i].verdict == Verdict::kTooLarge;
      }
      given_up = (too_large && part.size() == 1) || (cancelled != nullptr && *cancelled);
      now = too_large ? std::max<size_t>(1, part.size() / 2) : size;
      const bool nothing = again.size() == part.size() && !too_large;
      again.insert(again.end(), left.begin() + static_cast<ptrdiff_t>(part.size()), left.end());
      left = std::move(again);
      if (nothing) return false;
    }
    return true;
  };
  return WaitUntil(deliver, seconds(120)) && !given_up;
}

// Whether all of `batch` is there, and in each partition came first in the batch's order.
::testing::AssertionResult AllInOrder(const std::vector<KafkaStored>& stored,
                                      const ContractBatch& batch) {
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < batch.size(); ++i) place[batch.bodies()[i]] = i;
  std::map<int32_t, size_t> next;
  std::set<size_t> seen;
  for (const KafkaStored& one : stored) {
    const auto known = place.find(one.value);
    if (known == place.end()) return ::testing::AssertionFailure() << "a stranger: " << one.value;
    if (!seen.insert(known->second).second) continue;
    size_t& least = next[one.partition];
    if (known->second < least) {
      return ::testing::AssertionFailure() << "number " << known->second << " came late, at offset "
                                           << one.offset << " of partition " << one.partition;
    }
    least = known->second + 1;
  }
  if (seen.size() == batch.size()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << seen.size() << " of " << batch.size() << " arrived";
}

// Gives the events `count` different subjects, and so keys.
void Spread(ContractBatch& batch, size_t count) {
  static const std::vector<std::string> kSubjects = [] {
    std::vector<std::string> all;
    for (int i = 0; i < 64; ++i) all.push_back("Pod/payments/api-" + std::to_string(i));
    return all;
  }();
  for (size_t i = 0; i < batch.size(); ++i) batch.events()[i].subject = kSubjects[i % count];
}

class KafkaSinkTest : public ::testing::Test {
 protected:
  void TearDown() override { broker_.Up(); }

  KafkaSettings Plain(const std::string& topic) {
    KafkaSettings kafka;
    kafka.brokers = {broker_.plain()};
    kafka.topic = topic;
    return kafka;
  }
  KafkaSettings Guarded(const std::string& topic) {
    KafkaSettings kafka = Plain(topic);
    kafka.brokers = {broker_.sasl_ssl()};
    kafka.tls = KafkaTls{broker_.ca_file(), "", ""};
    kafka.sasl = KafkaSasl{"SCRAM-SHA-512", KafkaBroker::kUser, Secret::FromFile(secret_)};
    return kafka;
  }
  static std::unique_ptr<Sink> NewSink(KafkaSettings kafka) {
    SinkSettings settings;
    settings.target = "kafka";
    settings.timeout = {Millis(2000), Millis(10'000)};
    settings.of = std::move(kafka);
    return MakeSink(settings).value();
  }

  KafkaBroker& broker_ = KafkaBroker::Shared();
  ContractDir dir_;
  const std::string secret_ = dir_.Write("password", std::string(KafkaBroker::kPassword) + "\n");
};

// ---- what arrives

TEST_F(KafkaSinkTest, TellsWhoAnEventIsInItsKeyAndHeaders) {
  const std::string topic = broker_.NewTopic();
  ContractBatch batch(2);
  batch.events()[0].subject = "Pod/payments/api-7c9";
  batch.events()[0].source = "/clusters/prod-eu";
  batch.events()[0].type = "io.k8s.event.v1";
  std::vector<Message> messages(batch.messages().begin(), batch.messages().end());
  messages[1].replay = "r-17";
  ASSERT_TRUE(Pump(*NewSink(Plain(topic)), messages, 10));
  const auto stored = broker_.Read(topic);
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_EQ(stored[0].value, batch.bodies()[0]);
  EXPECT_EQ(stored[0].key, "Pod/payments/api-7c9");
  const std::map<std::string, std::string> headers = {
      {"content-type", "application/cloudevents+json; charset=UTF-8"},
      {"ce_specversion", "1.0"},
      {"ce_id", batch.events()[0].id.Hex()},
      {"ce_source", "/clusters/prod-eu"},
      {"ce_type", "io.k8s.event.v1"}};
  EXPECT_EQ(stored[0].headers, headers);
  EXPECT_FALSE(stored[1].has_key);
  EXPECT_EQ(stored[1].headers.at("ce_replay"), "r-17");
}

TEST_F(KafkaSinkTest, ChoosesThePartitionThatJavaClientsChoose) {
  // Kafka's own test vectors for its murmur2.
  const std::map<std::string, int32_t> hashes = {{"21", -973932308},
                                                 {"foobar", -790332482},
                                                 {"a-little-bit-long-string", -985981536},
                                                 {"abc", 479470107}};
  const std::string topic = broker_.NewTopic(7);
  ContractBatch batch(hashes.size());
  size_t i = 0;
  for (const auto& [key, hash] : hashes) batch.events()[i++].name = key;
  KafkaSettings kafka = Plain(topic);
  kafka.key = "{{ .event.name }}";
  ASSERT_TRUE(Pump(*NewSink(kafka), batch.messages(), 10));
  const auto stored = broker_.Read(topic);
  ASSERT_EQ(stored.size(), hashes.size());
  for (const KafkaStored& one : stored) {
    EXPECT_EQ(one.partition, (hashes.at(one.key) & 0x7fffffff) % 7) << one.key;
  }
}

TEST_F(KafkaSinkTest, SendsEachStreamToItsTopicAndHoldsOnlyTheOneThatIsMissing) {
  const std::string name = broker_.NewTopic(0);
  broker_.CreateTopic(name + ".kubernetes-events");
  ContractBatch batch(40);
  for (size_t i = 1; i < batch.size(); i += 2) batch.events()[i].stream = "security-events";
  const auto sink = NewSink(Plain(name + ".{stream}"));
  const auto outcomes = Attempt(*sink, batch.messages());
  for (size_t i = 0; i < batch.size(); ++i) {
    if (i % 2 == 0) continue;
    EXPECT_NE(outcomes[i].verdict, Verdict::kDelivered);
  }
  const auto held = std::ranges::find(outcomes, Verdict::kHold, &Outcome::verdict);
  ASSERT_NE(held, outcomes.end());
  EXPECT_EQ(held->code, "kafka_unknown_topic_or_part");
  EXPECT_THAT(held->excerpt, HasSubstr(name + ".security-events"));
  broker_.CreateTopic(name + ".security-events");
  ASSERT_TRUE(Pump(*sink, batch.messages(), 100));
  EXPECT_EQ(broker_.Read(name + ".security-events").size(), 20u);
}

// ---- the broker dies

TEST_F(KafkaSinkTest, LosesAndReordersNothingWhileTheBrokerIsKilledAgainAndAgain) {
  constexpr uint64_t kSeed = 20261121;
  std::mt19937_64 random(kSeed);
  const std::string topic = broker_.NewTopic(3);
  ContractBatch batch(30'000, 400);
  Spread(batch, 11);
  std::atomic<size_t> done{0};
  std::atomic<bool> cancelled{false};
  std::atomic<bool> failed{false};
  std::jthread pump([&] {
    const auto sink = NewSink(Plain(topic));
    for (size_t at = 0; at < batch.size() && !failed; at += 1500) {
      failed = !Pump(*sink, batch.messages().subspan(at, 1500), 1500, &cancelled);
      done = at + 1500;
    }
  });
  for (const size_t kill_at : {1500, 9000, 16'500, 22'500}) {
    ASSERT_TRUE(WaitUntil([&] { return done >= kill_at || failed; }, seconds(60)));
    AwaitRandomMoment(milliseconds(random() % 12));
    broker_.Kill();
    EXPECT_TRUE(broker_.Restart());
  }
  pump.join();
  EXPECT_FALSE(failed);
  EXPECT_TRUE(AllInOrder(broker_.Read(topic), batch));
}

TEST_F(KafkaSinkTest, WaitsForABrokerThatIsStartedAgainAndSendsNothingTwice) {
  const std::string topic = broker_.NewTopic(3);
  ContractBatch batch(2000, 400);
  Spread(batch, 11);
  KafkaSettings kafka = Plain(topic);
  SinkSettings settings;
  settings.timeout = {Millis(30'000), Millis(60'000)};  // longer than a start takes
  settings.of = kafka;
  const auto sink = MakeSink(settings).value();
  ASSERT_TRUE(Pump(*sink, batch.messages().first(1000), 1000));
  broker_.Kill();
  std::vector<Outcome> outcomes;
  std::jthread attempt(
      [&] { outcomes = Attempt(*sink, batch.messages().subspan(1000), Now() + seconds(60)); });
  EXPECT_TRUE(broker_.Restart());
  attempt.join();
  EXPECT_TRUE(std::ranges::all_of(outcomes, Good));
  const auto stored = broker_.Read(topic);
  EXPECT_EQ(stored.size(), batch.size());
  EXPECT_TRUE(AllInOrder(stored, batch));
}

TEST_F(KafkaSinkTest, KeepsTheOrderOfWhatAHangingBrokerTakesLater) {
  const std::string topic = broker_.NewTopic(2);
  ContractBatch batch(4000, 1000);
  Spread(batch, 5);
  const auto sink = NewSink(Plain(topic));
  ASSERT_TRUE(Pump(*sink, batch.messages().first(500), 500));
  for (int i = 0; i < 3; ++i) {
    broker_.Pause();
    const auto part = batch.messages().subspan(500, 2000);
    const auto outcomes = Attempt(*sink, part, Now() + milliseconds(300));
    EXPECT_TRUE(std::ranges::none_of(outcomes, Good));
    EXPECT_EQ(outcomes.front().code, "timeout");
    broker_.Continue();
  }
  ASSERT_TRUE(Pump(*sink, batch.messages().subspan(500), 1000));
  EXPECT_TRUE(AllInOrder(broker_.Read(topic), batch));
}

// ---- what an operator must put right

TEST_F(KafkaSinkTest, HoldsWithoutATopicMakesNoneAndGoesOnWhenItIsThere) {
  const std::string topic = broker_.NewTopic(0);
  const ContractBatch batch(10);
  const auto sink = NewSink(Plain(topic));
  for (int i = 0; i < 2; ++i) {
    const auto outcomes = Attempt(*sink, batch.messages());
    EXPECT_EQ(outcomes[0].verdict, Verdict::kHold);
    EXPECT_THAT(outcomes[0].code, ::testing::StartsWith("kafka_unknown_"));
    EXPECT_THAT(outcomes[0].excerpt, HasSubstr(topic));
    EXPECT_TRUE(std::ranges::none_of(outcomes, Good));
  }
  ASSERT_TRUE(broker_.CreateTopic(topic));  // which fails when the attempts have made it
  ASSERT_TRUE(Pump(*sink, batch.messages(), 10));
  EXPECT_TRUE(AllInOrder(broker_.Read(topic), batch));
}

TEST_F(KafkaSinkTest, HoldsWithoutATopicHoweverShortItsTimeoutsAre) {
  const std::string topic = broker_.NewTopic();
  const ContractBatch batch(4);
  SinkSettings settings;
  settings.timeout = {milliseconds(300), milliseconds(600)};
  settings.of = Plain(topic);
  const auto sink = MakeSink(settings).value();
  ASSERT_TRUE(Pump(*sink, batch.messages(), 4));
  ASSERT_TRUE(broker_.DeleteTopic(topic));
  std::vector<Outcome> outcomes;
  for (int attempt = 0; attempt < 4; ++attempt) {
    outcomes = Attempt(*sink, batch.messages());
    ASSERT_TRUE(std::ranges::none_of(outcomes, Good));
    if (outcomes[0].verdict == Verdict::kHold) break;
  }
  EXPECT_EQ(outcomes[0].verdict, Verdict::kHold);
  EXPECT_THAT(outcomes[0].code, ::testing::StartsWith("kafka_unknown_"));
}

TEST_F(KafkaSinkTest, GoesOnWithATopicThatWasDeletedAndMadeAgain) {
  const std::string topic = broker_.NewTopic();
  const ContractBatch batch(20);
  const auto sink = NewSink(Plain(topic));
  ASSERT_TRUE(Pump(*sink, batch.messages(), 10));
  ASSERT_TRUE(broker_.DeleteTopic(topic));
  const auto outcomes = Attempt(*sink, batch.messages());
  EXPECT_EQ(outcomes[0].verdict, Verdict::kHold) << outcomes[0].code;
  ASSERT_TRUE(broker_.CreateTopic(topic));
  ASSERT_TRUE(Pump(*sink, batch.messages(), 10));
  EXPECT_EQ(broker_.Read(topic).size(), 20u);
}

TEST_F(KafkaSinkTest, HoldsWhileItsRightIsRevokedAndDropsNothing) {
  const std::string topic = broker_.NewTopic(2);
  broker_.Allow(topic);
  ContractBatch batch(300);
  Spread(batch, 5);
  const auto sink = NewSink(Guarded(topic));
  ASSERT_TRUE(Pump(*sink, batch.messages().first(100), 100));
  broker_.Forbid(topic);
  for (int i = 0; i < 2; ++i) {
    const auto outcomes = Attempt(*sink, batch.messages().subspan(100));
    const auto held = std::ranges::find(outcomes, Verdict::kHold, &Outcome::verdict);
    ASSERT_NE(held, outcomes.end());
    EXPECT_EQ(held->code, "kafka_topic_authorization_failed");
    EXPECT_TRUE(std::ranges::none_of(outcomes, Good));
  }
  broker_.Allow(topic);
  ASSERT_TRUE(Pump(*sink, batch.messages().subspan(100), 100));
  EXPECT_TRUE(AllInOrder(broker_.Read(topic), batch));
}

TEST_F(KafkaSinkTest, ReadsAPasswordAgainWhenItsFileChanges) {
  const std::string topic = broker_.NewTopic();
  broker_.Allow(topic);
  const ContractBatch batch(5);
  const auto sink = NewSink(Guarded(topic));
  ASSERT_TRUE(Pump(*sink, batch.messages(), 5));
  dir_.Write("password", "a-wrong-one\n");
  const auto wrong = Attempt(*sink, batch.messages());
  EXPECT_EQ(wrong[0].verdict, Verdict::kHold);
  EXPECT_EQ(wrong[0].code, "kafka_authentication");
  EXPECT_EQ(wrong[0].excerpt.find("a-wrong-one"), std::string::npos);
  std::filesystem::remove(secret_);
  const auto missing = Attempt(*sink, batch.messages());
  EXPECT_EQ(missing[0].verdict, Verdict::kHold);
  EXPECT_EQ(missing[0].code, "no_credentials");
  dir_.Write("password", std::string(KafkaBroker::kPassword) + "\n");
  EXPECT_TRUE(Pump(*sink, batch.messages(), 5));
}

TEST_F(KafkaSinkTest, HoldsWhenItCannotTrustTheBroker) {
  const std::string topic = broker_.NewTopic();
  broker_.Allow(topic);
  const ContractBatch batch(5);
  KafkaSettings kafka = Guarded(topic);
  kafka.tls->ca_file = dir_.Write("ca.crt", "");
  std::filesystem::copy_file(broker_.dir() + "/stranger.crt", kafka.tls->ca_file,
                             std::filesystem::copy_options::overwrite_existing);
  const auto sink = NewSink(kafka);
  const auto outcomes = Attempt(*sink, batch.messages());
  EXPECT_EQ(outcomes[0].verdict, Verdict::kHold);
  EXPECT_EQ(outcomes[0].code, "kafka_ssl") << outcomes[0].excerpt;
  EXPECT_TRUE(std::ranges::none_of(outcomes, Good));
  // The same path with the right authority is enough to go on.
  std::filesystem::copy_file(broker_.ca_file(), kafka.tls->ca_file,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(Pump(*sink, batch.messages(), 5));

  // A certificate for another name: the same host, as only the resolver knows.
  const std::string port = broker_.sasl_ssl().substr(broker_.sasl_ssl().find(':'));
  kafka.brokers = {"127.1" + port};
  const auto misnamed = Attempt(*NewSink(kafka), batch.messages());
  EXPECT_EQ(misnamed[0].verdict, Verdict::kHold);
  EXPECT_EQ(misnamed[0].code, "kafka_ssl") << misnamed[0].excerpt;

  kafka.tls->ca_file = dir_.path() + "/missing.crt";
  const auto unreadable = Attempt(*NewSink(kafka), batch.messages());
  EXPECT_EQ(unreadable[0].verdict, Verdict::kHold);
  EXPECT_EQ(unreadable[0].code, "kafka_config");
}

TEST_F(KafkaSinkTest, ShowsACertificateWhereTheBrokerWantsOne) {
  const std::string topic = broker_.NewTopic();
  const ContractBatch batch(5);
  KafkaSettings kafka = Plain(topic);
  kafka.brokers = {broker_.tls()};
  kafka.tls = KafkaTls{broker_.ca_file(), broker_.client_cert(), broker_.client_key()};
  EXPECT_TRUE(Pump(*NewSink(kafka), batch.messages(), 5));
  kafka.tls = KafkaTls{broker_.ca_file(), "", ""};
  EXPECT_TRUE(std::ranges::none_of(Attempt(*NewSink(kafka), batch.messages()), Good));
  EXPECT_TRUE(AllInOrder(broker_.Read(topic), batch));
}

// ---- sizes

TEST_F(KafkaSinkTest, CallsOneEventTooLargeAndDeliversItsNeighbours) {
  const std::string topic = broker_.NewTopic(1, {{"max.message.bytes", "20000"}});
  const ContractBatch before(3);
  const ContractBatch large(1, 50'000, 3);
  const ContractBatch after(3, 0, 4);
  KafkaSettings kafka = Plain(topic);
  kafka.compression = "none";
  const auto sink = NewSink(kafka);
  std::vector<Message> mixed(before.messages().begin(), before.messages().end());
  mixed.push_back(large.messages()[0]);
  mixed.insert(mixed.end(), after.messages().begin(), after.messages().end());
  for (const Outcome& outcome : Attempt(*sink, mixed)) EXPECT_NE(outcome.verdict, Verdict::kReject);
  EXPECT_EQ(Attempt(*sink, large.messages())[0].verdict, Verdict::kTooLarge);
  EXPECT_TRUE(Pump(*sink, before.messages(), 1));
  EXPECT_TRUE(Pump(*sink, after.messages(), 3));
}

// A request is refused as a whole, and smaller ones behind it would be taken.
TEST_F(KafkaSinkTest, LetsNoSmallRequestOvertakeOneThatWasTooLarge) {
  const std::string topic = broker_.NewTopic(1, {{"max.message.bytes", "30000"}});
  ContractBatch batch(3000, 900);
  KafkaSettings kafka = Plain(topic);
  kafka.compression = "none";
  const auto sink = NewSink(kafka);
  std::mt19937_64 random(20261121);
  for (size_t at = 0; at < batch.size();) {
    const size_t size = std::min<size_t>(25 + random() % 60, batch.size() - at);
    ASSERT_TRUE(Pump(*sink, batch.messages().subspan(at, size), size));
    at += size;
  }
  EXPECT_TRUE(AllInOrder(broker_.Read(topic), batch));
}

// The library makes requests of a megabyte: a little more makes a large one and a small one.
TEST_F(KafkaSinkTest, LetsNoSmallRequestOvertakeTheFirstOfANewProducer) {
  for (const size_t count : {900, 960, 980}) {
    const std::string topic = broker_.NewTopic(1, {{"max.message.bytes", "30000"}});
    const ContractBatch batch(count, 900);
    KafkaSettings kafka = Plain(topic);
    kafka.compression = "none";
    ASSERT_TRUE(Pump(*NewSink(kafka), batch.messages(), count));
    ASSERT_TRUE(AllInOrder(broker_.Read(topic), batch)) << count;
  }
}

TEST_F(KafkaSinkTest, CallsTooLargeWithoutAskingWhatNoBrokerTakes) {
  const std::string topic = broker_.NewTopic();
  const ContractBatch small(2);
  const ContractBatch large(1, 17 << 20, 2);
  std::vector<Message> mixed(small.messages().begin(), small.messages().end());
  mixed.push_back(large.messages()[0]);
  const auto outcomes = Attempt(*NewSink(Plain(topic)), mixed);
  EXPECT_TRUE(Good(outcomes[0]) && Good(outcomes[1]));
  EXPECT_EQ(outcomes[2].verdict, Verdict::kTooLarge);
}

// ---- a producer that can go on no more

TEST_F(KafkaSinkTest, MakesItsProducerAnewAfterAFatalErrorAndGoesOnInOrder) {
  const std::string topic = broker_.NewTopic(2);
  ContractBatch batch(3000, 500);
  Spread(batch, 5);
  const auto sink = NewSink(Plain(topic));
  ASSERT_TRUE(Pump(*sink, batch.messages().first(500), 500));
  rd_kafka_t* const first = newest_producer;
  broker_.Pause();  // so that the attempt is surely under way
  std::vector<Outcome> outcomes;
  std::jthread attempt([&] { outcomes = Attempt(*sink, batch.messages().subspan(500, 1000)); });
  ASSERT_TRUE(WaitUntil([&] { return rd_kafka_outq_len(first) > 0; }));
  rd_kafka_test_fatal_error(first, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "as a test");
  const SteadyTime told = Now();
  attempt.join();
  EXPECT_LT(Now() - told, seconds(3));
  EXPECT_EQ(outcomes.front().verdict, Verdict::kRetry);
  EXPECT_EQ(outcomes.front().code, "kafka_out_of_order_sequence_number");
  EXPECT_TRUE(std::ranges::none_of(outcomes, Good));
  broker_.Continue();
  ASSERT_TRUE(Pump(*sink, batch.messages().subspan(500), 1000));
  EXPECT_NE(newest_producer, first);
  EXPECT_TRUE(AllInOrder(broker_.Read(topic), batch));
}

TEST_F(KafkaSinkTest, NoticesAFatalErrorThatCameWhileItHadNothingToSend) {
  const std::string topic = broker_.NewTopic();
  const ContractBatch batch(20);
  const auto sink = NewSink(Plain(topic));
  ASSERT_TRUE(Pump(*sink, batch.messages().first(10), 10));
  rd_kafka_test_fatal_error(newest_producer, RD_KAFKA_RESP_ERR__FENCED, "as a test");
  EXPECT_TRUE(std::ranges::all_of(Attempt(*sink, batch.messages().subspan(10)), Good));
  EXPECT_TRUE(AllInOrder(broker_.Read(topic), batch));
}

}  // namespace
}  // namespace spool::testing
