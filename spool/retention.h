// Retention as a pure function: what a stream's oldest chunk deserves.
#pragma once

#include "base/clock.h"
#include "spool/journal.h"

namespace spool {

struct RetentionView {
  Micros age_max{0};
  uint64_t bytes_max = 0;
  WhenFull when_full = WhenFull::kReject;
  SystemTime now;               // of the accept clock, which does not follow jumps
  uint64_t retained_bytes = 0;  // of the stream, the chunk included
  Sequence settled;             // everything below is settled by every cursor that pins it
  bool disk_low = false;
};
struct RetentionRuling {
  bool drop = false;
  bool undelivered = false;  // dropped although some cursor still needs it
  bool full = false;         // nothing can give way: refuse new events
  const char* cause = "";
};
RetentionRuling Judge(const RetentionView& view, Sequence chunk_end, SystemTime chunk_accepted);

}  // namespace spool
