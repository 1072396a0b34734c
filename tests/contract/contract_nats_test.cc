// What is particular to JetStream, against a real server.
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "forward/sink_factory.h"
#include "forward/sinks/nats_answer.h"
#include "forward/sinks/nats_subject.h"
#include "tests/support/contract_targets.h"
#include "tests/support/moment.h"
#include "tests/support/nats_server.h"

namespace spool::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SteadyTime Now() { return RealClock().Steady(); }

bool Good(const Outcome& outcome) {
  return outcome.verdict == Verdict::kDelivered || outcome.verdict == Verdict::kDuplicate;
}

std::vector<Outcome> Attempt(Sink& sink, std::span<const Message> messages) {
  std::vector<Outcome> outcomes(messages.size());
  sink.Deliver(messages, outcomes, Now() + seconds(20), {});
  return outcomes;
}

class NatsSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = NatsServer::Start();
    ASSERT_NE(server_, nullptr);
  }
  std::unique_ptr<Sink> NewSink(const std::string& subject = "spool.{stream}",
                                const std::string& stream = "", int window = 256) {
    NatsSettings nats;
    nats.url = server_->url();
    nats.subject = subject;
    nats.stream = stream;
    nats.window = window;
    SinkSettings settings;
    settings.timeout = {Millis(2000), Millis(5000)};
    settings.of = nats;
    return MakeSink(settings).value();
  }
  std::unique_ptr<NatsServer> server_;
};

TEST_F(NatsSinkTest, PutsTheEventIdWhereTheServerDeduplicates) {
  server_->AddStream("EVENTS", {"spool.>"});
  const ContractBatch batch(3);
  const auto sink = NewSink();
  ASSERT_EQ(DeliverAll(*sink, batch).size(), 3u);
  const auto stored = server_->Read("EVENTS");
  ASSERT_EQ(stored.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(stored[i].id, batch.events()[i].id.Hex());
    EXPECT_EQ(stored[i].subject, "spool.kubernetes-events");
    EXPECT_EQ(stored[i].content_type, "application/cloudevents+json");
    EXPECT_EQ(stored[i].body, batch.bodies()[i]);
  }
}

TEST_F(NatsSinkTest, CallsWhatIsSentTwiceInsideTheWindowADuplicate) {
  server_->AddStream("EVENTS", {"spool.>"});
  const ContractBatch batch(10);
  const auto sink = NewSink();
  ASSERT_EQ(DeliverAll(*sink, batch).size(), 10u);
  for (const Outcome& outcome : Attempt(*sink, batch.messages())) {
    EXPECT_EQ(outcome.verdict, Verdict::kDuplicate);
  }
  // Another sink, as after a restart, is no different: the id is the event's.
  for (const Outcome& outcome : Attempt(*NewSink(), batch.messages())) {
    EXPECT_EQ(outcome.verdict, Verdict::kDuplicate);
  }
  EXPECT_EQ(server_->Count("EVENTS"), 10);
}

TEST_F(NatsSinkTest, RetriesThenHoldsWhenNoStreamTakesTheSubject) {
  const ContractBatch batch(300);
  const auto sink = NewSink();
  EXPECT_EQ(Attempt(*sink, batch.messages())[0].verdict, Verdict::kRetry);
  EXPECT_EQ(Attempt(*sink, batch.messages())[0].code, "nats_no_responders");
  const auto held = Attempt(*sink, batch.messages());
  EXPECT_EQ(held[0].verdict, Verdict::kHold);
  EXPECT_EQ(held[0].code, "nats_no_stream");
  EXPECT_NE(held[0].excerpt.find("spool.kubernetes-events"), std::string::npos);
  for (const Outcome& outcome : held) EXPECT_FALSE(Good(outcome));

  server_->AddStream("EVENTS", {"spool.>"});
  EXPECT_EQ(DeliverAll(*sink, batch).size(), 300u);
  EXPECT_EQ(server_->Count("EVENTS"), 300);
}

TEST_F(NatsSinkTest, MakesTheConfiguredStreamAndMakesItAgain) {
  const ContractBatch batch(20);
  const auto sink = NewSink("audit.{stream}.v1-{severity}", "AUDIT");
  EXPECT_EQ(DeliverAll(*sink, batch, 1).size(), 20u);
  EXPECT_EQ(server_->Count("AUDIT"), 20);
  server_->DeleteStream("AUDIT");
  const ContractBatch more(20, 0, 20);
  EXPECT_EQ(DeliverAll(*sink, more, 3).size(), 20u);
  EXPECT_EQ(server_->Count("AUDIT"), 20);
}

