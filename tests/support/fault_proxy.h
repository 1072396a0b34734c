// A TCP proxy on loopback that does to connections what networks and middle boxes do.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

namespace spool::testing {

// What happens to the bytes of one direction. Latency, rate and slices hold for all of them; once
// `after` bytes of a connection have passed, counted from when the fault was set, the next one
// makes `then` come true.
struct WayFault {
  enum class Then {
    kNothing,
    kReset,      // both sides get a reset
    kClose,      // both sides get an end
    kHalfClose,  // the receiving side gets an end; the other direction goes on
    kSwallow,    // the rest is lost and the connection stays
    kGarbage,    // the rest comes as other bytes
    kHold,       // the rest waits until the fault is over
  };
  std::chrono::milliseconds latency{0};
  std::chrono::milliseconds jitter{0};  // at random on top, the order kept
  size_t bytes_per_second = 0;          // 0: as fast as it goes
  size_t slice = 0;                     // bytes in one write at most; 0: as they came
  Then then = Then::kNothing;
  size_t after = 0;
};

struct ProxyFault {
  enum class Door {
    kOpen,
    kRefuse,     // nobody listens
    kReset,      // taken and reset at once
    kBlackHole,  // taken, and then nothing
  };
  Door door = Door::kOpen;
  WayFault up;                              // to the target
  WayFault down;                            // from it
  std::chrono::milliseconds slow_close{0};  // how late one side's end is told to the other
};

// Any thread; one of its own moves the bytes. The port stays reserved while nobody listens.
class FaultProxy {
 public:
  explicit FaultProxy(uint64_t seed = 1);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  int port() const;
  // Where connections go that are accepted from now on: a port of this machine.
  void SetUpstream(int port);
  // From its return on no byte passes but by the new rule, also of connections that are there.
  void Set(const ProxyFault& fault);
  // Set({}), and what fell into a black hole is reset. What was on hold comes through, late.
  void Heal();
  // Heal(), but all connections are reset and what they held is lost.
  void HealAndCut();

  uint64_t accepted() const;  // connections so far
  size_t open() const;        // connections now

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
  std::thread thread_;
};

}  // namespace spool::testing
