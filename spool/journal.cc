#include "spool/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "base/assert.h"
#include "base/log.h"
#include "spool/codec.h"
#include "spool/commit_queue.h"
#include "spool/janitor.h"
#include "spool/journal_state.h"
#include "spool/reader.h"
#include "spool/records.h"

namespace spool {

namespace {

constexpr std::string_view kFormat = "spool-journal 1";
constexpr std::string_view kFamilyPrefix = "stream:";

// Holds the directory: at most one process may acknowledge into it.
class DirectoryLock {
 public:
  ~DirectoryLock() {
    if (fd_ >= 0) close(fd_);
  }
  Status Take(const std::string& dir) {
    std::error_code error;
    std::filesystem::create_directories(dir, error);
    if (error) {
      return Fail(Code::kStorage, "cannot make the data directory " + dir + ": " + error.message());
    }
    chmod(dir.c_str(), 0700);
    fd_ = open((dir + "/LOCK").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ < 0) {
      return Fail(Code::kStorage, "cannot open " + dir + "/LOCK: " + std::string(strerror(errno)));
    }
    if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      return Fail(Code::kConflict, "the data directory " + dir + " is in use by another process");
    }
    return {};
  }

 private:
  int fd_ = -1;
};

uint64_t FreeBytes(const std::string& dir) {
  struct statvfs volume {};
  if (statvfs(dir.c_str(), &volume) != 0) return 0;
  return uint64_t{volume.f_bavail} * volume.f_frsize;
}

// A full volume cannot be opened (recovery itself writes), so some room is kept aside.
void FreeReserve(const JournalOptions& options) {
  const std::string path = options.dir + "/RESERVE";
  if (options.reserve_file_bytes == 0 || FreeBytes(options.dir) >= options.reserve_file_bytes) {
    return;
  }
  if (unlink(path.c_str()) == 0) log::Warn("The volume is full; the reserve file was freed.");
}
void KeepReserve(const JournalOptions& options) {
  const std::string path = options.dir + "/RESERVE";
  const uint64_t size = options.reserve_file_bytes;
  if (size == 0 || access(path.c_str(), F_OK) == 0 || FreeBytes(options.dir) < 4 * size) return;
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return;
  const bool kept = posix_fallocate(fd, 0, static_cast<off_t>(size)) == 0;
  close(fd);
  if (!kept) unlink(path.c_str());
}

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
  }
  return {};
}

}  // namespace

class Journal::Impl {
 public:
  ~Impl() {
    janitor.reset();
    queue.reset();
    dead_letters.reset();
    records.reset();
    for (const auto& [name, cursor] : state.cursors) SPOOL_ASSERT(!cursor.open);
    // A clean stop leaves nothing to the next start's recovery but what a crash would.
    if (!state.failed && state.store != nullptr) {
      StoreBatch batch;
      for (const auto& [name, cursor] : state.cursors) {
        batch.Put(state.meta, state.CursorKey(name), state.EncodeCursor(cursor));
      }
      batch.Put(state.meta, "format", kFormat);
      static_cast<void>(state.Write(batch, true));
    }
    state.store.reset();
  }

  Status Open() {
    if (auto taken = lock.Take(state.options.dir); !taken) return taken;
    FreeReserve(state.options);
    std::vector<std::string> families = {"dead_letters"};
    for (const auto& stream : state.options.streams) {
      families.push_back(std::string(kFamilyPrefix) + stream.name);
    }
    const std::string dir = state.options.dir + "/db";
    auto store = RocksStore::Open(dir, families, state.options.env);
    if (!store) return tl::unexpected(store.error());
    state.store = std::move(*store);
    state.meta = state.store->Family("default");
    state.dead = state.store->Family("dead_letters");
    if (auto checked = CheckFormat(); !checked) return checked;
    if (auto loaded = LoadStreams(); !loaded) return loaded;
    if (auto loaded = LoadCursors(); !loaded) return loaded;
    if (auto loaded = LoadMarkers(); !loaded) return loaded;
    auto dead = OpenDeadLetters(state);
    if (!dead) return tl::unexpected(dead.error());
    dead_letters = std::move(*dead);
    records = MakeRecords(state);
    Dedupe dedupe(state.options.dedupe_window, state.options.dedupe_entries);
    if (auto rebuilt = Rebuild(dedupe); !rebuilt) return rebuilt;
    queue = std::make_unique<CommitQueue>(state, std::move(dedupe));
    KeepReserve(state.options);
    janitor = std::make_unique<Janitor>(state);
    return {};
  }

