// When sources took nothing, as a running service records and tells it.
#include "app/source_watch.h"

#include <gtest/gtest.h>

#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

using nlohmann::json;

class SourceWatchTest : public ::testing::Test {
 protected:
  Config Configured() const {
    Config config = TestConfig(dir_.path());
    config.targets = {FileTarget("out", dir_ / "out.jsonl")};
    return config;
  }
  static json Gaps(const RunningService& service, const std::string& query = {}) {
    return service.Get("/api/v1/source-gaps" + query).Json()["items"];
  }
  static bool Counted(const RunningService& service, const std::string& reason, int count) {
    const std::string sample = "\nspool_source_gaps_total{source=\"web\",reason=\"" + reason +
                               "\"} " + std::to_string(count) + "\n";
    return service.Get("/metrics").body.find(sample) != std::string::npos;
  }

  const AppDir dir_;
};

TEST_F(SourceWatchTest, AStopIsAGapThatTheNextStartEnds) {
  {
    RunningService service(Configured());
    EXPECT_TRUE(Gaps(service).empty()) << "nothing was missed before the first start";
    EXPECT_TRUE(Counted(service, "stopped", 0));
    service.Stop();
  }
  {
    const RunningService service(Configured());
    const json gaps = Gaps(service);
    ASSERT_EQ(gaps.size(), 1u) << gaps;
    EXPECT_EQ(gaps[0]["source"], "web");
    EXPECT_EQ(gaps[0]["cause"], "stopped");
    EXPECT_LE(gaps[0]["from"], gaps[0]["to"]);
    EXPECT_GE(gaps[0]["seconds"], 0);
    EXPECT_EQ(Gaps(service, "?source=web").size(), 1u);
    EXPECT_TRUE(Gaps(service, "?source=other").empty());
    EXPECT_EQ(service.Get("/api/v1/source-gaps?x=1").status, 400);
  }
  const RunningService service(Configured());
  EXPECT_EQ(Gaps(service).size(), 2u);
}

TEST_F(SourceWatchTest, ASourceThatKeepsItsPlaceMissesNothingByBeingAway) {
  Config config = Configured();
  config.http_sources.clear();
  config.pulled_sources.push_back({"log", {}, FileSourceSettings{.path = dir_ / "*.log"}});
  {
    RunningService service(config);
    ASSERT_EQ(service.Post("/api/v1/node:drain", R"({"drain":true})").status, 200);
    service.Stop();
  }
  const RunningService service(config);
  EXPECT_EQ(Gaps(service).dump(), "[]");
  const std::string page = service.Get("/metrics").body;
  EXPECT_NE(page.find("spool_source_gaps_total{source=\"log\",reason=\"vanished\"} 0"),
            std::string::npos);
  EXPECT_EQ(page.find("reason=\"stopped\""), std::string::npos);
}

TEST_F(SourceWatchTest, ADrainIsAGapUntilItIsUndone) {
  const RunningService service(Configured());
  ASSERT_EQ(service.Post("/api/v1/node:drain", R"({"drain":true})").status, 200);
  ASSERT_EQ(service.Post("/api/v1/node:drain", R"({"drain":true})").status, 200);
  json gaps = Gaps(service);
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0]["cause"], "drained");
  EXPECT_TRUE(gaps[0]["to"].is_null());
  EXPECT_TRUE(Counted(service, "drained", 1));
  ASSERT_EQ(service.Post("/api/v1/node:drain", R"({"drain":false})").status, 200);
  gaps = Gaps(service);
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_TRUE(gaps[0]["to"].is_string());
}

TEST_F(SourceWatchTest, RefusalsForWantOfRoomAreAGapUntilEventsAreTakenAgain) {
  Config config = Configured();
  config.journal.streams = DefaultStreams();
  config.journal.streams.front().bytes_max = 1;  // kubernetes-events refuses beyond it
  const RunningService service(config);
  ASSERT_EQ(service.Post("/api/v1/targets/out:pause").status, 200);
  int first = 0;
  ASSERT_TRUE(WaitUntil([&] {
    first += 10;
    return service.PostEvents(10, first).status == 503;
  }));
  ASSERT_TRUE(WaitUntil([&] { return Gaps(service).size() == 1; }));
  EXPECT_EQ(Gaps(service)[0]["cause"], "full");
  ASSERT_EQ(service.Post("/api/v1/targets/out:resume").status, 200);
  ASSERT_TRUE(WaitUntil([&] {
    first += 10;
    return service.PostEvents(10, first).status == 200 && Gaps(service)[0]["to"].is_string();
  }));
}

}  // namespace
}  // namespace spool::testing
