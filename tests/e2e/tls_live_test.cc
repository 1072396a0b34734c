// A real spoold behind TLS, met with curl and spoolctl.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <regex>
#include <thread>

#include "app/admin_api.h"
#include "net/http_client.h"
#include "tests/support/ctl_fixture.h"
#include "tests/support/secure_spoold.h"

namespace spool::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kOut[] =
    "targets: { out: { type: file, path: $DIR/out.jsonl, start: beginning } }\n";
const std::string kJson = " -H 'Content-Type: application/json' -d '{\"a\":1}' ";

class TlsLive : public ::testing::Test {
 protected:
  std::string WithCertificate(const std::string& name) const {
    return " --cert " + spoold_.ca.cert(name) + " --key " + spoold_.ca.key(name) + " ";
  }
  // spoolctl against the admin listener by its name.
  CtlResult Ctl(std::vector<std::string> args) const {
    const std::string admin = spoold_.admin();
    args.insert(args.end(), {"--server", "https://localhost" + admin.substr(admin.rfind(':'))});
    return RunCtl(args);
  }
  net::HttpClientOptions Trusting() const {
    net::HttpClientOptions options;
    options.ca_file = spoold_.ca.ca();
    return options;
  }

  SecureSpoold spoold_;
};

TEST_F(TlsLive, AProducerNeedsItsCertificateAndItsToken) {
  spoold_.ca.Issue("stranger", "DNS:stranger.example");
  spoold_.Write("token", "ingest-token\n");
  spoold_.Configure(
      "admin: { address: 127.0.0.1:0 }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0, tokens: [ { file: $DIR/token } ],\n"
      "  tls: { $TLS, client_ca: $CA, client_names: [client.example] } } }\n" +
      std::string(kOut));
  ASSERT_TRUE(spoold_.Start());
  spoold_.ingest_tls = true;
  const std::string events = kJson + spoold_.Ingest("/v1/events");
  const std::string token = " -H 'Authorization: Bearer ingest-token' ";
  const CurlReply good = Curl(WithCertificate("client") + token + events);
  EXPECT_EQ(good.status, 200) << good.body;
  EXPECT_THAT(good.body, HasSubstr("\"stored\":1"));
  EXPECT_EQ(good.http_version, "1.1") << "curl offers h2 as well";
  const CurlReply no_token = Curl("-i " + WithCertificate("client") + events);
  EXPECT_EQ(no_token.status, 401);
  EXPECT_THAT(no_token.body, HasSubstr("WWW-Authenticate: Bearer"));
  EXPECT_EQ(Curl(WithCertificate("client") + " -H 'Authorization: Bearer no' " + events).status,
            401);
  const CurlReply stranger = Curl(WithCertificate("stranger") + token + events);
  EXPECT_EQ(stranger.status, 403);
  EXPECT_THAT(stranger.body, HasSubstr("certificate_not_allowed"));
  EXPECT_NE(Curl(token + events).exit, 0) << "no certificate, no handshake";
  EXPECT_EQ(Curl("--tls-max 1.1 " + WithCertificate("client") + token + events).exit, 35);
  EXPECT_EQ(Curl("--tls-max 1.2 " + WithCertificate("client") + token + events).status, 200);
  const CurlReply plain = Curl("http://" + spoold_.ingest() + "/v1/events");
  EXPECT_EQ(plain.status, 400);
  EXPECT_THAT(plain.body, HasSubstr("https"));
  EXPECT_EQ(Curl(WithCertificate("client") + spoold_.Ingest("/health")).status, 200);
  EXPECT_EQ(spoold_.Metric("spool_ingest_rejected_total{source=\"web\",reason=\"auth\"}"), 3);
  EXPECT_EQ(
      spoold_.Metric("spool_tls_handshakes_total{listener=\"web\",result=\"no_certificate\"}"), 1);
  EXPECT_EQ(spoold_.Log().find("ingest-token"), std::string::npos);
  EXPECT_EQ(spoold_.Stop(), 0);
}

