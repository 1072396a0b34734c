#include "spool/reader.h"

#include <algorithm>
#include <cstring>

#include "spool/body.h"
#include "spool/codec.h"
#include "spool/decoded_chunk.h"
#include "spool/journal_errors.h"
#include "spool/journal_state.h"

namespace spool {
namespace {

struct Lane {
  const StreamState* stream = nullptr;
  std::shared_ptr<const DecodedChunk> chunk;  // the first one that ends after `known_from`
  Sequence known_from;
  // Why there is no chunk, and the first sequence at which the missing one may begin: what other
  // streams have before that is still to be read.
  std::optional<Error> damage;
  Sequence damage_at;
  std::optional<BodyReader> body;  // once it is decompressed
  uint32_t index = 0;              // the next event's place in the chunk
  size_t run = 0;                  // its run of origins
  uint32_t run_left = 0;
  // As of this Read.
  Trim trim;
  Sequence end;
  uint64_t end_ordinal = 0;
  bool ends_lost = false;
  std::unique_ptr<RocksStore::Iterator> it;
};

class MergingReader final : public Reader {
 public:
  MergingReader(const JournalState& state, StreamSet streams) : state_(state) {
    for (const auto& stream : state.streams) {
      if (!streams.Contains(stream->id)) continue;
      Lane lane;
      lane.stream = stream.get();
      lanes_.push_back(std::move(lane));
    }
  }

  Result<Page> Read(Sequence from, const ReadLimits& limits) override {
    for (;;) {
      Page page;
      auto read = Fill(from, limits, page);
      for (Lane& lane : lanes_) lane.it.reset();  // none is held between calls
      // What could be read before the damage is given first; the next call reports it.
      if (read || !page.events.empty()) return page;
      // Retention may have taken chunks while this looked for them. It only goes forward, so this
      // comes to an end.
      if (!Trimmed()) {
        CountJournalError(JournalOp::kRead);
        return tl::unexpected(read.error());
      }
    }
  }

 private:
  // Retention moved a stream's beginning since the last Fill looked.
  bool Trimmed() const {
    std::lock_guard lock(state_.mutex);
    return std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) {
      return lane.stream->trim.sequence != lane.trim.sequence;
    });
  }

  Status Fill(Sequence from, const ReadLimits& limits, Page& page) {
    Sequence end;
    page.next = from;
    {
      std::lock_guard lock(state_.mutex);
      end = state_.end;
      for (Lane& lane : lanes_) {
        lane.trim = lane.stream->trim;
        lane.end = lane.stream->end;
        lane.end_ordinal = lane.stream->end_ordinal;
        lane.ends_lost = lane.stream->ends_lost;
      }
    }
    for (Lane& lane : lanes_) {
      if (from < lane.trim.sequence) {
        page.lost.push_back({lane.stream->id, lane.trim.sequence, lane.trim.ordinal});
      }
      const Sequence begin = std::max(from, lane.trim.sequence);
      lane.damage_at = begin;
      Keep(lane, Place(lane, begin, page));
    }
    size_t bytes = 0;
    for (;;) {
      Lane* first = nullptr;
      for (Lane& lane : lanes_) {
        if (lane.chunk == nullptr && !lane.damage) continue;
        if (first == nullptr || Begin(lane) < Begin(*first)) first = &lane;
      }
      if (first == nullptr) {
        page.next = std::max(from, end);
        return {};
      }
      if (first->damage) return tl::unexpected(*first->damage);
      if (first->chunk->lost()) {
        // Told at a page's beginning, where ranges that are lost belong.
        if (!page.events.empty()) return {};
        const ChunkHeader& header = first->chunk->header();
        page.lost.push_back({first->stream->id, header.end(), header.ordinal + header.count});
        page.next = std::max(page.next, header.end());
        first->damage_at = header.end();
        Keep(*first, Next(*first));
        continue;
      }
      if (auto taken = Take(*first, limits, page, bytes); !taken) return taken;
      if (first->index < first->chunk->header().count) return {};  // a limit was reached
      first->damage_at = first->chunk->header().end();
      Keep(*first, Next(*first));
      if (page.events.size() >= limits.events_max || bytes >= limits.bytes_max) return {};
    }
  }

