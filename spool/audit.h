// Checks a stream's chunks one after another against all that is known of them: their own hashes,
// the chain, ordinals, sequences, running totals, and that every event inside can be read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "spool/chunk.h"

namespace spool {

// What is wrong, and with what.
struct Damage {
  std::string stream;   // empty: the journal as a whole
  SequenceRange range;  // whose events are touched; empty when it cannot be told
  uint64_t events = 0;  // of them; 0 when it cannot be told
  std::string file;     // that holds them, when it can be told
  std::string what;
};

// One stream, from its beginning on. One thread.
class ChunkAuditor {
 public:
  // `sequence`, `ordinal` and `previous` as retention left the stream.
  ChunkAuditor(std::string stream, Sequence sequence, uint64_t ordinal, const Hash128& previous);

  // The next chunk in the order of keys. With `deep` also decompressed and read event by event.
  // What is wrong with it or is missing before it; a damaged chunk is passed over.
  std::optional<Damage> Check(Sequence key, std::string_view bytes, bool deep);

  // A damaged chunk goes on to there.
  void PassOver(Sequence end, uint64_t ordinal) {
    end_ = end;
    ordinal_ = ordinal;
    after_damage_ = false;
  }

  uint64_t chunks() const { return chunks_; }
  uint64_t events() const { return events_; }
  uint64_t bytes() const { return bytes_; }
  uint64_t raw_bytes() const { return raw_bytes_; }
  // Behind the last chunk that could be read.
  Sequence end() const { return end_; }
  uint64_t end_ordinal() const { return ordinal_; }
  std::optional<SystemTime> oldest() const { return oldest_; }
  std::optional<SystemTime> newest() const { return newest_; }

 private:
  Damage At(Sequence key, std::string what) const;
  static std::string ReadThrough(const ChunkView& chunk);

  const std::string stream_;
  Sequence end_;
  uint64_t ordinal_;
  std::optional<Hash128> previous_;  // none behind damage: nothing to compare with
  bool after_damage_ = false;
  uint64_t chunks_ = 0;
  uint64_t events_ = 0;
  uint64_t bytes_ = 0;
  uint64_t raw_bytes_ = 0;
  std::optional<SystemTime> oldest_;
  std::optional<SystemTime> newest_;
};

}  // namespace spool
