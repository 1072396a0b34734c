// What the database under the journal tells of itself.
#pragma once

#include <cstdint>

namespace spool {

// How the database underneath is doing.
struct StoreStatus {
  bool stopped = false;             // writes wait for it
  uint64_t delayed_write_rate = 0;  // bytes a second that writes are slowed down to; 0: not
  uint64_t memtable_bytes = 0;      // not in tables yet
  uint64_t pending_compaction_bytes = 0;
  uint64_t table_bytes = 0;
  uint64_t block_cache_bytes = 0;
  uint64_t running_compactions = 0;
  uint64_t running_flushes = 0;
};

}  // namespace spool
