// Packing a request's events before they have their places: by whoever brings them, while the
// packer is at other requests.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "spool/chunk.h"
#include "spool/event.h"

namespace spool {

inline constexpr size_t kChunkRawBytes = size_t{1}
                                         << 20;  // a chunk is closed once it has this much

// What a request's events of one stream came to, in their order.
struct PackedPart {
  StreamId stream;
  std::vector<ChunkBuilder::Packed> chunks;
};

// Any thread. As many packs go on at once as there are callers; what two of them work in is kept.
class Packing {
 public:
  explicit Packing(int compression_level);  // zstd, 1 to 9
  ~Packing();
  // REQUIRES: as ChunkBuilder::Add. One part for each stream, in no order.
  std::vector<PackedPart> Pack(const std::vector<Event>& events, std::string_view origin);

 private:
  struct Bench;
  std::unique_ptr<Bench> Take();
  void Return(std::unique_ptr<Bench> bench);

  const int level_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Bench>> idle_;  // guarded by mutex_
};

}  // namespace spool
