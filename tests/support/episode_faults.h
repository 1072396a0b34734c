// What can go wrong between the program and a target, and at the target.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/episode_rig.h"

namespace spool::testing {

// A fault that can be made again and again, a little different each time.
struct FaultKind {
  Place place = Place::kHook;
  bool server = false;  // something befalls the server itself
  std::function<Fault(EpisodeRig& rig, std::mt19937_64& random)> make;
};

// All there are.
std::vector<FaultKind> AllFaults();

// A seeded order in which every fault has its turn before one has another, and the servers' own
// come among the first `soon`.
class FaultDeck {
 public:
  FaultDeck(uint64_t seed, size_t soon);
  // The next one; with places given, the next that is at none of them.
  const FaultKind& Draw(const std::vector<Place>& but = {});
  size_t kinds() const { return kinds_.size(); }

 private:
  void Shuffle(size_t soon);

  const std::vector<FaultKind> kinds_;
  std::mt19937_64 random_;
  std::vector<size_t> deck_;  // the next is the last
};

}  // namespace spool::testing
