// The client against our server and against peers that misbehave.
#include "net/http_client.h"

#include <atomic>
#include <future>
#include <thread>

#include "tests/net/server_fixture.h"

namespace spool::net {
namespace {

using std::chrono::seconds;
using test::ScriptedPeer;

HttpClientOptions Quick() {
  HttpClientOptions options;
  options.connect_timeout = Millis(2000);
  options.request_timeout = Millis(5000);
  options.answer_bytes = 64 << 10;
  return options;
}

HttpCall CallTo(std::string url, std::string_view body = "hello") {
  HttpCall call;
  call.url = std::move(url);
  call.body = body;
  return call;
}

// A peer that sends `answer` to each request.
ScriptedPeer Answering(std::string answer) {
  return ScriptedPeer([answer = std::move(answer)](RawSocket& socket, int) {
    while (!socket.ReadRequest().empty() && socket.Send(answer)) {
    }
  });
}

class HttpClientTest : public HttpServerTest {
 protected:
  std::string Url(std::string_view path = "/") {
    return "http://" + server_->address() + std::string(path);
  }
  std::unique_ptr<HttpClient> client_ = HttpClient::Create(Quick());
};

// A folded line belongs to the header before it, of which there is none: not even in the answer
// before, where libcurl once looked for it, in memory that was freed.
TEST_F(HttpClientTest, AnAnswerThatBeginsWithAFoldedLineTouchesNothingOfTheOneBefore) {
  const std::string sound = "HTTP/1.1 200 OK\r\nX-Last: header\r\nContent-Length: 2\r\n\r\nok";
  const std::string folded = "HTTP/1.1 200 OK\r\n folded: x\r\nContent-Length: 2\r\n\r\nno";
  ScriptedPeer peer([&](RawSocket& socket, int) {
    for (const std::string& answer : {sound, folded}) {
      if (socket.ReadRequest().empty() || !socket.Send(answer)) return;
    }
    socket.ReadRequest();  // until the client has left
  });
  for (int i = 0; i < 5; ++i) {
    const HttpAnswer first = client_->Perform(CallTo(peer.url()));
    ASSERT_FALSE(first.error) << first.error->message;
    EXPECT_EQ(first.body, "ok");
    const HttpAnswer second = client_->Perform(CallTo(peer.url()));
    ASSERT_TRUE(second.error);
    EXPECT_EQ(second.error->code, Code::kUnavailable);
  }
}

TEST_F(HttpClientTest, SendsWhatItIsToldAndReadsTheAnswer) {
  StartDesk();
  HttpCall call = CallTo(Url("/a?b=c"), "the body");
  call.method = "PUT";
  call.headers = {{"Content-Type", "text/x"}, {"X-Empty", ""}, {"Idempotency-Key", "k"}};
  HttpAnswer answer;
  std::thread calling([&] { answer = client_->Perform(call); });
  auto [request, responder] = desk_.Next();
  HttpResponse response = Text("taken", 201);
  response.headers.emplace_back("Retry-After", "7");
  responder.Send(response);
  calling.join();
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.path, "/a");
  EXPECT_EQ(request.query, "b=c");
  EXPECT_EQ(request.body, "the body");
  EXPECT_EQ(request.Header("content-type"), "text/x");
  EXPECT_EQ(request.Header("idempotency-key"), "k");
  EXPECT_EQ(request.Header("user-agent"), "spool");
  bool has_empty = false;
  for (const auto& [name, value] : request.headers) {
    has_empty = has_empty || (name == "x-empty" && value.empty());
    EXPECT_NE(name, "expect");
    EXPECT_NE(name, "cookie");
  }
  EXPECT_TRUE(has_empty);
  EXPECT_FALSE(answer.error);
  EXPECT_TRUE(answer.sent);
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.content_type, "text/plain");
  EXPECT_EQ(answer.body, "taken");
  EXPECT_FALSE(answer.body_cut);
  EXPECT_EQ(answer.retry_after, Micros(seconds(7)));
}