  static void Keep(Lane& lane, Status status) {
    lane.damage.reset();
    if (status) return;
    Forget(lane);
    lane.damage = std::move(status.error());
  }
  static Sequence Begin(const Lane& lane) {
    return lane.damage ? lane.damage_at : lane.chunk->header().first;
  }

  // Makes `lane.chunk` the first chunk of the stream that ends after `from`, at the event `from`.
  // Of what lies right before that is told if it is lost: other streams may have events of the same
  // sequences, so that a page can end behind a lost chunk before that could be told.
  Status Place(Lane& lane, Sequence from, Page& page) {
    if (lane.end <= from) {
      if (lane.ends_lost) page.lost.push_back({lane.stream->id, lane.end, lane.end_ordinal});
      Forget(lane);
      return {};
    }
    if (lane.chunk != nullptr && lane.known_from <= from && from < lane.chunk->header().end()) {
      const ChunkHeader& header = lane.chunk->header();
      const uint32_t index = from <= header.first ? 0 : static_cast<uint32_t>(from - header.first);
      if (index < lane.index) {
        if (auto rewound = Rewind(lane); !rewound) return rewound;
      }
      return Skip(lane, index);
    }
    Forget(lane);
    // A chunk that is missing must not be passed over silently, so the ordinal that has to follow
    // is always known: from the chunk before, or from where retention left the stream.
    std::optional<uint64_t> ordinal = lane.trim.ordinal;
    lane.it = state_.store->NewIterator(lane.stream->family);
    lane.it->SeekForPrev(codec::SequenceKey(from.value));
    if (!lane.it->Valid()) {
      if (auto status = lane.it->status(); !status) return status;
      lane.it->SeekToFirst();
    } else {
      const bool trimmed = codec::SequenceOfKey(lane.it->key()) < lane.trim.sequence.value;
      auto before = ParseChunk(lane.it->value(), true);
      if (trimmed || (before && before->header.end() <= from)) {
        if (!trimmed) ordinal = before->header.ordinal + before->header.count;
        if (!trimmed && before->lost()) {
          page.lost.push_back({lane.stream->id, before->header.end(), *ordinal});
        }
        lane.it->Next();
      } else {
        ordinal.reset();  // it holds `from` itself
      }
    }
    lane.known_from = from;
    if (auto loaded = Load(lane, ordinal); !loaded) return loaded;
    if (lane.chunk == nullptr) {
      return Fail(Code::kDamaged, Where(lane, from) + "events are missing at the end");
    }
    const Sequence first = lane.chunk->header().first;
    if (from <= first) return {};
    return Skip(lane, static_cast<uint32_t>(from - first));
  }

  // Moves to the chunk after the one at hand.
  Status Next(Lane& lane) {
    const ChunkHeader& header = lane.chunk->header();
    const Sequence after = header.end();
    const uint64_t ordinal = header.ordinal + header.count;
    if (lane.end <= after) {
      Forget(lane);
      return {};
    }
    if (lane.it == nullptr) {
      lane.it = state_.store->NewIterator(lane.stream->family);
      lane.it->Seek(codec::SequenceKey(after.value));
    } else {
      lane.it->Next();
    }
    lane.known_from = after;
    if (auto loaded = Load(lane, ordinal); !loaded) return loaded;
    if (lane.chunk == nullptr) {
      return Fail(Code::kDamaged, Where(lane, after) + "events are missing at the end");
    }
    return {};
  }

