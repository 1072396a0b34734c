// The program under load while its configuration changes: targets come, change and go, and broken
// configurations lie between. What an outsider finds afterwards is judged as after a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "tests/support/crash_fixture.h"
#include "tests/support/ctl_fixture.h"
#include "tests/support/fault_profile.h"

namespace spool::testing {
namespace {

using nlohmann::json;

class ReloadUnderLoad : public Crash {
 protected:
  ReloadUnderLoad() : first_(Read(dir_ / "spool.yaml")) {}

  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // As an editor does: the file is whole at every moment.
  void Put(const std::string& text) const {
    std::ofstream(dir_ / "next.yaml") << text;
    ASSERT_EQ(std::rename((dir_ / "next.yaml").c_str(), (dir_ / "spool.yaml").c_str()), 0);
  }
  // The three targets of every crash test, each as it was or with a small change, and perhaps one
  // more.
  std::string Changed(int round, bool extra) const {
    std::istringstream in(first_);
    std::string out;
    for (std::string line; std::getline(in, line);) {
      const bool target = line.find("type: file") != line.npos ||
                          line.find("type: webhook") != line.npos ||
                          line.find("type: nats") != line.npos;
      if (target && random_in_round_ % 3 != 0) {
        const size_t end = line.rfind(" }");
        line.insert(end, ", timeout: { connect: " + std::to_string(1000 + round) + "ms }");
      }
      random_in_round_ = random_in_round_ * 31 + 7;
      out += line + "\n";
    }
    if (extra) {
      out += "  extra: { type: file, path: " + dir_ / "extra.jsonl" + ", start: now }\n";
    }
    return out;
  }
  json Config() const { return Call("GET", admin_, "/api/v1/config").Json(); }

  const std::string first_;
  mutable unsigned random_in_round_ = 1;
};

TEST_F(ReloadUnderLoad, NothingIsLostOrGivenTwiceWhileTargetsComeChangeAndGo) {
  const FaultProfile profile("RELOAD", 24, seed_);
  auto spoold = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  producers_->Begin();
  uint64_t revision = Config()["revision"];
  int refused = 0;
  for (int round = 0; round < profile.count(); ++round) {
    AwaitRandomMoment(Random(20, 200));
    random_in_round_ = static_cast<unsigned>(seed_ + static_cast<uint64_t>(round));
    // Not the last: with it everything is there again.
    const bool extra = round % 4 < 2;
    const std::string good = Changed(round, extra);
    if (round % 3 == 1) {
      Put(good + (round % 2 == 0 ? "  extra: { type: fiel }\n" : "journal: { scrub: 1MiB }\n"));
      const HttpReply reply = Call("POST", admin_, "/api/v1/config:reload");
      EXPECT_EQ(reply.status, 400) << reply.body;
      Put(good + "cluster: { name: other }\n");
      EXPECT_EQ(Call("POST", admin_, "/api/v1/config:reload").Code(), "needs_restart");
      EXPECT_EQ(Config()["revision"], revision);
      refused += 2;
    }
    Put(good);
    switch (round % 3) {
      case 0: spoold->Signal(SIGHUP); break;
      case 1: {
        const HttpReply reply = Call("POST", admin_, "/api/v1/config:reload");
        ASSERT_EQ(reply.status, 200) << reply.body << Told();
        break;
      }
      default: {
        const CtlResult ctl = RunCtl({"--server", "http://" + admin_, "config", "reload"});
        ASSERT_EQ(ctl.exit, 0) << ctl.out << ctl.err << Told();
        EXPECT_TRUE(ctl.out.starts_with("config reloaded, revision ")) << ctl.out;
      }
    }
    ASSERT_TRUE(WaitUntil([&] { return Config()["revision"] == revision + 1; })) << Told();
    ++revision;
    const json status = Call("GET", admin_, "/api/v1/status").Json();
    EXPECT_EQ(status["targets"].size(), extra ? 4u : 3u);
    EXPECT_EQ(Config()["last_reload"]["ok"], true);
  }
  const size_t before = producers_->acknowledgements();
  EXPECT_TRUE(WaitUntil([&] { return producers_->acknowledgements() > before + 5; })) << Told();
  producers_->End();
  EXPECT_EQ(producers_->batches_in_doubt(), 0u) << "a request went unanswered";
  EXPECT_GT(refused, 0);

  // The one that came and went has had everything from when it first came, once.
  Put(Changed(0, true));
  ASSERT_EQ(Call("POST", admin_, "/api/v1/config:reload").status, 200);
  ASSERT_TRUE(WaitUntil(
      [&] {
        const json extra = Call("GET", admin_, "/api/v1/targets/extra").Json();
        return extra.is_object() && extra["pending"] == 0;
      },
      std::chrono::seconds(60)))
      << Told();
  const json extra = Call("GET", admin_, "/api/v1/targets/extra").Json();
  EXPECT_EQ(extra["accepted"].get<uint64_t>(),
            extra["delivered"].get<uint64_t>() + extra["evicted"].get<uint64_t>());
  std::vector<uint64_t> sequences;
  std::istringstream lines(Read(dir_ / "extra.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    sequences.push_back(std::stoull(json::parse(line)["sequence"].get<std::string>()));
  }
  EXPECT_EQ(sequences.size(), extra["delivered"].get<uint64_t>());
  EXPECT_TRUE(std::is_sorted(sequences.begin(), sequences.end()));
  const std::set<uint64_t> distinct(sequences.begin(), sequences.end());
  EXPECT_EQ(distinct.size(), sequences.size()) << "given twice though nothing failed";
  EXPECT_GT(distinct.size(), 100u);
  std::istringstream all(Read(dir_ / "out.jsonl"));
  for (std::string line; std::getline(all, line);) {
    const uint64_t sequence = std::stoull(json::parse(line)["sequence"].get<std::string>());
    if (extra["evicted"] != 0 || sequence < *distinct.begin()) continue;
    EXPECT_TRUE(distinct.contains(sequence)) << sequence << " is missing at the one that came late";
  }

  Put(first_);
  ASSERT_EQ(Call("POST", admin_, "/api/v1/config:reload").status, 200);
  ASSERT_EQ(Call("DELETE", admin_, "/api/v1/targets/extra").status, 200);
  ASSERT_TRUE(WaitSettled()) << Call("GET", admin_, "/api/v1/status").body << "\n" << Told();
  CheckEverything();
  profile.Report("reloads under load", profile.count(), "");
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(std::chrono::seconds(25)), 0) << Told();
  if (HasFailure()) std::printf("%s\n", Told().c_str());
}

// A reload is no reason to lose a place when the power goes, either.
TEST_F(ReloadUnderLoad, KillsBetweenReloadsLoseNothing) {
  const FaultProfile profile("RELOAD_KILLS", 8, seed_);
  for (int round = 0; round < profile.count(); ++round) {
    auto spoold = Start();
    ASSERT_TRUE(WaitReady()) << Told();
    producers_->Begin();
    AwaitRandomMoment(Random(20, 150));
    random_in_round_ = static_cast<unsigned>(seed_ + static_cast<uint64_t>(round));
    Put(Changed(round, false));
    spoold->Signal(SIGHUP);
    AwaitRandomMoment(Random(1, 60));
    const bool killed = spoold->Kill();
    producers_->End();
    ASSERT_TRUE(killed) << Told();
  }
  Put(first_);
  auto spoold = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  ASSERT_TRUE(WaitSettled()) << Told();
  CheckEverything();
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(std::chrono::seconds(25)), 0) << Told();
  if (HasFailure()) std::printf("%s\n", Told().c_str());
}

}  // namespace
}  // namespace spool::testing
