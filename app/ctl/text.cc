#include "app/ctl/text.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace spool::ctl {
namespace {

// The next code point of `text` at `*at`, which it moves past it; -1 for a byte that begins no
// valid sequence (surrogates and overlong forms among them), which it also passes.
int32_t Next(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(*at);
  const size_t start = (*at)++;
  if (lead < 0x80) return lead;
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || start + static_cast<size_t>(more) >= text.size()) return -1;
  int32_t c = lead & (0x3F >> more);
  for (int i = 1; i <= more; ++i) {
    const uint8_t next = byte(start + static_cast<size_t>(i));
    if ((next & 0xC0) != 0x80) return -1;
    c = (c << 6) | (next & 0x3F);
  }
  constexpr int32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  if (c < kLeast[more] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return -1;
  *at = start + static_cast<size_t>(more) + 1;
  return c;
}

void AppendEscape(std::string& out, char32_t c) {
  char text[16];
  if (c > 0xFFFF) {  // as JSON writes it
    const uint32_t v = static_cast<uint32_t>(c) - 0x10000;
    std::snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD800 + (v >> 10), 0xDC00 + (v & 0x3FF));
  } else {
    std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(c));
  }
  out += text;
}

bool IsUtf8Locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    std::string locale(value);
    for (char& c : locale) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return locale.find("utf-8") != locale.npos || locale.find("utf8") != locale.npos;
  }
  return true;
}

// Edits between two words: insert, delete, replace, swap of neighbours.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

bool IsHostile(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || c == 0x180E ||
         (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) ||
         (c >= 0xE0000 && c <= 0xE0FFF);
}

std::string Visible(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  int marks = 0;  // a pile of combining marks would paint over the lines around it
  for (size_t at = 0; at < raw.size();) {
    const size_t start = at;
    const int32_t c = Next(raw, &at);
    if (c < 0) {
      char text[8];
      std::snprintf(text, sizeof text, "\\x%02x", static_cast<uint8_t>(raw[start]));
      out += text;
      continue;
    }
    const auto point = static_cast<char32_t>(c);
    if (c == '\n' || c == '\t' || c == '\r') {
      out += ' ';
    } else if (IsHostile(point)) {
      AppendEscape(out, point);
    } else {
      marks = CodePointWidth(point) == 0 ? marks + 1 : 0;
      if (marks <= 4) out += raw.substr(start, at - start);
    }
  }
  return out;
}

std::string VisibleJson(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (size_t at = 0; at < json.size();) {
    const size_t start = at;
    const int32_t c = Next(json, &at);
    if (c < 0) {
      out += "\\ufffd";
    } else if (c != '\n' && c != '\t' && c != '\r' && IsHostile(static_cast<char32_t>(c))) {
      AppendEscape(out, static_cast<char32_t>(c));
    } else {
      out += json.substr(start, at - start);
    }
  }
  return out;
}

size_t DisplayWidth(std::string_view visible) {
  size_t width = 0;
  for (size_t at = 0; at < visible.size();) {
    const int32_t c = Next(visible, &at);
    width += c < 0 ? 1 : static_cast<size_t>(CodePointWidth(static_cast<char32_t>(c)));
  }
  return width;
}

std::string Truncate(std::string_view visible, size_t width) {
  if (DisplayWidth(visible) <= width) return std::string(visible);
  if (width == 0) return {};
  size_t used = 0;
  size_t end = 0;
  for (size_t at = 0; at < visible.size();) {
    const int32_t c = Next(visible, &at);
    used += c < 0 ? 1 : static_cast<size_t>(CodePointWidth(static_cast<char32_t>(c)));
    if (used > width - 1) break;
    end = at;
  }
  return std::string(visible.substr(0, end)) + "…";
}

std::string Clip(std::string_view painted, size_t columns) {
  std::string out;
  size_t used = 0;
  for (size_t at = 0; at < painted.size();) {
    const size_t start = at;
    if (painted[at] == '\x1b') {
      at = std::min(painted.find('m', at), painted.size() - 1) + 1;
    } else {
      const int32_t c = Next(painted, &at);
      used += c < 0 ? 1 : static_cast<size_t>(CodePointWidth(static_cast<char32_t>(c)));
      if (used > columns) continue;
    }
    out += painted.substr(start, at - start);
  }
  return out;
}

std::string ForLocale(const std::string& text) {
  if (IsUtf8Locale()) return text;
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const int32_t c = Next(text, &at);
    if (c >= 0 && c < 0x80) {
      out += static_cast<char>(c);
    } else if (c == 0x2026) {  // …
      out += '~';
    } else if (c == 0x2192) {  // →
      out += '>';
    } else if (c >= 0x2588 && c <= 0x258F) {  // the filled part of a bar
      out += '#';
    } else if (c == 0x2591) {  // its empty part
      out += '.';
    } else {
      out.append(c < 0 ? 1 : static_cast<size_t>(CodePointWidth(static_cast<char32_t>(c))), '?');
    }
  }
  return out;
}

std::string Thousands(uint64_t n) {
  std::string text = std::to_string(n);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string Count(uint64_t n, std::string_view noun) {
  return Thousands(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

std::string Closest(std::string_view word, std::span<const std::string> candidates) {
  if (word.empty() || word.size() > 200) return {};
  size_t best = std::min<size_t>(2, std::max<size_t>(1, word.size() / 3));
  std::string found;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 200 || candidate == word) continue;
    const size_t distance = Distance(word, candidate);
    if (distance < best || (distance == best && found.empty())) {
      best = distance;
      found = candidate;
    }
  }
  if (!found.empty()) return found;
  for (const std::string& candidate : candidates) {  // "kaf" for "kafka-archive"
    if (word.size() < 3 || !candidate.starts_with(word)) continue;
    if (!found.empty()) return {};
    found = candidate;
  }
  return found;
}

std::string ShellQuote(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == word.npos) return std::string(word);
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
  std::string out;
  for (const char c : text) {
    if (kPlain.find(c) != kPlain.npos) {
      out += c;
    } else {
      char escaped[4];
      std::snprintf(escaped, sizeof escaped, "%%%02X", static_cast<uint8_t>(c));
      out += escaped;
    }
  }
  return out;
}

}  // namespace spool::ctl
