#include "spool/commit_queue.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <thread>

#include "base/assert.h"
#include "base/thread.h"
#include "spool/codec.h"
#include "spool/packing.h"

namespace spool {
namespace {

constexpr size_t kQueueBytesMax = size_t{64} << 20;
constexpr size_t kGroupRawBytesMax = size_t{8} << 20;  // then nothing more joins the group
constexpr size_t kPackedBytesMax = size_t{8} << 20;    // then callers pack nothing

struct Request {
  std::vector<Event> events;
  std::string origin;
  std::vector<RecordPut> records;
  AppendDone done;
  size_t bytes = 0;
  std::vector<PackedPart> packed;  // all of `events`, or nothing
  size_t packed_bytes = 0;
};

struct Waiting {
  AppendDone done;
  std::vector<RecordPut> records;
  // Until the group is numbered, `first` is a place within the group's part of the stream.
  std::vector<AppendedPart> parts;
  size_t bytes = 0;
};

struct Group {
  struct Part {
    std::vector<ChunkBuilder::Packed> chunks;
    uint32_t count = 0;
  };
  std::vector<Part> parts;  // by StreamId
  std::vector<Waiting> waiting;
  SystemTime accepted;
  SteadyTime begun;
  size_t raw_bytes = 0;
  explicit Group(size_t streams) : parts(streams) {}
};

}  // namespace

struct CommitQueue::Impl {
  Impl(JournalState& s, Dedupe d)
      : state(s),
        dedupe(std::move(d)),
        compressor(s.options.compression_level),
        packing(s.options.compression_level),
        builders(s.streams.size()) {
    open = std::make_unique<Group>(state.streams.size());
    packer = StartThread("packer", [this](std::stop_token stop) { PackLoop(stop); });
    writer = StartThread("writer", [this](std::stop_token) { WriteLoop(); });
  }

  ~Impl() {
    {
      // Under the mutex, or the packer could miss it between looking and waiting.
      std::lock_guard lock(mutex);
      packer.request_stop();
    }
    wake_packer.notify_all();
    packer.join();
    {
      std::lock_guard lock(mutex);
      no_more_groups = true;
    }
    wake_writer.notify_all();
    writer.join();
  }

  // Room for so many bytes, until they are written. False when there is none.
  bool Reserve(size_t bytes) {
    const std::lock_guard lock(mutex);
    if (queued_bytes + bytes > kQueueBytesMax && queued_bytes > 0) return false;
    queued_bytes += bytes;
    return true;
  }
  // Whether the packer has enough to do without these.
  bool CallerPacks(size_t bytes) {
    if (bytes < state.options.caller_packs_bytes) return false;
    const std::lock_guard lock(mutex);
    return unpacked > 0 && packed < kPackedBytesMax;
  }
  void Push(Request request) {
    {
      const std::lock_guard lock(mutex);
      (request.packed.empty() ? unpacked : packed) +=
          request.packed.empty() ? request.bytes : request.packed_bytes;
      queue.push_back(std::move(request));
    }
    wake_packer.notify_one();
  }

