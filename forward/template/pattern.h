// Regular expressions in templates: RE2's, whose syntax is that of Go's package regexp.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace spool::tmpl {

// A compiled expression. Immutable; any thread. Matching takes time linear in the text.
class Pattern {
 public:
  // kInvalid with what is wrong.
  static Result<std::shared_ptr<const Pattern>> Compile(std::string_view expression);
  ~Pattern();

  bool Matches(std::string_view text) const;  // anywhere in it
  // Appends `text` with every match replaced; $1, ${1}, $name and ${name} in `replacement` stand
  // for what the groups matched, $$ for a dollar sign. False, with `out` unfinished, when `out`
  // would be longer than `bytes_max`.
  bool ReplaceAll(std::string& out, std::string_view text, std::string_view replacement,
                  size_t bytes_max) const;

 private:
  struct Impl;
  explicit Pattern(std::unique_ptr<const Impl> impl);
  const std::unique_ptr<const Impl> impl_;
};

}  // namespace spool::tmpl
