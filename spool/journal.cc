#include "spool/journal.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "base/assert.h"
#include "base/log.h"
#include "spool/codec.h"
#include "spool/commit_queue.h"
#include "spool/complete.h"
#include "spool/directory.h"
#include "spool/janitor.h"
#include "spool/journal_errors.h"
#include "spool/journal_state.h"
#include "spool/load.h"
#include "spool/reader.h"
#include "spool/records.h"
#include "spool/scrub.h"

namespace spool {

namespace {

Status CheckOptions(const JournalOptions& options) {
  if (options.streams.empty() || options.streams.size() >= kStreamsMax) {
    return Fail(Code::kInvalid, "a journal has 1 to 63 streams");
  }
  for (const auto& stream : options.streams) {
    if (stream.name.empty() || stream.name.size() > 63 ||
        stream.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") !=
            std::string::npos) {
      return Fail(Code::kInvalid, "'" + stream.name + "' is no name for a stream");
    }
    if (std::count_if(options.streams.begin(), options.streams.end(),
                      [&](const auto& other) { return other.name == stream.name; }) > 1) {
      return Fail(Code::kInvalid, "there are two streams named '" + stream.name + "'");
    }
  }
  return {};
}

}  // namespace

class Journal::Impl {
 public:
  ~Impl() {
    scrubber.reset();
    janitor.reset();
    queue.reset();
    dead_letters.reset();
    records.reset();
    for (const auto& [name, cursor] : state.cursors) SPOOL_ASSERT(!cursor.open);
    // A clean stop leaves nothing to the next start's recovery but what a crash would.
    if (!state.failed && opened) {
      StoreBatch batch;
      for (const auto& [name, cursor] : state.cursors) {
        batch.Put(state.meta, state.CursorKey(name), state.EncodeCursor(cursor));
      }
      static_cast<void>(state.Write(batch, true));
    }
    state.store.reset();
    if (marked) MarkClosed(state.options.dir);
  }

  Status Open() {
    const JournalOptions& options = state.options;
    if (auto taken = lock.Take(options.dir); !taken) return taken;
    auto made = ReadFormatFile(options.dir);
    if (!made) return tl::unexpected(made.error());
    if (const auto note = ReadDamageNote(options.dir)) {
      return Fail(Code::kDamaged, "damage was met that a start would meet again: " + *note);
    }
    MarkOpen(options.dir);
    marked = true;
    FreeReserve(options.dir, options.reserve_file_bytes);
    if (options.env == nullptr) {
      if (auto room = CheckRoom(options.dir); !room) return room;
    }
    state.volume = std::make_unique<Volume>(options.dir, options.disk_reserve_bytes);
    const std::string dir = options.dir + "/db";
    if (*made && !RocksStore::Exists(dir, options.env)) {
      return Fail(Code::kDamaged, "a journal was made in " + options.dir +
                                      ", and its database is gone: " + dir + " has no CURRENT");
    }
    if (!*made && !RocksStore::Exists(dir, options.env)) {
      if (auto nothing = CheckNothingIsLeft(options.dir); !nothing) return nothing;
    }
    std::vector<std::string> families = {"dead_letters"};
    for (const auto& stream : options.streams) {
      families.push_back(std::string(kFamilyPrefix) + stream.name);
    }
    auto store = RocksStore::Open(dir, families, options.env, options.open_tables_max);
    if (!store && store.error().code == Code::kDamaged) {
      const CutLook look = LookBeforeDamage(options);
      if (look.nothing_is_missing || (!*made && CheckNothingIsLeft(options.dir))) {
        log::Warn(
            "The database ends in records that were never synced and are torn; they are cut off.",
            {{"detail", store.error().message}});
        store = RocksStore::Open(dir, families, options.env, options.open_tables_max,
                                 RocksStore::DamagedLog::kCut);
      } else if (!look.missing.empty()) {
        return Fail(Code::kDamaged, store.error().message + "; " + look.missing);
      }
    }
    if (!store) return tl::unexpected(store.error());
    state.store = std::move(*store);
    state.meta = state.store->Family("default");
    state.dead = state.store->Family("dead_letters");
    if (auto checked = CheckFormat(*made); !checked) return checked;
    if (auto loaded = LoadStreams(state); !loaded) return loaded;
    if (auto loaded = LoadCursors(state); !loaded) return loaded;
    if (auto loaded = LoadMarkers(state); !loaded) return loaded;
    if (auto checked = CheckWatermark(state); !checked) return checked;
    auto dead = OpenDeadLetters(state);
    if (!dead) return tl::unexpected(dead.error());
    dead_letters = std::move(*dead);
    records = MakeRecords(state);
    Dedupe dedupe(options.dedupe_window, options.dedupe_entries);
    RebuildDedupe(state, dedupe);
    // Everything fits: from here on the directory is changed.
    // The watermark is synced before anything is taken in, so that a power cut in the first second
    // leaves one; and before FORMAT, whose making also makes its name durable.
    if (auto opened = state.watermark.Open(options.dir); !opened) return opened;
    const auto changes = ReadChanges(*state.store, state.meta);
    if (!changes) return tl::unexpected(changes.error());
    state.durable.changes = *changes;
    std::vector<std::pair<std::string, uint64_t>> ordinals;
    for (const auto& stream : state.streams) {
      ordinals.emplace_back(stream->options.name, stream->end_ordinal);
    }
    if (auto marked = state.RaiseMark(state.end, std::move(ordinals)); !marked) return marked;
    if (auto synced = state.watermark.Sync(); !synced) return synced;
    if (auto kept = KeepFormat(*made); !kept) return kept;
    if (auto kept = KeepSpecial(); !kept) return kept;
    if (auto kept = KeepDeadLetterTotals(*dead_letters); !kept) return kept;
    for (const auto& stream : state.streams) {
      state.store->DropBefore(stream->family, codec::SequenceKey(stream->trim.sequence.value));
    }
    state.accept_clock = std::make_unique<AcceptClock>(*options.clock, state.last_accepted);
    opened = true;
    state.store->OnBackgroundError([this](Error error) {
      // The next start would open all the same, meet the same block and fail again, for ever.
      if (error.code == Code::kDamaged) NoteDamage(state.options.dir, error.message);
      error.code = Code::kStorage;
      CountJournalError(JournalOp::kBackground);
      state.Poison(error);
    });
    queue = std::make_unique<CommitQueue>(state, std::move(dedupe));
    janitor = std::make_unique<Janitor>(state);
    scrubber = std::make_unique<Scrubber>(state);
    return {};
  }

