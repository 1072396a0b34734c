// Functions over texts, from sprig. Where Go's package strings has one of the same name with its
// arguments in another order, the dialect decides.
#include <algorithm>

#include "base/hash.h"
#include "forward/template/function.h"
#include "forward/template/unicode.h"

namespace spool::tmpl {
namespace {

// Of the two texts of `contains` and its like: which is looked into, and what is looked for.
template <bool kTextFirst>
struct Two {
  explicit Two(const Call& call)
      : text(call.text(kTextFirst ? 0 : 1)), part(call.text(kTextFirst ? 1 : 0)) {}
  std::string_view text;
  std::string_view part;
};

template <bool kTextFirst>
bool Contains(Call& call) {
  const Two<kTextFirst> two(call);
  return call.Return(two.text.find(two.part) != std::string_view::npos);
}

template <bool kTextFirst>
bool HasPrefix(Call& call) {
  const Two<kTextFirst> two(call);
  return call.Return(two.text.starts_with(two.part));
}

template <bool kTextFirst>
bool HasSuffix(Call& call) {
  const Two<kTextFirst> two(call);
  return call.Return(two.text.ends_with(two.part));
}

template <bool kTextFirst>
bool TrimPrefix(Call& call) {
  const Two<kTextFirst> two(call);
  const bool has = two.text.starts_with(two.part);
  return call.Return(std::string(two.text.substr(has ? two.part.size() : 0)));
}

template <bool kTextFirst>
bool TrimSuffix(Call& call) {
  const Two<kTextFirst> two(call);
  const bool has = two.text.ends_with(two.part);
  return call.Return(
      std::string(two.text.substr(0, two.text.size() - (has ? two.part.size() : 0))));
}

// strings.ReplaceAll: an empty `from` stands before every character and at the end.
bool ReplaceAll(Call& call, std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  if (from.empty()) {
    for (size_t width = 0; !text.empty(); text.remove_prefix(width)) {
      out += to;
      DecodeRune(text, &width);
      out.append(text, 0, width);
      if (out.size() > call.bytes_max()) return call.TooLong();
    }
    return call.Return(out.append(to));
  }
  while (true) {
    const size_t at = text.find(from);
    out.append(text, 0, std::min(at, text.size()));
    if (out.size() > call.bytes_max()) return call.TooLong();
    if (at == text.npos) return call.Return(std::move(out));
    out += to;
    text.remove_prefix(at + from.size());
  }
}

// The pieces between separators; with an empty one, the characters.
bool Pieces(Call& call, std::string_view text, std::string_view separator,
            std::vector<Value>& pieces) {
  const auto owner = std::make_shared<const std::string>(text);
  std::string_view rest = *owner;
  if (separator.empty()) {
    for (size_t width = 0; !rest.empty(); rest.remove_prefix(width)) {
      DecodeRune(rest, &width);
      pieces.push_back(Value::String(owner, rest.substr(0, width)));
    }
  } else {
    while (true) {
      const size_t at = rest.find(separator);
      pieces.push_back(Value::String(owner, rest.substr(0, at)));
      if (at == rest.npos) break;
      rest.remove_prefix(at + separator.size());
    }
  }
  // Each is larger than the byte it may have been made of.
  return pieces.size() <= call.bytes_max() / 16 || call.Fail("makes too many pieces");
}

template <bool kTextFirst>
bool SplitList(Call& call) {
  const Two<kTextFirst> two(call);
  std::vector<Value> pieces;
  return Pieces(call, two.text, two.part, pieces) && call.Return(Value::List(pieces, true));
}

bool SplitMap(Call& call) {
  std::vector<Value> pieces;
  if (!Pieces(call, call.text(1), call.text(0), pieces)) return false;
  std::vector<Entry> entries;
  for (size_t i = 0; i < pieces.size(); ++i) {
    entries.emplace_back("_" + std::to_string(i), std::move(pieces[i]));
  }
  return call.Return(Value::Map(std::move(entries), true));
}

template <bool kListFirst>
bool Join(Call& call) {
  const Value& list = call[kListFirst ? 0 : 1];
  const std::string_view separator = call.text(kListFirst ? 1 : 0);
  std::string out;
  if (list.kind() != Kind::kList) {
    return (list.nothing() || AppendAsText(call, out, list)) && call.Return(std::move(out));
  }
  bool first = true;
  for (const Value& item : list.items()) {
    if (item.nothing()) continue;
    if (!first) out += separator;
    first = false;
    if (!AppendAsText(call, out, item)) return false;
  }
  return call.Return(std::move(out));
}

template <char32_t (*kTo)(char32_t)>
bool Mapped(Call& call) {
  std::string out;
  std::string_view text = call.text(0);
  for (size_t width = 0; !text.empty(); text.remove_prefix(width)) {
    AppendRune(out, kTo(DecodeRune(text, &width)));
  }
  return call.Return(std::move(out));
}

// A capital where a word begins, as strings.Title understands words.
bool Title(Call& call) {
  std::string out;
  std::string_view text = call.text(0);
  char32_t before = ' ';
  for (size_t width = 0; !text.empty(); text.remove_prefix(width)) {
    const char32_t rune = DecodeRune(text, &width);
    const bool inside = before < 0x80 ? before == '_' || IsLetterOrDigit(before)
                                      : IsLetterOrDigit(before) || !IsSpace(before);
    AppendRune(out, inside ? rune : ToTitle(rune));
    before = rune;
  }
  return call.Return(std::move(out));
}

bool Trim(Call& call) { return call.Return(std::string(TrimSpace(call.text(0)))); }

std::string_view LastRunes(std::string_view text, size_t count) {
  const size_t all = RuneCount(text);
  return text.substr(FirstRunes(text, all - std::min(all, count)).size());
}

// The first `count` characters, or the last if it is negative.
bool Trunc(Call& call) {
  const int64_t count = call.integer(0);
  const std::string_view text = call.text(1);
  const uint64_t size = count < 0 ? ~static_cast<uint64_t>(count) + 1 : count;
  if (call.parity()) {  // bytes
    if (size >= text.size()) return call.Return(std::string(text));
    return call.Return(
        std::string(count < 0 ? text.substr(text.size() - size) : text.substr(0, size)));
  }
  return call.Return(std::string(count < 0 ? LastRunes(text, size) : FirstRunes(text, size)));
}

// The same, but with an ellipsis that counts.
bool Abbrev(Call& call) {
  const int64_t width = call.integer(0);
  const std::string_view text = call.text(1);
  const size_t size = call.parity() ? text.size() : RuneCount(text);
  if (width < 4 || size <= static_cast<uint64_t>(width)) return call.Return(std::string(text));
  const auto kept = static_cast<size_t>(width) - 3;
  return call.Return(std::string(call.parity() ? text.substr(0, kept) : FirstRunes(text, kept)) +
                     "...");
}

bool Quote(Call& call) {
  std::string out;
  for (const Value& value : call.all()) {
    if (value.nothing()) continue;
    std::string text;
    if (!AppendAsText(call, text, value)) return false;
    if (!out.empty()) out.push_back(' ');
    AppendQuoted(out, text);
    if (out.size() > call.bytes_max()) return call.TooLong();
  }
  return call.Return(std::move(out));
}

bool SingleQuote(Call& call) {
  std::string out;
  for (const Value& value : call.all()) {
    if (value.nothing()) continue;
    if (!out.empty()) out.push_back(' ');
    out.push_back('\'');
    if (!AppendAsText(call, out, value)) return false;
    out.push_back('\'');
  }
  return call.Return(std::move(out));
}

bool ToText(Call& call) {
  std::string out;
  return AppendAsText(call, out, call[0]) && call.Return(std::move(out));
}

bool IndentBy(Call& call, std::string out) {
  const int64_t spaces = call.integer(0);
  if (spaces < 0) return call.Fail("cannot indent by less than nothing");
  if (static_cast<uint64_t>(spaces) > call.bytes_max()) return call.TooLong();
  const std::string pad(static_cast<size_t>(spaces), ' ');
  out += pad;
  for (const char c : call.text(1)) {
    out.push_back(c);
    if (c == '\n') out += pad;
    if (out.size() > call.bytes_max()) return call.TooLong();
  }
  return call.Return(std::move(out));
}

bool Sha256Sum(Call& call) { return call.Return(Hex(Sha256(call.text(0)))); }

bool Base64(Call& call) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string_view bytes = call.text(0);
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j) {
      word = word << 8 | (j < count ? static_cast<uint8_t>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      out.push_back(j <= count ? kAlphabet[word >> (18 - 6 * j) & 63] : '=');
    }
  }
  return call.Return(std::move(out));
}

