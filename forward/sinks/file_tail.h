// What a crash or a power cut left at the end of a file of JSON lines.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>

namespace spool {

// A line that is longer is taken for somebody else's.
inline constexpr size_t kFileLineMax = size_t{64} << 20;

struct FileTail {
  // Where the lines of ours begin, up to the end, that were never whole on disk: they were not
  // reported delivered and come again, so that they may be cut. The file's size if there are none.
  off_t torn = 0;
  // What is left then ends with somebody else's line, which has no end.
  bool endless = false;
};

// Looks at the end of the `size` bytes of `fd`, from the last line back. A line is torn if it stops
// in its middle or has bytes that are zero: ext4 may keep a file's new length and lose what was
// written there. It is ours if it begins like an event in the form of CloudEvents, or is nothing
// but zeros. The first line that is whole or somebody else's ends the search, since what stands
// before it may have been reported delivered: a torn line there stays. Nothing if the file cannot
// be read, with errno.
std::optional<FileTail> LookAtTail(int fd, off_t size);

}  // namespace spool
