// spoolctl beside several spoold programs: their events as they come, one that goes away, and what
// is known afterwards of the time in which it was away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "tests/support/app_http.h"
#include "tests/support/ctl_fixture.h"
#include "tests/support/free_port.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

// A spoold whose addresses stay the same over its restarts.
class Replica {
 public:
  Replica() { Start(); }

  void Start() {
    std::ofstream(dir_ / "spool.yaml") << "version: 1\njournal: { disk_reserve: 0 }\n"
                                          "sources: { web: { type: http } }\ntargets: {}\n";
    spoold_ = std::make_unique<Spoold>(
        std::vector<std::string>{"--config", dir_ / "spool.yaml", "--data-dir", dir_ / "data",
                                 "--ingest", ingest_, "--admin", admin_},
        dir_ / "log");
    ASSERT_TRUE(WaitUntil([&] { return Call("GET", ingest_, "/ready").status == 200; }));
  }
  void Kill() { ASSERT_TRUE(spoold_->Kill()); }
  int Stop() {
    spoold_->Signal(SIGTERM);
    return spoold_->Wait(std::chrono::seconds(30));
  }
  void Post(const std::string& message) const {
    const std::string body = R"({"kind":"Event","apiVersion":"v1","metadata":{"name":")" + message +
                             R"(","namespace":"n","uid":")" + message +
                             R"("},"involvedObject":{"kind":"Pod","name":"p","namespace":"n"},)"
                             R"("reason":"R","message":")" +
                             message + "\"}";
    ASSERT_EQ(Call("POST", ingest_, "/events", body).status, 200);
  }
  const std::string& admin() const { return admin_; }

 private:
  const AppDir dir_;
  const std::string ingest_ = "127.0.0.1:" + std::to_string(FreePort());
  const std::string admin_ = "127.0.0.1:" + std::to_string(FreePort());
  std::unique_ptr<Spoold> spoold_;
};

class CtlFollow : public ::testing::Test {
 protected:
  std::vector<std::string> Both(std::vector<std::string> args) const {
    args.insert(args.end(), {"--server", one_.admin() + "," + two_.admin()});
    return args;
  }
  static std::string LineWith(const std::string& text, const std::string& what) {
    const size_t at = text.find(what);
    if (at == text.npos) return {};
    const size_t begin = text.rfind('\n', at) + 1;
    return text.substr(begin, text.find('\n', at) - begin);
  }

  Replica one_, two_;
};

TEST_F(CtlFollow, EventsOfBothAreShownAsTheyComeAlsoAfterOneWasAway) {
  one_.Post("before-1");
  two_.Post("before-2");
  const auto tail = CtlProcess::Start(Both({"events", "tail"}), {});
  ASSERT_TRUE(tail->WaitForText("before-2"));
  one_.Post("from-one");
  ASSERT_TRUE(tail->WaitForText("from-one"));
  two_.Post("from-two");
  ASSERT_TRUE(tail->WaitForText("from-two"));
  two_.Kill();
  ASSERT_TRUE(tail->WaitForText("the replica " + two_.admin() + " does not answer"));
  one_.Post("meanwhile");
  ASSERT_TRUE(tail->WaitForText("meanwhile"));
  two_.Start();
  two_.Post("again-two");
  ASSERT_TRUE(tail->WaitForText("again-two"));
  tail->Signal(SIGINT);
  const CtlResult result = tail->Finish();
  EXPECT_EQ(result.exit, 130);
  EXPECT_THAT(result.out, HasSubstr("REPLICA"));
  for (const char* message : {"before-1", "from-one", "meanwhile"}) {
    EXPECT_THAT(LineWith(result.out, message), HasSubstr(one_.admin())) << result.out;
  }
  for (const char* message : {"before-2", "from-two", "again-two"}) {
    EXPECT_THAT(LineWith(result.out, message), HasSubstr(two_.admin())) << result.out;
    EXPECT_EQ(result.out.find(message), result.out.rfind(message)) << "twice";
  }
  EXPECT_THAT(result.err, HasSubstr("trying again"));
  EXPECT_THAT(result.err, HasSubstr("the replica " + two_.admin() + " answers again"));
}

