// The wall clock jumps by years under the running program, forwards and back, and over a restart.
#include <signal.h>

#include "tests/machine/disk_fixture.h"

namespace spool::testing {
namespace {

using nlohmann::json;

constexpr int64_t kYears = int64_t{10} * 365 * 24 * 3600;

class ClockJump : public OnAVolume {
 protected:
  ClockJump() : shim_(dir_ / "shim") {}
  std::unique_ptr<Spoold> StartShimmed() {
    // The webhook's target has a limit on age, which a jump must not reach.
    return Start("64MiB",
                 "  aged: { type: webhook, format: batch, url: \"" + aged_.url() +
                     "\", start: beginning, max_age: 12h, retry: { first: 20ms, max: 200ms } }\n"
                     "streams: { kubernetes-events: { retention: { age: 12h } } }\n",
                 shim_.under());
  }
  void Jump(int64_t seconds) { shim_.control().clock_offset = seconds; }
  static std::string Event(int id) {
    return R"({"specversion":"1.0","id":"j-)" + std::to_string(id) +
           R"(","source":"/jump","type":"t","data":{"id":)" + std::to_string(id) + "}}";
  }
  json Post(int id) const {
    return Call("POST", ingest_, "/v1/events", Event(id),
                {{"Content-Type", "application/cloudevents+json"}})
        .Json();
  }
  std::vector<json> Events() const {
    return ParseEvents(
               Call("GET", admin_, "/api/v1/events?order=oldest&limit=1000&from_sequence=0"))
        .events;
  }
  // Two passes of retention.
  void WaitForJanitor() const {
    const auto since = std::chrono::steady_clock::now();
    WaitUntil([&] { return std::chrono::steady_clock::now() - since > std::chrono::seconds(2); },
              std::chrono::seconds(3));
  }

  FaultShim shim_;
  Receiver aged_;
};

TEST_F(ClockJump, OfYearsBothWaysEvictsNothingAndKeepsTheOrder) {
  auto spoold = StartShimmed();
  ASSERT_TRUE(WaitReady()) << Told();
  int id = 0;
  for (; id < 5; ++id) EXPECT_EQ(Post(id)["stored"], 1);
  ASSERT_TRUE(WaitSettled("aged"));
  const std::string before = Events().back()["acceptedtime"];
  EXPECT_EQ(MetricOf(admin_, "spool_clock_offset_seconds"), 0);

  aged_.Answer(503);  // what waits is older than that by a clock that has jumped
  EXPECT_EQ(Post(id)["stored"], 1);
  ++id;
  for (const int64_t offset : {kYears, -kYears, 3 * kYears, int64_t{0}}) {
    Jump(offset);
    EXPECT_EQ(Post(id)["stored"], 1);
    EXPECT_EQ(Post(id)["duplicates"], 1) << "the horizon is broken by a jump of " << offset;
    EXPECT_EQ(Post(0)["duplicates"], 1) << "the horizon is broken by a jump of " << offset;
    ++id;
    WaitForJanitor();
    EXPECT_EQ(Stream("kubernetes-events")["evicted"], 0) << offset;
    EXPECT_EQ(Target("aged")["dead_lettered"], 0) << offset;
    EXPECT_NEAR(MetricOf(admin_, "spool_clock_offset_seconds"), static_cast<double>(offset), 60);
    const std::string warnings = Status()["warnings"].dump();
    EXPECT_EQ(warnings.find("The wall clock has jumped") != std::string::npos, offset != 0);
  }
  EXPECT_NE(TextOf(log()).find("The wall clock jumped and is not followed"), std::string::npos);
  aged_.Answer(200);
  ASSERT_TRUE(WaitSettled("aged")) << Told();
  ASSERT_TRUE(WaitSettled("hook"));
  EXPECT_EQ(Target("aged")["delivered"], id);

  const std::vector<json> events = Events();
  ASSERT_EQ(events.size(), static_cast<size_t>(id));
  for (size_t i = 1; i < events.size(); ++i) {
    EXPECT_LE(events[i - 1]["acceptedtime"], events[i]["acceptedtime"]);
  }
  EXPECT_EQ(std::string(events.back()["acceptedtime"]).substr(0, 4), before.substr(0, 4));

  // A replay by accept time is what it was.
  const HttpReply replay =
      Call("POST", admin_, "/api/v1/replays", json{{"target", "hook"}, {"from", before}}.dump());
  ASSERT_EQ(replay.status / 100, 2) << replay.body;
  const std::string name = replay.Json()["id"];
  EXPECT_TRUE(WaitUntil(
      [&] { return Call("GET", admin_, "/api/v1/replays/" + name).Json()["state"] == "done"; }));
  const int replayed = Call("GET", admin_, "/api/v1/replays/" + name).Json()["delivered"];
  EXPECT_GE(replayed, id - 4);  // and what was accepted in the same instant
  EXPECT_LE(replayed, id);
}

TEST_F(ClockJump, OverARestartEvictsNothingAndTheClockIsFollowedOnceItIsSetRight) {
  {
    auto spoold = StartShimmed();
    ASSERT_TRUE(WaitReady()) << Told();
    EXPECT_EQ(Post(0)["stored"], 1);
    spoold->Signal(SIGTERM);
    ASSERT_EQ(spoold->Wait(std::chrono::seconds(20)), 0);
  }
  for (const int64_t offset : {-kYears, kYears}) {
    Jump(offset);
    auto spoold = StartShimmed();
    ASSERT_TRUE(WaitReady()) << Told();
    if (offset < 0) {
      EXPECT_EQ(Post(1)["stored"], 1);
      EXPECT_NEAR(MetricOf(admin_, "spool_clock_offset_seconds"), static_cast<double>(offset), 60);
      Jump(7200);  // set right: two hours have passed
      EXPECT_EQ(Post(2)["stored"], 1);
      EXPECT_EQ(MetricOf(admin_, "spool_clock_offset_seconds"), 0);
      const std::vector<json> events = Events();
      EXPECT_LT(events[1]["acceptedtime"], events[2]["acceptedtime"]);
      continue;
    }
    WaitForJanitor();
    EXPECT_EQ(Stream("kubernetes-events")["events"], 3);
    EXPECT_NE(TextOf(log()).find("more than a year after the newest event"), std::string::npos);
  }
}

}  // namespace
}  // namespace spool::testing
