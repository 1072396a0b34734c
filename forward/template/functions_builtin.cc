// What text/template itself has.
#include <cstdint>
#include <limits>

#include "forward/template/function.h"
#include "forward/template/unicode.h"

namespace spool::tmpl {
namespace {

bool Not(Call& call) { return call.Return(!call[0].truth()); }

bool Len(Call& call) {
  const Value& item = call[0];
  switch (item.kind()) {
    case Kind::kString: return call.Return(Value::Int(static_cast<int64_t>(item.text().size())));
    case Kind::kList: return call.Return(Value::Int(static_cast<int64_t>(item.items().size())));
    case Kind::kMap: return call.Return(Value::Int(static_cast<int64_t>(item.entries().size())));
    default:
      if (item.nothing() && !call.parity()) return call.Return(Value::Int(0));
      return call.Fail("a value of type " + std::string(item.TypeName()) + " has no length");
  }
}

// An index into something of that length, as Go takes one.
bool Place(Call& call, const Value& index, size_t length, size_t& place) {
  if (index.nothing()) return call.Fail("cannot index with nothing");
  int64_t wanted = 0;
  if (index.whole()) {
    wanted = index.kind() == Kind::kUint64 && index.natural() > INT64_MAX
                 ? std::numeric_limits<int64_t>::max()
                 : index.integer();
  } else {
    return call.Fail("cannot index with a value of type " + std::string(index.TypeName()));
  }
  if (wanted < 0 || static_cast<uint64_t>(wanted) > length) {
    return call.Fail("the index is out of range");
  }
  place = static_cast<size_t>(wanted);
  return true;
}

bool Index(Call& call) {
  Value item = call[0];
  if (item.nothing()) {
    return call.parity() ? call.Fail("cannot index nothing") : call.Return(Value::Null());
  }
  for (size_t i = 1; i < call.count(); ++i) {
    size_t place = 0;
    switch (item.kind()) {
      case Kind::kString: {
        const std::string_view text = item.text();
        if (!Place(call, call[i], text.size(), place)) return false;
        if (place == text.size()) return call.Fail("the index is out of range");
        item = Value::Uint8(static_cast<uint8_t>(text[place]));
        break;
      }
      case Kind::kList:
        if (!Place(call, call[i], item.items().size(), place)) return false;
        if (place == item.items().size()) return call.Fail("the index is out of range");
        item = Value(item.items()[place]);
        break;
      case Kind::kMap: {
        if (!call[i].is_text()) return call.Fail("a map is indexed with a text");
        const Value* found = item.Find(call[i].text());
        item = found != nullptr ? Value(*found)
                                : (item.holds_texts() ? Value::String("") : Value::Null());
        break;
      }
      case Kind::kMissing:
      case Kind::kNull:
        if (call.parity()) return call.Fail("cannot index nothing");
        break;
      default: return call.Fail("cannot index a value of type " + std::string(item.TypeName()));
    }
  }
  return call.Return(std::move(item));
}

bool Slice(Call& call) {
  const Value& item = call[0];
  const size_t given = call.count() - 1;
  if (item.nothing() && !call.parity()) return call.Return(Value::Null());
  if (item.kind() != Kind::kString && item.kind() != Kind::kList) {
    return call.Fail("cannot take a slice of a value of type " + std::string(item.TypeName()));
  }
  if (given > 3) return call.Fail("takes three indexes at the most");
  const bool text = item.is_text();
  if (text && given == 3) return call.Fail("takes two indexes of a text at the most");
  const size_t length = text ? item.text().size() : item.items().size();
  size_t places[3] = {0, length, length};
  for (size_t i = 0; i < given; ++i) {
    if (!Place(call, call[i + 1], length, places[i])) return false;
  }
  if (places[0] > places[1] || places[1] > places[2]) {
    return call.Fail("the indexes go backwards");
  }
  if (text) return call.Return(std::string(item.text().substr(places[0], places[1] - places[0])));
  const auto begin = item.items().begin();
  const auto at = [&](size_t place) { return begin + static_cast<std::ptrdiff_t>(place); };
  return call.Return(Value::List({at(places[0]), at(places[1])}, item.holds_texts()));
}

bool Print(Call& call) {
  std::string text;
  Formatter formatter = call.Format(text);
  formatter.Print(call.all());
  return call.Finish(formatter, std::move(text));
}

bool PrintLine(Call& call) {
  std::string text;
  Formatter formatter = call.Format(text);
  formatter.PrintLine(call.all());
  return call.Finish(formatter, std::move(text));
}

bool Printf(Call& call) {
  std::string text;
  Formatter formatter = call.Format(text);
  formatter.Printf(call.text(0), call.all().subspan(1));
  return call.Finish(formatter, std::move(text));
}

// The arguments as one text, as html, js and urlquery take them.
bool AllAsText(Call& call, std::string& text) {
  std::vector<Value> values(call.all().begin(), call.all().end());
  for (Value& value : values) {
    if (value.nothing() && call.parity()) value = Value::String("<no value>");
  }
  Formatter formatter = call.Format(text);
  formatter.Print(values);
  if (formatter.too_long()) return call.TooLong();
  return formatter.ok() || call.Fail("cannot print this");
}

bool Html(Call& call) {
  std::string text;
  if (!AllAsText(call, text)) return false;
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\0': out += "\xef\xbf\xbd"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out.push_back(c); break;
    }
  }
  return call.Return(std::move(out));
}

