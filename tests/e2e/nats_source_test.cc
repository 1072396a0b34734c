// Events from a real nats-server: acknowledged only when they are stored, shared by two spools, and
// each once whatever is killed.
#include <gtest/gtest.h>
#include <nats/nats.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "tests/support/app_http.h"
#include "tests/support/fault_profile.h"
#include "tests/support/moment.h"
#include "tests/support/nats_server.h"
#include "tests/support/numbered_spool.h"

namespace spool::testing {
namespace {

// Publishes numbered events without an id or a time of their own, and counts those that the server
// has taken. One thread, and whoever joins it.
class Publisher {
 public:
  explicit Publisher(std::string url) : url_(std::move(url)) {}
  ~Publisher() { End(); }
  void Begin(uint64_t count) {
    thread_ = std::jthread([this, count](const std::stop_token& stop) {
      while (!stop.stop_requested() && taken_ < count) Run(count, stop);
      nats_ReleaseThreadMemory();
    });
  }
  void End() { thread_ = {}; }
  uint64_t taken() const { return taken_; }

 private:
  void Run(uint64_t count, const std::stop_token& stop) {
    natsConnection* connection = nullptr;
    jsCtx* js = nullptr;
    if (natsConnection_ConnectTo(&connection, url_.c_str()) != NATS_OK) {
      AwaitRandomMoment(std::chrono::milliseconds(20));
      return;
    }
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = 500;
    if (natsConnection_JetStream(&js, connection, &options) == NATS_OK) {
      while (!stop.stop_requested() && taken_ < count) {
        const std::string text = R"({"n":)" + std::to_string(taken_) + "}";
        jsPubOptions publish;
        jsPubOptions_Init(&publish);
        const std::string id = "n" + std::to_string(taken_);
        publish.MsgId = id.c_str();  // once, also when an answer is lost
        jsPubAck* ack = nullptr;
        const natsStatus status = js_Publish(&ack, js, "events.a", text.data(),
                                             static_cast<int>(text.size()), &publish, nullptr);
        jsPubAck_Destroy(ack);
        if (status != NATS_OK) break;
        ++taken_;
      }
    }
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
  }

  const std::string url_;
  std::atomic<uint64_t> taken_{0};
  std::jthread thread_;
};

class NatsSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = NatsServer::Start();
    ASSERT_TRUE(server_);
    ASSERT_TRUE(server_->AddStream("EVENTS", {"events.>"}));
  }
  NumberedSpool Make(const std::string& name) {
    NumberedSpool spool(dir_.path(), name,
                        "{ type: nats, url: \"" + server_->url() + "\", stream: EVENTS }");
    spool.Start();
    return spool;
  }

  const AppDir dir_;
  std::unique_ptr<NatsServer> server_;
};

TEST_F(NatsSourceTest, EachMessageIsStoredOnceWhateverIsKilled) {
  std::mt19937_64 random(7);
  const FaultProfile profile("CRASH", 8);
  Publisher publisher(server_->url());
  publisher.Begin(100'000);
  NumberedSpool spool = Make("one");
  for (int cycle = 0; cycle < profile.count(); ++cycle) {
    AwaitRandomMoment(
        std::chrono::milliseconds(std::uniform_int_distribution<int>(200, 900)(random)));
    if (cycle % 3 == 2) {
      server_->Kill();
      ASSERT_TRUE(server_->Restart());
    } else {
      ASSERT_TRUE(spool.Kill());
      spool.Start();
    }
  }
  publisher.End();
  const uint64_t count = publisher.taken();
  ASSERT_GT(count, 100u);
  EXPECT_TRUE(WaitUntil([&] { return spool.stored() >= count; }, std::chrono::seconds(60)))
      << spool.Source().dump() << " of " << count;
  EXPECT_TRUE(
      WaitUntil([&] { return spool.Source()["behind_messages"] == 0; }, std::chrono::seconds(60)))
      << spool.Source().dump();
  spool.End();
  std::map<uint64_t, int> numbers;
  spool.Count(&numbers);
  ExpectEachOnce(numbers, count);
}

TEST_F(NatsSourceTest, TwoSpoolsShareOneDurable) {
  NumberedSpool one = Make("one"), two = Make("two");
  ASSERT_TRUE(WaitUntil([&] {
    return one.Source()["state"] == "up" && two.Source()["state"] == "up" &&
           one.Source()["behind_messages"] == 0 && two.Source()["behind_messages"] == 0;
  }));
  Publisher publisher(server_->url());
  publisher.Begin(6000);
  ASSERT_TRUE(
      WaitUntil([&] { return one.stored() + two.stored() >= 6000; }, std::chrono::seconds(60)));
  EXPECT_GT(one.stored(), 0u);
  EXPECT_GT(two.stored(), 0u);
  one.End();
  two.End();
  std::map<uint64_t, int> numbers;
  one.Count(&numbers);
  two.Count(&numbers);
  ExpectEachOnce(numbers, 6000);
}

TEST_F(NatsSourceTest, TellsWhatKeepsItAndWhatItMissed) {
  Publisher publisher(server_->url());
  publisher.Begin(20);
  NumberedSpool spool = Make("one");
  ASSERT_TRUE(WaitUntil([&] { return spool.stored() == 20; }));
  ASSERT_TRUE(WaitUntil([&] { return spool.Source()["behind_messages"] == 0; }));
  spool.End();
  publisher.End();
  // While it is away the stream gives up messages that it has not had.
  Publisher more(server_->url());
  ASSERT_TRUE(server_->DeleteStream("EVENTS"));
  spool.Start();
  ASSERT_TRUE(WaitUntil([&] { return spool.Source()["state"] == "down"; }));
  const std::string said = spool.Source()["last_error"].is_string()
                               ? spool.Source()["last_error"].get<std::string>()
                               : "";
  EXPECT_NE(said.find("there is no stream EVENTS"), std::string::npos) << said;
  ASSERT_TRUE(server_->AddStream("EVENTS", {"events.>"}));
  ASSERT_TRUE(WaitUntil([&] { return spool.Source()["state"] == "up"; }));
  more.Begin(5);  // the same texts, in another stream
  EXPECT_TRUE(WaitUntil([&] { return spool.stored() == 25; })) << spool.Source().dump();
  spool.End();
}

}  // namespace
}  // namespace spool::testing
