// What a well-behaved client sees, and who holds what for how long.
#include "net/http_server.h"

#include <sys/resource.h>

#include <thread>

#include "tests/net/server_fixture.h"

namespace spool::net {
namespace {

TEST_F(HttpServerTest, AnswersManyRequestsOverOneConnection) {
  StartEcho();
  RawSocket socket = Connect();
  for (int i = 0; i < 100; ++i) {
    const std::string body(static_cast<size_t>(i) * 37, 'x');
    ASSERT_TRUE(socket.Send(Post("/v1/events", body)));
    const auto answer = socket.ReadAnswer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, Describe("POST /v1/events", body));
    EXPECT_FALSE(answer->Header("date").empty());
  }
  EXPECT_EQ(server_->stats().accepted, 1u);
  EXPECT_EQ(server_->stats().requests, 100u);
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(HttpServerTest, GivesTheHandlerTheRequestTakenApart) {
  StartDesk();
  RawSocket socket = Connect();
  socket.Send(
      "PUT /a%20b/%C3%A4?x=1%262&flag&y=a+b HTTP/1.1\r\nHOST: h\r\nX-One:  1 \r\nx-one: 2\r\n\r\n");
  auto [request, responder] = desk_.Next();
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.path, "/a b/\xc3\xa4");
  EXPECT_EQ(request.query, "x=1%262&flag&y=a+b");
  EXPECT_EQ(request.Header("host"), "h");
  EXPECT_EQ(request.Header("x-one"), "1");
  EXPECT_EQ(request.headers.size(), 3u);
  EXPECT_EQ(request.Header("absent"), "");
  EXPECT_TRUE(request.peer.starts_with("127.0.0.1:"));
  bool found = false;
  EXPECT_EQ(request.QueryParam("x", &found), "1&2");
  EXPECT_TRUE(found);
  EXPECT_EQ(request.QueryParam("flag", &found), "");
  EXPECT_TRUE(found);
  EXPECT_EQ(request.QueryParam("y"), "a+b");
  EXPECT_EQ(request.QueryParam("z", &found), "");
  EXPECT_FALSE(found);
  responder.Send(Text("ok"));
  EXPECT_EQ(socket.ReadAnswer()->status, 200);
}

TEST_F(HttpServerTest, TakesARequestOneByteAtATime) {
  StartEcho();
  for (const bool chunked : {false, true}) {
    RawSocket socket = Connect();
    const std::string request =
        chunked ? "POST /s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "4;ext=\"v\"\r\nabcd\r\n001\r\ne\r\n0\r\nTrailer: t\r\n\r\n"
                : Post("/s", "abcde");
    for (const char c : request) ASSERT_TRUE(socket.Send({&c, 1}));
    const auto answer = socket.ReadAnswer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, Describe("POST /s", "abcde"));
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  StartEcho();
  RawSocket socket = Connect();
  std::string all;
  for (int i = 0; i < 200; ++i) {
    const std::string path = "/" + std::to_string(i);
    all +=
        i % 3 == 0 ? "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n"
        : i % 3 == 1
            ? Post(path, std::string(500, 'b'))
            : "POST " + path +
                  " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n";
  }
  ASSERT_TRUE(socket.Send(all));
  for (int i = 0; i < 200; ++i) {
    const auto answer = socket.ReadAnswer();
    ASSERT_TRUE(answer) << i;
    EXPECT_NE(answer->body.find(" /" + std::to_string(i) + "?"), std::string::npos) << answer->body;
  }
}

TEST_F(HttpServerTest, HandsOverAPipelinedRequestOnlyWhenTheOneBeforeIsAnswered) {
  StartDesk();
  RawSocket socket = Connect();
  socket.Send(Post("/1", "a") + Post("/2", "b"));
  auto first = desk_.Next();
  EXPECT_EQ(desk_.size(), 0u);
  first.second.Send(Text("one"));
  auto second = desk_.Next();
  EXPECT_EQ(second.first.path, "/2");
  second.second.Send(Text("two"));
  EXPECT_EQ(socket.ReadAnswer()->body, "one");
  EXPECT_EQ(socket.ReadAnswer()->body, "two");
}

TEST_F(HttpServerTest, TakesAnswersFromOtherThreadsInBursts) {
  StartDesk({}, 2);
  constexpr int kConnections = 64;
  std::vector<RawSocket> sockets;
  for (int i = 0; i < kConnections; ++i) sockets.push_back(Connect());
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < kConnections; ++i)
      sockets[static_cast<size_t>(i)].Send(Post("/" + std::to_string(i), "x"));
    ASSERT_TRUE(desk_.WaitFor(kConnections));
    std::thread answering([this] {
      for (int i = 0; i < kConnections; ++i) {
        auto [request, responder] = desk_.Next();
        responder.Send(Text(request.path));
        responder.Send(Text("a second answer is not sent"));
      }
    });
    for (int i = 0; i < kConnections; ++i) {
      const auto answer = sockets[static_cast<size_t>(i)].ReadAnswer();
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->body, "/" + std::to_string(i));
    }
    answering.join();
  }
}

