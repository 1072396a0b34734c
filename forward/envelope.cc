#include "forward/envelope.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace spool {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

// 1 for bytes that may stand in a JSON string as they are and need no UTF-8 check.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x80; ++c) plain[static_cast<size_t>(c)] = c != '"' && c != '\\';
  return plain;
}();

// How many bytes from the start of `text` are plain; eight at a time.
size_t PlainPrefix(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101U;
  constexpr uint64_t kHighs = 0x8080808080808080U;
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, sizeof word);
    const uint64_t quote = word ^ (kOnes * '"');
    const uint64_t slash = word ^ (kOnes * '\\');
    // A byte's high bit is set below if the byte is < 0x20, a quote, a backslash or >= 0x80; a
    // false alarm only sends the word to the loop by bytes.
    const uint64_t special = (word - kOnes * 0x20) | (quote - kOnes) | (slash - kOnes) | word;
    if ((special & kHighs) != 0) break;
  }
  while (i < text.size() && kPlain[static_cast<uint8_t>(text[i])]) ++i;
  return i;
}

// The length of the well-formed UTF-8 sequence that `text` begins with (its first byte is not
// ASCII), or 0: no overlong forms, no surrogates, nothing above U+10FFFF.
size_t Utf8Length(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](size_t i) { return i < text.size() && (at(i) & 0xc0) == 0x80; };
  const uint8_t lead = at(0);
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (lead == 0xe0 && at(1) < 0xa0) return 0;
    if (lead == 0xed && at(1) > 0x9f) return 0;
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (lead == 0xf0 && at(1) < 0x90) return 0;
    if (lead == 0xf4 && at(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

void AppendEscaped(std::string& out, char c) {
  switch (c) {
    case '"': out.append("\\\""); return;
    case '\\': out.append("\\\\"); return;
    case '\b': out.append("\\b"); return;
    case '\f': out.append("\\f"); return;
    case '\n': out.append("\\n"); return;
    case '\r': out.append("\\r"); return;
    case '\t': out.append("\\t"); return;
    default: break;
  }
  const auto byte = static_cast<uint8_t>(c);
  const char escape[6] = {'\\', 'u', '0', '0', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
  out.append(escape, sizeof escape);
}

void AppendJsonInside(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const size_t plain = PlainPrefix(text);
    out.append(text.data(), plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    if (static_cast<uint8_t>(text[0]) < 0x80) {
      AppendEscaped(out, text[0]);
      text.remove_prefix(1);
      continue;
    }
    if (const size_t length = Utf8Length(text); length > 0) {
      out.append(text.data(), length);
      text.remove_prefix(length);
    } else {
      out.append("\xef\xbf\xbd");
      text.remove_prefix(1);
    }
  }
}

// One attribute; `key` is `,"name":"`, so that the common case is three appends.
void AppendAttribute(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  out.append(key);
  AppendJsonInside(out, value);
  out.push_back('"');
}

void AppendHash(std::string& out, std::string_view key, const Hash128& hash) {
  char hex[33];
  for (size_t i = 0; i < hash.bytes.size(); ++i) {
    hex[2 * i] = kHexDigits[hash.bytes[i] >> 4];
    hex[2 * i + 1] = kHexDigits[hash.bytes[i] & 15];
  }
  hex[32] = '"';
  out.append(key);
  out.append(hex, sizeof hex);
}

void PutDigits(char* at, int64_t value, int count) {
  for (int i = count - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

// As FormatTime does, without its allocation.
void AppendTime(std::string& out, std::string_view key, SystemTime t) {
  using std::chrono::sys_days;
  constexpr SystemTime kFirst = sys_days(std::chrono::year(0) / 1 / 1);
  constexpr SystemTime kEnd = sys_days(std::chrono::year(10000) / 1 / 1) - Micros(1);
  t = std::clamp(t, kFirst, kEnd);  // RFC 3339 has four digits for the year
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date(day);
  const int64_t micros = (t - day).count();
  const int64_t seconds = micros / 1'000'000;
  char text[28] = {'0', '0', '0', '0', '-', '0', '0', '-', '0', '0', 'T', '0', '0', ':',
                   '0', '0', ':', '0', '0', '.', '0', '0', '0', '0', '0', '0', 'Z', '"'};
  PutDigits(text, static_cast<int>(date.year()), 4);
  PutDigits(text + 5, static_cast<unsigned>(date.month()), 2);
  PutDigits(text + 8, static_cast<unsigned>(date.day()), 2);
  PutDigits(text + 11, seconds / 3600, 2);
  PutDigits(text + 14, seconds / 60 % 60, 2);
  PutDigits(text + 17, seconds % 60, 2);
  PutDigits(text + 20, micros % 1'000'000, 6);
  out.append(key);
  out.append(text, sizeof text);
}

void AppendNumber(std::string& out, std::string_view key, uint64_t value) {
  char digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  out.append(key);
  out.append(digits + at, sizeof digits - at);
  out.push_back('"');
}

// Valid JSON without the white space between its tokens. Line feeds cannot stand inside a JSON
// string, so what is left has none.
void AppendCompact(std::string& out, std::string_view json) {
  bool in_string = false;
  size_t begin = 0;  // of the run that is to be copied
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      out.append(json, begin, i - begin);
      begin = i + 1;
    }
  }
  out.append(json.substr(std::min(begin, json.size())));
}

void AppendBase64(std::string& out, std::string_view bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const uint32_t word = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    const char four[4] = {kAlphabet[word >> 18], kAlphabet[word >> 12 & 63],
                          kAlphabet[word >> 6 & 63], kAlphabet[word & 63]};
    out.append(four, 4);
  }
  const size_t left = bytes.size() - i;
  if (left == 0) return;
  const uint32_t word = at(i) << 16 | (left == 2 ? at(i + 1) << 8 : 0);
  const char four[4] = {kAlphabet[word >> 18], kAlphabet[word >> 12 & 63],
                        left == 2 ? kAlphabet[word >> 6 & 63] : '=', '='};
  out.append(four, 4);
}

void AppendData(std::string& out, const EventView& event) {
  if (event.data.empty()) return;
  if (!event.json) {
    out.append(",\"data_base64\":\"");
    AppendBase64(out, event.data);
    out.push_back('"');
    return;
  }
  out.append(",\"data\":");
  if (std::memchr(event.data.data(), '\n', event.data.size()) == nullptr) {
    out.append(event.data);
  } else {
    AppendCompact(out, event.data);
  }
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  out.push_back('"');
  AppendJsonInside(out, text);
  out.push_back('"');
}

void AppendCloudEvent(std::string& out, const EventView& event, std::string_view replay) {
  AppendHash(out, R"({"specversion":"1.0","id":")", event.id);
  AppendAttribute(out, R"(,"source":")", event.source);
  AppendAttribute(out, R"(,"type":")", event.type);
  AppendAttribute(out, R"(,"subject":")", event.subject);
  AppendTime(out, R"(,"time":")", event.time);
  AppendAttribute(out, R"(,"datacontenttype":")", event.content_type);
  if (event.sequence.value != 0) {  // not while the event is still being made
    AppendNumber(out, R"(,"sequence":")", event.sequence.value);
    AppendAttribute(out, R"(,"stream":")", event.stream);
    AppendTime(out, R"(,"acceptedtime":")", event.accepted);
  }
  AppendAttribute(out, R"(,"category":")", event.category);
  AppendAttribute(out, R"(,"subcategory":")", event.subcategory);
  AppendAttribute(out, R"(,"severity":")", SeverityName(event.severity));
  AppendAttribute(out, R"(,"cluster":")", event.cluster);
  AppendAttribute(out, R"(,"namespace":")", event.namespace_);
  AppendAttribute(out, R"(,"kind":")", event.kind);
  AppendAttribute(out, R"(,"name":")", event.name);
  AppendAttribute(out, R"(,"reason":")", event.reason);
  if (!event.problem_key.empty()) AppendHash(out, R"(,"problemkey":")", event.problem_key);
  AppendAttribute(out, R"(,"producer":")", event.producer);
  AppendAttribute(out, R"(,"replay":")", replay);
  if (!event.extensions.empty()) {
    out.push_back(',');
    AppendCompact(out, event.extensions);
  }
  AppendData(out, event);
  out.push_back('}');
}

}  // namespace spool
