// spoolctl node drain: it waits, says how it comes along, and can be left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>

#include "tests/support/ctl_test.h"

namespace spool::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Drain : public Ctl {
 protected:
  Drain() {
    admin_.On("POST /api/v1/node:drain", 200, R"({"draining":true,"pending":9})");
    admin_.On("GET /api/v1/targets", [this](const net::HttpRequest&) {
      return Ok(R"({"items":[{"name":"calm","state":"ok","pending":0},)"
                R"({"name":"slow","state":"backoff","pending":)" +
                std::to_string(pending_.load()) + "}]}");
    });
  }
  std::atomic<int> pending_{4000};
};

TEST_F(Drain, WaitsUntilEveryTargetHasHadEverything) {
  const auto process = CtlProcess::Start({"node", "drain", "--yes"}, On(100));
  ASSERT_TRUE(process->WaitForText("4,000 events left: slow (4,000, backoff)"));
  pending_ = 1000;
  ASSERT_TRUE(process->WaitForText("1,000 events left"));
  pending_ = 0;
  const CtlResult result = process->Finish();
  EXPECT_EQ(result.exit, 0);
  EXPECT_THAT(result.out, HasSubstr("is drained: every target has had everything"));
  EXPECT_THAT(admin_.requests(), Contains("POST /api/v1/node:drain {\"drain\":true}"));
}

TEST_F(Drain, CtrlCLeavesItGoingOnAndSaysHowToEndIt) {
  const auto process = CtlProcess::Start({"node", "drain", "--yes"}, On(100));
  ASSERT_TRUE(process->WaitForText("events left"));
  process->Type("\x03");
  const CtlResult result = process->Finish();
  EXPECT_EQ(result.exit, 130);
  EXPECT_THAT(result.out, HasSubstr("to take events again: spoolctl node drain --undo"));
  EXPECT_THAT(admin_.requests(), Not(Contains("POST /api/v1/node:drain {\"drain\":false}")));
}

TEST_F(Drain, InAPipeItDrawsNothing) {
  const auto process = CtlProcess::Start({"node", "drain", "-y", "-o", "json"}, On());
  EXPECT_FALSE(process == nullptr);
  pending_ = 0;
  const CtlResult result = process->Finish();
  EXPECT_EQ(result.exit, 0);
  EXPECT_EQ(result.out, "{\n  \"draining\": true,\n  \"pending\": 0\n}\n");
}

TEST_F(Drain, AServerThatGoesAwayMeanwhileIsSaid) {
  admin_.On("GET /api/v1/targets", 503, R"({"code":"stopping","detail":"It is stopping."})");
  const CtlResult result = Run({"node", "drain", "-y"});
  EXPECT_EQ(result.exit, 6);
  EXPECT_THAT(result.err, HasSubstr("It is stopping."));
}

}  // namespace
}  // namespace spool::testing