TEST_F(HttpServerTest, AnswersARequestThatIsDroppedWithAnInternalError) {
  StartDesk();
  RawSocket socket = Connect();
  socket.Send(Post("/", "x"));
  { auto dropped = desk_.Next(); }
  const auto answer = socket.ReadAnswer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 500);
  EXPECT_NE(answer->body.find("\"code\":\"internal\""), std::string::npos);
}

TEST_F(HttpServerTest, OutlivesClientsThatLeaveBeforeTheirAnswer) {
  StartDesk();
  for (int i = 0; i < 50; ++i) {
    RawSocket socket = Connect();
    socket.Send(Post("/", "x"));
    auto [request, responder] = desk_.Next();
    socket.Reset();
    responder.Send(Text(std::string(200'000, 'y')));
  }
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections == 0; }));
}

TEST_F(HttpServerTest, TakesABodyOfThirtyMegabytes) {
  HttpLimits limits;
  limits.body_bytes = 32 << 20;
  StartEcho(limits);
  const std::string body = Noise(30 << 20);
  RawSocket socket = Connect();
  ASSERT_TRUE(socket.Send(Post("/big", body)));
  EXPECT_EQ(socket.ReadAnswer()->body, Describe("POST /big", body));
  std::string chunked = "POST /big HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (size_t at = 0; at < body.size(); at += 100'000) {
    const std::string piece = body.substr(at, 100'000);
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    chunked += size + piece + "\r\n";
  }
  ASSERT_TRUE(socket.Send(chunked + "0\r\n\r\n"));
  EXPECT_EQ(socket.ReadAnswer()->body, Describe("POST /big", body));
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(HttpServerTest, SendsAnswersLargerThanTheSocketHolds) {
  const std::string large = Noise(8 << 20);
  Start({}, 1, [&](HttpRequest&&, HttpResponder responder) { responder.Send(Text(large)); });
  RawSocket socket = Connect();
  for (int i = 0; i < 3; ++i) {  // more than the sockets' buffers hold
    socket.Send(Post("/", "") + Post("/", ""));
    ASSERT_TRUE(Eventually([&] { return server_->stats().requests > static_cast<size_t>(2 * i); }));
    for (int n = 0; n < 2; ++n) {
      const auto answer = socket.ReadAnswer();
      ASSERT_TRUE(answer);
      EXPECT_TRUE(answer->body == large);
    }
  }
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  StartEcho();
  RawSocket socket = Connect();
  socket.Send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto head = socket.ReadAnswer(RawSocket::kPatience, true);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->Header("content-length"), std::to_string(Describe("HEAD /x", "").size()));
  socket.Send("GET /y HTTP/1.1\r\nHost: h\r\n\r\n");  // would be misread behind a stray body
  EXPECT_EQ(socket.ReadAnswer()->body, Describe("GET /y", ""));
}