TEST_F(CtlFollow, ListsGoOnWithWhatComesInEveryForm) {
  one_.Post("there");
  const auto follow =
      CtlProcess::Start(Both({"events", "ls", "-f", "--since", "1h", "-o", "jsonl"}), {});
  ASSERT_TRUE(follow->WaitForText("there"));
  two_.Post("new");
  ASSERT_TRUE(follow->WaitForText("\"new\""));
  follow->Signal(SIGTERM);
  const CtlResult result = follow->Finish();
  EXPECT_EQ(result.exit, 130);
  std::istringstream lines(result.out);
  std::vector<std::string> replicas;
  for (std::string line; std::getline(lines, line);) {
    replicas.push_back(json::parse(line)["replica"]);
  }
  EXPECT_EQ(replicas, (std::vector<std::string>{one_.admin(), two_.admin()}));
}

TEST_F(CtlFollow, OneThatIsAwayFromTheBeginningIsFollowedOnceItIsThere) {
  ASSERT_EQ(two_.Stop(), 0);
  const auto tail = CtlProcess::Start(Both({"events", "tail", "-o", "name"}), {});
  ASSERT_TRUE(tail->WaitForText("does not answer"));
  two_.Start();
  ASSERT_TRUE(tail->WaitForText("answers again"));
  two_.Post("late");
  ASSERT_TRUE(tail->WaitForText("event/"));
  tail->Signal(SIGINT);
  EXPECT_EQ(tail->Finish().exit, 130);
}

TEST_F(CtlFollow, NobodyAtAllIsSaidAtOnce) {
  ASSERT_EQ(one_.Stop(), 0);
  ASSERT_EQ(two_.Stop(), 0);
  const CtlResult result = RunCtl(Both({"events", "tail"}));
  EXPECT_EQ(result.exit, 6);
  EXPECT_THAT(result.err, HasSubstr(one_.admin()));
  EXPECT_THAT(result.err, HasSubstr(two_.admin()));
}

TEST_F(CtlFollow, ACrashIsAGapThatIsToldApartFromAStop) {
  const CtlResult none = RunCtl({"source", "gaps", "--server", one_.admin()});
  EXPECT_EQ(none.exit, 0);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.err, "no gaps\n");
  one_.Post("last");
  one_.Kill();
  one_.Start();
  ASSERT_EQ(one_.Stop(), 0);
  one_.Start();
  const CtlResult told = RunCtl({"source", "gaps", "web", "--server", one_.admin(), "-o", "json"});
  ASSERT_EQ(told.exit, 0) << told.err;
  const json gaps = json::parse(told.out);
  ASSERT_EQ(gaps.size(), 2u) << told.out;
  EXPECT_EQ(gaps[0]["cause"], "crashed");
  EXPECT_EQ(gaps[1]["cause"], "stopped");
  EXPECT_LE(gaps[0]["to"], gaps[1]["from"]);
  // Dated by the last event, not by the last time that the source said that it is there.
  const CtlResult event = RunCtl({"events", "ls", "--server", one_.admin(), "-o", "jsonl"});
  EXPECT_GE(gaps[0]["from"], json::parse(event.out)["acceptedtime"]);
  EXPECT_EQ(RunCtl({"source", "gaps", "wbe", "--server", one_.admin()}).exit, 4);
  const CtlResult both = RunCtl(Both({"source", "gaps"}));
  EXPECT_EQ(both.exit, 0);
  EXPECT_THAT(both.out, HasSubstr("REPLICA"));
  EXPECT_THAT(both.out, HasSubstr("crashed"));
  EXPECT_THAT(both.out, Not(HasSubstr(two_.admin())));
}

}  // namespace
}  // namespace spool::testing
