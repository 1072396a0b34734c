// One open file, plain or compressed with gzip, read forward in whole lines.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ingest/sources/file_place.h"

namespace spool {

// What a file is now.
struct FileLook {
  FileId id;
  uint64_t size = 0;
  uint64_t links = 0;  // names; 0: it is removed and only open
  SystemTime modified;
};

// One thread.
class FileTail {
 public:
  enum class Got {
    kLines,     // whole lines, in `lines`
    kTooLong,   // a line that is too long ended; `lines` holds how it begins
    kNothing,   // nothing whole now; more may come
    kEnd,       // a compressed file is read to its end, and whole
    kReplaced,  // what it held is gone: it was cut, or holds something else now
    kCorrupt,   // a compressed file that is none, or damaged
    kTrouble,   // it cannot be read now; see error()
  };

  // Lines longer than that are not kept.
  static constexpr size_t kLineMax = size_t{16} << 20;
  // Of such a line.
  static constexpr size_t kExcerpt = size_t{4} << 10;

  // Opens `path` to go on at place.offset. kNotFound when there is none, or it is another file than
  // place.id or not a regular one; kConflict when it does not begin as the place says, or is
  // shorter than it; else kUnavailable.
  static Result<std::unique_ptr<FileTail>> Open(const std::string& path, const FilePlace& place);
  ~FileTail();
  FileTail(const FileTail&) = delete;
  FileTail& operator=(const FileTail&) = delete;

  // The hash of a file's first `size` bytes, uncompressed if it is gzip; kNotFound when it has
  // fewer (now), else kUnavailable.
  static Result<uint64_t> Print(const std::string& path, size_t size);

  // Makes `place`, which names a file, one after the file's last whole line. Errors as Open's.
  static Status EndOf(const std::string& path, FilePlace* place);

  // `lines` gets whole lines, at most so many, and of bytes about `bytes_max` but at least one
  // line. place() is after them then. With `rest`, what is left after the last line feed counts as
  // a line.
  Got Read(size_t bytes_max, size_t lines_max, bool rest, std::string* lines);

  const FilePlace& place() const { return place_; }
  FilePlace& place() { return place_; }
  bool compressed() const;
  Result<FileLook> Look() const;  // at the open file
  // Bytes that were read and belong to no whole line yet.
  uint64_t partial() const;
  uint64_t too_long() const { return too_long_; }  // the length of the last such line
  const std::string& error() const { return error_; }

 private:
  class Input;
  class PlainInput;
  class GzipInput;
  FileTail(std::unique_ptr<Input> input, FilePlace place);
  size_t Fill(size_t bytes_max);
  void Sample(std::string_view passed);
  void DropZeros();

  std::unique_ptr<Input> input_;
  FilePlace place_;
  std::string head_;     // the first bytes, as far as they are passed
  std::string pending_;  // read, and not given out: no line feed before searched_
  size_t searched_ = 0;
  uint64_t skipped_ = 0;  // of a line that is too long, beside what is pending
  std::string excerpt_;   // how it begins
  uint64_t too_long_ = 0;
  std::string error_;
};

// What a path leads to; kNotFound when nothing, or no regular file.
Result<FileLook> LookAtFile(const std::string& path);
}  // namespace spool
