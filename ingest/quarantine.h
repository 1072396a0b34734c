// The event that tells of a record which could not be understood. It holds where it was, how long,
// why, a keyed hash to recognise it by, and an excerpt without secrets; the record itself only
// where the operator asked for it.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/hash.h"
#include "ingest/record.h"
#include "spool/event.h"

namespace spool {

struct QuarantineNote {
  std::string_view record;    // as it came
  std::string_view path;      // of the request
  std::string_view producer;  // if known
  std::string_view reason;    // stable word
  std::string_view detail;    // sentence
  Hash128 hash;               // keyed, of the record
  size_t record_offset = 0;   // of the record in the body
  size_t fault_offset = 0;    // of the trouble in the body
  bool silent = false;        // the body speaks of secrets, so nothing of it is shown
  bool raw = false;           // the operator wants the record as it came
};

// Fills `view` but for its id. Strings live in the context's arena.
void FillQuarantine(const RecordContext& context, const QuarantineNote& note, EventView* view);

}  // namespace spool
