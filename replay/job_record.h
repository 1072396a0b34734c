// A replay job as it lies in the journal's records under "replay/ID".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "replay/jobs.h"

namespace spool {

inline constexpr std::string_view kReplayPrefix = "replay/";  // of records and of cursors

// JSON. kInvalid if a text of the request is not UTF-8.
Result<std::string> EncodeReplay(const ReplayStatus& job);
// kDamaged for anything EncodeReplay does not write.
Result<ReplayStatus> DecodeReplay(std::string_view record);

}  // namespace spool
