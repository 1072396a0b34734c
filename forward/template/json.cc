#include "forward/template/json.h"

#include <charconv>
#include <cmath>
#include <memory>
#include <vector>

#include "forward/template/go_time.h"
#include "forward/template/number_text.h"
#include "forward/template/unicode.h"

namespace spool::tmpl {
namespace {

constexpr size_t kMembersLikely = 8;

class Parser {
 public:
  Parser(std::string_view text, Numbers numbers) : text_(text), numbers_(numbers) {
    // Every string of the text lies in here, and none is longer than it was with its escapes; but
    // for broken UTF-8, whose replacement is longer and gets a string of its own.
    texts_->reserve(text.size());
  }

  Result<Value> Parse() {
    Value value;
    if (ParseValue(value, 0)) {
      SkipBlanks();
      if (at_ == text_.size()) return value;
    }
    return Fail(Code::kInvalid, "not JSON as it must be, at byte " + std::to_string(at_));
  }

 private:
  void SkipBlanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool TakeWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool ParseValue(Value& value, uint32_t depth) {
    SkipBlanks();
    if (at_ >= text_.size() || depth > kValueDepthMax) return false;
    switch (text_[at_]) {
      case '{': return ParseObject(value, depth + 1);
      case '[': return ParseArray(value, depth + 1);
      case '"': return ParseString(value);
      case 't': value = Value::Bool(true); return TakeWord("true");
      case 'f': value = Value::Bool(false); return TakeWord("false");
      case 'n': value = Value::Null(); return TakeWord("null");
      default: return ParseNumber(value);
    }
  }

  bool ParseObject(Value& value, uint32_t depth) {
    ++at_;
    std::vector<Entry> entries;
    entries.reserve(kMembersLikely);
    SkipBlanks();
    while (!Take('}')) {
      if (!entries.empty() && !Take(',')) return false;
      SkipBlanks();
      Value key;
      if (at_ >= text_.size() || text_[at_] != '"' || !ParseString(key)) return false;
      SkipBlanks();
      if (!Take(':')) return false;
      Value member;
      if (!ParseValue(member, depth)) return false;
      entries.emplace_back(std::string(key.text()), std::move(member));
      SkipBlanks();
    }
    value = Value::Map(std::move(entries));
    return value.depth() <= kValueDepthMax;
  }

  bool ParseArray(Value& value, uint32_t depth) {
    ++at_;
    std::vector<Value> items;
    SkipBlanks();
    while (!Take(']')) {
      if (!items.empty() && !Take(',')) return false;
      Value item;
      if (!ParseValue(item, depth)) return false;
      items.push_back(std::move(item));
      SkipBlanks();
    }
    value = Value::List(std::move(items));
    return value.depth() <= kValueDepthMax;
  }

  bool ParseString(Value& value) {
    const size_t begin = ++at_;
    std::string out;
    bool plain = true;  // the text is its own content
    while (true) {
      if (at_ >= text_.size()) return false;
      const char c = text_[at_];
      if (c == '"') break;
      if (static_cast<uint8_t>(c) < 0x20) return false;
      size_t width = 1;
      const char32_t rune =
          static_cast<uint8_t>(c) < 0x80 ? 0 : DecodeRune(text_.substr(at_), &width);
      const bool broken = rune == kRuneError && width == 1;
      if (c != '\\' && !broken) {
        if (!plain) out.append(text_, at_, width);
        at_ += width;
        continue;
      }
      if (plain) out = text_.substr(begin, at_ - begin);
      plain = false;
      if (broken) {
        AppendRune(out, kRuneError);
        ++at_;
      } else if (!ParseEscape(out)) {
        return false;
      }
    }
    const std::string_view content = plain ? text_.substr(begin, at_ - begin) : out;
    ++at_;
    if (texts_->size() + content.size() > texts_->capacity()) {
      value = Value::String(std::string(content));
      return true;
    }
    const size_t place = texts_->size();
    texts_->append(content);
    value = Value::String(texts_, std::string_view(*texts_).substr(place));
    return true;
  }

  bool ParseEscape(std::string& out) {
    ++at_;
    if (at_ >= text_.size()) return false;
    switch (text_[at_++]) {
      case '"': out.push_back('"'); return true;
      case '\\': out.push_back('\\'); return true;
      case '/': out.push_back('/'); return true;
      case 'b': out.push_back('\b'); return true;
      case 'f': out.push_back('\f'); return true;
      case 'n': out.push_back('\n'); return true;
      case 'r': out.push_back('\r'); return true;
      case 't': out.push_back('\t'); return true;
      case 'u': break;
      default: return false;
    }
    char32_t rune = 0;
    if (!TakeHex(rune)) return false;
    if (rune >= 0xd800 && rune < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      const size_t here = at_;
      char32_t low = 0;
      at_ += 2;
      if (!TakeHex(low)) return false;
      if (low >= 0xdc00 && low < 0xe000) {
        rune = 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
      } else {
        at_ = here;  // a code point of its own
      }
    }
    AppendRune(out, rune);
    return true;
  }

  bool TakeHex(char32_t& rune) {
    if (at_ + 4 > text_.size()) return false;
    uint32_t value = 0;
    const char* begin = text_.data() + at_;
    if (std::from_chars(begin, begin + 4, value, 16).ptr != begin + 4) return false;
    rune = value;
    at_ += 4;
    return true;
  }

