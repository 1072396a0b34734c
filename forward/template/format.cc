#include "forward/template/format.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "forward/template/go_time.h"
#include "forward/template/number_text.h"
#include "forward/template/unicode.h"

namespace spool::tmpl {
namespace {

constexpr std::string_view kNil = "<nil>";
constexpr char kLower[] = "0123456789abcdefx";
constexpr char kUpper[] = "0123456789ABCDEFX";

// Go's flag # for floats: a decimal point always, and the zeros that %g leaves out.
std::string Sharpened(std::string number, char32_t verb, int64_t precision) {
  int64_t digits = 0;
  if (verb == 'v' || verb == 'g' || verb == 'G') digits = precision < 0 ? 6 : precision;
  const size_t mark = std::min(number.find_first_of("eE"), number.size());
  const std::string tail = number.substr(mark);
  number.resize(mark);
  bool point = false;
  bool counting = false;
  for (size_t i = 1; i < number.size(); ++i) {
    if (number[i] == '.') {
      point = true;
      continue;
    }
    counting = counting || number[i] != '0';
    if (counting) --digits;
  }
  if (!point) {
    if (number.size() == 2 && number[1] == '0') --digits;
    number.push_back('.');
  }
  if (digits > 0) number.append(static_cast<size_t>(digits), '0');
  return number + tail;
}

}  // namespace

void Formatter::Put(std::string_view text) {
  if (too_long_ || text.size() > bytes_max_ - std::min(bytes_max_, out_.size())) {
    too_long_ = too_long_ || !text.empty();
    return;
  }
  out_.append(text);
}

void Formatter::Pad(int64_t count) {
  if (count <= 0 || too_long_) return;
  const auto wanted = static_cast<size_t>(count);
  if (wanted > bytes_max_ - std::min(bytes_max_, out_.size())) {
    too_long_ = true;
    return;
  }
  out_.append(wanted, flags_.zero && !flags_.minus ? '0' : ' ');
}

void Formatter::Padded(std::string_view text) {
  if (!flags_.has_width || flags_.width == 0) {
    Put(text);
    return;
  }
  const int64_t padding = flags_.width - static_cast<int64_t>(RuneCount(text));
  if (!flags_.minus) Pad(padding);
  Put(text);
  if (flags_.minus) Pad(padding);
}

void Formatter::Value(const tmpl::Value& value) {
  flags_ = {};
  Argument(value, 'v');
}

void Formatter::Print(std::span<const tmpl::Value> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0 && !values[i].is_text() && !values[i - 1].is_text()) Put(" ");
    Value(values[i]);
  }
}

void Formatter::PrintLine(std::span<const tmpl::Value> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) Put(" ");
    Value(values[i]);
  }
  Put("\n");
}

void Formatter::Unsupported(char32_t verb) {
  if (!unsupported_.empty()) return;
  unsupported_ = "%";
  AppendRune(unsupported_, verb);
}

void Formatter::BadVerb(const tmpl::Value& value, char32_t verb) {
  std::string begin = "%!";
  AppendRune(begin, verb);
  begin.push_back('(');
  Put(begin);
  if (value.nothing()) {
    Put(kNil);
  } else {
    Put(std::string(value.TypeName()) + "=");
    erroring_ = true;
    Argument(value, 'v');
    erroring_ = false;
  }
  Put(")");
}

void Formatter::Argument(const tmpl::Value& value, char32_t verb) {
  if (!ok()) return;
  if (value.nothing()) {
    if (verb == 'T' || verb == 'v' || nothing_.empty()) {
      Padded(nothing_);
    } else {
      BadVerb(value, verb);
    }
    return;
  }
  if (verb == 'T') {
    const std::string_view name = value.TypeName();
    Padded(flags_.has_precision ? FirstRunes(name, static_cast<size_t>(flags_.precision)) : name);
    return;
  }
  switch (value.kind()) {
    case Kind::kBool:
      if (verb == 't' || verb == 'v') {
        Padded(value.boolean() ? "true" : "false");
      } else {
        BadVerb(value, verb);
      }
      return;
    case Kind::kInt:
    case Kind::kInt64: Integer(static_cast<uint64_t>(value.integer()), true, value, verb); return;
    case Kind::kUint64:
    case Kind::kUint8: Integer(value.natural(), false, value, verb); return;
    case Kind::kFloat: Real(value, verb); return;
    case Kind::kString: Text(value, verb); return;
    case Kind::kList:
    case Kind::kMap:
      if (verb == 'p') {
        Unsupported(verb);
      } else {
        List(value, verb);
      }
      return;
    case Kind::kTime:
      if (erroring_ || (verb != 'v' && verb != 's' && verb != 'q' && verb != 'x' && verb != 'X')) {
        Unsupported(verb);  // Go shows the fields inside
      } else {
        Text(tmpl::Value::String(FormatGoTime(value.time(), kGoTimeString)), verb);
      }
      return;
    default: return;
  }
}

