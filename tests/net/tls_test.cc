// TLS as a client meets it: what is spoken, who is let in, and what is refused.
#include <sys/socket.h>

#include "tests/net/tls_fixture.h"

namespace spool::net {
namespace {

using std::chrono::seconds;

TEST_F(TlsTest, ServesOverTls12And13) {
  StartEcho();
  for (const auto& [version, name] : {std::pair(12, "TLSv1.2"), std::pair(13, "TLSv1.3")}) {
    TlsClientOptions options = Client();
    options.version_max = version;
    RawSocket socket = Secure(options);
    EXPECT_EQ(socket.tls().version(), name);
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(socket.Send(Post("/a", "hello")));
      EXPECT_EQ(socket.ReadAnswer()->body, Describe("POST /a", "hello"));
    }
  }
  EXPECT_EQ(Status().handshakes, 2u);
  EXPECT_EQ(Status().failed(), 0u);
}

TEST_F(TlsTest, RefusesOlderVersions) {
  StartEcho();
  for (const int version : {10, 11}) {
    TlsClientOptions options = Client();
    options.version_max = version;
    RawSocket socket = Connect();
    EXPECT_FALSE(socket.StartTls(options));
    EXPECT_NE(socket.tls().error().find("protocol version"), std::string::npos)
        << socket.tls().error();
  }
  ASSERT_TRUE(Eventually([&] { return Status().malformed == 2; }));
  EXPECT_EQ(SecureExchange(Client(), kGet).status, 200);
}

TEST_F(TlsTest, AgreesOnHttp11AndOnNothingElse) {
  StartEcho();
  TlsClientOptions options = Client();
  options.alpn = "http/1.1";
  EXPECT_EQ(Secure(options).tls().alpn(), "http/1.1");
  options.alpn = "h2";
  RawSocket socket = Connect();
  EXPECT_FALSE(socket.StartTls(options));
  EXPECT_NE(socket.tls().error().find("application protocol"), std::string::npos)
      << socket.tls().error();
  EXPECT_EQ(Secure(Client()).tls().alpn(), "");
}

TEST_F(TlsTest, LargeBodiesAndAnswersPassWhole) {
  const std::string large = Noise(12 << 20);
  Start({}, 2, [&](HttpRequest&& request, HttpResponder responder) {
    responder.Send(Text(request.path == "/large" ? large : Describe(request)));
  });
  RawSocket socket = Secure(Client());
  ASSERT_TRUE(socket.Send(Post("/up", large)));
  EXPECT_EQ(socket.ReadAnswer()->body, Describe("POST /up", large));
  ASSERT_TRUE(socket.Send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_TRUE(socket.ReadAnswer()->body == large);
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(TlsTest, PipelinedRequestsInOneRecordAreAllAnswered) {
  StartEcho();
  RawSocket socket = Secure(Client());
  std::string many;
  for (int i = 0; i < 50; ++i) many += Post("/" + std::to_string(i), std::string(100, 'x'));
  ASSERT_TRUE(socket.Send(many));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(socket.ReadAnswer()->body,
              Describe("POST /" + std::to_string(i), std::string(100, 'x')));
  }
}

TEST_F(TlsTest, AnswersFromOtherThreadsFindTheirConnection) {
  StartDesk();
  RawSocket socket = Secure(Client());
  socket.Send(Post("/", "x"));
  auto held = desk_.Next();
  held.second.Send(Text("later"));
  EXPECT_EQ(socket.ReadAnswer()->body, "later");
}

TEST_F(TlsTest, TheEndIsToldProperly) {
  StartEcho();
  RawSocket socket = Secure(Client());
  socket.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(socket.ReadAnswer()->status, 200);
  char byte = 0;
  EXPECT_EQ(socket.tls().Read(&byte, 1, seconds(10)), 0) << socket.tls().error();
}

TEST_F(TlsTest, SaysHttpsToWhoSpeaksPlainHttp) {
  StartEcho();
  RawSocket socket = Connect();
  socket.Send(kGet);
  const std::string answer = socket.ReadAll();
  EXPECT_TRUE(answer.starts_with("HTTP/1.0 400 ")) << answer;
  EXPECT_NE(answer.find("https"), std::string::npos);
  EXPECT_TRUE(socket.closed());
  EXPECT_EQ(Status().malformed, 1u);
}

TEST_F(TlsTest, RefusesRenegotiation) {
  Start({}, 1, [](HttpRequest&& request, HttpResponder responder) {
    responder.Send(Text(Describe(request)));
  });
  TlsClientOptions options = Client();
  options.version_max = 12;
  RawSocket socket = Secure(options);
  EXPECT_FALSE(socket.tls().Renegotiate(milliseconds(2000)));
  EXPECT_EQ(Status().handshakes, 1u);
  EXPECT_EQ(SecureExchange(Client(), kGet).status, 200);
}

// Certificates of clients.

TEST_F(TlsTest, LetsInOnlyWhoShowsACertificateOfTheClientCa) {
  AskForCertificates();
  const test::TestCa other(dir_ / "other");
  ca_.Issue("agent", "DNS:agent.logging.svc,URI:spiffe://prod/agent,IP:10.0.0.7,email:a@b.example");
  ca_.IssueExpired("late");
  other.Issue("stranger");
  std::mutex mutex;
  std::vector<std::string> names;
  Start({}, 2, [&](HttpRequest&& request, HttpResponder responder) {
    if (const std::lock_guard lock(mutex); request.client) names = request.client->names;
    responder.Send(Text("in"));
  });
  for (const int version : {12, 13}) {
    TlsClientOptions good = Client("agent");
    good.version_max = version;
    EXPECT_EQ(SecureExchange(good, kGet).body, "in");
    TlsClientOptions none = Client(), late = Client("late"), stranger = Client();
    stranger.cert = other.cert("stranger");
    stranger.key = other.key("stranger");
    for (TlsClientOptions* options : {&none, &late, &stranger}) {
      options->version_max = version;
      EXPECT_EQ(SecureExchange(*options, kGet).status, 0);
    }
  }
  ASSERT_TRUE(Eventually([&] { return Status().failed() == 6; }));
  EXPECT_EQ(Status().no_certificate, 2u);
  EXPECT_EQ(Status().bad_certificate, 4u);
  EXPECT_EQ(server_->stats().requests, 2u);
  const std::lock_guard lock(mutex);
  EXPECT_EQ(names, (std::vector<std::string>{"agent", "agent.logging.svc", "spiffe://prod/agent",
                                             "10.0.0.7", "a@b.example"}));
}

TEST_F(TlsTest, AnOptionalCertificateIsVerifiedWhenItIsShown) {
  AskForCertificates(/*required=*/false);
  const test::TestCa other(dir_ / "other");
  ca_.Issue("agent");
  other.Issue("stranger");
  Start({}, 2, [&](HttpRequest&& request, HttpResponder responder) {
    responder.Send(Text(request.client ? request.client->names.front() : "nobody"));
  });
  EXPECT_EQ(SecureExchange(Client("agent"), kGet).body, "agent");
  EXPECT_EQ(SecureExchange(Client(), kGet).body, "nobody");
  TlsClientOptions stranger = Client();
  stranger.cert = other.cert("stranger");
  stranger.key = other.key("stranger");
  EXPECT_EQ(SecureExchange(stranger, kGet).status, 0);
}

TEST_F(TlsTest, ARevokedCertificateIsRefused) {
  AskForCertificates();
  ca_.Issue("good");
  ca_.Issue("lost");
  tls_->client_ca = ca_.Revoke("lost");
  StartEcho();
  EXPECT_EQ(SecureExchange(Client("good"), kGet).status, 200);
  EXPECT_EQ(SecureExchange(Client("lost"), kGet).status, 0);
  ASSERT_TRUE(Eventually([&] { return Status().bad_certificate == 1; }));
}

// Files that cannot be used.

TEST_F(TlsTest, DoesNotStartWithFilesThatCannotBeUsed) {
  ca_.Issue("other");
  std::ofstream(dir_ / "empty").flush();
  std::ofstream(dir_ / "text") << "not a certificate\n";
  ASSERT_EQ(std::system(("openssl pkey -in " + Key() + " -aes128 -passout pass:secret -out " +
                         (dir_ / "locked.key"))
                            .c_str()),
            0);
  const TlsFiles good = *tls_;
  struct Case {
    TlsFiles files;
    std::string names;
  };
  for (const Case& c : std::vector<Case>{
           {{.cert = dir_ / "none", .key = good.key, .client_ca = ""}, "none cannot be read"},
           {{.cert = dir_ / "empty", .key = good.key, .client_ca = ""}, "empty cannot be read"},
           {{.cert = dir_ / "text", .key = good.key, .client_ca = ""}, "text cannot be used"},
           {{.cert = good.cert, .key = dir_ / "text", .client_ca = ""}, "text cannot be used"},
           {{.cert = good.cert, .key = dir_ / "locked.key", .client_ca = ""}, "without passphrase"},
           {{.cert = good.cert, .key = ca_.key("other"), .client_ca = ""}, "does not belong"},
           {{.cert = good.cert, .key = good.key, .client_ca = dir_ / "text"}, "client CA"},
           {{.cert = good.cert, .key = good.key, .client_ca = good.key}, "no certificate"}}) {
    HttpServerOptions options;
    options.address = "127.0.0.1:0";
    options.tls = c.files;
    const auto server = HttpServer::Start(options, [](HttpRequest&&, const HttpResponder&) {});
    ASSERT_FALSE(server) << c.names;
    EXPECT_EQ(server.error().code, Code::kInvalid);
    EXPECT_NE(server.error().message.find(c.names), std::string::npos) << server.error().message;
  }
}

// Time and numbers.

TEST_F(TlsTest, GivesUpOnHandshakesThatDoNotEnd) {
  HttpLimits limits;
  limits.handshake_timeout = seconds(1);
  StartEcho(limits, 1);
  RawSocket silent = Connect(), trickling = Connect(), half = Connect();
  // The beginning of a ClientHello that promises 512 bytes.
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  half.Send(hello);
  const auto begin = std::chrono::steady_clock::now();
  for (size_t i = 0; i < 600 && !trickling.closed(); ++i) {
    trickling.Send(i < hello.size() ? hello.substr(i, 1) : "x");
    trickling.Read(milliseconds(50));
  }
  EXPECT_TRUE(trickling.closed());
  EXPECT_TRUE(silent.WaitClosed());
  EXPECT_TRUE(half.WaitClosed());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5));
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections == 0; }));
  EXPECT_EQ(Status().timed_out, 3u);
  EXPECT_EQ(SecureExchange(Client(), kGet).status, 200);
}