  Status CheckFormat() {
    auto format = state.store->Get(state.meta, "format");
    if (!format) return tl::unexpected(format.error());
    if (*format) {
      if (**format == kFormat) return {};
      return Fail(Code::kInvalid, "the data directory has the format '" + **format +
                                      "', which this version cannot read");
    }
    state.created = true;
    StoreBatch batch;
    batch.Put(state.meta, "format", kFormat);
    return state.Write(batch, true);
  }

  Status LoadStreams() {
    std::vector<StreamOptions> all = state.options.streams;
    const size_t configured = all.size();
    for (const std::string& family : state.store->Families()) {
      if (family.rfind(kFamilyPrefix, 0) != 0) continue;
      const std::string name = family.substr(kFamilyPrefix.size());
      if (std::none_of(all.begin(), all.end(), [&](const auto& s) { return s.name == name; })) {
        StreamOptions kept;
        kept.name = name;
        all.push_back(kept);
      }
    }
    if (all.size() > kStreamsMax) return Fail(Code::kInvalid, "the journal has too many streams");
    for (size_t i = 0; i < all.size(); ++i) {
      auto stream = std::make_unique<StreamState>();
      stream->id = {static_cast<uint8_t>(i)};
      stream->options = all[i];
      stream->configured = i < configured;
      stream->family = state.store->Family(std::string(kFamilyPrefix) + all[i].name);
      if (auto loaded = LoadStream(*stream); !loaded) return loaded;
      state.end = std::max({state.end, stream->end});
      if (stream->newest) state.last_accepted = std::max(state.last_accepted, *stream->newest);
      state.streams.push_back(std::move(stream));
    }
    return {};
  }

  Status LoadStream(StreamState& stream) {
    auto trim = state.store->Get(state.meta, "t/" + stream.options.name);
    if (!trim) return tl::unexpected(trim.error());
    if (*trim) {
      auto decoded = DecodeTrim(**trim);
      if (!decoded) return tl::unexpected(decoded.error());
      stream.trim = *decoded;
      state.store->DropBefore(stream.family, codec::SequenceKey(stream.trim.sequence.value));
    }
    stream.end = stream.trim.sequence;
    stream.end_ordinal = stream.trim.ordinal;
    stream.end_bytes = stream.trim.bytes;
    stream.end_raw_bytes = stream.trim.raw_bytes;
    stream.last_hash = stream.trim.hash;
    const auto it = state.store->NewIterator(stream.family);
    it->SeekToLast();
    if (auto status = it->status(); !status) return status;
    if (!it->Valid() || codec::SequenceOfKey(it->key()) < stream.trim.sequence.value) return {};
    auto last = ParseChunk(it->value());
    if (!last)
      return Fail("the newest chunk of stream '" + stream.options.name + "'", last.error());
    stream.end = last->header.end();
    stream.end_ordinal = last->header.ordinal + last->header.count;
    stream.end_bytes = last->header.bytes_before + it->value().size();
    stream.end_raw_bytes = last->header.raw_before + last->header.raw_bytes;
    stream.last_hash = last->header.hash;
    stream.newest = last->header.accepted;
    it->Seek(codec::SequenceKey(stream.trim.sequence.value));
    if (auto status = it->status(); !status) return status;
    auto first = ParseChunk(it->value());
    if (!first)
      return Fail("the oldest chunk of stream '" + stream.options.name + "'", first.error());
    if (first->header.ordinal != stream.trim.ordinal) {
      return Fail(Code::kDamaged,
                  "stream '" + stream.options.name + "' does not begin where retention left it");
    }
    stream.oldest = first->header.accepted;
    return {};
  }

  Status LoadCursors() {
    const auto it = state.store->NewIterator(state.meta);
    for (it->Seek("c/"); it->Valid() && it->key().substr(0, 2) == "c/"; it->Next()) {
      std::string name(it->key().substr(2));
      auto cursor = DecodeCursor(state, name, it->value());
      if (!cursor) return tl::unexpected(cursor.error());
      for (const auto& place : cursor->places) {
        if (place.next > state.streams[place.stream.value]->end_ordinal) {
          return Fail(Code::kDamaged, "the cursor '" + name +
                                          "' lies beyond the end: acknowledged events are missing");
        }
      }
      // The end may lie behind a cursor that had passed over sequences of other streams only.
      state.end = std::max(state.end, cursor->next);
      state.cursors.emplace(std::move(name), std::move(*cursor));
    }
    return it->status();
  }