void Formatter::List(const tmpl::Value& value, char32_t verb) {
  const auto one = [&](const tmpl::Value& item) {
    if (item.nothing()) {
      Put(kNil);
    } else {
      Argument(item, verb);
    }
  };
  bool first = true;
  if (value.kind() == Kind::kList) {
    Put("[");
    for (const tmpl::Value& item : value.items()) {
      if (!first) Put(" ");
      first = false;
      one(item);
      if (!ok()) return;
    }
  } else {
    Put("map[");
    for (const Entry& entry : value.entries()) {
      if (!first) Put(" ");
      first = false;
      one(tmpl::Value::String(entry.first));
      Put(":");
      one(entry.second);
      if (!ok()) return;
    }
  }
  Put("]");
}

void Formatter::Integer(uint64_t value, bool is_signed, const tmpl::Value& whole, char32_t verb) {
  std::string text;
  switch (verb) {
    case 'v':
    case 'd': Digits(value, 10, is_signed, verb, false); return;
    case 'b': Digits(value, 2, is_signed, verb, false); return;
    case 'o':
    case 'O': Digits(value, 8, is_signed, verb, false); return;
    case 'x': Digits(value, 16, is_signed, verb, false); return;
    case 'X': Digits(value, 16, is_signed, verb, true); return;
    case 'c':
      AppendRune(text, static_cast<char32_t>(std::min<uint64_t>(value, 0x110000)));
      Padded(text);
      return;
    case 'q':
      AppendQuotedRune(text, static_cast<char32_t>(std::min<uint64_t>(value, 0x110000)),
                       flags_.plus);
      Padded(text);
      return;
    case 'U': CodePoint(value); return;
    default: BadVerb(whole, verb); return;
  }
}

void Formatter::Digits(uint64_t value, unsigned base, bool is_signed, char32_t verb, bool upper) {
  const bool negative = is_signed && static_cast<int64_t>(value) < 0;
  if (negative) value = ~value + 1;
  const bool zero = flags_.zero;
  int64_t precision = 0;
  if (flags_.has_precision) {
    precision = flags_.precision;
    if (precision == 0 && value == 0) {
      flags_.zero = false;
      Pad(flags_.has_width ? flags_.width : 0);
      flags_.zero = zero;
      return;
    }
  } else if (flags_.zero && !flags_.minus && flags_.has_width) {
    precision = flags_.width;
    if (negative || flags_.plus || flags_.space) --precision;
  }
  const char* digits = upper ? kUpper : kLower;
  std::string text;  // back to front
  do {
    text.push_back(digits[value % base]);
    value /= base;
  } while (value != 0);
  if (precision > static_cast<int64_t>(text.size())) {
    text.append(static_cast<size_t>(precision) - text.size(), '0');
  }
  if (flags_.sharp) {
    if (base == 2) text += "b0";
    if (base == 8 && text.back() != '0') text.push_back('0');
    if (base == 16) {
      text.push_back(digits[16]);
      text.push_back('0');
    }
  }
  if (verb == 'O') text += "o0";
  if (negative) {
    text.push_back('-');
  } else if (flags_.plus) {
    text.push_back('+');
  } else if (flags_.space) {
    text.push_back(' ');
  }
  std::reverse(text.begin(), text.end());
  flags_.zero = false;
  Padded(text);
  flags_.zero = zero;
}

void Formatter::CodePoint(uint64_t value) {
  std::string text;
  for (uint64_t left = value; left != 0 || text.empty(); left /= 16) {
    text.push_back(kUpper[left % 16]);
  }
  const int64_t precision = flags_.has_precision ? std::max<int64_t>(flags_.precision, 4) : 4;
  if (precision > static_cast<int64_t>(text.size())) {
    text.append(static_cast<size_t>(precision) - text.size(), '0');
  }
  std::reverse(text.begin(), text.end());
  text.insert(0, "U+");
  if (flags_.sharp && value <= 0x10ffff && IsPrintable(static_cast<char32_t>(value))) {
    text += " '";
    AppendRune(text, static_cast<char32_t>(value));
    text.push_back('\'');
  }
  const bool zero = flags_.zero;
  flags_.zero = false;
  Padded(text);
  flags_.zero = zero;
}

