// Preloaded into spoold in the guest, makes its syncs do nothing and say that they were done: what
// a program without them would be. POWER_SYNCED may name the one file whose syncs are carried out.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

// Whether `fd` is the file that stays synced.
bool IsSynced(int fd) {
  static const char* const name = std::getenv("POWER_SYNCED");
  if (name == nullptr) return false;
  char link[64];
  char path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(link, path, sizeof path);
  if (n <= 0) return false;
  const std::string_view whole(path, static_cast<size_t>(n));
  return whole.substr(whole.rfind('/') + 1) == name;
}

}  // namespace

extern "C" {

int fdatasync(int fd) { return IsSynced(fd) ? static_cast<int>(syscall(SYS_fdatasync, fd)) : 0; }
int fsync(int fd) { return IsSynced(fd) ? static_cast<int>(syscall(SYS_fsync, fd)) : 0; }
int sync_file_range(int, off64_t, off64_t, unsigned) { return 0; }
int syncfs(int) noexcept { return 0; }
void sync() noexcept {}
int msync(void*, size_t, int) { return 0; }

}  // extern "C"
