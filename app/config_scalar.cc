// Single values: from text to a number, a time, an address, with bounds.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "app/config_text.h"
#include "app/config_values.h"
#include "base/assert.h"
#include "base/time_text.h"

namespace spool {
namespace {

constexpr int64_t kUnbounded = std::numeric_limits<int64_t>::max();
constexpr size_t kShownMax = 60;

// What was wrong with a text, without its place.
struct Complaint {
  std::string message;
  std::string hint;
};
using Finding = std::optional<Complaint>;  // empty: good

Finding Wrong(std::string message, std::string hint = {}) {
  return Complaint{std::move(message), std::move(hint)};
}

std::optional<int64_t> WholeNumber(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Finding CheckRange(const Field& field, int64_t value) {
  if (value == 0 && !field.zero.empty()) return {};
  if (value < field.min || value > field.max) {
    return Wrong(fmt::format("'{}' must be {}, not {}", field.name, RangeText(field),
                             BoundText(field, value)));
  }
  if (value % field.step != 0) {
    return Wrong(fmt::format("'{}' must be a multiple of {}", field.name,
                             FormatDuration(Micros(field.step))));
  }
  return {};
}

Finding ReadInteger(const Field& field, std::string_view text, FieldValue& value) {
  const std::optional<int64_t> number = WholeNumber(text);
  if (!number) return Wrong(fmt::format("'{}' must be a whole number", field.name));
  value.number = *number;
  return CheckRange(field, *number);
}

Finding ReadBytes(const Field& field, std::string_view text, FieldValue& value) {
  const Result<uint64_t> bytes = ParseBytes(text);
  if (!bytes || *bytes > static_cast<uint64_t>(kUnbounded)) {
    return Wrong(fmt::format("'{}' must be a size", field.name),
                 "a whole number with KiB, MiB, GiB or TiB, such as 64MiB");
  }
  value.number = static_cast<int64_t>(*bytes);
  return CheckRange(field, value.number);
}

Finding ReadDuration(const Field& field, std::string_view text, FieldValue& value) {
  const Result<Micros> duration = ParseDuration(text);
  if (!duration) {
    const bool bare = WholeNumber(text).has_value();
    return Wrong(fmt::format("'{}' must be a duration{}", field.name, bare ? " with a unit" : ""),
                 bare ? fmt::format("did you mean '{}s'?", text)
                      : "a number with ms, s, m, h or d, such as 10s or 1h30m");
  }
  value.number = duration->count();
  return CheckRange(field, value.number);
}

Finding ReadRate(const Field& field, std::string_view text, FieldValue& value) {
  double per_second = 1;
  std::string_view number = text;
  if (text.ends_with("/s") || text.ends_with("/m") || text.ends_with("/h")) {
    per_second = text.back() == 's' ? 1 : text.back() == 'm' ? 60 : 3600;
    number.remove_suffix(2);
  }
  double parsed = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), parsed);
  if (error != std::errc() || end != number.data() + number.size() || !std::isfinite(parsed)) {
    return Wrong(fmt::format("'{}' must be a rate", field.name), "events a second, such as 100/s");
  }
  value.real = parsed / per_second;
  const bool off = value.real == 0 && !field.zero.empty();
  if (!off && (value.real < 1.0 / 3600 || value.real > static_cast<double>(field.max))) {
    return Wrong(
        fmt::format("'{}' must be 1/h to {}/s, or 0 ({})", field.name, field.max, field.zero));
  }
  return {};
}

Finding ReadByteRate(const Field& field, std::string_view text, FieldValue& value) {
  double seconds = 1;
  std::string_view size = text;
  if (text.ends_with("/s") || text.ends_with("/m") || text.ends_with("/h")) {
    seconds = text.back() == 's' ? 1 : text.back() == 'm' ? 60 : 3600;
    size.remove_suffix(2);
  }
  const Result<uint64_t> bytes = ParseBytes(size);
  if (!bytes || *bytes > static_cast<uint64_t>(kUnbounded)) {
    return Wrong(fmt::format("'{}' must be a size in a time", field.name),
                 "bytes a second, such as 100MiB/s");
  }
  value.real = static_cast<double>(*bytes) / seconds;
  const bool off = *bytes == 0 && !field.zero.empty();
  if (!off && (value.real < static_cast<double>(field.min) ||
               value.real > static_cast<double>(field.max))) {
    return Wrong(fmt::format("'{}' must be {}", field.name, RangeText(field)));
  }
  return {};
}

Finding ReadWord(const Field& field, std::string_view text, FieldValue& value) {
  value.text = text;
  if (std::find(field.words.begin(), field.words.end(), text) != field.words.end()) return {};
  return Wrong(fmt::format("'{}' must be one of {}", field.name, Join(field.words)),
               Nearest(text, field.words).empty() ? std::string() : Suggestion(text, field.words));
}

Finding ReadText(const Field& field, std::string_view text, FieldValue& value) {
  value.text = text;
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return Wrong(fmt::format("'{}' must not hold control characters or line ends", field.name));
  }
  const auto size = static_cast<int64_t>(text.size());
  if (size < field.min && size == 0)
    return Wrong(fmt::format("'{}' must not be empty", field.name));
  if (size < field.min || size > field.max) {
    return Wrong(fmt::format("'{}' must have {} to {} bytes, not {}", field.name, field.min,
                             field.max, size));
  }
  return {};
}

