#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>

#include "forward/sinks/file_tail.h"
#include "forward/sinks/outcomes.h"
#include "forward/sinks/sinks.h"
#include "forward/sinks/turns.h"

namespace spool {
namespace {

// A target's live sink and its replays append to the same file: one batch at a time, so that a
// failed write can be taken back without touching another's lines.
std::shared_ptr<Turns> TurnsOf(const std::string& path) {
  static std::mutex guard;
  static std::map<std::string, std::weak_ptr<Turns>> turns;
  std::lock_guard lock(guard);
  std::erase_if(turns, [](const auto& entry) { return entry.second.expired(); });
  auto found = turns[path].lock();
  if (!found) turns[path] = found = std::make_shared<Turns>();
  return found;
}

class FileSink : public Sink {
 public:
  explicit FileSink(const FileSettings& settings)
      : path_(settings.path),
        turns_(TurnsOf(std::filesystem::path(settings.path).lexically_normal().string())) {}
  ~FileSink() override { Close(); }
  Encoding encoding() const override { return Encoding::kCloudEvent; }
  Preview Show(const Message& message) const override {
    return {"file " + path_, {}, std::string(message.body) + '\n'};
  }

  void Deliver(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime deadline,
               std::stop_token stop) override {
    if (messages.empty()) return;
    const Turn turn(*turns_, deadline, stop);
    if (!turn.taken()) return SetAll(outcomes, Verdict::kRetry, "timeout", "the file is busy");
    if (!Ready() || !Append(messages)) {
      return SetAll(outcomes, verdict_, code_, excerpt_);
    }
    for (Outcome& outcome : outcomes) outcome.verdict = Verdict::kDelivered;
  }

 private:
  // The file is open, is still the one at the path, and ends with a whole line.
  bool Ready() {
    struct stat at_path {};
    const bool there = stat(path_.c_str(), &at_path) == 0;
    if (fd_ >= 0 && (!there || at_path.st_dev != device_ || at_path.st_ino != inode_)) Close();
    if (fd_ >= 0) return MendTail();  // another sink of ours may have failed in the middle
    if (there && !S_ISREG(at_path.st_mode)) {
      return Fail(Verdict::kHold, "not_a_file", "there is something else than a regular file");
    }
    fd_ = open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd_ < 0) return FailOpen(errno);
    struct stat opened {};
    if (fstat(fd_, &opened) != 0) return FailAndClose(errno);
    device_ = opened.st_dev;
    inode_ = opened.st_ino;
    if (!SyncDirectory()) return FailAndClose(errno);
    return MendTail();
  }

  // The file's name must survive a power cut as well as its lines. One that is there already may
  // owe that to a process that ended before it got so far.
  bool SyncDirectory() {
    const std::filesystem::path parent = std::filesystem::path(path_).parent_path();
    const int dir = open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return errno == EACCES;  // may be written but not read: nothing more to do
    const bool synced = fsync(dir) == 0 || errno == EINVAL;
    close(dir);
    return synced;
  }

  // Lines of ours that a crash or a power cut tore were never reported delivered and come again, so
  // they are cut; anything else is not ours to remove and gets its line feed.
  bool MendTail() {
    const off_t size = lseek(fd_, 0, SEEK_END);
    if (size < 0) return FailAndClose(errno);
    const auto tail = LookAtTail(fd_, size);
    if (!tail) return FailAndClose(errno);
    if (tail->torn < size) {
      // Not what somebody else wrote behind it meanwhile.
      if (lseek(fd_, 0, SEEK_END) != size) return FailAndClose(EAGAIN);
      if (ftruncate(fd_, tail->torn) != 0) return FailAndClose(errno);
    }
    return !tail->endless || write(fd_, "\n", 1) == 1 || FailAndClose(errno);
  }

  bool Append(std::span<const Message> messages) {
    const off_t before = lseek(fd_, 0, SEEK_END);
    if (before < 0) return FailAndClose(errno);
    buffer_.clear();
    for (const Message& message : messages) {
      buffer_ += message.body;
      buffer_ += '\n';
    }
    std::string_view left = buffer_;
    while (!left.empty()) {
      const ssize_t n = write(fd_, left.data(), left.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        const int error = errno;
        // What cannot be taken back here is mended before the next batch.
        if (ftruncate(fd_, before) != 0) Close();
        return FailWrite(error);
      }
      left.remove_prefix(static_cast<size_t>(n));
    }
    if (buffer_.capacity() > kBufferKept) buffer_ = std::string();
    // After a failed sync the kernel may have dropped the pages and would call the next one good:
    // the lines are taken back and written again, on a fresh descriptor.
    if (fdatasync(fd_) != 0) {
      const int error = errno;
      if (ftruncate(fd_, before) != 0) Close();  // then they come twice
      return FailAndClose(error);
    }
    return true;
  }

  bool FailOpen(int error) {
    switch (error) {
      case EACCES:
      case EPERM: return Fail(Verdict::kHold, "permission_denied", std::strerror(error));
      case ENOENT:
      case ENOTDIR: return Fail(Verdict::kHold, "no_directory", std::strerror(error));
      case EISDIR:
      case ENXIO:
      case ELOOP:
      case ENAMETOOLONG: return Fail(Verdict::kHold, "not_a_file", std::strerror(error));
      case EROFS: return Fail(Verdict::kHold, "read_only", std::strerror(error));
      default: return FailWrite(error);
    }
  }
  bool FailWrite(int error) {
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    return Fail(Verdict::kRetry, full ? "no_space" : "io_error", std::strerror(error));
  }
  bool FailAndClose(int error) {
    Close();
    return FailWrite(error);
  }
  bool Fail(Verdict verdict, std::string_view code, std::string_view excerpt) {
    verdict_ = verdict;
    code_ = code;
    excerpt_ = excerpt;
    return false;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  static constexpr size_t kBufferKept = size_t{4} << 20;

  const std::string path_;
  const std::shared_ptr<Turns> turns_;
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::string buffer_;
  Verdict verdict_ = Verdict::kRetry;
  std::string code_;
  std::string excerpt_;
};

}  // namespace

std::unique_ptr<Sink> MakeFileSink(const FileSettings& settings) {
  return std::make_unique<FileSink>(settings);
}

}  // namespace spool
