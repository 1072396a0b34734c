// SHA-256 (FIPS 180-4) of many texts at once: eight side by side where the processor has AVX2 and
// no instructions for SHA-256 itself, which makes each cost a third.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"

namespace spool {

// Collects texts, piece by piece, then gives their sums. One thread.
class Sha256Batch {
 public:
  // Takes the fastest way that the processor has; `lanes` = false takes OpenSSL's in any case.
  explicit Sha256Batch(bool lanes = true);

  // The next text is begun by its first piece.
  void Add(std::string_view piece);
  // Ends the text at hand, which may be empty.
  void End();
  size_t size() const { return texts_.size(); }    // texts that have ended
  size_t bytes() const { return buffer_.size(); }  // of all of them, roughly
  // The first 128 bits of the sum of each text, in the order of End; begins anew. The memory that
  // they took is kept up to kKeptBytes.
  std::vector<Hash128> Prefixes();
  static constexpr size_t kKeptBytes = size_t{256} << 10;

  // Whether this processor hashes eight at once.
  static bool HasLanes();

 private:
  struct Text {
    size_t begin = 0;
    size_t size = 0;    // of the text itself
    size_t blocks = 0;  // of 64 bytes, with what SHA-256 puts behind a text
  };
  const bool lanes_;
  std::string buffer_;  // each text with its padding, one after another
  size_t begin_ = 0;    // of the text at hand
  std::vector<Text> texts_;
};

}  // namespace spool
