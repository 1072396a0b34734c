// A volume that fills: at the reserve, at its very end, and at a start.
#include <signal.h>

#include "tests/machine/disk_fixture.h"

namespace spool::testing {
namespace {

using nlohmann::json;
using FullDisk = OnAVolume;

TEST_F(FullDisk, AtTheReserveOnlyIngestStopsAndGoesOnWhenThereIsRoom) {
  auto spoold = Start("64MiB");
  ASSERT_TRUE(WaitReady()) << Told();
  Load(20);
  ASSERT_TRUE(WaitSettled("hook"));
  receiver_.Answer(400);  // dead letters, to be looked at on a full disk
  Load(2);
  ASSERT_TRUE(WaitSettled("hook"));
  receiver_.Answer(503);
  Load(20);

  ASSERT_TRUE(volume_.FillTo(40 * kMiB));
  ASSERT_TRUE(WaitBelowReserve(true)) << Told();
  const auto refused = PostRaw(ingest_, "{\"a\":1}");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->Header("retry-after"), "5");
  EXPECT_NE(refused->body.find("\"code\":\"journal_full\""), std::string::npos) << refused->body;
  EXPECT_EQ(MetricOf(admin_, "spool_disk_below_reserve"), 1);
  EXPECT_EQ(Call("GET", admin_, "/ready").status, 200);
  EXPECT_NE(Status()["warnings"].dump().find("less than the reserve"), std::string::npos);
  EXPECT_FALSE(NumbersIn(admin_).empty());

  // Delivery, dead letters and changes go on.
  receiver_.Answer(200);
  ASSERT_TRUE(WaitSettled("hook")) << Told();
  const json letters = Call("GET", admin_, "/api/v1/dead-letters").Json();
  ASSERT_FALSE(letters["items"].empty());
  const std::string letter = letters["items"][0]["id"];
  const auto retried = Call("POST", admin_, "/api/v1/dead-letters/" + letter + ":retry");
  EXPECT_EQ(retried.status / 100, 2) << retried.body;
  ASSERT_TRUE(WaitBelowReserve(true));

  volume_.RemoveFilling();
  EXPECT_TRUE(WaitUntil([&] { return PostRaw(ingest_, "{\"a\":2}")->status == 200; }, kRecovers))
      << Told();

