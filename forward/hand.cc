#include "forward/hand.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "forward/envelope.h"

namespace spool {
namespace {

// Room for rendered bodies that stays between batches.
constexpr size_t kBodiesKept = 4 << 20;

}  // namespace

void Hand::Restart(const Cursor& cursor) {
  pages_.clear();
  items_.clear();
  head_ = first_pending_ = pending_ = pending_bytes_ = 0;
  read_next_ = cursor.next();
  const StreamSet streams = cursor.streams();
  for (size_t i = 0; i < kStreamsMax; ++i) {
    const StreamId id{static_cast<uint8_t>(i)};
    ordinals_[i] = streams.Contains(id) ? cursor.OrdinalOf(id) : 0;
  }
  bodies_.clear();
  dead_.clear();
  lost_.clear();
}

void Hand::AddLost(const LostRange& lost, const Selection& selection) {
  uint64_t& expected = ordinals_[lost.stream.value];
  if (!selection.streams.Contains(lost.stream) || lost.ordinal <= expected) return;
  uint64_t count = lost.ordinal - expected;
  if (lost.end > selection.end) {
    // The loss reaches beyond the range of a replay, by an unknown number of events; it cannot
    // have more than the range has sequences.
    count = std::min(count, selection.end - std::min(read_next_, selection.end));
    if (count == 0) return;
  }
  expected += count;
  log::Warn(
      "Retention removed events before this target received them; they are counted as evicted.",
      {{"target", target_},
       {"stream_id", lost.stream.value},
       {"events", count},
       {"below_sequence", lost.end.value}});
  Item item;
  item.fate = Fate::kLost;
  item.stream = lost.stream;
  item.ordinal = expected;
  item.extra = static_cast<uint32_t>(lost_.size());
  lost_.push_back(count);
  items_.push_back(item);
}

Status Hand::Add(Page page, const Selection& selection) {
  for (const LostRange& lost : page.lost) AddLost(lost, selection);
  const size_t pending_before = pending_;
  for (const EventView& event : page.events) {
    if (event.sequence >= selection.end) break;
    uint64_t& expected = ordinals_[event.stream_id.value];
    if (event.ordinal != expected) {
      return Fail(Code::kDamaged, "stream \"" + std::string(event.stream) +
                                      "\" continues at ordinal " + std::to_string(event.ordinal) +
                                      " where " + std::to_string(expected) +
                                      " was expected (sequence " + ToText(event.sequence) + ")");
    }
    ++expected;
    Item& item = items_.emplace_back();
    item.sequence = event.sequence;
    item.ordinal = event.ordinal;
    item.stream = event.stream_id;
    if (selection.router->Wants(event, selection.special.Contains(event.stream_id)) &&
        (selection.match == nullptr || selection.match->Matches(event))) {
      item.fate = Fate::kPending;
      item.event = &event;
      ++pending_;
      pending_bytes_ += event.data.size();
    }
  }
  read_next_ = std::max(read_next_, std::min(page.next, selection.end));
  // The events' vector keeps its place when the page moves; pages of none but filtered events
  // need not stay.
  if (pending_ > pending_before) pages_.push_back(std::move(page));
  return {};
}

size_t Hand::NextPending(size_t from) const {
  for (size_t i = std::max(from, first_pending_); i < items_.size(); ++i) {
    if (items_[i].fate == Fate::kPending) return i;
  }
  return std::string::npos;
}

void Hand::Collect(size_t events_max, size_t bytes_max, Encoding encoding, std::string_view replay,
                   std::vector<Message>& messages, std::vector<uint32_t>& indices) {
  messages.clear();
  indices.clear();
  while (first_pending_ < items_.size() && items_[first_pending_].fate != Fate::kPending) {
    ++first_pending_;
  }
  size_t bytes = 0;
  for (size_t i = first_pending_; i < items_.size() && indices.size() < events_max; ++i) {
    Item& item = items_[i];
    if (item.fate != Fate::kPending) continue;
    if (encoding == Encoding::kCloudEvent && !item.rendered) {
      const size_t begin = bodies_.size();
      AppendCloudEvent(bodies_, *item.event, replay);
      item.body_begin = static_cast<uint32_t>(begin);
      item.body_size = static_cast<uint32_t>(bodies_.size() - begin);
      item.rendered = true;
    }
    bytes += encoding == Encoding::kCloudEvent ? item.body_size : item.event->data.size();
    if (bytes > bytes_max && !indices.empty()) break;
    indices.push_back(static_cast<uint32_t>(i));
  }
  // Only now, since rendering may have moved the bodies.
  for (const uint32_t i : indices) {
    const Item& item = items_[i];
    Message& message = messages.emplace_back();
    message.event = item.event;
    if (item.rendered) message.body = {bodies_.data() + item.body_begin, item.body_size};
    message.replay = replay;
  }
}

void Hand::Settle(size_t index, Fate fate) {
  Item& item = items_[index];
  SPOOL_ASSERT(item.fate == Fate::kPending);
  item.fate = fate;
  --pending_;
  pending_bytes_ -= item.event->data.size();
}

void Hand::SettleDead(size_t index, DeadLetter letter) {
  Settle(index, Fate::kDead);
  items_[index].extra = static_cast<uint32_t>(dead_.size());
  dead_.push_back(std::move(letter));
}

bool Hand::TakePrefix(Settlement& settlement) {
  constexpr uint64_t kUnmoved = ~uint64_t{0};
  std::array<uint64_t, kStreamsMax> moved;
  moved.fill(kUnmoved);
  const size_t begin = head_;
  for (; head_ < items_.size() && items_[head_].fate != Fate::kPending; ++head_) {
    const Item& item = items_[head_];
    moved[item.stream.value] = item.fate == Fate::kLost ? item.ordinal : item.ordinal + 1;
    switch (item.fate) {
      case Fate::kFiltered: ++settlement.filtered; break;
      case Fate::kDuplicate: ++settlement.duplicates; [[fallthrough]];
      case Fate::kDelivered: ++settlement.delivered; break;
      case Fate::kDead: settlement.dead.push_back(std::move(dead_[item.extra])); break;
      case Fate::kLost: settlement.evicted += lost_[item.extra]; break;
      case Fate::kPending: break;
    }
  }
  if (head_ == begin) return false;
  for (size_t i = 0; i < kStreamsMax; ++i) {
    if (moved[i] != kUnmoved) settlement.moves.push_back({{static_cast<uint8_t>(i)}, moved[i]});
  }
  first_pending_ = std::max(first_pending_, head_);
  if (empty()) {
    settlement.next = read_next_;
    pages_.clear();
    items_.clear();
    head_ = first_pending_ = 0;
    dead_.clear();
    lost_.clear();
    if (bodies_.capacity() > kBodiesKept) bodies_ = {};
    bodies_.clear();
  } else {
    settlement.next = items_[head_].sequence;
  }
  return true;
}

}  // namespace spool