Finding ReadName(const Field& field, std::string_view text, FieldValue& value) {
  value.text = text;
  const bool good =
      !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      });
  if (good) return {};
  return Wrong(fmt::format("'{}' must be 1 to 63 of a-z, 0-9 and '-'", field.name));
}

Finding ReadAddress(const Field& field, std::string_view text, FieldValue& value) {
  value.text = text;
  if (ParseListenAddress(text)) return {};
  std::string hint = "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080";
  if (text.starts_with(':') && ParseListenAddress("0.0.0.0" + std::string(text))) {
    hint = fmt::format("for every interface write '0.0.0.0{}'", text);
  } else if (text.starts_with("localhost:")) {
    hint = fmt::format("write '127.0.0.1{}'", text.substr(9));
  }
  return Wrong(fmt::format("'{}' must be an address to listen on", field.name), std::move(hint));
}

Finding ReadUrl(const Field& field, std::string_view text, FieldValue& value) {
  value.text = text;
  const size_t colon = text.find("://");
  const std::string_view scheme = text.substr(0, colon);
  if (colon == std::string_view::npos ||
      std::find(field.words.begin(), field.words.end(), scheme) == field.words.end()) {
    std::string expected = Join(field.words, ":// or ");
    return Wrong(fmt::format("'{}' must be a URL that begins with {}://", field.name, expected));
  }
  std::string_view authority = text.substr(colon + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  const bool blank = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
  });
  std::string_view host = authority;
  if (!authority.ends_with(']')) {
    if (const size_t port = authority.rfind(':'); port != std::string_view::npos) {
      const std::optional<int64_t> number = WholeNumber(authority.substr(port + 1));
      if (!number || *number < 1 || *number > 65535)
        host = {};
      else
        host = authority.substr(0, port);
    }
  }
  if (blank || host.empty() || text.size() > 2048) {
    return Wrong(fmt::format("'{}' must be a URL with a host and, if any, a port of 1 to 65535",
                             field.name));
  }
  return {};
}

Finding ReadWhen(const Field& field, std::string_view text, FieldValue& value) {
  value.text = text;
  if (text == "beginning" || ParseWhen(text, RealClock().Now())) return {};
  return Wrong(fmt::format("'{}' must be beginning, now or a time", field.name),
               "a time is 2026-11-20T06:11:14Z, 2026-11-20, or 3h for three hours ago");
}

Finding ReadBool(const Field& field, std::string_view text, FieldValue& value) {
  value.boolean = text == "true";
  if (text == "true" || text == "false") return {};
  return Wrong(fmt::format("'{}' must be true or false", field.name),
               text == "yes" || text == "on" || text == "True" || text == "TRUE"     ? "write true"
               : text == "no" || text == "off" || text == "False" || text == "FALSE" ? "write false"
                                                                                     : "");
}

Finding ReadAny(const Field& field, std::string_view text, FieldValue& value) {
  switch (field.type) {
    case FieldType::kBool: return ReadBool(field, text, value);
    case FieldType::kInteger: return ReadInteger(field, text, value);
    case FieldType::kBytes: return ReadBytes(field, text, value);
    case FieldType::kDuration: return ReadDuration(field, text, value);
    case FieldType::kRate: return ReadRate(field, text, value);
    case FieldType::kByteRate: return ReadByteRate(field, text, value);
    case FieldType::kWord: return ReadWord(field, text, value);
    case FieldType::kName: return ReadName(field, text, value);
    case FieldType::kAddress: return ReadAddress(field, text, value);
    case FieldType::kUrl: return ReadUrl(field, text, value);
    case FieldType::kWhen: return ReadWhen(field, text, value);
    default: return ReadText(field, text, value);
  }
}

// A text that the parser would have taken as text anyway may be quoted or not; the others not.
bool MayBeQuoted(FieldType type) { return type != FieldType::kBool && type != FieldType::kInteger; }

bool HasUserInfo(const Field& field, std::string_view text) {
  if (field.type != FieldType::kUrl) return false;
  const size_t scheme = text.find("://");
  const std::string_view rest = scheme == std::string_view::npos ? text : text.substr(scheme + 3);
  return rest.substr(0, rest.find_first_of("/?#")).find('@') != std::string_view::npos;
}

}  // namespace

