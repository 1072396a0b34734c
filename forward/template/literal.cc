#include "forward/template/literal.h"

#include <charconv>
#include <cmath>

#include "forward/template/unicode.h"

namespace spool::tmpl {
namespace {

std::optional<char32_t> TakeDigits(std::string_view& text, size_t count, int base) {
  uint32_t value = 0;
  if (text.size() < count) return std::nullopt;
  const char* end = text.data() + count;
  if (text[0] == '-' || std::from_chars(text.data(), end, value, base).ptr != end) {
    return std::nullopt;
  }
  text.remove_prefix(count);
  return value;
}

// After the backslash. Appends what it stands for.
bool TakeEscape(std::string& out, std::string_view& text, char quote) {
  if (text.empty()) return false;
  const char c = text[0];
  const std::string_view from = text;
  text.remove_prefix(1);
  std::optional<char32_t> code;
  switch (c) {
    case 'a': out.push_back('\a'); return true;
    case 'b': out.push_back('\b'); return true;
    case 'f': out.push_back('\f'); return true;
    case 'n': out.push_back('\n'); return true;
    case 'r': out.push_back('\r'); return true;
    case 't': out.push_back('\t'); return true;
    case 'v': out.push_back('\v'); return true;
    case '\\': out.push_back('\\'); return true;
    case '\'':
    case '"':
      if (c != quote) return false;
      out.push_back(c);
      return true;
    case 'x':  // one byte, whether it makes UTF-8 or not
      code = TakeDigits(text, 2, 16);
      if (!code) return false;
      out.push_back(static_cast<char>(*code));
      return true;
    case 'u': code = TakeDigits(text, 4, 16); break;
    case 'U': code = TakeDigits(text, 8, 16); break;
    default:
      text = from;
      code = c >= '0' && c <= '7' ? TakeDigits(text, 3, 8) : std::nullopt;
      if (!code || *code > 255) return false;
      out.push_back(static_cast<char>(*code));
      return true;
  }
  if (!code || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff)) return false;
  AppendRune(out, *code);
  return true;
}

// Underscores stand between digits, or after 0x, 0o and 0b.
bool UnderscoresFit(std::string_view text) {
  char before = '^';  // '0' a digit, '_' an underscore, '!' anything else
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  bool hex = false;
  if (text.size() >= 2 && text[0] == '0') {
    const char base = static_cast<char>(text[1] | 0x20);
    if (base == 'b' || base == 'o' || base == 'x') {
      text.remove_prefix(2);
      before = '0';
      hex = base == 'x';
    }
  }
  for (const char c : text) {
    const char lower = static_cast<char>(c | 0x20);
    if ((c >= '0' && c <= '9') || (hex && lower >= 'a' && lower <= 'f')) {
      before = '0';
    } else if (c == '_') {
      if (before != '0') return false;
      before = '_';
    } else {
      if (before == '_') return false;
      before = '!';
    }
  }
  return before != '_';
}

struct Whole {
  uint64_t size;  // without the sign
};

// strconv.ParseInt and ParseUint with base 0.
std::optional<Whole> ParseWhole(std::string_view digits, bool negative, bool with_sign) {
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char mark = static_cast<char>(digits[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    digits.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  uint64_t size = 0;
  const char* end = digits.data() + digits.size();
  if (digits.empty() || digits[0] == '-') return std::nullopt;
  const auto parsed = std::from_chars(digits.data(), end, size, base);
  if (parsed.ptr != end || parsed.ec != std::errc()) return std::nullopt;
  if (with_sign && size > (uint64_t{1} << 63) - (negative ? 0 : 1)) return std::nullopt;
  return Whole{size};
}

std::optional<double> ParseReal(std::string_view digits) {
  auto form = std::chars_format::general;
  if (digits.size() > 1 && digits[0] == '0' && (digits[1] | 0x20) == 'x') {
    if (digits.find_first_of("pP") == digits.npos) return std::nullopt;
    form = std::chars_format::hex;
    digits.remove_prefix(2);
  }
  double real = 0;
  const char* end = digits.data() + digits.size();
  if (digits.empty() || digits[0] == '-') return std::nullopt;
  const auto parsed = std::from_chars(digits.data(), end, real, form);
  if (parsed.ptr != end || parsed.ec == std::errc::invalid_argument) return std::nullopt;
  if (parsed.ec == std::errc::result_out_of_range) {
    // Go takes what is too near to zero as zero.
    if (digits.find("e-") == digits.npos && digits.find("E-") == digits.npos) return std::nullopt;
    return 0.0;
  }
  return real;
}

}  // namespace

std::optional<std::string> UnquoteText(std::string_view quoted) {
  if (quoted.size() < 2) return std::nullopt;
  const char quote = quoted.front();
  std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string out;
  if (quote == '`') {
    for (const char c : text) {
      if (c != '\r') out.push_back(c);  // as in Go's raw strings
    }
    return out;
  }
  while (!text.empty()) {
    const char c = text[0];
    if (c == quote || c == '\n') return std::nullopt;
    if (c != '\\') {
      size_t width = 0;
      const char32_t rune = DecodeRune(text, &width);
      if (rune == kRuneError) {
        AppendRune(out, rune);
      } else {
        out.append(text, 0, width);
      }
      text.remove_prefix(width);
      continue;
    }
    text.remove_prefix(1);
    if (!TakeEscape(out, text, quote)) return std::nullopt;
  }
  return out;
}

std::optional<int64_t> WholeOfText(std::string_view text) {
  if (!UnderscoresFit(text)) return std::nullopt;
  std::string digits;
  for (const char c : text) {
    if (c != '_') digits.push_back(c);
  }
  std::string_view rest = digits;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const auto whole = ParseWhole(rest, negative, true);
  if (!whole) return std::nullopt;
  return static_cast<int64_t>(negative ? ~whole->size + 1 : whole->size);
}

std::optional<Constant> ParseConstant(std::string_view text) {
  Constant made;
  if (text.starts_with('\'')) {
    // One character, or one byte that an escape gives.
    const std::optional<std::string> inside = UnquoteText(text);
    if (!inside || inside->empty()) return std::nullopt;
    size_t width = 0;
    made.integer = static_cast<int64_t>(DecodeRune(*inside, &width));
    if (width != inside->size()) return std::nullopt;
    const std::string_view escape = text.substr(1, 2);
    if (width == 1 && (escape == "\\x" || (escape[0] == '\\' && escape[1] <= '7'))) {
      made.integer = static_cast<uint8_t>((*inside)[0]);
    }
    made.is_int = made.is_float = true;
    made.real = static_cast<double>(made.integer);
    return made;
  }
  if (!UnderscoresFit(text)) return std::nullopt;
  std::string digits;
  for (const char c : text) {
    if (c != '_') digits.push_back(c);
  }
  std::string_view rest = digits;
  const bool negative = rest.starts_with('-');
  const bool has_sign = negative || rest.starts_with('+');
  if (has_sign) rest.remove_prefix(1);
  // A sign before it makes Go take 0x1e for a float, and so do we.
  const bool hex = !has_sign && rest.size() > 2 && rest[0] == '0' && (rest[1] | 0x20) == 'x';
  made.written_as_float =
      hex ? rest.find_first_of("pP") != rest.npos : rest.find_first_of(".eEpP") != rest.npos;
  if (const auto whole = ParseWhole(rest, negative, true)) {
    made.is_int = made.is_float = true;
    made.integer = static_cast<int64_t>(negative ? ~whole->size + 1 : whole->size);
    made.real = static_cast<double>(made.integer);
    return made;
  }
  // What fits only without a sign is too large for the int that it would have to be; kept to be
  // refused where it is used.
  if (!has_sign) {
    if (const auto whole = ParseWhole(rest, false, false)) {
      made.is_float = true;
      made.real = static_cast<double>(whole->size);
      return made;
    }
  }
  const std::optional<double> real = ParseReal(rest);
  if (!real || rest.find_first_of(".eEpP") == rest.npos) return std::nullopt;
  made.is_float = true;
  made.real = negative ? -*real : *real;
  if (made.real >= -0x1p63 && made.real < 0x1p63 && std::trunc(made.real) == made.real) {
    made.is_int = true;
    made.integer = static_cast<int64_t>(made.real);
  }
  return made;
}

}  // namespace spool::tmpl
