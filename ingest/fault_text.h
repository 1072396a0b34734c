// What is wrong with a text, in the words that quarantine and answers have for it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "ingest/json_scan.h"

namespace spool {

std::string_view ReasonOf(JsonFault fault);            // a stable word: "invalid_json"
std::string DetailOf(JsonFault fault, size_t offset);  // "not JSON at byte 17"

}  // namespace spool
