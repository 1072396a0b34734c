#include "forward/template/go_time.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

namespace spool::tmpl {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};

struct Parts {
  int64_t year;
  unsigned month;
  unsigned day;
  unsigned weekday;
  int64_t year_day;
  int64_t hour;
  int64_t minute;
  int64_t second;
  int64_t micros;
};

Parts Split(SystemTime time) {
  using std::chrono::days;
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const auto first = std::chrono::sys_days(date.year() / std::chrono::January / 1);
  const int64_t micros = (time - day).count();
  const int64_t seconds = micros / 1'000'000;
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          std::chrono::weekday(day).c_encoding(),
          (day - first).count() + 1,
          seconds / 3600,
          seconds / 60 % 60,
          seconds % 60,
          micros % 1'000'000};
}

void PutInt(std::string& out, int64_t value, size_t width, char fill = '0') {
  const std::string digits = std::to_string(value < 0 ? -value : value);
  if (value < 0) out.push_back('-');
  if (digits.size() < width) out.append(width - digits.size(), fill);
  out += digits;
}

void PutFraction(std::string& out, int64_t micros, char dot, size_t digits, bool trim) {
  if (trim && micros == 0) return;
  std::string all;
  PutInt(all, micros * 1000, 9);
  all.resize(std::min<size_t>(digits, 9));
  if (trim) {
    while (!all.empty() && all.back() == '0') all.pop_back();
    if (all.empty()) return;
  }
  out.push_back(dot);
  out += all;
}

int64_t Hour12(int64_t hour) { return hour % 12 == 0 ? 12 : hour % 12; }

bool LowerCaseAt(std::string_view text, size_t at) {
  return at < text.size() && text[at] >= 'a' && text[at] <= 'z';
}

// The pieces whose spelling alone tells them, the longer before those they begin with.
struct Piece {
  std::string_view text;
  void (*put)(std::string& out, const Parts& t);
};
constexpr Piece kPieces[] = {
    {"January", [](std::string& out, const Parts& t) { out += kMonths[t.month - 1]; }},
    {"Monday", [](std::string& out, const Parts& t) { out += kDays[t.weekday]; }},
    {"MST", [](std::string& out, const Parts&) { out += "UTC"; }},
    {"01", [](std::string& out, const Parts& t) { PutInt(out, t.month, 2); }},
    {"02", [](std::string& out, const Parts& t) { PutInt(out, t.day, 2); }},
    {"03", [](std::string& out, const Parts& t) { PutInt(out, Hour12(t.hour), 2); }},
    {"04", [](std::string& out, const Parts& t) { PutInt(out, t.minute, 2); }},
    {"05", [](std::string& out, const Parts& t) { PutInt(out, t.second, 2); }},
    {"06", [](std::string& out,
              const Parts& t) { PutInt(out, (t.year < 0 ? -t.year : t.year) % 100, 2); }},
    {"002", [](std::string& out, const Parts& t) { PutInt(out, t.year_day, 3); }},
    {"15", [](std::string& out, const Parts& t) { PutInt(out, t.hour, 2); }},
    {"1", [](std::string& out, const Parts& t) { PutInt(out, t.month, 0); }},
    {"2006", [](std::string& out, const Parts& t) { PutInt(out, t.year, 4); }},
    {"2", [](std::string& out, const Parts& t) { PutInt(out, t.day, 0); }},
    {"_2006",
     [](std::string& out, const Parts& t) {
       out.push_back('_');
       PutInt(out, t.year, 4);
     }},
    {"_2", [](std::string& out, const Parts& t) { PutInt(out, t.day, 2, ' '); }},
    {"__2", [](std::string& out, const Parts& t) { PutInt(out, t.year_day, 3, ' '); }},
    {"3", [](std::string& out, const Parts& t) { PutInt(out, Hour12(t.hour), 0); }},
    {"4", [](std::string& out, const Parts& t) { PutInt(out, t.minute, 0); }},
    {"5", [](std::string& out, const Parts& t) { PutInt(out, t.second, 0); }},
    {"PM", [](std::string& out, const Parts& t) { out += t.hour >= 12 ? "PM" : "AM"; }},
    {"pm", [](std::string& out, const Parts& t) { out += t.hour >= 12 ? "pm" : "am"; }},
    {"-070000", [](std::string& out, const Parts&) { out += "+000000"; }},
    {"-07:00:00", [](std::string& out, const Parts&) { out += "+00:00:00"; }},
    {"-0700", [](std::string& out, const Parts&) { out += "+0000"; }},
    {"-07:00", [](std::string& out, const Parts&) { out += "+00:00"; }},
    {"-07", [](std::string& out, const Parts&) { out += "+00"; }},
    {"Z070000", [](std::string& out, const Parts&) { out.push_back('Z'); }},
    {"Z07:00:00", [](std::string& out, const Parts&) { out.push_back('Z'); }},
    {"Z0700", [](std::string& out, const Parts&) { out.push_back('Z'); }},
    {"Z07:00", [](std::string& out, const Parts&) { out.push_back('Z'); }},
    {"Z07", [](std::string& out, const Parts&) { out.push_back('Z'); }},
};

// Takes one piece from the start of the layout; 0 when there is none.
size_t TakePiece(std::string& out, std::string_view layout, const Parts& t) {
  for (const Piece& piece : kPieces) {
    if (!layout.starts_with(piece.text)) continue;
    piece.put(out, t);
    return piece.text.size();
  }
  // "Month" is no month, "Jan" is.
  if (layout.starts_with("Jan") && !LowerCaseAt(layout, 3)) {
    out += kMonths[t.month - 1].substr(0, 3);
    return 3;
  }
  if (layout.starts_with("Mon") && !LowerCaseAt(layout, 3)) {
    out += kDays[t.weekday].substr(0, 3);
    return 3;
  }
  if (layout[0] != '.' && layout[0] != ',') return 0;
  if (layout.size() < 2 || (layout[1] != '0' && layout[1] != '9')) return 0;
  size_t end = layout.find_first_not_of(layout[1], 1);
  if (end == layout.npos) end = layout.size();
  if (end < layout.size() && layout[end] >= '0' && layout[end] <= '9') return 0;
  PutFraction(out, t.micros, layout[0], end - 1, layout[1] == '9');
  return end;
}

}  // namespace

std::string FormatGoTime(SystemTime time, std::string_view layout) {
  const Parts parts = Split(time);
  std::string out;
  while (!layout.empty()) {
    const size_t taken = TakePiece(out, layout, parts);
    if (taken == 0) out.push_back(layout[0]);
    layout.remove_prefix(std::max<size_t>(taken, 1));
  }
  return out;
}

}  // namespace spool::tmpl
