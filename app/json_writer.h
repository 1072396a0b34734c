// Writes one JSON text member by member; commas, quotes and escapes are its business.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "spool/sequence.h"

namespace spool {

// One thread. Begin and End must be balanced by the caller.
class JsonWriter {
 public:
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);

  JsonWriter& Value(std::string_view text);
  JsonWriter& Value(const std::string& text) { return Value(std::string_view(text)); }
  JsonWriter& Value(const char* text) { return Value(std::string_view(text)); }
  template <class T>
  requires std::same_as<T, bool> JsonWriter& Value(T flag) { return Raw(flag ? "true" : "false"); }
  template <class T>
  requires(std::integral<T> && !std::same_as<T, bool>) JsonWriter& Value(T number) {
    return Raw(std::to_string(number));
  }
  JsonWriter& Value(double number);  // null when it is not finite
  JsonWriter& Value(Sequence sequence) { return Value(sequence.value); }
  JsonWriter& Value(SystemTime time);
  JsonWriter& Value(const std::optional<SystemTime>& time);  // null when absent
  JsonWriter& Null() { return Raw("null"); }
  // One JSON value as it is.
  JsonWriter& Raw(std::string_view json);

  template <class T>
  JsonWriter& Field(std::string_view key, const T& value) {
    return Key(key).Value(value);
  }
  // null when it is empty
  JsonWriter& TextOrNull(std::string_view key, std::string_view text) {
    return text.empty() ? Key(key).Null() : Key(key).Value(text);
  }

  const std::string& text() const { return out_; }
  std::string Take() { return std::move(out_); }

 private:
  void Comma();

  std::string out_;
  bool comma_ = false;
};

}  // namespace spool