TEST_F(TlsLive, AnAdminAddressForAllNeedsTlsAndATokenAndThenServes) {
  spoold_.Write("op", "operator-token\n");
  spoold_.Configure("admin: { address: 0.0.0.0:0 }\n" + std::string(kOut));
  EXPECT_EQ(spoold_.RunToEnd(), 78);
  EXPECT_THAT(spoold_.Log(), HasSubstr("without TLS"));
  spoold_.Configure("admin: { address: 0.0.0.0:0, tls: { $TLS } }\n" + std::string(kOut));
  EXPECT_EQ(spoold_.RunToEnd(), 78);
  EXPECT_THAT(spoold_.Log(), HasSubstr("at least one token"));
  spoold_.Configure("admin: { address: 127.0.0.1:0, tokens: [ { file: $DIR/none } ] }\n" +
                    std::string(kOut));
  EXPECT_EQ(spoold_.RunToEnd(), 78);
  EXPECT_THAT(spoold_.Log(), HasSubstr("none cannot be read"));
  spoold_.Configure(
      "admin: { address: 0.0.0.0:0, tls: { $TLS },\n"
      "  tokens: [ { file: $DIR/op, role: operator } ] }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0 } }\n" +
      std::string(kOut));
  ASSERT_TRUE(spoold_.Start());
  spoold_.admin_tls = true;
  EXPECT_EQ(Curl(spoold_.Admin("/api/v1/status")).status, 401);
  EXPECT_EQ(
      Curl("-H 'Authorization: Bearer operator-token' " + spoold_.Admin("/api/v1/status")).status,
      200);
  EXPECT_EQ(Curl(spoold_.Admin("/health")).status, 200);
  EXPECT_EQ(spoold_.Stop(), 0);
}

TEST_F(TlsLive, SpoolctlTrustsWhatItIsToldAndShowsItsCertificate) {
  spoold_.Write("viewer", "viewer-token\n");
  spoold_.Write("reader", "old-token\nreader-token\n");
  spoold_.Configure(
      "admin: { address: 127.0.0.1:0, tls: { $TLS, client_ca: $CA }, tokens: [\n"
      "  { file: $DIR/viewer }, { file: $DIR/reader, role: reader } ] }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0 } }\n" +
      std::string(kOut));
  ASSERT_TRUE(spoold_.Start());
  ASSERT_EQ(Curl(kJson + spoold_.Ingest("/v1/events")).status, 200);
  const std::string ca = spoold_.ca.ca(), cert = spoold_.ca.cert("client"),
                    key = spoold_.ca.key("client");
  const auto all = [&](const std::string& token, std::vector<std::string> command) {
    command.insert(command.end(), {"--ca", ca, "--cert", cert, "--key", key, "--token-file",
                                   spoold_.Write("mine", token)});
    return Ctl(std::move(command));
  };
  const CtlResult status = all("viewer-token", {"status"});
  EXPECT_EQ(status.exit, 0) << status.err;
  const CtlResult events = all("viewer-token", {"events", "ls"});
  EXPECT_EQ(events.exit, 1);
  EXPECT_THAT(events.err, HasSubstr("reader"));
  for (const char* token : {"old-token", "reader-token"}) {
    const CtlResult read = all(token, {"events", "ls", "-o", "jsonl"});
    EXPECT_EQ(read.exit, 0) << read.err;
    EXPECT_THAT(read.out, HasSubstr("\"a\":1"));
  }
  EXPECT_EQ(all("reader-token", {"target", "pause", "out"}).exit, 1);

  const CtlResult untrusted = Ctl({"status", "--cert", cert, "--key", key});
  EXPECT_EQ(untrusted.exit, 6);
  EXPECT_THAT(untrusted.err, HasSubstr("--ca"));
  const CtlResult nobody = Ctl({"status", "--ca", ca});
  EXPECT_EQ(nobody.exit, 6);
  EXPECT_EQ(Ctl({"status", "--ca", ca, "--cert", cert}).exit, 2);
  EXPECT_EQ(Ctl({"status", "--ca", "/nonexistent/ca"}).exit, 1);
  EXPECT_EQ(spoold_.Stop(), 0);
}

