// spoolctl against a real spoold: every command does what it says, on events that were posted.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <regex>

#include "base/clock.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "tests/support/ctl_fixture.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

using ::testing::HasSubstr;

constexpr auto kPatience = std::chrono::seconds(30);

// A place that takes deliveries; an event with "refuse-me" in it only once it was told to.
class Receiver {
 public:
  Receiver() {
    net::HttpServerOptions options;
    options.name = "receiver";
    options.address = "127.0.0.1:0";
    auto server =
        net::HttpServer::Start(options, [this](net::HttpRequest&& r, net::HttpResponder responder) {
          if (!lenient_ && r.body.find("refuse-me") != r.body.npos) {
            responder.Send(net::Problem(400, "no", "field 'x' is not known here"));
            return;
          }
          {
            const std::lock_guard lock(mutex_);
            received_ += r.body + "\n";
            for (const auto& [name, value] : r.headers) received_ += name + ": " + value + "\n";
          }
          changed_.notify_all();
          responder.Send({});
        });
    if (!server) std::abort();
    server_ = *std::move(server);
  }
  ~Receiver() { server_->Stop(RealClock().Steady()); }

  std::string url() const { return "http://" + server_->address() + "/in"; }
  void BeLenient() { lenient_ = true; }
  size_t Count(const std::string& text) const {
    const std::lock_guard lock(mutex_);
    return CountLocked(text);
  }
  bool WaitFor(const std::string& text, size_t times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return CountLocked(text) >= times; });
  }

 private:
  size_t CountLocked(const std::string& text) const {
    size_t n = 0;
    for (size_t at = 0; (at = received_.find(text, at)) != received_.npos; ++at) ++n;
    return n;
  }

  std::atomic<bool> lenient_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string received_;
  std::unique_ptr<net::HttpServer> server_;
};

// A spoold with a directory of its own, on free ports that its log tells.
class Daemon {
 public:
  explicit Daemon(const std::string& targets) {
    const char* base = std::getenv("TMPDIR");
    directory_ = std::string(base == nullptr ? "/tmp" : base) + "/spool-live-XXXXXX";
    if (mkdtemp(directory_.data()) == nullptr) std::abort();
    config_ = directory_ + "/spool.yaml";
    std::ofstream(config_) << "version: 1\ncluster: { name: test }\n"
                           << "log: { level: info, format: json }\n"
                           << "journal: { disk_reserve: 0 }\n"
                           << "admin: { address: 127.0.0.1:0 }\n"
                           << "sources:\n  web: { type: http, address: 127.0.0.1:0 }\n"
                           << "targets:\n"
                           << targets;
  }
  ~Daemon() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
  }

  // Until its log says that it is up; false if it ends or does not come up.
  bool Start() {
    const std::string program = BinaryDir() + "/spoold";
    const std::string data = directory_ + "/data";
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0) return false;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(out[1], STDERR_FILENO);
      execl(program.c_str(), program.c_str(), "--config", config_.c_str(), "--data-dir",
            data.c_str(), nullptr);
      _exit(127);
    }
    close(out[1]);
    std::string text;
    const SteadyTime deadline = RealClock().Steady() + kPatience;
    static const std::regex kUp(R"re(is up.*"ingest":"([^"]+)".*"admin":"([^"]+)")re");
    std::smatch found;
    for (;;) {
      const auto left = std::chrono::duration_cast<Millis>(deadline - RealClock().Steady()).count();
      pollfd fd{out[0], POLLIN, 0};
      if (left <= 0 || poll(&fd, 1, static_cast<int>(left)) <= 0) break;
      char buffer[4096];
      const ssize_t n = read(out[0], buffer, sizeof buffer);
      if (n <= 0) break;
      text.append(buffer, static_cast<size_t>(n));
      if (std::regex_search(text, found, kUp)) {
        ingest_ = "http://" + found[1].str();
        admin_ = "http://" + found[2].str();
        // What it says later fits into the pipe; a test that fails shows none of it.
        fcntl(out[0], F_SETPIPE_SZ, 1 << 20);
        log_end_ = out[0];
        return true;
      }
    }
    ADD_FAILURE() << "spoold does not come up:\n" << text;
    close(out[0]);
    return false;
  }

  int Stop() {
    kill(pid_, SIGTERM);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    if (log_end_ >= 0) close(log_end_);
    log_end_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  void Post(const std::string& body) {
    auto client = net::HttpClient::Create({});
    net::HttpCall call;
    call.url = ingest_ + "/v1/events";
    call.headers = {{"Content-Type", "application/json"}};
    call.body = body;
    const net::HttpAnswer answer = client->Perform(call);
    ASSERT_FALSE(answer.error) << answer.error->message;
    ASSERT_EQ(answer.status, 200) << answer.body;
  }

  CtlProcess::Options Options(int columns = 0) const {
    CtlProcess::Options options;
    options.env = {{"SPOOLCTL_SERVER", admin_}};
    options.columns = columns;
    return options;
  }
  CtlResult Ctl(const std::vector<std::string>& args, int columns = 0) const {
    return RunCtl(args, Options(columns));
  }
  // Runs the command until its output has `text`, for at most half a minute.
  CtlResult CtlUntil(const std::vector<std::string>& args, const std::string& text) const {
    const SteadyTime deadline = RealClock().Steady() + kPatience;
    CtlResult result;
    do {
      result = Ctl(args);
    } while (result.out.find(text) == result.out.npos && RealClock().Steady() < deadline);
    EXPECT_THAT(result.out, HasSubstr(text)) << ::testing::PrintToString(args) << result.err;
    return result;
  }
  const std::string& config() const { return config_; }

 private:
  std::string directory_;
  std::string config_;
  std::string ingest_;
  std::string admin_;
  pid_t pid_ = -1;
  int log_end_ = -1;
};

