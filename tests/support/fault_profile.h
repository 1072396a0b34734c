// How much of a fault a test tries, and from which seed on.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace spool::testing {

// SPOOL_NAME_COUNT and SPOOL_NAME_SEED in the environment; otherwise a short profile that is the
// same each time.
class FaultProfile {
 public:
  FaultProfile(const std::string& name, int count, uint64_t seed = 1) : count_(count), seed_(seed) {
    if (const char* given = std::getenv(("SPOOL_" + name + "_COUNT").c_str())) {
      count_ = std::atoi(given);
    }
    if (const char* given = std::getenv(("SPOOL_" + name + "_SEED").c_str())) {
      seed_ = std::strtoull(given, nullptr, 10);
    }
  }
  int count() const { return count_; }
  uint64_t seed() const { return seed_; }
  // One line that `./dev gate` puts into its table.
  void Report(const char* what, int count, const std::string& detail) const {
    std::printf("RESULT %s | %d | %llu | %s\n", what, count, static_cast<unsigned long long>(seed_),
                detail.c_str());
  }

 private:
  int count_;
  uint64_t seed_;
};

}  // namespace spool::testing
