// Steps over JSON text member by member, without an index and without checking it: for texts that
// were checked already, and for a look at one that need not be. On a text that is not JSON they
// stop somewhere, inside of it. Time is linear in what they step over.
#pragma once

#include <cstddef>
#include <string_view>

namespace spool {

// The place behind the value that begins at `at` (not white space); the text's size if it does not
// end.
size_t SkipJsonValue(std::string_view text, size_t at);

// One step over an object or array: false at its end.
class JsonCursor {
 public:
  // `text` is an object or an array; of anything else nothing is found.
  explicit JsonCursor(std::string_view text);
  // The next member of an object: its key as written, without quotes, and its value as written.
  bool NextMember(std::string_view* key, std::string_view* value);
  bool NextElement(std::string_view* value);

 private:
  void SkipSpace();
  bool Value(std::string_view* value);
  const std::string_view text_;
  size_t at_ = 0;
  bool open_ = false;
};

// The member's value as written; empty if the object has none of that name. Keys with escapes are
// not found.
std::string_view JsonMemberOf(std::string_view object, std::string_view key);

// What stands between the quotes of a string; empty if it is none.
std::string_view JsonStringInside(std::string_view value);

}  // namespace spool