void Formatter::Real(const tmpl::Value& value, char32_t verb) {
  char form = static_cast<char>(verb);
  int digits = -1;
  switch (verb) {
    case 'v': form = 'g'; break;
    case 'g':
    case 'G': break;
    case 'f':
    case 'F':
      form = 'f';
      digits = 6;
      break;
    case 'e':
    case 'E': digits = 6; break;
    case 'b':
    case 'x':
    case 'X': Unsupported(verb); return;
    default: BadVerb(value, verb); return;
  }
  if (flags_.has_precision) digits = static_cast<int>(flags_.precision);
  std::string number;
  if (verb == 'v' && plain_numbers_ && digits < 0 && std::isfinite(value.real())) {
    AppendJsonNumber(number, value.real());
  } else {
    AppendFloat(number, value.real(), form, digits);
  }
  if (number[0] != '-' && number[0] != '+') number.insert(0, "+");
  if (flags_.space && number[0] == '+' && !flags_.plus) number[0] = ' ';
  const bool zero = flags_.zero;
  if (number[1] == 'I' || number[1] == 'N') {
    flags_.zero = false;
    if (number[1] == 'N' && !flags_.space && !flags_.plus) number.erase(0, 1);
    Padded(number);
    flags_.zero = zero;
    return;
  }
  if (flags_.sharp) number = Sharpened(std::move(number), verb, digits);
  if (!flags_.plus && number[0] == '+') {
    Padded(std::string_view(number).substr(1));
    return;
  }
  const auto size = static_cast<int64_t>(number.size());
  if (flags_.zero && !flags_.minus && flags_.has_width && flags_.width > size) {
    Put(std::string_view(number).substr(0, 1));
    Pad(flags_.width - size);
    Put(std::string_view(number).substr(1));
    return;
  }
  Padded(number);
}

void Formatter::Text(const tmpl::Value& value, char32_t verb) {
  std::string_view text = value.text();
  if (verb == 'x' || verb == 'X') {
    Hex(text, verb == 'X');
    return;
  }
  if (flags_.has_precision) text = FirstRunes(text, static_cast<size_t>(flags_.precision));
  if (verb == 'v' || verb == 's') {
    Padded(text);
    return;
  }
  if (verb != 'q') {
    BadVerb(value, verb);
    return;
  }
  std::string quoted;
  // Control characters but the tab, and the backquote itself, cannot stand in a raw string.
  const auto raw = [&] {
    for (size_t width = 0, i = 0; i < text.size(); i += width) {
      const char32_t rune = DecodeRune(text.substr(i), &width);
      if (width > 1
              ? rune == 0xfeff
              : rune == kRuneError || (rune < ' ' && rune != '\t') || rune == '`' || rune == 0x7f) {
        return false;
      }
    }
    return true;
  };
  if (flags_.sharp && raw()) {
    quoted = "`" + std::string(text) + "`";
  } else {
    AppendQuoted(quoted, text, flags_.plus);
  }
  Padded(quoted);
}

void Formatter::Hex(std::string_view text, bool upper) {
  const char* digits = upper ? kUpper : kLower;
  if (flags_.has_precision) text = text.substr(0, static_cast<size_t>(flags_.precision));
  std::string hex;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i > 0 && flags_.space) hex.push_back(' ');
    if (flags_.sharp && (i == 0 || flags_.space)) {
      hex.push_back('0');
      hex.push_back(digits[16]);
    }
    const auto byte = static_cast<uint8_t>(text[i]);
    hex.push_back(digits[byte >> 4]);
    hex.push_back(digits[byte & 15]);
  }
  Padded(hex);
}

// Where Printf is in its format and its arguments.
class Formatter::Cursor {
 public:
  Cursor(std::string_view format, std::span<const tmpl::Value> values)
      : format(format), values(values) {}

  // "[3]": the third argument is next.
  void Index() {
    after_index = false;
    if (at >= format.size() || format[at] != '[') return;
    reordered = true;
    const size_t close = format.find(']', at);
    if (format.size() - at < 3 || close == format.npos) {
      good = false;
      ++at;
      return;
    }
    const std::string_view digits = format.substr(at + 1, close - at - 1);
    at = close + 1;
    size_t i = 0;
    const auto [number, is_number] = Number(digits, i);
    after_index = is_number && i == digits.size();
    if (after_index && number >= 1 && number <= static_cast<int64_t>(values.size())) {
      next = static_cast<size_t>(number) - 1;
      return;
    }
    good = false;
  }

