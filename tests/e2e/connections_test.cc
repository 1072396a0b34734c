// Thousands of connections against a real spoold, while others are served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

#include "net/http_client.h"
#include "tests/support/net_raw_client.h"
#include "tests/support/secure_spoold.h"

namespace spool::testing {
namespace {

using std::chrono::milliseconds;
using test::RawSocket;
using ::testing::HasSubstr;

constexpr char kNowhere[] = "targets: { out: { type: \"null\" } }\n";
constexpr char kHealth[] = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";

class Connections : public ::testing::Test {
 protected:
  Connections() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  static int PortOf(const std::string& address) {
    return std::atoi(address.c_str() + address.rfind(':') + 1);
  }
  // That many that have had an answer and say nothing more; stops at the first that is refused.
  std::vector<RawSocket> HoldIdle(size_t count, bool tls = false) const {
    std::vector<RawSocket> held;
    test::TlsClientOptions options;
    options.ca = spoold_.ca.ca();
    while (held.size() < count) {
      RawSocket socket = RawSocket::Connect(PortOf(spoold_.ingest()));
      if (!socket.ok() || (tls && !socket.StartTls(options)) || !socket.Send(kHealth) ||
          !socket.ReadAnswer()) {
        break;
      }
      held.push_back(std::move(socket));
    }
    return held;
  }
  struct Served {
    uint64_t good = 0, bad = 0;
    milliseconds worst{0}, median{0};
  };
  // Posts over one connection that it already has, `count` times.
  static Served Post(net::HttpClient& client, const std::string& url, int count) {
    Served served;
    std::vector<milliseconds> times;
    for (int i = 0; i < count; ++i) {
      net::HttpCall call;
      call.url = url;
      const std::string body = "{\"n\":" + std::to_string(i) + "}";
      call.body = body;
      const auto begin = std::chrono::steady_clock::now();
      const net::HttpAnswer answer = client.Perform(call);
      times.push_back(std::chrono::ceil<milliseconds>(std::chrono::steady_clock::now() - begin));
      answer.error || answer.status != 200 ? ++served.bad : ++served.good;
    }
    std::sort(times.begin(), times.end());
    served.worst = times.back();
    served.median = times[times.size() / 2];
    return served;
  }
  std::string Url(const char* scheme = "http") const {
    const std::string ingest = spoold_.ingest();
    return std::string(scheme) + "://localhost" + ingest.substr(ingest.rfind(':')) + "/v1/events";
  }
  double Resident() const { return spoold_.Metric("process_resident_memory_bytes"); }