std::string PodEvent(const std::string& name, const std::string& reason,
                     const std::string& message) {
  return R"({"apiVersion":"v1","kind":"Event","metadata":{"name":")" + name +
         R"(.1","namespace":"payments","uid":"uid-)" + name +
         R"(","resourceVersion":"1"},"involvedObject":{"kind":"Pod","namespace":"payments","name":")" +
         name + R"("},"reason":")" + reason + R"(","message":")" + message +
         R"(","type":"Warning","count":1,"firstTimestamp":"2026-11-20T06:11:14Z",)" +
         R"("lastTimestamp":"2026-11-20T06:11:14Z"})";
}

std::string Field(const std::string& json, const std::string& key) {
  const std::regex field("\"" + key + "\":\\s*\"?([^\",}\\s]*)");
  std::smatch found;
  return std::regex_search(json, found, field) ? found[1].str() : "";
}

class CtlLive : public ::testing::Test {
 protected:
  CtlLive()
      : daemon_("  hook: { type: webhook, url: \"" + receiver_.url() +
                "\", retry: { first: 50ms, max: 200ms } }\n  sink: { type: \"null\" }\n") {}
  void SetUp() override { ASSERT_TRUE(daemon_.Start()); }

  Receiver receiver_;
  Daemon daemon_;
};