TEST_F(HttpServerTest, SendsNoBodyWithNoContent) {
  Start({}, 1, [](HttpRequest&&, HttpResponder r) { r.Send(Text("never sent", 204)); });
  RawSocket socket = Connect();
  for (int i = 0; i < 2; ++i) {
    socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const auto answer = socket.ReadAnswer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 204);
    EXPECT_EQ(answer->Header("content-length"), "");
  }
}

TEST_F(HttpServerTest, SpeaksHttp10) {
  StartEcho();
  RawSocket plain = Connect();
  plain.Send("GET /a HTTP/1.0\r\n\r\n");
  const auto answer = plain.ReadAnswer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->Header("connection"), "close");
  EXPECT_TRUE(plain.WaitClosed());

  RawSocket kept = Connect();
  for (int i = 0; i < 2; ++i) {
    kept.Send("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    EXPECT_EQ(kept.ReadAnswer()->Header("connection"), "keep-alive");
  }
}

TEST_F(HttpServerTest, ClosesWhenEitherSideAsksForIt) {
  Start({}, 2, [](HttpRequest&& request, HttpResponder responder) {
    HttpResponse response = Text("x");
    response.close = request.path == "/server";
    responder.Send(std::move(response));
  });
  for (const std::string_view request :
       {"GET /server HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n"}) {
    RawSocket socket = Connect();
    socket.Send(request);
    EXPECT_EQ(socket.ReadAnswer()->Header("connection"), "close");
    EXPECT_TRUE(socket.WaitClosed(milliseconds(1500)));
  }
}

TEST_F(HttpServerTest, AnswersAClientThatClosedItsSendingHalf) {
  StartDesk();
  RawSocket socket = Connect();
  socket.Send(Post("/", "x"));
  socket.ShutdownSend();
  desk_.Next().second.Send(Text("still here"));
  EXPECT_EQ(socket.ReadAnswer()->body, "still here");
  EXPECT_TRUE(socket.WaitClosed());
}

TEST_F(HttpServerTest, KeepsHeadersOfAnswersWellFormed) {
  Start({}, 1, [](HttpRequest&&, HttpResponder responder) {
    HttpResponse response = Text("body");
    response.headers = {{"X-A", "one\r\nX-Evil: two"},
                        {"bad name", "x"},
                        {"Content-Length", "999"},
                        {"Transfer-Encoding", "chunked"},
                        {"X-B", "fine"}};
    responder.Send(std::move(response));
  });
  const RawAnswer answer = Exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(answer.body, "body");
  EXPECT_EQ(answer.Header("x-evil"), "");
  EXPECT_EQ(answer.Header("x-a"), "one  X-Evil: two");
  EXPECT_EQ(answer.Header("x-b"), "fine");
  EXPECT_EQ(answer.Header("transfer-encoding"), "");
  EXPECT_EQ(answer.head.find("bad name"), std::string::npos);
}

TEST_F(HttpServerTest, SpreadsConnectionsEvenlyOverItsThreads) {
  std::mutex mutex;
  std::vector<std::thread::id> served;
  Start({}, 2, [&](HttpRequest&&, HttpResponder responder) {
    {
      std::lock_guard lock(mutex);
      served.push_back(std::this_thread::get_id());
    }
    responder.Send(Text("x"));
  });
  std::vector<RawSocket> sockets;
  for (int i = 0; i < 16; ++i) {
    sockets.push_back(Connect());
    sockets.back().Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(sockets.back().ReadAnswer());
  }
  EXPECT_EQ(std::count(served.begin(), served.end(), served[0]), 8);
}

