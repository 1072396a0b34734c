// What the sinks share in speaking of outcomes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "forward/sink.h"

namespace spool {

inline constexpr size_t kExcerptMax = 1024;

// `text` fit to be shown: at most kExcerptMax bytes of valid UTF-8, control characters as spaces,
// other bytes as '?'.
std::string Printable(std::string_view text);

// Gives every one of `outcomes` the same verdict.
void SetAll(std::span<Outcome> outcomes, Verdict verdict, std::string_view code,
            std::string_view excerpt = {}, std::optional<Micros> retry_after = std::nullopt);

}  // namespace spool
