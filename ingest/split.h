// Cuts a request's body into records without understanding them: one object, an array, lines,
// objects back to back, and the `items` of an Event list. It knows strings and brackets only, so
// that it finds the next record behind one that is not JSON. Time is linear in the body whatever
// it holds.
#pragma once

#include <cstddef>
#include <string_view>

namespace spool {

// What the list around a record says about it.
enum class ListKind { kNone, kAudit, kEvent };

class RecordHandler {
 public:
  enum class Answer {
    kTaken,       // an event, or in quarantine for what it holds
    kUnreadable,  // not JSON; nothing was done about it
    kStop,        // no more records, please
  };
  virtual ~RecordHandler() = default;
  // One record. `text` is a slice of the body without white space around it.
  virtual Answer Record(std::string_view text, ListKind list) = 0;
  // Bytes of the body that are no record; empty where a list ends too early.
  virtual Answer Unreadable(std::string_view text) = 0;
};

struct SplitOptions {
  // An object with `items` and no `kind` is a list too (paths where nothing else is expected).
  bool bare_items = false;
};

// Hands every record of `body` over, in order. True if a frame (an array or a list) was seen,
// with which a body without records is whole.
bool SplitRecords(std::string_view body, const SplitOptions& options, RecordHandler* handler);

}  // namespace spool
