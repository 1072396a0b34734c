// Snappy's raw format (google/snappy, format_description.txt), which Fluent Bit sends, undone as
// the bytes arrive: no more of the output is kept than a copy may reach back to.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "net/body_decoder.h"

namespace spool::net {

class SnappyDecoder final : public BodyDecoder {
 public:
  Outcome Feed(std::string_view encoded, Host& host) override;
  bool Complete() const override { return state_ == State::kTag && made_ == length_; }

 private:
  enum class State { kLength, kTag, kExtra, kLiteral };
  // Nobody makes copies from farther back: encoders work in blocks of this size.
  static constexpr size_t kWindowBytes = 64 << 10;
  static constexpr size_t kBufferBytes = 2 * kWindowBytes;

  Outcome Byte(uint8_t byte, Host& host);
  Outcome Element(Host& host);
  Outcome Copy(size_t distance, size_t size, Host& host);
  Outcome Append(std::string_view bytes, Host& host);
  Outcome Flush(Host& host);

  State state_ = State::kLength;
  std::unique_ptr<char[]> buffer_;  // the window, and behind it what was not handed over yet
  size_t end_ = 0;                  // of the output in buffer_
  size_t handed_ = 0;               // of it
  uint64_t length_ = 0, made_ = 0;
  unsigned shift_ = 0;  // of the length's next byte
  uint8_t tag_ = 0;
  uint32_t extra_ = 0;  // the bytes behind the tag, little end first
  unsigned extra_read_ = 0, extra_wanted_ = 0;
  uint64_t literal_ = 0;  // bytes of it that are still to come
  size_t consumed_ = 0;
};

}  // namespace spool::net
