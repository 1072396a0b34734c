#include "forward/sinks/file_tail.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace spool {
namespace {

constexpr std::string_view kOurs = "{\"specversion\":";
constexpr size_t kChunk = size_t{64} << 10;

bool ReadAt(int fd, off_t at, char* into, size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t n = pread(fd, into + done, size - done, at + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO;  // it was longer when it was asked
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

struct Line {
  off_t begin = -1;  // -1: farther than kFileLineMax
  bool ended = false;
  bool zeros = false;  // has some
  bool only_zeros = true;
  bool ours = false;

  bool torn() const { return !ended || zeros; }
};

// Whether a line begins as ours do, as far as it is there.
bool BeginsAsOurs(std::string_view head) {
  head = head.substr(0, head.find('\0'));
  return !head.empty() && kOurs.starts_with(head.substr(0, kOurs.size()));
}

// The line that ends at `end`, which is not 0. Nothing if it cannot be read.
std::optional<Line> LastLine(int fd, off_t end) {
  Line line;
  std::array<char, kChunk> chunk;
  if (!ReadAt(fd, end - 1, chunk.data(), 1)) return std::nullopt;
  line.ended = chunk[0] == '\n';
  if (line.ended) --end;
  const off_t farthest = std::max<off_t>(0, end - static_cast<off_t>(kFileLineMax));
  for (off_t at = end; line.begin < 0;) {
    if (at == 0) {
      line.begin = 0;
      break;
    }
    if (at == farthest) return line;
    const auto size = static_cast<size_t>(std::min<off_t>(at - farthest, kChunk));
    at -= static_cast<off_t>(size);
    if (!ReadAt(fd, at, chunk.data(), size)) return std::nullopt;
    std::string_view text(chunk.data(), size);
    if (const size_t feed = text.rfind('\n'); feed != text.npos) {
      line.begin = at + static_cast<off_t>(feed) + 1;
      text.remove_prefix(feed + 1);
    }
    line.zeros = line.zeros || text.find('\0') != text.npos;
    line.only_zeros = line.only_zeros && text.find_first_not_of('\0') == text.npos;
  }
  const auto head = static_cast<size_t>(std::min<off_t>(end - line.begin, kOurs.size()));
  if (!ReadAt(fd, line.begin, chunk.data(), head)) return std::nullopt;
  line.ours = (line.zeros && line.only_zeros) || BeginsAsOurs({chunk.data(), head});
  return line;
}

}  // namespace

std::optional<FileTail> LookAtTail(int fd, off_t size) {
  FileTail tail{size, false};
  while (tail.torn > 0) {
    const auto line = LastLine(fd, tail.torn);
    if (!line) return std::nullopt;
    if (!line->torn()) break;
    if (!line->ours) {
      tail.endless = !line->ended;
      break;
    }
    tail.torn = line->begin;
  }
  return tail;
}

}  // namespace spool
