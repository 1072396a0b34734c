// The program itself: flags, exit statuses, signals.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "tests/support/app_http.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

// A child whose output is collected; killed by its pid at the end if it still runs.
class Spoold {
 public:
  // With `files` it may open no more than so many.
  explicit Spoold(std::vector<std::string> args, rlim_t files = 0) {
    int pipe_ends[2];
    EXPECT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
    args.insert(args.begin(), BinaryDir() + "/spoold");
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(pipe_ends[1], STDOUT_FILENO);
      dup2(pipe_ends[1], STDERR_FILENO);
      const rlimit few{files, files};
      if (files > 0 && setrlimit(RLIMIT_NOFILE, &few) != 0) _exit(126);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(pipe_ends[1]);
    out_ = pipe_ends[0];
  }
  ~Spoold() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(out_);
  }
  Spoold(const Spoold&) = delete;
  Spoold& operator=(const Spoold&) = delete;

  bool WaitFor(const std::string& text) {
    return WaitUntil([&] {
      Read(0);
      return output_.find(text) != std::string::npos;
    });
  }
  // Its exit status, 128 + the signal that killed it, -1 when it does not end.
  int Wait(std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    int status = 0;
    const bool ended = WaitUntil(
        [&] {
          Read(0);
          return waitpid(pid_, &status, WNOHANG) == pid_;
        },
        limit);
    if (!ended) return -1;
    while (Read(0)) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void Signal(int number) const { kill(pid_, number); }
  pid_t pid() const { return pid_; }
  const std::string& output() const { return output_; }
  // The address that the line at the start tells of.
  std::string Address(const std::string& key) {
    EXPECT_TRUE(WaitFor("spoold is up"));
    std::smatch match;
    EXPECT_TRUE(WaitUntil([&] {
      Read(0);
      return std::regex_search(output_, match,
                               std::regex("spoold is up[^\n]*" + key + "=\"?([0-9.:]+)"));
    })) << output_;
    return match.size() > 1 ? match[1].str() : "";
  }

 private:
  bool Read(int timeout) {
    pollfd ready{out_, POLLIN, 0};
    if (poll(&ready, 1, timeout) <= 0) return false;
    char buffer[4096];
    const ssize_t got = read(out_, buffer, sizeof(buffer));
    if (got <= 0) return false;
    output_.append(buffer, static_cast<size_t>(got));
    return true;
  }

  pid_t pid_ = -1;
  int out_ = -1;
  std::string output_;
};

std::vector<std::string> Here(const AppDir& dir) {
  return {"--data-dir", dir / "data", "--ingest", "127.0.0.1:0", "--admin", "127.0.0.1:0"};
}

TEST(Spoold, PrintsWhatIsAskedAndRefusesWrongUse) {
  struct Case {
    std::vector<std::string> args;
    int exit;
    const char* says;
  };
  for (const Case& c : std::vector<Case>{{{"--version"}, 0, "spoold " SPOOL_VERSION},
                                         {{"--help"}, 0, "--data-dir"},
                                         {{"--print-config-schema"}, 0, "\"$schema\""},
                                         {{"--print-config-docs"}, 0, "# "},
                                         {{"--colour"}, 2, "--colour"},
                                         {{"surplus"}, 2, "surplus"},
                                         {{"--config"}, 2, "--config"},
                                         {{"--data-dir", ""}, 2, "--data-dir"},
                                         {{"--ingest", "nonsense"}, 2, "nonsense"},
                                         {{"--admin", "0.0.0.0:8081"}, 2, "--admin"}}) {
    Spoold spoold(c.args);
    EXPECT_EQ(spoold.Wait(), c.exit) << c.args[0] << ": " << spoold.output();
    EXPECT_NE(spoold.output().find(c.says), std::string::npos)
        << c.args[0] << ": " << spoold.output();
  }
}

TEST(Spoold, EveryProblemOfAConfigurationIsPrintedAndTheStatusIs78) {
  const AppDir dir;
  std::ofstream(dir / "bad.yaml") << "version: 1\ncolour: red\ntargets:\n  a: { type: stdot }\n";
  Spoold bad({"--config", dir / "bad.yaml"});
  EXPECT_EQ(bad.Wait(), 78);
  EXPECT_NE(bad.output().find("bad.yaml:2:1: error: "), std::string::npos) << bad.output();
  EXPECT_NE(bad.output().find("bad.yaml:4:"), std::string::npos) << bad.output();
  Spoold missing({"--config", dir / "missing.yaml"});
  EXPECT_EQ(missing.Wait(), 78);
}

