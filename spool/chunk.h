// The unit of storage: the events of one stream and one commit, compressed before the log.
//
//   'S' 'C' version encoding(0 plain, 1 zstd, 2 lost)   4 bytes
//   hash       16   XXH3-128 over all other bytes of the chunk
//   previous   16   the hash of the stream's chunk before (zero for the first)
//   first 8 · count 4 · ordinal 8 · accepted µs 8 · time min 8 · time max 8
//   bytes before 8 · raw before 8 · raw size 4      (of the stream, up to this chunk)
//   body hash 8   XXH3-64 of the body as it was before compression
//   origins: varint n, then n times {text, varint count}     runs of the source's name
//   ids: count × 16
//   body: as body.h says; plain or one zstd frame
//
// A lost chunk stands for events that damage took and an operator gave up: it has neither origins
// nor ids nor a body, and keeps sequences and ordinals whole.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "spool/body.h"
#include "spool/event.h"

namespace spool {

struct ChunkHeader {
  Sequence first;
  uint32_t count = 0;
  uint64_t ordinal = 0;
  SystemTime accepted;
  SystemTime time_min;
  SystemTime time_max;
  uint64_t bytes_before = 0;
  uint64_t raw_before = 0;
  uint32_t raw_bytes = 0;
  uint64_t body_hash = 0;
  Hash128 hash;
  Hash128 previous;
  std::vector<std::pair<std::string, uint32_t>> origins;

  Sequence end() const { return first + count; }
};

// Decoded, without the body. `ids` and `stored_body` point into the chunk's bytes. kDamaged.
struct ChunkView {
  ChunkHeader header;
  std::string_view ids;
  std::string_view stored_body;
  enum class Encoding : uint8_t { kPlain = 0, kZstd = 1, kLost = 2 };
  Encoding encoding = Encoding::kPlain;

  bool compressed() const { return encoding == Encoding::kZstd; }
  bool lost() const { return encoding == Encoding::kLost; }
};
// Checks the whole chunk against its hash unless `trusted`; its shape always.
Result<ChunkView> ParseChunk(std::string_view bytes, bool trusted = false);
// Where the chunk says its own hash is; empty when it is shorter than that. Not checked.
Hash128 HashInChunk(std::string_view bytes);
// The body as it was before compression, checked against its hash. kDamaged.
Result<std::string> ChunkBody(const ChunkView& chunk);

// The memory zstd works in: up to 14 MiB at the highest level, so one serves all streams. One
// thread.
class ChunkCompressor {
 public:
  explicit ChunkCompressor(int level);  // zstd, 1 to 9
  ~ChunkCompressor();
  ChunkCompressor(const ChunkCompressor&) = delete;
  ChunkCompressor& operator=(const ChunkCompressor&) = delete;
  std::string Compress(std::string_view raw);
  // Kept from one body to the next: to get a megabyte of the system each time costs as much as to
  // fill it. Whatever it holds is gone with the next one's.
  std::string& body() { return body_; }

 private:
  void* context_;
  std::string body_;
  std::vector<char> packed_;
};

// Collects events of one stream, then compresses them once. One thread.
class ChunkBuilder {
 public:
  // REQUIRES: the record is as MakeEvent made it; aborts when its bytes changed since.
  void Add(const Event& event, std::string_view origin);
  uint32_t count() const { return count_; }
  size_t raw_bytes() const { return body_.bytes(); }

  // What can be known before the sequence is given.
  struct Packed {
    std::string body;
    std::string ids;
    std::vector<std::pair<std::string, uint32_t>> origins;
    bool compressed = false;
    uint32_t count = 0;
    uint32_t raw_bytes = 0;
    uint64_t body_hash = 0;
    SystemTime time_min;
    SystemTime time_max;
  };
  // Gives what was added and begins anew.
  Packed Pack(ChunkCompressor& compressor);

 private:
  BodyEncoder body_;
  std::string ids_;
  std::vector<std::pair<std::string, uint32_t>> origins_;
  uint32_t count_ = 0;
  SystemTime time_min_;
  SystemTime time_max_;
};

// The chunk's bytes; fills in header.hash and what comes from `packed`.
std::string SealChunk(const ChunkBuilder::Packed& packed, ChunkHeader* header);
// The same of a lost chunk; takes first, count, ordinal, accepted and the running totals as they
// are.
std::string SealLostChunk(ChunkHeader* header);

}  // namespace spool
