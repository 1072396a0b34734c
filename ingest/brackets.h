// Where a string, an object or an array of JSON ends, without a look at what is in it.
#pragma once

#include <cstddef>
#include <string_view>

namespace spool {

// Both take any bytes: what is no JSON ends somewhere, too, or does not end. Linear time.

// The place after the string whose quote is at `at`; npos if it does not end.
size_t SkipString(std::string_view text, size_t at);
// The place after the object or array whose bracket is at `at`; npos if it is not closed. Counts
// brackets of either kind outside of strings: which ones fit is the checker's business.
size_t SkipBrackets(std::string_view text, size_t at);

inline bool IsBracketOrQuote(char c) {
  return c == '"' || c == '{' || c == '}' || c == '[' || c == ']';
}

}  // namespace spool
