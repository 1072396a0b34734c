// What a crash or a power cut left at the end of a file of JSON lines.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>

namespace spool {

// How much of a file's end is looked at; more than a batch, and a power cut tears at most one.
inline constexpr size_t kFileTailBytes = size_t{16} << 20;

struct FileTail {
  // Where the lines of ours begin that were never whole on disk: they were not reported delivered
  // and come again, so that they may be cut. The file's size if there are none.
  off_t torn = 0;
  // The last line is somebody else's and has no end.
  bool endless = false;
};

// Looks at the end of the `size` bytes of `fd`. A line is torn if it stops in its middle, or if it
// has bytes that are zero: ext4 may keep a file's new length and lose what was written there, and
// may keep the lines behind such a hole. With `last_line_only` such holes are not looked for, and
// only the last byte is read if it ends a line. A line is ours if it begins like an event in the
// form of CloudEvents, or with a zero; a hole that others' lines follow is left as it is. Nothing
// if the file cannot be read, with errno.
std::optional<FileTail> LookAtTail(int fd, off_t size, bool last_line_only);

}  // namespace spool
