#include "ingest/sources/file_place.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace spool {

std::string FilePlacesOf(std::string_view source) { return fmt::format("place/{}/", source); }

std::string FilePlaceKey(std::string_view source, uint64_t number) {
  return fmt::format("place/{}/{:020}", source, number);
}

std::string EncodeFilePlace(const FilePlace& place) {
  return fmt::format("1 {} {} {} {} {} {} {} {} {}", place.number, place.id.device, place.id.inode,
                     place.offset, place.sample, place.print, place.finished ? 1 : 0,
                     ToMicros(place.seen), place.path);
}

std::optional<FilePlace> DecodeFilePlace(std::string_view text) {
  std::array<uint64_t, 9> numbers{};
  for (uint64_t& number : numbers) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end == text.data() + text.size() || *end != ' ') {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  }
  const auto [version, number, device, inode, offset, sample, print, finished, seen] = numbers;
  if (version != 1 || sample > FilePlace::kSampleMax || finished > 1) return std::nullopt;
  FilePlace place;
  place.number = number;
  place.id = {device, inode};
  place.offset = offset;
  place.sample = static_cast<uint32_t>(sample);
  place.print = print;
  place.finished = finished == 1;
  place.seen = FromMicros(static_cast<int64_t>(seen));
  place.path = text;
  return place;
}

}  // namespace spool
