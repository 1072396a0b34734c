// The proxy does to connections what it says, and nothing else.
#include "tests/support/fault_proxy.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/app_http.h"
#include "tests/support/net_raw_client.h"

namespace spool::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::RawSocket;
using test::ScriptedPeer;
using Then = WayFault::Then;
using Door = ProxyFault::Door;

constexpr milliseconds kSoon{300};  // in which nothing is to come

// Sends back what it gets until the end, and then one word more.
void Echo(RawSocket& socket, int) {
  while (true) {
    const std::string bytes = socket.Read();
    if (bytes.empty()) break;
    if (!socket.Send(bytes)) return;
  }
  if (socket.closed()) socket.Send("bye");
}

class FaultProxyTest : public ::testing::Test {
 protected:
  FaultProxyTest() { proxy_.SetUpstream(echo_.port()); }
  RawSocket Connect() { return RawSocket::Connect(proxy_.port()); }
  // As many bytes as are wanted, or what came until the end.
  static std::string Get(RawSocket& socket, size_t count,
                         milliseconds limit = RawSocket::kPatience) {
    std::string all;
    const auto end = steady_clock::now() + limit;
    while (all.size() < count && !socket.closed() && steady_clock::now() < end) {
      all += socket.Read(std::chrono::ceil<milliseconds>(end - steady_clock::now()));
    }
    return all;
  }
  static std::string Said(RawSocket& socket, const std::string& bytes) {
    EXPECT_TRUE(socket.Send(bytes));
    return Get(socket, bytes.size());
  }
  static std::string Long(size_t size) {
    std::string text;
    while (text.size() < size) text += std::to_string(text.size()) + ' ';
    return text.substr(0, size);
  }
  static ProxyFault Up(const WayFault& way) {
    ProxyFault fault;
    fault.up = way;
    return fault;
  }
  static ProxyFault Down(const WayFault& way) {
    ProxyFault fault;
    fault.down = way;
    return fault;
  }

  ScriptedPeer echo_{Echo};
  FaultProxy proxy_;
};

