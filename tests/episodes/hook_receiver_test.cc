// The webhook's other end answers as it is told and remembers what it must.
#include "tests/support/hook_receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/app_http.h"
#include "tests/support/crash_producers.h"

namespace spool::testing {
namespace {

using nlohmann::json;
using Kind = HookScript::Kind;

std::string EventOf(uint64_t number) {
  return json{
      {"id", "x"}, {"sequence", std::to_string(100 + number)}, {"data", CrashDataOf(number)}}
      .dump();
}

class HookReceiverTest : public ::testing::Test {
 protected:
  HttpReply Post(const std::string& body) {
    return Call("POST", "127.0.0.1:" + std::to_string(receiver_.port()), "/hook", body);
  }
  std::string Raw(const std::string& body, size_t bytes) {
    test::RawSocket socket = test::RawSocket::Connect(receiver_.port());
    EXPECT_TRUE(socket.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                            std::to_string(body.size()) + "\r\n\r\n" + body));
    std::string got;
    while (got.size() < bytes && !socket.closed()) got += socket.Read();
    return got;
  }
  HookReceiver receiver_;
};

TEST_F(HookReceiverTest, RemembersWhatItConfirms) {
  EXPECT_EQ(Post(EventOf(1)).status, 200);
  EXPECT_EQ(Post("[" + EventOf(2) + "," + EventOf(1) + "]").status, 200);
  const auto arrivals = receiver_.arrivals();
  ASSERT_EQ(arrivals.size(), 3u);
  EXPECT_EQ(arrivals[1].number, 2u);
  EXPECT_EQ(arrivals[1].sequence, 102u);
  EXPECT_EQ(arrivals[1].hash, DataHash(CrashDataOf(2).dump()));
  EXPECT_NE(arrivals[1].hash, arrivals[2].hash);
  EXPECT_EQ(receiver_.distinct(), 2u);
  EXPECT_EQ(receiver_.unconfirmed(), 0u);
}

TEST_F(HookReceiverTest, ForgetsWhatItRefusesUnlessToldOtherwise) {
  HookScript script;
  script.status = 503;
  script.headers = "Retry-After: 7\r\n";
  receiver_.Set(script);
  const HttpReply reply = Post(EventOf(1));
  EXPECT_EQ(reply.status, 503);
  EXPECT_TRUE(reply.retry_after);
  EXPECT_EQ(receiver_.distinct(), 0u);
  script.take = true;
  receiver_.Set(script);
  EXPECT_EQ(Post(EventOf(1)).status, 503);
  EXPECT_EQ(receiver_.distinct(), 1u);
  EXPECT_EQ(receiver_.unconfirmed(), 1u);
}

TEST_F(HookReceiverTest, RefusesWhatIsPoisonousAndSaysWhichForGood) {
  HookScript script;
  script.status = 422;
  script.poison = 5;
  receiver_.Set(script);
  EXPECT_EQ(Post(EventOf(4)).status, 200);
  EXPECT_EQ(Post("[" + EventOf(4) + "," + EventOf(5) + "]").status, 422);
  EXPECT_TRUE(receiver_.refused().empty()) << "it was not alone";
  EXPECT_EQ(Post("[" + EventOf(5) + "]").status, 422);
  EXPECT_EQ(receiver_.refused(), (std::map<uint64_t, int>{{5, 422}}));
}

TEST_F(HookReceiverTest, LimitsBodies) {
  HookScript script;
  script.body_max = 700;
  receiver_.Set(script);
  EXPECT_EQ(Post(EventOf(0)).status, 200);
  EXPECT_EQ(Post("[" + EventOf(0) + std::string(800, ' ') + "]").status, 413);
  EXPECT_EQ(receiver_.refused(), (std::map<uint64_t, int>{{0, 413}}));
}

TEST_F(HookReceiverTest, AnswersWithoutEnd) {
  for (const Kind kind :
       {Kind::kHugeBody, Kind::kEndlessHeaders, Kind::kHeadWithoutEnd, Kind::kContinueFlood}) {
    HookScript script;
    script.kind = kind;
    receiver_.Set(script);
    EXPECT_GE(Raw(EventOf(1), 5 << 20).size(), size_t{5} << 20) << static_cast<int>(kind);
  }
}

TEST_F(HookReceiverTest, BreaksOff) {
  HookScript script;
  script.kind = Kind::kTruncatedBody;
  receiver_.Set(script);
  EXPECT_THAT(Raw(EventOf(1), 1 << 20),
              ::testing::HasSubstr("Content-Length: 5000\r\n\r\nnot all"));
  script.kind = Kind::kClose;
  receiver_.Set(script);
  EXPECT_EQ(Raw(EventOf(1), 1), "");
  script.kind = Kind::kNotHttp;
  receiver_.Set(script);
  EXPECT_THAT(Raw(EventOf(1), 1 << 20), ::testing::HasSubstr("220 smtp"));
}

TEST_F(HookReceiverTest, GoesOnAfterInterimAnswers) {
  HookScript script;
  script.kind = Kind::kContinuesThenAnswer;
  receiver_.Set(script);
  EXPECT_EQ(Post(EventOf(1)).status, 200);
  EXPECT_EQ(receiver_.distinct(), 1u);
}

TEST_F(HookReceiverTest, KnowsWhatIsNotOurs) {
  EXPECT_EQ(Post("nonsense").status, 200);
  ASSERT_EQ(receiver_.arrivals().size(), 1u);
  EXPECT_EQ(receiver_.arrivals()[0].number, UINT64_MAX);
}

}  // namespace
}  // namespace spool::testing
