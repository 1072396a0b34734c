#include "spool/janitor.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "base/thread.h"
#include "spool/codec.h"
#include "spool/directory.h"
#include "spool/retention.h"

namespace spool {
namespace {

constexpr std::chrono::seconds kEvery{1};
constexpr Millis kSoon{100};
constexpr int kChunksPerPass = 4096;
constexpr uint64_t kDiskBytesPerPass = uint64_t{8} << 20;  // at least, when the disk is low
constexpr std::chrono::seconds kReclaimEvery{5};
constexpr std::chrono::minutes kAlarmBefore{30};
constexpr uint64_t kAlarmPercent = 10;

}  // namespace

// One stream's chunks from the oldest on, as far as they were published when the sweep began.
struct Janitor::Sweep {
  StreamState* stream = nullptr;
  Sequence end;
  uint64_t end_bytes = 0;
  Sequence settled;  // everything below is settled by every cursor that pins it
  spool::Trim begun;
  spool::Trim trim;  // where the stream will begin
  std::unique_ptr<RocksStore::Iterator> it;
  std::optional<ChunkHeader> oldest;  // the chunk at `trim`

  // Takes a look at the chunk under the iterator.
  Status Look() {
    oldest.reset();
    if (auto status = it->status(); !status) return status;
    if (!it->Valid()) return {};
    auto chunk = ParseChunk(it->value(), true);
    if (!chunk) return Fail("stream '" + stream->options.name + "'", chunk.error());
    if (chunk->header.end() <= end) oldest = std::move(chunk->header);
    return {};
  }
  // Gives up the oldest chunk.
  Status Drop() {
    trim.sequence = oldest->end();
    trim.ordinal = oldest->ordinal + oldest->count;
    trim.bytes = oldest->bytes_before + it->value().size();
    trim.raw_bytes = oldest->raw_before + oldest->raw_bytes;
    trim.hash = oldest->hash;
    it->Next();
    return Look();
  }
  bool OldestIsSettled() const { return oldest->end() <= settled; }
};

Janitor::Janitor(JournalState& state) : state_(state) {
  for (const auto& stream : state_.streams) NoteNeeded(*stream);
  Forecast();
  state_.volume->OnLess([this] {
    urgent_ = true;
    wait_.notify_all();
  });
  thread_ = StartThread("janitor", [this](std::stop_token stop) {
    Millis pause = kEvery;
    while (!stop.stop_requested()) {
      {
        std::unique_lock lock(wait_mutex_);
        wait_.wait_for(lock, stop, pause, [&] { return urgent_.load(); });
      }
      if (stop.stop_requested()) return;
      urgent_ = false;
      if (auto done = RunOnce(); !done && !state_.failed) {
        static log::Limiter limiter(60);
        uint64_t held = 0;
        if (limiter.Allow(&held)) {
          log::Error("Retention cannot work on the journal.", {{"detail", done.error().message}});
        }
      }
      // What is written meanwhile may be more than one pass gives up.
      pause = gave_way_ && state_.volume->room() >= Room::kReserve ? kSoon : Millis(kEvery);
    }
  });
}

Janitor::~Janitor() {
  state_.volume->OnLess([] {});
  thread_.request_stop();
  wait_.notify_all();
}

DiskStatus Janitor::disk() const {
  std::lock_guard lock(disk_mutex_);
  return disk_;
}

// How much the stream holds that some target still needs.
void Janitor::NoteNeeded(StreamState& stream) {
  const Sweep sweep = Begin(stream);
  uint64_t needed = sweep.end_bytes - sweep.trim.bytes;
  if (sweep.settled >= sweep.end) {
    needed = 0;
  } else if (sweep.settled > sweep.trim.sequence) {
    sweep.it->SeekForPrev(codec::SequenceKey(sweep.settled.value));
    if (sweep.it->Valid() && codec::SequenceOfKey(sweep.it->key()) >= sweep.trim.sequence.value) {
      // What is damaged counts as needed.
      const auto chunk = ParseChunk(sweep.it->value(), true);
      if (chunk) needed = sweep.end_bytes - chunk->header.bytes_before;
    }
  }
  stream.needed_bytes = needed;
}

void Janitor::Forecast() {
  const Volume& volume = *state_.volume;
  DiskStatus disk;
  disk.used_bytes = state_.store->DiskBytes();
  disk.free_bytes = volume.free_bytes();
  disk.capacity_bytes = volume.capacity_bytes();
  disk.below_reserve = volume.room() >= Room::kReserve;
  const uint64_t reserve = volume.marks().reserve;
  disk.room_bytes = disk.free_bytes - std::min(disk.free_bytes, reserve);
  for (const auto& stream : state_.streams) {
    std::lock_guard lock(state_.mutex);
    const uint64_t bytes = stream->end_bytes - stream->trim.bytes;
    disk.room_bytes += bytes - std::min<uint64_t>(bytes, stream->needed_bytes);
  }
  if (reserve > 0) {
    fill_rate_.Note(state_.options.clock->Steady(), disk.room_bytes);
    disk.full_in = fill_rate_.TimeLeft();
    const uint64_t whole = disk.capacity_bytes - std::min(disk.capacity_bytes, reserve);
    disk.alarm = disk.below_reserve || (disk.full_in && *disk.full_in < kAlarmBefore) ||
                 disk.room_bytes < whole / 100 * kAlarmPercent;
  }
  const bool before = disk_.alarm;
  {
    std::lock_guard lock(disk_mutex_);
    disk_ = disk;
  }
  static log::Limiter limiter(60);
  if (uint64_t held = 0; disk.alarm && !before && !disk.below_reserve && limiter.Allow(&held)) {
    log::Warn("The volume fills with events that targets still need.",
              {{"room_bytes", disk.room_bytes},
               {"full_in_seconds", disk.full_in ? disk.full_in->count() / 1'000'000 : -1}});
  }
}

Status Janitor::RunOnce() {
  std::lock_guard pass(pass_);
  if (state_.failed) return {};
  state_.volume->Look();
  if (auto synced = state_.watermark.Sync(); !synced) {
    state_.Poison(synced.error());
    return synced;
  }
  const SystemTime now = state_.accept_clock->AgeNow();
  // One stream that cannot be read does not keep the others from their limits.
  Status first;
  const auto note = [&](Status status) {
    if (first && !status) first = std::move(status);
  };
  for (const auto& stream : state_.streams) {
    bool more = true;
    while (more && !state_.failed) {
      more = false;
      note(TrimByAgeAndSize(*stream, now, more));
    }
  }
  gave_way_ = false;
  if (state_.volume->room() != Room::kAmple) note(TrimForDisk(now));
  KeepRoom();
  for (const auto& stream : state_.streams) NoteNeeded(*stream);
  Forecast();
  return first;
}

Janitor::Sweep Janitor::Begin(StreamState& stream) const {
  Sweep sweep;
  sweep.stream = &stream;
  {
    std::lock_guard lock(state_.mutex);
    sweep.begun = sweep.trim = stream.trim;
    sweep.end = sweep.settled = stream.end;
    sweep.end_bytes = stream.end_bytes;
    for (const auto& [name, cursor] : state_.cursors) {
      if (!cursor.pins) continue;
      for (const auto& place : cursor.places) {
        if (place.stream != stream.id || place.next >= stream.end_ordinal) continue;
        sweep.settled = std::min(sweep.settled, cursor.next);
      }
    }
  }
  sweep.it = state_.store->NewIterator(stream.family);
  sweep.it->Seek(codec::SequenceKey(sweep.trim.sequence.value));
  return sweep;
}

Status Janitor::TrimByAgeAndSize(StreamState& stream, SystemTime now, bool& more) {
  Sweep sweep = Begin(stream);
  RetentionView view;
  view.settled = sweep.settled;
  {
    std::lock_guard lock(state_.mutex);
    view.age_max = stream.age_max;
    view.bytes_max = stream.bytes_max;
    view.when_full = stream.when_full;
  }
  view.now = now;
  bool full = false;
  const char* cause = "";
  Status looked = sweep.Look();
  for (int chunks = 0; looked && sweep.oldest; ++chunks) {
    view.retained_bytes = sweep.end_bytes - sweep.trim.bytes;
    const RetentionRuling ruling = Judge(view, sweep.oldest->end(), sweep.oldest->accepted);
    full = ruling.full;
    more = ruling.drop && chunks == kChunksPerPass;
    if (!ruling.drop || more) break;
    cause = ruling.cause;
    looked = sweep.Drop();
  }
  // What cannot be read cannot give way; the limit holds all the same.
  if (!looked && view.bytes_max > 0) full = sweep.end_bytes - sweep.trim.bytes >= view.bytes_max;
  if (full != stream.full.exchange(full)) {
    full ? log::Error("The stream is full of events that targets still need; new ones are refused.",
                      {{"stream", stream.options.name}})
         : log::Info("The stream has room again.", {{"stream", stream.options.name}});
  }
  if (auto finished = Finish(sweep, cause, now); !finished) return finished;
  return looked;
}

Status Janitor::TrimForDisk(SystemTime now) {
  std::vector<Sweep> sweeps;
  std::vector<std::optional<DiskCandidate>> oldest;
  Status first;
  const auto look = [&](size_t i) {
    const Sweep& sweep = sweeps[i];
    oldest[i].reset();
    if (!sweep.oldest) return;
    oldest[i] =
        DiskCandidate{sweep.oldest->accepted, sweep.OldestIsSettled(), sweep.stream->when_full};
  };
  for (const auto& stream : state_.streams) {
    sweeps.push_back(Begin(*stream));
    oldest.emplace_back();
    if (auto looked = sweeps.back().Look(); !looked && first) first = looked;
    look(sweeps.size() - 1);
  }
  // What is settled has to be gone everywhere before anything that a target still needs.
  const Volume& volume = *state_.volume;
  const bool undelivered =
      volume.room() >= Room::kReserve && !ChooseForDisk(oldest, /*undelivered=*/false);
  const uint64_t wanted = undelivered ? volume.marks().again : volume.marks().ample;
  const uint64_t missing = wanted - std::min(wanted, volume.free_bytes());
  for (uint64_t dropped = 0; dropped < std::max(missing, kDiskBytesPerPass);) {
    const auto chosen = ChooseForDisk(oldest, undelivered);
    if (!chosen) break;
    Sweep& sweep = sweeps[*chosen];
    const uint64_t before = sweep.trim.bytes;
    if (auto looked = sweep.Drop(); !looked && first) first = looked;
    dropped += sweep.trim.bytes - before;
    look(*chosen);
  }
  for (Sweep& sweep : sweeps) {
    if (sweep.trim.sequence != sweep.begun.sequence) gave_way_ = true;
    if (auto finished = Finish(sweep, "disk", now); !finished) return finished;
  }
  return first;
}

// What was trimmed is not free yet where a table holds more than that, and a log is kept until all
// that is in it is in a table: on a small volume that can be most of it.
void Janitor::KeepRoom() {
  const Volume& volume = *state_.volume;
  if (volume.room() == Room::kAmple) {
    KeepReserve(state_.options.dir, state_.options.reserve_file_bytes, volume.marks().ample);
    return;
  }
  const SteadyTime now = state_.options.clock->Steady();
  const bool low = volume.room() >= Room::kReserve;
  if (!(low && trimmed_) && now - reclaimed_ < kReclaimEvery) return;
  trimmed_ = false;
  reclaimed_ = now;
  state_.store->Reclaim(volume.free_bytes());
  state_.volume->Look();
}

Status Janitor::Finish(Sweep& sweep, const char* cause, SystemTime now) {
  if (sweep.trim.sequence == sweep.begun.sequence) return {};
  StreamState& stream = *sweep.stream;
  Marker marker{Marker::Kind::kEvicted,
                stream.options.name,
                {sweep.begun.sequence, sweep.trim.sequence},
                sweep.trim.ordinal - sweep.begun.ordinal,
                0,
                sweep.trim.bytes - sweep.begun.bytes,
                cause,
                now};
  // Synced, before anything is reclaimed: no power cut brings back a cursor older than this.
  StoreBatch batch;
  batch.Put(state_.meta, "t/" + stream.options.name, EncodeTrim(sweep.trim));
  {
    std::lock_guard lock(state_.mutex);
    uint64_t needed_from = sweep.trim.ordinal;  // as cursors stand now, not when the sweep began
    for (const auto& [name, cursor] : state_.cursors) {
      if (!cursor.pins) continue;
      for (const auto& place : cursor.places) {
        if (place.stream == stream.id) needed_from = std::min(needed_from, place.next);
      }
    }
    marker.undelivered = sweep.trim.ordinal - std::max(needed_from, sweep.begun.ordinal);
    state_.AddMarker(batch, marker);
  }
  if (auto written = state_.Write(batch, true); !written) return written;
  {
    std::lock_guard lock(state_.mutex);
    const auto& names = Expired::kNames;
    const auto why = std::find(names.begin(), names.end(), marker.cause) - names.begin();
    SPOOL_ASSERT(static_cast<size_t>(why) < names.size());
    stream.expired.undelivered[static_cast<size_t>(why)] += marker.undelivered;
    stream.expired.delivered[static_cast<size_t>(why)] += marker.events - marker.undelivered;
    stream.trim = sweep.trim;
    if (sweep.oldest) {
      stream.oldest = sweep.oldest->accepted;
    } else {  // what came since the sweep began is newer than that
      stream.oldest = sweep.trim.sequence >= stream.end ? std::nullopt : stream.newest;
    }
  }
  if (marker.undelivered > 0) {
    log::Error("Events were evicted before every target had them.",
               {{"stream", stream.options.name},
                {"first", ToText(marker.range.first)},
                {"end", ToText(marker.range.end)},
                {"undelivered", marker.undelivered},
                {"cause", marker.cause}});
  }
  trimmed_ = true;
  sweep.it.reset();  // or it would keep the files alive
  state_.store->DropBefore(stream.family, codec::SequenceKey(sweep.trim.sequence.value));
  return {};
}

}  // namespace spool
