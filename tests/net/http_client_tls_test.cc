// The client against servers that speak TLS well and badly.
#include <signal.h>

#include "net/http_client.h"
#include "tests/net/tls_fixture.h"

namespace spool::net {
namespace {

class HttpClientTlsTest : public TlsTest {
 protected:
  HttpClientOptions Trusting() const {
    HttpClientOptions options;
    options.ca_file = ca_.ca();
    options.connect_timeout = options.request_timeout = Millis(5000);
    return options;
  }
  HttpAnswer Get(const HttpClientOptions& options, const std::string& host = "localhost") {
    HttpCall call;
    call.method = "GET";
    call.url = "https://" + host + ":" + std::to_string(server_->port()) + "/";
    return HttpClient::Create(options)->Perform(call);
  }
  static std::string Fault(const HttpAnswer& answer) {
    return answer.error ? answer.error->message : "no error";
  }
};

TEST_F(HttpClientTlsTest, TrustsTheGivenAuthorityAndNoOther) {
  StartEcho();
  EXPECT_EQ(Get(Trusting()).status, 200) << Fault(Get(Trusting()));
  EXPECT_EQ(Get(Trusting(), "127.0.0.1").status, 200);
  HttpClientOptions system = Trusting();
  system.ca_file.clear();
  HttpClientOptions other = Trusting();
  const test::TestCa stranger(dir_ / "stranger");
  other.ca_file = stranger.ca();
  for (const HttpClientOptions& options : {system, other}) {
    const HttpAnswer answer = Get(options);
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->code, Code::kUnavailable);
    EXPECT_TRUE(answer.tls_failed);
    EXPECT_FALSE(answer.sent);
    EXPECT_NE(Fault(answer).find("certificate"), std::string::npos) << Fault(answer);
  }
}

TEST_F(HttpClientTlsTest, RefusesACertificateOfAnotherHostOrTime) {
  ca_.Issue("elsewhere", "DNS:elsewhere.example");
  ca_.IssueExpired("late");
  for (const auto& [name, says] :
       {std::pair("elsewhere", "host name"), std::pair("late", "expired")}) {
    tls_->cert = ca_.cert(name);
    tls_->key = ca_.key(name);
    StartEcho();
    const HttpAnswer answer = Get(Trusting());
    ASSERT_TRUE(answer.error) << name;
    EXPECT_TRUE(answer.tls_failed);
    EXPECT_NE(Fault(answer).find(says), std::string::npos) << Fault(answer);
    EXPECT_EQ(server_->stats().requests, 0u);
  }
}

TEST_F(HttpClientTlsTest, ShowsItsCertificateWhereOneIsAskedFor) {
  AskForCertificates();
  ca_.Issue("us");
  StartEcho();
  HttpClientOptions with = Trusting();
  with.cert_file = ca_.cert("us");
  with.key_file = ca_.key("us");
  EXPECT_EQ(Get(with).status, 200) << Fault(Get(with));
  const HttpAnswer without = Get(Trusting());
  EXPECT_TRUE(without.error);
  EXPECT_EQ(server_->stats().requests, 1u);
  // Renewed in place, it is what the next connection shows.
  const auto client = HttpClient::Create(with);
  HttpCall call;
  call.method = "GET";
  call.url = "https://localhost:" + std::to_string(server_->port()) + "/";
  call.headers.emplace_back("X-A", "b");
  EXPECT_EQ(client->Perform(call).status, 200);
  ca_.Issue("us");
  server_->Stop(In(milliseconds(2000)));
  StartEcho();
  call.url = "https://localhost:" + std::to_string(server_->port()) + "/";
  EXPECT_EQ(client->Perform(call).status, 200);
}

TEST_F(HttpClientTlsTest, FilesOfItsOwnThatCannotBeUsedAreNotThePeersFault) {
  StartEcho();
  HttpClientOptions no_cert = Trusting(), no_ca = Trusting();
  no_cert.cert_file = dir_ / "missing.crt";
  no_cert.key_file = dir_ / "missing.key";
  no_ca.ca_file = dir_ / "missing.crt";
  for (const HttpClientOptions& options : {no_cert, no_ca}) {
    const HttpAnswer answer = Get(options);
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->code, Code::kInvalid) << Fault(answer);
    EXPECT_TRUE(answer.tls_failed);
  }
}

TEST_F(HttpClientTlsTest, SpeaksNothingOlderThanTls12) {
  // openssl's own server, since ours would refuse by itself.
  const int port = test::UnusedPort();
  const std::string command = "exec openssl s_server -accept " + std::to_string(port) + " -cert " +
                              Cert() + " -key " + Key() +
                              " -tls1_1 -cipher 'ALL:@SECLEVEL=0' -www >/dev/null 2>&1";
  FILE* const server = popen(("sh -c \"" + command + " & echo \\$!\"").c_str(), "r");
  ASSERT_NE(server, nullptr);
  int pid = 0;
  ASSERT_EQ(fscanf(server, "%d", &pid), 1);
  ASSERT_TRUE(Eventually([&] { return RawSocket::Connect(port).ok(); }));
  {
    RawSocket old = RawSocket::Connect(port);
    TlsClientOptions options = Client();
    options.version_max = 11;
    EXPECT_TRUE(old.StartTls(options)) << old.tls().error();  // it does serve who speaks it
  }
  HttpCall call;
  call.method = "GET";
  call.url = "https://localhost:" + std::to_string(port) + "/";
  const HttpAnswer answer = HttpClient::Create(Trusting())->Perform(call);
  kill(pid, SIGKILL);
  pclose(server);
  ASSERT_TRUE(answer.error);
  EXPECT_TRUE(answer.tls_failed) << Fault(answer);
  EXPECT_FALSE(answer.sent);
}

}  // namespace
}  // namespace spool::net