TEST_F(HttpClientTest, SpeaksEveryMethod) {
  StartEcho();
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    for (const std::string_view body : {"", "x"}) {
      HttpCall call = CallTo(Url("/m"), body);
      call.method = method;
      const HttpAnswer answer = client_->Perform(call);
      ASSERT_FALSE(answer.error) << method << answer.error->message;
      EXPECT_EQ(answer.body, Describe(std::string(method) + " /m", body));
    }
  }
  HttpCall head = CallTo(Url("/m"), "");
  head.method = "HEAD";
  EXPECT_EQ(client_->Perform(head).status, 200);
  EXPECT_EQ(server_->stats().accepted, 1u);
}

TEST_F(HttpClientTest, KeepsConnectionsBetweenCalls) {
  StartEcho();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client_->Perform(CallTo(Url())).status, 200);
  EXPECT_EQ(server_->stats().accepted, 1u);
}

TEST_F(HttpClientTest, SendsLargeBodies) {
  StartEcho();
  const std::string body = Noise(15 << 20);
  const HttpAnswer answer = client_->Perform(CallTo(Url("/b"), body));
  ASSERT_FALSE(answer.error) << answer.error->message;
  EXPECT_EQ(answer.body, Describe("POST /b", body));
}

TEST_F(HttpClientTest, MakesSeveralCallsAtOnceAndNoMoreThanAsked) {
  std::atomic<int> now{0}, most{0};
  StartDesk({}, 2);
  std::vector<HttpCall> calls;
  for (int i = 0; i < 40; ++i) calls.push_back(CallTo(Url("/" + std::to_string(i))));
  std::vector<HttpAnswer> answers(calls.size());
  std::thread answering([&] {
    for (int done = 0; done < 40; done += 4) {
      ASSERT_TRUE(desk_.WaitFor(4));  // comes only if four are under way together
      EXPECT_EQ(desk_.size(), 4u);
      for (int i = 0; i < 4; ++i) {
        auto [request, responder] = desk_.Next();
        responder.Send(Text(request.path));
      }
    }
  });
  client_->Perform(calls, answers, 4, false, {});
  answering.join();
  for (int i = 0; i < 40; ++i)
    EXPECT_EQ(answers[static_cast<size_t>(i)].body, "/" + std::to_string(i));
}

TEST_F(HttpClientTest, SendsOneAtATimeInOrderWhenAskedTo) {
  std::mutex mutex;
  std::vector<std::string> seen;
  Start({}, 2, [&](HttpRequest&& request, HttpResponder responder) {
    std::lock_guard lock(mutex);
    seen.push_back(request.path);
    responder.Send(Text("ok"));
  });
  std::vector<HttpCall> calls;
  for (int i = 0; i < 30; ++i) calls.push_back(CallTo(Url("/" + std::to_string(i))));
  std::vector<HttpAnswer> answers(calls.size());
  client_->Perform(calls, answers, 1, true, {});
  ASSERT_EQ(seen.size(), 30u);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], "/" + std::to_string(i));
}

TEST_F(HttpClientTest, BeginsNothingFurtherAfterAFailureWhenAskedTo) {
  Start({}, 1, [](HttpRequest&& request, HttpResponder responder) {
    responder.Send(Text("x", request.path == "/2" ? 503 : 200));
  });
  std::vector<HttpCall> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(CallTo(Url("/" + std::to_string(i))));
  std::vector<HttpAnswer> answers(calls.size());
  client_->Perform(calls, answers, 1, true, {});
  EXPECT_EQ(answers[1].status, 200);
  EXPECT_EQ(answers[2].status, 503);
  for (size_t i = 3; i < 6; ++i) {
    ASSERT_TRUE(answers[i].error);
    EXPECT_EQ(answers[i].error->code, Code::kCancelled);
    EXPECT_FALSE(answers[i].sent);
  }
  EXPECT_EQ(server_->stats().requests, 3u);
  client_->Perform(calls, answers, 1, false, {});
  EXPECT_EQ(answers[5].status, 200);
}

