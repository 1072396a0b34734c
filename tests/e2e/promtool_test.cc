// The metrics of a busy spoold as Prometheus' own tool judges them.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "tests/support/secure_spoold.h"

namespace spool::testing {
namespace {

struct Verdict {
  int exit = -1;
  std::string said;
};

Verdict CheckMetrics(const std::string& page) {
  const AppDir dir;
  std::ofstream(dir / "page") << page;
  Verdict verdict;
  FILE* const pipe = popen(("promtool check metrics < " + (dir / "page") + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return verdict;
  std::array<char, 4096> buffer{};
  for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    verdict.said.append(buffer.data(), n);
  }
  const int ended = pclose(pipe);
  verdict.exit = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
  return verdict;
}

// Busy with all that has metrics: good and bad requests, dead letters, a replay, secrets, TLS.
TEST(Promtool, FindsTheMetricsOfABusyServiceClean) {
  Receiver receiver;
  SecureSpoold spoold;
  spoold.Write("token", "operators-token\n");
  spoold.Configure(
      "admin: { address: 127.0.0.1:0, tokens: [ { file: $DIR/token, role: admin } ] }\n"
      "sources: { web: { type: http, address: 127.0.0.1:0, tls: { $TLS } } }\n"
      "targets:\n"
      "  out: { type: file, path: $DIR/out.jsonl, start: beginning }\n"
      "  hook: { type: webhook, url: \"" +
      receiver.url() + "\", start: beginning }\n");
  ASSERT_TRUE(spoold.Start());
  spoold.ingest_tls = true;
  const std::string token = " -H 'Authorization: Bearer operators-token' ";
  const auto post = [&](const std::string& path, const std::string& body) {
    return Curl("-H 'Content-Type: application/json' -d '" + body + "' " + spoold.Ingest(path))
        .status;
  };
  const auto settled = [&](double count) {
    return WaitUntil([&] {
      return spoold.Metric("spool_target_lag_events{target=\"hook\"}", token) == 0 &&
             spoold.Metric("spool_target_accepted_events{target=\"hook\"}", token) == count;
    });
  };
  ASSERT_EQ(post("/v1/events", R"([{"n":1},{"n":2},17])"), 200);
  ASSERT_EQ(post("/v1/events", R"({"n":)"), 400);
  ASSERT_EQ(post("/nowhere", "{}"), 404);
  ASSERT_TRUE(settled(2)) << spoold.Log();
  receiver.Answer(422);
  ASSERT_EQ(post("/v1/events", R"({"n":3})"), 200);
  ASSERT_TRUE(settled(3)) << spoold.Log();
  ASSERT_EQ(
      Curl(token + R"(-d '{"target":"out","from":"1"}' )" + spoold.Admin("/api/v1/replays")).status,
      201);
  ASSERT_TRUE(WaitUntil([&] {
    return spoold.Metric(R"(spool_replay_events_total{target="out",result="delivered"})", token) ==
           3;
  }));
  EXPECT_EQ(Curl(spoold.Admin("/metrics")).status, 401);
  const CurlReply page = Curl(token + spoold.Admin("/metrics"));
  ASSERT_EQ(page.status, 200);
  for (const char* family : {"spool_tls_handshakes_total", "spool_secret_loaded_timestamp_seconds",
                             "spool_api_refused_total", "spool_dlq_oldest_timestamp_seconds"}) {
    EXPECT_NE(page.body.find(family), page.body.npos) << family;
  }
  const Verdict verdict = CheckMetrics(page.body + "\n");
  EXPECT_EQ(verdict.exit, 0) << verdict.said;
  EXPECT_EQ(verdict.said, "");
  EXPECT_EQ(spoold.Stop(), 0);
}

TEST(Promtool, WouldFindWhatIsWrong) {
  EXPECT_EQ(CheckMetrics("# HELP spool_x_total Of x.\n# TYPE spool_x_total counter\n"
                         "spool_x_total 1\n")
                .exit,
            0);
  const Verdict lint = CheckMetrics("# TYPE spool_x counter\nspool_x 1\n");
  EXPECT_EQ(lint.exit, 3) << lint.said;
  EXPECT_NE(lint.said.find("spool_x"), std::string::npos);
  EXPECT_EQ(CheckMetrics("spool_x{a=b} 1\n").exit, 1);
}

}  // namespace
}  // namespace spool::testing
