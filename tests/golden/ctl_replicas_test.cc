// Contexts, and one command on several servers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "app/ctl/contexts.h"
#include "app/ctl/json.h"
#include "tests/support/ctl_test.h"

namespace spool::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Replicas : public Ctl {
 protected:
  Replicas() {
    directory_ = ::testing::TempDir() + "/spoolctl-contexts-XXXXXX";
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
    for (FakeAdmin* admin : {&admin_, &second_}) {
      const std::string n = admin == &admin_ ? "1" : "2";
      admin->On("GET /api/v1/targets", 200,
                R"({"items":[{"name":"kafka","type":"kafka","state":"ok","lag_events":)" + n +
                    R"(,"lag_seconds":0,"delivered":)" + n + "}]}");
      admin->On("POST /api/v1/targets/kafka:pause", 200, R"({"name":"kafka"})");
    }
  }
  ~Replicas() override { std::filesystem::remove_all(directory_); }

  std::string file() const { return directory_ + "/below/contexts.yaml"; }
  std::string both() const { return admin_.url() + "," + second_.url(); }
  CtlResult With(const std::vector<std::string>& args,
                 std::vector<std::pair<std::string, std::string>> env = {}) const {
    CtlProcess::Options options;
    options.env = std::move(env);
    options.env.emplace_back("SPOOLCTL_CONTEXTS", file());
    return RunCtl(args, options);
  }
  std::string Host(const FakeAdmin& admin) const { return admin.url().substr(7); }

  std::string directory_;
  FakeAdmin second_;
};

TEST_F(Replicas, ListsAreOneWithAColumnThatTellsThemApart) {
  const CtlResult table = With({"target", "ls", "--server", both(), "--no-headers"});
  EXPECT_EQ(table.exit, 0) << table.err;
  std::istringstream lines(table.out);
  std::vector<std::string> first;
  for (std::string line; std::getline(lines, line);)
    first.push_back(line.substr(0, line.find(' ')));
  EXPECT_THAT(first, ElementsAre(Host(admin_), Host(second_)));
  const CtlResult json = With({"target", "ls", "--server", both(), "-o", "jsonl"});
  EXPECT_THAT(json.out, HasSubstr(R"({"replica":")" + Host(admin_) + R"(","name":"kafka")"));
  EXPECT_THAT(json.out, HasSubstr(R"({"replica":")" + Host(second_) + R"(","name":"kafka")"));
}

TEST_F(Replicas, OneServerAloneHasNoSuchColumn) {
  EXPECT_THAT(With({"target", "ls", "--server", admin_.url()}).out, Not(HasSubstr("REPLICA")));
}

TEST_F(Replicas, AChangeIsMadeOnEachAndSaidOfEach) {
  const CtlResult result = With({"target", "pause", "kafka", "--server", both()});
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_EQ(result.out,
            Host(admin_) + ": target/kafka paused\n" + Host(second_) + ": target/kafka paused\n");
  EXPECT_THAT(admin_.requests(), ElementsAre("POST /api/v1/targets/kafka:pause"));
  EXPECT_THAT(second_.requests(), ElementsAre("POST /api/v1/targets/kafka:pause"));
}

TEST_F(Replicas, OneThatDoesNotAnswerIsNamedAndTheOthersAreShown) {
  const std::string gone = Host(second_);
  second_.Stop();
  const CtlResult result = With({"target", "ls", "--server", both()});
  EXPECT_EQ(result.exit, 7);
  EXPECT_THAT(result.out, HasSubstr(Host(admin_) + "  kafka"));
  EXPECT_THAT(result.err, HasSubstr("the replica " + gone + " does not answer: cannot reach"));
  admin_.Stop();
  EXPECT_EQ(With({"target", "ls", "--server", both()}).exit, 6);
}

TEST_F(Replicas, WhatOnlyOneHasIsFound) {
  second_.On("GET /api/v1/replays/r-1", 200, R"({"id":"r-1","target":"kafka","state":"done"})");
  const CtlResult found = With({"replay", "info", "r-1", "--server", both()});
  EXPECT_EQ(found.exit, 0);
  EXPECT_EQ(found.err, "");
  EXPECT_THAT(found.out, HasSubstr("REPLICA " + Host(second_)));
  EXPECT_THAT(found.out, Not(HasSubstr("REPLICA " + Host(admin_))));
  const CtlResult nowhere = With({"replay", "info", "r-2", "--server", both()});
  EXPECT_EQ(nowhere.exit, 4);
  EXPECT_EQ(nowhere.err.find("there is no replay"), nowhere.err.rfind("there is no replay"));
}

