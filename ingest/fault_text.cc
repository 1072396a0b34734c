#include "ingest/fault_text.h"

namespace spool {

std::string_view ReasonOf(JsonFault fault) {
  switch (fault) {
    case JsonFault::kNone: return "";
    case JsonFault::kSyntax: return "invalid_json";
    case JsonFault::kUtf8: return "invalid_utf8";
    case JsonFault::kDepth: return "too_deep";
    case JsonFault::kDuplicateKey: return "duplicate_key";
    case JsonFault::kTooManyMembers: return "too_many_members";
  }
  return "invalid_json";
}

std::string DetailOf(JsonFault fault, size_t offset) {
  const std::string at = " at byte " + std::to_string(offset);
  switch (fault) {
    case JsonFault::kNone: return "";
    case JsonFault::kSyntax: return "not JSON" + at;
    case JsonFault::kUtf8: return "not UTF-8" + at;
    case JsonFault::kDepth: return "nested too deeply" + at;
    case JsonFault::kDuplicateKey: return "a key is there twice, found" + at;
    case JsonFault::kTooManyMembers: return "too many members" + at;
  }
  return "not JSON" + at;
}

}  // namespace spool
