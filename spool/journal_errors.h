// What the journal of this process could not do, counted. A process has one journal at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace spool {

enum class JournalOp : uint8_t {
  kWrite,       // of the database, synced or not: final
  kWatermark,   // of what is durable: final
  kBackground,  // the database's own work: final
  kRead,        // an event or a chunk that cannot be read or fails its checks
  kSnapshot,
};
inline constexpr std::array<std::string_view, 5> kJournalOpNames{"write", "watermark", "background",
                                                                 "read", "snapshot"};

// Since the process began, by JournalOp. Any thread.
void CountJournalError(JournalOp op);
std::array<uint64_t, kJournalOpNames.size()> JournalErrors();

}  // namespace spool