TEST_F(Replicas, EventsAreMergedByTimeAndTheNewestAreKept) {
  const auto line = [](int sequence, const char* second) {
    return R"({"id":"e)" + std::to_string(sequence) + R"(","sequence":")" +
           std::to_string(sequence) + R"(","acceptedtime":"2026-11-20T06:11:)" + second +
           ".000000Z\",\"stream\":\"s\"}\n";
  };
  admin_.On("GET /api/v1/events", 200, line(1, "10") + line(2, "30") + ScanEnd(true, 1, 2));
  second_.On("GET /api/v1/events", 200, line(7, "20") + line(8, "40") + ScanEnd(true, 1, 2));
  const CtlResult all = With({"events", "ls", "-o", "name", "--server", both()});
  EXPECT_EQ(all.out, "event/e1\nevent/e7\nevent/e2\nevent/e8\n");
  const CtlResult newest = With({"events", "ls", "-o", "name", "--limit", "2", "--server", both()});
  EXPECT_EQ(newest.out, "event/e2\nevent/e8\n");
  const CtlResult table = With({"events", "ls", "--server", both()});
  EXPECT_THAT(table.out, HasSubstr("REPLICA"));
  EXPECT_THAT(table.out, HasSubstr(Host(second_)));
}

// What comes as raw JSON from one server is JSON from several too.
TEST_F(Replicas, SingleThingsAndExportsStayJson) {
  for (FakeAdmin* admin : {&admin_, &second_}) {
    admin->On("GET /api/v1/events/7", 200, R"({"id":"e7","sequence":"7"})");
    admin->On("GET /api/v1/dead-letters", 200, R"({"items":[{"id":"kafka-1"}],"next":null})");
    admin->On("GET /api/v1/dead-letters/kafka-1", 200, R"({"id":"kafka-1","event":{"n":1}})");
  }
  const CtlResult event = With({"events", "get", "7", "-o", "json", "--server", both()});
  const auto parsed = ctl::Json::Parse(event.out);
  ASSERT_TRUE(parsed) << event.out;
  ASSERT_EQ(parsed->items().size(), 2u);
  EXPECT_EQ(parsed->items()[1]["replica"].Text(), Host(second_));
  EXPECT_EQ(parsed->items()[1]["id"].Text(), "e7");
  const CtlResult shown = With({"events", "get", "7", "--server", both()});
  EXPECT_THAT(shown.out, HasSubstr("REPLICA " + Host(second_) + "\n{\n  \"id\": \"e7\""));
  const CtlResult yaml = With({"events", "get", "7", "-o", "yaml", "--server", both()});
  EXPECT_THAT(yaml.out, HasSubstr("- replica: \"" + Host(second_)));
  const CtlResult letter = With({"dlq", "get", "kafka-1", "-o", "json", "--server", both()});
  EXPECT_EQ(ctl::Json::Parse(letter.out)->items().size(), 2u) << letter.out;
  const CtlResult exported = With({"dlq", "export", "--server", both()});
  EXPECT_EQ(exported.exit, 0) << exported.err;
  EXPECT_EQ(exported.out, R"({"replica":")" + Host(admin_) +
                              R"(","id":"kafka-1","event":{"n":1}})" + "\n" + R"({"replica":")" +
                              Host(second_) + R"(","id":"kafka-1","event":{"n":1}})" + "\n");
  EXPECT_EQ(With({"dlq", "export", directory_ + "/x", "--server", both()}).exit, 2);
}

TEST_F(Replicas, ReplaysFanOutOneJobAReplica) {
  for (FakeAdmin* admin : {&admin_, &second_}) {
    const std::string id = admin == &admin_ ? "r-a" : "r-b";
    admin->On("POST /api/v1/replays", [id](const net::HttpRequest& request) {
      const bool dry = request.body.find("\"dry_run\":true") != request.body.npos;
      return dry ? Ok(R"({"target":"kafka","first":1,"end":9,"total":8,"bytes":800})")
                 : Ok(R"({"id":")" + id + R"(","target":"kafka","state":"running"})", 201);
    });
  }
  const CtlResult result =
      With({"replay", "start", "--target", "kafka", "--from", "1", "--server", both()});
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(Host(admin_) + ": replay/r-a started"));
  EXPECT_THAT(result.out, HasSubstr(Host(second_) + ": replay/r-b started"));
  EXPECT_THAT(result.out, HasSubstr(Host(second_) + ":   8 events, 800 B"));
  second_.Stop();
  const CtlResult partly =
      With({"replay", "start", "--target", "kafka", "--from", "1", "--server", both()});
  EXPECT_EQ(partly.exit, 7);
  EXPECT_THAT(partly.err, HasSubstr("does not answer"));
}

TEST_F(Replicas, NothingIsAskedTwiceAndNothingDoneWithoutTheWord) {
  for (FakeAdmin* admin : {&admin_, &second_}) {
    admin->On("POST /api/v1/dead-letters/kafka-1:drop", 200, R"({"id":"kafka-1"})");
  }
  EXPECT_EQ(With({"dlq", "drop", "kafka-1", "--server", both()}).exit, 5);
  EXPECT_THAT(admin_.requests(), ElementsAre());
  CtlProcess::Options options;
  options.columns = 80;
  const auto process = CtlProcess::Start({"dlq", "drop", "kafka-1", "--server", both()}, options);
  ASSERT_TRUE(process->WaitForText("and the like on 1 replica more. Go on?"));
  process->Type("y\n");
  EXPECT_EQ(process->Finish().exit, 0);
  EXPECT_EQ(admin_.requests().size(), 1u);
  EXPECT_EQ(second_.requests().size(), 1u);
}

