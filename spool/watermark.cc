#include "spool/watermark.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "spool/codec.h"
#include "spool/directory.h"

namespace spool {
namespace {

constexpr size_t kSlots = 3;
constexpr off_t kSlotDistance = 8192;  // room for 63 streams with long names
constexpr size_t kHeadBytes = 8;
constexpr size_t kHashBytes = 8;
constexpr std::string_view kMagic("SW\x02\x00", 4);

struct Slot {
  size_t index = 0;
  uint64_t counter = 0;
  DurableMark mark;
};

tl::unexpected<Error> Refused(const std::string& doing) {
  return Fail(Code::kStorage, doing + ": " + std::string(std::strerror(errno)));
}

std::optional<Slot> ReadSlot(int fd, size_t index) {
  std::string bytes(kSlotDistance, '\0');
  const off_t at = static_cast<off_t>(index) * kSlotDistance;
  const ssize_t got = pread(fd, bytes.data(), bytes.size(), at);
  if (got < static_cast<ssize_t>(kHeadBytes + kHashBytes)) return std::nullopt;
  codec::Parser head(std::string_view(bytes.data(), static_cast<size_t>(got)));
  if (head.Bytes(kMagic.size()) != kMagic) return std::nullopt;
  const auto size = head.Fixed<uint32_t>();
  codec::Parser in(head.Bytes(size));
  const auto hash = head.Fixed<uint64_t>();
  if (!head.ok() || hash != FastHash64({bytes.data(), kHeadBytes + size})) return std::nullopt;
  Slot slot;
  slot.index = index;
  slot.counter = in.Fixed<uint64_t>();
  slot.mark.end = {in.Fixed<uint64_t>()};
  const uint64_t streams = in.Varint();
  for (uint64_t i = 0; i < streams && in.ok(); ++i) {
    std::string name(in.Text());
    slot.mark.streams.emplace_back(std::move(name), in.Varint());
  }
  if (in.ok() && !in.rest().empty()) slot.mark.changes = in.Varint();
  if (!in.ok()) return std::nullopt;
  return slot;
}

// The newest that is whole.
std::optional<Slot> ReadSlots(int fd) {
  std::optional<Slot> newest;
  for (size_t i = 0; i < kSlots; ++i) {
    auto slot = ReadSlot(fd, i);
    if (slot && (!newest || slot->counter > newest->counter)) newest = std::move(slot);
  }
  return newest;
}

}  // namespace

Watermark::~Watermark() {
  if (fd_ >= 0) close(fd_);
}

Result<std::optional<DurableMark>> Watermark::Read(const std::string& dir) {
  const std::string path = dir + "/WATERMARK";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    if (errno == ENOENT) return std::nullopt;
    return Refused("cannot open " + path);
  }
  auto slot = ReadSlots(fd);
  close(fd);
  if (!slot) {
    log::Warn(
        "The watermark file cannot be made sense of; a log that was cut would not be noticed.",
        {{"path", path}});
    return std::nullopt;
  }
  return std::move(slot->mark);
}

Status Watermark::Open(const std::string& dir) {
  const std::string path = dir + "/WATERMARK";
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) return Refused("cannot open " + path);
  // A life before this one may have ended between a write and its sync: which slot is durable is
  // not known before all are.
  if (fdatasync(fd_) != 0) return Refused("cannot sync " + path);
  if (const auto slot = ReadSlots(fd_)) {
    counter_ = slot->counter;
    durable_ = slot->index;
    written_ = (durable_ + 1) % kSlots;
    return {};
  }
  return SyncDirectory(dir);
}

Status Watermark::Write(const DurableMark& mark) {
  std::string content;
  codec::PutFixed(content, ++counter_);
  codec::PutFixed(content, mark.end.value);
  codec::PutVarint(content, mark.streams.size());
  for (const auto& [name, ordinal] : mark.streams) {
    codec::PutText(content, name);
    codec::PutVarint(content, ordinal);
  }
  codec::PutVarint(content, mark.changes);
  std::string bytes(kMagic);
  codec::PutFixed(bytes, static_cast<uint32_t>(content.size()));
  bytes += content;
  codec::PutFixed(bytes, FastHash64(bytes));
  SPOOL_ASSERT(bytes.size() <= static_cast<size_t>(kSlotDistance));
  const std::lock_guard lock(mutex_);
  const off_t at = static_cast<off_t>(written_) * kSlotDistance;
  if (pwrite(fd_, bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size())) {
    return Refused("cannot write the watermark");
  }
  unsynced_ = true;
  return {};
}

Status Watermark::Sync() {
  size_t syncing = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!unsynced_) return {};
    unsynced_ = false;
    syncing = written_;
    written_ = kSlots - durable_ - written_;  // the third: indices add up to 3
  }
  if (fdatasync(fd_) != 0) return Refused("cannot sync the watermark");
  const std::lock_guard lock(mutex_);
  durable_ = syncing;
  return {};
}

}  // namespace spool
