#include "spool/volume.h"

#include <sys/statvfs.h>

#include <algorithm>

#include "base/log.h"

namespace spool {
namespace {

constexpr std::chrono::seconds kSampleEvery{5};
constexpr std::chrono::seconds kSampleSpanMin{20};  // less says too little
constexpr std::chrono::minutes kSampleSpanMax{5};
constexpr std::chrono::seconds kTellEvery{5};
constexpr uint64_t kNoise = uint64_t{1} << 20;

}  // namespace

RoomMarks::RoomMarks(uint64_t reserve_bytes)
    : none(reserve_bytes / 2),
      reserve(reserve_bytes),
      again(reserve_bytes + reserve_bytes / 16),
      ample(reserve_bytes + reserve_bytes / 4) {}

Room RoomMarks::Judge(uint64_t free_bytes, Room before) const {
  if (reserve == 0 || free_bytes >= ample) return Room::kAmple;
  if (free_bytes < none) return Room::kNone;
  if (free_bytes < reserve) return Room::kReserve;
  // Not to and fro with each commit.
  return before >= Room::kReserve && free_bytes < again ? Room::kReserve : Room::kTight;
}

void FillRate::Note(SteadyTime now, uint64_t room_bytes) {
  // The newest sample is replaced until it stands far enough from the one before.
  if (samples_.size() > 1 && samples_.back().first - samples_[samples_.size() - 2].first <
                                 std::chrono::duration_cast<Micros>(kSampleEvery)) {
    samples_.pop_back();
  }
  samples_.emplace_back(now, room_bytes);
  while (samples_.size() > 2 && now - samples_.front().first > kSampleSpanMax) {
    samples_.pop_front();
  }
}

std::optional<Micros> FillRate::TimeLeft() const {
  if (samples_.empty()) return std::nullopt;
  const auto& [begin, much] = samples_.front();
  const auto& [end, left] = samples_.back();
  const Micros span = end - begin;
  if (span < kSampleSpanMin || left + kNoise >= much) return std::nullopt;
  const double rate = static_cast<double>(much - left) / static_cast<double>(span.count());
  return Micros(static_cast<int64_t>(static_cast<double>(left) / rate));
}

Volume::Volume(std::string dir, uint64_t reserve_bytes)
    : dir_(std::move(dir)), reserve_(reserve_bytes), marks_(reserve_bytes) {
  Look();
}

void Volume::Look() {
  const std::lock_guard lock(look_);
  struct statvfs volume {};
  written_ = 0;
  if (statvfs(dir_.c_str(), &volume) != 0) return;
  const uint64_t free = uint64_t{volume.f_bavail} * volume.f_frsize;
  free_ = free;
  capacity_ = uint64_t{volume.f_blocks} * volume.f_frsize;
  const Room before = room_;
  room_ = marks_.Judge(free, before);
  if (room_ > before) less_();
  Tell(free);
}

void Volume::Tell(uint64_t free_bytes) {
  const Room now = room_;
  const SteadyTime time = RealClock().Steady();
  if (now == told_ || (now < told_ && time - told_at_ < kTellEvery)) return;
  const Room before = told_;
  told_ = now;
  told_at_ = time;
  const log::Fields fields{{"free_bytes", free_bytes}, {"reserve_bytes", reserve_}};
  if (now == Room::kNone) {
    log::Error("The volume has less free than half of the reserve; every new event is refused.",
               fields);
  } else if (now == Room::kReserve) {
    log::Error(
        "The volume has less free than the reserve; new events are refused, or old ones dropped "
        "where a stream says so.",
        fields);
  } else if (before >= Room::kReserve) {
    log::Info("The volume has room again; new events are taken.", fields);
  } else if (now == Room::kTight) {
    log::Warn(
        "The volume is nearly down to the reserve; events that every target has had go early.",
        fields);
  }
}

void Volume::Wrote(uint64_t bytes) {
  // A table will be made of what is in the log, so everything counts twice.
  if (reserve_ > 0 && (written_ += 2 * bytes) > reserve_ / 16) Look();
}

}  // namespace spool
