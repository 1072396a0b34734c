// The chunked transfer coding (RFC 9112 section 7.1), taken apart strictly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spool::net {

// One body; bytes may come in any portions. One thread.
class ChunkedDecoder {
 public:
  enum class Outcome {
    kMore,   // all input is used, the body goes on
    kPiece,  // *piece is body, part of the input
    kDone,   // the body is over, what is left of the input is not ours
    kBad,    // not chunked coding; the connection cannot be used further
  };
  // Takes from the front of *in.
  Outcome Next(std::string_view* in, std::string_view* piece);

  // Bytes the present chunk still claims to hold, for refusing what is too large early.
  uint64_t chunk_left() const { return left_; }

 private:
  enum class Step {
    kSizeFirst,
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerFirst,
    kTrailerName,
    kTrailer,
    kTrailerLf,
    kEndLf,
    kDone
  };
  bool Line(char c);

  Step step_ = Step::kSizeFirst;
  uint64_t left_ = 0;
  size_t digits_ = 0;    // of the present chunk's size
  size_t overhead_ = 0;  // bytes of extensions and trailers
};

}  // namespace spool::net
