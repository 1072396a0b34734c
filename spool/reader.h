// Reading events in sequence order, over one stream or many.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "spool/event.h"
#include "spool/sequence.h"

namespace spool {

struct ReadLimits {
  size_t events_max = 1000;
  size_t bytes_max = 1 << 20;  // of payload; at least one event is returned whatever its size
};

// Events of `stream` that were evicted before this reader came to them, or that damage took: what
// it had not read below `ordinal` is gone, and with it every sequence below `end`.
struct LostRange {
  StreamId stream;
  Sequence end;
  uint64_t ordinal = 0;
};

// One read's events. Their views point into memory this page keeps alive (shared with the reader).
struct Page {
  std::vector<EventView> events;  // rising sequence
  Sequence next;                  // where to read on; all below it in these streams is in this
                                  //   page, in an earlier one, or in `lost`
  std::vector<LostRange> lost;    // streams whose trim lies beyond where the read began
  std::vector<std::shared_ptr<const void>> owners;
};

// One thread at a time. Keeps at most one decoded chunk a stream between calls, no database
// iterator.
class Reader {
 public:
  virtual ~Reader() = default;
  // Events from `from` on. An empty page with next == journal.end() means caught up. kDamaged
  // names the stream and the sequences that fail their checks; the reader stays usable.
  virtual Result<Page> Read(Sequence from, const ReadLimits& limits) = 0;
};

}  // namespace spool
