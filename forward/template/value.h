// What a template works on: one value, as Go's text/template would hold the same JSON.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace spool::tmpl {

enum class Kind : uint8_t {
  kMissing,  // nothing there at all: a key that an object does not have
  kNull,     // JSON null
  kBool,
  kInt,     // Go's int: a literal, a length
  kInt64,   // a whole number of the event, or of the arithmetic functions
  kUint64,  // a whole number of the event above what int64 holds
  kUint8,   // one byte of a text: `index "abc" 1`
  kFloat,   // Go's float64
  kString,
  kList,
  kMap,
  kTime,
};

class Value;
using Entry = std::pair<std::string, Value>;

// A value. Copying is cheap: what is large is shared and never changes. Any thread may read one
// that another made, once it was handed over. Texts are bytes, mostly UTF-8.
class Value {
 public:
  Value() = default;  // kMissing

  static Value Null();
  static Value Bool(bool value);
  static Value Int(int64_t value);
  static Value Int64(int64_t value);
  static Value Uint64(uint64_t value);
  static Value Uint8(uint8_t value);
  static Value Float(double value);
  static Value String(std::string value);
  // A piece of a text that `owner` keeps alive.
  static Value String(std::shared_ptr<const std::string> owner, std::string_view piece);
  static Value Time(SystemTime value);
  // `texts`: Go's []string rather than []interface{}; every item is a kString then.
  static Value List(std::vector<Value> items, bool texts = false);
  // Of several entries with the same key the last one holds. `texts` as above: map[string]string.
  static Value Map(std::vector<Entry> entries, bool texts = false);
  // What a template's root is: a map that has besides its own entries names which only `.name`
  // finds, neither `range` nor a function: those of `over` before its own, those of `under` after.
  static Value Root(Value map, std::vector<Entry> over, std::vector<Entry> under);

  Kind kind() const { return kind_; }
  bool nothing() const { return kind_ <= Kind::kNull; }
  bool whole() const { return kind_ >= Kind::kInt && kind_ <= Kind::kUint8; }
  bool is_number() const { return kind_ >= Kind::kInt && kind_ <= Kind::kFloat; }
  bool is_text() const { return kind_ == Kind::kString; }
  bool holds_texts() const;  // a list or map of texts alone
  // Not the zero of its kind, as Go's `if` sees it. A time is always true.
  bool truth() const;

  // REQUIRES: the kind that the name says.
  bool boolean() const { return bits_ != 0; }
  int64_t integer() const { return static_cast<int64_t>(bits_); }  // any whole kind but kUint64
  uint64_t natural() const { return bits_; }                       // kUint64, kUint8
  double real() const;
  std::string_view text() const;
  SystemTime time() const;
  const std::vector<Value>& items() const;    // kList
  const std::vector<Entry>& entries() const;  // kMap, sorted by key

  // kMap: the value of that key, or null. Valid as long as this value, or a copy of it, is.
  const Value* Find(std::string_view key) const;
  // The same as `.key` looks it up, with the names of Root.
  const Value* FindField(std::string_view key) const;

  // The number as a double. REQUIRES: is_number().
  double AsDouble() const;
  // How deep lists and maps stand in each other: 0 for anything else.
  uint32_t depth() const;
  // As Go prints it: "float64", "map[string]interface {}", "[]string"; "nil" for nothing.
  std::string_view TypeName() const;

 private:
  struct ListData;
  struct MapData;
  const ListData& list() const { return *static_cast<const ListData*>(shared_.get()); }
  const MapData& map() const { return *static_cast<const MapData*>(shared_.get()); }

  Kind kind_ = Kind::kMissing;
  uint64_t bits_ = 0;  // the number, or how many bytes the text has
  std::shared_ptr<const void> shared_;
};

}  // namespace spool::tmpl
