// The program is killed again and again while a replay runs: what the target has had in the end,
// and what the job said meanwhile.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <map>
#include <random>
#include <vector>

#include "base/hash.h"
#include "tests/support/app_http.h"
#include "tests/support/fault_profile.h"
#include "tests/support/moment.h"
#include "tests/support/net_raw_client.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr uint64_t kBatch = 8;

uint64_t SequenceOf(const json& event) {
  return std::stoull(event.at("sequence").get<std::string>());
}

// A spoold with one file target, a journal whose oldest events retention has taken, and a live
// cursor that has settled everything.
class ReplayKills : public ::testing::Test {
 protected:
  ReplayKills() {
    ingest_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    do {
      admin_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    } while (admin_ == ingest_);
    std::ofstream(dir_ / "spool.yaml")
        << "version: 1\ndata_dir: " << dir_ / "data"
        << "\njournal: { disk_reserve: 0 }\nadmin: { address: \"" << admin_ << "\" }\n"
        << "streams: { kubernetes-events: { retention: { size: 16MiB } } }\n"
        << "sources:\n  web: { type: http, address: \"" << ingest_ << "\" }\n"
        << "targets:\n  out: { type: file, path: " << dir_ / "out.jsonl"
        << ", start: beginning, batch: { events: " << kBatch << " } }\n";
  }
  void Start() {
    spoold_ = std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "spool.yaml"},
                                       dir_ / "log");
    ASSERT_TRUE(WaitUntil([&] { return Call("GET", admin_, "/ready").status == 200; })) << Log();
  }
  json Get(const std::string& path) const { return Call("GET", admin_, path).Json(); }
  json Stream() const { return Get("/api/v1/streams/kubernetes-events"); }
  json Target() const { return Get("/api/v1/targets/out"); }
  std::string Log() const {
    std::ifstream in(dir_ / "log");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  bool WaitSettled() const {
    return WaitUntil([&] { return Target().value("pending", 1) == 0; });
  }
  // Events numbered on, `fill` bytes of each do not compress.
  void Post(int count, size_t fill) {
    std::string body;
    for (int i = 0; i < count; ++i) {
      std::string noise;
      while (noise.size() < fill) noise += RandomHash128().Hex();
      body += "{\"n\":" + std::to_string(++posted_) + ",\"noise\":\"" + noise + "\"}\n";
    }
    const HttpReply reply =
        Call("POST", ingest_, "/v1/events", body, {{"Content-Type", "application/x-ndjson"}});
    ASSERT_EQ(reply.status, 200) << reply.body;
  }
  // Older than what the stream may keep, then small ones.
  void FillAndEvict() {
    for (int i = 0; i < 24; ++i) ASSERT_NO_FATAL_FAILURE(Post(5, 300'000));
    ASSERT_TRUE(WaitSettled());
    ASSERT_TRUE(WaitUntil([&] {
      const json stream = Stream();
      return stream["evicted"] > 0 && stream["bytes"] <= stream["retention"]["bytes"];
    })) << Stream();
    ASSERT_NO_FATAL_FAILURE(Post(400, 0));
    ASSERT_TRUE(WaitSettled());
  }
  // What the file has: events by the replay that they are marked with, "" for live ones.
  std::map<std::string, std::vector<json>> Arrived() const {
    std::map<std::string, std::vector<json>> arrived;
    std::ifstream in(dir_ / "out.jsonl");
    for (std::string line; std::getline(in, line);) {
      json event = json::parse(line, nullptr, false);
      EXPECT_FALSE(event.is_discarded()) << line.substr(0, 200);
      if (!event.is_discarded()) arrived[event.value("replay", "")].push_back(std::move(event));
    }
    return arrived;
  }

  const AppDir dir_;
  std::string ingest_;
  std::string admin_;
  std::unique_ptr<Spoold> spoold_;
  int posted_ = 0;
};

TEST_F(ReplayKills, SendEachKeptEventOfTheRangeAndNothingElseHoweverOftenItIsKilled) {
  const FaultProfile profile("REPLAY", 12, std::random_device()());
  std::mt19937_64 random(profile.seed());
  SCOPED_TRACE("SPOOL_REPLAY_SEED=" + std::to_string(profile.seed()));
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(FillAndEvict());
  const uint64_t first = Stream()["first_sequence"].get<uint64_t>();
  const uint64_t end = Get("/api/v1/status")["sequence"]["end"].get<uint64_t>() - 50;
  ASSERT_GT(first, 1u);
  const json live = Target();
  std::map<std::string, int> kills_of;
  for (int kills = 0; kills < profile.count();) {
    const HttpReply started =
        Call("POST", admin_, "/api/v1/replays",
             R"({"target":"out","from":"1","to":")" + std::to_string(end) + R"(","rate":250})");
    ASSERT_EQ(started.status, 201) << started.body;
    const std::string id = started.Json()["id"];
    const std::string path = "/api/v1/replays/" + id;
    json before = started.Json();
    while (before["state"] == "running") {
      AwaitRandomMoment(milliseconds(random() % 250));
      json now = Get(path);
      if (now["state"] == "running") {
        ASSERT_TRUE(spoold_->Kill()) << Log();
        ++kills;
        ++kills_of[id];
        ASSERT_NO_FATAL_FAILURE(Start());
        before = std::move(now);
        now = Get(path);
      }
      for (const char* fixed : {"first", "end", "total", "target", "rate", "created"}) {
        ASSERT_EQ(now[fixed], started.Json()[fixed]) << fixed << " " << now;
      }
      for (const char* rising : {"settled", "delivered", "rejected", "evicted"}) {
        ASSERT_GE(now[rising], before[rising]) << rising << " " << now << before;
      }
      ASSERT_LE(now["settled"], now["total"]) << now;
      // The target's own traffic knows nothing of it. (Its place may pass the replay's own record
      // in the audit stream, which is none of its streams.)
      const json target = Target();
      for (const char* untouched : {"accepted", "delivered", "dead_lettered", "evicted", "skipped",
                                    "pending", "duplicates"}) {
        ASSERT_EQ(target[untouched], live[untouched]) << untouched << " " << target;
      }
      ASSERT_GE(target["cursor"], live["cursor"]) << target;
      ASSERT_LE(target["cursor"], Get("/api/v1/status")["sequence"]["end"]) << target;
      before = std::move(now);
    }
    ASSERT_EQ(before["state"], "done") << before;
    // Streams that the target does not read, such as that of these very requests' records, may
    // begin earlier.
    EXPECT_LE(before["first"], first);
    EXPECT_EQ(before["end"], end);
    EXPECT_EQ(before["total"], end - first);
    EXPECT_EQ(before["settled"], end - first);
    EXPECT_EQ(before["delivered"], end - first);
  }
  // The live cursor goes on where it was.
  ASSERT_NO_FATAL_FAILURE(Post(1, 0));
  ASSERT_TRUE(WaitSettled());

  auto arrived = Arrived();
  std::map<uint64_t, json> originals;
  for (const json& event : arrived[""]) {
    ASSERT_TRUE(originals.emplace(SequenceOf(event), event).second) << "twice, without a mark";
  }
  EXPECT_EQ(originals.size(), static_cast<size_t>(posted_));
  arrived.erase("");
  EXPECT_EQ(arrived.size(), kills_of.size());
  size_t again = 0;
  for (const auto& [id, events] : arrived) {
    ASSERT_TRUE(kills_of.contains(id)) << id;
    uint64_t next = first;
    for (json event : events) {
      const uint64_t sequence = SequenceOf(event);
      ASSERT_GE(sequence, first);
      ASSERT_LT(sequence, end);
      ASSERT_LE(sequence, next) << "an event was passed over";
      if (sequence == next) ++next;
      event.erase("replay");
      ASSERT_EQ(event, originals.at(sequence)) << "it is otherwise identical";
    }
    EXPECT_EQ(next, end);
    // A kill can repeat what one batch held, and no more.
    EXPECT_LE(events.size(), end - first + static_cast<size_t>(kills_of[id]) * kBatch);
    again += events.size() - (end - first);
  }
  profile.Report("replay kills", profile.count(), std::to_string(again) + " events sent again");
  spoold_->Signal(SIGTERM);
  EXPECT_EQ(spoold_->Wait(std::chrono::seconds(25)), 0) << Log();
}

}  // namespace
}  // namespace spool::testing
