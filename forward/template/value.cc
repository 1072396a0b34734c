#include "forward/template/value.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace spool::tmpl {
namespace {

const Value* FindIn(const std::vector<Entry>& entries, std::string_view key) {
  const auto at = std::lower_bound(
      entries.begin(), entries.end(), key,
      [](const Entry& entry, std::string_view wanted) { return entry.first < wanted; });
  return at != entries.end() && at->first == key ? &at->second : nullptr;
}

// In order, and of equal keys the last one alone.
void Settle(std::vector<Entry>& entries) {
  const auto disorder =
      std::adjacent_find(entries.begin(), entries.end(),
                         [](const Entry& a, const Entry& b) { return a.first >= b.first; });
  if (disorder == entries.end()) return;
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.first < b.first; });
  const auto kept = std::unique(entries.rbegin(), entries.rend(),
                                [](const Entry& a, const Entry& b) { return a.first == b.first; });
  entries.erase(entries.begin(), kept.base());
}

}  // namespace

struct Value::ListData {
  std::vector<Value> items;
  bool texts;
  uint32_t depth;
};
struct Value::MapData {
  std::vector<Entry> entries;
  bool texts;
  uint32_t depth;
  std::vector<Entry> over;
  std::vector<Entry> under;
};

Value Value::Null() {
  Value made;
  made.kind_ = Kind::kNull;
  return made;
}

Value Value::Bool(bool value) {
  Value made;
  made.kind_ = Kind::kBool;
  made.bits_ = value ? 1 : 0;
  return made;
}

Value Value::Int(int64_t value) {
  Value made;
  made.kind_ = Kind::kInt;
  made.bits_ = static_cast<uint64_t>(value);
  return made;
}

Value Value::Int64(int64_t value) {
  Value made = Int(value);
  made.kind_ = Kind::kInt64;
  return made;
}

Value Value::Uint64(uint64_t value) {
  Value made;
  made.kind_ = Kind::kUint64;
  made.bits_ = value;
  return made;
}

Value Value::Uint8(uint8_t value) {
  Value made = Uint64(value);
  made.kind_ = Kind::kUint8;
  return made;
}

Value Value::Float(double value) {
  Value made;
  made.kind_ = Kind::kFloat;
  made.bits_ = std::bit_cast<uint64_t>(value);
  return made;
}

Value Value::String(std::string value) {
  auto owner = std::make_shared<const std::string>(std::move(value));
  const std::string_view all = *owner;
  return String(std::move(owner), all);
}

Value Value::String(std::shared_ptr<const std::string> owner, std::string_view piece) {
  Value made;
  made.kind_ = Kind::kString;
  made.bits_ = piece.size();
  made.shared_ = std::shared_ptr<const void>(std::move(owner), piece.data());
  return made;
}

Value Value::Time(SystemTime value) {
  Value made;
  made.kind_ = Kind::kTime;
  made.bits_ = static_cast<uint64_t>(ToMicros(value));
  return made;
}

Value Value::List(std::vector<Value> items, bool texts) {
  uint32_t depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  Value made;
  made.kind_ = Kind::kList;
  made.shared_ = std::make_shared<const ListData>(ListData{std::move(items), texts, depth + 1});
  return made;
}

Value Value::Map(std::vector<Entry> entries, bool texts) {
  Settle(entries);
  uint32_t depth = 0;
  for (const Entry& entry : entries) depth = std::max(depth, entry.second.depth());
  Value made;
  made.kind_ = Kind::kMap;
  made.shared_ =
      std::make_shared<const MapData>(MapData{std::move(entries), texts, depth + 1, {}, {}});
  return made;
}

Value Value::Root(Value map, std::vector<Entry> over, std::vector<Entry> under) {
  SPOOL_ASSERT(map.kind_ == Kind::kMap);
  Settle(over);
  Settle(under);
  MapData data = map.map();
  data.over = std::move(over);
  data.under = std::move(under);
  map.shared_ = std::make_shared<const MapData>(std::move(data));
  return map;
}

bool Value::holds_texts() const {
  return (kind_ == Kind::kList && list().texts) || (kind_ == Kind::kMap && map().texts);
}

bool Value::truth() const {
  switch (kind_) {
    case Kind::kMissing:
    case Kind::kNull: return false;
    case Kind::kFloat: return real() != 0;
    case Kind::kList: return !items().empty();
    case Kind::kMap: return !entries().empty();
    case Kind::kTime: return true;
    default: return bits_ != 0;
  }
}

double Value::real() const { return std::bit_cast<double>(bits_); }

std::string_view Value::text() const {
  return {static_cast<const char*>(shared_.get()), static_cast<size_t>(bits_)};
}

SystemTime Value::time() const { return FromMicros(integer()); }

const std::vector<Value>& Value::items() const { return list().items; }

const std::vector<Entry>& Value::entries() const { return map().entries; }

const Value* Value::Find(std::string_view key) const { return FindIn(map().entries, key); }

const Value* Value::FindField(std::string_view key) const {
  const MapData& data = map();
  if (!data.over.empty()) {
    if (const Value* found = FindIn(data.over, key)) return found;
  }
  if (const Value* found = FindIn(data.entries, key)) return found;
  return data.under.empty() ? nullptr : FindIn(data.under, key);
}

double Value::AsDouble() const {
  if (kind_ == Kind::kFloat) return real();
  if (kind_ == Kind::kUint64) return static_cast<double>(bits_);
  return static_cast<double>(integer());
}

uint32_t Value::depth() const {
  if (kind_ == Kind::kList) return list().depth;
  if (kind_ == Kind::kMap) return map().depth;
  return 0;
}

std::string_view Value::TypeName() const {
  switch (kind_) {
    case Kind::kMissing:
    case Kind::kNull: return "nil";
    case Kind::kBool: return "bool";
    case Kind::kInt: return "int";
    case Kind::kInt64: return "int64";
    case Kind::kUint64: return "uint64";
    case Kind::kUint8: return "uint8";
    case Kind::kFloat: return "float64";
    case Kind::kString: return "string";
    case Kind::kList: return list().texts ? "[]string" : "[]interface {}";
    case Kind::kMap: return map().texts ? "map[string]string" : "map[string]interface {}";
    case Kind::kTime: return "time.Time";
  }
  return "nil";
}

}  // namespace spool::tmpl