TEST_F(NatsSinkTest, TakesAnExistingStreamAsItIs) {
  server_->AddStream("AUDIT", {"audit.>"}, {.messages_max = 1000});
  const ContractBatch batch(5);
  EXPECT_EQ(DeliverAll(*NewSink("audit.{stream}", "AUDIT"), batch, 1).size(), 5u);
}

TEST_F(NatsSinkTest, HoldsWhenAnotherStreamHasTheSubject) {
  server_->AddStream("OTHER", {"spool.>"});
  const ContractBatch batch(5);
  const auto outcomes = Attempt(*NewSink("spool.{stream}", "MINE"), batch.messages());
  EXPECT_EQ(outcomes[0].verdict, Verdict::kHold) << outcomes[0].code;
  EXPECT_EQ(server_->Count("OTHER"), 0);
}

TEST_F(NatsSinkTest, HoldsWhenTheStreamIsFullAndGoesOnWhenItIsNot) {
  server_->AddStream("EVENTS", {"spool.>"}, {.messages_max = 50});
  const ContractBatch batch(80);
  const auto sink = NewSink();
  const auto outcomes = Attempt(*sink, batch.messages());
  EXPECT_EQ(std::ranges::count_if(outcomes, Good), 50);
  EXPECT_EQ(outcomes[50].verdict, Verdict::kHold);
  EXPECT_EQ(outcomes[50].code, "nats_stream_full") << outcomes[50].excerpt;
  server_->DeleteStream("EVENTS");
  server_->AddStream("EVENTS", {"spool.>"});
  EXPECT_EQ(DeliverAll(*sink, batch).size(), 80u);
}

