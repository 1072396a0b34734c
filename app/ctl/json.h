// JSON as the admin API speaks it: answers to read, requests to write, texts to lay out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace spool::ctl {

// A value of a parsed text, read-only; keeps the text's whole tree alive. Every accessor is total:
// what is absent or of another type reads as null, empty or 0.
class Json {
 public:
  Json() = default;  // null
  // kInvalid if it is not JSON, or nested deeper than 200 (what prints it recurses).
  static Result<Json> Parse(std::string_view text);

  bool is_null() const;
  bool is_object() const;
  bool is_array() const;
  bool is_string() const;
  Json operator[](std::string_view key) const;
  std::vector<Json> items() const;                            // of an array
  std::vector<std::pair<std::string, Json>> members() const;  // of an object, in order

  std::string Text() const;  // a string's content, anything else as JSON; "" for null
  uint64_t Number() const;   // a negative or fractional one is cut
  double Real() const;
  bool Flag() const;
  std::optional<SystemTime> Time() const;

  std::string Dump() const;  // on one line, members in their order
  // As block YAML, lines indented by `indent` spaces, ending with a line end.
  std::string Yaml(size_t indent = 0) const;

 private:
  Json(std::shared_ptr<const void> root, const void* node) : root_(std::move(root)), node_(node) {}
  std::shared_ptr<const void> root_;
  const void* node_ = nullptr;
};

// `text` as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
std::string JsonString(std::string_view text);

// Writes one object, members in the order given.
class JsonObject {
 public:
  JsonObject& Add(std::string_view key, std::string_view text);
  JsonObject& AddRaw(std::string_view key, std::string_view json);
  std::string text() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

// The same tokens, laid out with two spaces a level. It looks at no value, so that numbers, escapes
// and repeated keys stay as the producer wrote them.
std::string PrettyJson(std::string_view json);

}  // namespace spool::ctl