  // The database says its format too, in the log, before FORMAT is written. So a database without
  // it is new, or has lost its log.
  Status CheckFormat(bool made) {
    auto format = state.store->Get(state.meta, "format");
    if (!format) return tl::unexpected(format.error());
    if (*format && **format != kJournalFormat) {
      return Fail(Code::kInvalid, "the data directory has the format '" + **format +
                                      "', which this version cannot read");
    }
    if (!*format && made) {
      return Fail(Code::kDamaged, "the database in " + state.options.dir +
                                      " has lost what was written to it first");
    }
    state.created = !*format;
    auto lost = state.store->Get(state.meta, kPlacesLostKey);
    if (!lost) return tl::unexpected(lost.error());
    state.places_lost = lost->has_value();
    return {};
  }
  Status KeepFormat(bool made) {
    if (state.created) {
      if (state.end > Sequence{1}) {
        return Fail(Code::kDamaged, "the database in " + state.options.dir + " is none of ours");
      }
      StoreBatch batch;
      batch.Put(state.meta, "format", kJournalFormat);
      if (auto written = state.Write(batch, true); !written) return written;
    }
    return made ? Status{} : WriteFormatFile(state.options.dir);
  }

  // Special streams stay so when the config does not name them any more.
  Status KeepSpecial() {
    StoreBatch batch;
    bool changed = false;
    for (const auto& stream : state.streams) {
      if (!stream->configured) continue;
      const std::string key = SpecialKey(stream->options.name);
      auto kept = state.store->Get(state.meta, key);
      if (!kept) return tl::unexpected(kept.error());
      if (kept->has_value() == stream->options.special) continue;
      changed = true;
      if (stream->options.special) {
        batch.Put(state.meta, key, "1");
      } else {
        batch.Delete(state.meta, key);
      }
    }
    return changed ? state.Write(batch, true) : Status{};
  }