TEST_F(HttpServerTest, FormsProblemsAsRfc9457Says) {
  const HttpResponse response = Problem(413, "body_too_large", "say \"no\"\n\xff", 17, 3);
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(
      response.body,
      "{\"type\":\"about:blank\",\"title\":\"Payload Too Large\",\"status\":413,"
      "\"code\":\"body_too_large\",\"detail\":\"say \\\"no\\\"\\u000a\\ufffd\",\"offset\":17}\n");
  ASSERT_EQ(response.headers.size(), 1u);
  EXPECT_EQ(response.headers[0].second, "3");
  EXPECT_EQ(Problem(400, "bad_request", "x").body.find("offset"), std::string::npos);
}

TEST_F(HttpServerTest, RefusesToStartOnAddressesItCannotUse) {
  const auto start = [](const std::string& address) {
    HttpServerOptions options;
    options.name = "test";
    options.address = address;
    return HttpServer::Start(options, [](HttpRequest&&, HttpResponder) {});
  };
  for (const char* address : {"", "127.0.0.1", ":80", "example.org:80", "127.0.0.1:x",
                              "127.0.0.1:70000", "::1:80", "[127.0.0.1]:80", "127.0.0.1:80 "}) {
    const auto server = start(address);
    ASSERT_FALSE(server) << address;
    EXPECT_EQ(server.error().code, Code::kInvalid) << address;
  }
  StartEcho();
  EXPECT_EQ(server_->address(), "127.0.0.1:" + std::to_string(server_->port()));
  EXPECT_EQ(start(server_->address()).error().code, Code::kConflict);
  EXPECT_EQ(start("192.0.2.1:80").error().code, Code::kUnavailable);
}

// Stopping.

TEST_F(HttpServerTest, StopsAtOnceWhenNothingIsUnderWay) {
  StartEcho();
  std::vector<RawSocket> sockets;
  for (int i = 0; i < 10; ++i) {
    sockets.push_back(Connect());
    if (i % 2 == 0) {
      sockets.back().Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
      ASSERT_TRUE(sockets.back().ReadAnswer());
    }
  }
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections == 10; }));
  const auto begin = std::chrono::steady_clock::now();
  server_->Stop(In(milliseconds(20'000)));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(1500));
  for (RawSocket& socket : sockets) EXPECT_TRUE(socket.WaitClosed());
  EXPECT_FALSE(RawSocket::Connect(server_->port()).ok());
  server_->Stop(In(milliseconds(20'000)));
}

TEST_F(HttpServerTest, AnswersWhatHasBegunBeforeItStops) {
  StartDesk();
  RawSocket handled = Connect();
  handled.Send(Post("/handled", "x"));
  auto first = desk_.Next();
  RawSocket half_sent = Connect();
  half_sent.Send("POST /half HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
  ASSERT_TRUE(Eventually([&] { return server_->stats().in_flight_bytes == 5; }));
  std::thread stopping([&] { server_->Stop(In(milliseconds(20'000))); });
  ASSERT_TRUE(Eventually([&] { return !RawSocket::Connect(server_->port()).ok(); }));
  half_sent.Send("cd");
  auto second = desk_.Next();
  EXPECT_EQ(second.first.body, "abcd");
  first.second.Send(Text("first"));
  second.second.Send(Text("second"));
  const auto one = handled.ReadAnswer();
  const auto two = half_sent.ReadAnswer();
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->body, "first");
  EXPECT_EQ(one->Header("connection"), "close");
  EXPECT_EQ(two->body, "second");
  stopping.join();
}

TEST_F(HttpServerTest, CutsWhatIsNotAnsweredAtTheDeadline) {
  StartDesk();
  RawSocket socket = Connect();
  socket.Send(Post("/", "x"));
  auto held = desk_.Next();
  const auto begin = std::chrono::steady_clock::now();
  server_->Stop(In(milliseconds(200)));
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, milliseconds(190));
  EXPECT_LT(took, milliseconds(3000));
  EXPECT_TRUE(socket.WaitClosed());
  server_.reset();
  held.second.Send(Text("too late, and harmless"));
}

}  // namespace
}  // namespace spool::net
