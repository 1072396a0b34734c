// JSON in and out of a template's values.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "forward/template/value.h"

namespace spool::tmpl {

// What a number of the JSON becomes.
enum class Numbers {
  kExact,  // a whole number kInt64 or kUint64, any other kFloat; one too large for all, its digits
           // as a text
  kGo,     // always kFloat, as encoding/json does
};

// How deep arrays and objects may stand in each other, in an event and in what templates make.
inline constexpr uint32_t kValueDepthMax = 256;

// One JSON text, with white space around it. What is not UTF-8, and half of a surrogate pair,
// becomes U+FFFD; of members with one name the last counts. kInvalid with the offset when it is no
// JSON, is deeper than kValueDepthMax, or, with kGo, holds a number that no double can.
Result<Value> ParseJson(std::string_view text, Numbers numbers);

// Appends the value as encoding/json writes it: keys in order, `<`, `>` and `&` escaped, times in
// RFC 3339, nothing as null. `indent`: two spaces a level. False, with `out` unfinished, when `out`
// would be longer than `bytes_max` or a number is not finite.
bool AppendJson(std::string& out, const Value& value, bool indent, size_t bytes_max);

}  // namespace spool::tmpl
