// Records as they lie on disk: any bytes are refused or read, and what is made is read back whole.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "spool/event.h"

namespace spool {
namespace {

// The next piece of the input: up to 255 bytes, as its first byte says.
std::string_view Take(std::string_view& text) {
  if (text.empty()) return {};
  const auto length = static_cast<unsigned char>(text[0]);
  text.remove_prefix(1);
  const std::string_view piece = text.substr(0, length);
  text.remove_prefix(piece.size());
  return piece;
}

void RoundTrip(std::string_view text) {
  EventView view;
  view.severity = static_cast<Severity>(text.empty() ? 0 : text[0] & 7);
  view.time = FromMicros(static_cast<int64_t>(text.size()) * 1'000'003);
  view.id = FastHash128(text);
  view.source = Take(text);
  view.type = Take(text);
  view.subject = Take(text);
  view.producer = Take(text);
  view.category = Take(text);
  view.namespace_ = Take(text);
  view.name = Take(text);
  view.reason = Take(text);
  view.content_type = Take(text);
  view.json = text.size() % 2 == 0;
  view.data = text;
  const Event event = MakeEvent(view, StreamId{3});
  SPOOL_ASSERT(event.stream == StreamId{3} && event.id == view.id && event.time == view.time);
  const Result<EventView> back = DecodeRecord(event.record);
  SPOOL_ASSERT(back.has_value());
  SPOOL_ASSERT(back->id == view.id && back->time == view.time && back->data == view.data &&
               back->json == view.json && back->severity == view.severity &&
               back->source == view.source && back->type == view.type &&
               back->subject == view.subject && back->producer == view.producer &&
               back->category == view.category && back->namespace_ == view.namespace_ &&
               back->name == view.name && back->reason == view.reason &&
               back->content_type == view.content_type);
  // One bit off anywhere in the payload must be noticed.
  if (view.data.empty()) return;
  std::string damaged = event.record;
  damaged[static_cast<size_t>(back->data.data() - event.record.data())] ^= 1;
  SPOOL_ASSERT(!DecodeRecord(damaged).has_value());
}

}  // namespace
}  // namespace spool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto view = spool::DecodeRecord(text)) {
    SPOOL_ASSERT(view->data.size() <= text.size());
  }
  spool::RoundTrip(text);
  return 0;
}