  void PackLoop(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    for (;;) {
      wake_packer.wait(lock, [&] {
        return (stop.stop_requested() && queue.empty() && open->waiting.empty()) ||
               (!queue.empty() && CanTake()) || (!open->waiting.empty() && WriterIdle());
      });
      if (!queue.empty() && CanTake()) {
        std::deque<Request> taken;
        size_t bytes = open->raw_bytes, in_hand = 0, packed_in_hand = 0;
        while (!queue.empty() && bytes < kGroupRawBytesMax) {
          bytes += queue.front().bytes;
          if (queue.front().packed.empty()) in_hand += queue.front().bytes;
          packed_in_hand += queue.front().packed_bytes;
          taken.push_back(std::move(queue.front()));
          queue.pop_front();
        }
        lock.unlock();
        if (open->waiting.empty()) open->begun = state.options.clock->Steady();
        const SystemTime now = state.accept_clock->Now();
        for (Request& request : taken) Add(std::move(request), now);
        open->accepted = now;
        lock.lock();
        unpacked -= in_hand;
        packed -= packed_in_hand;
        continue;
      }
      if (!open->waiting.empty() && WriterIdle()) {
        lock.unlock();
        for (size_t i = 0; i < builders.size(); ++i) CloseChunk(i);
        lock.lock();
        handed = std::move(open);
        open = std::make_unique<Group>(state.streams.size());
        wake_writer.notify_one();
        continue;
      }
      if (stop.stop_requested() && queue.empty() && open->waiting.empty()) return;
    }
  }
  bool CanTake() const { return open->raw_bytes < kGroupRawBytesMax; }
  bool WriterIdle() const { return handed == nullptr && !writing; }

  void Add(Request request, SystemTime now) {
    for (const RecordPut& record : request.records) {
      open->raw_bytes += record.key.size() + record.value.size();
    }
    Waiting waiting{std::move(request.done), std::move(request.records), {}, request.bytes};
    std::vector<bool> repeated(request.events.size());
    for (size_t i = 0; i < request.events.size(); ++i) {
      const Event& event = request.events[i];
      Group::Part& part = open->parts[event.stream.value];
      AppendedPart& appended = PartOf(waiting.parts, event.stream, part.count);
      repeated[i] = dedupe.SeenOrAdd(Dedupe::Key(request.origin, event.id), now);
      if (repeated[i]) {
        ++appended.duplicates;
        continue;
      }
      ++appended.stored;
      ++part.count;
      open->raw_bytes += event.record.size();
    }
    const bool whole = std::ranges::find(repeated, true) == repeated.end();
    if (whole && !request.packed.empty()) {
      TakePacked(std::move(request.packed));
    } else {
      for (size_t i = 0; i < request.events.size(); ++i) {
        if (!repeated[i]) Build(request.events[i], request.origin);
      }
    }
    open->waiting.push_back(std::move(waiting));
  }

  void Build(const Event& event, std::string_view origin) {
    const size_t at = event.stream.value;
    builders[at].Add(event, origin);
    if (builders[at].raw_bytes() >= kChunkRawBytes) CloseChunk(at);
  }

  // After what came before it, which is closed for that.
  void TakePacked(std::vector<PackedPart> packed) {
    for (PackedPart& part : packed) {
      CloseChunk(part.stream.value);
      auto& chunks = open->parts[part.stream.value].chunks;
      std::ranges::move(part.chunks, std::back_inserter(chunks));
    }
  }

  // Requests are added one after the other, so that each has one place in a stream. They have few
  // streams: looking is cheaper than a table.
  static AppendedPart& PartOf(std::vector<AppendedPart>& parts, StreamId stream, uint32_t place) {
    for (AppendedPart& part : parts) {
      if (part.stream == stream) return part;
    }
    return parts.emplace_back(AppendedPart{stream, Sequence{place}});
  }

  void CloseChunk(size_t at) {
    if (builders[at].count() > 0) open->parts[at].chunks.push_back(builders[at].Pack(compressor));
  }

