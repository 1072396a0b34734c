// Kubernetes core/v1 Events as an API server stores them, each kEventBytes long and unlike the
// rest. They come as a cluster makes them: a few dozen pods at a time start, run into trouble and
// go, each with several events of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

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
  struct Pod {
    std::string namespace_, name, uid, host, address, container;
    uint64_t events_left = 0;
  };
  uint64_t Below(uint64_t n) { return random_() % n; }
  Pod NewPod();
  std::string Hex(size_t digits);
  std::string Uid();

  std::mt19937_64 random_;
  uint64_t version_ = 17'000'000;
  uint64_t seconds_ = 0;
  std::vector<Pod> pods_;
};

}  // namespace spool::bench
