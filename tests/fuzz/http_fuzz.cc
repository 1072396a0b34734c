// The bytes of a request: heads, chunks and coded bodies. However they are cut into portions, the
// result is the same, and no decoder hands out more than it may.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "net/body_decoder.h"
#include "net/chunked.h"
#include "net/http_head.h"

namespace spool::net {
namespace {

constexpr size_t kDecodedMax = size_t{1} << 20;

struct Unchunked {
  std::string body;
  ChunkedDecoder::Outcome outcome = ChunkedDecoder::Outcome::kMore;
};

Unchunked Unchunk(std::string_view text, size_t portion) {
  ChunkedDecoder decoder;
  Unchunked result;
  while (!text.empty()) {
    std::string_view in = text.substr(0, portion);
    text.remove_prefix(in.size());
    do {
      std::string_view piece;
      result.outcome = decoder.Next(&in, &piece);
      if (result.outcome == ChunkedDecoder::Outcome::kPiece) result.body += piece;
      if (result.outcome == ChunkedDecoder::Outcome::kBad ||
          result.outcome == ChunkedDecoder::Outcome::kDone) {
        return result;
      }
    } while (!in.empty() || result.outcome == ChunkedDecoder::Outcome::kPiece);
  }
  return result;
}

class Bounded final : public BodyDecoder::Host {
 public:
  bool AdmitDecoder(size_t bytes) override { return bytes <= size_t{16} << 20; }
  bool TakeDecoded(std::string_view piece, size_t) override {
    SPOOL_ASSERT(piece.size() <= size_t{64} << 10);
    taken_ += piece.size();
    return taken_ <= kDecodedMax;
  }

 private:
  size_t taken_ = 0;
};

void Head(std::string_view text) {
  HeadScanner scanner;
  if (scanner.Scan(text) != HeadScanner::Outcome::kWhole) return;
  SPOOL_ASSERT(scanner.length() <= text.size());
  RequestHead head;
  ParseHead(text.substr(0, scanner.length()), &head);
}

void Body(Coding coding, std::string_view text) {
  const auto decoder = BodyDecoder::Create(coding);
  Bounded host;
  while (!text.empty()) {
    const std::string_view in = text.substr(0, 1000);
    text.remove_prefix(in.size());
    if (decoder->Feed(in, host) != BodyDecoder::Outcome::kOk) return;
  }
  decoder->Complete();
}

}  // namespace
}  // namespace spool::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spool::net;  // NOLINT(google-build-using-namespace)
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0: {
      const Unchunked whole = Unchunk(text, text.size() + 1);
      const Unchunked bytes = Unchunk(text, 1);
      SPOOL_ASSERT(whole.body == bytes.body && whole.outcome == bytes.outcome);
      break;
    }
    case 1: Head(text); break;
    case 2: Body(Coding::kGzip, text); break;
    case 3: Body(Coding::kZstd, text); break;
    default: Body(Coding::kSnappy, text); break;
  }
  return 0;
}