  // The first sequence of one stream accepted at or after `t`; binary search over chunk headers.
  Result<Sequence> FindIn(const StreamState& stream, SystemTime t) const {
    Sequence low;
    Sequence high;
    {
      std::lock_guard guard(state.mutex);
      low = stream.trim.sequence;
      high = stream.end;
    }
    const Sequence end = high;
    const auto it = state.store->NewIterator(stream.family);
    while (low < high) {
      const Sequence middle{low.value + (high.value - low.value) / 2};
      it->SeekForPrev(codec::SequenceKey(middle.value));
      if (auto status = it->status(); !status) return tl::unexpected(status.error());
      if (!it->Valid() || codec::SequenceOfKey(it->key()) < low.value) {
        // Nothing of this stream in [low, middle]: the answer lies above.
        it->Seek(codec::SequenceKey(middle.value));
        if (!it->Valid() || codec::SequenceOfKey(it->key()) >= high.value) {
          high = low;
          break;
        }
        low = {codec::SequenceOfKey(it->key())};
        auto chunk = ParseChunk(it->value(), true);
        if (!chunk) return tl::unexpected(chunk.error());
        if (chunk->header.accepted >= t) return low;
        low = chunk->header.end();
        continue;
      }
      auto chunk = ParseChunk(it->value(), true);
      if (!chunk) return tl::unexpected(chunk.error());
      if (chunk->header.accepted >= t) {
        high = chunk->header.first;
      } else {
        low = std::max(chunk->header.end(), middle + 1);
      }
    }
    it->Seek(codec::SequenceKey(low.value));
    if (auto status = it->status(); !status) return tl::unexpected(status.error());
    return it->Valid() ? std::min(end, Sequence{codec::SequenceOfKey(it->key())}) : end;
  }

  Result<Sequence> SnapshotTo(const std::string& dir) const;