  void WriteLoop() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake_writer.wait(lock, [&] { return handed != nullptr || no_more_groups; });
      if (handed == nullptr) return;
      std::unique_ptr<Group> group = std::move(handed);
      writing = true;
      lock.unlock();
      Commit(*group);
      size_t bytes = 0;
      for (const Waiting& waiting : group->waiting) bytes += waiting.bytes;
      lock.lock();
      writing = false;
      queued_bytes -= bytes;
      wake_packer.notify_one();
    }
  }

  struct Moved {
    StreamState* stream;
    Sequence base;  // of the group's first event in it
    ChunkHeader last;
    uint64_t end_bytes;
    uint64_t end_raw_bytes;
  };

  // Numbers the group stream by stream and writes it. On success everything is durable.
  Status WriteGroup(const Group& group, std::vector<Moved>& moved, Sequence& next) {
    StoreBatch batch;
    const uint64_t stored_before = counts.stored_bytes;
    for (size_t i = 0; i < group.parts.size(); ++i) {
      const Group::Part& part = group.parts[i];
      if (part.chunks.empty()) continue;
      StreamState& stream = *state.streams[i];
      Moved change{&stream, next, {}, stream.end_bytes, stream.end_raw_bytes};
      uint64_t ordinal = stream.end_ordinal;
      Hash128 previous = stream.last_hash;
      for (const auto& packed : part.chunks) {
        ChunkHeader header;
        header.first = next;
        header.ordinal = ordinal;
        header.accepted = group.accepted;
        header.previous = previous;
        header.bytes_before = change.end_bytes;
        header.raw_before = change.end_raw_bytes;
        const std::string bytes = SealChunk(packed, &header);
        batch.Put(stream.family, codec::SequenceKey(next.value), bytes);
        next = next + packed.count;
        ordinal += packed.count;
        previous = header.hash;
        change.end_bytes += bytes.size();
        change.end_raw_bytes += packed.raw_bytes;
        counts.stored_bytes += bytes.size();
        counts.raw_bytes += packed.raw_bytes;
        change.last = std::move(header);
      }
      moved.push_back(std::move(change));
    }
    bool records = false;
    for (const Waiting& waiting : group.waiting) {
      for (const RecordPut& record : waiting.records) {
        batch.Put(state.meta, RecordKey(record.key), record.value);
        records = true;
      }
    }
    if (moved.empty() && records) return state.Write(batch, true);
    if (moved.empty())
      return state.failed ? Fail(Code::kStorage, "the journal has failed") : Status{};
    const SteadyTime before = state.options.clock->Steady();
    auto written = state.WriteEvents(batch);
    state.volume->Wrote(counts.stored_bytes - stored_before);
    sync_seconds.Observe((state.options.clock->Steady() - before).count());
    return written;
  }

  Status Mark(const std::vector<Moved>& moved, Sequence next) {
    std::vector<std::pair<std::string, uint64_t>> ordinals;
    for (const auto& stream : state.streams) {
      // Only this thread moves the ends.
      ordinals.emplace_back(stream->options.name, stream->end_ordinal);
    }
    for (const Moved& change : moved) {
      ordinals[change.stream->id.value].second = change.last.ordinal + change.last.count;
    }
    return state.RaiseMark(next, std::move(ordinals));
  }

  void Publish(const Group& group, const std::vector<Moved>& moved, Sequence next) {
    {
      std::lock_guard lock(state.mutex);
      for (const Moved& change : moved) {
        StreamState& stream = *change.stream;
        SPOOL_ASSERT(change.last.end() > stream.end);
        stream.end = change.last.end();
        stream.end_ordinal = change.last.ordinal + change.last.count;
        stream.end_bytes = change.end_bytes;
        stream.end_raw_bytes = change.end_raw_bytes;
        stream.last_hash = change.last.hash;
        stream.ends_lost = false;
        stream.newest = group.accepted;
        if (!stream.oldest) stream.oldest = group.accepted;
      }
      SPOOL_ASSERT(next >= state.end);
      state.end = next;
      state.last_accepted = group.accepted;
    }
    state.moved.notify_all();
  }

  void Commit(Group& group) {
    std::vector<Moved> moved;
    Sequence next = state.end;  // only this thread moves it
    const Sequence first = next;
    Status written = WriteGroup(group, moved, next);
    // Before any answer: who was answered can be missed at the next start.
    if (written && !moved.empty()) written = Mark(moved, next);
    if (written && !moved.empty()) Publish(group, moved, next);
    if (written) {
      counts.commits += 1;
      counts.commit_events += next - first;
      commit_seconds.Observe((state.options.clock->Steady() - group.begun).count());
      commit_sizes.Observe(static_cast<int64_t>(next - first));
    }
    std::vector<Sequence> bases(state.streams.size());
    for (const Moved& change : moved) bases[change.stream->id.value] = change.base;
    for (Waiting& waiting : group.waiting) {
      if (!written) {
        waiting.done(tl::unexpected(written.error()));
        continue;
      }
      AppendResult result;
      result.parts = std::move(waiting.parts);
      for (AppendedPart& part : result.parts) {
        result.duplicates += part.duplicates;
        part.first = part.stored == 0 ? Sequence{} : bases[part.stream.value] + part.first.value;
        if (part.stored == 0) continue;
        const Sequence last = part.first + (part.stored - 1);
        if (result.stored == 0 || part.first < result.first) result.first = part.first;
        if (last > result.last) result.last = last;
        result.stored += part.stored;
      }
      counts.duplicates += result.duplicates;
      waiting.done(std::move(result));
    }
  }

  JournalState& state;
  Dedupe dedupe;                       // packer
  ChunkCompressor compressor;          // packer
  Packing packing;                     // any thread
  std::vector<ChunkBuilder> builders;  // packer, by StreamId
  std::unique_ptr<Group> open;  // packer; only `waiting` and `raw_bytes` are asked under mutex

  std::mutex mutex;
  std::condition_variable wake_packer;
  std::condition_variable wake_writer;
  std::deque<Request> queue;
  size_t queued_bytes = 0;
  std::unique_ptr<Group> handed;
  size_t unpacked = 0;  // bytes of requests that the packer has before it or in hand
  size_t packed = 0;    // of chunks that others made, beside the events they are of
  bool writing = false;
  bool no_more_groups = false;

  struct {
    std::atomic<uint64_t> commits{0}, commit_events{0}, duplicates{0}, raw_bytes{0},
        stored_bytes{0};
  } counts;
  Histogram commit_seconds{Histogram::kBriefly};
  Histogram sync_seconds{Histogram::kBriefly};
  Histogram commit_sizes{Histogram::kCounts};
  std::jthread packer;
  std::jthread writer;
};

