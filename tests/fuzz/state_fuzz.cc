// What the journal keeps beside its events: trims, cursors, markers, dead letters, the watermark
// file and sources' gaps. Any bytes are refused or become a value that is written and read back the
// same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "spool/codec.h"
#include "spool/journal_state.h"
#include "spool/source_gaps.h"

namespace spool {
namespace {

void Trims(std::string_view text) {
  const Result<Trim> trim = DecodeTrim(text);
  if (!trim) return;
  const std::string written = EncodeTrim(*trim);
  SPOOL_ASSERT(text.starts_with(written));  // every byte of it counts
}

const JournalState& TheState() {
  static const JournalState* state = [] {
    auto* made = new JournalState;
    for (const char* name : {"audit", "events", ""}) {
      made->streams.push_back(std::make_unique<StreamState>());
      made->streams.back()->id = {static_cast<uint8_t>(made->streams.size() - 1)};
      made->streams.back()->options.name = name;
    }
    return made;
  }();
  return *state;
}

void Cursors(std::string_view text) {
  const Result<CursorData> cursor = DecodeCursor(TheState(), "target/a", text);
  if (!cursor) return;
  SPOOL_ASSERT(cursor->name == "target/a" && !cursor->open);
  for (const CursorData::Place& place : cursor->places) {
    SPOOL_ASSERT(place.stream.value < TheState().streams.size());
  }
  const std::string written = TheState().EncodeCursor(*cursor);
  const Result<CursorData> again = DecodeCursor(TheState(), "target/a", written);
  SPOOL_ASSERT(again && TheState().EncodeCursor(*again) == written);
  SPOOL_ASSERT(again->next == cursor->next && again->pins == cursor->pins &&
               again->retired == cursor->retired &&
               again->account.settled() == cursor->account.settled() &&
               again->places.size() == cursor->places.size());
  for (size_t cut = 0; cut < written.size(); ++cut) {
    SPOOL_ASSERT(!DecodeCursor(TheState(), "target/a", std::string_view(written).substr(0, cut)));
  }
}

void Markers(std::string_view text) {
  const Result<Marker> marker = DecodeMarker(text);
  if (!marker) return;
  SPOOL_ASSERT(marker->kind <= Marker::Kind::kLost);
  const std::string written = EncodeMarker(*marker);
  const Result<Marker> again = DecodeMarker(written);
  SPOOL_ASSERT(again && EncodeMarker(*again) == written);
  SPOOL_ASSERT(again->subject == marker->subject && again->range == marker->range &&
               again->cause == marker->cause && again->time == marker->time &&
               again->undelivered == marker->undelivered);
  for (size_t cut = 0; cut < written.size(); ++cut) {
    SPOOL_ASSERT(!DecodeMarker(std::string_view(written).substr(0, cut)));
  }
}

void Letters(std::string_view text) {
  const Result<DeadLetter> letter = DecodeDeadLetter(text);
  if (!letter) return;
  const std::string written = EncodeDeadLetter(*letter);
  const Result<DeadLetter> again = DecodeDeadLetter(written);
  SPOOL_ASSERT(again && EncodeDeadLetter(*again) == written);
  SPOOL_ASSERT(again->id == letter->id && again->record == letter->record &&
               again->excerpt == letter->excerpt && again->attempts == letter->attempts &&
               again->retry_wanted == letter->retry_wanted);
  if (const auto view = again->View()) SPOOL_ASSERT(view->sequence == letter->id.sequence);
  for (size_t cut = 0; cut < written.size(); ++cut) {
    SPOOL_ASSERT(!DecodeDeadLetter(std::string_view(written).substr(0, cut)));
  }
}

void Gaps(std::string_view text) {
  const auto gap = DecodeSourceGap(text);
  if (!gap) return;
  const std::string written = EncodeSourceGap(*gap);
  const auto again = DecodeSourceGap(written);
  SPOOL_ASSERT(again && EncodeSourceGap(*again) == written);
  SPOOL_ASSERT(again->number == gap->number && again->source == gap->source &&
               again->cause == gap->cause && again->from == gap->from && again->to == gap->to);
  for (size_t cut = 0; cut < written.size(); ++cut) {
    SPOOL_ASSERT(!DecodeSourceGap(std::string_view(written).substr(0, cut)));
  }
}

void LetterNames(std::string_view text) {
  const auto id = ParseDeadLetterId(text);
  if (!id) return;
  SPOOL_ASSERT(!id->target.empty());
  SPOOL_ASSERT(ParseDeadLetterId(ToText(*id)) == id);
}

// Of the input, the first byte says where the slot lies; the others are the file as it is, or the
// content of a slot whose head and hash fit, which is as deep as damaged bytes could get.
void Marks(std::string_view text) {
  static const std::string dir = [] {
    log::Configure(log::Level::kError, log::Format::kText);  // a refusal is a warning
    const char* place = std::getenv("TMPDIR");
    std::string made = std::string(place != nullptr ? place : "/tmp") + "/spool-fuzz-XXXXXX";
    SPOOL_ASSERT(mkdtemp(made.data()) != nullptr);
    static const std::string kept = made;
    std::atexit([] { std::filesystem::remove_all(kept); });
    return made;
  }();
  if (text.empty()) return;
  const auto where = static_cast<unsigned char>(text[0]);
  text.remove_prefix(1);
  std::string file;
  if (where % 4 == 3) {
    file = text;
  } else {
    file.assign(size_t{where % 4U} * 8192, '\0');
    std::string slot("SW\x02\x00", 4);
    codec::PutFixed(slot, static_cast<uint32_t>(text.size()));
    slot += text;
    codec::PutFixed(slot, FastHash64(slot));
    file += slot;
  }
  std::ofstream(dir + "/WATERMARK", std::ios::binary | std::ios::trunc) << file;
  const auto read = Watermark::Read(dir);
  SPOOL_ASSERT(read.has_value());
  if (!*read) return;
  // The next mark goes into another slot, and is the newer one (but for a counter at its end, which
  // no life is long enough for).
  if (file.find("\xff\xff\xff\xff\xff\xff\xff\xff") != file.npos) return;
  Watermark watermark;
  SPOOL_ASSERT(watermark.Open(dir).has_value());
  DurableMark next = **read;
  if (next.streams.size() > 3) next.streams.resize(3);
  for (auto& [name, ordinal] : next.streams) name.resize(std::min<size_t>(name.size(), 100));
  next.end.value ^= 1;
  SPOOL_ASSERT(watermark.Write(next).has_value());
  const auto again = Watermark::Read(dir);
  SPOOL_ASSERT(again && *again && (*again)->end == next.end && (*again)->streams == next.streams);
}

}  // namespace
}  // namespace spool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // A copy of its own, so that a read past its end is seen.
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 7) {
    case 0: spool::Trims(text); break;
    case 1: spool::Cursors(text); break;
    case 2: spool::Markers(text); break;
    case 3: spool::Letters(text); break;
    case 4: spool::LetterNames(text); break;
    case 5: spool::Marks(text); break;
    default: spool::Gaps(text); break;
  }
  return 0;
}
