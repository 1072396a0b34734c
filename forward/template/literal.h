// What is written in a template as a literal: Go's strings, characters and numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "forward/template/tree.h"

namespace spool::tmpl {

// strconv.Unquote of "…" or `…`; empty when it is not well formed.
std::optional<std::string> UnquoteText(std::string_view quoted);

// strconv.ParseInt with base 0: a sign, 0x, 0o and 0b, underscores between digits.
std::optional<int64_t> WholeOfText(std::string_view text);

// A number or, in single quotes, a character. Empty when it is none, or too large for any.
std::optional<Constant> ParseConstant(std::string_view text);

}  // namespace spool::tmpl