TEST_F(HttpClientTest, RefusesWhatCannotBeSent) {
  StartEcho();
  for (const char* url :
       {"", "nonsense", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://a b/",
        "http://user:password@127.0.0.1/", "http://127.0.0.1:99999/"}) {
    const HttpAnswer answer = client_->Perform(CallTo(url));
    ASSERT_TRUE(answer.error) << url;
    EXPECT_EQ(answer.error->code, Code::kInvalid) << url;
    EXPECT_FALSE(answer.sent);
    EXPECT_EQ(answer.error->message.find("password"), std::string::npos);
  }
  const std::vector<std::pair<std::string, std::string>> bad_headers = {
      {"A", "b\r\nC: d"},
      {"A", "b\nC: d"},
      {"A", std::string("b\0c", 3)},
      {"A b", "c"},
      {"", "c"},
      {"A:", "b"},
      {"Content-Length", "3"},
      {"Transfer-Encoding", "chunked"},
      {"Connection", "close"}};
  for (const auto& header : bad_headers) {
    HttpCall call = CallTo(Url());
    call.headers = {header};
    const HttpAnswer answer = client_->Perform(call);
    ASSERT_TRUE(answer.error) << header.first;
    EXPECT_EQ(answer.error->code, Code::kInvalid);
  }
  HttpCall call = CallTo(Url());
  call.method = "GET /x HTTP/1.1\r\nA:";
  EXPECT_EQ(client_->Perform(call).error->code, Code::kInvalid);
  EXPECT_EQ(server_->stats().requests, 0u);
}

TEST_F(HttpClientTest, SaysWhenItCouldNotConnect) {
  const HttpAnswer answer =
      client_->Perform(CallTo("http://127.0.0.1:" + std::to_string(test::UnusedPort())));
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code, Code::kUnavailable);
  EXPECT_FALSE(answer.sent);
}

TEST_F(HttpClientTest, SaysTheOutcomeIsUnknownWhenThePeerHangs) {
  HttpClientOptions options = Quick();
  options.request_timeout = Millis(300);
  ScriptedPeer peer([](RawSocket& socket, int) {
    socket.ReadRequest();
    socket.WaitClosed();
  });
  const HttpAnswer answer = HttpClient::Create(options)->Perform(CallTo(peer.url()));
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code, Code::kTimeout);
  EXPECT_TRUE(answer.sent);
}

TEST_F(HttpClientTest, NoticesConnectionsThatBreak) {
  const std::vector<ScriptedPeer::Script> scripts = {
      [](RawSocket& s, int) {
        s.ReadRequest();
        s.Reset();
      },
      [](RawSocket& s, int) { s.ReadRequest(); },
      [](RawSocket& s, int) {
        s.ReadRequest();
        s.Send("HTTP/1.1 200 OK\r\nContent-Le");
        s.Reset();
      },
      [](RawSocket& s, int) {
        s.ReadRequest();
        s.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        s.Reset();
      },
      [](RawSocket& s, int) {
        s.ReadRequest();
        s.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
      },
      [](RawSocket& s, int) {
        s.ReadRequest();
        s.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
      },
      [](RawSocket& s, int) {
        s.Read();
        s.Reset();
      },
  };
  for (size_t i = 0; i < scripts.size(); ++i) {
    ScriptedPeer peer(scripts[i]);
    const HttpAnswer answer = client_->Perform(CallTo(peer.url(), std::string_view()));
    ASSERT_TRUE(answer.error) << i;
    EXPECT_EQ(answer.error->code, Code::kUnavailable) << i;
    EXPECT_TRUE(answer.sent) << i;
    EXPECT_EQ(answer.status, 0) << i;
    EXPECT_TRUE(answer.body.empty()) << i;
  }
}

TEST_F(HttpClientTest, TakesGarbageForAPeerThatCannotServe) {
  for (const std::string& garbage : std::vector<std::string>{
           "garbage\r\n\r\n", std::string("\x15\x03\x01\0\2\2\x16", 7), "HTTP/9.9 200 OK\r\n\r\n",
           "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    ScriptedPeer peer([&](RawSocket& socket, int) {
      socket.ReadRequest();
      socket.Send(garbage);
    });
    const HttpAnswer answer = client_->Perform(CallTo(peer.url()));
    ASSERT_TRUE(answer.error) << garbage;
    EXPECT_EQ(answer.error->code, Code::kUnavailable) << garbage;
  }
}

