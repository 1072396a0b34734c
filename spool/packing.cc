#include "spool/packing.h"

#include <algorithm>
#include <utility>

namespace spool {
namespace {
constexpr size_t kIdleMax = 2;
}

struct Packing::Bench {
  explicit Bench(int level) : compressor(level) {}
  ChunkCompressor compressor;
  ChunkBuilder builder;
};

Packing::Packing(int compression_level) : level_(compression_level) {}
Packing::~Packing() = default;

std::unique_ptr<Packing::Bench> Packing::Take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto bench = std::move(idle_.back());
      idle_.pop_back();
      return bench;
    }
  }
  return std::make_unique<Bench>(level_);
}

void Packing::Return(std::unique_ptr<Bench> bench) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kIdleMax) idle_.push_back(std::move(bench));
}

std::vector<PackedPart> Packing::Pack(const std::vector<Event>& events, std::string_view origin) {
  std::vector<PackedPart> parts;
  for (const Event& event : events) {
    if (!std::ranges::any_of(parts, [&](const auto& p) { return p.stream == event.stream; })) {
      parts.push_back({event.stream, {}});
    }
  }
  auto bench = Take();
  for (PackedPart& part : parts) {
    for (const Event& event : events) {
      if (event.stream != part.stream) continue;
      bench->builder.Add(event, origin);
      if (bench->builder.raw_bytes() >= kChunkRawBytes) {
        part.chunks.push_back(bench->builder.Pack(bench->compressor));
      }
    }
    if (bench->builder.count() > 0) part.chunks.push_back(bench->builder.Pack(bench->compressor));
  }
  Return(std::move(bench));
  return parts;
}

}  // namespace spool
