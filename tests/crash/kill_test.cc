// The program under load, ended by SIGKILL again and again, and what an outsider then finds: in the
// journal through the admin API, in the file and at the webhook.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iterator>
#include <mutex>
#include <random>
#include <thread>

#include "tests/support/app_http.h"
#include "tests/support/net_raw_client.h"

namespace spool::testing {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// One run of the program; what it says is appended to `log`. Killed at the end if it still runs.
class Spoold {
 public:
  Spoold(std::vector<std::string> args, const std::string& log) {
    args.insert(args.begin(), std::string(SPOOL_BINARY_DIR) + "/spoold");
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    const int out = open(log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(out, STDOUT_FILENO);
      dup2(out, STDERR_FILENO);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(out);
  }
  ~Spoold() {
    if (pid_ > 0) Kill();
  }
  Spoold(const Spoold&) = delete;
  Spoold& operator=(const Spoold&) = delete;

  void Signal(int number) const { kill(pid_, number); }
  // True if it was SIGKILL that ended it, and nothing before.
  bool Kill() {
    int status = 0;
    kill(pid_, SIGKILL);
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }
  // Its exit status, 128 + the signal that ended it, -1 when it does not end in time.
  int Wait(milliseconds limit) {
    int status = 0;
    if (!WaitUntil([&] { return waitpid(pid_, &status, WNOHANG) == pid_; }, limit)) return -1;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

// What is sent is a function of its number alone.
json DataOf(uint64_t n) {
  return {{"n", n}, {"pad", std::string(n * 7919 % 600, static_cast<char>('a' + n % 26))}};
}

std::string BodyOf(uint64_t first, uint64_t count) {
  json batch = json::array();
  for (uint64_t n = first; n < first + count; ++n) {
    batch.push_back({{"specversion", "1.0"},
                     {"id", "c-" + std::to_string(n)},
                     {"source", "/crash-test"},
                     {"type", "test.crash"},
                     {"data", DataOf(n)}});
  }
  return batch.dump();
}

// Sends batches of new events, and some of those again of which nobody knows what became. Threads
// of its own between Begin and End; the numbers go on from one load to the next.
class Producers {
 public:
  Producers(std::string ingest, uint64_t seed)
      : url_("http://" + ingest + "/v1/events"), seed_(seed) {}
  ~Producers() { End(); }

  void Begin() {
    stop_ = false;
    again_ = 6;
    for (int i = 0; i < 3; ++i) threads_.emplace_back([this, seed = ++seed_] { Run(seed); });
  }
  // Each thread ends by itself when it gets no answer.
  void End() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  // After End.
  uint64_t sent() const { return next_; }
  const std::vector<std::pair<uint64_t, uint64_t>>& acknowledged() const { return acknowledged_; }
  uint64_t batches_in_doubt() const { return in_doubt_total_; }
  uint64_t refused() const { return refused_; }
  size_t acknowledgements() {
    const std::lock_guard lock(mutex_);
    return acknowledged_.size();
  }

 private:
  using Batch = std::pair<uint64_t, uint64_t>;  // first, count

  Batch Take(std::mt19937_64& random) {
    const std::lock_guard lock(mutex_);
    if (again_ > 0 && !in_doubt_.empty()) {
      --again_;
      const Batch batch = in_doubt_.front();
      in_doubt_.pop_front();
      return batch;
    }
    const Batch batch{next_, 1 + random() % 20};
    next_ += batch.second;
    return batch;
  }

  void Run(uint64_t seed) {
    std::mt19937_64 random(seed);
    net::HttpClientOptions options;
    options.connections = 1;
    options.request_timeout = seconds(20);
    const auto client = net::HttpClient::Create(options);
    while (!stop_) {
      const Batch batch = Take(random);
      const std::string body = BodyOf(batch.first, batch.second);
      net::HttpCall call;
      call.url = url_;
      call.headers = {{"Content-Type", "application/cloudevents-batch+json"}};
      call.body = body;
      const net::HttpAnswer answer = client->Perform(call);
      const std::lock_guard lock(mutex_);
      if (!answer.error && answer.status / 100 == 2) {
        acknowledged_.push_back(batch);
        continue;
      }
      in_doubt_.push_back(batch);
      ++in_doubt_total_;
      if (answer.error) return;
      ++refused_;
    }
  }

  const std::string url_;
  uint64_t seed_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  uint64_t next_ = 0;
  int again_ = 0;  // batches in doubt that may still be sent again in this load
  std::deque<Batch> in_doubt_;
  std::vector<Batch> acknowledged_;
  uint64_t in_doubt_total_ = 0;
  uint64_t refused_ = 0;
};

class Crash : public ::testing::Test {
 protected:
  Crash() {
    const char* given = std::getenv("SPOOL_CRASH_SEED");
    seed_ = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
    random_.seed(seed_);
    ingest_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    do {
      admin_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    } while (admin_ == ingest_);
    const std::string common = ", start: beginning, retry: { first: 20ms, max: 200ms } }\n";
    std::ofstream(dir_ / "spool.yaml")
        << "version: 1\ndata_dir: " << dir_ / "data"
        << "\njournal: { disk_reserve: 0 }\n"
        << "admin: { address: \"" << admin_ << "\" }\n"
        << "sources:\n  web: { type: http, address: \"" << ingest_ << "\" }\n"
        << "targets:\n  file: { type: file, path: " << dir_ / "out.jsonl" << common
        << "  hook: { type: webhook, format: batch, url: \"" << receiver_.url() << "\"" << common;
    producers_ = std::make_unique<Producers>(ingest_, seed_);
  }

  std::unique_ptr<Spoold> Start() {
    return std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "spool.yaml"},
                                    log());
  }
  std::string log() const { return dir_ / "log"; }
  bool WaitReady() const {
    return WaitUntil([&] { return Call("GET", admin_, "/ready").status == 200; });
  }
  bool WaitSettled() const {
    return WaitUntil(
        [&] {
          const json status = Call("GET", admin_, "/api/v1/status").Json();
          if (!status.is_object() || !status.value("accounted", false)) return false;
          for (const json& target : status["targets"]) {
            if (target["pending"] != 0) return false;
          }
          return status["targets"].size() == 2;
        },
        seconds(60));
  }
  static void Pause(milliseconds time) {
    WaitUntil([] { return false; }, time);
  }
  milliseconds Random(int from, int to) {
    return milliseconds(std::uniform_int_distribution<int>(from, to)(random_));
  }

  // The number of an event, which must be one that was sent, as it was sent.
  std::optional<uint64_t> NumberOf(const json& event) const {
    if (!event.is_object() || !event.contains("data") || !event["data"].is_object()) {
      ADD_FAILURE() << "not an event of ours: " << event;
      return std::nullopt;
    }
    const uint64_t n = event["data"].value("n", UINT64_MAX);
    if (n >= producers_->sent() || event["data"] != DataOf(n) ||
        event.value("producerid", "") != "c-" + std::to_string(n)) {
      ADD_FAILURE() << "never sent: " << event;
      return std::nullopt;
    }
    return n;
  }
  static uint64_t SequenceOf(const json& event) {
    const json& sequence = event["sequence"];
    return sequence.is_string() ? std::strtoull(sequence.get<std::string>().c_str(), nullptr, 10)
                                : sequence.get<uint64_t>();
  }

  void ReadJournal() {
    uint64_t from = 0;
    std::optional<uint64_t> last;
    place_.assign(producers_->sent(), 0);
    for (bool more = true; more;) {  // `complete` is also said of a page that its limit ended
      const EventPage page = ParseEvents(
          Call("GET", admin_,
               "/api/v1/events?order=oldest&limit=10000&from_sequence=" + std::to_string(from)));
      ASSERT_TRUE(page.scan.is_object());
      for (const json& event : page.events) {
        const auto n = NumberOf(event);
        ASSERT_TRUE(n.has_value());
        const uint64_t sequence = SequenceOf(event);
        ASSERT_TRUE(!last || sequence == *last + 1) << sequence << " follows " << *last;
        last = sequence;
        ASSERT_EQ(place_[*n], 0u) << *n << " is stored twice";
        place_[*n] = ++stored_;
      }
      const uint64_t next = page.scan["next"].get<uint64_t>();
      more = next < page.scan["end"].get<uint64_t>();
      ASSERT_TRUE(!more || next > from) << page.scan;
      from = next;
    }
  }

  // `events` as they arrived at a target.
  void CheckArrived(const std::string& target, const std::vector<json>& events) {
    SCOPED_TRACE(target);
    std::vector<bool> seen(place_.size());
    uint64_t last = 0;
    for (const json& event : events) {
      const auto n = NumberOf(event);
      ASSERT_TRUE(n.has_value());
      ASSERT_NE(place_[*n], 0u) << *n << " was delivered and is not in the journal";
      if (seen[*n]) continue;
      seen[*n] = true;
      ASSERT_EQ(place_[*n], last + 1) << *n << " came first out of the journal's order";
      last = place_[*n];
    }
    EXPECT_EQ(last, stored_) << "not all of the journal arrived";
    std::printf("[          ] %s: %zu deliveries, %zu of them again\n", target.c_str(),
                events.size(), events.size() - static_cast<size_t>(last));
  }

  // With the program running and settled.
  void CheckEverything() {
    ASSERT_NO_FATAL_FAILURE(ReadJournal());
    uint64_t acknowledged = 0;
    for (const auto& [first, count] : producers_->acknowledged()) {
      for (uint64_t n = first; n < first + count; ++n, ++acknowledged) {
        ASSERT_NE(place_[n], 0u) << n << " was acknowledged and is lost";
      }
    }
    std::vector<json> events;
    std::ifstream in(dir_ / "out.jsonl");
    for (std::string line; std::getline(in, line);) {
      events.push_back(json::parse(line, nullptr, false));
      ASSERT_FALSE(events.back().is_discarded()) << line;
    }
    ASSERT_NO_FATAL_FAILURE(CheckArrived("file", events));
    events.clear();
    for (const std::string& body : receiver_.bodies()) {
      const json batch = json::parse(body, nullptr, false);
      ASSERT_TRUE(batch.is_array()) << body.substr(0, 200);
      events.insert(events.end(), batch.begin(), batch.end());
    }
    ASSERT_NO_FATAL_FAILURE(CheckArrived("hook", events));
    const json status = Call("GET", admin_, "/api/v1/status").Json();
    for (const json& t : status["targets"]) {
      const auto count = [&](const char* key) { return t[key].get<uint64_t>(); };
      EXPECT_EQ(count("accepted"), count("delivered") + count("filtered") + count("dead_lettered") +
                                       count("evicted") + count("skipped") + count("pending"))
          << t;
      EXPECT_EQ(count("accepted"), stored_) << t;
      EXPECT_EQ(count("delivered"), stored_) << t;
    }
    std::printf(
        "[          ] seed %llu: %llu events sent, %llu acknowledged, %llu stored; %llu batches in "
        "doubt, "
        "%llu refused\n",
        static_cast<unsigned long long>(seed_), static_cast<unsigned long long>(producers_->sent()),
        static_cast<unsigned long long>(acknowledged), static_cast<unsigned long long>(stored_),
        static_cast<unsigned long long>(producers_->batches_in_doubt()),
        static_cast<unsigned long long>(producers_->refused()));
    EXPECT_GT(acknowledged, 0u);
  }
  std::string Told() const {
    return "seed " + std::to_string(seed_) + ", log:\n" + ReadFile(log());
  }

  const AppDir dir_;
  Receiver receiver_;
  uint64_t seed_ = 0;
  std::mt19937_64 random_;
  std::string ingest_;
  std::string admin_;
  std::unique_ptr<Producers> producers_;
  std::vector<uint64_t> place_;  // of each number in the journal, from 1; 0: not there
  uint64_t stored_ = 0;
};

TEST_F(Crash, FortyKillsUnderLoadLoseNothingThatWasAcknowledged) {
  constexpr int kCycles = 40;
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    if (cycle % 5 == 4) {  // also while it still recovers from the last one
      auto starting = Start();
      Pause(Random(1, 80));
      ASSERT_TRUE(starting->Kill()) << Told();
    }
    auto spoold = Start();
    ASSERT_TRUE(WaitReady()) << "cycle " << cycle << ", " << Told();
    producers_->Begin();
    Pause(Random(60, 400));
    const bool killed = spoold->Kill();
    producers_->End();
    ASSERT_TRUE(killed) << "it ended by itself in cycle " << cycle << ", " << Told();
  }
  auto spoold = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  ASSERT_TRUE(WaitSettled()) << Call("GET", admin_, "/api/v1/status").body << "\n" << Told();
  std::printf("[          ] %d cycles\n", kCycles);
  CheckEverything();
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(seconds(25)), 0) << Told();
  if (HasFailure()) std::printf("%s\n", Told().c_str());
}

