// Networks and targets fail in every way there is, one after the other and together, while events
// flow. What each target got in the end is judged from outside.
#include <gtest/gtest.h>

#include "tests/support/episode_faults.h"
#include "tests/support/episode_rig.h"
#include "tests/support/fault_profile.h"

namespace spool::testing {
namespace {

constexpr int64_t kMiB = 1 << 20;

TEST(Episodes, NothingIsLostAlteredOrReorderedWhateverNetworksAndTargetsDo) {
  const FaultProfile profile("EPISODE", 30);
  EpisodeRig rig(profile.seed());
  ASSERT_TRUE(rig.ok());
  FaultDeck deck(profile.seed(), static_cast<size_t>(profile.count()));
  rig.producers().Begin();
  const int threads = rig.DeliveredVitals().threads;
  Vitals warm;
  const int warm_after = std::min(10, profile.count() / 2);
  for (int number = 0; number < profile.count() && !::testing::Test::HasFailure(); ++number) {
    if (number == warm_after) warm = rig.SettledVitals(threads);
    std::mt19937_64 random(profile.seed() * 1'000'003 + static_cast<uint64_t>(number));
    const size_t together = random() % 4 == 0 ? 2 + random() % 3 : 1;
    std::vector<std::pair<Place, Fault>> faults;
    std::vector<Place> taken;
    for (size_t i = 0; i < together && i < kPlaces; ++i) {
      const FaultKind& kind = deck.Draw(taken);
      taken.push_back(kind.place);
      faults.emplace_back(kind.place, kind.make(rig, random));
    }
    rig.Episode(number, std::chrono::milliseconds(100 + random() % 1100), faults);
  }
  const EpisodeHistory history = rig.Finish();
  const std::string wrong = ToText(JudgeEpisodes(history));
  EXPECT_EQ(wrong, "") << rig.Told();
  EXPECT_EQ(rig.producers().refused(), 0u) << "producers felt it";
  EXPECT_EQ(rig.producers().batches_in_doubt(), 0u) << "producers felt it";

  const Vitals now = rig.SettledVitals(threads);
  EXPECT_LE(now.resident, warm.resident + 64 * kMiB);
  EXPECT_LE(now.threads, threads) << "a thread is stuck, or was never joined";
  EXPECT_LE(now.sockets, warm.sockets + 6);
  size_t felt = 0;
  int64_t slowest = 0;
  for (const EpisodeFault& fault : history.faults) {
    felt += fault.felt ? 1 : 0;
    slowest = std::max(slowest, fault.others_millis);
  }
  EXPECT_GE(felt * 2, history.faults.size()) << "most faults come to nothing";
  std::string counts =
      ", " + std::to_string(felt) + " of " + std::to_string(history.faults.size()) +
      " faults made it try again, other targets at most " + std::to_string(slowest) + " ms behind";
  for (const auto& [name, target] : history.targets) {
    counts += ", " + name + " " + std::to_string(target.arrivals.size()) + " arrivals (" +
              std::to_string(target.arrivals.size() + target.dead.size() - history.journal.size()) +
              " again, " + std::to_string(target.repeats_max) + " at most; " +
              std::to_string(target.dead.size()) + " dead)";
  }
  std::printf(
      "[          ] resident %lld MiB then %lld MiB, threads %d then %d, sockets %d then %d, files "
      "%d then %d\n",
      static_cast<long long>(warm.resident / kMiB), static_cast<long long>(now.resident / kMiB),
      warm.threads, now.threads, warm.sockets, now.sockets, warm.files, now.files);
  profile.Report("fault episodes", profile.count(),
                 std::to_string(history.journal.size()) + " events" + counts);
}

}  // namespace
}  // namespace spool::testing
