#include "forward/retry.h"

#include <algorithm>

namespace spool {

// splitmix64: passes the usual tests, one multiplication chain, any state is a good state.
uint64_t Backoff::Random() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

Micros Backoff::Next(std::optional<Micros> retry_after) {
  int64_t ceiling = std::max<int64_t>(policy_.first.count(), 1);
  const int64_t max = std::max<int64_t>(policy_.max.count(), 1);
  for (uint32_t i = 0; i < failures_ && ceiling < max; ++i) {
    ceiling = ceiling > max / 2 ? max : ceiling * 2;
  }
  ceiling = std::min(ceiling, max);
  ++failures_;
  auto pause = static_cast<int64_t>(Random() % (static_cast<uint64_t>(ceiling) + 1));
  if (retry_after && retry_after->count() > 0) {
    const int64_t wish = std::min(retry_after->count(), policy_.retry_after_max.count());
    // The jitter keeps many senders that heard the same wish from coming back at one instant.
    const uint64_t spread = static_cast<uint64_t>(wish) / 10 + 1;
    pause = std::max(pause, wish + static_cast<int64_t>(Random() % spread));
  }
  return Micros(pause);
}

Micros Backoff::Hold() {
  const int64_t probe = std::max<int64_t>(policy_.hold_probe.count(), 1);
  const int64_t tenth = probe / 10;
  const uint64_t spread = static_cast<uint64_t>(tenth) * 2 + 1;
  return Micros(probe - tenth + static_cast<int64_t>(Random() % spread));
}

}  // namespace spool
