// What a drain promises: nothing is stored behind its answer, and all sources do what the service
// says.
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

// Who is told "drained, nothing pending" takes the volume away.
TEST(Drain, NothingIsStoredOnceADrainWasAnswered) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  const RunningService service(config);
  ASSERT_TRUE(service.ok());
  const std::string ingest = service.ingest();
  const auto end = [&] { return service.Status()["sequence"]["end"].get<uint64_t>(); };
  for (int round = 0; round < 20; ++round) {
    const uint64_t before = end();
    std::vector<std::jthread> producers;
    for (int i = 0; i < 8; ++i) {
      producers.emplace_back([&, i] {
        for (int n = 0;; ++n) {
          const std::string body =
              "{\"p\":" + std::to_string(i) + ",\"n\":" + std::to_string(n) + "}";
          if (Call("POST", ingest, "/v1/events", body).status != 200) return;
        }
      });
    }
    ASSERT_TRUE(WaitUntil([&] { return end() > before + 16; }));
    const HttpReply drained = service.Post("/api/v1/node:drain", R"({"drain":true})");
    ASSERT_EQ(drained.status, 200) << drained.body;
    const uint64_t then = end();
    producers.clear();  // each ends at its first refusal
    EXPECT_EQ(end(), then) << "in round " << round;
    ASSERT_EQ(service.Post("/api/v1/node:drain", R"({"drain":false})").status, 200);
  }
}

TEST(Drain, DrainsFromAllSidesLeaveTheSourcesAsTheServiceSays) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  for (const char* name : {"second", "third"}) {
    config.http_sources.push_back(config.http_sources.front());
    config.http_sources.back().name = name;
  }
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  for (int round = 0; round < 40; ++round) {
    {
      std::vector<std::jthread> sides;
      for (int side = 0; side < 4; ++side) {
        sides.emplace_back([&, side] {
          service.Post("/api/v1/node:drain",
                       side % 2 == 0 ? R"({"drain":true})" : R"({"drain":false})");
        });
      }
    }
    const int wanted = service.Get("/ready").status;
    for (const std::string& address : service.service().ingest_addresses()) {
      EXPECT_EQ(Call("POST", address, "/v1/events", "{\"a\":1}").status, wanted) << round;
    }
  }
}

}  // namespace
}  // namespace spool::testing