TEST_F(Crash, ASecondProcessOnTheDirectoryEndsAndTheFirstGoesOn) {
  auto first = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  producers_->Begin();
  // Ports of its own, so that only the directory is in the way.
  Spoold second(
      {"--config", dir_ / "spool.yaml", "--ingest", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
      dir_ / "second");
  const int exit = second.Wait(seconds(20));
  EXPECT_EQ(exit, 1);
  const std::string said = ReadFile(dir_ / "second");
  EXPECT_NE(said.find("cannot start, something else has what it needs"), std::string::npos) << said;
  EXPECT_NE(said.find(dir_ / "data"), std::string::npos) << said;
  const size_t before = producers_->acknowledgements();
  EXPECT_TRUE(WaitUntil([&] { return producers_->acknowledgements() > before + 3; })) << Told();
  producers_->End();
  EXPECT_EQ(producers_->batches_in_doubt(), 0u);
  ASSERT_TRUE(WaitSettled()) << Told();
  CheckEverything();
  first->Signal(SIGTERM);
  EXPECT_EQ(first->Wait(seconds(25)), 0) << Told();
}

TEST_F(Crash, SigtermUnderLoadEndsInTimeAndLosesNothing) {
  for (int cycle = 0; cycle < 3; ++cycle) {
    auto spoold = Start();
    ASSERT_TRUE(WaitReady()) << Told();
    producers_->Begin();
    Pause(Random(200, 500));
    spoold->Signal(SIGTERM);
    EXPECT_EQ(spoold->Wait(seconds(20)), 0) << Told();
    producers_->End();
  }
  auto spoold = Start();
  ASSERT_TRUE(WaitReady()) << Told();
  ASSERT_TRUE(WaitSettled()) << Told();
  CheckEverything();
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(seconds(20)), 0) << Told();
}

}  // namespace
}  // namespace spool::testing
