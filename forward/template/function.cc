#include "forward/template/function.h"

#include <algorithm>
#include <limits>

#include "forward/template/json.h"
#include "forward/template/literal.h"

namespace spool::tmpl {
namespace {

constexpr size_t kHintDistance = 2;
constexpr size_t kHintNameMax = 64;

// How many letters must change to make one word of the other.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      const size_t change = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above + 1, row[j - 1] + 1, change});
      corner = above;
    }
  }
  return row[b.size()];
}

enum class Sort { kNone, kBool, kSigned, kUnsigned, kReal, kText };

Sort SortOf(const Value& value) {
  switch (value.kind()) {
    case Kind::kBool: return Sort::kBool;
    case Kind::kInt:
    case Kind::kInt64: return Sort::kSigned;
    case Kind::kUint64:
    case Kind::kUint8: return Sort::kUnsigned;
    case Kind::kFloat: return Sort::kReal;
    case Kind::kString: return Sort::kText;
    default: return Sort::kNone;
  }
}

std::optional<bool> Incomparable(const Value& a, const Value& b, std::string* why) {
  *why = "a value of type " + std::string(a.TypeName()) + " cannot be compared with one of type " +
         std::string(b.TypeName());
  return std::nullopt;
}

// -1, 0, 1; 2 when one of them is not a number at all. Exact also where a double would round.
int CompareNumbers(const Value& a, const Value& b) {
  const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2; };
  if (a.whole() && b.whole()) {
    const bool a_natural = SortOf(a) == Sort::kUnsigned;
    const bool b_natural = SortOf(b) == Sort::kUnsigned;
    if (a_natural && b_natural) return sign(a.natural(), b.natural());
    if (a_natural) return b.integer() < 0 ? 1 : sign(a.natural(), b.natural());
    if (b_natural) return a.integer() < 0 ? -1 : sign(a.natural(), b.natural());
    return sign(a.integer(), b.integer());
  }
  return sign(a.AsDouble(), b.AsDouble());
}

}  // namespace

bool Call::Return(Value value) {
  if (value.depth() > kValueDepthMax) {
    return Fail("makes a value that is more than " + std::to_string(kValueDepthMax) + " deep");
  }
  if (value.is_text() && value.text().size() > bytes_max()) return TooLong();
  result_ = std::move(value);
  return true;
}

bool Call::Return(std::string text) { return Return(Value::String(std::move(text))); }

bool Call::Fail(std::string message) {
  error_ = std::move(message);
  return false;
}

bool Call::TooLong() {
  return Fail("makes a text of more than " + std::to_string(bytes_max()) + " bytes");
}

Formatter Call::Format(std::string& out) const {
  const Formatter::Options options{.plain_numbers = !parity(),
                                   .bytes_max = bytes_max(),
                                   .nothing = parity() ? std::string_view("<nil>") : ""};
  return Formatter(out, options);
}

bool Call::Finish(const Formatter& formatter, std::string text) {
  if (formatter.too_long()) return TooLong();
  if (!formatter.ok()) return Fail("does not know the verb " + formatter.unsupported() + " here");
  return Return(std::move(text));
}

const FunctionTable& FunctionTable::Of(Dialect dialect) {
  static const FunctionTable go(Dialect::kGo);
  static const FunctionTable sprig(Dialect::kSprig);
  return dialect == Dialect::kGo ? go : sprig;
}

FunctionTable::FunctionTable(Dialect dialect) {
  for (auto& part : {BuiltinFunctions(), TextFunctions(dialect), DataFunctions(dialect)}) {
    for (const Function& function : part) functions_.insert_or_assign(function.name, function);
  }
}

const Function* FunctionTable::Find(std::string_view name) const {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : &found->second;
}

std::string FunctionTable::Hint(std::string_view name) const {
  std::string_view best;
  size_t least = kHintDistance + 1;
  if (name.size() > kHintNameMax) return {};
  for (const auto& [known, function] : functions_) {
    const size_t distance = Distance(name, known);
    if (distance < least && distance < known.size()) {
      least = distance;
      best = known;
    }
  }
  return best.empty() ? std::string() : "did you mean \"" + std::string(best) + "\"?";
}

std::string FunctionTable::WrongCount(const Function& function, size_t arguments) {
  const size_t least = function.fixed.size();
  if (arguments == least || (arguments > least && function.rest)) return {};
  return std::string(function.name) + " takes " + (function.rest ? "at least " : "") +
         std::to_string(least) + (least == 1 ? " argument, not " : " arguments, not ") +
         std::to_string(arguments);
}

std::optional<bool> Equal(const Value& a, const Value& b, bool parity, std::string* why) {
  const Sort sort_a = SortOf(a);
  const Sort sort_b = SortOf(b);
  if (a.nothing() || b.nothing()) return a.nothing() && b.nothing();
  if (a.is_number() && b.is_number() && (!parity || sort_a == sort_b || (a.whole() && b.whole()))) {
    return CompareNumbers(a, b) == 0;
  }
  if (sort_a != sort_b || sort_a == Sort::kNone) {
    // Go calls two times equal when they are; lists and maps never can be compared.
    if (a.kind() == Kind::kTime && b.kind() == Kind::kTime) return a.time() == b.time();
    return Incomparable(a, b, why);
  }
  return sort_a == Sort::kBool ? a.boolean() == b.boolean() : a.text() == b.text();
}

std::optional<bool> Less(const Value& a, const Value& b, bool parity, std::string* why) {
  const Sort sort_a = SortOf(a);
  const Sort sort_b = SortOf(b);
  if (a.is_number() && b.is_number() && (!parity || sort_a == sort_b || (a.whole() && b.whole()))) {
    return CompareNumbers(a, b) == -1;
  }
  if (sort_a != Sort::kText || sort_b != Sort::kText) return Incomparable(a, b, why);
  return a.text() < b.text();
}

int64_t ToInt64(const Value& value) {
  switch (value.kind()) {
    case Kind::kBool: return value.boolean() ? 1 : 0;
    case Kind::kInt:
    case Kind::kInt64: return value.integer();
    case Kind::kUint64:
    case Kind::kUint8: return static_cast<int64_t>(value.natural());
    case Kind::kFloat:
      // What does not fit is the smallest of all, as on the processors that Go mostly runs on.
      if (value.real() >= -0x1p63 && value.real() < 0x1p63) {
        return static_cast<int64_t>(value.real());
      }
      return std::numeric_limits<int64_t>::min();
    case Kind::kString: return WholeOfText(value.text()).value_or(0);
    default: return 0;
  }
}

bool AppendAsText(Call& call, std::string& out, const Value& value) {
  if (value.is_text()) {
    if (value.text().size() > call.bytes_max()) return call.TooLong();
    out.append(value.text());
    return out.size() <= call.bytes_max() || call.TooLong();
  }
  Formatter formatter = call.Format(out);
  formatter.Value(value);
  if (formatter.too_long()) return call.TooLong();
  return formatter.ok() || call.Fail("cannot print this");
}

}  // namespace spool::tmpl
