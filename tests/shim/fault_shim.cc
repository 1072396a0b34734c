// Preloaded into the program: refuses calls and moves the wall clock as tests/support/fault_shim.h
// says. strace could do the former, but counts for each thread apart and slows all of them.
#include "tests/support/fault_shim.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using spool::testing::ShimControl;

template <class Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

ShimControl* Control() {
  static ShimControl* const control = []() -> ShimControl* {
    const char* path = getenv("SPOOL_SHIM");
    if (path == nullptr) return nullptr;
    const int fd = Next<int(const char*, int, ...)>("open")(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return nullptr;
    void* at = mmap(nullptr, sizeof(ShimControl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at == MAP_FAILED ? nullptr : static_cast<ShimControl*>(at);
  }();
  return control;
}

bool Refuses(ShimControl::Call call, const char* path, bool writes) {
  ShimControl* const c = Control();
  if (c == nullptr || c->call != call) return false;
  if (strncmp(path, c->under, strlen(c->under)) != 0) return false;
  const uint64_t n = ++c->seen;
  if (n < c->nth || (n > c->nth && c->for_good == 0)) return false;
  if (c->fired++ == 0) {
    timespec now{};
    Next<int(clockid_t, timespec*)>("clock_gettime")(CLOCK_MONOTONIC, &now);
    c->fired_at = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
    c->wrote = writes ? 1 : 0;
    snprintf(c->path, sizeof c->path, "%s", path);
  }
  errno = c->error;
  return true;
}

bool Refuses(ShimControl::Call call, int fd) {
  ShimControl* const c = Control();
  if (c == nullptr || c->call != call) return false;
  char link[32];
  char path[256];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return false;
  path[size] = '\0';
  return Refuses(call, path, true);
}

bool RefusesOpen(const char* path, int flags) {
  // The database opens an old log to add to it only to cut what was set aside for it; one that is
  // not cut is longer, no worse.
  const bool to_cut = (flags & O_APPEND) != 0;
  return Refuses(ShimControl::kOpen, path, (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0 && !to_cut);
}

int64_t Offset() {
  const ShimControl* const c = Control();
  return c == nullptr ? 0 : c->clock_offset.load();
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  if (Refuses(ShimControl::kWrite, fd)) return -1;
  static auto* const next = Next<decltype(write)>("write");
  return next(fd, data, size);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  if (Refuses(ShimControl::kPwrite, fd)) return -1;
  static auto* const next = Next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return next(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  return pwrite(fd, data, size, at);
}
int fdatasync(int fd) {
  if (Refuses(ShimControl::kDatasync, fd)) return -1;
  static auto* const next = Next<decltype(fdatasync)>("fdatasync");
  return next(fd);
}
int fsync(int fd) {
  if (Refuses(ShimControl::kFsync, fd)) return -1;
  static auto* const next = Next<decltype(fsync)>("fsync");
  return next(fd);
}
int rename(const char* from, const char* to) {
  if (Refuses(ShimControl::kRename, from, true)) return -1;
  static auto* const next = Next<decltype(rename)>("rename");
  return next(from, to);
}
int ftruncate(int fd, off_t size) {
  if (Refuses(ShimControl::kTruncate, fd)) return -1;
  static auto* const next = Next<int(int, off_t)>("ftruncate");
  return next(fd, size);
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  if (RefusesOpen(path, flags)) return -1;
  static auto* const next = Next<int(const char*, int, ...)>("open");
  return next(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open(path, flags, mode);
}
int __open_2(const char* path, int flags) { return open(path, flags, 0); }
int __open64_2(const char* path, int flags) { return open(path, flags, 0); }

int clock_gettime(clockid_t clock, timespec* now) {
  static auto* const next = Next<int(clockid_t, timespec*)>("clock_gettime");
  const int result = next(clock, now);
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += Offset();
  return result;
}
int gettimeofday(timeval* now, void* zone) {
  static auto* const next = Next<int(timeval*, void*)>("gettimeofday");
  const int result = next(now, zone);
  if (result == 0 && now != nullptr) now->tv_sec += Offset();
  return result;
}
time_t time(time_t* out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
