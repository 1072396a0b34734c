// Chunks as they lie on disk: any bytes are refused or read within their bounds, what is sealed is
// read back whole, and one flipped bit is always noticed.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "spool/body.h"
#include "spool/chunk.h"

namespace spool {
namespace {

bool Within(std::string_view piece, std::string_view whole) {
  return piece.empty() || (piece.data() >= whole.data() &&
                           piece.data() + piece.size() <= whole.data() + whole.size());
}

// As a chunk whose hash fits: the deepest that damaged bytes could get.
void Parse(std::string_view text) {
  const Result<ChunkView> chunk = ParseChunk(text, true);
  if (!chunk) return;
  SPOOL_ASSERT(Within(chunk->ids, text) && Within(chunk->stored_body, text));
  SPOOL_ASSERT(chunk->ids.size() == size_t{chunk->header.count} * 16);
  if (chunk->header.raw_bytes > size_t{16} << 20) return;
  const Result<std::string> body = ChunkBody(*chunk);
  if (!body) return;
  auto reader = BodyReader::Open(*body);
  if (!reader) return;
  EventView view;
  for (uint32_t i = 0; i < chunk->header.count; ++i) {
    if (!reader->Next(&view)) return;
    SPOOL_ASSERT(Within(view.data, *body) && Within(view.name, *body));
  }
}

void RoundTrip(std::string_view text) {
  static ChunkCompressor compressor(1);
  static ChunkBuilder builder;
  std::vector<Event> events;
  for (std::string_view rest = text; !rest.empty() && events.size() < 64;) {
    EventView view;
    const size_t length = size_t{static_cast<unsigned char>(rest[0])} * 16;
    view.data = rest.substr(0, length + 1);
    rest.remove_prefix(view.data.size());
    view.id = FastHash128(view.data);
    view.time = FromMicros(static_cast<int64_t>(FastHash64(view.data)));
    view.kind = view.data.substr(0, length % 7);
    view.namespace_ = view.data.substr(view.data.size() / 2, length % 11);
    view.name = view.data.substr(view.data.size() / 3, length % 23);
    const std::string subject = std::string(view.kind) + "/" + std::string(view.name);
    view.subject = subject;
    view.json = length % 48 == 0;
    if (length % 64 == 0) view.problem_key = view.id;
    events.push_back(MakeEvent(view, StreamId{0}));
    builder.Add(events.back(), length % 32 == 0 ? "web" : "audit");
  }
  if (events.empty()) return;
  ChunkHeader header;
  header.first = Sequence{7};
  header.ordinal = 5;
  std::string bytes = SealChunk(builder.Pack(compressor), &header);

  const Result<ChunkView> chunk = ParseChunk(bytes);
  SPOOL_ASSERT(chunk.has_value());
  SPOOL_ASSERT(chunk->header.hash == header.hash && chunk->header.first == header.first &&
               chunk->header.count == events.size() && chunk->header.origins == header.origins);
  const Result<std::string> body = ChunkBody(*chunk);
  SPOOL_ASSERT(body.has_value());
  auto reader = BodyReader::Open(*body);
  SPOOL_ASSERT(reader.has_value());
  for (size_t i = 0; i < events.size(); ++i) {
    EventView view;
    SPOOL_ASSERT(reader->Next(&view));
    std::memcpy(view.id.bytes.data(), chunk->ids.data() + i * 16, 16);
    SPOOL_ASSERT(MakeEvent(view, StreamId{0}).record == events[i].record);
  }
  EventView none;
  SPOOL_ASSERT(!reader->Next(&none));

  const uint64_t bit = FastHash64(text) % (bytes.size() * 8);
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  SPOOL_ASSERT(!ParseChunk(bytes).has_value());
}

}  // namespace
}  // namespace spool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  spool::Parse(text);
  spool::RoundTrip(text);
  return 0;
}