TEST_F(FaultProxyTest, PassesEverythingBothWaysWhenNothingIsWrong) {
  RawSocket socket = Connect();
  const std::string text = Long(3'000'000);
  std::string back;
  for (size_t at = 0; at < text.size(); at += 100'000) {
    ASSERT_TRUE(socket.Send(std::string_view(text).substr(at, 100'000)));
    back += Get(socket, 100'000);
  }
  EXPECT_TRUE(back == text);
  EXPECT_EQ(proxy_.accepted(), 1u);
}

TEST_F(FaultProxyTest, TellsEachSideTheOthersEnd) {
  RawSocket socket = Connect();
  ASSERT_TRUE(socket.Send("last"));
  socket.ShutdownSend();
  EXPECT_EQ(socket.ReadAll(), "lastbye");
  EXPECT_TRUE(WaitUntil([this] { return proxy_.open() == 0; }));
}

TEST_F(FaultProxyTest, RefusesAndKeepsThePort) {
  ProxyFault fault;
  fault.door = Door::kRefuse;
  for (int i = 0; i < 3; ++i) {
    proxy_.Set(fault);
    EXPECT_FALSE(Connect().ok());
    proxy_.Heal();
    RawSocket socket = Connect();
    EXPECT_EQ(Said(socket, "again"), "again");
  }
}

TEST_F(FaultProxyTest, ResetsAtTheDoor) {
  ProxyFault fault;
  fault.door = Door::kReset;
  proxy_.Set(fault);
  RawSocket socket = Connect();
  socket.Send("hello");
  EXPECT_EQ(Get(socket, 1), "");
  EXPECT_TRUE(socket.closed());
}

TEST_F(FaultProxyTest, SwallowsWholeConnectionsInABlackHole) {
  ProxyFault fault;
  fault.door = Door::kBlackHole;
  proxy_.Set(fault);
  RawSocket socket = Connect();
  ASSERT_TRUE(socket.Send("hello"));
  EXPECT_EQ(socket.Read(kSoon), "");
  EXPECT_FALSE(socket.closed());
  EXPECT_EQ(echo_.connections(), 0);
  proxy_.Heal();
  EXPECT_TRUE(socket.WaitClosed());
  EXPECT_TRUE(WaitUntil([this] { return proxy_.open() == 0; }));
}

TEST_F(FaultProxyTest, HoldsBytesAndLetsThemGoLate) {
  RawSocket socket = Connect();
  ASSERT_EQ(Said(socket, "before"), "before");
  proxy_.Set(Up({.then = Then::kHold}));
  ASSERT_TRUE(socket.Send("held"));
  EXPECT_EQ(socket.Read(kSoon), "");
  proxy_.Heal();
  EXPECT_EQ(Get(socket, 4), "held");
}

TEST_F(FaultProxyTest, LosesWhatItHoldsWhenConnectionsAreCut) {
  std::string heard;
  {
    ScriptedPeer peer([&heard](RawSocket& socket, int) { heard = socket.ReadAll(); });
    FaultProxy proxy;
    proxy.SetUpstream(peer.port());
    proxy.Set(Up({.then = Then::kHold, .after = 3}));
    RawSocket socket = RawSocket::Connect(proxy.port());
    ASSERT_TRUE(socket.Send("abcdef"));
    EXPECT_EQ(socket.Read(kSoon), "");
    proxy.HealAndCut();
    EXPECT_TRUE(socket.WaitClosed());
  }
  EXPECT_EQ(heard, "abc");
}

TEST_F(FaultProxyTest, DeliversLateWhatAClientSentThatHasGone) {
  std::string heard;
  {
    ScriptedPeer peer([&heard](RawSocket& socket, int) { heard = socket.ReadAll(); });
    FaultProxy proxy;
    proxy.SetUpstream(peer.port());
    proxy.Set(Up({.then = Then::kHold}));
    {
      RawSocket socket = RawSocket::Connect(proxy.port());
      ASSERT_TRUE(socket.Send("from the grave"));
      ASSERT_TRUE(WaitUntil([&proxy] { return proxy.open() == 1; }));
    }
    EXPECT_FALSE(WaitUntil([&proxy] { return proxy.open() == 0; }, kSoon));
    proxy.Heal();
    EXPECT_TRUE(WaitUntil([&proxy] { return proxy.open() == 0; }));
  }
  EXPECT_EQ(heard, "from the grave");
}

TEST_F(FaultProxyTest, DelaysBothWays) {
  ProxyFault fault;
  fault.up = fault.down = {.latency = milliseconds(60), .jitter = milliseconds(20)};
  proxy_.Set(fault);
  RawSocket socket = Connect();
  const auto begin = steady_clock::now();
  EXPECT_EQ(Said(socket, "late"), "late");
  EXPECT_GE(steady_clock::now() - begin, milliseconds(120));
}

TEST_F(FaultProxyTest, KeepsTheOrderWhenDelaysDiffer) {
  proxy_.Set(Up({.jitter = milliseconds(30)}));
  RawSocket socket = Connect();
  std::string text;
  for (int i = 0; i < 100; ++i) {
    const std::string piece = std::to_string(i) + ';';
    ASSERT_TRUE(socket.Send(piece));
    text += piece;
  }
  EXPECT_EQ(Get(socket, text.size()), text);
}

TEST_F(FaultProxyTest, LimitsTheRate) {
  proxy_.Set(Down({.bytes_per_second = 10'000}));
  RawSocket socket = Connect();
  const std::string text = Long(5'000);
  const auto begin = steady_clock::now();
  EXPECT_EQ(Said(socket, text), text);
  const auto took = steady_clock::now() - begin;
  EXPECT_GE(took, milliseconds(400));
  EXPECT_LE(took, milliseconds(5000));
}

TEST_F(FaultProxyTest, WritesSingleBytes) {
  std::vector<size_t> sizes;
  // A reader that is slow finds them all together: one that keeps up is what is looked for.
  for (int round = 0; round < 2000 && sizes.size() <= 100; ++round) {
    sizes.clear();
    ScriptedPeer peer([&sizes](RawSocket& socket, int) {
      for (std::string got; !(got = socket.Read()).empty();) sizes.push_back(got.size());
    });
    FaultProxy proxy;
    proxy.SetUpstream(peer.port());
    proxy.Set(Up({.slice = 1}));
    RawSocket socket = RawSocket::Connect(proxy.port());
    ASSERT_TRUE(socket.Send(Long(2'000)));
    socket.ShutdownSend();
    EXPECT_TRUE(socket.WaitClosed());
  }
  size_t sum = 0;
  for (const size_t size : sizes) sum += size;
  EXPECT_EQ(sum, 2'000u);
  EXPECT_GT(sizes.size(), 100u);
}

TEST_F(FaultProxyTest, ResetsAfterSoManyBytesInEitherDirection) {
  for (const bool up : {true, false}) {
    const WayFault way{.then = Then::kReset, .after = 5};
    proxy_.Set(up ? Up(way) : Down(way));
    RawSocket socket = Connect();
    ASSERT_TRUE(socket.Send("1234567890"));
    EXPECT_LE(socket.ReadAll().size(), 5u);
    EXPECT_TRUE(socket.closed());
    proxy_.Heal();
  }
}

TEST_F(FaultProxyTest, CutsAnAnswerAfterTheRequestHasArrived) {
  proxy_.Set(Down({.then = Then::kClose}));
  RawSocket socket = Connect();
  ASSERT_TRUE(socket.Send("taken"));
  EXPECT_EQ(socket.ReadAll(), "");
  EXPECT_TRUE(socket.closed());
  EXPECT_EQ(echo_.connections(), 1);
}

TEST_F(FaultProxyTest, EndsEachConnectionAtItsLimit) {
  proxy_.Set(Down({.then = Then::kClose, .after = 4}));
  for (int i = 0; i < 3; ++i) {
    RawSocket socket = Connect();
    ASSERT_TRUE(socket.Send("123456"));
    EXPECT_EQ(socket.ReadAll(), "1234");
  }
}

TEST_F(FaultProxyTest, EndsOneDirectionAndKeepsTheOther) {
  proxy_.Set(Up({.then = Then::kHalfClose, .after = 3}));
  RawSocket socket = Connect();
  ASSERT_TRUE(socket.Send("abcdef"));
  EXPECT_EQ(socket.ReadAll(), "abcbye");
}

TEST_F(FaultProxyTest, LosesAnswersAndKeepsTheConnection) {
  RawSocket socket = Connect();
  ASSERT_EQ(Said(socket, "one"), "one");
  proxy_.Set(Down({.then = Then::kSwallow}));
  ASSERT_TRUE(socket.Send("two"));
  EXPECT_EQ(socket.Read(kSoon), "");
  proxy_.Heal();
  EXPECT_EQ(Said(socket, "three"), "three");
}

TEST_F(FaultProxyTest, MakesGarbageOfTheRest) {
  proxy_.Set(Down({.then = Then::kGarbage, .after = 4}));
  RawSocket socket = Connect();
  const std::string text = Long(500);
  ASSERT_TRUE(socket.Send(text));
  const std::string got = Get(socket, text.size());
  ASSERT_EQ(got.size(), text.size());
  EXPECT_EQ(got.substr(0, 4), text.substr(0, 4));
  EXPECT_NE(got, text);
}

TEST_F(FaultProxyTest, TellsAnEndLate) {
  ProxyFault fault;
  fault.slow_close = milliseconds(200);
  proxy_.Set(fault);
  RawSocket socket = Connect();
  ASSERT_EQ(Said(socket, "x"), "x");
  const auto begin = steady_clock::now();
  socket.ShutdownSend();
  EXPECT_EQ(socket.ReadAll(), "bye");
  EXPECT_GE(steady_clock::now() - begin, milliseconds(400));  // once each way
}

TEST_F(FaultProxyTest, ResetsTheClientOfATargetThatIsNotThere) {
  proxy_.SetUpstream(test::UnusedPort());
  RawSocket socket = Connect();
  socket.Send("anybody?");
  EXPECT_TRUE(socket.WaitClosed());
}

TEST_F(FaultProxyTest, HoldsBackAFasterSender) {
  proxy_.Set(Up({.then = Then::kHold}));
  RawSocket socket = Connect();
  const std::string much(64 << 20, 'x');
  EXPECT_FALSE(socket.Send(much, kSoon)) << "all of it would be in the proxy's memory";
}

}  // namespace
}  // namespace spool::testing
