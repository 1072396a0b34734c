// Times in the layouts of Go's package time ("2006-01-02 15:04:05"), always in UTC.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"

namespace spool::tmpl {

inline constexpr std::string_view kRfc3339Nano = "2006-01-02T15:04:05.999999999Z07:00";
// How Go prints a time.
inline constexpr std::string_view kGoTimeString = "2006-01-02 15:04:05.999999999 -0700 MST";

// time.Time.Format. What of the layout is no part of a time stands for itself.
std::string FormatGoTime(SystemTime time, std::string_view layout);

}  // namespace spool::tmpl
