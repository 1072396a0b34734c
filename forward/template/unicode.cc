#include "forward/template/unicode.h"

#include <algorithm>
#include <iterator>
#include <span>

namespace spool::tmpl {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};
struct CaseRun {
  char32_t first;
  char32_t last;
  uint32_t step;
  int32_t delta;
};

#include "forward/template/unicode_tables.inc"

bool Within(std::span<const Range> ranges, char32_t rune) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), rune,
                       [](char32_t value, const Range& range) { return value < range.first; });
  return after != ranges.begin() && rune <= std::prev(after)->last;
}

char32_t Mapped(std::span<const CaseRun> runs, char32_t rune) {
  const auto after =
      std::upper_bound(runs.begin(), runs.end(), rune,
                       [](char32_t value, const CaseRun& run) { return value < run.first; });
  if (after == runs.begin()) return rune;
  const CaseRun& run = *std::prev(after);
  if (rune > run.last || (rune - run.first) % run.step != 0) return rune;
  return static_cast<char32_t>(static_cast<int32_t>(rune) + run.delta);
}

void AppendHex(std::string& out, uint32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out.push_back("0123456789abcdef"[value >> shift & 15]);
  }
}

// One code point of a quoted text, as strconv.appendEscapedRune does it.
void AppendEscaped(std::string& out, char32_t rune, char quote, bool ascii) {
  if (rune == static_cast<char32_t>(quote) || rune == '\\') {
    out.push_back('\\');
    out.push_back(static_cast<char>(rune));
    return;
  }
  if (ascii ? rune < 0x80 && IsPrintable(rune) : IsPrintable(rune)) {
    AppendRune(out, rune);
    return;
  }
  switch (rune) {
    case '\a': out += "\\a"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\v': out += "\\v"; return;
    default: break;
  }
  if (rune < ' ' || rune == 0x7f) {
    out += "\\x";
    AppendHex(out, rune, 2);
  } else if (rune < 0x10000) {
    out += "\\u";
    AppendHex(out, rune, 4);
  } else {
    out += "\\U";
    AppendHex(out, rune, 8);
  }
}

}  // namespace

char32_t DecodeRune(std::string_view text, size_t* width) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (at(i) & 0xc0) == 0x80; };
  const auto bits = [&](size_t i) { return static_cast<char32_t>(at(i) & 0x3f); };
  *width = 1;
  const char32_t lead = at(0);
  if (lead < 0x80) return lead;
  if (lead >= 0xc2 && lead <= 0xdf && tail(1)) {
    *width = 2;
    return (lead & 0x1f) << 6 | bits(1);
  }
  if (lead >= 0xe0 && lead <= 0xef && tail(1) && tail(2)) {
    const char32_t rune = (lead & 0x0f) << 12 | bits(1) << 6 | bits(2);
    if (rune < 0x800 || (rune >= 0xd800 && rune <= 0xdfff)) return kRuneError;
    *width = 3;
    return rune;
  }
  if (lead >= 0xf0 && lead <= 0xf4 && tail(1) && tail(2) && tail(3)) {
    const char32_t rune = (lead & 0x07) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3);
    if (rune < 0x10000 || rune > 0x10ffff) return kRuneError;
    *width = 4;
    return rune;
  }
  return kRuneError;
}

void AppendRune(std::string& out, char32_t rune) {
  if (rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff)) rune = kRuneError;
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (rune < 0x80) {
    put(rune);
  } else if (rune < 0x800) {
    put(0xc0 | rune >> 6);
    put(0x80 | (rune & 0x3f));
  } else if (rune < 0x10000) {
    put(0xe0 | rune >> 12);
    put(0x80 | (rune >> 6 & 0x3f));
    put(0x80 | (rune & 0x3f));
  } else {
    put(0xf0 | rune >> 18);
    put(0x80 | (rune >> 12 & 0x3f));
    put(0x80 | (rune >> 6 & 0x3f));
    put(0x80 | (rune & 0x3f));
  }
}

size_t RuneCount(std::string_view text) {
  size_t count = 0;
  for (size_t width = 0; !text.empty(); text.remove_prefix(width)) {
    DecodeRune(text, &width);
    ++count;
  }
  return count;
}

std::string_view FirstRunes(std::string_view text, size_t count) {
  size_t bytes = 0;
  for (; count > 0 && bytes < text.size(); --count) {
    size_t width = 0;
    DecodeRune(text.substr(bytes), &width);
    bytes += width;
  }
  return text.substr(0, bytes);
}

bool IsLetterOrDigit(char32_t rune) { return Within(kLettersAndDigits, rune); }
bool IsPrintable(char32_t rune) { return Within(kPrintable, rune); }
bool IsSpace(char32_t rune) {
  switch (rune) {
    case '\t':
    case '\n':
    case '\v':
    case '\f':
    case '\r':
    case ' ':
    case 0x85:
    case 0xa0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202f:
    case 0x205f:
    case 0x3000: return true;
    default: return rune >= 0x2000 && rune <= 0x200a;
  }
}
char32_t ToUpper(char32_t rune) { return Mapped(kUpper, rune); }
char32_t ToLower(char32_t rune) { return Mapped(kLower, rune); }
char32_t ToTitle(char32_t rune) { return Mapped(kTitle, rune); }

std::string_view TrimSpace(std::string_view text) {
  size_t width = 0;
  while (!text.empty() && IsSpace(DecodeRune(text, &width))) text.remove_prefix(width);
  while (!text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && text.size() - begin < 4 &&
           (static_cast<uint8_t>(text[begin]) & 0xc0) == 0x80) {
      --begin;
    }
    if (!IsSpace(DecodeRune(text.substr(begin), &width)) || begin + width != text.size()) break;
    text.remove_suffix(width);
  }
  return text;
}

void AppendQuoted(std::string& out, std::string_view text, bool ascii) {
  out.push_back('"');
  for (size_t width = 0; !text.empty(); text.remove_prefix(width)) {
    const char32_t rune = DecodeRune(text, &width);
    if (rune == kRuneError && width == 1) {
      out += "\\x";
      AppendHex(out, static_cast<uint8_t>(text[0]), 2);
    } else {
      AppendEscaped(out, rune, '"', ascii);
    }
  }
  out.push_back('"');
}

void AppendQuotedRune(std::string& out, char32_t rune, bool ascii) {
  if (rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff)) rune = kRuneError;
  out.push_back('\'');
  AppendEscaped(out, rune, '\'', ascii);
  out.push_back('\'');
}

}  // namespace spool::tmpl