bool CheckScalar(const Field& field, const YamlNode& node, FieldValue& value,
                 ConfigProblems& problems) {
  if (node.unusable) return false;
  if (HasUserInfo(field, node.text)) {
    problems.Hide(node);
    problems.Add(node.start, fmt::format("'{}' must not hold a user or password", field.name),
                 "the target's own fields take them as { file: PATH } or { env: NAME }");
    return false;
  }
  if (node.quoted && !node.substituted && !MayBeQuoted(field.type)) {
    problems.Add(node.start,
                 fmt::format("'{}' must be {}, not a text in quotes", field.name, TypeText(field)),
                 "write it without quotes");
    return false;
  }
  Finding finding = ReadAny(field, node.text, value);
  if (!finding) return true;
  // What a variable brought in may be a secret put in the wrong place: only its name is shown.
  std::string shown = node.substituted ? node.written : node.text;
  if (shown.size() > kShownMax) shown = shown.substr(0, kShownMax) + "…";
  const std::string number = ", not ";
  if (node.substituted) {
    const size_t cut = finding->message.find(number);
    if (cut != std::string::npos) finding->message.resize(cut);
    finding->hint.clear();
  }
  if (finding->message.find(number) == std::string::npos) {
    finding->message += fmt::format(", not '{}'", shown);
  }
  problems.Add(node.start, finding->message, finding->hint);
  return false;
}

void TakeFallback(const Field& field, FieldValue& value) {
  if (field.fallback.empty()) return;
  SPOOL_ASSERT(!ReadAny(field, field.fallback, value));
}

std::optional<ListenAddress> ParseListenAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view port_text = text.substr(colon + 1);
  const std::optional<int64_t> port = WholeNumber(port_text);
  if (!port || *port < 0 || *port > 65535 || port_text.size() > 5) return std::nullopt;
  ListenAddress address;
  address.port = static_cast<int>(*port);
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    address.host = host.substr(1, host.size() - 2);
    in6_addr v6{};
    if (inet_pton(AF_INET6, address.host.c_str(), &v6) != 1) return std::nullopt;
    address.loopback = IN6_IS_ADDR_LOOPBACK(&v6);
    address.any = IN6_IS_ADDR_UNSPECIFIED(&v6);
    return address;
  }
  address.host = host;
  in_addr v4{};
  if (inet_pton(AF_INET, address.host.c_str(), &v4) != 1) return std::nullopt;
  address.loopback = (ntohl(v4.s_addr) >> 24) == 127;
  address.any = v4.s_addr == htonl(INADDR_ANY);
  return address;
}

std::string BoundText(const Field& field, int64_t value) {
  if (field.type == FieldType::kDuration) return FormatDuration(Micros(value));
  const bool bytes = field.type == FieldType::kBytes || field.type == FieldType::kByteRate;
  if (!bytes || value == 0) return std::to_string(value);
  static constexpr const char* kUnits[] = {"", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (unit + 1 < std::size(kUnits) && value % 1024 == 0) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", value, kUnits[unit]);
}

std::string RangeText(const Field& field) {
  std::string range;
  switch (field.type) {
    case FieldType::kInteger:
    case FieldType::kBytes:
    case FieldType::kDuration:
      if (field.max == kUnbounded) {
        range = field.min == 0 ? "" : "at least " + BoundText(field, field.min);
      } else {
        range = BoundText(field, field.min) +
                (field.min == field.max ? "" : " to " + BoundText(field, field.max));
      }
      break;
    case FieldType::kRate: range = fmt::format("1/h to {}/s", field.max); break;
    case FieldType::kByteRate:
      range = BoundText(field, field.min) + "/s to " + BoundText(field, field.max) + "/s";
      break;
    default: return {};
  }
  if (!field.zero.empty()) range += fmt::format(", or 0 ({})", field.zero);
  return range;
}

std::string TypeText(const Field& field) {
  switch (field.type) {
    case FieldType::kText: return "text";
    case FieldType::kName: return "a name";
    case FieldType::kBool: return "true or false";
    case FieldType::kInteger: return "a whole number";
    case FieldType::kBytes: return "a size";
    case FieldType::kDuration: return "a duration";
    case FieldType::kRate: return "a rate";
    case FieldType::kByteRate: return "a size a second";
    case FieldType::kWord: return "one word";
    case FieldType::kAddress: return "an address";
    case FieldType::kUrl: return "a URL";
    case FieldType::kWhen: return "a time";
    case FieldType::kSecret: return "a secret";
    case FieldType::kTextList: return "a list";
    case FieldType::kTextMap: return "a map";
    case FieldType::kRules: return "match rules";
    case FieldType::kSection: return "a map";
    case FieldType::kSectionList: return "a list of maps";
    case FieldType::kSectionMap: return "a map of names";
  }
  return {};
}

}  // namespace spool