  ASSERT_TRUE(volume_.FillTo(20 * kMiB));
  ASSERT_TRUE(WaitBelowReserve(true)) << Told();
  ASSERT_TRUE(volume_.Resize(600 * kMiB));
  EXPECT_TRUE(WaitUntil([&] { return PostRaw(ingest_, "{\"a\":3}")->status == 200; }, kRecovers))
      << Told();
  EXPECT_GE(Status()["disk"]["capacity_bytes"], 600 * kMiB);
  CheckStored();
  spoold->Signal(SIGTERM);
  EXPECT_EQ(spoold->Wait(std::chrono::seconds(20)), 0) << Told();
}

// A stream that rejects fills the disk with what a target has not had; once it had all that, room
// comes by itself.
TEST_F(FullDisk, ServingTheTargetsMakesRoom) {
  auto spoold = Start("64MiB");
  ASSERT_TRUE(WaitReady()) << Told();
  receiver_.Answer(503);
  ASSERT_TRUE(volume_.FillTo(160 * kMiB));
  load_->Begin({});
  ASSERT_TRUE(WaitUntil([&] { return load_->refused() > 0; }, std::chrono::seconds(60))) << Told();
  load_->End();
  EXPECT_EQ(load_->unanswered(), 0u);
  EXPECT_GT(volume_.free_bytes(), 30 * kMiB) << "it stopped late";
  ASSERT_TRUE(WaitBelowReserve(true));
  EXPECT_EQ(Stream("kubernetes-events")["evicted"], 0);
  EXPECT_EQ(MetricOf(admin_, "spool_disk_alarm"), 1);
  EXPECT_GT(Stream("kubernetes-events")["needed_bytes"], 20 * kMiB);
  CheckStored();
  receiver_.Answer(200);
  ASSERT_TRUE(WaitSettled("hook")) << Told();
  EXPECT_TRUE(WaitUntil([&] { return PostRaw(ingest_, "{\"a\":1}")->status == 200; }, kRecovers))
      << Told();
  EXPECT_EQ(Target("hook")["evicted"], 0);
  CheckStored();
}

TEST_F(FullDisk, SettledEventsGoFirstAndThenTheOldestOfStreamsThatSaySo) {
  auto spoold = Start("64MiB", "streams: { kubernetes-events: { when_full: drop_oldest } }\n");
  ASSERT_TRUE(WaitReady()) << Told();
  ASSERT_TRUE(volume_.FillTo(200 * kMiB));
  Load(500);  // some 32 MiB, 24 on disk
  ASSERT_TRUE(WaitSettled("hook"));
  receiver_.Answer(503);
  const auto undelivered = [&] { return Target("hook")["evicted"].get<uint64_t>(); };
  load_->Begin({});
  const auto evicted = [&] { return Stream("kubernetes-events")["evicted"].get<uint64_t>(); };
  ASSERT_TRUE(WaitUntil([&] { return evicted() > 0; }, std::chrono::seconds(60))) << Told();
  EXPECT_EQ(load_->refused(), 0u);
  ASSERT_TRUE(WaitUntil([&] { return evicted() > 10'000; }, std::chrono::seconds(120))) << Told();
  load_->End();
  EXPECT_EQ(load_->unanswered(), 0u) << Told();
  EXPECT_GT(volume_.free_bytes(), 20 * kMiB);
  const std::string told = TextOf(log());
  EXPECT_NE(told.find("Events were evicted before every target had them."), std::string::npos);
  // What was settled went without a word of loss: that many are not counted as lost.
  receiver_.Answer(200);
  ASSERT_TRUE(WaitSettled("hook")) << Told();
  EXPECT_GT(undelivered(), 0u);
  EXPECT_LE(undelivered() + 4000, evicted());
  EXPECT_EQ(MetricOf(admin_, "spool_target_events_total{target=\"hook\",outcome=\"expired\"}"),
            static_cast<double>(undelivered()));
  uint64_t marked = 0;
  const json markers = Call("GET", admin_, "/api/v1/markers").Json();
  for (const json& marker : markers["items"]) {
    if (marker["cause"] == "disk") marked += marker["undelivered"].get<uint64_t>();
  }
  // The batch in hand is delivered although it has been evicted meanwhile.
  EXPECT_GE(marked, undelivered());
  EXPECT_LE(marked, undelivered() + 1000);
  CheckStored();
}

// Without a reserve the volume's end is met by a write.
TEST_F(FullDisk, AWriteThatFindsNoSpaceEndsTheProcessAndTheFullVolumeOpensAgain) {
  auto spoold = Start("0");
  ASSERT_TRUE(WaitReady()) << Told();
  const auto reserved = [&] { return access((dir_ / "data/RESERVE").c_str(), F_OK) == 0; };
  ASSERT_TRUE(WaitUntil(reserved)) << Told();
  Load(100);
  load_->Begin({});
  ASSERT_TRUE(volume_.FillTo(0));
  const int exit = spoold->Wait(std::chrono::seconds(30));
  load_->End();
  EXPECT_EQ(exit, 74) << ", " << Told();
  EXPECT_GT(load_->unanswered() + load_->refused(), 0u);
  ASSERT_TRUE(volume_.FillTo(0));

  // With a reserve it starts to be drained.
  spoold = Start("64MiB");
  ASSERT_TRUE(WaitReady()) << Told();
  EXPECT_NE(TextOf(log()).find("the reserve file was freed"), std::string::npos);
  ASSERT_TRUE(WaitBelowReserve(true));
  EXPECT_EQ(PostRaw(ingest_, "{\"a\":1}")->status, 503);
  ASSERT_TRUE(WaitSettled("hook")) << Told();
  CheckStored();
  volume_.RemoveFilling();
  EXPECT_TRUE(WaitUntil([&] { return PostRaw(ingest_, "{\"a\":1}")->status == 200; }, kRecovers));
  // The reserve file is made again.
  EXPECT_TRUE(WaitUntil(reserved));
}

// The volume is filled at once under load, again and again, and no reserve file is left in the end.
TEST_F(FullDisk, AVolumeThatIsFilledAtOnceLosesNothing) {
  for (int i = 0; i < 2; ++i) {
    auto spoold = Start("64MiB");
    ASSERT_TRUE(WaitReady()) << Told();
    load_->Begin({});
    const uint64_t before = load_->acknowledged();
    ASSERT_TRUE(WaitUntil([&] { return load_->acknowledged() > before + 20; })) << Told();
    ASSERT_TRUE(volume_.FillTo(0));
    const int exit = spoold->Wait(std::chrono::seconds(3));
    EXPECT_TRUE(exit == -1 || exit == 74) << exit << ", " << Told();
    load_->End();
    if (exit == -1) {  // it went on, and takes nothing
      EXPECT_EQ(PostRaw(ingest_, "{\"a\":1}")->status, 503);
      ASSERT_TRUE(spoold->Kill());
    }
    unlink((dir_ / "data/RESERVE").c_str());
    ASSERT_TRUE(volume_.FillTo(0));
    const size_t said = TextOf(log()).size();
    spoold = Start("64MiB");
    int ended = -1;
    WaitUntil([&] {
      ended = spoold->Wait(std::chrono::milliseconds(0));
      return ended != -1 || Call("GET", admin_, "/ready").status == 200;
    });
    std::printf("[          ] filled at once: exit %d; start without any room: %d\n", exit, ended);
    if (ended != -1) {
      EXPECT_EQ(ended, 74);
      EXPECT_NE(TextOf(log()).substr(said).find("The volume of the journal is full"),
                std::string::npos)
          << Told();
    } else {
      spoold->Kill();
    }
    volume_.RemoveFilling();
  }
  auto spoold = Start("64MiB");
  ASSERT_TRUE(WaitReady()) << Told();
  ASSERT_TRUE(WaitSettled("hook"));
  CheckStored();
}

}  // namespace
}  // namespace spool::testing
