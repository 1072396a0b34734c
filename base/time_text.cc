#include "base/time_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>

namespace spool {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr int64_t kSecond = 1'000'000;

struct Unit {
  std::string_view name;
  int64_t micros;
};
// Largest first: both parsing (longest match) and formatting walk it in this order.
constexpr std::array<Unit, 6> kUnits{{{"d", 86'400 * kSecond},
                                      {"h", 3'600 * kSecond},
                                      {"m", 60 * kSecond},
                                      {"s", kSecond},
                                      {"ms", 1'000},
                                      {"us", 1}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes exactly `count` digits off the front; -1 when they are not there.
int TakeDigits(std::string_view& text, size_t count) {
  if (text.size() < count) return -1;
  int value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!IsDigit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool TakeChar(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// Takes all leading digits; empty when there are none or they exceed 64 bits.
std::optional<uint64_t> TakeNumber(std::string_view& text) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  uint64_t value = 0;
  size_t i = 0;
  for (; i < text.size() && IsDigit(text[i]); ++i) {
    const auto digit = static_cast<uint64_t>(text[i] - '0');
    if (value > (kMax - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  if (i == 0) return std::nullopt;
  text.remove_prefix(i);
  return value;
}

// "2026-11-20" off the front, as midnight UTC.
std::optional<SystemTime> TakeDate(std::string_view& text) {
  const int year = TakeDigits(text, 4);
  if (year < 1 || !TakeChar(text, '-')) return std::nullopt;
  const int month = TakeDigits(text, 2);
  if (month < 1 || !TakeChar(text, '-')) return std::nullopt;
  const int day = TakeDigits(text, 2);
  if (day < 1) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return SystemTime(sys_days(date));
}

// ".402113" off the front, as microseconds; 0 when there is no fraction, -1 when it is malformed.
int64_t TakeFraction(std::string_view& text) {
  if (!TakeChar(text, '.')) return 0;
  int64_t micros = 0;
  size_t digits = 0;
  for (; digits < text.size() && IsDigit(text[digits]); ++digits) {
    if (digits < 6) micros = micros * 10 + (text[digits] - '0');
  }
  if (digits == 0 || digits > 9) return -1;
  for (size_t i = digits; i < 6; ++i) micros *= 10;
  text.remove_prefix(digits);
  return micros;
}

// "Z" or "+02:00" as the minutes east of UTC; must end the text.
std::optional<int> TakeOffset(std::string_view text) {
  if (text == "Z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const int hours = TakeDigits(text, 2);
  if (hours < 0 || hours > 23 || !TakeChar(text, ':')) return std::nullopt;
  const int minutes = TakeDigits(text, 2);
  if (minutes < 0 || minutes > 59) return std::nullopt;
  return sign * (hours * 60 + minutes);
}

bool InRange(SystemTime t) {
  static constexpr SystemTime kFirst{sys_days(std::chrono::year(1) / 1 / 1)};
  static constexpr SystemTime kEnd{sys_days(std::chrono::year(10000) / 1 / 1)};
  return t >= kFirst && t < kEnd;
}

}  // namespace

std::string FormatTime(SystemTime t) {
  const auto day = std::chrono::floor<days>(t);
  const std::chrono::year_month_day date{day};
  const int64_t micros = (t - day).count();
  const int64_t seconds = micros / kSecond;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     seconds / 3600, seconds / 60 % 60, seconds % 60, micros % kSecond);
}

std::optional<SystemTime> ParseRfc3339(std::string_view text) {
  const std::optional<SystemTime> day = TakeDate(text);
  if (!day || !(TakeChar(text, 'T') || TakeChar(text, ' '))) return std::nullopt;
  const int hours = TakeDigits(text, 2);
  if (hours < 0 || hours > 23 || !TakeChar(text, ':')) return std::nullopt;
  const int minutes = TakeDigits(text, 2);
  if (minutes < 0 || minutes > 59 || !TakeChar(text, ':')) return std::nullopt;
  const int seconds = TakeDigits(text, 2);
  if (seconds < 0 || seconds > 60) return std::nullopt;  // 60: a leap second, told as the next one
  const int64_t fraction = TakeFraction(text);
  if (fraction < 0) return std::nullopt;
  const std::optional<int> offset = TakeOffset(text);
  if (!offset) return std::nullopt;
  const int64_t of_day = ((hours * 60 + minutes - *offset) * int64_t{60} + seconds) * kSecond;
  const SystemTime t = *day + Micros(of_day + fraction);
  if (!InRange(t)) return std::nullopt;
  return t;
}

Result<SystemTime> ParseWhen(std::string_view text, SystemTime now) {
  if (text == "now") return now;
  if (const auto t = ParseRfc3339(text)) return *t;
  std::string_view rest = text;
  if (const auto day = TakeDate(rest); day && rest.empty()) return *day;
  rest = text;
  if (rest.starts_with("now-")) rest.remove_prefix(4);
  if (const Result<Micros> ago = ParseDuration(rest)) {
    // `now` is after 1970 on any machine that matters, so this cannot overflow.
    if (const SystemTime t = now - *ago; InRange(t)) return t;
  }
  return Fail(Code::kInvalid,
              "time '" + std::string(text) +
                  "' is none of 2026-11-20T06:11:14Z, 2026-11-20, now, now-3h, 10m");
}

Result<Micros> ParseDuration(std::string_view text) {
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const auto wrong = [&] {
    return Fail(Code::kInvalid, "duration '" + std::string(text) +
                                    "' is not a number with d, h, m, s or ms, or a sum of them "
                                    "from the largest down, such as 1h30m");
  };
  std::string_view rest = text;
  uint64_t total = 0;
  size_t next_unit = 0;
  do {
    const std::optional<uint64_t> number = TakeNumber(rest);
    if (!number) return wrong();
    const size_t letters = std::min(rest.find_first_of("0123456789"), rest.size());
    const std::string_view name = rest.substr(0, letters);
    size_t unit = next_unit;
    while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
    if (unit == kUnits.size()) return wrong();
    const auto micros = static_cast<uint64_t>(kUnits[unit].micros);
    if (*number > (kMax - total) / micros) return wrong();
    total += *number * micros;
    next_unit = unit + 1;
    rest.remove_prefix(letters);
  } while (!rest.empty());
  return Micros(static_cast<int64_t>(total));
}

std::string FormatDuration(Micros d) {
  int64_t left = d.count();
  if (left <= 0) return "0s";
  std::string text;
  for (const Unit& unit : kUnits) {
    if (left < unit.micros) continue;
    fmt::format_to(std::back_inserter(text), "{}{}", left / unit.micros, unit.name);
    left %= unit.micros;
  }
  return text;
}

std::string FormatAge(Micros d) {
  const int64_t micros = d.count();
  if (micros < 0) return "0s";
  if (micros < 10 * kSecond) {
    const int64_t tenths = micros / 100'000;
    if (tenths % 10 == 0) return fmt::format("{}s", tenths / 10);
    return fmt::format("{}.{}s", tenths / 10, tenths % 10);
  }
  size_t i = 0;
  while (micros < kUnits[i].micros) ++i;
  std::string text = fmt::format("{}{}", micros / kUnits[i].micros, kUnits[i].name);
  const int64_t rest = micros % kUnits[i].micros;
  if (i < 3 && rest >= kUnits[i + 1].micros) {
    fmt::format_to(std::back_inserter(text), "{}{}", rest / kUnits[i + 1].micros,
                   kUnits[i + 1].name);
  }
  return text;
}

Result<uint64_t> ParseBytes(std::string_view text) {
  struct ByteUnit {
    std::string_view name;
    uint64_t bytes;
  };
  static constexpr ByteUnit kByteUnits[] = {{"", 1},
                                            {"B", 1},
                                            {"KB", 1'000},
                                            {"MB", 1'000'000},
                                            {"GB", 1'000'000'000},
                                            {"TB", 1'000'000'000'000},
                                            {"KiB", 1ull << 10},
                                            {"MiB", 1ull << 20},
                                            {"GiB", 1ull << 30},
                                            {"TiB", 1ull << 40}};
  std::string_view rest = text;
  if (const std::optional<uint64_t> number = TakeNumber(rest)) {
    for (const ByteUnit& unit : kByteUnits) {
      if (rest != unit.name) continue;
      if (*number > std::numeric_limits<uint64_t>::max() / unit.bytes) break;
      return *number * unit.bytes;
    }
  }
  return Fail(Code::kInvalid, "size '" + std::string(text) +
                                  "' is not a whole number of bytes or one with KB, MB, GB, TB, "
                                  "KiB, MiB, GiB or TiB, such as 64MiB");
}

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  static constexpr const char* kNames[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t i = 0;
  // 1023.95 would be printed as 1024.0 of its own unit.
  while (value >= 1023.95 && i + 1 < std::size(kNames)) {
    value /= 1024;
    ++i;
  }
  return fmt::format("{:.1f} {}", value, kNames[i]);
}

}  // namespace spool
