#include "net/body_decoder.h"

#define ZSTD_STATIC_LINKING_ONLY  // ZSTD_getFrameHeader: exported, but not in the stable part
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <bit>
#include <string>

#include "base/assert.h"
#include "net/snappy_decoder.h"

namespace spool::net {
namespace {

constexpr size_t kPieceBytes = 64 << 10;
constexpr size_t kZstdWindowBytesMax = size_t{8} << 20;
// What a zstd context needs beside the window: its tables, one block in and one block out.
constexpr size_t kZstdFixedBytes = 448 << 10;
constexpr size_t kGzipBytes = 48 << 10;

char* PieceBuffer() {
  thread_local const std::unique_ptr<char[]> buffer(new char[kPieceBytes]);
  return buffer.get();
}

class GzipDecoder final : public BodyDecoder {
 public:
  ~GzipDecoder() override {
    if (ready_) inflateEnd(&stream_);
  }

  Outcome Feed(std::string_view encoded, Host& host) override {
    if (!ready_) {
      if (!host.AdmitDecoder(kGzipBytes)) return Outcome::kRefused;
      ready_ = inflateInit2(&stream_, 15 + 16) == Z_OK;  // 16: a gzip header and nothing else
      if (!ready_) return Outcome::kRefused;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(encoded.data()));
    stream_.avail_in = static_cast<uInt>(encoded.size());
    while (true) {
      if (member_done_) {
        if (stream_.avail_in == 0) return Outcome::kOk;
        inflateReset(&stream_);  // what follows must be another member; garbage fails its header
        member_done_ = false;
      }
      const uInt before = stream_.avail_in;
      stream_.next_out = reinterpret_cast<Bytef*>(PieceBuffer());
      stream_.avail_out = kPieceBytes;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      consumed_ += before - stream_.avail_in;
      const size_t made = kPieceBytes - stream_.avail_out;
      if (made > 0 && !host.TakeDecoded({PieceBuffer(), made}, consumed_)) {
        return Outcome::kRefused;
      }
      if (code == Z_STREAM_END) {
        member_done_ = true;
      } else if (code == Z_BUF_ERROR || (code == Z_OK && stream_.avail_out > 0)) {
        if (stream_.avail_in == 0) return Outcome::kOk;  // wants more
        if (code == Z_BUF_ERROR) return Outcome::kCorrupt;
      } else if (code != Z_OK) {
        return Outcome::kCorrupt;
      }
    }
  }

  bool Complete() const override { return member_done_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
  bool member_done_ = false;
  size_t consumed_ = 0;
};

class ZstdDecoder final : public BodyDecoder {
 public:
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  Outcome Feed(std::string_view encoded, Host& host) override {
    while (!encoded.empty()) {
      Outcome outcome = Outcome::kOk;
      if (!in_frame_) {
        outcome = Header(encoded, host);
        if (outcome != Outcome::kOk || !in_frame_) return outcome;
        outcome = Decode(header_, host);
        header_.clear();
      } else {
        outcome = Decode(encoded, host);
      }
      if (outcome != Outcome::kOk) return outcome;
    }
    return Outcome::kOk;
  }

  bool Complete() const override { return any_ && !in_frame_ && header_.empty(); }

 private:
  // Collects the start of a frame until its header tells how much memory the frame wants.
  Outcome Header(std::string_view& encoded, Host& host) {
    while (true) {
      ZSTD_frameHeader header;
      const size_t wanted = ZSTD_getFrameHeader(&header, header_.data(), header_.size());
      if (ZSTD_isError(wanted)) {
        return ZSTD_getErrorCode(wanted) == ZSTD_error_frameParameter_windowTooLarge
                   ? Outcome::kTooLarge
                   : Outcome::kCorrupt;
      }
      if (wanted == 0) return Begin(header, host);
      if (encoded.empty()) return Outcome::kOk;
      const size_t take = std::min(wanted - header_.size(), encoded.size());
      header_.append(encoded.substr(0, take));
      encoded.remove_prefix(take);
      any_ = true;
    }
  }

  Outcome Begin(const ZSTD_frameHeader& header, Host& host) {
    const size_t window = header.frameType == ZSTD_skippableFrame ? 0 : header.windowSize;
    if (window > kZstdWindowBytesMax) return Outcome::kTooLarge;
    memory_ = std::max(memory_, kZstdFixedBytes + window);
    if (!host.AdmitDecoder(memory_)) return Outcome::kRefused;
    if (context_ == nullptr) context_ = ZSTD_createDCtx();
    if (context_ == nullptr) return Outcome::kRefused;
    in_frame_ = true;
    return Outcome::kOk;
  }

  // Takes from `encoded` up to its end or to the end of the frame.
  template <class Text>
  Outcome Decode(Text& encoded, Host& host) {
    ZSTD_inBuffer in{encoded.data(), encoded.size(), 0};
    while (in_frame_) {
      ZSTD_outBuffer out{PieceBuffer(), kPieceBytes, 0};
      const size_t before = in.pos;
      const size_t code = ZSTD_decompressStream(context_, &out, &in);
      if (ZSTD_isError(code)) {
        return ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge
                   ? Outcome::kTooLarge
                   : Outcome::kCorrupt;
      }
      consumed_ += in.pos - before;
      if (out.pos > 0 && !host.TakeDecoded({PieceBuffer(), out.pos}, consumed_)) {
        return Outcome::kRefused;
      }
      if (code == 0) {
        in_frame_ = false;
      } else if (in.pos == in.size && out.pos < out.size) {
        break;  // wants more
      }
    }
    if constexpr (std::is_same_v<Text, std::string_view>) {
      encoded.remove_prefix(in.pos);
    } else {
      // A header alone can end a frame only if the frame is empty: then it was consumed whole.
      if (in.pos != in.size) return Outcome::kCorrupt;
    }
    return Outcome::kOk;
  }

  ZSTD_DCtx* context_ = nullptr;
  std::string header_;  // of the frame that is beginning
  size_t memory_ = 0;
  size_t consumed_ = 0;
  bool in_frame_ = false;
  bool any_ = false;
};

}  // namespace

std::unique_ptr<BodyDecoder> BodyDecoder::Create(Coding coding) {
  SPOOL_ASSERT(coding != Coding::kIdentity);
  if (coding == Coding::kGzip) return std::make_unique<GzipDecoder>();
  if (coding == Coding::kSnappy) return std::make_unique<SnappyDecoder>();
  return std::make_unique<ZstdDecoder>();
}

}  // namespace spool::net
