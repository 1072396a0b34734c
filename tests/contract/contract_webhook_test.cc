// What each HTTP answer means, and what settings are refused.
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "forward/sink_factory.h"
#include "net/http_server.h"
#include "tests/support/contract_targets.h"
#include "tests/support/moment.h"

namespace spool::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Format = WebhookSettings::Format;

SteadyTime Now() { return RealClock().Steady(); }

class WebhookSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    net::HttpServerOptions options;
    options.name = "webhook";
    options.address = "127.0.0.1:0";
    auto started = net::HttpServer::Start(
        options, [this](net::HttpRequest&& request, net::HttpResponder responder) {
          std::lock_guard lock(mutex_);
          requests_.push_back(std::move(request));
          responder.Send(answer_);
        });
    ASSERT_TRUE(started.has_value());
    server_ = std::move(*started);
    webhook_.url = "http://" + server_->address() + "/hook?x=1";
  }
  std::unique_ptr<Sink> NewSink() {
    SinkSettings settings;
    settings.timeout = {Millis(1000), Millis(3000)};
    settings.of = webhook_;
    return MakeSink(settings).value();
  }
  void AnswerWith(net::HttpResponse answer) {
    std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  Outcome Answered(int status, size_t events) {
    net::HttpResponse answer;
    answer.status = status;
    answer.body = "because";
    AnswerWith(answer);
    const ContractBatch batch(events);
    std::vector<Outcome> outcomes(events);
    NewSink()->Deliver(batch.messages(), outcomes, Now() + seconds(10), {});
    return outcomes[0];
  }

  std::mutex mutex_;
  std::vector<net::HttpRequest> requests_;
  net::HttpResponse answer_;
  WebhookSettings webhook_;
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(WebhookSinkTest, ReadsEveryStatusAsTheContractSays) {
  const std::map<int, Verdict> expected = {
      {200, Verdict::kDelivered}, {201, Verdict::kDelivered}, {202, Verdict::kDelivered},
      {204, Verdict::kDelivered}, {301, Verdict::kHold},      {302, Verdict::kHold},
      {307, Verdict::kHold},      {308, Verdict::kHold},      {400, Verdict::kReject},
      {401, Verdict::kHold},      {403, Verdict::kHold},      {404, Verdict::kHold},
      {405, Verdict::kHold},      {408, Verdict::kRetry},     {409, Verdict::kRetry},
      {410, Verdict::kHold},      {413, Verdict::kTooLarge},  {415, Verdict::kHold},
      {422, Verdict::kReject},    {425, Verdict::kRetry},     {429, Verdict::kRetry},
      {500, Verdict::kRetry},     {502, Verdict::kRetry},     {503, Verdict::kRetry},
      {504, Verdict::kRetry}};
  for (const auto& [status, verdict] : expected) {
    webhook_.format = Format::kStructured;
    const Outcome outcome = Answered(status, 1);
    EXPECT_EQ(outcome.verdict, verdict) << status;
    if (verdict == Verdict::kDelivered) continue;
    EXPECT_EQ(outcome.code, "http_" + std::to_string(status));
    EXPECT_TRUE(outcome.excerpt.ends_with("because")) << outcome.excerpt;
    for (const Format format : {Format::kBatch, Format::kJsonLines}) {
      webhook_.format = format;
      const bool refused = verdict == Verdict::kReject;
      EXPECT_EQ(Answered(status, 3).verdict, refused ? Verdict::kRefusedTogether : verdict)
          << status;
      EXPECT_EQ(Answered(status, 1).verdict, verdict) << status;
    }
  }
}

TEST_F(WebhookSinkTest, SaysThatARedirectIsNotFollowed) {
  const Outcome outcome = Answered(302, 1);
  EXPECT_NE(outcome.excerpt.find("not followed"), std::string::npos);
}

TEST_F(WebhookSinkTest, PassesOnWhenTheTargetWantsToBeAskedAgain) {
  AnswerWith(net::Problem(429, "slow", "down", -1, 7));
  const ContractBatch batch(2);
  std::vector<Outcome> outcomes(2);
  NewSink()->Deliver(batch.messages(), outcomes, Now() + seconds(10), {});
  EXPECT_EQ(outcomes[0].retry_after, seconds(7));
  EXPECT_EQ(outcomes[1].verdict, Verdict::kRetry);
}

TEST_F(WebhookSinkTest, StopsAtTheFirstFailureToKeepTheOrder) {
  const ContractBatch batch(100);
  Answered(503, 1);
  std::vector<Outcome> outcomes(100);
  NewSink()->Deliver(batch.messages(), outcomes, Now() + seconds(10), {});
  std::lock_guard lock(mutex_);
  EXPECT_EQ(requests_.size(), 2u);
  EXPECT_TRUE(outcomes[1].code.empty());
}

TEST_F(WebhookSinkTest, ShowsACleanExcerptWithoutCredentials) {
  ContractDir dir;
  webhook_.bearer = Secret::FromFile(dir.Write("token", "hunter2-hunter2\n"));
  webhook_.headers = {{"X-Api-Key", "key-0123456789"}};
  net::HttpResponse answer;
  answer.status = 400;
  answer.body =
      "you sent Bearer hunter2-hunter2 and key-0123456789\x1b[31m" + std::string(20'000, 'x');
  AnswerWith(answer);
  const ContractBatch batch(1);
  std::vector<Outcome> outcomes(1);
  NewSink()->Deliver(batch.messages(), outcomes, Now() + seconds(10), {});
  EXPECT_EQ(outcomes[0].excerpt.find("hunter2"), std::string::npos);
  EXPECT_EQ(outcomes[0].excerpt.find("0123456789"), std::string::npos);
  EXPECT_EQ(outcomes[0].excerpt.find('\x1b'), std::string::npos);
  EXPECT_LE(outcomes[0].excerpt.size(), 1024u);
}

TEST_F(WebhookSinkTest, ReadsTheBearerAnewForEveryBatch) {
  ContractDir dir;
  const ContractBatch batch(1);
  webhook_.bearer = Secret::FromFile(dir.Write("token", "first\n"));
  const auto sink = NewSink();
  DeliverAll(*sink, batch, 1);
  dir.Write("token", "second\n");
  DeliverAll(*sink, batch, 1);
  dir.Write("token", "");
  std::vector<Outcome> outcomes(1);
  sink->Deliver(batch.messages(), outcomes, Now() + seconds(10), {});
  EXPECT_EQ(outcomes[0].verdict, Verdict::kHold);
  EXPECT_EQ(outcomes[0].code, "no_credentials");
  std::lock_guard lock(mutex_);
  ASSERT_EQ(requests_.size(), 2u);
  EXPECT_EQ(requests_[0].Header("authorization"), "Bearer first");
  EXPECT_EQ(requests_[1].Header("authorization"), "Bearer second");
}

TEST_F(WebhookSinkTest, SendsEachRequestOverTheSameConnection) {
  const ContractBatch batch(200);
  EXPECT_EQ(DeliverAll(*NewSink(), batch, 1).size(), 200u);
  EXPECT_EQ(server_->stats().accepted, 1u);
}

TEST_F(WebhookSinkTest, DeliversAsMuchAsTheDeadlineAllowsAndCutsNothing) {
  // About 10 ms a request: a batch of 500 does not fit into 600 ms.
  auto slow =
      net::HttpServer::Start({.name = "slow", .address = "127.0.0.1:0", .threads = 1, .limits = {}},
                             [this](net::HttpRequest&& request, net::HttpResponder responder) {
                               TakeTime(milliseconds(10));
                               const std::lock_guard lock(mutex_);
                               requests_.push_back(std::move(request));
                               responder.Send({});
                             });
  ASSERT_TRUE(slow.has_value());
  webhook_.url = "http://" + (*slow)->address();
  const ContractBatch batch(500);
  std::vector<Outcome> outcomes(500);
  const SteadyTime began = Now();
  NewSink()->Deliver(batch.messages(), outcomes, began + milliseconds(600), {});
  EXPECT_LT(Now() - began, seconds(1));
  size_t delivered = 0;
  while (delivered < 500 && outcomes[delivered].verdict == Verdict::kDelivered) ++delivered;
  EXPECT_GT(delivered, 5u);
  EXPECT_LT(delivered, 500u);
  std::lock_guard lock(mutex_);
  EXPECT_EQ(requests_.size(), delivered);
}

// ---- the factory

Result<std::unique_ptr<Sink>> Made(auto of, TargetTimeouts timeout = {}) {
  SinkSettings settings;
  settings.timeout = timeout;
  settings.of = of;
  return MakeSink(settings);
}
std::string Refusal(auto of, TargetTimeouts timeout = {}) {
  const auto made = Made(of, timeout);
  if (made.has_value()) return "taken";
  EXPECT_EQ(made.error().code, Code::kInvalid);
  return made.error().message;
}
WebhookSettings Webhook(std::string url) {
  WebhookSettings webhook;
  webhook.url = std::move(url);
  return webhook;
}

TEST(SinkFactory, MakesEverySinkWithoutConnecting) {
  EXPECT_TRUE(Made(NullSettings{}).has_value());
  EXPECT_TRUE(Made(StdoutSettings{}).has_value());
  EXPECT_TRUE(Made(FileSettings{"relative.jsonl"}).has_value());
  EXPECT_TRUE(Made(Webhook("https://nowhere.invalid/x")).has_value());
  EXPECT_TRUE(Made(Webhook("HTTP://[::1]:8080")).has_value());
  NatsSettings nats;
  nats.url = "nats://nowhere.invalid:4222,nats://[::1]:4222";
  EXPECT_TRUE(Made(nats).has_value());
}

TEST(SinkFactory, RefusesSettingsThatCanNeverWorkAndNamesTheField) {
  for (const char* url : {"", "ftp://x", "http://", "http://:80", "http://h:99999", "http://h:0",
                          "http://u:p@h/", "http://h h/", "http://h:x/", "/path", "http://[::1/"}) {
    EXPECT_TRUE(Refusal(Webhook(url)).starts_with("url")) << url;
  }
  const auto with_header = [](std::string name, std::string value) {
    WebhookSettings webhook = Webhook("http://h");
    webhook.headers = {{std::move(name), std::move(value)}};
    return Refusal(webhook);
  };
  EXPECT_TRUE(with_header("X Y", "v").starts_with("headers"));
  EXPECT_TRUE(with_header("X", "a\r\nB: c").starts_with("headers"));
  EXPECT_TRUE(with_header("content-length", "3").starts_with("headers"));
  EXPECT_EQ(with_header("X-Good", "value"), "taken");
  WebhookSettings webhook = Webhook("http://h");
  webhook.concurrency = 0;
  EXPECT_TRUE(Refusal(webhook).starts_with("concurrency"));
  webhook.concurrency = 2;
  webhook.format = Format::kBatch;
  EXPECT_TRUE(Refusal(webhook).starts_with("concurrency"));

  EXPECT_TRUE(Refusal(FileSettings{""}).starts_with("path"));
  EXPECT_TRUE(Refusal(FileSettings{"/tmp/"}).starts_with("path"));

  const auto with_nats = [](auto change) {
    NatsSettings nats;
    change(nats);
    return Refusal(nats);
  };
  EXPECT_TRUE(with_nats([](auto& n) { n.url = "http://h"; }).starts_with("url"));
  EXPECT_TRUE(with_nats([](auto& n) { n.url = "nats://u:p@h"; }).starts_with("url"));
  EXPECT_TRUE(with_nats([](auto& n) { n.subject = "a.{b}"; }).starts_with("subject"));
  EXPECT_TRUE(with_nats([](auto& n) { n.stream = "A.B"; }).starts_with("stream"));
  EXPECT_TRUE(with_nats([](auto& n) { n.window = 0; }).starts_with("window"));
  EXPECT_TRUE(with_nats([](auto& n) { n.window = 70000; }).starts_with("window"));
  EXPECT_TRUE(with_nats([](auto& n) { n.password = Secret::FromEnv("X"); }).starts_with("pass"));
  EXPECT_TRUE(Refusal(NullSettings{}, {Millis(0), Millis(1)}).starts_with("timeout.connect"));
}

}  // namespace
}  // namespace spool::testing
