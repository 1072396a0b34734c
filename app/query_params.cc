#include "app/query_params.h"

#include <algorithm>
#include <charconv>

#include "base/time_text.h"

namespace spool {
namespace {

constexpr size_t kParamsMax = 64;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// %XX. Empty for a malformed escape or NUL. A '+' stays a plus, as net::HttpRequest reads it: it is
// a time zone's sign more often than somebody's space.
std::optional<std::string> Decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 1 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

bool OneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Result<QueryParams> QueryParams::Parse(std::string_view raw) {
  QueryParams out;
  while (!raw.empty()) {
    const size_t end = std::min(raw.find('&'), raw.size());
    const std::string_view part = raw.substr(0, end);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (part.empty()) continue;
    if (out.params_.size() == kParamsMax) {
      return Fail(Code::kInvalid, "The query has more than 64 parameters.");
    }
    const size_t equals = std::min(part.find('='), part.size());
    auto name = Decode(part.substr(0, equals));
    auto value = Decode(part.substr(std::min(equals + 1, part.size())));
    if (!name || !value) return Fail(Code::kInvalid, "The query has a malformed percent escape.");
    out.params_.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

Status QueryParams::Check(std::initializer_list<std::string_view> known,
                          std::initializer_list<std::string_view> repeatable) const {
  for (size_t i = 0; i < params_.size(); ++i) {
    const std::string& name = params_[i].first;
    if (OneOf(name, repeatable)) continue;
    const std::string shown = name.substr(0, 64);
    if (!OneOf(name, known)) {
      return Fail(Code::kInvalid, "There is no parameter '" + shown + "' here.");
    }
    for (size_t k = 0; k < i; ++k) {
      if (params_[k].first == name) {
        return Fail(Code::kInvalid, "The parameter '" + shown + "' is given twice.");
      }
    }
  }
  return {};
}

bool QueryParams::Has(std::string_view name) const {
  return std::any_of(params_.begin(), params_.end(),
                     [&](const auto& param) { return param.first == name; });
}

std::string QueryParams::Get(std::string_view name) const {
  for (const auto& [key, value] : params_) {
    if (key == name) return value;
  }
  return {};
}

std::vector<std::string> QueryParams::All(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : params_) {
    if (key == name) out.push_back(value);
  }
  return out;
}

Result<std::optional<uint64_t>> QueryParams::Number(std::string_view name, uint64_t min,
                                                    uint64_t max) const {
  if (!Has(name)) return std::optional<uint64_t>();
  const std::string text = Get(name);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < min || number > max) {
    return Fail(Code::kInvalid, "The parameter '" + std::string(name) + "' takes a number from " +
                                    std::to_string(min) + " to " + std::to_string(max) + ".");
  }
  return std::optional<uint64_t>(number);
}

Result<std::optional<SystemTime>> QueryParams::Time(std::string_view name, SystemTime now) const {
  if (!Has(name)) return std::optional<SystemTime>();
  const Result<SystemTime> time = ParseWhen(Get(name), now);
  if (!time) return Fail("The parameter '" + std::string(name) + "' is not a time", time.error());
  return std::optional<SystemTime>(*time);
}

}  // namespace spool
