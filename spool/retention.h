// Retention as a pure function: what a stream's oldest chunk deserves.
#pragma once

#include <optional>
#include <span>

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
};
struct RetentionRuling {
  bool drop = false;
  bool undelivered = false;  // dropped although some cursor still needs it
  bool full = false;         // nothing can give way: refuse new events
  const char* cause = "";
};
RetentionRuling Judge(const RetentionView& view, Sequence chunk_end, SystemTime chunk_accepted);

// A stream's oldest chunk, when the volume runs out.
struct DiskCandidate {
  SystemTime accepted;
  bool settled = false;  // by every cursor that pins it
  WhenFull when_full = WhenFull::kReject;
};
// Which gives way: the oldest settled one over all streams; if there is none and `undelivered`,
// the oldest of those that say drop_oldest.
std::optional<size_t> ChooseForDisk(std::span<const std::optional<DiskCandidate>> oldest,
                                    bool undelivered);

}  // namespace spool
