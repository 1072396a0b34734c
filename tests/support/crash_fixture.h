// The program between producers that remember and three targets that remember: a file, a webhook
// and a real nats-server. What an outsider finds afterwards is held against what was acknowledged.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/app_http.h"
#include "tests/support/crash_producers.h"
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
  static void Pause(std::chrono::milliseconds time);
  std::chrono::milliseconds Random(int from, int to);

  // With the program running and settled: every acknowledged event is stored once, or was until
  // retention took it, which is after a minute; what is stored was sent, and has dense sequences;
  // each target has had all of it, first arrivals in the journal's order; the accounts are exact.
  void CheckEverything();
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
  // The number of an event, which must be one that was sent, as it was sent.
  std::optional<uint64_t> NumberOf(const nlohmann::json& event) const;
  // Where its sequences are not dense, or "".
  void ReadJournal(std::string& hole);
  uint64_t Evicted() const;
  // `events` as they arrived at a target.
  void CheckArrived(const std::string& target, const std::vector<nlohmann::json>& events);

  std::vector<uint64_t> place_;  // of each number in the journal, from 1; 0: not there
  uint64_t stored_ = 0;
  uint64_t evicted_ = 0;          // by retention, before the first that is stored
  std::vector<uint64_t> before_;  // their numbers, in the order of the first target looked at
};

}  // namespace spool::testing
