// A journal that no process has open: what is in it, whether it is sound, and how to go on when it
// is not.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "spool/audit.h"
#include "spool/cursor.h"

namespace spool {

struct OfflineStream {
  std::string name;
  uint64_t chunks = 0;
  uint64_t events = 0;
  uint64_t bytes = 0;
  uint64_t raw_bytes = 0;
  uint64_t evicted = 0;
  SequenceRange range;  // of what is retained
  std::optional<SystemTime> oldest;
  std::optional<SystemTime> newest;
};

struct OfflineCursor {
  std::string name;
  Sequence next;
  Account account;  // accepted and pending are derived from the streams as they are now
};

struct OfflineReport {
  std::string format;
  Sequence end;                       // of what can be read
  std::optional<Sequence> watermark;  // the end of what was durable
  uint64_t dead_letters = 0;
  std::vector<OfflineStream> streams;
  std::vector<OfflineCursor> cursors;
  std::vector<Damage> damage;  // the first kDamageMax
  uint64_t damage_in_all = 0;
  static constexpr size_t kDamageMax = 1000;
};

// Told now and then: chunks done and roughly how many there are.
using OfflineProgress = std::function<void(uint64_t done, uint64_t about)>;

// Looks at everything and changes nothing; what is damaged is in the report. `deep` also
// decompresses every chunk and reads every event. kConflict while a process has the directory,
// kNotFound when there is no journal in it, kInvalid for another version's format.
Result<OfflineReport> InspectOffline(const std::string& dir, bool deep,
                                     const OfflineProgress& progress);

// What a repair did, one sentence each; `lost` are the ranges given up.
struct RepairReport {
  std::vector<std::string> steps;
  std::vector<Damage> lost;
};

// Makes the journal usable again. Without `accept_loss` only looks and says in `lost` what would be
// given up. With it: the database is salvaged if it does not open, damaged chunks become lost
// chunks, the end goes on where it was durable, cursors come back to what is there, and each range
// leaves a marker of kind kLost. Take a copy of the directory first. Errors as InspectOffline;
// kDamaged when not even that is possible.
Result<RepairReport> RepairOffline(const std::string& dir, bool accept_loss, SystemTime now);

}  // namespace spool
