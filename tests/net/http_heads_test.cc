// What heads cost: memory that many connections hold before a request is there; and how many
// connections there may be.
#include <arpa/inet.h>

#include "net/peer_counts.h"
#include "tests/net/server_fixture.h"

namespace spool::net {
namespace {

constexpr size_t kFree = 4 << 10;

class HttpHeadsTest : public HttpServerTest {
 protected:
  // A head of about that many bytes, without its end.
  static std::string Begun(size_t bytes) {
    std::string head = "GET / HTTP/1.1\r\nHost: h\r\n";
    while (head.size() < bytes) head += "X-Filler: " + std::string(1000, 'f') + "\r\n";
    return head;
  }
  size_t held() const { return server_->stats().in_flight_bytes; }
};

TEST_F(HttpHeadsTest, OrdinaryOnesAreFree) {
  StartDesk();
  std::vector<RawSocket> begun;
  for (int i = 0; i < 50; ++i) {
    begun.push_back(Connect());
    begun.back().Send(Begun(3000));
  }
  RawSocket whole = Connect();
  whole.Send(Begun(2000) + "\r\n");
  auto taken = desk_.Next();
  EXPECT_EQ(held(), 0u);
  taken.second.Send(Text("ok"));
  EXPECT_EQ(whole.ReadAnswer()->status, 200);
}

// Slowloris with large heads: what is held is what the budget has, however many there are.
TEST_F(HttpHeadsTest, ManyThatDoNotEndHoldNoMoreThanTheBudget) {
  HttpLimits limits;
  limits.in_flight_bytes = limits.body_bytes = 1 << 20;
  StartEcho(limits);
  std::vector<RawSocket> begun;
  for (int i = 0; i < 100; ++i) {
    begun.push_back(Connect());
    ASSERT_TRUE(begun.back().Send(Begun(40'000)));
  }
  ASSERT_TRUE(Eventually([&] { return server_->stats().shed > 60; }));
  EXPECT_GT(held(), size_t{400'000});
  EXPECT_LE(held(), size_t{1} << 19);
  size_t told = 0, waiting = 0;
  for (RawSocket& socket : begun) {
    const auto answer = socket.ReadAnswer(milliseconds(told + waiting == 0 ? 2000 : 20));
    if (!answer) {
      ++waiting;
      continue;
    }
    ++told;
    EXPECT_EQ(answer->status, 503);
    EXPECT_EQ(answer->Header("retry-after"), "1");
    EXPECT_EQ(answer->Header("connection"), "close");
  }
  EXPECT_EQ(told, server_->stats().shed);
  EXPECT_GT(waiting, 5u);
  // Whoever has an ordinary head is served meanwhile, also with a body: heads leave half.
  const std::string body = Noise(200'000);
  EXPECT_EQ(Exchange(Post("/", body)).body, Describe("POST /", body));
  begun.clear();
  EXPECT_TRUE(Eventually([&] { return held() == 0; }));
  EXPECT_EQ(Exchange(Begun(40'000) + "\r\n").status, 200);
}

TEST_F(HttpHeadsTest, OneWithTheHandlerIsPaidForUntilItsAnswer) {
  StartDesk();
  RawSocket socket = Connect();
  socket.Send(Begun(40'000) + "\r\n");
  {
    const auto taken = desk_.Next();
    EXPECT_GE(held(), 40'000 - kFree);
    EXPECT_LE(held(), size_t{60'000});
    socket.Reset();  // the handler has it still
    EXPECT_GE(held(), 40'000 - kFree);
    taken.second.Send(Text("nobody hears this"));
  }
  EXPECT_EQ(held(), 0u);
}

TEST_F(HttpHeadsTest, ARefusedOneHoldsNothing) {
  admit_ = [](const HttpRequest&) { return std::optional(Problem(401, "unauthorized", "No.")); };
  StartEcho();
  RawSocket socket = Connect();
  socket.Send(Begun(40'000) + "\r\n");
  EXPECT_EQ(socket.ReadAnswer()->status, 401);
  EXPECT_EQ(held(), 0u);
}

// What a client sends ahead of its answer waits in memory as well.
TEST_F(HttpHeadsTest, RequestsSentAheadArePaidFor) {
  StartDesk();
  RawSocket socket = Connect();
  const std::string second = Begun(12'000) + "\r\n";
  socket.Send(Post("/", "x") + second);
  auto taken = desk_.Next();
  EXPECT_GE(held(), second.size() - kFree);
  taken.second.Send(Text("one"));
  EXPECT_EQ(socket.ReadAnswer()->body, "one");
  desk_.Next().second.Send(Text("two"));
  EXPECT_EQ(socket.ReadAnswer()->body, "two");
  EXPECT_TRUE(Eventually([&] { return held() == 0; }));
}

TEST_F(HttpHeadsTest, ClosesConnectionsBeyondTheLimitAtOnce) {
  HttpLimits limits;
  limits.connections = 4;
  StartEcho(limits);
  std::vector<RawSocket> sockets;
  for (int i = 0; i < 4; ++i) {
    sockets.push_back(Connect());
    sockets.back().Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(sockets.back().ReadAnswer());
  }
  EXPECT_TRUE(Connect().WaitClosed());
  EXPECT_EQ(server_->stats().refused, 1u);
  EXPECT_EQ(server_->stats().connections, 4u);
  sockets.pop_back();
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections == 3; }));
  EXPECT_EQ(Exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

TEST_F(HttpHeadsTest, OneClientHasNoMoreConnectionsThanItMay) {
  HttpLimits limits;
  limits.connections_per_peer = 3;
  StartEcho(limits);
  const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  std::vector<RawSocket> sockets;
  for (int i = 0; i < 3; ++i) {
    sockets.push_back(Connect());
    sockets.back().Send(get);
    ASSERT_TRUE(sockets.back().ReadAnswer());
  }
  EXPECT_TRUE(Connect().WaitClosed());
  EXPECT_EQ(server_->stats().refused, 1u);
  const RawSocket other = RawSocket::Connect(server_->port(), "127.0.0.2");
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections == 4; })) << "another client";
  sockets.pop_back();
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections == 3; }));
  // The place is free a moment after the count, with the connection itself.
  EXPECT_TRUE(Eventually([&] { return Exchange(get).status == 200; }));
}

PeerCounts::Address Address(const char* text) {
  PeerCounts::Address address{};
  EXPECT_EQ(inet_pton(AF_INET6, text, address.data()), 1) << text;
  return address;
}

TEST(PeerCounts, AClientIsAnAddressOrANetwork) {
  const auto counts = std::make_shared<PeerCounts>(1);
  const auto enter = [&](const char* address) { return counts->Enter(Address(address)); };
  auto one = enter("::ffff:10.0.0.1");
  EXPECT_TRUE(one);
  EXPECT_FALSE(enter("::ffff:10.0.0.1"));
  EXPECT_TRUE(enter("::ffff:10.0.0.2"));
  const auto network = enter("2001:db8:1:2::1");
  EXPECT_TRUE(network);
  EXPECT_FALSE(enter("2001:db8:1:2:ffff::9"));
  EXPECT_TRUE(enter("2001:db8:1:3::1"));
  const PeerCounts::Place moved = std::move(*one);
  one.reset();
  EXPECT_FALSE(enter("::ffff:10.0.0.1")) << "a place that was moved is held on";
}

TEST(PeerCounts, APlaceThatEndsIsFree) {
  const auto counts = std::make_shared<PeerCounts>(1);
  const auto address = Address("::ffff:10.0.0.1");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(counts->Enter(address));
}

}  // namespace
}  // namespace spool::net