TEST_F(CtlLive, StatusStreamsTargetsAndSourcesShowWhatWasPosted) {
  daemon_.Post(PodEvent("api-1", "BackOff", "Back-off restarting") + "\n" +
               PodEvent("api-2", "Failed", "Error: ImagePullBackOff"));
  ASSERT_TRUE(receiver_.WaitFor("api-2"));
  daemon_.CtlUntil({"target", "info", "hook"}, "2 = delivered 2 + pending 0");

  const CtlResult status = daemon_.Ctl({"status"});
  EXPECT_EQ(status.exit, 0);
  EXPECT_THAT(status.out, HasSubstr("ready"));
  EXPECT_THAT(status.out, HasSubstr("all accounted for"));
  EXPECT_THAT(status.out, HasSubstr("hook"));
  const CtlResult json = daemon_.Ctl({"status", "-o", "json"});
  for (const char* key : {"version", "ready", "uptime_seconds", "sequence", "first", "end",
                          "streams", "targets", "disk", "used_bytes", "free_bytes"}) {
    EXPECT_THAT(json.out, HasSubstr(std::string("\"") + key + "\":"));
  }

  const CtlResult names = daemon_.Ctl({"stream", "ls", "-o", "name"});
  for (const char* name : {"kubernetes-events", "infrastructure-changes", "security-events",
                           "admission-control", "quarantine"}) {
    EXPECT_THAT(names.out, HasSubstr(std::string("stream/") + name + "\n"));
  }
  const CtlResult stream = daemon_.Ctl({"stream", "info", "quarantine", "-o", "json"});
  for (const char* key :
       {"name", "events", "bytes", "raw_bytes", "oldest", "newest", "retention"}) {
    EXPECT_THAT(stream.out, HasSubstr(std::string("\"") + key + "\":"));
  }
  const CtlResult target = daemon_.Ctl({"target", "info", "hook", "-o", "json"});
  for (const char* key : {"name", "type", "state", "cursor", "lag_events", "lag_seconds",
                          "accepted", "delivered", "filtered", "dead_lettered", "evicted",
                          "skipped", "pending", "duplicates", "retries", "last_error"}) {
    EXPECT_THAT(target.out, HasSubstr(std::string("\"") + key + "\":"));
  }
  EXPECT_THAT(daemon_.Ctl({"source", "ls"}).out, ::testing::ContainsRegex("web +http +up +2"));
  EXPECT_THAT(daemon_.Ctl({"version"}).out, HasSubstr("spoold   "));
  EXPECT_EQ(daemon_.Ctl({"config", "validate", daemon_.config()}).exit, 0);
  EXPECT_EQ(daemon_.Ctl({"stream", "info", "quarantin"}).exit, 4);
  EXPECT_THAT(daemon_.Ctl({"target", "info", "hok"}).err, HasSubstr("did you mean 'hook'?"));
}

TEST_F(CtlLive, EventsAreFoundByEveryFilterAndByNameAndSequence) {
  daemon_.Post(PodEvent("api-1", "BackOff", "Back-off restarting"));
  daemon_.Post(PodEvent("api-2", "Failed", "\\u001b[31mred \\u202egnp"));
  const CtlResult all = daemon_.Ctl({"events", "ls"});
  EXPECT_EQ(all.exit, 0) << all.err;
  EXPECT_THAT(all.out, HasSubstr("Pod/payments/api-1"));
  EXPECT_THAT(all.out, HasSubstr("\\u001b[31mred \\u202egnp"));
  EXPECT_EQ(all.out.find('\x1b'), all.out.npos);
  EXPECT_LT(all.out.find("api-1"), all.out.find("api-2"));

  for (const std::vector<std::string>& filter :
       std::vector<std::vector<std::string>>{{"--reason", "Back*"},
                                             {"--name", "api-1"},
                                             {"--match", "data.involvedObject.name=api-1"},
                                             {"--to-sequence", "2"},
                                             {"--reason", "=~^Ba"},
                                             {"--match", "reason!=Failed"}}) {
    std::vector<std::string> args = {"events",      "ls",   "--kind", "Pod",
                                     "--namespace", "pay*", "-o",     "jsonl"};
    args.insert(args.end(), filter.begin(), filter.end());
    const CtlResult found = daemon_.Ctl(args);
    EXPECT_EQ(found.exit, 0) << found.err;
    EXPECT_EQ(std::count(found.out.begin(), found.out.end(), '\n'), 1)
        << ::testing::PrintToString(filter) << found.out;
    EXPECT_THAT(found.out, HasSubstr("api-1"));
  }
  EXPECT_THAT(daemon_.Ctl({"events", "ls", "--kind", "Node"}).err, HasSubstr("no events"));
  EXPECT_EQ(daemon_.Ctl({"events", "ls", "--reason", "=~["}).exit, 2);
  EXPECT_THAT(daemon_.Ctl({"events", "ls", "--since", "1d", "-o", "name", "--limit", "1"}).out,
              ::testing::MatchesRegex("event/[0-9a-f]+\n"));
  EXPECT_THAT(
      daemon_
          .Ctl({"events", "ls", "--by", "event-time", "--from", "2026-11-20", "--to", "2026-11-21"})
          .out,
      HasSubstr("api-2"));
  EXPECT_EQ(daemon_.Ctl({"events", "ls", "--to", "2026-01-01"}).out, "");

  const CtlResult one = daemon_.Ctl({"events", "get", "1"});
  EXPECT_EQ(one.exit, 0) << one.err;
  const std::string id = Field(one.out, "id");
  EXPECT_EQ(id.size(), 32u) << one.out;
  EXPECT_EQ(daemon_.Ctl({"events", "get", id}).out, one.out);
  EXPECT_EQ(daemon_.Ctl({"events", "get", "99"}).exit, 4);
  EXPECT_EQ(daemon_.Ctl({"events", "get", std::string(32, 'a')}).exit, 4);
}