  Status LoadMarkers() {
    const auto it = state.store->NewIterator(state.meta);
    for (it->Seek("m/"); it->Valid() && it->key().substr(0, 2) == "m/"; it->Next()) {
      auto marker = DecodeMarker(it->value());
      if (!marker) return tl::unexpected(marker.error());
      state.markers.push_back(std::move(*marker));
      state.next_marker = codec::SequenceOfKey(it->key().substr(2)) + 1;
    }
    return it->status();
  }

  // The dedupe horizon from the ids in the chunk headers of the tail.
  Status Rebuild(Dedupe& dedupe) const {
    struct Tail {
      Sequence first;
      SystemTime accepted;
      std::vector<Hash128> keys;
    };
    std::vector<Tail> tails;
    const SystemTime oldest = state.last_accepted - state.options.dedupe_window;
    if (state.options.dedupe_entries == 0 || state.options.dedupe_window.count() == 0) return {};
    for (const auto& stream : state.streams) {
      size_t taken = 0;
      const auto it = state.store->NewIterator(stream->family);
      for (it->SeekToLast(); it->Valid() && taken < state.options.dedupe_entries; it->Prev()) {
        if (codec::SequenceOfKey(it->key()) < stream->trim.sequence.value) break;
        auto chunk = ParseChunk(it->value(), true);
        if (!chunk) return Fail("stream '" + stream->options.name + "'", chunk.error());
        if (chunk->header.accepted < oldest) break;
        Tail tail{chunk->header.first, chunk->header.accepted, {}};
        size_t at = 0;
        for (const auto& [origin, count] : chunk->header.origins) {
          for (uint32_t i = 0; i < count; ++i, at += 16) {
            Hash128 id;
            std::copy_n(chunk->ids.data() + at, 16, reinterpret_cast<char*>(id.bytes.data()));
            tail.keys.push_back(Dedupe::Key(origin, id));
          }
        }
        taken += tail.keys.size();
        tails.push_back(std::move(tail));
      }
      if (auto status = it->status(); !status) return status;
    }
    std::sort(tails.begin(), tails.end(),
              [](const Tail& a, const Tail& b) { return a.first < b.first; });
    for (const Tail& tail : tails) {
      for (const Hash128& key : tail.keys) dedupe.SeenOrAdd(key, tail.accepted);
    }
    return {};
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

  DirectoryLock lock;
  JournalState state;
  std::unique_ptr<DeadLetters> dead_letters;
  std::unique_ptr<Records> records;
  std::unique_ptr<CommitQueue> queue;
  std::unique_ptr<Janitor> janitor;
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
  const JournalState& state = impl_->state;
  if (state.failed) return done(Fail(Code::kStorage, "the journal has failed"));
  if (!events.empty() && state.disk_full) {
    return done(Fail(Code::kFull, "the volume has less free space than the reserve"));
  }
  for (const Event& event : events) {
    if (event.stream.value >= state.streams.size()) {
      return done(Fail(Code::kInvalid, "there is no such stream"));
    }
    const StreamState& stream = *state.streams[event.stream.value];
    if (stream.full) {
      return done(Fail(Code::kFull, "the stream '" + stream.options.name + "' is full"));
    }
  }
  impl_->queue->Append(std::move(events), origin, std::move(done));
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
  state.moved.wait_for(lock, stop, timeout, [&] { return state.end > from || state.failed; });
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
    status.raw_bytes = stream->end_raw_bytes - stream->trim.raw_bytes;
    if (status.events > 0) {
      status.oldest = stream->oldest;
      status.newest = stream->newest;
    }
    status.first = status.events > 0 ? stream->trim.sequence : stream->end;
    status.evicted = stream->trim.ordinal;
    status.age_max = stream->options.age_max;
    status.bytes_max = stream->options.bytes_max;
    status.when_full = stream->options.when_full;
    all.push_back(std::move(status));
  }
  return all;
}

DiskStatus Journal::Disk() const { return impl_->janitor->disk(); }

std::vector<Marker> Journal::Markers() const {
  std::lock_guard lock(impl_->state.mutex);
  return {impl_->state.markers.begin(), impl_->state.markers.end()};
}

bool Journal::created() const { return impl_->state.created; }
bool Journal::healthy() const { return !impl_->state.failed; }
Journal::Counters Journal::counters() const { return impl_->queue->counters(); }
Status Journal::RunRetention() { return impl_->janitor->RunOnce(); }

}  // namespace spool
