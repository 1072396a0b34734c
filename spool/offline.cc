#include "spool/offline.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "spool/codec.h"
#include "spool/directory.h"
#include "spool/load.h"
#include "spool/rescue.h"

namespace spool {
namespace {

// What to do about one stretch of a stream: a lost chunk takes its place.
struct Gap {
  size_t stream;
  ChunkHeader lost;
  Damage damage;
};

// One look over a whole journal that nobody has open.
class Survey {
 public:
  // Takes the directory. kConflict, kNotFound, kInvalid, kStorage.
  Status Take(const std::string& dir) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(dir, ignored)) {
      return Fail(Code::kNotFound, "there is no directory " + dir);
    }
    if (!std::filesystem::exists(dir + "/db", ignored) &&
        !std::filesystem::exists(dir + "/FORMAT", ignored)) {
      return Fail(Code::kNotFound, "there is no journal in " + dir);
    }
    if (auto taken = lock_.Take(dir); !taken) return taken;
    auto made = ReadFormatFile(dir);
    if (!made) {
      if (made.error().code != Code::kDamaged) return tl::unexpected(made.error());
      Note({{}, {}, 0, dir + "/FORMAT", made.error().message});
    }
    if (auto note = ReadDamageNote(dir)) {
      Note(
          {{}, {}, 0, dir + "/db", "the database met damage when it rewrote its tables: " + *note});
    }
    auto marked = Watermark::Read(dir);
    if (!marked) return tl::unexpected(marked.error());
    mark_ = std::move(*marked);
    if (mark_) report_.watermark = mark_->end;
    return {};
  }

  // Reads everything that can be read from `store`, which must outlive this.
  void Run(RocksStore& store, bool deep, const OfflineProgress& progress) {
    store_ = &store;
    deep_ = deep;
    state_.meta = store.Family("default");
    ReadOwnRecords();
    const std::string* format = Own("format");
    report_.format = format != nullptr ? *format : "unknown";
    if (report_.format != kJournalFormat) {
      Note({{}, {}, 0, {}, "the database does not name its format"});
    }
    for (const std::string& family : store.Families()) {
      if (family.rfind(kFamilyPrefix, 0) == 0) AddStream(family);
    }
    for (size_t i = 0; i < state_.streams.size(); ++i) Audit(i, progress);
    MissingTails();
    for (const auto& stream : state_.streams) state_.end = std::max(state_.end, stream->end);
    if (const std::string* floor = Own("end"); floor != nullptr && floor->size() == 8) {
      state_.end = std::max(state_.end, Sequence{codec::SequenceOfKey(*floor)});
    }
    report_.end = state_.end;
    if (report_.watermark && *report_.watermark > report_.end) {
      missing_tail_ = SequenceRange{report_.end, *report_.watermark};
      Note({{},
            *missing_tail_,
            *report_.watermark - report_.end,
            {},
            "events that were durable are missing at the end: a log is gone or was cut"});
    }
    Cursors();
    report_.dead_letters = dead_.count();
  }

  void Note(Damage damage) {
    ++report_.damage_in_all;
    if (report_.damage.size() < OfflineReport::kDamageMax) {
      report_.damage.push_back(std::move(damage));
    }
  }
  OfflineReport& report() { return report_; }
  std::vector<std::string> MarkedStreams() const {
    std::vector<std::string> names;
    if (mark_) {
      for (const auto& [name, ordinal] : mark_->streams) names.push_back(name);
    }
    return names;
  }
  JournalState& state() { return state_; }
  const std::vector<Gap>& gaps() const { return gaps_; }
  const std::optional<SequenceRange>& missing_tail() const { return missing_tail_; }
  const std::vector<CursorData>& cursors_beyond() const { return cursors_beyond_; }
  // The journal's own records, and dead letters, as far as they can be read.
  const RescuedRecords& own() const { return own_; }
  const RescuedRecords& dead() const { return dead_; }
  // Of an earlier look, when tables were whole no more: what this one finds may be older than what
  // is gone, or nothing.
  void KnowMissing(const RescuedRecords* own) { missing_ = own; }
  // Trims that were made up from what is there.
  const std::vector<size_t>& trims_made_up() const { return trims_made_up_; }