// What the table of paths says, over TLS and from outside.
TEST_F(TlsLive, EveryPathOfTheAdminApiAsksForItsRole) {
  constexpr AdminRole kRoles[] = {AdminRole::kViewer, AdminRole::kReader, AdminRole::kOperator,
                                  AdminRole::kAdmin};
  std::string tokens;
  for (const AdminRole role : kRoles) {
    const std::string name(AdminRoleName(role));
    spoold_.Write(name, name + "-token\n");
    tokens += "{ file: $DIR/" + name + ", role: " + name + " }, ";
  }
  spoold_.Configure("admin: { address: 127.0.0.1:0, tls: { $TLS }, tokens: [ " + tokens +
                    "] }\nsources: { web: { type: http, address: 127.0.0.1:0 } }\n" + kOut);
  ASSERT_TRUE(spoold_.Start());
  const auto client = net::HttpClient::Create(Trusting());
  const std::string admin = spoold_.admin();
  size_t checked = 0;
  for (const AdminRouteInfo& route : AdminRoutes()) {
    const auto call = [&](const std::string& token) {
      net::HttpCall call;
      call.method = route.method;
      call.url = "https://localhost" + admin.substr(admin.rfind(':')) +
                 std::regex_replace(std::string(route.path), std::regex("\\{name\\}"), "none");
      if (!token.empty()) call.headers.emplace_back("Authorization", "Bearer " + token);
      const net::HttpAnswer answer = client->Perform(call);
      EXPECT_FALSE(answer.error) << route.path;
      ++checked;
      return answer.status;
    };
    EXPECT_EQ(call("") == 401, route.role != AdminRole::kNobody) << route.path;
    EXPECT_EQ(call("wrong") == 401, route.role != AdminRole::kNobody) << route.path;
    for (const AdminRole role : kRoles) {
      const int status = call(std::string(AdminRoleName(role)) + "-token");
      EXPECT_EQ(status == 403, role < route.role) << route.path << " " << AdminRoleName(role);
      EXPECT_NE(status, 401) << route.path;
    }
  }
  EXPECT_GT(checked, 180u);
}

