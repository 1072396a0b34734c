// A record is the event's id followed by its stored form; a chunk keeps the ids in its header and
// the stored forms in its body.
#pragma once

#include "spool/event.h"

namespace spool {

inline constexpr size_t kRecordIdBytes = 16;

// Decodes what follows the id. Views point into `stored`; the id is left empty. kDamaged as
// DecodeRecord.
Result<void> DecodeStored(std::string_view stored, EventView* view);

}  // namespace spool
