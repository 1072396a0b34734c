#include "spool/chunk.h"

#include <zstd.h>

#include <algorithm>

#include "base/assert.h"
#include "spool/codec.h"
#include "spool/record.h"

namespace spool {
namespace {

constexpr uint8_t kChunkVersion = 1;
constexpr size_t kPrefixBytes = 4;
constexpr size_t kHashBytes = 16;
// Below this a frame of its own compresses worse than the database's blocks do.
constexpr size_t kPlainBelow = 4 << 10;
constexpr size_t kRawBytesMax = size_t{256} << 20;

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
  const uint64_t runs = in.Varint();
  uint64_t covered = 0;
  for (uint64_t i = 0; i < runs && in.ok(); ++i) {
    const std::string_view origin = in.Text();
    const uint64_t count = in.Varint();
    covered += count;
    header.origins.emplace_back(origin, static_cast<uint32_t>(count));
  }
  chunk.ids = in.Bytes(uint64_t{header.count} * kRecordIdBytes);
  chunk.stored_body = in.rest();
  chunk.compressed = encoding == 1;
  if (!in.ok() || magic != "SC" || version != kChunkVersion || encoding > 1 || header.count == 0 ||
      covered != header.count) {
    return Fail(Code::kDamaged, "the chunk's header does not make sense");
  }
  if (!trusted && HashOf(bytes) != header.hash) {
    return Fail(Code::kDamaged, "the chunk does not fit its hash");
  }
  return chunk;
}

Result<std::string> ChunkBody(const ChunkView& chunk) {
  if (!chunk.compressed) return std::string(chunk.stored_body);
  if (chunk.header.raw_bytes > kRawBytesMax) {
    return Fail(Code::kDamaged, "the chunk claims an impossible size");
  }
  thread_local std::unique_ptr<ZSTD_DCtx, DecompressorFree> context(ZSTD_createDCtx());
  std::string body;
  body.resize(chunk.header.raw_bytes);
  const size_t size = ZSTD_decompressDCtx(context.get(), body.data(), body.size(),
                                          chunk.stored_body.data(), chunk.stored_body.size());
  if (ZSTD_isError(size) != 0 || size != body.size()) {
    return Fail(Code::kDamaged, "the chunk's zstd frame cannot be read");
  }
  return body;
}

struct ChunkBuilder::Compressor {
  explicit Compressor(int level) : context(ZSTD_createCCtx()) {
    SPOOL_ASSERT(context != nullptr);
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0);
  }
  ~Compressor() { ZSTD_freeCCtx(context); }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  ZSTD_CCtx* context;
};

ChunkBuilder::ChunkBuilder(int compression_level)
    : compressor_(std::make_unique<Compressor>(compression_level)) {}
ChunkBuilder::~ChunkBuilder() = default;
ChunkBuilder::ChunkBuilder(ChunkBuilder&&) noexcept = default;
ChunkBuilder& ChunkBuilder::operator=(ChunkBuilder&&) noexcept = default;

void ChunkBuilder::Add(const Event& event, std::string_view origin) {
  SPOOL_ASSERT(event.record.size() > kRecordIdBytes);
  ids_.append(event.record, 0, kRecordIdBytes);
  codec::PutText(body_, std::string_view(event.record).substr(kRecordIdBytes));
  if (origins_.empty() || origins_.back().first != origin) origins_.emplace_back(origin, 0);
  ++origins_.back().second;
  time_min_ = count_ == 0 ? event.time : std::min(time_min_, event.time);
  time_max_ = count_ == 0 ? event.time : std::max(time_max_, event.time);
  ++count_;
}

ChunkBuilder::Packed ChunkBuilder::Pack() {
  Packed packed;
  packed.count = count_;
  packed.raw_bytes = static_cast<uint32_t>(body_.size());
  packed.time_min = time_min_;
  packed.time_max = time_max_;
  packed.ids = std::move(ids_);
  packed.origins = std::move(origins_);
  if (body_.size() < kPlainBelow) {
    packed.body = std::move(body_);
  } else {
    packed.body.resize(ZSTD_compressBound(body_.size()));
    const size_t size = ZSTD_compress2(compressor_->context, packed.body.data(), packed.body.size(),
                                       body_.data(), body_.size());
    SPOOL_ASSERT(ZSTD_isError(size) == 0);
    packed.body.resize(size);
    packed.compressed = true;
  }
  body_.clear();
  ids_.clear();
  origins_.clear();
  count_ = 0;
  return packed;
}

std::string SealChunk(const ChunkBuilder::Packed& packed, ChunkHeader* header) {
  header->count = packed.count;
  header->raw_bytes = packed.raw_bytes;
  header->time_min = packed.time_min;
  header->time_max = packed.time_max;
  header->origins = packed.origins;
  std::string out;
  out.reserve(160 + packed.ids.size() + packed.body.size());
  out += "SC";
  codec::PutFixed(out, kChunkVersion);
  codec::PutFixed(out, static_cast<uint8_t>(packed.compressed ? 1 : 0));
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
  codec::PutVarint(out, header->origins.size());
  for (const auto& [origin, count] : header->origins) {
    codec::PutText(out, origin);
    codec::PutVarint(out, count);
  }
  out.append(packed.ids);
  out.append(packed.body);
  header->hash = HashOf(out);
  out.replace(kPrefixBytes, kHashBytes, reinterpret_cast<const char*>(header->hash.bytes.data()),
              kHashBytes);
  return out;
}

}  // namespace spool
