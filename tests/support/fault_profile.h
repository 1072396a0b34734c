// How much of a fault a test tries, and from which seed on.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/paths.h"

namespace spool::testing {

// SPOOL_NAME_COUNT and SPOOL_NAME_SEED in the environment; otherwise a short profile that is the
// same each time.
class FaultProfile {
 public:
  FaultProfile(const std::string& name, int count, uint64_t seed = 1)
      : name_(name), count_(count), seed_(seed) {
    if (const char* given = std::getenv(("SPOOL_" + name + "_COUNT").c_str())) {
      count_ = std::atoi(given);
    }
    if (const char* given = std::getenv(("SPOOL_" + name + "_SEED").c_str())) {
      seed_ = std::strtoull(given, nullptr, 10);
    }
  }
  int count() const { return count_; }
  uint64_t seed() const { return seed_; }
  // Seeds that once failed, from tests/seeds/NAME, where each one that is found is to be added. A
  // test runs them before any other.
  std::vector<uint64_t> Kept() const {
    const std::string file = SourceDir() + "/tests/seeds/" + name_;
    std::ifstream in(file);
    EXPECT_TRUE(in) << file;
    std::vector<uint64_t> seeds;
    for (std::string line; std::getline(in, line);) {
      if (line.empty() || line[0] == '#') continue;
      seeds.push_back(std::strtoull(line.c_str(), nullptr, 10));
    }
    return seeds;
  }
  // The kept ones, then `count` from `seed` on.
  std::vector<uint64_t> Seeds() const {
    std::vector<uint64_t> seeds = Kept();
    for (int i = 0; i < count_; ++i) seeds.push_back(seed_ + static_cast<uint64_t>(i));
    return seeds;
  }
  // For a test that goes on until enough has happened: the seed of its `i`th run, counted from 0.
  uint64_t SeedAt(size_t i, const std::vector<uint64_t>& kept) const {
    return i < kept.size() ? kept[i] : seed_ + (i - kept.size());
  }
  // One line that `./dev gate` puts into its table.
  void Report(const char* what, int count, const std::string& detail) const {
    std::printf("RESULT %s | %d | %llu | %s\n", what, count, static_cast<unsigned long long>(seed_),
                detail.c_str());
  }

 private:
  const std::string name_;
  int count_;
  uint64_t seed_;
};

}  // namespace spool::testing