 private:
  const std::string* Own(std::string_view key) const {
    const auto found = own_.records().find(key);
    return found == own_.records().end() ? nullptr : &found->second;
  }
  bool MayMiss(std::string_view key) const {
    return own_.MayMiss(key) || (missing_ != nullptr && missing_->MayMiss(key));
  }

  void ReadOwnRecords() {
    own_ = RescuedRecords::Read(*store_, state_.meta, true);
    const auto families = store_->Families();
    if (std::find(families.begin(), families.end(), "dead_letters") != families.end()) {
      dead_ = RescuedRecords::Read(*store_, store_->Family("dead_letters"), false);
    }
    for (const auto& [what, records] :
         {std::pair("records of the journal itself", &own_), std::pair("dead letters", &dead_)}) {
      for (size_t i = 0; i < records->gaps().size(); ++i) {
        Note({{}, {}, 0, {}, std::string(what) + " cannot be read: " + records->error()});
        unreadable_ = true;
      }
    }
  }

  // Where retention left the stream, when that is not known any more: before what is there.
  void MakeUpTrim(StreamState& stream) {
    const auto it = store_->NewIterator(stream.family);
    it->SeekToFirst();
    if (!it->Valid()) return;
    const auto first = ParseChunk(it->value(), true);
    if (!first) return;
    const ChunkHeader& header = first->header;
    stream.trim = {header.first, header.ordinal, header.bytes_before, header.raw_before,
                   header.previous};
    trims_made_up_.push_back(stream.id.value);
  }

  void AddStream(const std::string& family) {
    auto stream = std::make_unique<StreamState>();
    stream->id = {static_cast<uint8_t>(state_.streams.size())};
    stream->options.name = family.substr(kFamilyPrefix.size());
    stream->family = store_->Family(family);
    const std::string key = "t/" + stream->options.name;
    if (MayMiss(key)) {
      MakeUpTrim(*stream);
    } else if (const std::string* trim = Own(key)) {
      if (const auto decoded = DecodeTrim(*trim)) {
        stream->trim = *decoded;
      } else {
        Note({stream->options.name, {}, 0, {}, decoded.error().message});
        MakeUpTrim(*stream);
      }
    }
    state_.streams.push_back(std::move(stream));
  }

  // The next sequence after `key` that any stream has; where events end if there is none.
  Sequence NextAnywhere(Sequence key) const {
    std::optional<Sequence> next;
    for (const auto& stream : state_.streams) {
      const auto it = store_->NewIterator(stream->family);
      it->Seek(codec::SequenceKey(key.value + 1));
      if (!it->Valid()) continue;
      const Sequence found{codec::SequenceOfKey(it->key())};
      if (!next || found < *next) next = found;
    }
    if (next) return *next;
    return report_.watermark ? std::max(key + 1, *report_.watermark) : key + 1;
  }

  // A table block that cannot be read ends the iterator; the next sequence at which it can go on
  // is found by doubling, then by halving.
  bool StepOver(RocksStore::Iterator& it, Sequence after) const {
    const auto readable = [&](uint64_t at) {
      it.Seek(codec::SequenceKey(at));
      return it.status().has_value();
    };
    uint64_t bad = after.value;
    uint64_t step = 1;
    while (!readable(bad + step)) {
      if (step > uint64_t{1} << 50) return false;
      step *= 2;
    }
    uint64_t good = bad + step;
    bad += step / 2;
    while (good - bad > 1) {
      const uint64_t middle = bad + (good - bad) / 2;
      (readable(middle) ? good : bad) = middle;
    }
    return readable(good);
  }

