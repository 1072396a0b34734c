// Whose record is it? The path's own producer first, then by what the record looks like.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ingest/json_scan.h"
#include "ingest/record.h"
#include "ingest/shape.h"
#include "ingest/split.h"

namespace spool {

// What a request says of all its records.
struct RequestTraits {
  std::string_view path;
  BodyType body_type = BodyType::kAny;
  bool on_audit = false, on_events = false, on_fluent_bit = false;
};
RequestTraits TraitsOf(std::string_view path, BodyType body_type);

// Fills `view` (data, json and content_type already say what the record is) by the shape of the
// record `text`, whose members `scanner` has just seen; it may scan other texts before it returns.
// `ignored` becomes true for a record that is no news.
std::optional<Rejected> Recognise(const RecordContext& context, const RequestTraits& request,
                                  JsonScanner* scanner, std::string_view text, ListKind list,
                                  EventView* view, bool* ignored);

// A log shipper puts a line of a file into a member of its record. The text of that line, if it is
// a record that is known by its shape; it is this that identity, secrets and rules are about.
std::optional<std::string_view> RecordInLogLine(const RecordContext& context,
                                                const std::vector<JsonMember>& members);

// `text` with null for numbers that JSON does not have, as C's printf and others write them (nan,
// -nan, inf, Infinity), in the context's memory; empty if there are none, or no memory.
std::optional<std::string_view> MendedNumbers(const RecordContext& context, std::string_view text);

}  // namespace spool
