// The journal's numbers, as types that cannot be mixed up.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <string>

namespace spool {

// An event's place in the journal: dense from 1 over all streams, never reused. 0 is "none".
struct Sequence {
  uint64_t value = 0;
  constexpr auto operator<=>(const Sequence&) const = default;
  constexpr Sequence operator+(uint64_t n) const { return {value + n}; }
  constexpr uint64_t operator-(Sequence other) const { return value - other.value; }
};
inline std::string ToText(Sequence s) { return std::to_string(s.value); }

// [first, end).
struct SequenceRange {
  Sequence first;
  Sequence end;
  bool operator==(const SequenceRange&) const = default;
  bool empty() const { return first >= end; }
};

// A stream's number within one opened journal (not stable across restarts; the name is).
struct StreamId {
  uint8_t value = 0;
  constexpr auto operator<=>(const StreamId&) const = default;
};
inline constexpr size_t kStreamsMax = 64;

// A set of streams of one opened journal. Value type.
class StreamSet {
 public:
  constexpr StreamSet() = default;
  constexpr void Add(StreamId id) { bits_ |= uint64_t{1} << id.value; }
  constexpr bool Contains(StreamId id) const { return (bits_ >> id.value & 1) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr int size() const { return std::popcount(bits_); }
  constexpr bool operator==(const StreamSet&) const = default;

 private:
  uint64_t bits_ = 0;
};

}  // namespace spool