void AppendHex4(std::string& out, char32_t rune) {
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789ABCDEF"[rune % 16]);
    rune /= 16;
  } while (rune != 0);
  out += "\\u";
  if (digits.size() < 4) out.append(4 - digits.size(), '0');
  out += digits;
}

bool Js(Call& call) {
  std::string text;
  if (!AllAsText(call, text)) return false;
  std::string out;
  std::string_view rest = text;
  for (size_t width = 0; !rest.empty(); rest.remove_prefix(width)) {
    const char32_t rune = DecodeRune(rest, &width);
    switch (rune) {
      case '\\': out += "\\\\"; continue;
      case '\'': out += "\\'"; continue;
      case '"': out += "\\\""; continue;
      case '<':
      case '>':
      case '&':
      case '=': AppendHex4(out, rune); continue;
      default: break;
    }
    if (rune < ' ' || (rune >= 0x80 && !IsPrintable(rune))) {
      AppendHex4(out, rune);
    } else {
      out.append(rest, 0, width);
    }
  }
  return call.Return(std::move(out));
}

bool UrlQuery(Call& call) {
  std::string text;
  if (!AllAsText(call, text)) return false;
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out.push_back(c);
    } else if (c == ' ') {
      out.push_back('+');
    } else {
      out.push_back('%');
      out.push_back("0123456789ABCDEF"[byte >> 4]);
      out.push_back("0123456789ABCDEF"[byte & 15]);
    }
  }
  return call.Return(std::move(out));
}

bool Eq(Call& call) {
  if (call.count() < 2) return call.Fail("compares with nothing");
  for (size_t i = 1; i < call.count(); ++i) {
    std::string why;
    const auto equal = Equal(call[0], call[i], call.parity(), &why);
    if (!equal) return call.Fail(std::move(why));
    if (*equal) return call.Return(true);
  }
  return call.Return(false);
}

bool Ne(Call& call) {
  std::string why;
  const auto equal = Equal(call[0], call[1], call.parity(), &why);
  return equal ? call.Return(!*equal) : call.Fail(std::move(why));
}

bool Lt(Call& call) {
  std::string why;
  const auto less = Less(call[0], call[1], call.parity(), &why);
  return less ? call.Return(*less) : call.Fail(std::move(why));
}

// Go makes <= of < or ==, and the other two of the opposite, which shows with what is no number.
bool Le(Call& call, bool negate) {
  std::string why;
  const auto less = Less(call[0], call[1], call.parity(), &why);
  if (!less) return call.Fail(std::move(why));
  if (*less) return call.Return(!negate);
  const auto equal = Equal(call[0], call[1], call.parity(), &why);
  return equal ? call.Return(*equal != negate) : call.Fail(std::move(why));
}

bool Ge(Call& call) {
  std::string why;
  const auto less = Less(call[0], call[1], call.parity(), &why);
  return less ? call.Return(!*less) : call.Fail(std::move(why));
}

}  // namespace

std::vector<Function> BuiltinFunctions() {
  const std::vector<Type> one = {Type::kAny};
  const std::vector<Type> two = {Type::kAny, Type::kAny};
  return {
      {.name = "and", .fixed = one, .rest = Type::kAny},
      {.name = "or", .fixed = one, .rest = Type::kAny},
      {.name = "not", .fixed = one, .run = Not},
      {.name = "len", .fixed = one, .run = Len},
      {.name = "index", .fixed = one, .rest = Type::kAny, .run = Index},
      {.name = "slice", .fixed = one, .rest = Type::kAny, .run = Slice},
      {.name = "print", .rest = Type::kAny, .run = Print, .prints = true},
      {.name = "println", .rest = Type::kAny, .run = PrintLine, .prints = true},
      {.name = "printf", .fixed = {Type::kText}, .rest = Type::kAny, .run = Printf, .prints = true},
      {.name = "html", .rest = Type::kAny, .run = Html, .prints = true},
      {.name = "js", .rest = Type::kAny, .run = Js, .prints = true},
      {.name = "urlquery", .rest = Type::kAny, .run = UrlQuery, .prints = true},
      {.name = "eq", .fixed = one, .rest = Type::kAny, .run = Eq},
      {.name = "ne", .fixed = two, .run = Ne},
      {.name = "lt", .fixed = two, .run = Lt},
      {.name = "le", .fixed = two, .run = [](Call& call) { return Le(call, false); }},
      {.name = "gt", .fixed = two, .run = [](Call& call) { return Le(call, true); }},
      {.name = "ge", .fixed = two, .run = Ge},
  };
}

}  // namespace spool::tmpl
