#include "spool/load.h"

#include <algorithm>

#include "base/log.h"
#include "spool/codec.h"

namespace spool {
namespace {

Status LoadStream(const JournalState& state, StreamState& stream) {
  auto trim = state.store->Get(state.meta, "t/" + stream.options.name);
  if (!trim) return tl::unexpected(trim.error());
  if (*trim) {
    auto decoded = DecodeTrim(**trim);
    if (!decoded) return tl::unexpected(decoded.error());
    stream.trim = *decoded;
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
  if (!last) return Fail("the newest chunk of stream '" + stream.options.name + "'", last.error());
  stream.end = last->header.end();
  stream.end_ordinal = last->header.ordinal + last->header.count;
  stream.end_bytes = last->header.bytes_before + it->value().size();
  stream.end_raw_bytes = last->header.raw_before + last->header.raw_bytes;
  stream.last_hash = last->header.hash;
  stream.ends_lost = last->lost();
  stream.newest = last->header.accepted;
  it->Seek(codec::SequenceKey(stream.trim.sequence.value));
  const Status there = it->status();
  auto first = there ? ParseChunk(it->value()) : tl::unexpected(there.error());
  if (!first) {
    // Who reads it is told; it is no reason for the other streams to stand still.
    log::Error("The oldest chunk of a stream is damaged.",
               {{"stream", stream.options.name}, {"detail", first.error().message}});
    stream.oldest = stream.newest;
    return {};
  }
  if (first->header.ordinal != stream.trim.ordinal) {
    return Fail(Code::kDamaged,
                "stream '" + stream.options.name + "' does not begin where retention left it");
  }
  stream.oldest = first->header.accepted;
  return {};
}

}  // namespace

Status LoadStreams(JournalState& state) {
  std::vector<StreamOptions> all = state.options.streams;
  const size_t configured = all.size();
  for (const std::string& family : state.store->Families()) {
    if (family.rfind(kFamilyPrefix, 0) != 0) continue;
    const std::string name = family.substr(kFamilyPrefix.size());
    if (std::none_of(all.begin(), all.end(), [&](const auto& s) { return s.name == name; })) {
      StreamOptions kept;
      kept.name = name;
      auto special = state.store->Get(state.meta, SpecialKey(name));
      if (!special) return tl::unexpected(special.error());
      kept.special = special->has_value();
      all.push_back(kept);
    }
  }
  if (all.size() > kStreamsMax) return Fail(Code::kInvalid, "the journal has too many streams");
  for (size_t i = 0; i < all.size(); ++i) {
    auto stream = std::make_unique<StreamState>();
    stream->id = {static_cast<uint8_t>(i)};
    stream->options = all[i];
    stream->SetBounds(all[i]);
    stream->configured = i < configured;
    stream->family = state.store->Family(std::string(kFamilyPrefix) + all[i].name);
    if (auto loaded = LoadStream(state, *stream); !loaded) return loaded;
    state.end = std::max({state.end, stream->end});
    if (stream->newest) state.last_accepted = std::max(state.last_accepted, *stream->newest);
    state.streams.push_back(std::move(stream));
  }
  const auto floor = ReadEndFloor(*state.store, state.meta);
  if (!floor) return tl::unexpected(floor.error());
  if (*floor) state.end = std::max(state.end, **floor);
  return {};
}

Result<std::optional<Sequence>> ReadEndFloor(const RocksStore& store, FamilyId meta) {
  const auto floor = store.Get(meta, "end");
  if (!floor) return tl::unexpected(floor.error());
  if (!*floor) return std::nullopt;
  if ((*floor)->size() != 8) return Fail(Code::kDamaged, "the floor of sequences is damaged");
  return Sequence{codec::SequenceOfKey(**floor)};
}
void PutEndFloor(StoreBatch& batch, FamilyId meta, Sequence end) {
  batch.Put(meta, "end", codec::SequenceKey(end.value));
}

Status LoadCursors(JournalState& state) {
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
    if (cursor->next > state.end) {
      return Fail(Code::kDamaged,
                  "the cursor '" + name + "' lies beyond the end: acknowledged events are missing");
    }
    state.cursors.emplace(std::move(name), std::move(*cursor));
  }
  return it->status();
}

Status LoadMarkers(JournalState& state) {
  const auto it = state.store->NewIterator(state.meta);
  for (it->Seek("m/"); it->Valid() && it->key().substr(0, 2) == "m/"; it->Next()) {
    auto marker = DecodeMarker(it->value());
    if (!marker) return tl::unexpected(marker.error());
    const uint64_t number = codec::SequenceOfKey(it->key().substr(2));
    state.markers.push_back({number, std::move(*marker)});
    state.next_marker = number + 1;
  }
  return it->status();
}

namespace {

// One stream's chunks from the newest back.
struct Tail {
  const StreamState* stream;
  std::unique_ptr<RocksStore::Iterator> it;
  uint64_t first = 0;  // of the chunk under the iterator
};

// False when the stream has no more, or no more that can be read: repeats of its events would be
// stored again, which is allowed, while a start refused helps nobody.
bool Look(Tail& tail) {
  if (auto status = tail.it->status(); !status) {
    log::Warn("What is damaged, and older, is left out of the dedupe horizon.",
              {{"stream", tail.stream->options.name},
               {"sequence", tail.first},
               {"detail", status.error().message}});
    return false;
  }
  if (!tail.it->Valid()) return false;
  tail.first = codec::SequenceOfKey(tail.it->key());
  return tail.first >= tail.stream->trim.sequence.value;
}

// Its keys, the newest first; their number.
size_t AddKeys(const ChunkView& chunk, std::vector<Hash128>& keys) {
  const size_t before = keys.size();
  size_t at = 0;
  for (const auto& [origin, count] : chunk.header.origins) {
    for (uint32_t i = 0; i < count; ++i, at += 16) {
      Hash128 id;
      std::copy_n(chunk.ids.data() + at, 16, reinterpret_cast<char*>(id.bytes.data()));
      keys.push_back(Dedupe::Key(origin, id));
    }
  }
  std::reverse(keys.begin() + static_cast<ptrdiff_t>(before), keys.end());
  return keys.size() - before;
}

}  // namespace

void RebuildDedupe(const JournalState& state, Dedupe& dedupe) {
  const size_t entries_max = state.options.dedupe_entries;
  if (entries_max == 0 || state.options.dedupe_window.count() == 0) return;
  const SystemTime oldest = state.last_accepted - state.options.dedupe_window;
  std::vector<Tail> tails;
  for (const auto& stream : state.streams) {
    Tail tail{stream.get(), state.store->NewIterator(stream->family)};
    tail.it->SeekToLast();
    if (Look(tail)) tails.push_back(std::move(tail));
  }
  struct Commit {
    SystemTime accepted;
    size_t keys;
  };
  std::vector<Commit> commits;  // newest first, as `keys`
  std::vector<Hash128> keys;
  while (!tails.empty() && keys.size() < entries_max) {
    const auto newest = std::max_element(
        tails.begin(), tails.end(), [](const Tail& a, const Tail& b) { return a.first < b.first; });
    const auto chunk = ParseChunk(newest->it->value());
    if (!chunk) {
      log::Warn("A damaged chunk is left out of the dedupe horizon.",
                {{"stream", newest->stream->options.name},
                 {"sequence", newest->first},
                 {"detail", chunk.error().message}});
    } else if (chunk->header.accepted < oldest) {
      break;  // accept times only rise
    } else {
      commits.push_back({chunk->header.accepted, AddKeys(*chunk, keys)});
    }
    newest->it->Prev();
    if (!Look(*newest)) tails.erase(newest);
  }
  for (size_t end = keys.size(); !commits.empty(); commits.pop_back()) {
    for (size_t i = 0; i < commits.back().keys; ++i) {
      dedupe.SeenOrAdd(keys[--end], commits.back().accepted);
    }
  }
}

}  // namespace spool