  void Audit(size_t index, const OfflineProgress& progress) {
    StreamState& stream = *state_.streams[index];
    ChunkAuditor auditor(stream.options.name, stream.trim.sequence, stream.trim.ordinal,
                         stream.trim.hash);
    stream.end_bytes = stream.trim.bytes;
    stream.end_raw_bytes = stream.trim.raw_bytes;
    const auto it = store_->NewIterator(stream.family);
    it->Seek(codec::SequenceKey(stream.trim.sequence.value));
    Sequence reached = stream.trim.sequence;
    for (;;) {
      if (const auto status = it->status(); !status) {
        Note({stream.options.name,
              {reached, reached + 1},
              0,
              store_->FileOf(stream.family, codec::SequenceKey(reached.value)),
              status.error().message});
        unreadable_ = true;
        if (!StepOver(*it, reached)) break;
      }
      if (!it->Valid()) break;
      reached = {codec::SequenceOfKey(it->key())};
      Look(index, auditor, reached, it->value());
      if (progress && ++done_ % 256 == 0) progress(done_, done_);
      it->Next();
    }
    OfflineStream out;
    out.name = stream.options.name;
    out.chunks = auditor.chunks();
    out.events = auditor.events();
    out.bytes = auditor.bytes();
    out.raw_bytes = auditor.raw_bytes();
    out.evicted = stream.trim.ordinal;
    out.range = {stream.trim.sequence, stream.end};
    out.oldest = auditor.oldest();
    out.newest = auditor.newest();
    report_.streams.push_back(std::move(out));
  }

  void Look(size_t index, ChunkAuditor& auditor, Sequence key, std::string_view bytes) {
    StreamState& stream = *state_.streams[index];
    const Sequence before_end = std::max(stream.end, stream.trim.sequence);
    const uint64_t before_ordinal = auditor.end_ordinal();
    const auto newest = auditor.newest();
    auto damage = auditor.Check(key, bytes, deep_);
    const auto chunk = ParseChunk(bytes);
    const bool readable = chunk && chunk->header.first == key;
    if (readable) {
      stream.end = chunk->header.end();
      stream.end_ordinal = chunk->header.ordinal + chunk->header.count;
      stream.end_bytes = chunk->header.bytes_before + bytes.size();
      stream.end_raw_bytes = chunk->header.raw_before + chunk->header.raw_bytes;
      stream.newest = chunk->header.accepted;
    }
    if (!damage) return;
    damage->file = store_->FileOf(stream.family, codec::SequenceKey(key.value));
    Gap gap;
    gap.stream = index;
    gap.lost.bytes_before = readable ? chunk->header.bytes_before : stream.end_bytes;
    gap.lost.raw_before = readable ? chunk->header.raw_before : stream.end_raw_bytes;
    gap.lost.accepted = newest.value_or(readable ? chunk->header.accepted : SystemTime{});
    const bool missing_before = readable && damage->range.end == key;
    const bool whole = readable && damage->events == chunk->header.count;
    if (missing_before) {
      gap.lost.first = before_end;
      gap.lost.ordinal = before_ordinal;
      gap.lost.count = static_cast<uint32_t>(damage->events);
    } else if (whole) {  // its header is sound, its inside is not
      gap.lost.first = key;
      gap.lost.ordinal = chunk->header.ordinal;
      gap.lost.count = chunk->header.count;
    } else if (!readable) {
      // Sequences are dense over all streams, so the next one that anybody has bounds it.
      gap.lost.first = key;
      gap.lost.ordinal = before_ordinal;
      gap.lost.count = static_cast<uint32_t>(NextAnywhere(key) - key);
      damage->range = {key, key + gap.lost.count};
      damage->events = gap.lost.count;
      stream.end = damage->range.end;
      stream.end_ordinal = before_ordinal + gap.lost.count;
      auditor.PassOver(stream.end, stream.end_ordinal);
    }
    if (gap.lost.count > 0) {
      gap.damage = *damage;
      gaps_.push_back(std::move(gap));
    }
    Note(std::move(*damage));
  }

