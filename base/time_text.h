// Times and durations as text: RFC 3339 in and out, and the short forms people type.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace spool {

// "2026-11-20T06:11:14.402113Z": always UTC, always six fraction digits.
std::string FormatTime(SystemTime t);

// RFC 3339 with any offset and 0 to 9 fraction digits (further digits than six are cut), 'T' or
// space. Nothing else; empty on any other text. Years 1 to 9999.
std::optional<SystemTime> ParseRfc3339(std::string_view text);

// What a person or a flag says: RFC 3339, a date ("2026-11-20", midnight UTC), "now", "now-3h",
// or a bare duration meaning that long ago ("10m", "2d"). kInvalid with what was expected.
Result<SystemTime> ParseWhen(std::string_view text, SystemTime now);

// "250ms" "10s" "5m" "2h" "7d" or sums of them ("1h30m"). kInvalid otherwise; never negative.
Result<Micros> ParseDuration(std::string_view text);

// The shortest exact form of the same: "1h30m", "250ms", "0s".
std::string FormatDuration(Micros d);

// For people: "41m", "6d4h", "0.4s"; two units at the most.
std::string FormatAge(Micros d);

// "64MiB", "2GiB", "900KB", "512" (bytes). kInvalid otherwise.
Result<uint64_t> ParseBytes(std::string_view text);
// "31.0 GiB", "512 B".
std::string FormatBytes(uint64_t bytes);

}  // namespace spool
