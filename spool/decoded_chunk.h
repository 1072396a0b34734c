// Chunks as readers hold them: checked once, decompressed once, however many targets are at the
// same place.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "spool/chunk.h"

namespace spool {

// Any thread; what it gives lives as long as it does.
class DecodedChunk {
 public:
  // Checks the whole chunk. kDamaged.
  static Result<std::shared_ptr<const DecodedChunk>> Parse(std::string_view bytes);

  const ChunkHeader& header() const { return view_.header; }
  std::string_view ids() const { return ids_; }
  bool lost() const { return view_.lost(); }
  // As it was before compression. The first call decompresses, others wait for it; what was stored
  // is given up then. kDamaged.
  Result<std::string_view> Body() const;

 private:
  DecodedChunk() = default;

  ChunkView view_;  // its pointers are not used
  std::string ids_;
  mutable std::mutex mutex_;
  mutable std::string stored_;
  mutable std::string body_;
  mutable bool decoded_ = false;
};

// The chunks that some reader of a journal holds. Keeps none alive itself. Any thread.
class ChunkShare {
 public:
  // The chunk of `bytes`, which another reader may hold already: then nothing is read or checked
  // again but its hash's place. kDamaged.
  Result<std::shared_ptr<const DecodedChunk>> Get(StreamId stream, std::string_view bytes);
  // How many it knows, held or not: at most twice those that are held, or 64.
  size_t size() const;

 private:
  using Key = std::pair<StreamId, Hash128>;
  mutable std::mutex mutex_;
  std::map<Key, std::weak_ptr<const DecodedChunk>> held_;
  size_t prune_at_ = 64;
};

}  // namespace spool
