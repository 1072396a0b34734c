// Where a file source is in one file: kept as a record of the journal, written with the events.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace spool {

struct FileId {
  uint64_t device = 0, inode = 0;
  auto operator<=>(const FileId&) const = default;
};

struct FilePlace {
  uint64_t number = 0;  // of this place, among its source's; the same whatever becomes of the file
  FileId id;
  uint64_t offset = 0;  // into what the file holds, uncompressed: all before is stored
  // The first bytes, by which the file is known under another name, inode or compression: how many
  // (at most kSampleMax, and of what is stored only) and their hash.
  uint32_t sample = 0;
  uint64_t print = 0;
  bool finished = false;  // read to its end, and nothing will be written to it any more
  SystemTime seen;        // when the files were looked for last before this was written
  std::string path;       // where it was then

  static constexpr size_t kSampleMax = 1024;
};

// "place/SOURCE/NUMBER", and back; empty when it is none of that source's.
std::string FilePlacesOf(std::string_view source);  // what they all begin with
std::string FilePlaceKey(std::string_view source, uint64_t number);
// A text: "1 number device inode offset sample print finished seen path".
std::string EncodeFilePlace(const FilePlace& place);
std::optional<FilePlace> DecodeFilePlace(std::string_view text);

}  // namespace spool
