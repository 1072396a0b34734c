#include "spool/offline.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "spool/codec.h"
#include "spool/complete.h"
#include "spool/directory.h"
#include "spool/load.h"
#include "spool/rescue.h"
#include "spool/survey.h"
#include "spool/table_probe.h"

namespace spool {
namespace {

// What was settled beyond what is there leaves the account again, delivered events first.
void ComeBack(const JournalState& state, CursorData& cursor) {
  cursor.next = std::min(cursor.next, state.end);
  uint64_t gone = 0;
  for (auto& place : cursor.places) {
    const uint64_t end = state.streams[place.stream.value]->end_ordinal;
    if (place.next <= end) continue;
    const uint64_t start = std::min(place.start, end);
    gone += (place.next - place.start) - (end - start);
    place.start = start;
    place.next = end;
  }
  Account& account = cursor.account;
  for (uint64_t* count : {&account.delivered, &account.filtered, &account.skipped, &account.evicted,
                          &account.dead_lettered}) {
    const uint64_t taken = std::min(*count, gone);
    *count -= taken;
    gone -= taken;
  }
  account.duplicates = std::min(account.duplicates, account.delivered);
}

Marker LostMarker(const std::string& subject, const SequenceRange& range, uint64_t events,
                  SystemTime now) {
  return {Marker::Kind::kLost, subject, range, events, events, 0, "damage", now};
}

// Writes what makes the journal whole again.
Status Mend(Survey& survey, RocksStore& store, SystemTime now, RepairReport& out) {
  JournalState& state = survey.state();
  StoreBatch batch;
  const auto markers = store.NewIterator(state.meta);
  for (markers->Seek("m/"); markers->Valid() && markers->key().substr(0, 2) == "m/";
       markers->Next()) {
    if (auto marker = DecodeMarker(markers->value())) {
      const uint64_t number = codec::SequenceOfKey(markers->key().substr(2));
      state.markers.push_back({number, std::move(*marker)});
      state.next_marker = number + 1;
    }
  }
  for (const Gap& gap : survey.gaps()) {
    const StreamState& stream = *state.streams[gap.stream];
    ChunkHeader lost = gap.lost;
    batch.Put(stream.family, codec::SequenceKey(lost.first.value), SealLostChunk(&lost));
    state.AddMarker(batch,
                    LostMarker(stream.options.name, {lost.first, lost.end()}, lost.count, now));
    out.steps.push_back("stream " + stream.options.name + ": sequences " + ToText(lost.first) +
                        " to " + std::to_string(lost.end().value - 1) + " (" +
                        std::to_string(lost.count) + " events) are given up");
  }
  if (const auto& tail = survey.missing_tail()) {
    PutEndFloor(batch, state.meta, tail->end);
    state.end = tail->end;
    state.AddMarker(batch, LostMarker({}, *tail, tail->end - tail->first, now));
    out.steps.push_back("the end: sequences " + ToText(tail->first) + " to " +
                        std::to_string(tail->end.value - 1) + " are given up and not given again");
  }
  for (CursorData cursor : survey.cursors_beyond()) {
    ComeBack(state, cursor);
    batch.Put(state.meta, state.CursorKey(cursor.name), state.EncodeCursor(cursor));
    out.steps.push_back("the cursor '" + cursor.name + "' goes on at the end of what is there");
  }
  for (const size_t stream : survey.trims_made_up()) {
    const StreamState& made = *state.streams[stream];
    batch.Put(state.meta, "t/" + made.options.name, EncodeTrim(made.trim));
  }
  batch.Delete(state.meta, "d");  // dead letters are to be counted anew
  batch.Put(state.meta, "format", kJournalFormat);
  if (const uint64_t missing = survey.missing_changes(); missing > 0) {
    out.steps.push_back("the last " + std::to_string(missing) +
                        " changes of dead letters, places, limits or jobs are given up");
  }
  PutChanges(batch, state.meta, survey.changes());
  return store.Write(batch, true);
}

// Opens the database to look at it, unless a table would end this process.
Result<std::unique_ptr<RocksStore>> OpenToLook(const std::string& dir) {
  const auto tables = TablesThatEndTheProcess(dir + "/db");
  if (!tables) return tl::unexpected(tables.error());
  if (tables->empty()) return RocksStore::OpenReadOnly(dir + "/db");
  std::string names;
  for (const std::string& table : *tables) names += (names.empty() ? "" : ", ") + table;
  return Fail(Code::kDamaged,
              "the description of " + names +
                  " makes no sense, so that no program may open it; which events are "
                  "in it a repair tells, once it is put aside");
}

// Puts tables that nobody may open where the salvage puts others.
Result<size_t> PutAside(const std::string& db_dir) {
  const auto tables = TablesThatEndTheProcess(db_dir);
  if (!tables) return tl::unexpected(tables.error());
  std::error_code error;
  for (const std::string& table : *tables) {
    std::filesystem::create_directories(db_dir + "/lost", error);
    if (!error) std::filesystem::rename(db_dir + "/" + table, db_dir + "/lost/" + table, error);
    if (error) return Fail(Code::kStorage, "cannot put " + table + " aside: " + error.message());
  }
  return tables->size();
}

}  // namespace

Result<OfflineReport> InspectOffline(const std::string& dir, bool deep,
                                     const OfflineProgress& progress) {
  Survey survey;
  if (auto taken = survey.Take(dir); !taken) return tl::unexpected(taken.error());
  auto store = OpenToLook(dir);
  if (!store) {
    survey.Note({{}, {}, 0, dir + "/db", store.error().message});
    return std::move(survey.report());
  }
  survey.Run(**store, deep, progress);
  return std::move(survey.report());
}

namespace {

// What the salvaged database may lack of the journal's own records is told, and made good as far as
// that can be: a target without its place begins again at the oldest event.
Status RestoreOwn(const std::optional<RescuedRecords>& own,
                  const std::optional<RescuedRecords>& dead, bool tables_given_up,
                  RocksStore& store, RepairReport& out) {
  const FamilyId meta = store.Family("default");
  bool places_lost = tables_given_up && !own;
  if (own && !own->gaps().empty()) {
    if (auto restored = own->Restore(store, meta); !restored) return restored;
    for (const auto& [prefix, what] :
         {std::pair("c/", "places of targets may be gone or older than they were"),
          std::pair("t/", "where retention left streams is made up from what is there"),
          std::pair("m/", "markers may be gone"), std::pair("r/", "replays may be gone")}) {
      if (own->MayMissAny(prefix)) out.steps.emplace_back(what);
    }
    places_lost = own->MayMissAny("c/");
  }
  if (dead && !dead->gaps().empty()) {
    if (auto restored = dead->Restore(store, store.Family("dead_letters")); !restored) {
      return restored;
    }
    out.steps.emplace_back("some dead letters are given up");
  }
  if (!places_lost) return {};
  if (!own) out.steps.emplace_back("places of targets may be gone or older than they were");
  out.steps.emplace_back("a target without a place begins at the oldest event that is kept");
  StoreBatch batch;
  batch.Put(meta, kPlacesLostKey, "1");
  return store.Write(batch, true);
}

// Chunks that could be read come back from tables that were given up.
Status RestoreChunks(const Survey::Saved& saved, RocksStore& store) {
  for (const auto& [name, chunks] : saved) {
    const FamilyId family = store.Family(name);
    for (const auto& [key, bytes] : chunks) {
      StoreBatch batch;
      batch.Put(family, key, bytes);
      if (auto written = store.Write(batch, false); !written) return written;
    }
  }
  return {};
}

size_t TablesGivenUp(const std::string& dir) {
  size_t count = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it(dir + "/db/lost", error), end; !error && it != end;
       it.increment(error)) {
    count += it->path().extension() == ".sst";
  }
  return count;
}

}  // namespace

