#include "spool/event.h"

#include <algorithm>
#include <cstring>

#include "spool/codec.h"

namespace spool {
namespace {

constexpr std::string_view kSeverities[] = {"debug", "info",     "notice", "warning",
                                            "error", "critical", "alert",  "emergency"};
constexpr uint8_t kRecordVersion = 1;
constexpr uint8_t kFlagJson = 1;
constexpr size_t kRecordIdBytes = 16;

// In this order in a record; never reorder, only append with a new version.
constexpr std::string_view EventView::*kTexts[] = {
    &EventView::source,     &EventView::type,        &EventView::subject, &EventView::producer,
    &EventView::category,   &EventView::subcategory, &EventView::cluster, &EventView::namespace_,
    &EventView::kind,       &EventView::name,        &EventView::reason,  &EventView::content_type,
    &EventView::extensions,
};

uint32_t PayloadHash(std::string_view data) { return static_cast<uint32_t>(FastHash64(data)); }

}  // namespace

std::string_view SeverityName(Severity severity) {
  return kSeverities[static_cast<size_t>(severity) & 7];
}

std::optional<Severity> ParseSeverity(std::string_view name) {
  for (size_t i = 0; i < std::size(kSeverities); ++i) {
    if (std::equal(name.begin(), name.end(), kSeverities[i].begin(), kSeverities[i].end(),
                   [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; })) {
      return static_cast<Severity>(i);
    }
  }
  return std::nullopt;
}

Event MakeEvent(const EventView& view, StreamId stream) {
  Event event{stream, view.id, view.time, {}};
  size_t size = kRecordIdBytes + 48 + view.data.size();
  for (const auto text : kTexts) size += (view.*text).size() + 2;
  std::string& out = event.record;
  out.reserve(size);
  codec::PutHash(out, view.id);
  codec::PutFixed(out, kRecordVersion);
  codec::PutFixed(out, static_cast<uint8_t>(view.json ? kFlagJson : 0));
  codec::PutFixed(out, static_cast<uint8_t>(view.severity));
  codec::PutFixed(out, ToMicros(view.time));
  codec::PutHash(out, view.problem_key);
  codec::PutFixed(out, PayloadHash(view.data));
  for (const auto text : kTexts) codec::PutText(out, view.*text);
  out.append(view.data);
  return event;
}

void SetEventId(Event& event, const Hash128& id) {
  event.id = id;
  std::memcpy(event.record.data(), id.bytes.data(), kRecordIdBytes);
}

// What follows the id.
static Status DecodeFields(std::string_view fields, EventView* view) {
  codec::Parser in(fields);
  const auto version = in.Fixed<uint8_t>();
  const auto flags = in.Fixed<uint8_t>();
  const auto severity = in.Fixed<uint8_t>();
  view->time = FromMicros(in.Fixed<int64_t>());
  view->problem_key = in.Hash();
  const auto hash = in.Fixed<uint32_t>();
  for (const auto text : kTexts) view->*text = in.Text();
  if (!in.ok() || version != kRecordVersion || severity > 7 || (flags & ~kFlagJson) != 0) {
    return Fail(Code::kDamaged, "the record's bytes do not make sense");
  }
  view->severity = static_cast<Severity>(severity);
  view->json = (flags & kFlagJson) != 0;
  view->data = in.rest();
  if (PayloadHash(view->data) != hash) {
    return Fail(Code::kDamaged, "the payload does not fit its hash");
  }
  return {};
}

Result<EventView> DecodeRecord(std::string_view record) {
  if (record.size() < kRecordIdBytes) return Fail(Code::kDamaged, "the record is too short");
  EventView view;
  view.id = codec::Parser(record).Hash();
  if (auto decoded = DecodeFields(record.substr(kRecordIdBytes), &view); !decoded) {
    return tl::unexpected(decoded.error());
  }
  return view;
}

}  // namespace spool
