#include "spool/cursor.h"

#include <algorithm>

#include "base/assert.h"
#include "spool/journal_state.h"

namespace spool {
namespace {

class DurableCursor final : public Cursor {
 public:
  DurableCursor(JournalState& state, CursorData& data, DeadLetterWriter& dead)
      : state_(state), data_(data), dead_(dead) {
    for (const auto& place : data.places) streams_.Add(place.stream);
  }
  ~DurableCursor() override {
    std::lock_guard lock(state_.mutex);
    data_.open = false;
  }

  const std::string& name() const override { return data_.name; }
  StreamSet streams() const override { return streams_; }
  // The data changes on this cursor's own thread alone, so reading it here needs no lock.
  Sequence next() const override { return data_.next; }
  uint64_t OrdinalOf(StreamId stream) const override {
    for (const auto& place : data_.places) {
      if (place.stream == stream) return place.next;
    }
    return 0;
  }

  Status Advance(const Settlement& s) override {
    CursorData moved = data_;
    uint64_t passed = 0;
    for (const auto& move : s.moves) passed += MoveTo(moved, move.stream, move.ordinal);
    SPOOL_ASSERT(passed == s.delivered + s.filtered + s.evicted + s.dead.size());
    SPOOL_ASSERT(s.next >= data_.next);
    moved.next = s.next;
    moved.account.delivered += s.delivered;
    moved.account.filtered += s.filtered;
    moved.account.evicted += s.evicted;
    moved.account.duplicates += s.duplicates;
    moved.account.retries += s.retries;
    moved.account.dead_lettered += s.dead.size();
    StoreBatch batch;
    if (s.dead.empty()) return Store(std::move(moved), batch, false);
    const auto exclusive = dead_.Exclusive();
    dead_.AddTo(batch, s.dead);
    // Dead letters are worth a sync: the target was told no more of them.
    if (auto written = Store(std::move(moved), batch, true); !written) return written;
    dead_.Written();
    return {};
  }

  void Observe(Sequence next) override {
    std::lock_guard lock(state_.mutex);
    if (next > data_.next) data_.next = next;
  }

  Status SkipTo(Sequence to, std::string_view cause) override {
    {
      std::lock_guard lock(state_.mutex);
      if (to < data_.next || to > state_.end) {
        return Fail(Code::kInvalid, "sequence " + ToText(to) + " is not between the cursor (" +
                                        ToText(data_.next) + ") and the end (" +
                                        ToText(state_.end) + ")");
      }
    }
    CursorData moved = data_;
    uint64_t passed = 0;
    for (const auto& place : data_.places) {
      const StreamState& stream = *state_.streams[place.stream.value];
      auto ordinal = state_.OrdinalAt(stream, to);
      if (!ordinal) return tl::unexpected(ordinal.error());
      if (*ordinal <= place.next) continue;
      // What retention has taken before is not what the operator gives up, and may reach beyond.
      uint64_t trimmed = 0;
      {
        std::lock_guard lock(state_.mutex);
        trimmed = std::clamp(stream.trim.ordinal, place.next, *ordinal) - place.next;
      }
      passed += MoveTo(moved, place.stream, *ordinal) - trimmed;
      moved.account.evicted += trimmed;
    }
    moved.account.skipped += passed;
    Marker marker{Marker::Kind::kSkipped,
                  data_.name,
                  {data_.next, to},
                  passed,
                  passed,
                  0,
                  std::string(cause),
                  state_.options.clock->Now()};
    if (marker.subject.rfind("target/", 0) == 0) marker.subject.erase(0, 7);
    moved.next = to;
    StoreBatch batch;
    {
      std::lock_guard lock(state_.mutex);
      state_.AddMarker(batch, std::move(marker));
    }
    return Store(std::move(moved), batch, true);
  }

  Status Redeem(const DeadLetterId& id) override {
    const auto exclusive = dead_.Exclusive();
    StoreBatch batch;
    auto letter = dead_.RemoveFrom(batch, id);
    if (!letter) return tl::unexpected(letter.error());
    CursorData moved = data_;
    if (id.replay.empty() && moved.account.dead_lettered > 0) {
      --moved.account.dead_lettered;
      ++moved.account.delivered;
    }
    if (auto written = Store(std::move(moved), batch, true); !written) return written;
    dead_.Written();
    return {};
  }

  Account account() const override {
    std::lock_guard lock(state_.mutex);
    return state_.Derive(data_);
  }

 private:
  static uint64_t MoveTo(CursorData& data, StreamId stream, uint64_t ordinal) {
    for (auto& place : data.places) {
      if (place.stream != stream) continue;
      SPOOL_ASSERT(ordinal >= place.next);
      const uint64_t passed = ordinal - place.next;
      place.next = ordinal;
      return passed;
    }
    SPOOL_ASSERT(false && "a settlement names a stream that the cursor does not have");
    return 0;
  }

  Status Store(CursorData moved, StoreBatch& batch, bool sync) {
    uint64_t passed = moved.retired;
    for (const auto& place : moved.places) passed += place.next - place.start;
    SPOOL_ASSERT(passed == moved.account.settled());
    batch.Put(state_.meta, state_.CursorKey(moved.name), state_.EncodeCursor(moved));
    if (auto written = state_.Write(batch, sync); !written) return written;
    // Only what is in the log may be believed by retention.
    std::lock_guard lock(state_.mutex);
    data_ = std::move(moved);
    return {};
  }

  JournalState& state_;
  CursorData& data_;
  DeadLetterWriter& dead_;
  StreamSet streams_;
};

}  // namespace

std::unique_ptr<Cursor> MakeCursor(JournalState& state, CursorData& data, DeadLetterWriter& dead) {
  return std::make_unique<DurableCursor>(state, data, dead);
}

}  // namespace spool
