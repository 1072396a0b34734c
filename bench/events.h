// Kubernetes core/v1 Events as an API server stores them, each kEventBytes long and unlike the
// rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace spool::bench {

inline constexpr size_t kEventBytes = 946;

struct K8sEvent {
  std::string uid;
  std::string namespace_;
  std::string name;  // of the pod it is about
  std::string reason;
  std::string json;  // exactly kEventBytes
};

// The same seed gives the same events. One thread.
class EventMaker {
 public:
  explicit EventMaker(uint64_t seed) : random_(seed) {}
  K8sEvent Next();

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  std::string Hex(size_t digits);
  std::string Uid();

  std::mt19937_64 random_;
  uint64_t version_ = 17'000'000;
};

}  // namespace spool::bench