TEST_F(NatsSinkTest, CallsAMessageBeyondTheStreamsLimitTooLargeAndLeavesTheOthers) {
  server_->AddStream("EVENTS", {"spool.>"}, {.message_bytes_max = 10'000});
  const ContractBatch small(2);
  const ContractBatch large(1, 20'000, 2);
  const ContractBatch after(2, 0, 3);
  std::vector<Message> mixed(small.messages().begin(), small.messages().end());
  mixed.push_back(large.messages()[0]);
  mixed.insert(mixed.end(), after.messages().begin(), after.messages().end());
  const auto sink = NewSink();
  const auto outcomes = Attempt(*sink, mixed);
  EXPECT_TRUE(Good(outcomes[0]));
  EXPECT_TRUE(Good(outcomes[1]));
  EXPECT_EQ(outcomes[2].verdict, Verdict::kTooLarge) << outcomes[2].code;
  EXPECT_EQ(DeliverAll(*sink, after).size(), 2u);
  EXPECT_EQ(server_->Count("EVENTS"), 4);
}

TEST_F(NatsSinkTest, HoldsWhenTheServerForbidsTheSubject) {
  NatsServerOptions options;
  options.extra =
      "authorization { users: [ { user: u, password: p, permissions: { publish: [\"other.>\"] } },"
      " { user: admin, password: p } ] }\nno_auth_user: admin";
  server_->SetOptions(options);
  ASSERT_TRUE(server_->Restart());
  server_->AddStream("EVENTS", {"spool.>"});
  ContractDir dir;
  NatsSettings nats;
  nats.url = server_->url();
  nats.username = "u";
  nats.password = Secret::FromFile(dir.Write("password", "p\n"));
  SinkSettings settings;
  settings.of = nats;
  const auto sink = MakeSink(settings).value();
  const ContractBatch batch(5);
  const SteadyTime began = Now();
  const auto outcomes = Attempt(*sink, batch.messages());
  EXPECT_LT(Now() - began, seconds(5));
  EXPECT_EQ(outcomes[0].verdict, Verdict::kHold);
  EXPECT_EQ(outcomes[0].code, "nats_not_permitted");
}

TEST_F(NatsSinkTest, HoldsWhenASecretCannotBeRead) {
  NatsSettings nats;
  nats.url = server_->url();
  nats.token = Secret::FromFile("/nowhere/token");
  SinkSettings settings;
  settings.of = nats;
  const ContractBatch batch(1);
  const auto outcomes = Attempt(*MakeSink(settings).value(), batch.messages());
  EXPECT_EQ(outcomes[0].verdict, Verdict::kHold);
  EXPECT_EQ(outcomes[0].code, "no_credentials");
}

TEST_F(NatsSinkTest, DeliversThroughAWindowOfOne) {
  server_->AddStream("EVENTS", {"spool.>"});
  const ContractBatch batch(200);
  EXPECT_EQ(DeliverAll(*NewSink("spool.{stream}", "", 1), batch, 1).size(), 200u);
}

TEST_F(NatsSinkTest, NeverCreditsALateAnswerToALaterBatch) {
  server_->AddStream("EVENTS", {"spool.>"});
  const auto sink = NewSink();
  const ContractBatch first(1, 0, 5000);
  ASSERT_EQ(DeliverAll(*sink, first).size(), 1u);
  std::set<std::string> credited = {first.bodies()[0]};
  for (size_t round = 0; round < 10; ++round) {
    // The answers to the stopped attempt arrive during the next one, over the same connection.
    const ContractBatch lost(100, 0, round * 200);
    std::stop_source stopped;
    std::vector<Outcome> outcomes(lost.size());
    server_->Pause();
    std::jthread stopper([&] { stopped.request_stop(); });
    sink->Deliver(lost.messages(), outcomes, Now() + seconds(20), stopped.get_token());
    stopper.join();
    for (const Outcome& outcome : outcomes) EXPECT_FALSE(Good(outcome));
    // The server drops these, so no answer to any of them can be a good one.
    const ContractBatch refused(100, 2'000'000, round * 200 + 100);
    server_->Continue();
    for (const Outcome& outcome : Attempt(*sink, refused.messages().subspan(0, 2))) {
      EXPECT_FALSE(Good(outcome));
    }
    for (std::string& body : DeliverAll(*sink, lost)) credited.insert(std::move(body));
    std::set<std::string> stored;
    for (NatsStored& message : server_->Read("EVENTS")) stored.insert(std::move(message.body));
    for (const std::string& body : credited) ASSERT_TRUE(stored.contains(body));
  }
  EXPECT_EQ(credited.size(), 1001u);
}

// The server is killed again and again while batches are under way, and comes back on the same
// store: what was reported delivered is there, and each event is there once.
TEST_F(NatsSinkTest, LosesNothingWhenTheServerIsKilledInTheMiddleOfBatches) {
  server_->AddStream("EVENTS", {"spool.>"});
  const auto sink = NewSink();
  const size_t total = 6000;
  const ContractBatch batch(total, 600);
  std::mutex mutex;
  std::condition_variable changed;
  size_t next = 0;         // guarded by mutex, as the next two
  size_t interrupted = 0;  // attempts in which something failed after something had arrived
  bool done = false;
  std::vector<bool> credited(total);
  std::jthread deliverer([&] {
    while (next < total) {
      const size_t n = std::min<size_t>(500, total - next);
      const auto outcomes = Attempt(*sink, batch.messages().subspan(next, n));
      const auto end = std::ranges::find_if_not(outcomes, Good);
      const size_t good = static_cast<size_t>(end - outcomes.begin());
      for (size_t i = 0; i < n; ++i) {
        if (Good(outcomes[i])) credited[next + i] = true;
      }
      std::lock_guard lock(mutex);
      next += good;
      if (good > 0 && good < n) ++interrupted;
      changed.notify_all();
    }
    std::lock_guard lock(mutex);
    done = true;
    changed.notify_all();
  });
  std::minstd_rand random(20261121);
  for (int kills = 0; kills < 8; ++kills) {
    {
      std::unique_lock lock(mutex);
      const size_t wanted = (static_cast<size_t>(kills) + 1) * total / 10;
      ASSERT_TRUE(changed.wait_for(lock, seconds(60), [&] { return done || next >= wanted; }));
    }
    AwaitRandomMoment(milliseconds(random() % 8));
    server_->Kill();
    ASSERT_TRUE(server_->Restart());
  }
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, seconds(60), [&] { return done; }));
  }
  deliverer.join();
  EXPECT_GT(interrupted, 0u);
  std::map<std::string, int> stored;
  for (const NatsStored& message : server_->Read("EVENTS")) ++stored[message.id];
  for (size_t i = 0; i < total; ++i) {
    ASSERT_TRUE(credited[i]);
    ASSERT_EQ(stored[batch.events()[i].id.Hex()], 1) << i;
  }
  EXPECT_EQ(stored.size(), total);
}

TEST_F(NatsSinkTest, CanBeDestroyedWithAnswersOutstanding) {
  server_->AddStream("EVENTS", {"spool.>"});
  for (int i = 0; i < 20; ++i) {
    auto sink = NewSink();
    const ContractBatch batch(200, 0, static_cast<size_t>(i) * 200);
    std::stop_source stop;
    std::vector<Outcome> outcomes(batch.size());
    std::jthread stopper([&] { stop.request_stop(); });
    sink->Deliver(batch.messages(), outcomes, Now() + seconds(20), stop.get_token());
    sink.reset();
  }
}

// ---- without a server

