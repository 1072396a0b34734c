#include "ingest/fields.h"

#include <charconv>
#include <cmath>
#include <string>

#include "base/time_text.h"

namespace spool {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool SameAnyCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

}  // namespace

bool RecordFields::IsKey(std::string_view key, std::string_view wanted) const {
  return any_case_ ? SameAnyCase(key, wanted) : key == wanted;
}

const JsonMember* RecordFields::Find(std::string_view key) const {
  for (const JsonMember& m : members_) {
    if (m.depth == 1 && IsKey(m.key, key)) return &m;
  }
  return nullptr;
}

const JsonMember* RecordFields::Find(std::string_view section, std::string_view key) const {
  bool inside = false;
  for (const JsonMember& m : members_) {
    if (m.depth == 1) {
      inside = m.kind == JsonKind::kObject && IsKey(m.key, section);
    } else if (inside && IsKey(m.key, key)) {
      return &m;
    }
  }
  return nullptr;
}

std::optional<SystemTime> LooseTime(std::string_view text) {
  constexpr size_t kShortest = 19;  // 2026-03-14T09:26:53
  constexpr size_t kLongest = 40;
  if (text.size() < kShortest || text.size() > kLongest || text.starts_with("0001-")) {
    return std::nullopt;
  }
  if (const auto time = ParseRfc3339(text)) return time;
  return ParseRfc3339(std::string(text) + "Z");
}

std::optional<SystemTime> EpochTime(std::string_view number) {
  double value = 0;
  const char* const last = number.data() + number.size();
  const auto [end, error] = std::from_chars(number.data(), last, value);
  if (error != std::errc{} || end != last) return std::nullopt;
  constexpr double kFirst = 946'684'800, kEnd = 4'102'444'800;  // years 2000 to 2100
  if (value >= kFirst && value < kEnd) return FromMicros(std::llround(value * 1e6));
  if (value >= kFirst * 1e3 && value < kEnd * 1e3) return FromMicros(std::llround(value * 1e3));
  return std::nullopt;
}

}  // namespace spool
