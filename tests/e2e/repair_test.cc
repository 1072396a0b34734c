// A damaged data directory as its operator meets it: spoold says so and stays to be asked, spoolctl
// names the damage, gives it up when told to, and spoold goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/app_http.h"
#include "tests/support/ctl_fixture.h"
#include "tests/support/net_raw_client.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class RepairByHand : public ::testing::Test {
 protected:
  RepairByHand() {
    ingest_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    do {
      admin_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    } while (admin_ == ingest_);
    std::ofstream(dir_ / "spool.yaml")
        << "version: 1\ndata_dir: " << data()
        << "\njournal: { disk_reserve: 0 }\nadmin: { address: \"" << admin_
        << "\" }\nsources:\n  web: { type: http, address: \"" << ingest_ << "\" }\n"
        << "targets:\n  file: { type: file, path: " << dir_ / "out.jsonl"
        << ", start: beginning }\n";
  }
  std::string data() const { return dir_ / "data"; }
  void Start(int ready_status) {
    spoold_ = std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "spool.yaml"},
                                       dir_ / "log");
    ASSERT_TRUE(WaitUntil([&] { return Call("GET", admin_, "/ready").status == ready_status; }))
        << Log();
  }
  void Stop() {
    spoold_->Signal(SIGTERM);
    EXPECT_EQ(spoold_->Wait(std::chrono::seconds(20)), 0) << Log();
  }
  void Post(int events) {
    for (int i = 0; i < events; ++i) {
      ASSERT_EQ(Call("POST", ingest_, "/v1/events", "{\"n\":" + std::to_string(i) + "}").status,
                200);
    }
  }
  std::string Log() const {
    std::ifstream in(dir_ / "log");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  CtlResult Offline(const std::string& verb, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"offline", verb, "--data-dir", data()});
    return RunCtl(more);
  }

  AppDir dir_;
  std::string ingest_;
  std::string admin_;
  std::unique_ptr<Spoold> spoold_;
};

TEST_F(RepairByHand, ALogThatIsGoneIsToldNamedGivenUpAndLeftBehind) {
  Start(200);
  Post(7);
  const CtlResult busy = Offline("verify");
  EXPECT_EQ(busy.exit, 1);
  EXPECT_THAT(busy.err, HasSubstr("in use by another process"));
  ASSERT_TRUE(WaitUntil([&] { return CountLines(dir_ / "out.jsonl") == 7; }));
  Stop();
  EXPECT_EQ(Offline("verify").exit, 0);
  for (const auto& entry : fs::directory_iterator(data() + "/db")) {
    if (entry.path().extension() == ".log") fs::remove(entry.path());
  }

  Start(503);
  EXPECT_TRUE(WaitUntil([&] {
    return Call("GET", admin_, "/ready?verbose").body.find("\"damaged\"") != std::string::npos;
  })) << Log();
  EXPECT_THAT(Log(), HasSubstr("spoolctl offline verify"));
  Stop();

  const CtlResult verify = Offline("verify");
  EXPECT_EQ(verify.exit, 1);
  EXPECT_THAT(verify.out, HasSubstr("stream kubernetes-events, sequences 1 to 7"));
  const CtlResult look = Offline("repair");
  EXPECT_EQ(look.exit, 5);
  EXPECT_EQ(Offline("verify").exit, 1);
  const CtlResult repair = Offline("repair", {"--accept-loss", "-o", "json"});
  EXPECT_EQ(repair.exit, 0) << repair.err;
  EXPECT_THAT(repair.out, HasSubstr("\"events\": 7"));
  EXPECT_EQ(Offline("verify").exit, 0);

  Start(200);
  const HttpReply stored = Call("POST", ingest_, "/v1/events", "{\"n\":8}");
  EXPECT_THAT(stored.body, HasSubstr("\"first\":8"));
  ASSERT_TRUE(WaitUntil([&] { return CountLines(dir_ / "out.jsonl") == 8; }));
  EXPECT_THAT(Call("GET", admin_, "/api/v1/markers").body, HasSubstr("\"lost\""));
  EXPECT_EQ(Call("GET", admin_, "/api/v1/status").Json().value("accounted", false), true);
  Stop();
}

TEST_F(RepairByHand, ASnapshotTakenFromARunningSpooldRestores) {
  Start(200);
  Post(4);
  // Its id hangs on the key of redaction's hashes, which the copy must have.
  const std::string hidden = R"({"id":"five","password":"Tr0ub4dor&3"})";
  EXPECT_THAT(Call("POST", ingest_, "/v1/events", hidden).body, HasSubstr("\"stored\":1"));
  const std::string copy = dir_ / "copy";
  const CtlResult made = RunCtl({"--server", "http://" + admin_, "node", "snapshot", copy});
  EXPECT_EQ(made.exit, 0) << made.err;
  const CtlResult again = RunCtl({"--server", "http://" + admin_, "node", "snapshot", copy});
  EXPECT_EQ(again.exit, 1);
  EXPECT_THAT(again.err, HasSubstr("exists already"));
  const CtlResult relative = RunCtl({"--server", "http://" + admin_, "node", "snapshot", "copy"});
  EXPECT_NE(relative.exit, 0);
  Post(3);
  Stop();
  fs::remove_all(data());
  fs::rename(copy, data());
  Start(200);
  const auto status = Call("GET", admin_, "/api/v1/status").Json();
  EXPECT_EQ(status["sequence"]["end"], 6);
  EXPECT_THAT(Call("POST", ingest_, "/v1/events", hidden).body, HasSubstr("\"duplicates\":1"));
  Stop();
}

}  // namespace
}  // namespace spool::testing