  // Takes the chunk under the iterator. `ordinal`: what it must begin with, when known.
  Status Load(Lane& lane, std::optional<uint64_t> ordinal) {
    const Sequence known_from = lane.known_from;
    Forget(lane);
    lane.known_from = known_from;
    if (auto status = lane.it->status(); !status) {
      return Fail(Where(lane, known_from), status.error());
    }
    if (!lane.it->Valid()) return {};
    auto chunk = state_.chunks.Get(lane.stream->id, lane.it->value());
    const Sequence key{codec::SequenceOfKey(lane.it->key())};
    if (!chunk) {
      lane.damage_at = std::max(lane.damage_at, key);
      return Fail(Where(lane, key), chunk.error());
    }
    const ChunkHeader& header = (*chunk)->header();
    if (header.first != key || (ordinal && header.ordinal != *ordinal)) {
      return Fail(Code::kDamaged, Where(lane, key) + "the chunk is not the one that belongs here");
    }
    lane.chunk = std::move(*chunk);
    return {};
  }

  static std::string Where(const Lane& lane, Sequence at) {
    return "stream '" + lane.stream->options.name + "' at sequence " + ToText(at) + ": ";
  }

  static void Forget(Lane& lane) {
    lane.chunk.reset();
    lane.body.reset();
    lane.index = 0;
    lane.run = 0;
    lane.run_left = 0;
  }
  // Back to the chunk's first event.
  static Status Rewind(Lane& lane) {
    auto chunk = std::move(lane.chunk);
    Forget(lane);
    lane.chunk = std::move(chunk);
    return Open(lane);
  }

  static Status Open(Lane& lane) {
    if (lane.body) return {};
    const auto body = lane.chunk->Body();
    if (!body) return Fail(Where(lane, lane.chunk->header().first), body.error());
    auto reader = BodyReader::Open(*body);
    if (!reader) return Fail(Where(lane, lane.chunk->header().first), reader.error());
    lane.body = std::move(*reader);
    return {};
  }

  static Status Skip(Lane& lane, uint32_t index) {
    if (index == lane.index || lane.chunk->lost()) return {};
    if (auto opened = Open(lane); !opened) return opened;
    EventView ignored;
    while (lane.index < index) {
      if (auto stepped = Step(lane, &ignored); !stepped) return stepped;
    }
    return {};
  }

  // One event further.
  static Status Step(Lane& lane, EventView* event) {
    const auto& origins = lane.chunk->header().origins;
    while (lane.run_left == 0) {
      lane.run_left = origins[lane.run++].second;
    }
    event->origin = origins[lane.run - 1].first;
    --lane.run_left;
    if (!lane.body->Next(event)) {
      return Fail(Code::kDamaged, Where(lane, lane.chunk->header().first + lane.index) +
                                      "the event does not make sense");
    }
    ++lane.index;
    return {};
  }

  Status Take(Lane& lane, const ReadLimits& limits, Page& page, size_t& bytes) {
    if (auto opened = Open(lane); !opened) return opened;
    page.owners.push_back(lane.chunk);
    const ChunkHeader& header = lane.chunk->header();
    Status read;
    while (lane.index < header.count) {
      if (page.events.size() >= limits.events_max ||
          (bytes >= limits.bytes_max && !page.events.empty())) {
        break;
      }
      const uint32_t index = lane.index;
      EventView& event = page.events.emplace_back();
      if (read = Step(lane, &event); !read) {
        page.events.pop_back();
        break;
      }
      std::memcpy(event.id.bytes.data(), lane.chunk->ids().data() + index * event.id.bytes.size(),
                  event.id.bytes.size());
      event.sequence = header.first + index;
      event.ordinal = header.ordinal + index;
      event.stream_id = lane.stream->id;
      event.stream = lane.stream->options.name;
      event.accepted = header.accepted;
      bytes += event.data.size();
      page.next = event.sequence + 1;
    }
    if (lane.body->keeper() != nullptr) page.owners.push_back(lane.body->keeper());
    if (!read) Forget(lane);  // where it stands is not known any more
    return read;
  }

  const JournalState& state_;
  std::vector<Lane> lanes_;
};

}  // namespace

std::unique_ptr<Reader> MakeReader(const JournalState& state, StreamSet streams) {
  return std::make_unique<MergingReader>(state, streams);
}

}  // namespace spool
