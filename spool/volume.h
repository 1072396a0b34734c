// The room on the journal's volume: how much there is, how long it lasts, and what follows from it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "spool/journal.h"

namespace spool {

// From the best to the worst.
enum class Room : uint8_t {
  kAmple,
  kTight,    // the reserve is near: settled events give way, the oldest first
  kReserve,  // less than the reserve is free: a stream refuses new events, or drops its oldest
  kNone,     // dropping is too slow, or there is nothing to drop: every stream refuses
};

// Where the rooms begin, in free bytes. A reserve of 0 has only ample room.
struct RoomMarks {
  explicit RoomMarks(uint64_t reserve_bytes);
  Room Judge(uint64_t free_bytes, Room before) const;

  uint64_t none;
  uint64_t reserve;
  uint64_t again;  // who was refused below the reserve is taken again from here on
  uint64_t ample;
};

// How long the room lasts if it goes on like that. One thread.
class FillRate {
 public:
  void Note(SteadyTime now, uint64_t room_bytes);
  // Nothing while the room does not shrink, and in the first seconds.
  std::optional<Micros> TimeLeft() const;

 private:
  std::deque<std::pair<SteadyTime, uint64_t>> samples_;  // of the last minutes
};

// Any thread.
class Volume {
 public:
  Volume(std::string dir, uint64_t reserve_bytes);

  // Called whenever the room has become less, by whoever looked; not any more once another one is
  // given.
  void OnLess(std::function<void()> told) {
    const std::lock_guard lock(look_);
    less_ = std::move(told);
  }

  // Asks the volume, and logs when its room has changed: what is worse at once, what is better once
  // nothing was said for a while, or a disk at its mark would fill the log. Without an answer
  // nothing changes.
  void Look();
  // So much was written since the last call: looks again long before that could be the reserve.
  void Wrote(uint64_t bytes);

  Room room() const { return room_; }
  bool Takes(WhenFull when_full) const {
    const Room room = room_;
    return room < Room::kReserve || (room == Room::kReserve && when_full == WhenFull::kDropOldest);
  }
  uint64_t free_bytes() const { return free_; }
  uint64_t capacity_bytes() const { return capacity_; }
  const RoomMarks& marks() const { return marks_; }

 private:
  void Tell(uint64_t free_bytes);  // look_ held

  const std::string dir_;
  const uint64_t reserve_;
  const RoomMarks marks_;
  std::mutex look_;
  std::function<void()> less_ = [] {};  // guarded by look_
  Room told_ = Room::kAmple;            // guarded by look_
  SteadyTime told_at_{};                // guarded by look_
  std::atomic<Room> room_{Room::kAmple};
  std::atomic<uint64_t> free_{0};
  std::atomic<uint64_t> capacity_{0};
  std::atomic<uint64_t> written_{0};  // since the last look
};

}  // namespace spool
