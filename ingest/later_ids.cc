#include "ingest/later_ids.h"

#include <cstring>

#include "base/assert.h"
#include "ingest/identity.h"

namespace spool {
namespace {

constexpr size_t kGathered = 16;  // twice what goes side by side
constexpr size_t kGatheredBytes = size_t{64} << 10;
constexpr size_t kLongText = size_t{8} << 10;  // not worth a copy
constexpr char kMark[] = "\0later\0\0";        // ends with the text's place

}  // namespace

Hash128 LaterIds::StandIn() const {
  Hash128 id;
  const uint64_t place = places_.size();
  std::memcpy(id.bytes.data(), kMark, 8);
  std::memcpy(id.bytes.data() + 8, &place, sizeof place);
  return id;
}

bool LaterIds::IsStandIn(const Hash128& id) { return std::memcmp(id.bytes.data(), kMark, 8) == 0; }

Hash128 LaterIds::Of(std::string_view what, std::initializer_list<std::string_view> fields) {
  size_t size = 0;
  for (const std::string_view field : fields) size += field.size();
  if (!Sha256Batch::HasLanes() || size > kLongText) return IdentityOf(what, fields);
  ForIdentity(what, fields, [this](std::string_view piece) { batch_.Add(piece); });
  batch_.End();
  places_.push_back(kNowhere);
  return StandIn();
}

void LaterIds::Kept(const Event& event, size_t place) {
  if (!places_.empty() && event.id == StandIn()) places_.back() = place;
}

bool LaterIds::full() const {
  return places_.size() >= kGathered || batch_.bytes() >= kGatheredBytes;
}

void LaterIds::Give(std::vector<Event>& events) {
  if (places_.empty()) return;
  const std::vector<Hash128> ids = batch_.Prefixes();
  for (size_t i = 0; i < ids.size(); ++i) {
    if (places_[i] != kNowhere) SetEventId(events[places_[i]], ids[i]);
  }
  places_.clear();
}

void LaterIds::Finish(std::vector<Event>& events) {
  Give(events);
  for (const Event& event : events) SPOOL_ASSERT(!IsStandIn(event.id));
}

void LaterIds::Reset() {
  if (places_.empty()) return;
  batch_.Prefixes();
  places_.clear();
}

}  // namespace spool
