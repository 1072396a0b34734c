#include "spool/decoded_chunk.h"

#include <algorithm>

namespace spool {

Result<std::shared_ptr<const DecodedChunk>> DecodedChunk::Parse(std::string_view bytes) {
  auto view = ParseChunk(bytes);
  if (!view) return tl::unexpected(view.error());
  std::shared_ptr<DecodedChunk> chunk(new DecodedChunk);
  chunk->ids_ = view->ids;
  chunk->stored_ = view->stored_body;
  view->ids = {};
  view->stored_body = {};
  chunk->view_ = std::move(*view);
  return chunk;
}

Result<std::string_view> DecodedChunk::Body() const {
  const std::lock_guard lock(mutex_);
  if (!decoded_) {
    ChunkView stored = view_;
    stored.stored_body = stored_;
    auto body = ChunkBody(stored);
    if (!body) return tl::unexpected(body.error());
    body_ = std::move(*body);
    stored_ = std::string();
    decoded_ = true;
  }
  return body_;
}

Result<std::shared_ptr<const DecodedChunk>> ChunkShare::Get(StreamId stream,
                                                            std::string_view bytes) {
  const Key key{stream, HashInChunk(bytes)};
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = held_.find(key); it != held_.end()) {
      if (auto chunk = it->second.lock()) return chunk;
    }
  }
  auto chunk = DecodedChunk::Parse(bytes);
  if (!chunk) return chunk;
  const std::lock_guard lock(mutex_);
  auto& held = held_[key];
  if (auto other = held.lock()) return other;  // was faster
  held = *chunk;
  if (held_.size() > prune_at_) {
    std::erase_if(held_, [](const auto& entry) { return entry.second.expired(); });
    prune_at_ = std::max<size_t>(64, held_.size() * 2);
  }
  return chunk;
}

size_t ChunkShare::size() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

}  // namespace spool
