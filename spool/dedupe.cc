#include "spool/dedupe.h"

#include <algorithm>
#include <cstring>

namespace spool {

Hash128 Dedupe::Key(std::string_view origin, const Hash128& id) {
  Hash128 key = id;
  const uint64_t salt = FastHash64(origin);
  uint64_t low;
  std::memcpy(&low, key.bytes.data(), sizeof low);
  low ^= salt;
  std::memcpy(key.bytes.data(), &low, sizeof low);
  return key;
}

size_t Dedupe::Home(const Hash128& key) const {
  uint64_t words[2];
  std::memcpy(words, key.bytes.data(), sizeof words);
  return (words[0] * 0x9e3779b97f4a7c15ULL ^ words[1]) & (index_.size() - 1);
}

void Dedupe::Insert(const Hash128& key, uint32_t slot) {
  size_t at = Home(key);
  while (index_[at] != kNone) at = (at + 1) & (index_.size() - 1);
  index_[at] = slot;
}

void Dedupe::Grow() {
  const size_t capacity = std::min(entries_max_, std::max<size_t>(1024, ring_.size() * 2));
  std::vector<Entry> ring(capacity);
  for (size_t i = 0; i < count_; ++i) ring[i] = ring_[(head_ + i) % ring_.size()];
  ring_ = std::move(ring);
  head_ = 0;
  size_t buckets = 1024;
  while (buckets < capacity * 2) buckets *= 2;
  index_.assign(buckets, kNone);
  for (size_t i = 0; i < count_; ++i) Insert(ring_[i].key, static_cast<uint32_t>(i));
}

// Removes the oldest; entries probed over it move back, so that no search breaks off.
void Dedupe::Forget() {
  const size_t mask = index_.size() - 1;
  size_t hole = Home(ring_[head_].key);
  while (index_[hole] != head_) hole = (hole + 1) & mask;
  index_[hole] = kNone;
  for (size_t at = (hole + 1) & mask; index_[at] != kNone; at = (at + 1) & mask) {
    const size_t home = Home(ring_[index_[at]].key);
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      index_[hole] = index_[at];
      index_[at] = kNone;
      hole = at;
    }
  }
  head_ = (head_ + 1) % ring_.size();
  --count_;
}

bool Dedupe::SeenOrAdd(const Hash128& key, SystemTime now) {
  if (entries_max_ == 0 || window_.count() == 0) return false;
  const int64_t oldest = ToMicros(now) - window_.count();
  while (count_ > 0 && ring_[head_].micros < oldest) Forget();
  if (!index_.empty()) {
    for (size_t at = Home(key); index_[at] != kNone; at = (at + 1) & (index_.size() - 1)) {
      if (ring_[index_[at]].key == key) return true;
    }
  }
  if (count_ == entries_max_) Forget();
  if (count_ == ring_.size()) Grow();
  const size_t slot = (head_ + count_) % ring_.size();
  ring_[slot] = {key, ToMicros(now)};
  ++count_;
  Insert(key, static_cast<uint32_t>(slot));
  return false;
}

}  // namespace spool