TEST_F(CtlLive, TailShowsWhatIsPostedWhileItRuns) {
  daemon_.Post(PodEvent("before", "R", "m"));
  auto tail = CtlProcess::Start({"events", "tail", "--kind", "Pod"}, daemon_.Options());
  ASSERT_TRUE(tail->WaitForText("Pod/payments/before"));
  daemon_.Post(PodEvent("after-1", "R", "m"));
  ASSERT_TRUE(tail->WaitForText("Pod/payments/after-1"));
  daemon_.Post(PodEvent("after-2", "R", "m"));
  ASSERT_TRUE(tail->WaitForText("Pod/payments/after-2"));
  tail->Signal(SIGINT);
  const CtlResult result = tail->Finish();
  EXPECT_EQ(result.exit, 130);
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 4) << result.out;
}

TEST_F(CtlLive, ATargetIsPausedSkippedAndResumed) {
  daemon_.Post(PodEvent("first", "R", "m"));
  ASSERT_TRUE(receiver_.WaitFor("first"));
  EXPECT_EQ(daemon_.Ctl({"target", "pause", "hook"}).out,
            "target/hook paused\n");  // on record as 2
  daemon_.CtlUntil({"target", "ls"}, "paused");
  daemon_.Post(PodEvent("second", "R", "m"));
  daemon_.CtlUntil({"target", "info", "hook"}, "delivered 1 + pending 1");
  EXPECT_EQ(daemon_.Ctl({"target", "skip", "hook", "--to", "now"}).exit, 5);
  const CtlResult skipped = daemon_.Ctl({"target", "skip", "hook", "--to", "4", "--yes"});
  EXPECT_EQ(skipped.exit, 0) << skipped.err;
  EXPECT_THAT(skipped.out, HasSubstr("target/hook skipped 1 event\n"));
  EXPECT_EQ(daemon_.Ctl({"target", "resume", "hook"}).exit, 0);
  daemon_.Post(PodEvent("third", "R", "m"));
  ASSERT_TRUE(receiver_.WaitFor("third"));
  daemon_.CtlUntil({"target", "info", "hook"}, "3 = delivered 2 + skipped 1 + pending 0");
  EXPECT_EQ(receiver_.Count("second"), 0u);
}

TEST_F(CtlLive, DeadLettersAreListedRetriedAndDropped) {
  daemon_.Post(PodEvent("good", "R", "m") + "\n" + PodEvent("bad-1", "R", "refuse-me") + "\n" +
               PodEvent("bad-2", "R", "refuse-me") + "\n" + PodEvent("bad-3", "R", "refuse-me"));
  daemon_.CtlUntil({"target", "info", "hook"}, "dead-lettered 3 + pending 0");
  const CtlResult ls = daemon_.Ctl({"dlq", "ls", "--target", "hook"});
  EXPECT_THAT(ls.out, HasSubstr("rejected"));
  EXPECT_THAT(ls.out, HasSubstr("field 'x' is not known here"));
  const CtlResult json = daemon_.Ctl({"dlq", "ls", "-o", "json"});
  for (const char* key : {"id", "target", "sequence", "event_id", "reason", "code", "attempts",
                          "first_failed", "last_failed", "excerpt"}) {
    EXPECT_THAT(json.out, HasSubstr(std::string("\"") + key + "\":"));
  }
  const std::string names = daemon_.Ctl({"dlq", "ls", "-o", "name"}).out;
  const std::string first = names.substr(0, names.find('\n'));
  EXPECT_THAT(daemon_.Ctl({"dlq", "get", first}).out, HasSubstr("\"message\": \"refuse-me\""));

  EXPECT_EQ(daemon_.Ctl({"dlq", "drop", first}).exit, 5);
  EXPECT_EQ(daemon_.Ctl({"dlq", "drop", first, "-y"}).exit, 0);
  EXPECT_EQ(daemon_.Ctl({"dlq", "get", first}).exit, 4);
  receiver_.BeLenient();
  EXPECT_THAT(daemon_.Ctl({"dlq", "retry", "--target", "hook", "--all"}).out,
              HasSubstr("will retry 2 dead letters"));
  ASSERT_TRUE(receiver_.WaitFor("refuse-me", 2));
  daemon_.CtlUntil({"target", "info", "hook"}, "4 = delivered 3 + dead-lettered 1 + pending 0");
  EXPECT_THAT(daemon_.Ctl({"dlq", "ls"}).err, HasSubstr("no dead letters"));
}

