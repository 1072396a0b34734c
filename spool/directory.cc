#include "spool/directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/log.h"

namespace spool {
namespace {

constexpr std::string_view kInUse = " is in use by another process; nothing in it was touched";

tl::unexpected<Error> Refused(const std::string& doing) {
  return Fail(Code::kStorage, doing + ": " + std::string(std::strerror(errno)));
}

uint64_t FreeBytes(const std::string& dir) {
  struct statvfs volume {};
  if (statvfs(dir.c_str(), &volume) != 0) return 0;
  return uint64_t{volume.f_bavail} * volume.f_frsize;
}

}  // namespace

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) close(fd_);
}

Status DirectoryLock::Take(const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) {
    return Fail(Code::kStorage, "cannot make the data directory " + dir + ": " + error.message());
  }
  chmod(dir.c_str(), 0700);
  fd_ = open((dir + "/LOCK").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) return Refused("cannot open " + dir + "/LOCK");
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    return Fail(Code::kConflict, "the data directory " + dir + std::string(kInUse));
  }
  return {};
}

bool IsDirectoryInUse(const Error& error) {
  return error.code == Code::kConflict && error.message.find(kInUse) != std::string::npos;
}

Result<bool> ReadFormatFile(const std::string& dir) {
  const std::string path = dir + "/FORMAT";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    if (errno == ENOENT) return false;
    return Refused("cannot open " + path);
  }
  char text[65];
  const ssize_t size = read(fd, text, sizeof text - 1);
  if (size < 0) {
    auto refused = Refused("cannot read " + path);
    close(fd);
    return refused;
  }
  close(fd);
  std::string format(text, static_cast<size_t>(size));
  while (!format.empty() && format.back() == '\n') format.pop_back();
  if (format == kJournalFormat) return true;
  // Another version says so in this very form; anything else is damage.
  constexpr std::string_view kFamily = "spool-journal ";
  if (format.rfind(kFamily, 0) != 0 || format.size() == kFamily.size() ||
      format.find_first_not_of("0123456789", kFamily.size()) != std::string::npos) {
    return Fail(Code::kDamaged, path + " does not name a journal's format");
  }
  return Fail(Code::kInvalid, "the data directory " + dir + " has the format '" + format +
                                  "', which this version cannot read");
}

Status WriteFormatFile(const std::string& dir) {
  // Under another name first: a torn file would refuse the next start.
  const std::string path = dir + "/FORMAT";
  const std::string fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Refused("cannot create " + fresh);
  const std::string text = std::string(kJournalFormat) + "\n";
  const bool written =
      write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  if (!written) {
    auto refused = Refused("cannot write " + fresh);
    close(fd);
    return refused;
  }
  close(fd);
  if (rename(fresh.c_str(), path.c_str()) != 0) return Refused("cannot rename " + fresh);
  if (auto synced = SyncDirectory(dir); !synced) return synced;
  const std::string parent = std::filesystem::absolute(dir).lexically_normal().parent_path();
  // A parent that may not be read is not ours to sync: a volume's root, as a rule.
  if (auto synced = SyncDirectory(parent); !synced && errno != EACCES && errno != EPERM) {
    return synced;
  }
  return {};
}

void NoteDamage(const std::string& dir, const std::string& what) {
  const std::string path = dir + "/DAMAGED";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  const std::string text = what + "\n";
  const bool kept =
      write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  close(fd);
  if (kept) static_cast<void>(SyncDirectory(dir));
}

std::optional<std::string> ReadDamageNote(const std::string& dir) {
  const int fd = open((dir + "/DAMAGED").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return std::nullopt;
  char text[1024];
  const ssize_t size = read(fd, text, sizeof text);
  close(fd);
  std::string note(text, static_cast<size_t>(std::max<ssize_t>(size, 0)));
  while (!note.empty() && note.back() == '\n') note.pop_back();
  return note;
}

void ForgetDamage(const std::string& dir) {
  if (unlink((dir + "/DAMAGED").c_str()) == 0) static_cast<void>(SyncDirectory(dir));
}

void MarkOpen(const std::string& dir) {
  const int fd = open((dir + "/OPEN").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) close(fd);
}

void MarkClosed(const std::string& dir) { unlink((dir + "/OPEN").c_str()); }

bool WasLeftOpen(const std::string& dir) { return access((dir + "/OPEN").c_str(), F_OK) == 0; }

Status SyncDirectory(const std::string& dir) {
  const int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Refused("cannot open " + dir);
  const bool synced = fsync(fd) == 0;
  if (!synced) {
    auto refused = Refused("cannot sync " + dir);
    close(fd);
    return refused;
  }
  close(fd);
  return {};
}

Status MakeNewDirectory(const std::string& dir) {
  if (mkdir(dir.c_str(), 0700) == 0) return {};
  if (errno == EEXIST) return Fail(Code::kConflict, dir + " exists already");
  return Refused("cannot make " + dir);
}

Status RenameDirectory(const std::string& from, const std::string& to) {
  if (auto synced = SyncDirectory(from); !synced) return synced;
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) return Fail(Code::kConflict, to + " exists already");
    return Refused("cannot rename " + from);
  }
  return SyncDirectory(std::filesystem::absolute(to).lexically_normal().parent_path());
}

void FreeReserve(const std::string& dir, uint64_t bytes) {
  if (bytes == 0 || FreeBytes(dir) >= bytes) return;
  if (unlink((dir + "/RESERVE").c_str()) == 0) {
    log::Warn("The volume is full; the reserve file was freed.");
  }
}

Status CheckRoom(const std::string& dir) {
  constexpr uint64_t kTables = uint64_t{48} << 20;  // what the log had not yet put into tables
  constexpr uint64_t kOther = uint64_t{2} << 20;
  uint64_t logs = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir + "/db", error)) {
    if (entry.path().extension() == ".log") logs += entry.file_size(error);
  }
  if (logs == 0) return {};
  const uint64_t free = FreeBytes(dir);
  const uint64_t needed = std::min(logs, kTables) + kOther;
  if (free >= needed) return {};
  return Fail(Code::kStorage, "The volume of the journal is full: " + std::to_string(free) +
                                  " bytes are free in " + dir + ", and opening may take " +
                                  std::to_string(needed) + ". Make room or enlarge the volume.");
}

void KeepReserve(const std::string& dir, uint64_t bytes, uint64_t room) {
  const std::string path = dir + "/RESERVE";
  if (bytes == 0 || access(path.c_str(), F_OK) == 0) return;
  if (const uint64_t free = FreeBytes(dir); free < 4 * bytes || free - bytes < room) return;
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  const bool kept = posix_fallocate(fd, 0, static_cast<off_t>(bytes)) == 0;
  close(fd);
  if (!kept) unlink(path.c_str());
}

}  // namespace spool
