// Looks values up in an event's data by path, parsing it no further than needed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spool {

// One event's data, opened for look-ups. Parsed at the first one. One thread; the JSON text must
// outlive it. Only one of these may be in use per thread at a time (they share a parser).
class DataDocument {
 public:
  explicit DataDocument(std::string_view json) : json_(json) {}

  // The value at `path` ("involvedObject.kind", "items.0.name"; a name that has dots in it is
  // found too): a string's content, a number's or boolean's text, an object's or array's JSON.
  // Empty when it is not there, is null, or the data is not JSON. Valid until the next call.
  std::optional<std::string_view> Find(std::string_view path);
  // The same from `object`.NAME, where `name` is one member's name, dots and all.
  std::optional<std::string_view> FindMember(std::string_view object, std::string_view name);

 private:
  bool Open();   // ready for one more look-up
  bool Parse();  // what is in the workspace
  std::string_view json_;
  bool tried_ = false;
  bool open_ = false;
};

}  // namespace spool
