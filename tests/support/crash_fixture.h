// The program between producers that remember and three targets that remember: a file, a webhook
// and a real nats-server. One stream is kept for a minute, one is kept small and drops what is
// oldest, one keeps all. What an outsider finds afterwards goes to the checker.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/support/app_http.h"
#include "tests/support/checker.h"
#include "tests/support/crash_producers.h"
#include "tests/support/moment.h"
#include "tests/support/nats_server.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {

// One thread. The seed is SPOOL_CRASH_SEED or random, and told with each failure.
class Crash : public ::testing::Test {
 protected:
  // `journal` is the configuration's section of that name.
  explicit Crash(const std::string& journal = "{ disk_reserve: 0 }");

  std::unique_ptr<Spoold> Start(const std::vector<std::string>& under = {});
  std::string log() const { return dir_ / "log"; }
  bool WaitReady() const;
  // Until every target has settled all that is stored, and the accounts add up.
  bool WaitSettled() const;
  std::chrono::milliseconds Random(int from, int to);

  // With the program running and settled: what is stored, as the admin API tells it, and what the
  // targets were given is judged by the checker against what the producers know.
  void CheckEverything();
  // Of one stream, as the last CheckEverything found it.
  uint64_t EvictedOf(const std::string& stream) const { return evicted_.at(stream); }
  std::string Told() const;

  const AppDir dir_;
  Receiver receiver_;
  std::unique_ptr<NatsServer> nats_;
  uint64_t seed_ = 0;
  std::mt19937_64 random_;
  std::string ingest_;
  std::string admin_;
  std::unique_ptr<Producers> producers_;

 private:
  FoundEvent ToFound(const nlohmann::json& event) const;
  void ReadEvents(Found& found) const;
  // Streams with their markers, and targets, at one moment.
  void ReadStatus(Found& found) const;
  // What is at the targets; with names of their own for what JetStream must not have twice.
  void ReadTargets(History& history);
  void Report(const History& history, const Found& found) const;

  std::vector<uint64_t> restarts_;
  std::map<std::string, uint64_t> evicted_;
};

}  // namespace spool::testing
