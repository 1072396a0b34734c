// A run of `spoold publish` whose volume refuses at the last moment must not say that all went
// well.
#include <gtest/gtest.h>

#include "app/publish.h"
#include "tests/support/app_http.h"
#include "tests/support/power_cut_fs.h"

namespace spool::testing {
namespace {

TEST(PublishClose, NoSyncThatFailsIsPassedOver) {
  int after_delivery = 0;
  for (uint64_t nth = 1;; ++nth) {
    ASSERT_LT(nth, 100u);
    const AppDir dir;
    {
      const RunningService service(TestConfig(dir.path()));
      ASSERT_EQ(service.PostEvents(3).status, 200);
    }
    PowerCutDisk disk(dir / "data");
    Config config = TestConfig(dir.path());
    config.targets = {FileTarget("out", dir / "out")};
    config.journal.env = disk.env();
    disk.FailAt(PowerCutDisk::Call::kSync, nth, false, true);
    int told = 0;
    const Result<int> status =
        Publish(config, {.target = "out", .source = {}}, [&](const Error&) { ++told; }, {});
    if (disk.failed() == 0) {
      EXPECT_EQ(status.value_or(-1), kPublishCaughtUp);
      break;
    }
    EXPECT_FALSE(status.has_value()) << "sync " << nth << " failed and it said " << *status;
    if (!status) {
      EXPECT_EQ(status.error().code, Code::kStorage) << status.error().message;
    }
    if (CountLines(dir / "out") == 3) ++after_delivery;
  }
  EXPECT_GT(after_delivery, 0) << "no sync came after the delivery";
}

}  // namespace
}  // namespace spool::testing
