#include "spool/janitor.h"

#include <sys/statvfs.h>

#include <algorithm>

#include "base/log.h"
#include "base/thread.h"
#include "spool/codec.h"
#include "spool/retention.h"

namespace spool {
namespace {

constexpr std::chrono::seconds kEvery{1};
constexpr int kChunksPerPass = 4096;
constexpr int kChunksPerPassDisk = 64;  // gently: the disk may recover by itself

struct Plan {
  Trim trim;
  uint64_t events = 0;
  uint64_t undelivered = 0;
  std::string cause;
  bool full = false;
  std::optional<SystemTime> oldest;
};

}  // namespace

Janitor::Janitor(JournalState& state) : state_(state) {
  LookAtDisk();
  thread_ = StartThread("janitor", [this](std::stop_token stop) {
    std::unique_lock lock(wait_mutex_);
    while (!wait_.wait_for(lock, stop, kEvery, [&] { return stop.stop_requested(); })) {
      if (auto done = RunOnce(); !done && !state_.failed) {
        static log::Limiter limiter(60);
        uint64_t held = 0;
        if (limiter.Allow(&held)) {
          log::Error("Retention cannot work on the journal.", {{"detail", done.error().message}});
        }
      }
      if (stop.stop_requested()) return;
    }
  });
}

Janitor::~Janitor() {
  thread_.request_stop();
  wait_.notify_all();
}

DiskStatus Janitor::disk() const {
  std::lock_guard lock(disk_mutex_);
  return disk_;
}

void Janitor::LookAtDisk() {
  struct statvfs volume {};
  DiskStatus disk;
  disk.used_bytes = state_.store->DiskBytes();
  if (statvfs(state_.options.dir.c_str(), &volume) == 0) {
    disk.free_bytes = uint64_t{volume.f_bavail} * volume.f_frsize;
    disk.capacity_bytes = uint64_t{volume.f_blocks} * volume.f_frsize;
    const uint64_t reserve = state_.options.disk_reserve_bytes;
    disk.below_reserve = reserve > 0 && disk.free_bytes < reserve;
  }
  if (disk.below_reserve != state_.disk_full.exchange(disk.below_reserve)) {
    if (disk.below_reserve) {
      log::Error(
          "The volume has less free than the reserve; new events are refused.",
          {{"free_bytes", disk.free_bytes}, {"reserve_bytes", state_.options.disk_reserve_bytes}});
    } else {
      log::Info("The volume has room again; new events are taken.",
                {{"free_bytes", disk.free_bytes}});
    }
  }
  std::lock_guard lock(disk_mutex_);
  disk_ = disk;
}

Status Janitor::RunOnce() {
  std::lock_guard pass(pass_);
  if (state_.failed) return {};
  LookAtDisk();
  SystemTime now;
  std::vector<StreamState*> streams;
  {
    std::lock_guard lock(state_.mutex);
    // Age is measured against the accept clock, which a jump of the wall clock does not move.
    const SystemTime wall = state_.options.clock->Now();
    now = wall - state_.last_accepted > std::chrono::hours(24 * 365)
              ? state_.last_accepted
              : std::max(wall, state_.last_accepted);
    for (const auto& stream : state_.streams) streams.push_back(stream.get());
    std::sort(streams.begin(), streams.end(), [](const StreamState* a, const StreamState* b) {
      return a->oldest.value_or(SystemTime::max()) < b->oldest.value_or(SystemTime::max());
    });
  }
  for (StreamState* stream : streams) {
    if (auto trimmed = Trim(*stream, now); !trimmed) return trimmed;
  }
  return {};
}

Status Janitor::Trim(StreamState& stream, SystemTime now) {
  Plan plan;
  RetentionView view;
  Sequence end;
  uint64_t end_bytes;
  uint64_t needed_from = 0;  // the lowest ordinal that some pinning cursor has not settled
  {
    std::lock_guard lock(state_.mutex);
    plan.trim = stream.trim;
    end = stream.end;
    end_bytes = stream.end_bytes;
    needed_from = stream.end_ordinal;
    view.settled = end;
    for (const auto& [name, cursor] : state_.cursors) {
      if (!cursor.pins) continue;
      for (const auto& place : cursor.places) {
        if (place.stream != stream.id || place.next >= stream.end_ordinal) continue;
        view.settled = std::min(view.settled, cursor.next);
        needed_from = std::min(needed_from, place.next);
      }
    }
  }
  view.age_max = stream.options.age_max;
  view.bytes_max = stream.options.bytes_max;
  view.when_full = stream.options.when_full;
  view.now = now;
  view.disk_low = state_.disk_full;
  const Sequence begin = plan.trim.sequence;
  const uint64_t begin_ordinal = plan.trim.ordinal;
  const uint64_t begin_bytes = plan.trim.bytes;
  const auto it = state_.store->NewIterator(stream.family);
  int chunks = 0;
  const int chunks_max = view.disk_low ? kChunksPerPassDisk : kChunksPerPass;
  for (it->Seek(codec::SequenceKey(begin.value)); it->Valid(); it->Next()) {
    auto chunk = ParseChunk(it->value(), true);
    if (!chunk) return tl::unexpected(chunk.error());
    const ChunkHeader& header = chunk->header;
    if (header.end() > end) break;  // not published when this pass began
    view.retained_bytes = end_bytes - plan.trim.bytes;
    const RetentionRuling ruling = Judge(view, header.end(), header.accepted);
    plan.full = ruling.full;
    plan.oldest = header.accepted;
    if (!ruling.drop || ++chunks > chunks_max) break;
    plan.cause = ruling.cause;
    plan.oldest.reset();
    plan.trim.sequence = header.end();
    plan.trim.ordinal = header.ordinal + header.count;
    plan.trim.bytes = header.bytes_before + it->value().size();
    plan.trim.raw_bytes = header.raw_before + header.raw_bytes;
    plan.trim.hash = header.hash;
  }
  if (auto status = it->status(); !status) return status;
  if (plan.full != stream.full.exchange(plan.full)) {
    plan.full
        ? log::Error("The stream is full of events that targets still need; new ones are refused.",
                     {{"stream", stream.options.name}})
        : log::Info("The stream has room again.", {{"stream", stream.options.name}});
  }
  if (plan.trim.sequence == begin) return {};
  plan.events = plan.trim.ordinal - begin_ordinal;
  if (plan.trim.ordinal > needed_from) {
    plan.undelivered = plan.trim.ordinal - std::max(needed_from, begin_ordinal);
  }
  // Synced, before anything is reclaimed: no power cut brings back a cursor older than this.
  StoreBatch batch;
  batch.Put(state_.meta, "t/" + stream.options.name, EncodeTrim(plan.trim));
  {
    std::lock_guard lock(state_.mutex);
    state_.AddMarker(batch, {Marker::Kind::kEvicted,
                             stream.options.name,
                             {begin, plan.trim.sequence},
                             plan.events,
                             plan.undelivered,
                             plan.trim.bytes - begin_bytes,
                             plan.cause,
                             now});
  }
  if (auto written = state_.Write(batch, true); !written) return written;
  {
    std::lock_guard lock(state_.mutex);
    stream.trim = plan.trim;
    stream.oldest = plan.trim.sequence >= stream.end ? std::nullopt : plan.oldest;
  }
  if (plan.undelivered > 0) {
    log::Error("Events were evicted before every target had them.",
               {{"stream", stream.options.name},
                {"first", ToText(begin)},
                {"end", ToText(plan.trim.sequence)},
                {"undelivered", plan.undelivered},
                {"cause", plan.cause}});
  }
  state_.store->DropBefore(stream.family, codec::SequenceKey(plan.trim.sequence.value));
  return {};
}

}  // namespace spool
