// Time comes in through here, so that a test can own it.
#pragma once

#include <chrono>

namespace spool {

using SystemTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::microseconds>;
using Micros = std::chrono::microseconds;
using Millis = std::chrono::milliseconds;

// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SystemTime Now() const = 0;     // UTC; may step in either direction
  virtual SteadyTime Steady() const = 0;  // never steps
};

// The machine's clocks. Lives for the whole process.
const Clock& RealClock();

inline int64_t ToMicros(SystemTime t) { return t.time_since_epoch().count(); }
inline SystemTime FromMicros(int64_t us) { return SystemTime(Micros(us)); }

}  // namespace spool
