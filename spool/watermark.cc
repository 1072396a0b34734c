#include "spool/watermark.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "spool/codec.h"

namespace spool {
namespace {

constexpr off_t kSlotDistance = 8192;  // room for 63 streams with long names
constexpr size_t kHeadBytes = 8;
constexpr size_t kHashBytes = 8;
constexpr std::string_view kMagic("SW\x02\x00", 4);

struct Slot {
  uint64_t counter = 0;
  DurableMark mark;
};

tl::unexpected<Error> Refused(const std::string& doing) {
  return Fail(Code::kStorage, doing + ": " + std::string(std::strerror(errno)));
}

std::optional<Slot> ReadSlot(int fd, off_t at) {
  std::string bytes(kSlotDistance, '\0');
  const ssize_t got = pread(fd, bytes.data(), bytes.size(), at);
  if (got < static_cast<ssize_t>(kHeadBytes + kHashBytes)) return std::nullopt;
  codec::Parser head(std::string_view(bytes.data(), static_cast<size_t>(got)));
  if (head.Bytes(kMagic.size()) != kMagic) return std::nullopt;
  const auto size = head.Fixed<uint32_t>();
  codec::Parser in(head.Bytes(size));
  const auto hash = head.Fixed<uint64_t>();
  if (!head.ok() || hash != FastHash64({bytes.data(), kHeadBytes + size})) return std::nullopt;
  Slot slot;
  slot.counter = in.Fixed<uint64_t>();
  slot.mark.end = {in.Fixed<uint64_t>()};
  const uint64_t streams = in.Varint();
  for (uint64_t i = 0; i < streams && in.ok(); ++i) {
    std::string name(in.Text());
    slot.mark.streams.emplace_back(std::move(name), in.Varint());
  }
  if (!in.ok()) return std::nullopt;
  return slot;
}

// The newer of the two.
std::optional<Slot> ReadSlots(int fd) {
  const auto first = ReadSlot(fd, 0);
  const auto second = ReadSlot(fd, kSlotDistance);
  if (!first || (second && second->counter > first->counter)) return second;
  return first;
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
  if (const auto slot = ReadSlots(fd_)) counter_ = slot->counter;
  return {};
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
  std::string bytes(kMagic);
  codec::PutFixed(bytes, static_cast<uint32_t>(content.size()));
  bytes += content;
  codec::PutFixed(bytes, FastHash64(bytes));
  SPOOL_ASSERT(bytes.size() <= static_cast<size_t>(kSlotDistance));
  const off_t at = counter_ % 2 == 0 ? 0 : kSlotDistance;
  if (pwrite(fd_, bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size())) {
    return Refused("cannot write the watermark");
  }
  unsynced_ = true;
  return {};
}

Status Watermark::Sync() {
  if (!unsynced_.exchange(false)) return {};
  if (fdatasync(fd_) != 0) return Refused("cannot sync the watermark");
  return {};
}

}  // namespace spool