TEST(Spoold, RunsWithoutAConfigurationAndStopsOnSigterm) {
  const AppDir dir;
  Spoold spoold(Here(dir));
  const std::string ingest = spoold.Address("ingest");
  const std::string admin = spoold.Address("admin");
  ASSERT_EQ(Call("POST", ingest, "/v1/events", "{\"hello\":\"there\"}").status, 200);
  // The one target of the default is stdout.
  EXPECT_TRUE(spoold.WaitFor("\"hello\":\"there\"")) << spoold.output();
  EXPECT_EQ(Call("GET", admin, "/ready").status, 200);
  const auto mode = std::filesystem::status(dir / "data").permissions();
  EXPECT_EQ(mode & std::filesystem::perms::others_all, std::filesystem::perms::none);
  spoold.Signal(SIGHUP);
  EXPECT_TRUE(spoold.WaitFor("says what it said before"));
  spoold.Signal(SIGTERM);
  EXPECT_EQ(spoold.Wait(), 0) << spoold.output();
  EXPECT_NE(spoold.output().find("Stopped"), std::string::npos) << spoold.output();
}

TEST(Spoold, LeavesNoCoreDump) {
  const AppDir dir;
  Spoold spoold(Here(dir));
  spoold.Address("admin");
  std::ifstream limits("/proc/" + std::to_string(spoold.pid()) + "/limits");
  std::string line;
  bool found = false;
  while (std::getline(limits, line)) {
    if (!line.starts_with("Max core file size")) continue;
    found = true;
    EXPECT_TRUE(std::regex_search(line, std::regex("size +0 +0 "))) << line;
  }
  EXPECT_TRUE(found);
}

TEST(Spoold, ASecondOneOnTheSameDirectorySaysSoAndTouchesNothing) {
  const AppDir dir;
  Spoold first(Here(dir));
  const std::string ingest = first.Address("ingest");
  Spoold second(Here(dir));
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_NE(second.output().find("nothing in it was touched"), std::string::npos)
      << second.output();
  EXPECT_EQ(Call("POST", ingest, "/v1/events", "{\"a\":1}").status, 200);
  first.Signal(SIGINT);
  EXPECT_EQ(first.Wait(), 0);
}

TEST(Spoold, ASecondSignalEndsItAtOnce) {
  const AppDir dir;
  Receiver receiver;
  receiver.Hang(true);
  std::ofstream(dir / "spool.yaml") << "version: 1\ntargets:\n  hook: { type: webhook, url: \""
                                    << receiver.url() << "\", timeout: { request: 60s } }\n";
  std::vector<std::string> args = Here(dir);
  args.insert(args.end(), {"--config", dir / "spool.yaml"});
  Spoold spoold(args);
  ASSERT_EQ(Call("POST", spoold.Address("ingest"), "/v1/events", "{\"a\":1}").status, 200);
  ASSERT_TRUE(WaitUntil([&] { return receiver.requests() > 0; }));
  spoold.Signal(SIGTERM);
  ASSERT_TRUE(spoold.WaitFor("Stopping as a signal asked"));
  spoold.Signal(SIGTERM);
  EXPECT_EQ(spoold.Wait(std::chrono::seconds(5)), 128 + SIGTERM) << spoold.output();
}

// A target that hangs holds a reload up for five seconds; the stop begins at once all the same.
TEST(Spoold, AStopDoesNotWaitForAReload) {
  const AppDir dir;
  Receiver receiver;
  receiver.Hang(true);
  const auto write = [&](const std::string& batch) {
    std::ofstream(dir / "spool.yaml")
        << "version: 1\ntargets:\n  hook: { type: webhook, url: \"" << receiver.url()
        << "\", batch: { events: " << batch << " }, timeout: { request: 60s } }\n";
  };
  write("1");
  std::vector<std::string> args = Here(dir);
  args.insert(args.end(), {"--config", dir / "spool.yaml"});
  Spoold spoold(args);
  const std::string admin = spoold.Address("admin");
  ASSERT_EQ(Call("POST", spoold.Address("ingest"), "/v1/events", "{\"a\":1}").status, 200);
  ASSERT_TRUE(WaitUntil([&] { return receiver.requests() > 0; }));
  write("2");
  spoold.Signal(SIGHUP);
  ASSERT_TRUE(WaitUntil(
      [&] { return Call("POST", admin, "/api/v1/targets/hook:resume").Code() == "cancelled"; }));
  const auto begin = RealClock().Steady();
  spoold.Signal(SIGTERM);
  ASSERT_TRUE(spoold.WaitFor("Stopping as a signal asked")) << spoold.output();
  EXPECT_LT(RealClock().Steady() - begin, std::chrono::seconds(3));
  EXPECT_EQ(spoold.output().find("was read again"), std::string::npos) << spoold.output();
  EXPECT_EQ(spoold.Wait(std::chrono::seconds(22)), 0) << spoold.output();
}