// The expression as it was compiled with the template, or compiled now.
bool Expression(Call& call, std::shared_ptr<const Pattern>& made, const Pattern*& pattern) {
  pattern = call.pattern();
  if (pattern != nullptr) return true;
  auto compiled = Pattern::Compile(call.text(0));
  if (!compiled) return call.Fail("the expression that it is given is not a regular expression");
  made = *std::move(compiled);
  pattern = made.get();
  return true;
}

bool RegexMatch(Call& call) {
  std::shared_ptr<const Pattern> made;
  const Pattern* pattern = nullptr;
  if (!Expression(call, made, pattern)) {
    // In sprig an expression that is none matches nothing.
    return call.parity() && call.Return(false);
  }
  return call.Return(pattern->Matches(call.text(1)));
}

bool RegexReplaceAll(Call& call) {
  std::shared_ptr<const Pattern> made;
  const Pattern* pattern = nullptr;
  std::string out;
  if (!Expression(call, made, pattern)) return false;
  if (!pattern->ReplaceAll(out, call.text(1), call.text(2), call.bytes_max())) {
    return call.TooLong();
  }
  return call.Return(std::move(out));
}

// In this dialect a slice is sprig's, of lists alone, and takes the place of text/template's own.
bool SprigSlice(Call& call) {
  const Value& list = call[0];
  if (list.kind() != Kind::kList) return call.Fail("takes a slice of lists alone");
  const auto length = static_cast<int64_t>(list.items().size());
  if (length == 0) return call.Return(Value::Null());
  const int64_t begin = call.count() > 1 ? ToInt64(call[1]) : 0;
  const int64_t end = call.count() > 2 ? ToInt64(call[2]) : length;
  if (begin < 0 || end > length || begin > end) return call.Fail("the indexes are out of range");
  const auto first = list.items().begin();
  return call.Return(Value::List({first + begin, first + end}, list.holds_texts()));
}

}  // namespace

