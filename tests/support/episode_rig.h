// The program between producers and four targets, each behind a proxy that can spoil its way: two
// webhooks, a real nats-server and a real Kafka broker. What goes wrong, and what comes of it, is
// recorded for JudgeEpisodes.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/app_http.h"
#include "tests/support/crash_producers.h"
#include "tests/support/episode_judge.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/hook_receiver.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/nats_server.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {

enum class Place : size_t { kHook, kBatch, kNats, kKafka };
constexpr size_t kPlaces = 4;
constexpr std::array<Place, kPlaces> kAllPlaces = {Place::kHook, Place::kBatch, Place::kNats,
                                                   Place::kKafka};
const char* NameOf(Place place);

// Something that goes wrong at one target. `begin` and `end` return when it has come, and is over.
struct Fault {
  std::string what;
  bool hold = false;   // only a person can mend it
  bool nudge = false;  // a person says that it is over
  std::function<void()> begin;
  std::function<void()> end;
};

// What the program takes of the machine.
struct Vitals {
  int64_t resident = 0;  // bytes
  int threads = 0;
  int sockets = 0;  // and other descriptors that are no files
  int files = 0;
};

// One thread.
class EpisodeRig {
 public:
  static constexpr const char* kStream = "EPISODES";  // of NATS
  static constexpr const char* kTopic = "episodes";
  static constexpr int kPartitions = 3;
  static constexpr size_t kBatchEvents = 40;

  // A server or program that does not come up fails the test; ok() then tells.
  explicit EpisodeRig(uint64_t seed);
  ~EpisodeRig();
  bool ok() const { return ok_; }

  FaultProxy& proxy(Place place) { return proxies_[static_cast<size_t>(place)]; }
  HookReceiver& receiver(Place place) { return receivers_[static_cast<size_t>(place)]; }
  NatsServer& nats() { return *nats_; }
  KafkaBroker& kafka() { return *kafka_; }
  Producers& producers() { return *producers_; }

  // Makes the faults come, last for `time` and until the other targets have had what came
  // meanwhile, and end; then waits until everything is delivered.
  void Episode(int number, std::chrono::milliseconds time,
               const std::vector<std::pair<Place, Fault>>& faults);

  // For faults that empty a store: remembers what is in it. Nothing may be on its way to it that
  // the program could still hear of.
  void Keep(Place place);
  // Stops producers and waits until the target has settled all.
  void Calm(Place place);
  void Resume() { producers_->Begin(); }

  // Ends the producers, waits until all is settled, and reads everything. One fresh event goes
  // round to each target.
  EpisodeHistory Finish();

  Vitals vitals() const;
  // Those, as soon as something has arrived everywhere.
  Vitals DeliveredVitals();
  // Those, once no more threads are there than `threads`, or after a while.
  Vitals SettledVitals(int threads) const;
  std::string Told() const;  // the program's last words

 private:
  nlohmann::json Targets();
  EpisodeTarget& Of(Place place) { return history_.targets[NameOf(place)]; }
  // Until what was accepted so far is settled.
  bool WaitSettled(Place place, uint64_t accepted, std::chrono::milliseconds limit);
  bool WaitHeld(Place place);
  uint64_t Accepted();
  void ReadJournal();
  void ReadDead(Place place);
  void AddArrival(Place place, const std::string& event, int lane, EpisodeTime at);

  bool ok_ = false;
  const AppDir dir_;
  const uint64_t seed_;
  std::array<FaultProxy, kPlaces> proxies_;
  std::array<HookReceiver, 2> receivers_;
  std::unique_ptr<NatsServer> nats_;
  std::unique_ptr<KafkaBroker> kafka_;
  std::string admin_;
  std::string ingest_;
  std::unique_ptr<Spoold> spoold_;
  std::unique_ptr<Producers> producers_;
  EpisodeHistory history_;
  std::array<int, kPlaces> epochs_ = {0, 0, 0, 0};
};

}  // namespace spool::testing