TEST_F(CtlLive, AReplaySendsThePastOnceMore) {
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += PodEvent("past-" + std::to_string(i), "R", "m") + "\n";
  daemon_.Post(lines);
  ASSERT_TRUE(receiver_.WaitFor("uid-past-", 20));
  const size_t before = receiver_.Count("uid-past-");

  const CtlResult dry =
      daemon_.Ctl({"replay", "start", "--target", "hook", "--from", "1h", "--dry-run"});
  EXPECT_EQ(dry.exit, 0) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("20 events"));
  EXPECT_THAT(daemon_.Ctl({"replay", "ls"}).err, HasSubstr("no replays"));

  const CtlResult started = daemon_.Ctl({"replay", "start", "--target", "hook", "--from", "1h",
                                         "--match", "name=past-1*", "-o", "name"});
  EXPECT_EQ(started.exit, 0) << started.err;
  const std::string id = started.out.substr(0, started.out.find('\n'));
  const CtlResult watched = daemon_.Ctl({"replay", "watch", id});
  EXPECT_EQ(watched.exit, 0) << watched.out << watched.err;
  EXPECT_THAT(watched.out, HasSubstr("done: 11 delivered, 0 rejected"));
  EXPECT_EQ(receiver_.Count("uid-past-") - before, 11u);
  const CtlResult info = daemon_.Ctl({"replay", "info", id, "-o", "json"});
  for (const char* key :
       {"id", "target", "state", "from", "to", "total", "settled", "delivered", "rejected"}) {
    EXPECT_THAT(info.out, HasSubstr(std::string("\"") + key + "\":"));
  }
  EXPECT_EQ(daemon_.Ctl({"replay", "pause", id}).exit, 1);  // it has ended
  EXPECT_EQ(daemon_.Ctl({"replay", "info", "r-000000"}).exit, 4);
}

TEST_F(CtlLive, ASlowReplayIsWatchedLeftPausedResumedAndCancelled) {
  std::string lines;
  for (int i = 0; i < 50; ++i) lines += PodEvent("slow-" + std::to_string(i), "R", "m") + "\n";
  daemon_.Post(lines);
  auto start = CtlProcess::Start(
      {"replay", "start", "--target", "hook", "--from", "1", "--rate", "1/s", "--no-color"},
      daemon_.Options(80));
  ASSERT_TRUE(start->WaitForText("/50"));
  start->Type("\x03");
  const CtlResult detached = start->Finish();
  EXPECT_EQ(detached.exit, 130);
  std::smatch found;
  ASSERT_TRUE(
      std::regex_search(detached.out, found, std::regex("spoolctl replay watch (r-[0-9a-z]+)")))
      << detached.out;
  const std::string id = found[1];
  EXPECT_EQ(daemon_.Ctl({"replay", "pause", id}).out, "replay/" + id + " paused\n");
  daemon_.CtlUntil({"replay", "ls"}, "paused");
  EXPECT_EQ(daemon_.Ctl({"replay", "resume", id}).exit, 0);
  daemon_.CtlUntil({"replay", "ls"}, "running");
  EXPECT_EQ(daemon_.Ctl({"replay", "cancel", id}).exit, 5);
  EXPECT_EQ(daemon_.Ctl({"replay", "cancel", id, "-y"}).exit, 0);
  EXPECT_EQ(daemon_.Ctl({"replay", "watch", id}).exit, 1);
}

TEST_F(CtlLive, ADaemonThatStoppedCannotBeReached) {
  EXPECT_EQ(daemon_.Stop(), 0);
  EXPECT_EQ(daemon_.Ctl({"status"}).exit, 6);
}

}  // namespace
}  // namespace spool::testing