std::vector<Function> TextFunctions(Dialect dialect) {
  const std::vector<Type> text = {Type::kText};
  const std::vector<Type> texts = {Type::kText, Type::kText};
  const std::vector<Type> three = {Type::kText, Type::kText, Type::kText};
  const std::vector<Type> cut = {Type::kInt, Type::kText};
  std::vector<Function> all = {
      {.name = "upper", .fixed = text, .run = Mapped<ToUpper>},
      {.name = "lower", .fixed = text, .run = Mapped<ToLower>},
      {.name = "title", .fixed = text, .run = Title},
      {.name = "trim", .fixed = text, .run = Trim},
      {.name = "trunc", .fixed = cut, .run = Trunc},
      {.name = "truncate", .fixed = cut, .run = Trunc},
      {.name = "abbrev", .fixed = cut, .run = Abbrev},
      {.name = "quote", .rest = Type::kAny, .run = Quote, .prints = true},
      {.name = "squote", .rest = Type::kAny, .run = SingleQuote, .prints = true},
      {.name = "toString", .fixed = {Type::kAny}, .run = ToText, .prints = true},
      {.name = "indent", .fixed = cut, .run = [](Call& call) { return IndentBy(call, ""); }},
      {.name = "nindent", .fixed = cut, .run = [](Call& call) { return IndentBy(call, "\n"); }},
      {.name = "sha256sum", .fixed = text, .run = Sha256Sum},
      {.name = "b64enc", .fixed = text, .run = Base64},
      {.name = "splitList", .fixed = texts, .run = SplitList<false>},
      {.name = "regexMatch", .fixed = texts, .run = RegexMatch, .pattern = true},
      {.name = "regexReplaceAll", .fixed = three, .run = RegexReplaceAll, .pattern = true},
  };
  const bool go = dialect == Dialect::kGo;
  const auto add = [&](std::string_view name, bool (*in_go)(Call&), bool (*in_sprig)(Call&)) {
    all.push_back({.name = name,
                   .fixed = texts,
                   .run = go ? in_go : in_sprig,
                   .looked_into = go ? 0 : 1,
                   .looked_for = go ? 1 : 0});
  };
  add("contains", Contains<true>, Contains<false>);
  add("hasPrefix", HasPrefix<true>, HasPrefix<false>);
  add("hasSuffix", HasSuffix<true>, HasSuffix<false>);
  add("trimPrefix", TrimPrefix<true>, TrimPrefix<false>);
  add("trimSuffix", TrimSuffix<true>, TrimSuffix<false>);
  add("split", SplitList<true>, SplitMap);
  if (go) {
    all.push_back({.name = "replace",
                   .fixed = three,
                   .run = [](Call& c) { return ReplaceAll(c, c.text(0), c.text(1), c.text(2)); },
                   .looked_into = 0,
                   .looked_for = 2});
    all.push_back({.name = "join",
                   .fixed = {Type::kAny, Type::kText},
                   .run = Join<true>,
                   .looked_into = 0,
                   .looked_for = 1});
  } else {
    all.push_back({.name = "replace",
                   .fixed = three,
                   .run = [](Call& c) { return ReplaceAll(c, c.text(2), c.text(0), c.text(1)); },
                   .looked_into = 2,
                   .looked_for = 0});
    all.push_back({.name = "join",
                   .fixed = {Type::kText, Type::kAny},
                   .run = Join<false>,
                   .looked_into = 1,
                   .looked_for = 0});
    all.push_back({.name = "slice", .fixed = {Type::kAny}, .rest = Type::kAny, .run = SprigSlice});
  }
  return all;
}

}  // namespace spool::tmpl
