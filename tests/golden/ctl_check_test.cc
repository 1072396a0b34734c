// spoolctl check: what it judges, in one line that Nagios reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "app/ctl/check.h"
#include "tests/support/ctl_test.h"

namespace spool::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string Status(const std::string& state, double lag, int letters, double free_of_100,
                   const std::string& more = "") {
  return R"({"version":"1","ready":true,"accounted":true,"sequence":{"first":1,"end":11},)"
         R"("targets":[{"name":"kafka","state":")" +
         state + R"(","lag_seconds":)" + std::to_string(lag) +
         R"(,"pending":3,"last_error":"HTTP 401: no | way"}],)"
         R"("dead_letters":[{"target":"kafka","count":)" +
         std::to_string(letters) + R"(}],"disk":{"used_bytes":5,"free_bytes":)" +
         std::to_string(free_of_100) + R"(,"capacity_bytes":100})" + more + "}";
}

class Check : public Ctl {
 protected:
  CtlResult Of(const std::string& status, std::vector<std::string> flags = {}) {
    admin_.On("GET /api/v1/status", 200, status);
    flags.insert(flags.begin(), "check");
    return Run(flags);
  }
};

TEST_F(Check, SaysThatAllIsWellWithEveryMeasure) {
  const CtlResult result = Of(Status("ok", 1.5, 0, 60));
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_EQ(result.out,
            "SPOOL OK - 10 events stored, 1 target, at most 1.5s behind | "
            "'disk_used'=40%;80;90;0;100 'journal'=5B;;;0 'lag_kafka'=1.5s;300;3600;0 "
            "'pending_kafka'=3;;;0 'dead_kafka'=0;1;100;0 'holding'=0;1;1;0\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(Check, EveryThresholdWarnsAndAlarms) {
  const auto level = [&](const std::string& status) { return Of(status).exit; };
  EXPECT_EQ(level(Status("ok", 299, 0, 60)), 0);
  EXPECT_EQ(level(Status("ok", 300, 0, 60)), 1);
  EXPECT_EQ(level(Status("ok", 3600, 0, 60)), 2);
  EXPECT_EQ(level(Status("ok", 0, 1, 60)), 1);
  EXPECT_EQ(level(Status("ok", 0, 100, 60)), 2);
  EXPECT_EQ(level(Status("ok", 0, 0, 20)), 1);
  EXPECT_EQ(level(Status("ok", 0, 0, 10)), 2);
  EXPECT_EQ(level(Status("hold", 0, 0, 60)), 2);
  EXPECT_EQ(level(Status("paused", 0, 0, 60)), 1);
  EXPECT_EQ(level(Status("ok", 0, 0, 60, R"(,"warnings":["The clock jumps."])")), 1);
  EXPECT_EQ(level(R"({"ready":false,"disk":{}})"), 2);
  EXPECT_EQ(level(R"({"ready":true,"accounted":false,"disk":{}})"), 2);
}

TEST_F(Check, ThresholdsAreSetAndSwitchedOff) {
  EXPECT_EQ(
      Of(Status("ok", 400, 5, 15), {"--lag", "10m,2h", "--dead", "-,-", "--disk", "90,95%"}).exit,
      0);
  EXPECT_EQ(Of(Status("hold", 0, 0, 60), {"--hold", "1,2"}).exit, 1);
  EXPECT_EQ(Of(Status("ok", 0, 0, 5), {"--target", "target/kafka"}).exit, 0);
  EXPECT_EQ(Of(Status("ok", 0, 0, 60), {"--target", "nope"}).exit, 3);
  for (const char* bad : {"5m", "1h,5m", "x,y", "5m,", "1,2,3"}) {
    const CtlResult result = Of(Status("ok", 0, 0, 60), {"--lag", bad});
    EXPECT_EQ(result.exit, 3) << bad;
    EXPECT_THAT(result.out, StartsWith("SPOOL UNKNOWN - ")) << bad;
  }
}

TEST_F(Check, TheWorstComesFirstAndNothingBreaksTheLine) {
  const CtlResult result = Of(Status("hold", 4000, 7, 15, R"(,"warnings":["a\nb"])"));
  EXPECT_EQ(result.exit, 2);
  EXPECT_THAT(result.out, StartsWith("SPOOL CRITICAL - "));
  const std::string text = result.out.substr(0, result.out.find(" | "));
  EXPECT_LT(text.find("kafka holds"), text.size()) << text;
  EXPECT_LT(text.find("HTTP 401: no / way"), text.size()) << text;
  EXPECT_LT(text.find("1h6m behind"), text.find("7 dead letters"));
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1);
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '|'), 1);
  // As the plugins' guide wants it.
  const std::string perf = result.out.substr(result.out.find(" | ") + 3);
  EXPECT_TRUE(std::regex_match(
      perf, std::regex(R"(('[^'=|]+'=-?[0-9.]+(s|%|B|c)?(;[0-9.]*){2};0(;[0-9.]+)? ?)+\n)")))
      << perf;
}

TEST_F(Check, NobodyThereIsCriticalAndAWrongTokenIsUnknown) {
  admin_.On("GET /api/v1/status", 401, R"({"code":"unauthorized","detail":"no"})");
  EXPECT_EQ(Run({"check"}).exit, 3);
  const std::string url = admin_.url();
  admin_.Stop();
  const CtlResult result = RunCtl({"check", "--server", url});
  EXPECT_EQ(result.exit, 2);
  EXPECT_THAT(result.out, StartsWith("SPOOL CRITICAL - cannot reach spoold at " + url));
}

TEST_F(Check, AWrongCommandLineWakesNobody) {
  EXPECT_EQ(Run({"check", "--lga", "1m,2m"}).exit, 3);
  EXPECT_EQ(Run({"-o", "json", "check", "--dead"}).exit, 3);
  EXPECT_EQ(Run({"target", "ifno", "check"}).exit, 2);
}

TEST_F(Check, ReplicasAreJudgedTogether) {
  FakeAdmin other;
  admin_.On("GET /api/v1/status", 200, Status("ok", 0, 0, 60));
  other.On("GET /api/v1/status", 200, Status("ok", 400, 0, 60));
  const std::string both = admin_.url() + "," + other.url();
  const CtlResult result = RunCtl({"check", "--server", both});
  EXPECT_EQ(result.exit, 1);
  EXPECT_THAT(result.out, HasSubstr(other.url().substr(7) + ": kafka is 6m40s behind"));
  EXPECT_THAT(result.out, HasSubstr("'" + admin_.url().substr(7) + "/lag_kafka'=0s"));
  other.Stop();
  EXPECT_EQ(RunCtl({"check", "--server", both}).exit, 2);
}

}  // namespace
}  // namespace spool::testing
