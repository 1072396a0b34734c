#include "net/chunked.h"

#include <algorithm>

#include "net/http_text.h"

namespace spool::net {
namespace {

// Extensions and trailers carry nothing for us, so a body may not be made of them.
constexpr size_t kOverheadBytesMax = 16 << 10;
constexpr uint64_t kChunkBytesMax = uint64_t{1} << 40;
constexpr size_t kSizeDigitsMax = 16;  // leading zeros would otherwise go on for ever

int Hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsText(char c) {
  const auto u = static_cast<unsigned char>(c);
  return c == '\t' || (u >= 0x20 && u != 0x7f);
}

}  // namespace

ChunkedDecoder::Outcome ChunkedDecoder::Next(std::string_view* in, std::string_view* piece) {
  while (!in->empty()) {
    if (step_ == Step::kDone) return Outcome::kDone;
    if (step_ == Step::kData) {
      const size_t take = static_cast<size_t>(std::min<uint64_t>(left_, in->size()));
      *piece = in->substr(0, take);
      in->remove_prefix(take);
      left_ -= take;
      if (left_ == 0) step_ = Step::kDataCr;
      return Outcome::kPiece;
    }
    const char c = in->front();
    in->remove_prefix(1);
    if (!Line(c) || overhead_ > kOverheadBytesMax) return Outcome::kBad;
  }
  return step_ == Step::kDone ? Outcome::kDone : Outcome::kMore;
}

// One byte outside the data. False if it may not stand there.
bool ChunkedDecoder::Line(char c) {
  switch (step_) {
    case Step::kSizeFirst:
    case Step::kSize: {
      const int digit = Hex(c);
      if (digit >= 0) {
        digits_ = step_ == Step::kSizeFirst ? 1 : digits_ + 1;
        left_ = left_ * 16 + static_cast<uint64_t>(digit);
        step_ = Step::kSize;
        return left_ <= kChunkBytesMax && digits_ <= kSizeDigitsMax;
      }
      if (step_ == Step::kSizeFirst) return false;
      if (c == '\r')
        step_ = Step::kSizeLf;
      else if (c == ';')
        step_ = Step::kExtension;
      else
        return false;
      return true;
    }
    case Step::kExtension:
      ++overhead_;
      if (c == '\r')
        step_ = Step::kSizeLf;
      else if (!IsText(c))
        return false;
      return true;
    case Step::kSizeLf: step_ = left_ > 0 ? Step::kData : Step::kTrailerFirst; return c == '\n';
    case Step::kDataCr: step_ = Step::kDataLf; return c == '\r';
    case Step::kDataLf: step_ = Step::kSizeFirst; return c == '\n';
    case Step::kTrailerFirst:
      if (c == '\r') {
        step_ = Step::kEndLf;
        return true;
      }
      step_ = Step::kTrailerName;
      ++overhead_;
      return IsToken({&c, 1});
    case Step::kTrailerName:
      ++overhead_;
      if (c == ':')
        step_ = Step::kTrailer;
      else if (!IsToken({&c, 1}))
        return false;
      return true;
    case Step::kTrailer:
      ++overhead_;
      if (c == '\r')
        step_ = Step::kTrailerLf;
      else if (!IsText(c))
        return false;
      return true;
    case Step::kTrailerLf: step_ = Step::kTrailerFirst; return c == '\n';
    case Step::kEndLf: step_ = Step::kDone; return c == '\n';
    case Step::kData:
    case Step::kDone: break;
  }
  return false;
}

}  // namespace spool::net
