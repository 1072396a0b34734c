#include "net/snappy_decoder.h"

#include <algorithm>
#include <cstring>

namespace spool::net {
namespace {

constexpr uint64_t kLengthMax = 0xFFFFFFFF;  // by the format
constexpr size_t kPieceBytes = 64 << 10;

}  // namespace

BodyDecoder::Outcome SnappyDecoder::Feed(std::string_view encoded, Host& host) {
  if (!buffer_) {
    if (!host.AdmitDecoder(kBufferBytes)) return Outcome::kRefused;
    buffer_.reset(new char[kBufferBytes]);
  }
  while (!encoded.empty()) {
    Outcome outcome = Outcome::kOk;
    if (state_ == State::kLiteral) {
      const auto take = static_cast<size_t>(std::min<uint64_t>(literal_, encoded.size()));
      consumed_ += take;
      outcome = Append(encoded.substr(0, take), host);
      encoded.remove_prefix(take);
      literal_ -= take;
      if (literal_ == 0) state_ = State::kTag;
    } else {
      ++consumed_;
      outcome = Byte(static_cast<uint8_t>(encoded.front()), host);
      encoded.remove_prefix(1);
    }
    if (outcome != Outcome::kOk) return outcome;
  }
  return Flush(host);
}

BodyDecoder::Outcome SnappyDecoder::Byte(uint8_t byte, Host& host) {
  if (state_ == State::kLength) {
    length_ |= static_cast<uint64_t>(byte & 0x7f) << shift_;
    shift_ += 7;
    if (length_ > kLengthMax || (byte >= 0x80 && shift_ > 28)) return Outcome::kCorrupt;
    if (byte < 0x80) state_ = State::kTag;
    return Outcome::kOk;
  }
  if (state_ == State::kTag) {
    if (made_ == length_) return Outcome::kCorrupt;  // something follows
    tag_ = byte;
    extra_ = 0;
    extra_read_ = 0;
    const unsigned size = byte >> 2;
    switch (byte & 3) {
      case 0: extra_wanted_ = size >= 60 ? size - 59 : 0; break;
      case 1: extra_wanted_ = 1; break;
      case 2: extra_wanted_ = 2; break;
      default: extra_wanted_ = 4; break;
    }
    if (extra_wanted_ == 0) return Element(host);
    state_ = State::kExtra;
    return Outcome::kOk;
  }
  extra_ |= static_cast<uint32_t>(byte) << (8 * extra_read_);
  return ++extra_read_ < extra_wanted_ ? Outcome::kOk : Element(host);
}

// The tag and what belongs to it are there.
BodyDecoder::Outcome SnappyDecoder::Element(Host& host) {
  state_ = State::kTag;
  const unsigned size = tag_ >> 2;
  switch (tag_ & 3) {
    case 0:
      literal_ = (extra_wanted_ == 0 ? uint64_t{size} : uint64_t{extra_}) + 1;
      if (literal_ > length_ - made_) return Outcome::kCorrupt;
      state_ = State::kLiteral;
      return Outcome::kOk;
    case 1: return Copy((tag_ >> 5) * size_t{256} + extra_, (size & 7) + 4, host);
    default: return Copy(extra_, size + size_t{1}, host);
  }
}

BodyDecoder::Outcome SnappyDecoder::Copy(size_t distance, size_t size, Host& host) {
  if (distance == 0 || distance > made_ || size > length_ - made_) return Outcome::kCorrupt;
  if (distance > kWindowBytes) return Outcome::kTooLarge;
  // A copy may run into what it makes.
  while (size > 0) {
    const size_t take = std::min({size, distance, kPieceBytes});
    if (end_ + take > kBufferBytes) {
      if (const Outcome outcome = Flush(host); outcome != Outcome::kOk) return outcome;
    }
    std::memmove(buffer_.get() + end_, buffer_.get() + end_ - distance, take);
    end_ += take;
    made_ += take;
    size -= take;
  }
  return Outcome::kOk;
}

BodyDecoder::Outcome SnappyDecoder::Append(std::string_view bytes, Host& host) {
  while (!bytes.empty()) {
    if (end_ == kBufferBytes) {
      if (const Outcome outcome = Flush(host); outcome != Outcome::kOk) return outcome;
    }
    const size_t take = std::min(bytes.size(), kBufferBytes - end_);
    std::memcpy(buffer_.get() + end_, bytes.data(), take);
    end_ += take;
    made_ += take;
    bytes.remove_prefix(take);
  }
  return Outcome::kOk;
}

// Hands over what was made, and when the buffer is more than half full keeps the window alone.
BodyDecoder::Outcome SnappyDecoder::Flush(Host& host) {
  while (handed_ < end_) {
    const size_t size = std::min(kPieceBytes, end_ - handed_);
    if (!host.TakeDecoded({buffer_.get() + handed_, size}, consumed_)) return Outcome::kRefused;
    handed_ += size;
  }
  if (end_ > kWindowBytes) {
    std::memmove(buffer_.get(), buffer_.get() + end_ - kWindowBytes, kWindowBytes);
    handed_ = end_ = kWindowBytes;
  }
  return Outcome::kOk;
}

}  // namespace spool::net
