#include "spool/watermark.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/hash.h"
#include "base/log.h"
#include "spool/codec.h"

namespace spool {
namespace {

constexpr off_t kSlotDistance = 4096;
constexpr size_t kSlotBytes = 28;
constexpr std::string_view kMagic("SW\x01\x00", 4);

struct Slot {
  uint64_t counter = 0;
  Sequence end;
};

tl::unexpected<Error> Refused(const std::string& doing) {
  return Fail(Code::kStorage, doing + ": " + std::string(std::strerror(errno)));
}

std::optional<Slot> ReadSlot(int fd, off_t at) {
  char bytes[kSlotBytes];
  if (pread(fd, bytes, sizeof bytes, at) != static_cast<ssize_t>(sizeof bytes)) return std::nullopt;
  codec::Parser in(std::string_view(bytes, sizeof bytes));
  if (in.Bytes(kMagic.size()) != kMagic) return std::nullopt;
  Slot slot;
  slot.counter = in.Fixed<uint64_t>();
  slot.end = {in.Fixed<uint64_t>()};
  if (in.Fixed<uint64_t>() != FastHash64({bytes, kSlotBytes - 8})) return std::nullopt;
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

Result<std::optional<Sequence>> Watermark::Read(const std::string& dir) {
  const std::string path = dir + "/WATERMARK";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    if (errno == ENOENT) return std::nullopt;
    return Refused("cannot open " + path);
  }
  const auto slot = ReadSlots(fd);
  close(fd);
  if (!slot) {
    log::Warn(
        "The watermark file cannot be made sense of; a log that was cut would not be noticed.",
        {{"path", path}});
    return std::nullopt;
  }
  return slot->end;
}

Status Watermark::Open(const std::string& dir) {
  const std::string path = dir + "/WATERMARK";
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) return Refused("cannot open " + path);
  if (const auto slot = ReadSlots(fd_)) counter_ = slot->counter;
  return {};
}

Status Watermark::Write(Sequence end) {
  std::string bytes(kMagic);
  codec::PutFixed(bytes, ++counter_);
  codec::PutFixed(bytes, end.value);
  codec::PutFixed(bytes, FastHash64(bytes));
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
