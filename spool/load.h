// What a start reads back from the database. Nothing here changes what is stored.
#pragma once

#include "spool/dedupe.h"
#include "spool/journal_state.h"

namespace spool {

inline constexpr std::string_view kFamilyPrefix = "stream:";

// Fills in the streams (configured ones first, then those only on disk), the end, the cursors and
// the markers. kDamaged when something does not fit its checks or the rest; kInvalid for too many
// streams.
Status LoadStreams(JournalState& state);
Status LoadCursors(JournalState& state);
Status LoadMarkers(JournalState& state);

// There while a repair may have lost cursors, and targets have not taken new places since.
inline constexpr std::string_view kPlacesLostKey = "places-lost";

// A repair that gave up events at the end leaves where sequences go on.
Result<std::optional<Sequence>> ReadEndFloor(const RocksStore& store, FamilyId meta);
void PutEndFloor(StoreBatch& batch, FamilyId meta, Sequence end);

// The dedupe horizon from the ids in the chunk headers of the tail, newest first over all streams
// until it is full. Damaged chunks are left out and told of.
void RebuildDedupe(const JournalState& state, Dedupe& dedupe);

}  // namespace spool
