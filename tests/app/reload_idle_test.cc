// A target that a reload cannot begin: the new configuration counts, and the place is not given up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/app_http.h"
#include "tests/support/power_cut_fs.h"

namespace spool::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What is in force is told as it is, and what does not run is said.
TEST(ReloadThatCannotBegin, SaysSoCountsAndKeepsThePlace) {
  const AppDir dir;
  const auto text = [&](const std::string& more) {
    return "version: 1\ndata_dir: " + dir / "data" +
           "\njournal: { disk_reserve: 0 }\nadmin: { address: \"127.0.0.1:0\" }\n"
           "sources: { web: { type: http, address: \"127.0.0.1:0\" } }\n"
           "targets: { kept: { type: \"null\" }" +
           more + " }\n";
  };
  PowerCutDisk disk(dir / "data");
  ConfigResult read = ParseConfig(text(""), "spool.yaml");
  ASSERT_TRUE(read.config);
  read.config->journal.env = disk.env();
  auto service = Service::Start(
      std::move(*read.config), [](const Error&) {},
      [&] { return ParseConfig(text(", out: { type: \"null\" }"), "spool.yaml"); });
  ASSERT_TRUE(service.has_value()) << service.error().message;
  disk.FailAt(PowerCutDisk::Call::kSync, 1, false, true);
  const ReloadReport report = (*service)->Reload();
  EXPECT_FALSE(report.ok);
  EXPECT_TRUE(report.taken);
  EXPECT_EQ(report.code, "target_not_running");
  EXPECT_EQ(report.revision, 2u);
  EXPECT_THAT(report.detail, HasSubstr("out"));
  const HttpReply config = Call("GET", (*service)->admin_address(), "/api/v1/config");
  EXPECT_EQ(config.Json()["revision"], 2);
  EXPECT_EQ(config.Json()["last_reload"]["ok"], false);
  EXPECT_THAT(Call("GET", (*service)->admin_address(), "/api/v1/status").Json()["warnings"].dump(),
              HasSubstr("out is configured and delivers nothing"));
  EXPECT_THAT(Call("GET", (*service)->admin_address(), "/api/v1/status").Json()["warnings"].dump(),
              Not(HasSubstr("not configured any more")));
  EXPECT_EQ(Call("DELETE", (*service)->admin_address(), "/api/v1/targets/out").Code(), "conflict");
}

}  // namespace
}  // namespace spool::testing
