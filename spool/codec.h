// Bytes on disk: little-endian fixed numbers, varints, length-prefixed strings. A Parser never
// reads past its end: after the first thing that does not fit, ok() is false and all reads are 0.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace spool::codec {

template <class T>
void PutFixed(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}
inline void PutVarint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}
inline void PutText(std::string& out, std::string_view text) {
  PutVarint(out, text.size());
  out.append(text);
}
inline void PutHash(std::string& out, const Hash128& hash) {
  out.append(reinterpret_cast<const char*>(hash.bytes.data()), hash.bytes.size());
}

class Parser {
 public:
  explicit Parser(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  bool ok() const { return ok_; }
  std::string_view rest() const { return {at_, static_cast<size_t>(end_ - at_)}; }

  template <class T>
  T Fixed() {
    T value{};
    if (!Need(sizeof(T))) return value;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (!Need(1)) return 0;
      const auto byte = static_cast<uint8_t>(*at_++);
      value |= uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view Bytes(uint64_t size) {
    if (!Need(size)) return {};
    const std::string_view view(at_, size);
    at_ += size;
    return view;
  }
  std::string_view Text() { return Bytes(Varint()); }
  Hash128 Hash() {
    Hash128 hash;
    const std::string_view bytes = Bytes(hash.bytes.size());
    if (ok_) std::memcpy(hash.bytes.data(), bytes.data(), bytes.size());
    return hash;
  }

 private:
  bool Need(uint64_t size) {
    if (ok_ && size <= static_cast<uint64_t>(end_ - at_)) return true;
    ok_ = false;
    at_ = end_;
    return false;
  }
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

// Keys sort as their sequences do.
inline std::string SequenceKey(uint64_t sequence) {
  std::string key(8, '\0');
  for (int i = 0; i < 8; ++i) key[i] = static_cast<char>(sequence >> (56 - 8 * i));
  return key;
}
inline uint64_t SequenceOfKey(std::string_view key) {
  uint64_t sequence = 0;
  for (size_t i = 0; i < 8 && i < key.size(); ++i) {
    sequence = sequence << 8 | static_cast<uint8_t>(key[i]);
  }
  return sequence;
}

}  // namespace spool::codec
