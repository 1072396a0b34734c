// Anchored globs: `*` any text, `?` one character, everything else itself.
#pragma once

#include <string>
#include <string_view>

namespace spool {

// Immutable; any thread. The shapes that configurations are made of (a word, word*, *word, *word*)
// are recognised once, so that matching them is one comparison.
class Glob {
 public:
  explicit Glob(std::string_view pattern);
  bool Matches(std::string_view text) const;
  // True when the pattern has neither `*` nor `?`.
  bool exact() const { return shape_ == Shape::kExact; }
  const std::string& literal() const { return text_; }  // REQUIRES: exact()

 private:
  enum class Shape { kExact, kAnything, kPrefix, kSuffix, kContains, kGeneral };
  Shape shape_;
  std::string text_;
};

}  // namespace spool
