#include "app/descriptors.h"

#include <gtest/gtest.h>

#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

Config WithTargets() {
  Config config = TestConfig("/nowhere");
  config.targets = {FileTarget("f", "/dev/null"), WebhookTarget("w", "http://localhost")};
  return config;
}

TEST(Descriptors, ManyLeaveEverythingAsItIs) {
  Config config = WithTargets();
  const size_t connections = config.http_sources[0].limits.connections;
  ASSERT_TRUE(FitDescriptors(65536, &config));
  EXPECT_EQ(config.http_sources[0].limits.connections, connections);
  EXPECT_EQ(config.journal.open_tables_max, 256);
  EXPECT_EQ(config.admin.connections, 128u);
}

TEST(Descriptors, FewAreSharedAndNeverPromisedTwice) {
  for (const uint64_t limit : {200u, 256u, 512u, 1024u}) {
    Config config = WithTargets();
    config.http_sources.push_back(config.http_sources[0]);
    for (HttpSourceSettings& source : config.http_sources) source.limits.connections = 1024;
    ASSERT_TRUE(FitDescriptors(limit, &config)) << limit;
    uint64_t promised = static_cast<uint64_t>(config.journal.open_tables_max);
    promised += config.admin.connections;
    for (const HttpSourceSettings& source : config.http_sources) {
      EXPECT_GE(source.limits.connections, 16u) << limit;
      promised += source.limits.connections;
    }
    EXPECT_LE(promised + 64 + 16, limit);
    EXPECT_GE(config.journal.open_tables_max, 32);
    EXPECT_GE(config.admin.connections, 16u);
  }
}

TEST(Descriptors, TooFewAreRefusedAndNothingChanges) {
  Config config = WithTargets();
  const Status fits = FitDescriptors(100, &config);
  ASSERT_FALSE(fits);
  EXPECT_EQ(fits.error().code, Code::kInvalid);
  EXPECT_EQ(config.journal.open_tables_max, 256);
}

}  // namespace
}  // namespace spool::testing