TEST_F(TlsLive, CertificatesAndTokensRotateUnderLoadWithoutAFailedRequest) {
  spoold_.Write("token", "token-0\n");
  spoold_.Configure(
      "admin: { address: 127.0.0.1:0 }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0, tls: { $TLS }, tokens: [ { file: "
      "$DIR/token } ] } }\n" +
      std::string(kOut));
  ASSERT_TRUE(spoold_.Start());
  spoold_.ingest_tls = true;
  const std::string ingest = spoold_.ingest();
  std::atomic<uint64_t> sent{0}, failed{0};
  std::atomic<int> turn{0};
  std::atomic<bool> done{false};
  std::vector<std::jthread> producers;
  for (int i = 0; i < 4; ++i) {
    // Half of them keep their connection, half make a new one each time.
    producers.emplace_back([&, keeps = i % 2 == 0, i] {
      auto client = net::HttpClient::Create(Trusting());
      while (!done) {
        if (!keeps) client = net::HttpClient::Create(Trusting());
        net::HttpCall call;
        call.url = "https://localhost" + ingest.substr(ingest.rfind(':')) + "/v1/events";
        call.headers = {{"Authorization", "Bearer token-" + std::to_string(turn)}};
        const std::string body = "{\"n\":" + std::to_string(++sent) + "}";
        call.body = body;
        const net::HttpAnswer answer = client->Perform(call);
        if (answer.error || answer.status != 200) {
          ++failed;
          ADD_FAILURE() << i << ": "
                        << (answer.error ? answer.error->message : std::to_string(answer.status));
          return;
        }
      }
    });
  }
  const auto reloads = [&](const char* result) {
    return spoold_.Metric(std::string("spool_tls_reloads_total{listener=\"web\",result=\"") +
                          result + "\"}");
  };
  const auto log_says = [&](const std::string& text, size_t times) {
    return WaitUntil([&] {
      const std::string log = spoold_.Log();
      size_t n = 0;
      for (size_t at = 0; (at = log.find(text, at)) != log.npos; ++at) ++n;
      return n >= times;
    });
  };
  for (int t = 1; t <= 3; ++t) {
    // The new token beside the old one, then producers change over, then the old one goes.
    const std::string next = "token-" + std::to_string(t);
    test::PutFile(spoold_.Write("new", "token-" + std::to_string(t - 1) + "\n" + next + "\n"),
                  spoold_.dir / "token");
    spoold_.ca.Issue("turn");
    spoold_.Install("turn");
    EXPECT_TRUE(log_says("Tokens were read again", static_cast<size_t>(t)));
    EXPECT_TRUE(WaitUntil([&] { return reloads("ok") == t; }));
    turn = t;
  }
  test::PutFile(spoold_.ca.key("server"), spoold_.dir / "tls.key");  // of another pair
  EXPECT_TRUE(WaitUntil([&] { return reloads("failed") == 1; }));
  EXPECT_EQ(spoold_.Metric("spool_tls_files_broken{listener=\"web\"}"), 1);
  EXPECT_THAT(Curl(spoold_.Admin("/api/v1/status")).body, HasSubstr("New TLS files"));
  const uint64_t before = sent;
  EXPECT_TRUE(WaitUntil([&] { return sent > before + 100; })) << "the old pair serves on";
  spoold_.Install("turn");
  EXPECT_TRUE(WaitUntil([&] { return reloads("ok") == 4; }));
  EXPECT_EQ(spoold_.Metric("spool_tls_files_broken{listener=\"web\"}"), 0);
  done = true;
  producers.clear();
  EXPECT_EQ(failed, 0u);
  EXPECT_GT(sent, 500u);
  EXPECT_TRUE(WaitUntil([&] { return CountLines(spoold_.dir / "out.jsonl") == sent; }))
      << CountLines(spoold_.dir / "out.jsonl") << " of " << sent;
  RecordProperty("requests", std::to_string(sent));
  EXPECT_EQ(spoold_.Stop(), 0);
}

TEST_F(TlsLive, TheAdminListenersCertificatesAndTokensRotateUnderLoadToo) {
  spoold_.Write("token", "token-0\n");
  spoold_.Configure(
      "admin: { address: 127.0.0.1:0, tls: { $TLS },\n"
      "  tokens: [ { file: $DIR/token, role: operator } ] }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0 } }\n" +
      std::string(kOut));
  ASSERT_TRUE(spoold_.Start());
  spoold_.admin_tls = true;
  const std::string admin = spoold_.admin();
  std::atomic<uint64_t> asked{0}, failed{0};
  std::atomic<int> turn{0};
  std::atomic<bool> done{false};
  const auto call = [&](net::HttpClient& client, const char* path) {
    net::HttpCall call;
    call.method = "GET";
    call.url = "https://localhost" + admin.substr(admin.rfind(':')) + path;
    call.headers = {{"Authorization", "Bearer token-" + std::to_string(turn)}};
    return client.Perform(call);
  };
  std::vector<std::jthread> clients;
  for (int i = 0; i < 4; ++i) {
    // Half of them keep their connection, half make a new one each time.
    clients.emplace_back([&, keeps = i % 2 == 0] {
      auto client = net::HttpClient::Create(Trusting());
      while (!done) {
        if (!keeps) client = net::HttpClient::Create(Trusting());
        const net::HttpAnswer answer = call(*client, "/api/v1/status");
        ++asked;
        if (!answer.error && answer.status == 200) continue;
        ++failed;
        ADD_FAILURE() << (answer.error ? answer.error->message : std::to_string(answer.status));
        return;
      }
    });
  }
  const auto reloads = [&](const std::string& result) {
    return spoold_.Metric("spool_tls_reloads_total{listener=\"admin\",result=\"" + result + "\"}",
                          "-H 'Authorization: Bearer token-" + std::to_string(turn) + "' ");
  };
  const auto tokens_read = [&] {
    const std::string log = spoold_.Log();
    int n = 0;
    for (size_t at = 0; (at = log.find("Tokens were read again", at)) != log.npos; ++at) ++n;
    return n;
  };
  for (int t = 1; t <= 3; ++t) {
    // The new token beside the old one, then clients change over, then the old one goes.
    const std::string next = "token-" + std::to_string(t);
    test::PutFile(spoold_.Write("new", "token-" + std::to_string(t - 1) + "\n" + next + "\n"),
                  spoold_.dir / "token");
    spoold_.ca.Issue("turn");
    spoold_.Install("turn");
    EXPECT_TRUE(WaitUntil([&] { return tokens_read() >= t; }));
    EXPECT_TRUE(WaitUntil([&] { return reloads("ok") == t; }));
    turn = t;
  }
  test::PutFile(spoold_.ca.key("server"), spoold_.dir / "tls.key");  // of another pair
  EXPECT_TRUE(WaitUntil([&] { return reloads("failed") == 1; }));
  const uint64_t before = asked;
  EXPECT_TRUE(WaitUntil([&] { return asked > before + 100; })) << "the old pair serves on";
  EXPECT_EQ(reloads("failed"), 1) << "one change that cannot be used is counted once";
  spoold_.Install("turn");
  EXPECT_TRUE(WaitUntil([&] { return reloads("ok") == 4; }));
  done = true;
  clients.clear();
  EXPECT_EQ(failed, 0u);
  EXPECT_GT(asked, 500u);
  turn = 0;
  const auto late = net::HttpClient::Create(Trusting());
  EXPECT_EQ(call(*late, "/api/v1/status").status, 401) << "the first token has been taken out";
  RecordProperty("requests", std::to_string(asked));
  EXPECT_EQ(spoold_.Stop(), 0);
}