Result<RepairReport> RepairOffline(const std::string& dir, bool accept_loss, SystemTime now) {
  RepairReport out;
  bool unreadable = false;
  std::optional<RescuedRecords> own, dead;
  Survey::Saved saved;
  {
    Survey survey;
    if (auto taken = survey.Take(dir); !taken) return tl::unexpected(taken.error());
    auto store = OpenToLook(dir);
    if (store) {
      survey.Run(**store, true, nullptr);
      unreadable = survey.unreadable();
      if (unreadable) own = survey.own(), dead = survey.dead(), saved = survey.saved();
    } else {
      survey.Note({{}, {}, 0, dir + "/db", store.error().message});
    }
    if (!accept_loss) {
      out.lost = std::move(survey.report().damage);
      return out;
    }
  }
  Survey survey;
  if (auto taken = survey.Take(dir); !taken) return tl::unexpected(taken.error());
  const size_t given_up = TablesGivenUp(dir);
  const auto aside = PutAside(dir + "/db");
  if (!aside) return tl::unexpected(aside.error());
  auto salvaged = RocksStore::Salvage(dir + "/db", /*anew=*/unreadable);
  if (!salvaged) return tl::unexpected(salvaged.error());
  if (!salvaged->empty()) out.steps.push_back(*salvaged);
  std::vector<std::string> families = {"dead_letters"};
  for (const std::string& name : survey.MarkedStreams()) {
    families.push_back(std::string(kFamilyPrefix) + name);
  }
  auto store = RocksStore::Open(dir + "/db", families, nullptr);
  if (!store) return tl::unexpected(store.error());
  if (auto restored = RestoreChunks(saved, **store); !restored) {
    return tl::unexpected(restored.error());
  }
  if (auto restored = RestoreOwn(own, dead, TablesGivenUp(dir) > given_up, **store, out);
      !restored) {
    return tl::unexpected(restored.error());
  }
  if (own) survey.KnowMissing(&*own);
  survey.Run(**store, true, nullptr);
  for (const Gap& gap : survey.gaps()) out.lost.push_back(gap.damage);
  if (const auto& tail = survey.missing_tail()) {
    out.lost.push_back({{}, *tail, tail->end - tail->first, {}, "missing at the end"});
  }
  if (auto mended = Mend(survey, **store, now, out); !mended) {
    return tl::unexpected(mended.error());
  }
  store->reset();
  ForgetDamage(dir);
  if (auto written = WriteFormatFile(dir); !written) return tl::unexpected(written.error());
  return out;
}

}  // namespace spool
