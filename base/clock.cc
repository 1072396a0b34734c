#include "base/clock.h"

namespace spool {
namespace {

class MachineClock final : public Clock {
 public:
  SystemTime Now() const override {
    return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
  }
  SteadyTime Steady() const override {
    return std::chrono::time_point_cast<Micros>(std::chrono::steady_clock::now());
  }
};

}  // namespace

const Clock& RealClock() {
  static const MachineClock clock;
  return clock;
}

}  // namespace spool