TEST_F(Replicas, AContextIsMadeUsedShownAndForgotten) {
  const std::string token = TempFile("s3cret-token\n");
  CtlResult result = With({"context", "add", "prod", "--server", both(), "--token-file", token});
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_EQ(result.out, "context/prod added\n");
  struct stat info {};
  ASSERT_EQ(stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(With({"context", "add", "dev", "--server", second_.url()}).exit, 0);
  // The first is meant until another is.
  EXPECT_THAT(With({"context", "ls", "--no-headers"}).out, HasSubstr("*  prod  "));
  EXPECT_EQ(With({"target", "ls"}).exit, 0);
  EXPECT_THAT(admin_.tokens(), ElementsAre("Bearer s3cret-token"));
  EXPECT_EQ(With({"context", "use", "dev"}).out, "context/dev is used from now on\n");
  EXPECT_EQ(With({"target", "ls"}).exit, 0);
  EXPECT_EQ(admin_.requests().size(), 1u);
  // A context's token goes to its own servers only.
  EXPECT_EQ(second_.tokens().back(), "");
  EXPECT_EQ(With({"context", "rm", "prod"}).out, "context/prod removed\n");
  EXPECT_EQ(With({"context", "ls", "-o", "name"}).out, "context/dev\n");
}

TEST_F(Replicas, FlagsOutrankVariablesAndTheseTheCurrentContext) {
  ASSERT_EQ(With({"context", "add", "one", "--server", admin_.url()}).exit, 0);
  ASSERT_EQ(With({"context", "add", "two", "--server", second_.url()}).exit, 0);
  const auto asked = [&](const std::vector<std::string>& flags,
                         const std::vector<std::pair<std::string, std::string>>& env) {
    const size_t first = admin_.requests().size(), second = second_.requests().size();
    std::vector<std::string> args = {"target", "ls"};
    args.insert(args.end(), flags.begin(), flags.end());
    EXPECT_EQ(With(args, env).exit, 0);
    EXPECT_EQ(admin_.requests().size() + second_.requests().size(), first + second + 1);
    return admin_.requests().size() > first ? "one" : "two";
  };
  EXPECT_STREQ(asked({}, {}), "one");
  EXPECT_STREQ(asked({}, {{"SPOOLCTL_CONTEXT", "two"}}), "two");
  EXPECT_STREQ(asked({}, {{"SPOOLCTL_CONTEXT", "two"}, {"SPOOLCTL_SERVER", admin_.url()}}), "one");
  EXPECT_STREQ(asked({"--context", "two"}, {{"SPOOLCTL_SERVER", admin_.url()}}), "two");
  EXPECT_STREQ(asked({"--server", second_.url()}, {{"SPOOLCTL_CONTEXT", "one"}}), "two");
  const CtlResult both = With({"target", "ls", "--server", admin_.url(), "--context", "two"});
  EXPECT_EQ(both.exit, 2);
  EXPECT_THAT(both.err, HasSubstr("exclude each other"));
}

TEST_F(Replicas, AContextThatIsNotThereAndAFileThatIsBrokenAreTold) {
  EXPECT_EQ(With({"target", "ls", "--context", "nope"}).exit, 4);
  ASSERT_EQ(With({"context", "add", "production", "--server", "a:1"}).exit, 0);
  EXPECT_THAT(With({"target", "ls", "--context", "prodution"}).err,
              HasSubstr("did you mean 'production'?"));
  std::ofstream(file()) << "contexts:\n  x: { severs: [a] }\n";
  const CtlResult broken = With({"target", "ls"});
  EXPECT_EQ(broken.exit, 78);
  EXPECT_THAT(broken.err, HasSubstr("contexts.yaml:2:8: unknown key 'severs'"));
  std::ofstream(file()) << "contexts: { x: { servers: [] } }\n";
  EXPECT_EQ(With({"context", "ls"}).exit, 78);
  // Who says where to go does not need the file.
  EXPECT_EQ(With({"target", "ls", "--server", admin_.url()}).exit, 0);
}

TEST(Contexts, ReplicasAreCalledByWhatTellsThemApart) {
  using ctl::ReplicaNames;
  EXPECT_THAT(ReplicaNames({"https://spool-0.spool:8081", "https://spool-1.spool:8081/"}),
              ElementsAre("spool-0", "spool-1"));
  EXPECT_THAT(ReplicaNames({"http://10.0.0.1:8081", "http://10.0.0.2:8081"}),
              ElementsAre("10.0.0.1:8081", "10.0.0.2:8081"));
  EXPECT_THAT(ReplicaNames({"spool.a:1", "spool.b:1"}), ElementsAre("spool.a:1", "spool.b:1"));
  EXPECT_THAT(ReplicaNames({"[::1]:1", "[::1]:2"}), ElementsAre("[::1]:1", "[::1]:2"));
  EXPECT_THAT(ctl::SplitServers(" a, b ,,c"), ElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace spool::testing