  // "*": a width or precision that is an argument.
  std::pair<int64_t, bool> FromArgument() {
    if (next >= values.size()) return {0, false};
    const tmpl::Value& value = values[next++];
    if (!value.whole()) return {0, false};
    const int64_t number = value.integer();
    const bool fits = number >= -kWidthMax && number <= kWidthMax;
    return {fits ? number : 0, fits};
  }

  std::pair<int64_t, bool> Number() { return Number(format, at); }

  std::string_view format;
  std::span<const tmpl::Value> values;
  size_t at = 0;
  size_t next = 0;
  bool after_index = false;
  bool reordered = false;
  bool good = true;

 private:
  static constexpr int64_t kWidthMax = 1'000'000;
  static std::pair<int64_t, bool> Number(std::string_view text, size_t& at) {
    int64_t number = 0;
    bool any = false;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
      if (number > kWidthMax) {
        at = text.size();
        return {0, false};
      }
      number = number * 10 + (text[at++] - '0');
      any = true;
    }
    return {number, any};
  }
};

void Formatter::Printf(std::string_view format, std::span<const tmpl::Value> values) {
  Cursor c(format, values);
  while (c.at < format.size() && ok()) {
    c.good = true;
    const size_t percent = std::min(format.find('%', c.at), format.size());
    Put(format.substr(c.at, percent - c.at));
    if (percent == format.size()) break;
    c.at = percent + 1;
    flags_ = {};
    for (bool more = true; more && c.at < format.size(); c.at += more ? 1 : 0) {
      switch (format[c.at]) {
        case '#': flags_.sharp = true; break;
        case '0': flags_.zero = true; break;
        case '+': flags_.plus = true; break;
        case '-': flags_.minus = true; break;
        case ' ': flags_.space = true; break;
        default: more = false; break;
      }
    }
    c.Index();
    if (c.at < format.size() && format[c.at] == '*') {
      ++c.at;
      std::tie(flags_.width, flags_.has_width) = c.FromArgument();
      if (!flags_.has_width) Put("%!(BADWIDTH)");
      if (flags_.width < 0) {
        flags_.width = -flags_.width;
        flags_.minus = true;
        flags_.zero = false;
      }
      c.after_index = false;
    } else {
      std::tie(flags_.width, flags_.has_width) = c.Number();
      if (c.after_index && flags_.has_width) c.good = false;
    }
    if (c.at < format.size() && format[c.at] == '.') {
      ++c.at;
      if (c.after_index) c.good = false;
      c.Index();
      if (c.at < format.size() && format[c.at] == '*') {
        ++c.at;
        std::tie(flags_.precision, flags_.has_precision) = c.FromArgument();
        if (flags_.precision < 0) {
          flags_.precision = 0;
          flags_.has_precision = false;
        }
        if (!flags_.has_precision) Put("%!(BADPREC)");
        c.after_index = false;
      } else {
        std::tie(flags_.precision, flags_.has_precision) = c.Number();
        if (!flags_.has_precision) flags_.precision = 0;
        flags_.has_precision = true;
      }
    }
    if (!c.after_index) c.Index();
    if (c.at >= format.size()) {
      Put("%!(NOVERB)");
      break;
    }
    size_t width = 0;
    const char32_t verb = DecodeRune(format.substr(c.at), &width);
    c.at += width;
    std::string name = "%!";
    AppendRune(name, verb);
    if (verb == '%') {
      Put("%");
    } else if (!c.good) {
      Put(name + "(BADINDEX)");
    } else if (c.next >= values.size()) {
      Put(name + "(MISSING)");
    } else if (verb == 'v' && flags_.sharp) {
      unsupported_ = "%#v";
    } else {
      if (verb == 'v') flags_.plus = false;
      Argument(values[c.next++], verb);
    }
  }
  if (!ok() || c.reordered || c.next >= values.size()) return;
  flags_ = {};
  Put("%!(EXTRA ");
  for (size_t i = c.next; i < values.size() && ok(); ++i) {
    if (i > c.next) Put(", ");
    if (!values[i].nothing()) Put(std::string(values[i].TypeName()) + "=");
    Argument(values[i], 'v');
  }
  Put(")");
}

}  // namespace spool::tmpl
