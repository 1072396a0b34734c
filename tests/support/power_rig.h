// spoold in a machine whose power is cut again and again, all on one disk and one history.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/support/app_http.h"
#include "tests/support/power_history.h"
#include "tests/support/uml_guest.h"

namespace spool::testing {

// One thread. Each step that goes wrong with the machine itself fails the test; all of them may be
// called only when HasFatalFailure() is false.
class PowerRig : public ::testing::Test {
 protected:
  PowerRig();
  ~PowerRig() override;

  // A new, empty disk and a new history.
  void NewDisk(uint64_t seed);
  // The machine is switched on. Its clock is some seconds ahead of the last life's, so that
  // retention, which needs a minute, has work to do.
  void Boot();
  // The disk is put in place, which replays its journal.
  void Mount();
  // Starts spoold with these variables. How that ended: "ready", "damaged TEXT", "ended STATUS".
  std::string Start(const std::string& environment = "");
  // Both, not waited for.
  void BeginStart();
  void BeginLoad();
  void EndLoad();
  void LoadFor(std::chrono::milliseconds time);
  void Cut();
  // Ends spoold as an operator would, reads everything with `spoolctl offline verify`, compares the
  // whole of the target's file with what was seen of it, and takes it away.
  void StopAndVerify();
  // After that: switches off in order; the file system must be without fault.
  void SwitchOff();

  // With spoold ready and no load: looks at all that is there. What breaks the rules.
  std::vector<Violation> Check();

  std::chrono::milliseconds Random(int from, int to);
  std::string Counted() const;
  // What to know of a failure; keeps the disk for who wants to look.
  std::string Told();

  PowerHistory history_;
  uint64_t evicted_ = 0;  // by retention, as found last
  uint64_t stored_ = 0;

 private:
  std::string Ask(const std::string& command, const std::string& answer,
                  std::chrono::milliseconds limit = std::chrono::seconds(90));
  // The guest's answer to a GET on the admin API.
  std::string Get(const std::string& path);
  nlohmann::json GetJson(const std::string& path);
  FoundEvent Read(const nlohmann::json& event, uint64_t* sequence);
  void ReadEvents(Found* found);
  void ReadFile();
  void Look(Found* found);

  const AppDir dir_;
  std::unique_ptr<UmlGuest> guest_;
  uint64_t seed_ = 0;
  std::mt19937_64 random_;
  std::string file_;  // what the target's file was seen to hold
  bool kept_ = false;
};

}  // namespace spool::testing