TEST(Spoold, AReloadThatNeedsMoreFilesThanThereAreIsRefused) {
  const AppDir dir;
  const auto write = [&](int targets) {
    std::ofstream out(dir / "spool.yaml");
    out << "version: 1\ntargets:\n";
    for (int i = 0; i < targets; ++i) {
      out << "  t" << i << ": { type: webhook, url: \"http://127.0.0.1:1/\" }\n";
    }
  };
  write(1);
  std::vector<std::string> args = Here(dir);
  args.insert(args.end(), {"--config", dir / "spool.yaml"});
  Spoold spoold(args, 256);
  const std::string admin = spoold.Address("admin");
  write(40);
  const HttpReply reply = Call("POST", admin, "/api/v1/config:reload");
  EXPECT_EQ(reply.status, 400) << reply.body;
  EXPECT_EQ(reply.Code(), "invalid_config");
  EXPECT_NE(reply.body.find("the process may open 256 files"), std::string::npos) << reply.body;
  EXPECT_EQ(Call("GET", admin, "/api/v1/targets/t1").status, 404);
  EXPECT_EQ(Call("GET", admin, "/api/v1/targets/t0").status, 200);
}

TEST(Spoold, PublishIsRefusedWhereItMayNotOpenWhatItNeeds) {
  const AppDir dir;
  std::ofstream(dir / "spool.yaml")
      << "version: 1\ntargets:\n  t: { type: webhook, url: \"http://127.0.0.1:1/\" }\n";
  Spoold spoold(
      {"publish", "--target", "t", "--config", dir / "spool.yaml", "--data-dir", dir / "data"},
      100);
  EXPECT_EQ(spoold.Wait(), 78) << spoold.output();
  EXPECT_NE(spoold.output().find("the process may open 100 files"), std::string::npos)
      << spoold.output();
}

// The kernel refuses every further byte of a file; what was acknowledged before must be there after
// the next start. RocksDB may abort by itself, which is as final.
TEST(Spoold, AStorageErrorEndsItWithin1SecondAndNothingAcknowledgedIsLost) {
  const AppDir dir;
  uint64_t acknowledged = 0;
  {
    Spoold spoold(Here(dir));
    const std::string ingest = spoold.Address("ingest");
    const auto post = [&] {
      const HttpReply reply =
          Call("POST", ingest, "/v1/events", "{\"n\":" + std::to_string(acknowledged) + "}");
      if (reply.status == 200) ++acknowledged;
      return reply.status;
    };
    for (int i = 0; i < 20; ++i) ASSERT_EQ(post(), 200);
    const rlimit none{4096, 4096};
    ASSERT_EQ(prlimit(spoold.pid(), RLIMIT_FSIZE, &none, nullptr), 0);
    int status = 200;
    for (int i = 0; i < 200 && status == 200; ++i) status = post();
    EXPECT_NE(status, 200);
    const auto begin = RealClock().Steady();
    const int exit = spoold.Wait(std::chrono::seconds(10));
    EXPECT_EQ(exit, 74) << spoold.output();
    EXPECT_LT(RealClock().Steady() - begin, std::chrono::milliseconds(1500));
  }
  Spoold again(Here(dir));
  const HttpReply found =
      Call("GET", again.Address("admin"), "/api/v1/events?order=oldest&limit=10000");
  EXPECT_GE(ParseEvents(found).events.size(), acknowledged);
}

// A log that was cut short cannot be told from one that lost its end, so the start refuses.
TEST(Spoold, ADamagedJournalIsServedAsSuchUntilItIsStopped) {
  const AppDir dir;
  {
    Spoold spoold(Here(dir));
    const std::string ingest = spoold.Address("ingest");
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(Call("POST", ingest, "/v1/events", "{\"n\":" + std::to_string(i) + "}").status,
                200);
    }
    spoold.Signal(SIGKILL);
    EXPECT_EQ(spoold.Wait(), 128 + SIGKILL);
  }
  size_t damaged = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir / "data")) {
    if (entry.path().extension() != ".log" || entry.file_size() < 200) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(entry.file_size() / 2));
    const char flipped = static_cast<char>(file.get() ^ 0x10);
    file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
    file.put(flipped);
    ++damaged;
  }
  ASSERT_GT(damaged, 0u);
  Spoold spoold(Here(dir));
  const std::string admin = spoold.Address("admin");
  EXPECT_EQ(Call("GET", admin, "/health").status, 200);
  const HttpReply ready = Call("GET", admin, "/ready");
  EXPECT_EQ(ready.Code(), "damaged") << ready.body;
  EXPECT_NE(spoold.output().find("was left as it is"), std::string::npos) << spoold.output();
  spoold.Signal(SIGTERM);
  EXPECT_EQ(spoold.Wait(), 0) << spoold.output();
}

}  // namespace
}  // namespace spool::testing