TEST_F(TlsTest, StaysUsableUnderGarbageAndConnectionsThatComeAndGo) {
  StartEcho();
  RawSocket kept = Secure(Client());
  const std::string noise = Noise(4096);
  for (int i = 0; i < 300; ++i) {
    RawSocket socket = Connect();
    if (i % 3 == 0) continue;
    socket.Send(i % 3 == 1 ? std::string_view(noise).substr(static_cast<size_t>(i))
                           : std::string_view("\x16\x03\x01", 3));
    if (i % 2 == 0) socket.Reset();
  }
  ASSERT_TRUE(Eventually(
      [&] { return server_->stats().accepted == 301 && server_->stats().connections == 1; }));
  EXPECT_EQ(Status().handshakes, 1u);
  EXPECT_EQ(Status().failed(), 300u);
  kept.Send(kGet);
  EXPECT_EQ(kept.ReadAnswer()->status, 200);
}

TEST_F(TlsTest, DamagedRecordsEndTheConnectionAndNothingIsHandedOver) {
  StartEcho();
  for (int i = 0; i < 20; ++i) {
    RawSocket socket = Secure(Client());
    // Past TLS: a record of application data that was never encrypted.
    const std::string forged = std::string("\x17\x03\x03\x00\x40", 5) + Noise(64);
    ASSERT_EQ(send(socket.fd(), forged.data(), forged.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(forged.size()));
    EXPECT_TRUE(socket.WaitClosed());
  }
  EXPECT_EQ(server_->stats().requests, 0u);
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections == 0; }));
}