TEST_F(HttpClientTest, EndsEndlessHeaders) {
  for (const bool interim : {false, true}) {
    ScriptedPeer peer([&](RawSocket& socket, int) {
      socket.ReadRequest();
      if (!interim) socket.Send("HTTP/1.1 200 OK\r\n");
      const std::string more = interim ? "HTTP/1.1 102 Processing\r\nA: b\r\n\r\n"
                                       : "X-Fill: " + std::string(1000, 'x') + "\r\n";
      while (socket.Send(more)) {
      }
    });
    const HttpAnswer answer = client_->Perform(CallTo(peer.url()));
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->code, Code::kUnavailable) << answer.error->message;
  }
}

TEST_F(HttpClientTest, ReadsNoMoreOfAnAnswerThanItWants) {
  const std::string much(100 << 10, 'y');
  ScriptedPeer endless([&](RawSocket& socket, int) {
    socket.ReadRequest();
    socket.Send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
    while (socket.Send(much)) {
    }
  });
  const HttpAnswer cut = client_->Perform(CallTo(endless.url()));
  ASSERT_FALSE(cut.error) << cut.error->message;
  EXPECT_EQ(cut.status, 200);
  EXPECT_TRUE(cut.body_cut);
  EXPECT_EQ(cut.body, std::string(64 << 10, 'y'));
  EXPECT_EQ(cut.content_type, "text/html");

  ScriptedPeer exact =
      Answering("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + std::string(64 << 10, 'z'));
  const HttpAnswer whole = client_->Perform(CallTo(exact.url()));
  ASSERT_FALSE(whole.error);
  EXPECT_FALSE(whole.body_cut);
  EXPECT_EQ(whole.body.size(), size_t{64} << 10);
}

TEST_F(HttpClientTest, PutsUpWithAnAnswerOneByteAtATime) {
  ScriptedPeer peer([](RawSocket& socket, int) {
    socket.ReadRequest();
    for (const char c : std::string_view(
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")) {
      socket.Send({&c, 1});
    }
  });
  EXPECT_EQ(client_->Perform(CallTo(peer.url())).body, "abc");
}

TEST_F(HttpClientTest, TakesTheAnswerOfAPeerThatDoesNotReadTheWholeBody) {
  ScriptedPeer peer([](RawSocket& socket, int) {
    socket.Read();
    socket.Send(
        "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    socket.ShutdownSend();
    socket.WaitClosed();
  });
  const std::string body(8 << 20, 'x');
  const HttpAnswer answer = client_->Perform(CallTo(peer.url(), body));
  ASSERT_FALSE(answer.error) << answer.error->message;
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "no");
}

TEST_F(HttpClientTest, FollowsNoRedirectAndKeepsNoCookie) {
  ScriptedPeer elsewhere = Answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  std::mutex mutex;
  std::string requests;
  ScriptedPeer peer([&](RawSocket& socket, int) {
    while (true) {
      const std::string request = socket.ReadRequest();
      if (request.empty()) return;
      std::lock_guard lock(mutex);
      requests += request;
      socket.Send("HTTP/1.1 302 Found\r\nLocation: " + elsewhere.url() +
                  "\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n");
    }
  });
  for (int i = 0; i < 2; ++i) EXPECT_EQ(client_->Perform(CallTo(peer.url())).status, 302);
  EXPECT_EQ(elsewhere.connections(), 0);
  std::lock_guard lock(mutex);
  EXPECT_EQ(requests.find("Cookie"), std::string::npos);
}

TEST_F(HttpClientTest, ReadsRetryAfterInBothForms) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  char date[64];
  const std::time_t then = now + 100;
  std::tm tm{};
  gmtime_r(&then, &tm);
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
  ScriptedPeer seconds_form =
      Answering("HTTP/1.1 503 No\r\nretry-after:  120 \r\nContent-Length: 0\r\n\r\n");
  ScriptedPeer date_form = Answering("HTTP/1.1 429 No\r\nRetry-After: " + std::string(date) +
                                     "\r\nContent-Length: 0\r\n\r\n");
  ScriptedPeer neither =
      Answering("HTTP/1.1 503 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client_->Perform(CallTo(seconds_form.url())).retry_after, Micros(seconds(120)));
  const auto wait = client_->Perform(CallTo(date_form.url())).retry_after;
  ASSERT_TRUE(wait);
  EXPECT_GT(*wait, Micros(seconds(90)));
  EXPECT_LE(*wait, Micros(seconds(100)));
  EXPECT_FALSE(client_->Perform(CallTo(neither.url())).retry_after);
}

TEST(ParseRetryAfter, KnowsSecondsAndTheThreeFormsOfDates) {
  const SystemTime now = FromMicros(784'111'777'000'000 - 10'000'000);  // Sun, 06 Nov 1994 08:49:27
  EXPECT_EQ(ParseRetryAfter("0", now), Micros(0));
  EXPECT_EQ(ParseRetryAfter("120", now), Micros(seconds(120)));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", now), Micros(seconds(10)));
  EXPECT_EQ(ParseRetryAfter("Sunday, 06-Nov-94 08:49:37 GMT", now), Micros(seconds(10)));
  EXPECT_EQ(ParseRetryAfter("Sun Nov  6 08:49:37 1994", now), Micros(seconds(10)));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:00:00 GMT", now), Micros(0));  // long past
  EXPECT_EQ(ParseRetryAfter("99999999999999999999999999", now), Micros(seconds(365 * 24 * 3600)));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 4119947 08:49:37 GMT", now),
            Micros(seconds(365 * 24 * 3600)));
  for (const char* bad :
       {"", " ", "-1", "1.5", "soon", "1e3", "10 seconds", "12:00", "tomorrow", "1994-11-06"}) {
    EXPECT_FALSE(ParseRetryAfter(bad, now)) << bad;
  }
}

TEST_F(HttpClientTest, StopsPromptlyWhenTold) {
  std::promise<void> arrived;
  ScriptedPeer peer([&](RawSocket& socket, int number) {
    socket.ReadRequest();
    if (number == 0) arrived.set_value();
    socket.WaitClosed(RawSocket::Limit(20'000));
  });
  HttpClientOptions options = Quick();
  options.request_timeout = Millis(60'000);
  auto client = HttpClient::Create(options);
  std::vector<HttpCall> calls(3, CallTo(peer.url()));
  std::vector<HttpAnswer> answers(3);
  std::stop_source stop;
  std::chrono::steady_clock::time_point told;
  std::thread stopping([&] {
    arrived.get_future().wait();
    told = std::chrono::steady_clock::now();
    stop.request_stop();
  });
  client->Perform(calls, answers, 1, false, stop.get_token());
  const auto took = std::chrono::steady_clock::now() - told;
  stopping.join();
  EXPECT_LT(took, milliseconds(500));
  for (const HttpAnswer& answer : answers) {
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->code, Code::kCancelled);
  }
  EXPECT_TRUE(answers[0].sent);
  EXPECT_FALSE(answers[1].sent);
  // A stop that came before: nothing is begun.
  EXPECT_EQ(client->Perform(calls[0], stop.get_token()).error->code, Code::kCancelled);
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(HttpClientTest, GoesOnAfterThePeerWasRestarted) {
  StartEcho();
  const int port = server_->port();
  EXPECT_EQ(client_->Perform(CallTo(Url())).status, 200);
  server_.reset();
  EXPECT_EQ(client_->Perform(CallTo("http://127.0.0.1:" + std::to_string(port))).error->code,
            Code::kUnavailable);
  HttpServerOptions options;
  options.name = "test";
  options.address = "127.0.0.1:" + std::to_string(port);
  server_ =
      *HttpServer::Start(options, [](HttpRequest&&, HttpResponder r) { r.Send(Text("back")); });
  EXPECT_EQ(client_->Perform(CallTo(Url())).body, "back");
}

TEST_F(HttpClientTest, SpreadsCallsOverSeveralHostsWithinItsConnections) {
  std::vector<std::unique_ptr<ScriptedPeer>> peers;
  std::vector<HttpCall> calls;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(std::make_unique<ScriptedPeer>([](RawSocket& socket, int) {
      while (!socket.ReadRequest().empty() &&
             socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) {
      }
    }));
    for (int n = 0; n < 3; ++n) calls.push_back(CallTo(peers.back()->url()));
  }
  std::vector<HttpAnswer> answers(calls.size());
  client_->Perform(calls, answers, 16, false, {});
  for (const HttpAnswer& answer : answers) EXPECT_EQ(answer.status, 200);
}

}  // namespace
}  // namespace spool::net
