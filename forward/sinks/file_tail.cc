#include "forward/sinks/file_tail.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

namespace spool {
namespace {

// `into` is filled with what is at `at`.
bool ReadAt(int fd, off_t at, std::string* into) {
  for (size_t done = 0; done < into->size();) {
    const ssize_t n = pread(fd, into->data() + done, into->size() - done, at + off_t(done));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO;  // it was longer when it was asked
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

bool IsOurs(std::string_view line) {
  constexpr std::string_view kOurs = "{\"specversion\":";
  return line.starts_with('\0') || kOurs.starts_with(line.substr(0, kOurs.size()));
}

}  // namespace

std::optional<FileTail> LookAtTail(int fd, off_t size, bool last_line_only) {
  if (size == 0) return FileTail{0, false};
  if (last_line_only) {
    std::string last(1, '\0');
    if (!ReadAt(fd, size - 1, &last)) return std::nullopt;
    if (last[0] == '\n') return FileTail{size, false};
  }
  const off_t begin = std::max<off_t>(0, size - static_cast<off_t>(kFileTailBytes));
  std::string text(static_cast<size_t>(size - begin), '\0');
  if (!ReadAt(fd, begin, &text)) return std::nullopt;
  const std::string_view tail = text;
  size_t at = 0;
  if (last_line_only) {
    at = tail.rfind('\n') + 1;
  } else if (begin > 0) {  // in the middle of a line
    at = std::min(tail.find('\n'), tail.size() - 1) + 1;
  }
  FileTail found{size, tail.back() != '\n'};
  while (at < tail.size()) {
    const size_t feed = tail.find('\n', at);
    const size_t end = std::min(feed, tail.size());
    const std::string_view line = tail.substr(at, end - at);
    const bool torn = feed == tail.npos || line.find('\0') != line.npos;
    if (!IsOurs(line)) {
      found.torn = size;
    } else if (torn && found.torn == size) {
      found.torn = begin + static_cast<off_t>(at);
    }
    at = end + 1;
  }
  if (found.torn < size) found.endless = false;
  return found;
}

}  // namespace spool
