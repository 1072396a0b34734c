// One line that says how a replay comes along.
#pragma once

#include <deque>
#include <string>
#include <utility>

#include "app/ctl/json.h"
#include "base/clock.h"

namespace spool::ctl {

// Keeps what it saw in the last seconds, to know the speed. One thread.
class ReplayProgress {
 public:
  // At most `width` columns; 0 for no bound:
  // "r-7f3 → splunk  ███████▌░░░░  57.4%  691,302/1,204,331  1,988/s  rejected 0  eta 4m18s"
  std::string Line(const Json& replay, SteadyTime now, size_t width);

 private:
  std::deque<std::pair<SteadyTime, uint64_t>> seen_;  // settled, over the last ten seconds
};

// `part` (0 to 1) of `width` columns filled, in eighths.
std::string Bar(double part, size_t width);

}  // namespace spool::ctl