  size_t SkipDigits() {
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ - begin;
  }

  bool ParseNumber(Value& value) {
    const size_t begin = at_;
    Take('-');
    const bool zero = at_ < text_.size() && text_[at_] == '0';
    const size_t digits = SkipDigits();
    if (digits == 0 || (zero && digits > 1)) return false;
    bool whole = true;
    if (Take('.')) {
      whole = false;
      if (SkipDigits() == 0) return false;
    }
    if (Take('e') || Take('E')) {
      whole = false;
      if (!Take('-')) Take('+');
      if (SkipDigits() == 0) return false;
    }
    const std::string_view token = text_.substr(begin, at_ - begin);
    return MakeNumber(token, whole, value);
  }

  bool MakeNumber(std::string_view token, bool whole, Value& value) {
    const char* begin = token.data();
    const char* end = begin + token.size();
    if (whole && numbers_ == Numbers::kExact) {
      int64_t integer = 0;
      if (std::from_chars(begin, end, integer).ec == std::errc()) {
        value = Value::Int64(integer);
        return true;
      }
      uint64_t natural = 0;
      if (*begin != '-' && std::from_chars(begin, end, natural).ec == std::errc()) {
        value = Value::Uint64(natural);
        return true;
      }
    }
    double real = 0;
    if (std::from_chars(begin, end, real).ec == std::errc()) {
      value = Value::Float(real);
      return true;
    }
    // Too near to zero is zero; too large is what we must not round.
    const std::string_view size = token.substr(*begin == '-' ? 1 : 0);
    if (token.find("e-") != token.npos || token.find("E-") != token.npos ||
        (size.starts_with("0.") && token.find_first_of("eE") == token.npos)) {
      value = Value::Float(*begin == '-' ? -0.0 : 0.0);
      return true;
    }
    value = Value::String(std::string(token));
    return numbers_ == Numbers::kExact;
  }

  std::string_view text_;
  Numbers numbers_;
  size_t at_ = 0;
  std::shared_ptr<std::string> texts_ = std::make_shared<std::string>();
};

void AppendText(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (size_t width = 0; !text.empty(); text.remove_prefix(width)) {
    const char32_t rune = DecodeRune(text, &width);
    switch (rune) {
      case '"': out += "\\\""; continue;
      case '\\': out += "\\\\"; continue;
      case '\b': out += "\\b"; continue;
      case '\f': out += "\\f"; continue;
      case '\n': out += "\\n"; continue;
      case '\r': out += "\\r"; continue;
      case '\t': out += "\\t"; continue;
      case 0x2028: out += "\\u2028"; continue;
      case 0x2029: out += "\\u2029"; continue;
      default: break;
    }
    if (rune < ' ' || rune == '<' || rune == '>' || rune == '&') {
      out += "\\u00";
      out.push_back(kHex[rune >> 4]);
      out.push_back(kHex[rune & 15]);
    } else if (rune == kRuneError && width == 1) {
      out += "\\ufffd";
    } else {
      out.append(text, 0, width);
    }
  }
  out.push_back('"');
}

class Writer {
 public:
  Writer(std::string& out, bool indent, size_t bytes_max)
      : out_(out), indent_(indent), bytes_max_(bytes_max) {}

  bool Write(const Value& value) {
    switch (value.kind()) {
      case Kind::kMissing:
      case Kind::kNull: out_ += "null"; break;
      case Kind::kBool: out_ += value.boolean() ? "true" : "false"; break;
      case Kind::kInt:
      case Kind::kInt64: out_ += std::to_string(value.integer()); break;
      case Kind::kUint64:
      case Kind::kUint8: out_ += std::to_string(value.natural()); break;
      case Kind::kFloat:
        if (!std::isfinite(value.real())) return false;
        AppendJsonNumber(out_, value.real());
        break;
      case Kind::kString: AppendText(out_, value.text()); break;
      case Kind::kTime: AppendText(out_, FormatGoTime(value.time(), kRfc3339Nano)); break;
      case Kind::kList:
        return WriteAll('[', ']', value.items(), [&](const Value& item) { return Write(item); });
      case Kind::kMap:
        return WriteAll('{', '}', value.entries(), [&](const Entry& entry) {
          AppendText(out_, entry.first);
          out_ += indent_ ? ": " : ":";
          return Write(entry.second);
        });
    }
    return out_.size() <= bytes_max_;
  }

 private:
  template <class All, class One>
  bool WriteAll(char open, char close, const All& all, const One& write) {
    out_.push_back(open);
    ++level_;
    bool first = true;
    for (const auto& one : all) {
      if (!first) out_.push_back(',');
      first = false;
      NewLine();
      if (!write(one) || out_.size() > bytes_max_) return false;
    }
    --level_;
    if (!first) NewLine();
    out_.push_back(close);
    return out_.size() <= bytes_max_;
  }
  void NewLine() {
    if (!indent_) return;
    out_.push_back('\n');
    out_.append(2 * level_, ' ');
  }

  std::string& out_;
  bool indent_;
  size_t bytes_max_;
  size_t level_ = 0;
};

}  // namespace

Result<Value> ParseJson(std::string_view text, Numbers numbers) {
  return Parser(text, numbers).Parse();
}

bool AppendJson(std::string& out, const Value& value, bool indent, size_t bytes_max) {
  return Writer(out, indent, bytes_max).Write(value);
}

}  // namespace spool::tmpl
