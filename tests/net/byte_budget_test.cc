// Bytes in memory: of one body that may have all of them, and of servers that share them.
#include "net/byte_budget.h"

#include "tests/net/server_fixture.h"

namespace spool::net {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(ByteBudget, WhatIsTakenIsTakenFromTheSharedOneToo) {
  const auto all = std::make_shared<ByteBudget>(100);
  const auto one = std::make_shared<ByteBudget>(100, 0, all);
  const auto two = std::make_shared<ByteBudget>(40, 0, all);
  BytePermit a(one), b(two);
  EXPECT_TRUE(a.Grow(70, Claim::kMade));
  EXPECT_FALSE(b.Grow(31, Claim::kMade)) << "there are 30 left in all";
  EXPECT_EQ(two->used(), 0u) << "a refusal leaves nothing behind";
  EXPECT_EQ(all->used(), 70u);
  EXPECT_TRUE(b.Grow(30, Claim::kMade));
  a.Shrink(10);
  EXPECT_FALSE(b.Grow(41, Claim::kMade)) << "its own limit";
  EXPECT_TRUE(b.Grow(40, Claim::kMade));
  EXPECT_EQ(all->used(), 50u);
  a.Release();
  b.Release();
  EXPECT_EQ(all->used() + one->used() + two->used(), 0u);
}

TEST(ByteBudget, TheLargePlaceIsOneForAll) {
  const auto all = std::make_shared<ByteBudget>(100);
  const auto one = std::make_shared<ByteBudget>(100, 0, all);
  const auto two = std::make_shared<ByteBudget>(100, 0, all);
  BytePermit a(one), b(two);
  EXPECT_TRUE(a.Grow(10, Claim::kLargeBody));
  EXPECT_FALSE(two->Fits(10, Claim::kLargeBody));
  EXPECT_FALSE(b.Grow(10, Claim::kLargeBody));
  EXPECT_TRUE(b.Grow(10, Claim::kBody));
  a.LeaveLargePlace();
  EXPECT_TRUE(b.Grow(11, Claim::kLargeBody));
}

using ByteBudgetServer = HttpServerTest;

// What a configuration says of a body is what it gets, also where that is all there is.
TEST_F(ByteBudgetServer, ABodyMayHaveTheWholeBudget) {
  HttpLimits limits;
  limits.body_bytes = limits.in_flight_bytes = 64 * kMiB;
  StartDesk(limits);
  std::string body = Noise(64 * kMiB);
  for (char& c : body) c = static_cast<char>('a' + (c & 15));  // or its frame would be larger yet
  for (const bool coded : {false, true}) {
    RawSocket socket = Connect();
    // The frame has a window beside the body.
    socket.Send(coded ? Post("/", Zstd(body, 1), "Content-Encoding: zstd\r\n") : Post("/", body));
    auto taken = desk_.Next();
    EXPECT_EQ(taken.first.body.size(), body.size());
    EXPECT_TRUE(taken.first.body == body);
    // And what is made of it has as much again; of a small one it has not.
    EXPECT_EQ(taken.second.Reserve(70 * kMiB), HttpResponder::Reserved::kYes);
    EXPECT_EQ(taken.second.Reserve(90 * kMiB), HttpResponder::Reserved::kNever);
    EXPECT_EQ(Exchange(Post("/", Noise(kMiB))).status, 503);
    taken.second.ReleaseBody();
    taken.second.Send(Text("large"));
    EXPECT_EQ(socket.ReadAnswer()->body, "large");
    EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
  }
}

TEST_F(ByteBudgetServer, ServersShareWhatTheyMayHaveTogether) {
  HttpLimits limits;
  limits.body_bytes = kMiB;
  limits.in_flight_bytes = 8 * kMiB;
  const auto all = std::make_shared<ByteBudget>(limits.in_flight_bytes, limits.body_bytes);
  std::vector<std::unique_ptr<HttpServer>> servers;
  for (int i = 0; i < 2; ++i) {
    HttpServerOptions options;
    options.name = "two";
    options.address = "127.0.0.1:0";
    options.limits = limits;
    options.budget = all;
    auto server = HttpServer::Start(options, [this](HttpRequest&& request, HttpResponder r) {
      desk_.Take(std::move(request), std::move(r));
    });
    ASSERT_TRUE(server) << server.error().message;
    servers.push_back(std::move(*server));
  }
  // Bodies may have three quarters: six of a megabyte, wherever they come in.
  const std::string body = Noise(kMiB);
  std::vector<RawSocket> sockets;
  std::vector<std::pair<HttpRequest, HttpResponder>> taken;
  for (int i = 0; i < 6; ++i) {
    sockets.push_back(RawSocket::Connect(servers[i % 2]->port()));
    sockets.back().Send(Post("/", body));
    taken.push_back(desk_.Next());
  }
  EXPECT_EQ(servers[0]->stats().in_flight_bytes, 3 * kMiB);
  EXPECT_EQ(all->used(), 6 * kMiB);
  for (const auto& server : servers) {
    RawSocket late = RawSocket::Connect(server->port());
    late.Send(Post("/", body));
    EXPECT_EQ(late.ReadAnswer()->status, 503);
  }
  for (auto& [request, responder] : taken) responder.Send(Text("ok"));
  for (RawSocket& socket : sockets) EXPECT_EQ(socket.ReadAnswer()->body, "ok");
  EXPECT_EQ(all->used(), 0u);
}

}  // namespace
}  // namespace spool::net