TEST_F(TlsTest, TheLimitsOfTimeHoldBehindTlsToo) {
  HttpLimits limits;
  limits.header_timeout = limits.body_timeout = limits.idle_timeout = limits.write_timeout =
      seconds(1);
  Start(limits, 1, [](HttpRequest&&, HttpResponder responder) {
    responder.Send(Text(std::string(32 << 20, 'x')));
  });
  RawSocket head = Secure(Client()), body = Secure(Client()), silent = Secure(Client());
  RawSocket reader = Connect();
  reader.SetReceiveBuffer(4096);
  ASSERT_TRUE(reader.StartTls(Client()));
  reader.Send(kGet);  // and never reads
  std::optional<RawAnswer> head_answer, body_answer;
  head.Send("GET / HTTP/1.1\r\n");
  body.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
  for (int i = 0; i < 50 && !(head_answer && body_answer); ++i) {
    head.Send("a");
    body.Send("a");
    if (!head_answer) head_answer = head.ReadAnswer(milliseconds(50));
    if (!body_answer) body_answer = body.ReadAnswer(milliseconds(50));
  }
  ASSERT_TRUE(head_answer && body_answer);
  EXPECT_EQ(head_answer->status, 408);
  EXPECT_EQ(body_answer->status, 408);
  EXPECT_TRUE(silent.WaitClosed());
  EXPECT_TRUE(head.WaitClosed());
  EXPECT_TRUE(body.WaitClosed());
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections == 0; }));
}

TEST_F(TlsTest, StopsWithHandshakesUnderWay) {
  StartDesk();
  RawSocket half = Connect(), idle = Secure(Client()), busy = Secure(Client());
  half.Send(std::string_view("\x16\x03\x01", 3));
  busy.Send(Post("/", "x"));
  auto held = desk_.Next();
  std::jthread stopping([&] { server_->Stop(In(milliseconds(10'000))); });
  EXPECT_TRUE(half.WaitClosed());
  EXPECT_TRUE(idle.WaitClosed());
  held.second.Send(Text("the last"));
  const auto answer = busy.ReadAnswer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "the last");
  EXPECT_EQ(answer->Header("connection"), "close");
}

}  // namespace
}  // namespace spool::net
