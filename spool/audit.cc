#include "spool/audit.h"

#include "spool/body.h"

namespace spool {

ChunkAuditor::ChunkAuditor(std::string stream, Sequence sequence, uint64_t ordinal,
                           const Hash128& previous)
    : stream_(std::move(stream)), end_(sequence), ordinal_(ordinal), previous_(previous) {}

Damage ChunkAuditor::At(Sequence key, std::string what) const {
  return {stream_, {key, key + 1}, 0, {}, std::move(what)};
}

// What is wrong inside, or nothing.
std::string ChunkAuditor::ReadThrough(const ChunkView& chunk) {
  const auto body = ChunkBody(chunk);
  if (!body) return body.error().message;
  auto reader = BodyReader::Open(*body);
  if (!reader) return reader.error().message;
  EventView event;
  for (uint32_t i = 0; i < chunk.header.count; ++i) {
    if (!reader->Next(&event)) return "the event " + std::to_string(i) + " makes no sense";
  }
  if (reader->Next(&event)) return "there are more events than the header says";
  return {};
}

std::optional<Damage> ChunkAuditor::Check(Sequence key, std::string_view bytes, bool deep) {
  ++chunks_;
  bytes_ += bytes.size();
  const auto chunk = ParseChunk(bytes);
  if (!chunk) {
    after_damage_ = true;
    previous_.reset();
    return At(key, chunk.error().message);
  }
  const ChunkHeader& header = chunk->header;
  std::optional<Damage> damage;
  if (header.first != key) {
    damage = At(key, "the chunk is not the one that belongs here");
  } else if (header.first < end_) {
    damage = At(key, "the chunk overlaps the one before");
  } else if (header.ordinal != ordinal_ && !after_damage_) {
    // Behind a damaged chunk the ordinals go on as if it were whole, which is told already.
    const uint64_t missing = header.ordinal > ordinal_ ? header.ordinal - ordinal_ : 0;
    damage = Damage{stream_,
                    {end_, key},
                    missing,
                    {},
                    std::to_string(missing) + " events are missing before sequence " + ToText(key)};
  } else if (previous_ && header.previous != *previous_ && !chunk->lost()) {
    damage = At(key, "the chunk does not follow the one before");
  } else if (newest_ && header.accepted < *newest_) {
    damage = At(key, "the chunk was accepted before the one before");
  } else if (deep && !chunk->lost()) {
    if (std::string wrong = ReadThrough(*chunk); !wrong.empty()) {
      damage = Damage{stream_, {header.first, header.end()}, header.count, {}, std::move(wrong)};
    }
  }
  end_ = header.end();
  ordinal_ = header.ordinal + header.count;
  previous_ = header.hash;
  if (chunk->lost()) previous_.reset();
  after_damage_ = false;
  if (!chunk->lost()) events_ += header.count;
  raw_bytes_ += header.raw_bytes;
  if (!oldest_) oldest_ = header.accepted;
  newest_ = header.accepted;
  return damage;
}

}  // namespace spool
