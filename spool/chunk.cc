#include "spool/chunk.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "base/assert.h"
#include "spool/codec.h"

namespace spool {
namespace {

constexpr uint8_t kChunkVersion = 2;
constexpr size_t kPrefixBytes = 4;
constexpr size_t kHashBytes = 16;
// Below this a frame of its own compresses worse than the database's blocks do.
constexpr size_t kPlainBelow = 4 << 10;
constexpr size_t kRawBytesMax = size_t{256} << 20;
constexpr size_t kIdBytes = 16;
constexpr size_t kScratchKept = size_t{3} << 20;   // one large event is no habit
constexpr uint64_t kPlaceMax = uint64_t{1} << 62;  // of sequences and ordinals: none is near it

Hash128 HashOf(std::string_view chunk) {
  FastHasher hasher;
  hasher.Add(chunk.substr(0, kPrefixBytes));
  hasher.Add(chunk.substr(kPrefixBytes + kHashBytes));
  return hasher.Digest();
}

struct DecompressorFree {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

Hash128 HashInChunk(std::string_view bytes) {
  codec::Parser in(bytes);
  in.Bytes(kPrefixBytes);
  const Hash128 hash = in.Hash();
  return in.ok() ? hash : Hash128{};
}

Result<ChunkView> ParseChunk(std::string_view bytes, bool trusted) {
  codec::Parser in(bytes);
  const std::string_view magic = in.Bytes(2);
  const auto version = in.Fixed<uint8_t>();
  const auto encoding = in.Fixed<uint8_t>();
  ChunkView chunk;
  ChunkHeader& header = chunk.header;
  header.hash = in.Hash();
  header.previous = in.Hash();
  header.first = {in.Fixed<uint64_t>()};
  header.count = in.Fixed<uint32_t>();
  header.ordinal = in.Fixed<uint64_t>();
  header.accepted = FromMicros(in.Fixed<int64_t>());
  header.time_min = FromMicros(in.Fixed<int64_t>());
  header.time_max = FromMicros(in.Fixed<int64_t>());
  header.bytes_before = in.Fixed<uint64_t>();
  header.raw_before = in.Fixed<uint64_t>();
  header.raw_bytes = in.Fixed<uint32_t>();
  header.body_hash = in.Fixed<uint64_t>();
  const uint64_t runs = in.Varint();
  const bool lost = encoding == static_cast<uint8_t>(ChunkView::Encoding::kLost);
  uint32_t left = lost ? 0 : header.count;
  bool fits = runs <= left && header.first.value < kPlaceMax && header.ordinal < kPlaceMax;
  for (uint64_t i = 0; i < runs && in.ok() && fits; ++i) {
    const std::string_view origin = in.Text();
    const uint64_t count = in.Varint();
    fits = count > 0 && count <= left;
    left -= static_cast<uint32_t>(count);
    header.origins.emplace_back(origin, static_cast<uint32_t>(count));
  }
  chunk.ids = in.Bytes(lost ? 0 : uint64_t{header.count} * kIdBytes);
  chunk.stored_body = in.rest();
  chunk.encoding = static_cast<ChunkView::Encoding>(encoding);
  if (!in.ok() || magic != "SC" || version != kChunkVersion || encoding > 2 || header.count == 0 ||
      !fits || left != 0) {
    return Fail(Code::kDamaged, "the chunk's header does not make sense");
  }
  if (!trusted && HashOf(bytes) != header.hash) {
    return Fail(Code::kDamaged, "the chunk does not fit its hash");
  }
  return chunk;
}

namespace {

Status Unpack(const ChunkView& chunk, std::string& body) {
  if (chunk.lost()) return Fail(Code::kDamaged, "the events are lost");
  if (!chunk.compressed()) {
    body = chunk.stored_body;
    return {};
  }
  if (chunk.header.raw_bytes > kRawBytesMax) {
    return Fail(Code::kDamaged, "the chunk claims an impossible size");
  }
  thread_local std::unique_ptr<ZSTD_DCtx, DecompressorFree> context(ZSTD_createDCtx());
  body.resize(chunk.header.raw_bytes);
  const size_t size = ZSTD_decompressDCtx(context.get(), body.data(), body.size(),
                                          chunk.stored_body.data(), chunk.stored_body.size());
  if (ZSTD_isError(size) != 0 || size != body.size()) {
    return Fail(Code::kDamaged, "the chunk's zstd frame cannot be read");
  }
  return {};
}

}  // namespace

Result<std::string> ChunkBody(const ChunkView& chunk) {
  std::string body;
  if (auto unpacked = Unpack(chunk, body); !unpacked) return tl::unexpected(unpacked.error());
  if (FastHash64(body) != chunk.header.body_hash) {
    return Fail(Code::kDamaged, "the chunk's body does not fit its hash");
  }
  return body;
}

namespace {
ZSTD_CCtx* Raw(void* context) { return static_cast<ZSTD_CCtx*>(context); }
}  // namespace

ChunkCompressor::ChunkCompressor(int level) : context_(ZSTD_createCCtx()) {
  SPOOL_ASSERT(context_ != nullptr);
  ZSTD_CCtx_setParameter(Raw(context_), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(Raw(context_), ZSTD_c_checksumFlag, 0);
}
ChunkCompressor::~ChunkCompressor() { ZSTD_freeCCtx(Raw(context_)); }

std::string ChunkCompressor::Compress(std::string_view raw) {
  const size_t bound = ZSTD_compressBound(raw.size());
  if (packed_.size() < bound) packed_.resize(bound);
  const size_t size =
      ZSTD_compress2(Raw(context_), packed_.data(), packed_.size(), raw.data(), raw.size());
  SPOOL_ASSERT(ZSTD_isError(size) == 0);
  std::string packed(packed_.data(), size);
  if (packed_.size() > kScratchKept) std::vector<char>().swap(packed_);
  return packed;
}

void ChunkBuilder::Add(const Event& event, std::string_view origin) {
  const auto view = DecodeRecord(event.record);
  SPOOL_ASSERT(view.has_value());
  ids_.append(event.record, 0, kIdBytes);
  body_.Add(*view);
  if (origins_.empty() || origins_.back().first != origin) origins_.emplace_back(origin, 0);
  ++origins_.back().second;
  time_min_ = count_ == 0 ? event.time : std::min(time_min_, event.time);
  time_max_ = count_ == 0 ? event.time : std::max(time_max_, event.time);
  ++count_;
}

ChunkBuilder::Packed ChunkBuilder::Pack(ChunkCompressor& compressor) {
  Packed packed;
  std::string& body = compressor.body();
  body_.TakeInto(body);
  packed.count = count_;
  packed.raw_bytes = static_cast<uint32_t>(body.size());
  packed.body_hash = FastHash64(body);
  packed.time_min = time_min_;
  packed.time_max = time_max_;
  packed.ids = std::move(ids_);
  packed.origins = std::move(origins_);
  packed.compressed = body.size() >= kPlainBelow;
  packed.body = packed.compressed ? compressor.Compress(body) : body;
  if (body.capacity() > kScratchKept) std::string().swap(body);
  ids_.clear();
  origins_.clear();
  count_ = 0;
  return packed;
}

namespace {

// With the hash filled in.
std::string Seal(ChunkView::Encoding encoding, std::string_view ids, std::string_view body,
                 ChunkHeader* header) {
  std::string out;
  out.reserve(160 + ids.size() + body.size());
  out += "SC";
  codec::PutFixed(out, kChunkVersion);
  codec::PutFixed(out, static_cast<uint8_t>(encoding));
  codec::PutHash(out, Hash128{});
  codec::PutHash(out, header->previous);
  codec::PutFixed(out, header->first.value);
  codec::PutFixed(out, header->count);
  codec::PutFixed(out, header->ordinal);
  codec::PutFixed(out, ToMicros(header->accepted));
  codec::PutFixed(out, ToMicros(header->time_min));
  codec::PutFixed(out, ToMicros(header->time_max));
  codec::PutFixed(out, header->bytes_before);
  codec::PutFixed(out, header->raw_before);
  codec::PutFixed(out, header->raw_bytes);
  codec::PutFixed(out, header->body_hash);
  codec::PutVarint(out, header->origins.size());
  for (const auto& [origin, count] : header->origins) {
    codec::PutText(out, origin);
    codec::PutVarint(out, count);
  }
  out.append(ids);
  out.append(body);
  header->hash = HashOf(out);
  out.replace(kPrefixBytes, kHashBytes, reinterpret_cast<const char*>(header->hash.bytes.data()),
              kHashBytes);
  return out;
}

}  // namespace

std::string SealChunk(const ChunkBuilder::Packed& packed, ChunkHeader* header) {
  header->count = packed.count;
  header->raw_bytes = packed.raw_bytes;
  header->body_hash = packed.body_hash;
  header->time_min = packed.time_min;
  header->time_max = packed.time_max;
  header->origins = packed.origins;
  return Seal(packed.compressed ? ChunkView::Encoding::kZstd : ChunkView::Encoding::kPlain,
              packed.ids, packed.body, header);
}

std::string SealLostChunk(ChunkHeader* header) {
  header->raw_bytes = 0;
  header->body_hash = 0;
  header->origins.clear();
  return Seal(ChunkView::Encoding::kLost, {}, {}, header);
}

}  // namespace spool
