// Functions over values of any kind, from sprig: choosing, counting, lists, objects, JSON, times.
#include <optional>

#include "base/time_text.h"
#include "forward/template/function.h"
#include "forward/template/go_time.h"
#include "forward/template/json.h"

namespace spool::tmpl {
namespace {

// Empty as sprig has it: the zero of its kind.
bool IsEmpty(const Value& value) { return !value.truth(); }

bool Default(Call& call) {
  const bool given = call.count() > 1 && !IsEmpty(call[1]);
  return call.Return(Value(call[given ? 1 : 0]));
}

bool Empty(Call& call) { return call.Return(IsEmpty(call[0])); }

bool Coalesce(Call& call) {
  for (const Value& value : call.all()) {
    if (!IsEmpty(value)) return call.Return(Value(value));
  }
  return call.Return(Value::Null());
}

bool Ternary(Call& call) { return call.Return(Value(call[call[2].boolean() ? 0 : 1])); }

bool ToInt(Call& call) { return call.Return(Value::Int(ToInt64(call[0]))); }
bool ToInteger64(Call& call) { return call.Return(Value::Int64(ToInt64(call[0]))); }

// Go's arithmetic wraps around, as that of unsigned numbers does here.
uint64_t Bits(const Value& value) { return static_cast<uint64_t>(ToInt64(value)); }
bool ReturnBits(Call& call, uint64_t bits) {
  return call.Return(Value::Int64(static_cast<int64_t>(bits)));
}

bool Add(Call& call) {
  uint64_t sum = 0;
  for (const Value& value : call.all()) sum += Bits(value);
  return ReturnBits(call, sum);
}

bool Sub(Call& call) { return ReturnBits(call, Bits(call[0]) - Bits(call[1])); }

bool Mul(Call& call) {
  uint64_t product = 1;
  for (const Value& value : call.all()) product *= Bits(value);
  return ReturnBits(call, product);
}

bool Div(Call& call) {
  const int64_t a = ToInt64(call[0]);
  const int64_t b = ToInt64(call[1]);
  if (b == 0) return call.Fail("divides by zero");
  if (b == -1) return ReturnBits(call, ~Bits(call[0]) + 1);
  return call.Return(Value::Int64(a / b));
}

// The first or last of a list; nothing of an empty one.
bool End(Call& call, bool first) {
  const Value& list = call[0];
  if (list.nothing() && !call.parity()) return call.Return(Value::Null());
  if (list.kind() != Kind::kList) {
    return call.Fail("takes a list, not a value of type " + std::string(list.TypeName()));
  }
  if (list.items().empty()) return call.Return(Value::Null());
  return call.Return(Value(first ? list.items().front() : list.items().back()));
}

bool List(Call& call) {
  return call.Return(Value::List(std::vector<Value>(call.all().begin(), call.all().end())));
}

bool Dict(Call& call) {
  std::vector<Entry> entries;
  for (size_t i = 0; i < call.count(); i += 2) {
    std::string key;
    if (!AppendAsText(call, key, call[i])) return false;
    entries.emplace_back(std::move(key), i + 1 < call.count() ? call[i + 1] : Value::String(""));
  }
  return call.Return(Value::Map(std::move(entries)));
}

bool Get(Call& call) {
  const Value* found = call[0].Find(call.text(1));
  return call.Return(found != nullptr ? Value(*found) : Value::String(""));
}

bool HasKey(Call& call) { return call.Return(call[0].Find(call.text(1)) != nullptr); }

// In order, where sprig's are in none.
bool Keys(Call& call) {
  std::vector<Value> keys;
  for (const Value& map : call.all()) {
    for (const Entry& entry : map.entries()) keys.push_back(Value::String(entry.first));
  }
  return call.Return(Value::List(std::move(keys), true));
}

bool Has(Call& call) {
  const Value& list = call[1];
  if (list.nothing()) return call.Return(false);
  if (list.kind() != Kind::kList) {
    return call.Fail("looks into a list, not into a value of type " + std::string(list.TypeName()));
  }
  for (const Value& item : list.items()) {
    // sprig wants the same type too; numbers of an event have one type there and two here.
    if (call.parity() && item.kind() != call[0].kind()) continue;
    std::string why;
    if (Equal(item, call[0], call.parity(), &why).value_or(false)) return call.Return(true);
  }
  return call.Return(false);
}

bool Json(Call& call, bool indent) {
  std::string out;
  if (AppendJson(out, call[0], indent, call.bytes_max())) return call.Return(std::move(out));
  return out.size() > call.bytes_max() ? call.TooLong() : call.Fail("meets a number without JSON");
}

bool Now(Call& call) { return call.Return(Value::Time(call.now())); }

bool Date(Call& call) {
  const Value& given = call[1];
  std::optional<SystemTime> time;
  if (given.kind() == Kind::kTime) time = given.time();
  // Further than any calendar goes is no time.
  constexpr int64_t kSecondsMax = 253'402'300'799;
  if (given.is_number() && (!call.parity() || given.kind() != Kind::kFloat)) {
    const int64_t seconds = ToInt64(given);
    if (seconds >= -kSecondsMax && seconds <= kSecondsMax) time = FromMicros(seconds * 1'000'000);
  }
  // sprig takes whatever else it is given for now, a time of the event in RFC 3339 too.
  if (!call.parity()) {
    if (given.is_text()) time = ParseRfc3339(given.text());
    if (given.nothing() || (given.is_text() && given.text().empty())) return call.Return("");
    if (!time) return call.Fail("takes a time: RFC 3339, seconds since 1970, or now");
  }
  return call.Return(FormatGoTime(time.value_or(call.now()), call.text(0)));
}

}  // namespace

std::vector<Function> DataFunctions(Dialect) {
  const std::vector<Type> one = {Type::kAny};
  const std::vector<Type> two = {Type::kAny, Type::kAny};
  return {
      {.name = "default", .fixed = one, .rest = Type::kAny, .run = Default},
      {.name = "empty", .fixed = one, .run = Empty},
      {.name = "coalesce", .rest = Type::kAny, .run = Coalesce},
      {.name = "ternary", .fixed = {Type::kAny, Type::kAny, Type::kBool}, .run = Ternary},
      {.name = "int", .fixed = one, .run = ToInt},
      {.name = "int64", .fixed = one, .run = ToInteger64},
      {.name = "add", .rest = Type::kAny, .run = Add},
      {.name = "sub", .fixed = two, .run = Sub},
      {.name = "mul", .fixed = one, .rest = Type::kAny, .run = Mul},
      {.name = "div", .fixed = two, .run = Div},
      {.name = "first", .fixed = one, .run = [](Call& call) { return End(call, true); }},
      {.name = "last", .fixed = one, .run = [](Call& call) { return End(call, false); }},
      {.name = "list", .rest = Type::kAny, .run = List},
      {.name = "dict", .rest = Type::kAny, .run = Dict},
      {.name = "get", .fixed = {Type::kMap, Type::kText}, .run = Get},
      {.name = "hasKey", .fixed = {Type::kMap, Type::kText}, .run = HasKey},
      {.name = "keys", .rest = Type::kMap, .run = Keys},
      {.name = "has", .fixed = two, .run = Has},
      {.name = "toJson", .fixed = one, .run = [](Call& call) { return Json(call, false); }},
      {.name = "toPrettyJson", .fixed = one, .run = [](Call& call) { return Json(call, true); }},
      {.name = "now", .run = Now},
      {.name = "date", .fixed = {Type::kText, Type::kAny}, .run = Date},
  };
}

}  // namespace spool::tmpl
