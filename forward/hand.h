// What a pump holds between the journal and the target: the events read and not yet passed by
// the cursor, each with its fate, in the journal's order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "forward/route.h"
#include "forward/sink.h"
#include "spool/cursor.h"
#include "spool/dead_letters.h"
#include "spool/reader.h"

namespace spool {

enum class Fate : uint8_t {
  kPending,  // a message: not yet settled
  kFiltered,
  kDelivered,
  kDuplicate,
  kDead,  // its dead letter is ready and is written when the cursor passes it
  kLost,  // no event but a range that retention took
};

// One thread. Bounded by what its owner reads into it; everything is reused, so that a settled
// event costs no allocation.
class Hand {
 public:
  struct Item {
    Sequence sequence;                 // not of kLost
    uint64_t ordinal = 0;              // of kLost: the stream's first ordinal that is left
    const EventView* event = nullptr;  // only of what is or was pending
    uint32_t body_begin = 0;
    uint32_t body_size = 0;
    uint32_t attempts = 0;
    uint32_t extra = 0;  // kDead: index of its dead letter; kLost: of its count
    StreamId stream;
    Fate fate = Fate::kFiltered;
    bool rendered = false;
    SystemTime first_failed;
  };

  // Who decides what becomes of an event that was read.
  struct Selection {
    const Router* router;
    const Matcher* match;  // may be null
    StreamSet streams;     // the cursor's
    StreamSet special;     // streams that routes take only by name
    Sequence end;          // events from here on are left out
  };

  explicit Hand(std::string target) : target_(std::move(target)) {}

  // Empties it and takes the cursor's place as the new beginning.
  void Restart(const Cursor& cursor);

  // Appends a page read from read_next(). kDamaged if the page's ordinals do not continue the
  // ones before: an event would be passed over unseen.
  Status Add(Page page, const Selection& selection);

  bool empty() const { return head_ == items_.size(); }
  size_t items() const { return items_.size() - head_; }
  size_t pending() const { return pending_; }
  size_t pending_bytes() const { return pending_bytes_; }
  size_t pages() const { return pages_.size(); }
  bool begins_with_loss() const { return !empty() && items_[head_].fate == Fate::kLost; }
  Sequence read_next() const { return read_next_; }
  Item& at(size_t index) { return items_[index]; }

  // The first pending messages, at most so many and so many bytes (but one in any case), rendered.
  // `indices` name them for the calls below. Valid until the hand changes.
  void Collect(size_t events_max, size_t bytes_max, Encoding encoding, std::string_view replay,
               std::vector<Message>& messages, std::vector<uint32_t>& indices);
  // The first pending item from `from` on; npos when there is none.
  size_t NextPending(size_t from) const;

  void Settle(size_t index, Fate fate);  // kDelivered or kDuplicate
  void SettleDead(size_t index, DeadLetter letter);

  // Takes the contiguous settled run off the front and describes it in `settlement` (whose
  // tallies of retries and whose dead letters' contents other than from here are left alone).
  // False if there is none.
  bool TakePrefix(Settlement& settlement);

 private:
  void AddLost(const LostRange& lost, const Selection& selection);

  const std::string target_;
  std::vector<Page> pages_;
  std::vector<Item> items_;
  size_t head_ = 0;           // items before it are passed
  size_t first_pending_ = 0;  // no pending item lies before it
  size_t pending_ = 0;
  size_t pending_bytes_ = 0;
  Sequence read_next_;
  std::array<uint64_t, kStreamsMax> ordinals_{};  // of the next event expected, per stream
  std::string bodies_;                            // rendered, one after another
  std::vector<DeadLetter> dead_;
  std::vector<uint64_t> lost_;
};

}  // namespace spool