  // Streams that had more than is there, though no later chunk of theirs tells.
  void MissingTails() {
    if (!mark_) return;
    for (const auto& [name, ordinal] : mark_->streams) {
      const StreamState* known = state_.ByName(name);
      if (known == nullptr) {
        if (ordinal > 0) Note({name, {}, ordinal, {}, "the stream is gone"});
        continue;
      }
      StreamState& stream = *state_.streams[known->id.value];
      if (stream.end_ordinal >= ordinal && stream.end_ordinal >= stream.trim.ordinal) continue;
      const uint64_t from = std::max(stream.end_ordinal, stream.trim.ordinal);
      if (from >= ordinal) continue;
      Gap gap;
      gap.stream = known->id.value;
      gap.lost.first = std::max(stream.end, stream.trim.sequence);
      gap.lost.ordinal = from;
      gap.lost.count = static_cast<uint32_t>(ordinal - from);
      gap.lost.accepted = stream.newest.value_or(SystemTime{});
      gap.lost.bytes_before = stream.end_bytes;
      gap.lost.raw_before = stream.end_raw_bytes;
      gap.damage = {name,
                    {gap.lost.first, mark_->end},
                    ordinal - from,
                    {},
                    "events that were durable are missing at the stream's end"};
      // The events at the very end may be missing for the whole journal: then that is told once.
      stream.end_ordinal = ordinal;
      stream.end = std::max(stream.end, gap.lost.end());
      Note(gap.damage);
      gaps_.push_back(std::move(gap));
    }
  }

  void Cursors() {
    const auto& records = own_.records();
    for (auto it = records.lower_bound("c/"); it != records.end() && it->first.starts_with("c/");
         ++it) {
      auto cursor = DecodeCursor(state_, it->first.substr(2), it->second);
      if (!cursor) {
        Note({{}, {}, 0, {}, cursor.error().message});
        continue;
      }
      bool beyond = cursor->next > state_.end;
      for (const auto& place : cursor->places) {
        beyond = beyond || place.next > state_.streams[place.stream.value]->end_ordinal;
      }
      if (beyond) {
        Note({{},
              {state_.end, std::max(cursor->next, state_.end)},
              0,
              {},
              "the cursor '" + cursor->name + "' lies beyond the end"});
        cursors_beyond_.push_back(*cursor);
      } else {
        report_.cursors.push_back({cursor->name, cursor->next, state_.Derive(*cursor)});
      }
    }
  }

  DirectoryLock lock_;
  RocksStore* store_ = nullptr;
  JournalState state_;
  OfflineReport report_;
  std::optional<DurableMark> mark_;
  std::vector<Gap> gaps_;
  std::optional<SequenceRange> missing_tail_;
  std::vector<CursorData> cursors_beyond_;
  RescuedRecords own_;
  RescuedRecords dead_;
  const RescuedRecords* missing_ = nullptr;
  std::vector<size_t> trims_made_up_;
  bool deep_ = false;
  bool unreadable_ = false;
  uint64_t done_ = 0;

 public:
  bool unreadable() const { return unreadable_; }
};

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
  return store.Write(batch, true);
}

}  // namespace

Result<OfflineReport> InspectOffline(const std::string& dir, bool deep,
                                     const OfflineProgress& progress) {
  Survey survey;
  if (auto taken = survey.Take(dir); !taken) return tl::unexpected(taken.error());
  auto store = RocksStore::OpenReadOnly(dir + "/db");
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
  {
    Survey survey;
    if (auto taken = survey.Take(dir); !taken) return tl::unexpected(taken.error());
    auto store = RocksStore::OpenReadOnly(dir + "/db");
    if (store) {
      survey.Run(**store, true, nullptr);
      unreadable = survey.unreadable();
      if (unreadable) own = survey.own(), dead = survey.dead();
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
  auto salvaged = RocksStore::Salvage(dir + "/db", /*anew=*/unreadable);
  if (!salvaged) return tl::unexpected(salvaged.error());
  if (!salvaged->empty()) out.steps.push_back(*salvaged);
  std::vector<std::string> families = {"dead_letters"};
  for (const std::string& name : survey.MarkedStreams()) {
    families.push_back(std::string(kFamilyPrefix) + name);
  }
  auto store = RocksStore::Open(dir + "/db", families, nullptr);
  if (!store) return tl::unexpected(store.error());
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