TEST(NatsSubject, FillsInAttributesAndReplacesWhatASubjectCannotHold) {
  EventView event;
  event.stream = "security-events";
  event.category = "security";
  event.severity = Severity::kWarning;
  event.namespace_ = "a b.*>\n$\xc3\xa9";
  std::string subject;
  NatsSubject::Parse("k8s.{stream}.{category}.{severity}.{namespace}.{kind}-x")
      .value()
      .Render(event, subject);
  EXPECT_EQ(subject, "k8s.security-events.security.warning.a_b_______._-x");
}

TEST(NatsSubject, StaysInsideTheServersLine) {
  EventView event;
  const std::string long_value(4096, 'x');
  event.namespace_ = event.kind = event.category = long_value;
  std::string subject;
  NatsSubject::Parse("{namespace}.{kind}.{category}.{namespace}.{kind}.{category}.{kind}.{kind}")
      .value()
      .Render(event, subject);
  EXPECT_LE(subject.size(), 8 * NatsSubject::kValueMax + 7);
}

TEST(NatsSubject, KnowsTheSubjectsItCanMake) {
  EXPECT_EQ(NatsSubject::Parse("spool.{stream}").value().Wildcard(), "spool.*");
  EXPECT_EQ(NatsSubject::Parse("a-{kind}.b.{stream}{kind}").value().Wildcard(), "*.b.*");
  EXPECT_EQ(NatsSubject::Parse("plain.subject").value().Wildcard(), "plain.subject");
}

TEST(NatsSubject, RefusesWhatCannotBePublishedTo) {
  for (const char* text : {"", ".", "a..b", ".a", "a.", "a b", "a.*", "a.>", "{what}", "a.{stream",
                           "a}", "$JS.API", "a\tb",
                           "{stream}.{namespace}.{kind}.{stream}.{kind}."
                           "{kind}.{kind}.{kind}.{kind}"}) {
    EXPECT_FALSE(NatsSubject::Parse(text).has_value()) << text;
  }
}

TEST(NatsAnswer, IsGoodOnlyWhenItIsAnAcknowledgement) {
  EXPECT_EQ(ReadPubAck(R"({"stream":"S","seq":7})").verdict, Verdict::kDelivered);
  EXPECT_EQ(ReadPubAck(R"({"stream":"S","seq":7,"duplicate":true})").verdict, Verdict::kDuplicate);
  for (const char* text : {"", "{}", "+OK", "null", "[]", R"({"stream":"S"})", R"({"seq":7})",
                           R"({"stream":"","seq":7})", R"({"stream":"S","seq":0})",
                           R"({"stream":"S","seq":"7"})", R"({"stream":"S","seq":7)"}) {
    EXPECT_EQ(ReadPubAck(text).verdict, Verdict::kRetry) << text;
    EXPECT_EQ(ReadPubAck(text).code, "nats_bad_ack") << text;
  }
}

TEST(NatsAnswer, TellsErrorsThatPassFromThoseThatDoNot) {
  const auto verdict = [](int64_t code, int64_t number, std::string_view text) {
    return JetStreamError(code, number, text).verdict;
  };
  EXPECT_EQ(verdict(400, 10054, "message size exceeds maximum allowed"), Verdict::kTooLarge);
  EXPECT_EQ(verdict(503, 10077, "maximum messages exceeded"), Verdict::kHold);
  EXPECT_EQ(verdict(503, 10077, "maximum bytes exceeded"), Verdict::kHold);
  EXPECT_EQ(verdict(503, 10077, "disk trouble"), Verdict::kRetry);
  EXPECT_EQ(verdict(503, 10008, "temporarily unavailable"), Verdict::kRetry);
  EXPECT_EQ(verdict(503, 10023, "insufficient resources"), Verdict::kRetry);
  EXPECT_EQ(verdict(409, 10158, "in process"), Verdict::kRetry);
  EXPECT_EQ(verdict(503, 10076, "not enabled"), Verdict::kHold);
  EXPECT_EQ(verdict(503, 10039, "not enabled for account"), Verdict::kHold);
  EXPECT_EQ(verdict(400, 10060, "expected stream does not match"), Verdict::kHold);
  EXPECT_EQ(verdict(429, 10210, "too many"), Verdict::kRetry);
  EXPECT_EQ(verdict(400, 10999, "never"), Verdict::kReject);
  EXPECT_EQ(ReadPubAck(R"({"error":{"code":503,"err_code":10077,"description":"maximum bytes )"
                       R"(exceeded"},"stream":"S","seq":0})")
                .code,
            "nats_stream_full");
}

}  // namespace
}  // namespace spool::testing
