// The dedupe horizon: which ids were stored lately. In memory, rebuilt at start from chunk headers.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"

namespace spool {

// Bounded by entries and by window, whichever is smaller. One thread.
class Dedupe {
 public:
  Dedupe(Micros window, size_t entries_max) : window_(window), entries_max_(entries_max) {}

  // (origin, id) as one key.
  static Hash128 Key(std::string_view origin, const Hash128& id);
  // True if `key` was added within the window before `now`; otherwise adds it. `now` must not
  // go back. A window or bound of zero remembers nothing.
  bool SeenOrAdd(const Hash128& key, SystemTime now);
  size_t size() const { return count_; }

 private:
  struct Entry {
    Hash128 key;
    int64_t micros = 0;
  };
  static constexpr uint32_t kNone = ~uint32_t{0};
  size_t Home(const Hash128& key) const;
  void Forget();
  void Insert(const Hash128& key, uint32_t slot);
  void Grow();

  const Micros window_;
  const size_t entries_max_;
  std::vector<Entry> ring_;
  size_t head_ = 0;  // oldest
  size_t count_ = 0;
  std::vector<uint32_t> index_;  // open addressing into ring_, linear probing
};

}  // namespace spool
