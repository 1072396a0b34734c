// Whether work grows in proportion to its input: measured, not reasoned.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <functional>
#include <limits>
#include <string>

namespace spool {

// Processor time of this thread, so that a busy machine does not count.
inline double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// How many times as long `run` takes for an input eight times as large: 8 when work is linear, 64
// when it is quadratic. The best of several tries counts on both sides; what is too short to
// measure takes a millisecond.
inline double GrowthOverEightfold(size_t size, const std::function<std::string(size_t)>& make,
                                  const std::function<void(const std::string&)>& run) {
  const auto best = [&](const std::string& input) {
    double least = std::numeric_limits<double>::max();
    for (int i = 0; i < 5; ++i) {
      const double begin = ThreadSeconds();
      run(input);
      least = std::min(least, ThreadSeconds() - begin);
    }
    return std::max(least, 0.001);
  };
  const double once = best(make(size));
  return best(make(8 * size)) / once;
}

// Between the two, nearer to linear.
inline constexpr double kGrowthMax = 20;

}  // namespace spool