CommitQueue::CommitQueue(JournalState& state, Dedupe dedupe)
    : impl_(std::make_unique<Impl>(state, std::move(dedupe))) {}
CommitQueue::~CommitQueue() = default;

void CommitQueue::Append(std::vector<Event> events, std::string_view origin,
                         std::vector<RecordPut> records, AppendDone done) {
  Request request{std::move(events), std::string(origin), std::move(records), std::move(done), 0};
  for (const Event& event : request.events) request.bytes += event.record.size() + sizeof(Event);
  request.bytes += sizeof(Request);
  for (const RecordPut& record : request.records) {
    request.bytes += record.key.size() + record.value.size() + sizeof(RecordPut);
  }
  if (!impl_->Reserve(request.bytes)) {
    return request.done(Fail(Code::kBusy, "too much is waiting to be written"));
  }
  if (impl_->CallerPacks(request.bytes)) {
    request.packed = impl_->packing.Pack(request.events, request.origin);
    for (const PackedPart& part : request.packed) {
      for (const auto& chunk : part.chunks) {
        request.packed_bytes += chunk.body.size() + chunk.ids.size();
      }
    }
  }
  impl_->Push(std::move(request));
}

Journal::Counters CommitQueue::counters() const {
  const auto& c = impl_->counts;
  Journal::Counters out{c.commits,
                        c.commit_events,
                        c.duplicates,
                        c.raw_bytes,
                        c.stored_bytes,
                        0,
                        impl_->commit_seconds.snapshot(),
                        impl_->sync_seconds.snapshot(),
                        impl_->commit_sizes.snapshot()};
  std::lock_guard lock(impl_->mutex);
  out.queued_bytes = impl_->queued_bytes;
  return out;
}

}  // namespace spool
