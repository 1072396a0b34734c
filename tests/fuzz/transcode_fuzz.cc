// Bodies that are not JSON: whatever they hold, what is made of them is JSON, bounded, and each
// record of it is known by its place.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "ingest/json_scan.h"
#include "ingest/msgpack.h"
#include "ingest/otlp.h"

namespace spool {
namespace {

constexpr size_t kDepth = 16;
constexpr size_t kRecordBytes = size_t{64} << 10;

class Takes final : public RecordHandler {
 public:
  explicit Takes(std::string_view body) : body_(body) {}
  Answer Record(std::string_view text, ListKind) override {
    // Keys may repeat, which is for the decoder to refuse; everything else must be as it should.
    const JsonResult result = scanner_.Scan(text, 8 * kDepth);
    SPOOL_ASSERT(result || result.fault == JsonFault::kDuplicateKey ||
                 result.fault == JsonFault::kTooManyMembers);
    // One text more than the bound may have been written when it is noticed.
    SPOOL_ASSERT(text.size() <= 2 * kRecordBytes + 6 * body_.size());
    return ++count_ < 1'000 ? Answer::kTaken : Answer::kStop;
  }
  Answer Unreadable(std::string_view text) override {
    SPOOL_ASSERT(text.empty() || (text.data() >= body_.data() &&
                                  text.data() + text.size() <= body_.data() + body_.size()));
    return ++count_ < 1'000 ? Answer::kTaken : Answer::kStop;
  }

 private:
  const std::string_view body_;
  JsonScanner scanner_;
  size_t count_ = 0;
};

}  // namespace
}  // namespace spool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spool;  // NOLINT(google-build-using-namespace)
  if (size == 0) return 0;
  // A copy of its own, so that a read past its end is seen.
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const TranscodeLimits limits{.depth_max = kDepth,
                               .record_bytes_max = kRecordBytes,
                               .pay = [](size_t bytes) { return bytes <= size_t{4} << 20; }};
  std::string text;
  Takes takes(body);
  switch (data[0] % 3) {
    case 0: SplitMsgpack(body, limits, &text, &takes); break;
    case 1: SplitOtlpProtobuf(body, limits, &text, &takes); break;
    default: {
      JsonScanner scanner;
      if (scanner.Scan(body, 4 * kDepth)) SplitOtlpJson(body, limits, &text, &takes);
    }
  }
  return 0;
}
