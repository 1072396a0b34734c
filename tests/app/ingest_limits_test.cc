// What the service's sources take, alone and together, as operators see it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/app_http.h"
#include "tests/support/net_raw_client.h"

namespace spool::testing {
namespace {

using ::testing::HasSubstr;

TEST(IngestLimits, WhatIsBeyondAQuotaIsCountedWhereOperatorsLook) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  config.http_sources[0].quota.events_per_second = 1.0 / 60;
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  ASSERT_EQ(service.PostEvents(3).status, 200);
  for (int i = 0; i < 2; ++i) {
    const HttpReply refused = service.PostEvents(1);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.Code(), "quota_exceeded");
    EXPECT_TRUE(refused.retry_after);
  }
  const nlohmann::json source = service.Get("/api/v1/sources").Json()["items"][0];
  EXPECT_EQ(source["throttled"], 2);
  EXPECT_EQ(source["rejected"], 2);
  EXPECT_EQ(source["events"], 3);
  EXPECT_THAT(Call("GET", service.admin(), "/metrics").body,
              HasSubstr("spool_ingest_rejected_total{source=\"web\",reason=\"quota\"} 2"));
}

// Each source may have all of the memory, but all of them together have no more.
TEST(IngestLimits, SourcesShareOneMemory) {
  const AppDir dir;
  Config config = TestConfig(dir.path());
  config.http_sources.push_back(config.http_sources[0]);
  config.http_sources[1].name = "other";
  for (HttpSourceSettings& source : config.http_sources) {
    source.limits.body_bytes = 1 << 20;
    source.limits.in_flight_bytes = 2 << 20;
    source.limits.body_timeout = std::chrono::seconds(60);
  }
  RunningService service(config);
  ASSERT_TRUE(service.ok());
  const std::vector<std::string> addresses = service.service().ingest_addresses();
  ASSERT_EQ(addresses.size(), 2u);
  const std::string large = "{\"a\":\"" + std::string(900'000, 'x') + "\"}";
  // A body that is not whole yet holds its like up, also at the other source.
  test::RawSocket stalled =
      test::RawSocket::Connect(std::stoi(addresses[0].substr(addresses[0].rfind(':') + 1)));
  stalled.Send("POST /v1/events HTTP/1.1\r\nHost: h\r\nContent-Length: " +
               std::to_string(large.size()) + "\r\n\r\n" + large.substr(1));
  ASSERT_TRUE(WaitUntil([&] {
    const std::string page = Call("GET", service.admin(), "/metrics").body;
    return page.find("spool_ingest_in_flight_bytes{source=\"web\"} 0") == page.npos;
  }));
  const HttpReply refused = Call("POST", addresses[1], "/v1/events", large);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Code(), "overloaded");
  EXPECT_EQ(Call("POST", addresses[1], "/v1/events", "{\"a\":1}").status, 200);
}

}  // namespace
}  // namespace spool::testing
