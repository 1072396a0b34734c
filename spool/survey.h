// One look over a whole journal that nobody has open. Known to offline.cc alone.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spool/codec.h"
#include "spool/complete.h"
#include "spool/directory.h"
#include "spool/load.h"
#include "spool/offline.h"
#include "spool/rescue.h"

namespace spool {

// What to do about one stretch of a stream: a lost chunk takes its place.
struct Gap {
  size_t stream;
  ChunkHeader lost;
  Damage damage;
  bool between = false;  // somewhere before between_end, not known yet where
  Sequence between_end;
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
    PlaceGaps();
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
    MissingChanges();
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
  // Synced changes of the journal's own records that the watermark knows and the database does not.
  uint64_t missing_changes() const { return missing_changes_; }
  // How many there were, as far as anything tells.
  uint64_t changes() const { return std::max(changes_, mark_ ? mark_->changes : 0); }
  // The journal's own records, and dead letters, as far as they can be read.
  const RescuedRecords& own() const { return own_; }
  const RescuedRecords& dead() const { return dead_; }
  // Of an earlier look, when tables were whole no more: what this one finds may be older than what
  // is gone, or nothing.
  void KnowMissing(const RescuedRecords* own) { missing_ = own; }
  // By family, the chunks of tables that cannot be read whole.
  using Saved = std::map<std::string, std::map<std::string, std::string>>;
  const Saved& saved() const { return saved_; }
  // Trims that were made up from what is there.
  const std::vector<size_t>& trims_made_up() const { return trims_made_up_; }

 private:
  void MissingChanges() {
    const std::string* kept = Own(kChangesKey);
    changes_ = kept != nullptr && kept->size() == 8 ? codec::SequenceOfKey(*kept) : 0;
    if (changes_ == changes() || (kept == nullptr && MayMiss(kChangesKey))) return;
    missing_changes_ = changes() - changes_;
    Note({{},
          {},
          0,
          {},
          "the last " + std::to_string(missing_changes_) +
              " changes of dead letters, places, limits or jobs were durable and are missing"});
  }
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

  void Audit(size_t index, const OfflineProgress& progress) {
    StreamState& stream = *state_.streams[index];
    ChunkAuditor auditor(stream.options.name, stream.trim.sequence, stream.trim.ordinal,
                         stream.trim.hash);
    stream.end_bytes = stream.trim.bytes;
    stream.end_raw_bytes = stream.trim.raw_bytes;
    auto it = store_->NewIterator(stream.family);
    it->Seek(codec::SequenceKey(stream.trim.sequence.value));
    Sequence reached = stream.trim.sequence;
    for (;;) {
      if (const auto status = it->status(); !status) {
        const Sequence from = std::max(stream.end, stream.trim.sequence);
        auto on = ReadOnBehind(*store_, stream.family, codec::SequenceKey(reached.value));
        const bool more = on != nullptr && on->Valid();
        const Sequence next = more ? Sequence{codec::SequenceOfKey(on->key())} : from + 1;
        // How many events it was, the chunk behind it tells.
        Note({stream.options.name,
              {from, std::max(next, from + 1)},
              0,
              store_->FileOf(stream.family, codec::SequenceKey(from.value)),
              status.error().message});
        unreadable_ = true;
        SaveTable(stream, from);
        if (!more) break;
        it = std::move(on);
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

  // What can be read of the table that holds `at` would be given up with it.
  void SaveTable(const StreamState& stream, Sequence at) {
    const auto range = store_->TableRange(stream.family, codec::SequenceKey(at.value));
    if (!range) return;
    const std::string family = std::string(kFamilyPrefix) + stream.options.name;
    auto it = store_->NewIterator(stream.family);
    std::string last = range->first;
    it->Seek(last);
    for (;;) {
      for (; it->Valid() && it->key() <= range->second; it->Next()) {
        last = it->key();
        saved_[family].insert_or_assign(last, std::string(it->value()));
      }
      if (it->status()) return;
      it = ReadOnBehind(*store_, stream.family, last);
      if (it == nullptr) return;
    }
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
      gap.between = true;
      gap.between_end = key;
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

  // What no stream has of [from, to): sequences are dense over all of them.
  std::vector<SequenceRange> Uncovered(Sequence from, Sequence to) const {
    std::vector<SequenceRange> covered;
    for (const auto& stream : state_.streams) {
      const auto it = store_->NewIterator(stream->family);
      it->SeekForPrev(codec::SequenceKey(from.value));
      if (!it->Valid()) it->SeekToFirst();
      for (; it->Valid() && codec::SequenceOfKey(it->key()) < to.value; it->Next()) {
        const auto chunk = ParseChunk(it->value());
        if (!chunk || chunk->lost()) continue;
        covered.push_back({chunk->header.first, chunk->header.end()});
      }
    }
    std::sort(covered.begin(), covered.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<SequenceRange> free;
    for (const SequenceRange& range : covered) {
      if (range.first > from) free.push_back({from, std::min(range.first, to)});
      from = std::max(from, range.end);
    }
    if (from < to) free.push_back({from, to});
    return free;
  }

  // A chunk that is missing between two of its stream had sequences that no other stream has. Where
  // they are as many as are missing, they are it; a lost chunk for each run of them.
  void PlaceGaps() {
    std::vector<Gap> placed;
    for (Gap& gap : gaps_) {
      uint64_t room = 0;
      std::vector<SequenceRange> free;
      if (gap.between) free = Uncovered(gap.lost.first, gap.between_end);
      for (const SequenceRange& range : free) room += range.end - range.first;
      if (!gap.between || room != gap.lost.count) {
        placed.push_back(std::move(gap));
        continue;
      }
      for (const SequenceRange& range : free) {
        Gap part = gap;
        part.lost.first = range.first;
        part.lost.count = static_cast<uint32_t>(range.end - range.first);
        part.damage.range = range;
        part.damage.events = part.lost.count;
        gap.lost.ordinal += part.lost.count;
        placed.push_back(std::move(part));
      }
    }
    gaps_ = std::move(placed);
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
  uint64_t changes_ = 0;  // as the database says; 0 too where it cannot be asked
  uint64_t missing_changes_ = 0;
  std::vector<Gap> gaps_;
  std::optional<SequenceRange> missing_tail_;
  std::vector<CursorData> cursors_beyond_;
  RescuedRecords own_;
  RescuedRecords dead_;
  const RescuedRecords* missing_ = nullptr;
  std::vector<size_t> trims_made_up_;
  Saved saved_;
  bool deep_ = false;
  bool unreadable_ = false;
  uint64_t done_ = 0;

 public:
  bool unreadable() const { return unreadable_; }
};

}  // namespace spool