  SecureSpoold spoold_;
};

TEST_F(Connections, TenThousandIdleOnesCostLittleAndNobodyNoticesThem) {
  spoold_.Configure(
      "admin: { address: 127.0.0.1:0 }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0,\n"
      "  limits: { connections: 12000, idle_timeout: 10m } } }\n" +
      std::string(kNowhere));
  ASSERT_TRUE(spoold_.Start());
  ASSERT_EQ(spoold_.Log().find("fewer connections"), std::string::npos) << spoold_.Log();
  const auto client = net::HttpClient::Create({});
  const Served alone = Post(*client, Url(), 200);
  const double before = Resident();
  const std::vector<RawSocket> held = HoldIdle(10'000);
  ASSERT_EQ(held.size(), 10'000u);
  EXPECT_GE(spoold_.Metric("spool_ingest_connections{source=\"web\"}"), 10'000);
  const Served among = Post(*client, Url(), 500);
  EXPECT_EQ(alone.bad + among.bad, 0u);
  EXPECT_LT(among.worst, std::chrono::seconds(2));
  EXPECT_LT(among.median, alone.median * 3 + milliseconds(10));
  EXPECT_EQ(Curl(spoold_.Admin("/ready")).status, 200);
  const double each = (Resident() - before) / 10'000;
  EXPECT_LT(each, 6 << 10);
  RecordProperty("bytes_each", std::to_string(each));
  RecordProperty("median_ms_alone", std::to_string(alone.median.count()));
  RecordProperty("median_ms_among", std::to_string(among.median.count()));
  std::printf(
      "10,000 idle connections: %.0f bytes each, posts %lld ms alone, %lld ms among them, "
      "worst %lld ms\n",
      each, static_cast<long long>(alone.median.count()),
      static_cast<long long>(among.median.count()), static_cast<long long>(among.worst.count()));
  EXPECT_EQ(spoold_.Stop(), 0);
}

TEST_F(Connections, IdleOnesBehindTlsKeepNoBuffers) {
  spoold_.Configure(
      "admin: { address: 127.0.0.1:0 }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0, tls: { $TLS },\n"
      "  limits: { connections: 2000, idle_timeout: 10m } } }\n" +
      std::string(kNowhere));
  ASSERT_TRUE(spoold_.Start());
  net::HttpClientOptions options;
  options.ca_file = spoold_.ca.ca();
  const auto client = net::HttpClient::Create(options);
  ASSERT_EQ(Post(*client, Url("https"), 50).bad, 0u);
  const double before = Resident();
  const std::vector<RawSocket> held = HoldIdle(1000, /*tls=*/true);
  ASSERT_EQ(held.size(), 1000u);
  EXPECT_EQ(Post(*client, Url("https"), 100).bad, 0u);
  const double each = (Resident() - before) / 1000;
  EXPECT_LT(each, 40 << 10);
  std::printf("1,000 idle TLS connections: %.0f bytes each\n", each);
}

TEST_F(Connections, BeyondTheLimitTheyAreClosedAndTheAdminListenerIsFree) {
  spoold_.Configure(
      "admin: { address: 127.0.0.1:0 }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0, limits: { connections: 500 } } }\n" +
      std::string(kNowhere));
  ASSERT_TRUE(spoold_.Start());
  const auto client = net::HttpClient::Create({});
  ASSERT_EQ(Post(*client, Url(), 1).bad, 0u);  // it has its connection
  std::vector<RawSocket> silent;
  for (int i = 0; i < 10'000; ++i) silent.push_back(RawSocket::Connect(PortOf(spoold_.ingest())));
  EXPECT_EQ(Post(*client, Url(), 50).bad, 0u);
  EXPECT_EQ(Curl(spoold_.Admin("/api/v1/status")).status, 200);
  EXPECT_TRUE(WaitUntil([&] {
    return spoold_.Metric("spool_ingest_rejected_total{source=\"web\",reason=\"connections\"}") >=
           9'500;
  }));
  EXPECT_LE(spoold_.Metric("spool_ingest_connections{source=\"web\"}"), 500);
}

// The journal must not lack descriptors because clients have taken them.
TEST_F(Connections, WhereFilesAreFewSourcesTakeFewerAndTheJournalGoesOn) {
  spoold_.Configure(
      "admin: { address: 127.0.0.1:0 }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0, limits: { connections: 12000 } } }\n" +
      std::string(kNowhere));
  ASSERT_TRUE(spoold_.Start({"prlimit", "--nofile=600:600"}));
  EXPECT_THAT(spoold_.Log(), HasSubstr("fewer connections"));
  const auto client = net::HttpClient::Create({});
  ASSERT_EQ(Post(*client, Url(), 1).bad, 0u);
  std::vector<RawSocket> silent;
  for (int i = 0; i < 2000; ++i) silent.push_back(RawSocket::Connect(PortOf(spoold_.ingest())));
  EXPECT_EQ(Post(*client, Url(), 300).bad, 0u);
  EXPECT_EQ(Curl(spoold_.Admin("/api/v1/status")).status, 200);
  EXPECT_LT(spoold_.Metric("process_open_fds"), 600);
  EXPECT_EQ(spoold_.Log().find("New connections cannot be accepted"), std::string::npos);
  EXPECT_EQ(spoold_.Stop(), 0);
}

}  // namespace
}  // namespace spool::testing
