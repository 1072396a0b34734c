// Whether the database has all that was durable, by the watermark; and what a damaged one lacks.
#pragma once

#include <string>

#include "spool/journal_state.h"

namespace spool {

// A record of the default family: how many synced changes of the journal's own there were. Its
// value is in every batch of such a change, and in the watermark after it.
inline constexpr std::string_view kChangesKey = "synced";

// 0 when there is none yet. kDamaged, kStorage.
Result<uint64_t> ReadChanges(const RocksStore& store, FamilyId meta);
void PutChanges(StoreBatch& batch, FamilyId meta, uint64_t changes);

// A log that is gone or was cut between two records looks like one that ended there. kDamaged, with
// the range, when less is there than was durable; kStorage. REQUIRES: streams are loaded.
Status CheckWatermark(const JournalState& state);

// What is told of a database that does not open as a whole, found without changing a byte.
struct CutLook {
  // All that was durable lies before the damage: a power cut may leave the blocks of what was not
  // synced in any state, a later one without an earlier one too, and the database takes that for
  // damage.
  bool nothing_is_missing = false;
  std::string missing;  // a sentence with the sequences that lie in the damage or behind it
};
CutLook LookBeforeDamage(const JournalOptions& options);

// kDamaged when `dir` has what a journal leaves and neither FORMAT nor CURRENT, without which the
// database would be made anew over it. REQUIRES: there is no CURRENT.
Status CheckNothingIsLeft(const std::string& dir);

}  // namespace spool
