#include "spool/journal_state.h"

#include <algorithm>

#include "base/log.h"
#include "spool/codec.h"
#include "spool/complete.h"

namespace spool {
namespace {
constexpr uint8_t kVersion = 1;
}

void JournalState::Poison(const Error& error) {
  {
    std::lock_guard lock(mutex);
    if (failed.exchange(true)) return;
    failure = error;
  }
  moved.notify_all();
  log::Error("The journal failed and takes nothing more.", {{"detail", error.message}});
  options.on_fatal(error);
}

Status JournalState::Final(JournalOp op, Status done) {
  if (done) return done;
  CountJournalError(op);
  Poison(done.error());
  return done;
}

Status JournalState::Write(StoreBatch& batch, bool sync) {
  if (failed) return Fail(Code::kStorage, "the journal has failed before");
  if (!sync) return Final(JournalOp::kWrite, store->Write(batch, false));
  JournalOp op = JournalOp::kWrite;
  Status written;
  {
    const std::lock_guard one_by_one(change_mutex);
    PutChanges(batch, meta, durable.changes + 1);
    written = store->Write(batch, true);
    if (written) {
      const std::lock_guard lock(mark_mutex);
      ++durable.changes;
      op = JournalOp::kWatermark;
      written = watermark.Write(durable);
    }
  }
  return Final(op, std::move(written));
}

Status JournalState::WriteEvents(const StoreBatch& batch) {
  if (failed) return Fail(Code::kStorage, "the journal has failed before");
  return Final(JournalOp::kWrite, store->Write(batch, true));
}

Status JournalState::RaiseMark(Sequence end,
                               std::vector<std::pair<std::string, uint64_t>> ordinals) {
  Status written;
  {
    const std::lock_guard lock(mark_mutex);
    durable.end = end;
    durable.streams = std::move(ordinals);
    written = watermark.Write(durable);
  }
  return Final(JournalOp::kWatermark, std::move(written));
}

const StreamState* JournalState::ByName(std::string_view name) const {
  for (const auto& stream : streams) {
    if (stream->options.name == name) return stream.get();
  }
  return nullptr;
}

Result<uint64_t> JournalState::OrdinalAt(const StreamState& stream, Sequence sequence) const {
  Trim trim;
  Sequence end;
  uint64_t end_ordinal;
  {
    std::lock_guard lock(mutex);
    trim = stream.trim;
    end = stream.end;
    end_ordinal = stream.end_ordinal;
  }
  if (sequence <= trim.sequence) return trim.ordinal;
  if (sequence >= end) return end_ordinal;
  const auto it = store->NewIterator(stream.family);
  it->SeekForPrev(codec::SequenceKey(sequence.value - 1));
  if (auto status = it->status(); !status) return tl::unexpected(status.error());
  if (!it->Valid() || codec::SequenceOfKey(it->key()) < trim.sequence.value) return trim.ordinal;
  auto chunk = ParseChunk(it->value());
  if (chunk) {
    return chunk->header.ordinal +
           std::min<uint64_t>(chunk->header.count, sequence - chunk->header.first);
  }
  // How far the damaged chunk goes only the next one knows.
  it->Next();
  if (auto status = it->status(); !status) return tl::unexpected(status.error());
  if (!it->Valid()) return tl::unexpected(chunk.error());
  auto after = ParseChunk(it->value());
  if (!after) return tl::unexpected(after.error());
  if (after->header.first != sequence) {
    return Fail("before sequence " + ToText(sequence) + ", and stream '" + stream.options.name +
                    "' goes on at " + ToText(after->header.first),
                chunk.error());
  }
  return after->header.ordinal;
}

namespace {

// Markers that push each other out.
bool SameClass(const Marker& a, const Marker& b) {
  return a.kind == b.kind && (a.undelivered > 0) == (b.undelivered > 0);
}
bool Continues(const Marker& last, const Marker& next) {
  constexpr int64_t kDayMicros = int64_t{24} * 3600 * 1'000'000;
  return next.kind == Marker::Kind::kEvicted && last.kind == next.kind &&
         last.subject == next.subject && last.cause == next.cause && last.undelivered == 0 &&
         next.undelivered == 0 && last.range.end == next.range.first &&
         ToMicros(last.time) / kDayMicros == ToMicros(next.time) / kDayMicros;
}

}  // namespace

void JournalState::AddMarker(StoreBatch& batch, Marker marker) {
  const auto key = [](uint64_t number) { return "m/" + codec::SequenceKey(number); };
  for (auto it = markers.rbegin(); it != markers.rend(); ++it) {
    if (!Continues(it->marker, marker)) continue;
    Marker& grown = it->marker;
    grown.range.end = marker.range.end;
    grown.events += marker.events;
    grown.bytes += marker.bytes;
    grown.time = marker.time;
    return batch.Put(meta, key(it->number), EncodeMarker(grown));
  }
  size_t same = 1;
  for (const auto& kept : markers) same += SameClass(kept.marker, marker) ? 1 : 0;
  if (same > kMarkersMax) {
    const auto oldest = std::find_if(markers.begin(), markers.end(), [&](const auto& kept) {
      return SameClass(kept.marker, marker);
    });
    batch.Delete(meta, key(oldest->number));
    markers.erase(oldest);
  }
  batch.Put(meta, key(next_marker), EncodeMarker(marker));
  markers.push_back({next_marker++, std::move(marker)});
}

std::string EncodeTrim(const Trim& trim) {
  std::string out;
  codec::PutFixed(out, kVersion);
  codec::PutFixed(out, trim.sequence.value);
  codec::PutFixed(out, trim.ordinal);
  codec::PutFixed(out, trim.bytes);
  codec::PutFixed(out, trim.raw_bytes);
  codec::PutHash(out, trim.hash);
  return out;
}

Result<Trim> DecodeTrim(std::string_view bytes) {
  codec::Parser in(bytes);
  const auto version = in.Fixed<uint8_t>();
  Trim trim;
  trim.sequence = {in.Fixed<uint64_t>()};
  trim.ordinal = in.Fixed<uint64_t>();
  trim.bytes = in.Fixed<uint64_t>();
  trim.raw_bytes = in.Fixed<uint64_t>();
  trim.hash = in.Hash();
  if (!in.ok() || version != kVersion) return Fail(Code::kDamaged, "a trim record is damaged");
  return trim;
}

std::string JournalState::EncodeCursor(const CursorData& data) const {
  std::string out;
  codec::PutFixed(out, kVersion);
  codec::PutFixed(out, static_cast<uint8_t>(data.pins));
  codec::PutVarint(out, data.next.value);
  codec::PutVarint(out, data.retired);
  const Account& a = data.account;
  for (const uint64_t count :
       {a.delivered, a.filtered, a.dead_lettered, a.evicted, a.skipped, a.duplicates, a.retries}) {
    codec::PutVarint(out, count);
  }
  codec::PutVarint(out, data.places.size());
  for (const auto& place : data.places) {
    codec::PutText(out, streams[place.stream.value]->options.name);
    codec::PutVarint(out, place.start);
    codec::PutVarint(out, place.next);
  }
  return out;
}

Result<CursorData> DecodeCursor(const JournalState& state, std::string name,
                                std::string_view bytes) {
  codec::Parser in(bytes);
  const auto version = in.Fixed<uint8_t>();
  CursorData data;
  data.name = std::move(name);
  data.pins = in.Fixed<uint8_t>() != 0;
  data.next = {in.Varint()};
  data.retired = in.Varint();
  Account& a = data.account;
  for (uint64_t* count : {&a.delivered, &a.filtered, &a.dead_lettered, &a.evicted, &a.skipped,
                          &a.duplicates, &a.retries}) {
    *count = in.Varint();
  }
  const uint64_t places = in.Varint();
  for (uint64_t i = 0; i < places && in.ok(); ++i) {
    const std::string_view stream = in.Text();
    CursorData::Place place;
    place.start = in.Varint();
    place.next = in.Varint();
    const StreamState* found = state.ByName(stream);
    if (found == nullptr) return Fail(Code::kDamaged, "a cursor names a stream that is gone");
    place.stream = found->id;
    data.places.push_back(place);
  }
  if (!in.ok() || version != kVersion) {
    return Fail(Code::kDamaged, "the cursor '" + data.name + "' is damaged");
  }
  return data;
}

Account JournalState::Derive(const CursorData& data) const {
  Account account = data.account;
  account.accepted = data.retired;
  account.pending = 0;
  for (const auto& place : data.places) {
    const uint64_t end = streams[place.stream.value]->end_ordinal;
    account.accepted += end - place.start;
    account.pending += end - place.next;
  }
  return account;
}

std::string EncodeMarker(const Marker& marker) {
  std::string out;
  codec::PutFixed(out, kVersion);
  codec::PutFixed(out, static_cast<uint8_t>(marker.kind));
  codec::PutText(out, marker.subject);
  codec::PutVarint(out, marker.range.first.value);
  codec::PutVarint(out, marker.range.end.value);
  codec::PutVarint(out, marker.events);
  codec::PutVarint(out, marker.undelivered);
  codec::PutVarint(out, marker.bytes);
  codec::PutText(out, marker.cause);
  codec::PutFixed(out, ToMicros(marker.time));
  return out;
}

Result<Marker> DecodeMarker(std::string_view bytes) {
  codec::Parser in(bytes);
  const auto version = in.Fixed<uint8_t>();
  Marker marker;
  marker.kind = static_cast<Marker::Kind>(in.Fixed<uint8_t>());
  marker.subject = in.Text();
  marker.range.first = {in.Varint()};
  marker.range.end = {in.Varint()};
  marker.events = in.Varint();
  marker.undelivered = in.Varint();
  marker.bytes = in.Varint();
  marker.cause = in.Text();
  marker.time = FromMicros(in.Fixed<int64_t>());
  if (!in.ok() || version != kVersion || marker.kind > Marker::Kind::kLost) {
    return Fail(Code::kDamaged, "a marker is damaged");
  }
  return marker;
}

}  // namespace spool