TEST_F(TlsLive, AWebhookIsReachedWithMutualTlsAndRecoversWhenItsCertificateIsRenewed) {
  spoold_.ca.IssueExpired("hook");
  test::PutFile(spoold_.ca.cert("hook"), spoold_.dir / "hook.crt");
  test::PutFile(spoold_.ca.key("hook"), spoold_.dir / "hook.key");
  std::atomic<int> received{0};
  std::atomic<int> named{0};
  net::HttpServerOptions options;
  options.name = "hook";
  options.address = "127.0.0.1:0";
  options.tls = net::TlsFiles{.cert = spoold_.dir / "hook.crt",
                              .key = spoold_.dir / "hook.key",
                              .client_ca = spoold_.ca.ca()};
  auto hook = net::HttpServer::Start(options, [&](net::HttpRequest&& r, net::HttpResponder answer) {
    ++received;
    if (r.client && r.client->names.front() == "client") ++named;
    answer.Send({});
  });
  ASSERT_TRUE(hook) << hook.error().message;
  spoold_.Configure(
      "admin: { address: 127.0.0.1:0 }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0 } }\n"
      "targets: { hook: { type: webhook, url: \"https://localhost:" +
      std::to_string((*hook)->port()) +
      "\", retry: { first: 100ms, max: 200ms },\n"
      "  tls: { ca: $CA, cert: " +
      spoold_.ca.cert("client") + ", key: " + spoold_.ca.key("client") + " } } }\n");
  ASSERT_TRUE(spoold_.Start());
  ASSERT_EQ(Curl(kJson + spoold_.Ingest("/v1/events")).status, 200);
  EXPECT_TRUE(WaitUntil([&] {
    return Curl(spoold_.Admin("/api/v1/targets/hook")).body.find("expired") != std::string::npos;
  })) << Curl(spoold_.Admin("/api/v1/targets/hook")).body;
  EXPECT_EQ(received, 0);
  spoold_.ca.Issue("hook");
  test::PutFile(spoold_.ca.cert("hook"), spoold_.dir / "hook.crt");
  test::PutFile(spoold_.ca.key("hook"), spoold_.dir / "hook.key");
  EXPECT_TRUE(WaitUntil([&] { return received == 1; }));
  EXPECT_EQ(named, 1);
  EXPECT_EQ(spoold_.Stop(), 0);
}

}  // namespace
}  // namespace spool::testing