  DirectoryLock lock;
  JournalState state;
  bool opened = false;        // what is stored fits its checks
  bool marked = false;        // DIR/OPEN is ours
  std::mutex cursor_changes;  // one cursor is opened or removed at a time
  std::mutex snapshots;       // one at a time
  std::unique_ptr<DeadLetters> dead_letters;
  std::unique_ptr<Records> records;
  std::unique_ptr<CommitQueue> queue;
  std::unique_ptr<Janitor> janitor;
  std::unique_ptr<Scrubber> scrubber;
};

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::Open(JournalOptions options) {
  if (auto checked = CheckOptions(options); !checked) return tl::unexpected(checked.error());
  auto impl = std::make_unique<Impl>();
  impl->state.options = std::move(options);
  if (auto opened = impl->Open(); !opened) return tl::unexpected(opened.error());
  return std::unique_ptr<Journal>(new Journal(std::move(impl)));
}

void Journal::Append(std::vector<Event> events, std::string_view origin, AppendDone done) {
  Append(std::move(events), origin, {}, std::move(done));
}

void Journal::Append(std::vector<Event> events, std::string_view origin,
                     std::vector<RecordPut> records, AppendDone done) {
  const JournalState& state = impl_->state;
  if (state.failed) return done(Fail(Code::kStorage, "the journal has failed"));
  for (const Event& event : events) {
    if (event.stream.value >= state.streams.size()) {
      return done(Fail(Code::kInvalid, "there is no such stream"));
    }
    const StreamState& stream = *state.streams[event.stream.value];
    if (!state.volume->Takes(stream.when_full)) {
      return done(Fail(Code::kFull, "the volume has less free space than the reserve"));
    }
    if (stream.full) {
      return done(Fail(Code::kFull, "the stream '" + stream.options.name + "' is full"));
    }
  }
  for (const RecordPut& record : records) {
    if (record.key.size() > Records::kKeyMax || record.value.size() > Records::kValueMax) {
      return done(Fail(Code::kInvalid, "a record's key or value is too long"));
    }
  }
  impl_->queue->Append(std::move(events), origin, std::move(records), std::move(done));
}

Result<AppendResult> Journal::AppendAndWait(std::vector<Event> events, std::string_view origin) {
  std::promise<Result<AppendResult>> answer;
  auto future = answer.get_future();
  Append(std::move(events), origin,
         [&answer](Result<AppendResult> result) { answer.set_value(std::move(result)); });
  return future.get();
}

std::unique_ptr<Reader> Journal::NewReader(StreamSet streams) const {
  return MakeReader(impl_->state, streams);
}

bool Journal::WaitFor(Sequence from, Millis timeout, std::stop_token stop) const {
  const JournalState& state = impl_->state;
  std::unique_lock lock(state.mutex);
  // After a failure nothing comes any more: then only `stop` ends the wait early.
  state.moved.wait_for(lock, stop, timeout, [&] { return state.end > from; });
  return state.end > from;
}

Result<Sequence> Journal::Find(SystemTime accepted_at) const {
  Sequence first = end();
  for (const auto& stream : impl_->state.streams) {
    Sequence stream_end;
    {
      std::lock_guard lock(impl_->state.mutex);
      stream_end = stream->end;
    }
    auto found = impl_->FindIn(*stream, accepted_at);
    if (!found) return found;
    if (*found < stream_end) first = std::min(first, *found);
  }
  return first;
}

SequenceRange Journal::stored() const {
  const JournalState& state = impl_->state;
  std::lock_guard lock(state.mutex);
  SequenceRange range{state.end, state.end};
  for (const auto& stream : state.streams) {
    if (stream->trim.sequence < stream->end) {
      range.first = std::min(range.first, stream->trim.sequence);
    }
  }
  return range;
}

Sequence Journal::end() const {
  std::lock_guard lock(impl_->state.mutex);
  return impl_->state.end;
}

std::optional<StreamId> Journal::FindStream(std::string_view name) const {
  const StreamState* stream = impl_->state.ByName(name);
  if (stream == nullptr) return std::nullopt;
  return stream->id;
}
const std::string& Journal::StreamName(StreamId id) const {
  return impl_->state.streams[id.value]->options.name;
}
StreamSet Journal::AllStreams() const {
  StreamSet set;
  for (const auto& stream : impl_->state.streams) {
    if (!stream->options.special) set.Add(stream->id);
  }
  return set;
}
StreamSet Journal::AllWithSpecial() const {
  StreamSet set;
  for (const auto& stream : impl_->state.streams) set.Add(stream->id);
  return set;
}

Result<std::unique_ptr<Cursor>> Journal::OpenCursor(const CursorOptions& options) {
  JournalState& state = impl_->state;
  const std::lock_guard changes(impl_->cursor_changes);
  CursorData data;
  bool known = false;
  {
    std::lock_guard lock(state.mutex);
    const auto found = state.cursors.find(options.name);
    if (found != state.cursors.end()) {
      if (found->second.open) {
        return Fail(Code::kConflict, "the cursor '" + options.name + "' is open already");
      }
      known = true;
      data = found->second;
    } else if (options.start > state.end) {
      return Fail(Code::kInvalid, "sequence " + ToText(options.start) + " lies beyond the end (" +
                                      ToText(state.end) + ")");
    }
  }
  if (!known) {
    data.name = options.name;
    data.next = options.start;
  }
  data.pins = options.pins;
  std::vector<CursorData::Place> places;
  for (const auto& place : data.places) {
    if (options.streams.Contains(place.stream)) {
      places.push_back(place);
    } else {
      data.retired += place.next - place.start;  // what lies beyond leaves the account
    }
  }
  for (const auto& stream : state.streams) {
    if (!options.streams.Contains(stream->id)) continue;
    if (std::any_of(places.begin(), places.end(),
                    [&](const auto& place) { return place.stream == stream->id; })) {
      continue;
    }
    auto ordinal = state.OrdinalAt(*stream, data.next);
    if (!ordinal) return tl::unexpected(ordinal.error());
    places.push_back({stream->id, *ordinal, *ordinal});
  }
  data.places = std::move(places);
  StoreBatch batch;
  batch.Put(state.meta, state.CursorKey(data.name), state.EncodeCursor(data));
  if (auto written = state.Write(batch, true); !written) return tl::unexpected(written.error());
  std::lock_guard lock(state.mutex);
  data.open = true;
  CursorData& kept = state.cursors[data.name] = data;
  return MakeCursor(state, kept, WriterOf(*impl_->dead_letters));
}

Status Journal::RemoveCursor(std::string_view name) {
  JournalState& state = impl_->state;
  const std::lock_guard changes(impl_->cursor_changes);
  {
    std::lock_guard lock(state.mutex);
    const auto found = state.cursors.find(name);
    if (found == state.cursors.end()) {
      return Fail(Code::kNotFound, "there is no cursor '" + std::string(name) + "'");
    }
    if (found->second.open) {
      return Fail(Code::kConflict, "the cursor '" + std::string(name) + "' is in use");
    }
    state.cursors.erase(found);
  }
  StoreBatch batch;
  batch.Delete(state.meta, state.CursorKey(name));
  return state.Write(batch, true);
}

std::vector<CursorStatus> Journal::Cursors() const {
  const JournalState& state = impl_->state;
  std::lock_guard lock(state.mutex);
  std::vector<CursorStatus> all;
  for (const auto& [name, data] : state.cursors) {
    all.push_back({name, data.next, data.pins, data.open, state.Derive(data)});
  }
  return all;
}

DeadLetters& Journal::dead_letters() { return *impl_->dead_letters; }
Records& Journal::records() { return *impl_->records; }

std::vector<StreamStatus> Journal::Streams() const {
  const JournalState& state = impl_->state;
  std::lock_guard lock(state.mutex);
  std::vector<StreamStatus> all;
  for (const auto& stream : state.streams) {
    StreamStatus status;
    status.name = stream->options.name;
    status.id = stream->id;
    status.special = stream->options.special;
    status.configured = stream->configured;
    status.full = stream->full;
    status.events = stream->end_ordinal - stream->trim.ordinal;
    status.bytes = stream->end_bytes - stream->trim.bytes;
    status.needed_bytes = std::min<uint64_t>(stream->needed_bytes, status.bytes);
    status.raw_bytes = stream->end_raw_bytes - stream->trim.raw_bytes;
    if (status.events > 0) {
      status.oldest = stream->oldest;
      status.newest = stream->newest;
    }
    status.first = status.events > 0 ? stream->trim.sequence : stream->end;
    status.evicted = stream->trim.ordinal;
    status.end = stream->end;
    status.expired = stream->expired;
    status.age_max = stream->age_max;
    status.bytes_max = stream->bytes_max;
    status.when_full = stream->when_full;
    all.push_back(std::move(status));
  }
  return all;
}

DiskStatus Journal::Disk() const { return impl_->janitor->disk(); }

std::vector<Marker> Journal::Markers() const {
  std::lock_guard lock(impl_->state.mutex);
  std::vector<Marker> all;
  for (const auto& kept : impl_->state.markers) all.push_back(kept.marker);
  return all;
}

bool Journal::created() const { return impl_->state.created; }
bool Journal::places_lost() const { return impl_->state.places_lost; }
Status Journal::PlacesAreTaken() {
  JournalState& state = impl_->state;
  if (!state.places_lost) return {};
  StoreBatch batch;
  batch.Delete(state.meta, kPlacesLostKey);
  if (auto written = state.Write(batch, true); !written) return written;
  state.places_lost = false;
  return {};
}
SystemTime Journal::AgeNow() const { return impl_->state.accept_clock->AgeNow(); }
Micros Journal::ClockOffset() const { return impl_->state.accept_clock->Offset(); }
bool Journal::healthy() const { return !impl_->state.failed; }
Journal::Counters Journal::counters() const { return impl_->queue->counters(); }
StoreStatus Journal::Store() const { return impl_->state.store->status(); }
Result<Sequence> Journal::Snapshot(
    const std::string& wanted, const std::function<Status(const std::string& dir)>& beside) const {
  std::string dir = wanted;
  while (dir.size() > 1 && dir.back() == '/') dir.pop_back();
  const std::lock_guard one_at_a_time(impl_->snapshots);
  struct stat there {};
  if (lstat(dir.c_str(), &there) == 0) return Fail(Code::kConflict, dir + " exists already");
  // Under another name until it is whole, or a half one would pass for a journal.
  // What is there of that name may be anybody's, and is left alone.
  const std::string partial = dir + ".partial";
  if (auto made = MakeNewDirectory(partial); !made) return tl::unexpected(made.error());
  auto end = impl_->SnapshotTo(partial);
  if (end && beside) {
    if (auto put = beside(partial); !put) end = tl::unexpected(put.error());
  }
  if (end) {
    if (auto named = RenameDirectory(partial, dir); !named) end = tl::unexpected(named.error());
  }
  std::error_code ignored;
  if (!end) {
    CountJournalError(JournalOp::kSnapshot);
    std::filesystem::remove_all(partial, ignored);
  }
  return end;
}
Result<Sequence> Journal::Impl::SnapshotTo(const std::string& dir) const {
  // What is durable now is in the copy; what comes meanwhile may be.
  DurableMark mark;
  {
    const std::lock_guard lock(state.mark_mutex);
    mark = state.durable;
  }
  if (auto copied = state.store->Snapshot(dir + "/db"); !copied) {
    return tl::unexpected(copied.error());
  }
  Watermark watermark;
  Status kept = watermark.Open(dir);
  if (kept) kept = watermark.Write(mark);
  if (kept) kept = watermark.Sync();
  if (kept) kept = WriteFormatFile(dir);
  if (!kept) return tl::unexpected(kept.error());
  return mark.end;
}
ScrubStatus Journal::Scrub() const { return impl_->scrubber->status(); }
Status Journal::RunScrub() { return impl_->scrubber->RunOnce(); }
Status Journal::SetBounds(const std::vector<StreamOptions>& streams) {
  const auto& open = impl_->state.streams;
  const auto find = [&](const StreamOptions& bounds) {
    return std::find_if(open.begin(), open.end(), [&](const auto& stream) {
      return stream->configured && stream->options.name == bounds.name;
    });
  };
  for (const StreamOptions& bounds : streams) {
    if (find(bounds) != open.end()) continue;
    return Fail(Code::kNotFound, "the stream '" + bounds.name + "' is not open");
  }
  const std::lock_guard together(impl_->state.mutex);
  for (const StreamOptions& bounds : streams) (*find(bounds))->SetBounds(bounds);
  return {};
}
Status Journal::RunRetention() { return impl_->janitor->RunOnce(); }

}  // namespace spool
