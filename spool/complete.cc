#include "spool/complete.h"

#include <algorithm>
#include <filesystem>

#include "spool/codec.h"
#include "spool/load.h"

namespace spool {
namespace {

std::string Range(Sequence first, Sequence end) {
  return "events " + ToText(first) + " to " + std::to_string(end.value - 1);
}

}  // namespace

Result<uint64_t> ReadChanges(const RocksStore& store, FamilyId meta) {
  const auto changes = store.Get(meta, kChangesKey);
  if (!changes) return tl::unexpected(changes.error());
  if (!*changes) return 0;
  if ((*changes)->size() != 8) return Fail(Code::kDamaged, "the count of changes is damaged");
  return codec::SequenceOfKey(**changes);
}
void PutChanges(StoreBatch& batch, FamilyId meta, uint64_t changes) {
  batch.Put(meta, kChangesKey, codec::SequenceKey(changes));
}

Status CheckWatermark(const JournalState& state) {
  auto marked = Watermark::Read(state.options.dir);
  if (!marked) return tl::unexpected(marked.error());
  if (!*marked) return {};
  const DurableMark& mark = **marked;
  if (mark.end > state.end) {
    return Fail(Code::kDamaged, Range(state.end, mark.end) +
                                    " were durable and are missing: a log of the database in " +
                                    state.options.dir + " is gone or was cut short");
  }
  for (const auto& [name, ordinal] : mark.streams) {
    const StreamState* stream = state.ByName(name);
    const uint64_t there = stream == nullptr ? 0 : stream->end_ordinal;
    if (there >= ordinal) continue;
    return Fail(Code::kDamaged, std::to_string(ordinal - there) + " events at the end of stream '" +
                                    name + "' were durable and are missing");
  }
  const auto changes = ReadChanges(*state.store, state.meta);
  if (!changes) return tl::unexpected(changes.error());
  if (mark.changes > *changes) {
    return Fail(Code::kDamaged,
                "the last " + std::to_string(mark.changes - *changes) +
                    " changes of dead letters, places, limits or jobs were durable and are "
                    "missing: a log of the database in " +
                    state.options.dir + " is gone or was cut short");
  }
  return {};
}

// Of a record that is written again and again: whether `there` is what it became after `was`.
bool IsLater(const JournalState& cut, std::string_view key, std::string_view was,
             std::string_view there) {
  if (key == kChangesKey && was.size() == 8 && there.size() == 8) {
    return codec::SequenceOfKey(there) >= codec::SequenceOfKey(was);
  }
  if (key.starts_with("t/")) {
    const auto old_trim = DecodeTrim(was), new_trim = DecodeTrim(there);
    return old_trim && new_trim && new_trim->sequence >= old_trim->sequence;
  }
  if (key.starts_with("c/")) {
    const std::string name(key.substr(2));
    const auto old_place = DecodeCursor(cut, name, was), new_place = DecodeCursor(cut, name, there);
    return old_place && new_place && new_place->next >= old_place->next;
  }
  return false;
}

// The ends of streams do not tell what is missing in the middle. What was written last before a
// power cut is in the log as well as in the table that the torn list was to name; so a table that
// is not listed and has what nothing else has is one of those that were.
Status CheckUnlisted(const JournalState& cut) {
  const std::vector<std::string> families = cut.store->Families();
  return cut.store->ForEachUnlisted(
      [&](const std::string& family, std::string_view key, std::string_view value) -> Status {
        if (std::ranges::find(families, family) != families.end()) {
          const auto there = cut.store->Get(cut.store->Family(family), key);
          if (!there) return tl::unexpected(there.error());
          if (*there && **there == value) return {};
          if (*there && family == "default" && IsLater(cut, key, value, **there)) return {};
          if (family.starts_with(kFamilyPrefix)) {
            const StreamState* stream = cut.ByName(family.substr(kFamilyPrefix.size()));
            if (stream != nullptr && codec::SequenceOfKey(key) < stream->trim.sequence.value)
              return {};
          }
        }
        return Fail(Code::kDamaged, "a table that is not listed has what nothing else has");
      });
}

CutLook LookBeforeDamage(const JournalOptions& options) {
  CutLook look;
  const auto marked = Watermark::Read(options.dir);
  if (!marked || !*marked) return look;
  const Sequence end = (*marked)->end;
  auto store =
      RocksStore::OpenReadOnly(options.dir + "/db", options.env, RocksStore::DamagedLog::kCut);
  if (!store) {
    if (end > Sequence{1}) {
      look.missing = "of the events up to " + std::to_string(end.value - 1) +
                     " none can be read before a repair";
    }
    return look;
  }
  JournalState cut;
  cut.options.dir = options.dir;
  cut.store = std::move(*store);
  cut.meta = cut.store->Family("default");
  if (!LoadStreams(cut)) return look;
  if (cut.end < end) look.missing = Range(cut.end, end) + " lie in the damage or behind it";
  look.nothing_is_missing = LoadCursors(cut) && LoadMarkers(cut) && CheckWatermark(cut) &&
                            (!cut.store->cut_manifest() || CheckUnlisted(cut));
  return look;
}

Status CheckNothingIsLeft(const std::string& dir) {
  auto marked = Watermark::Read(dir);
  if (!marked) return tl::unexpected(marked.error());
  std::string left;
  if (*marked && (*marked)->end > Sequence{1}) {
    left = "a watermark of " + Range({1}, (*marked)->end);
  }
  // The first table is written long after FORMAT.
  std::error_code error;
  for (std::filesystem::directory_iterator it(dir + "/db", error), end;
       left.empty() && !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".sst") left = "the table " + it->path().filename().string();
  }
  if (left.empty()) return {};
  return Fail(Code::kDamaged, "there is " + left + " in " + dir +
                                  ", but neither FORMAT nor CURRENT of the database");
}

}  // namespace spool
