#include "spool/manifest_tail.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "spool/codec.h"

namespace spool {
namespace {

constexpr size_t kBlock = size_t{32} << 10;
constexpr size_t kHeader = 7;  // a checksum of four bytes, a length of two, a type
enum : uint8_t { kNothing = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// CRC-32C (RFC 3720), bit by bit beforehand and byte by byte then.
constexpr std::array<uint32_t, 256> kCrc = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0);
    table[i] = crc;
  }
  return table;
}();

// As the database keeps it: turned, since a sum over sums tells little.
uint32_t KeptCrc(std::string_view bytes) {
  uint32_t crc = ~uint32_t{0};
  for (const char c : bytes) crc = kCrc[(crc ^ static_cast<uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

}  // namespace

size_t ReadableManifestBytes(std::string_view manifest) {
  size_t whole = 0;
  bool inside = false;  // a record of several parts
  for (size_t at = 0; at < manifest.size();) {
    const size_t block_end = (at / kBlock + 1) * kBlock;
    if (block_end - at < kHeader) {
      at = block_end;
      continue;
    }
    codec::Parser in(manifest.substr(at, std::min(block_end, manifest.size()) - at));
    const auto crc = in.Fixed<uint32_t>();
    const auto length = in.Fixed<uint16_t>();
    const auto type = in.Fixed<uint8_t>();
    if (!in.ok()) break;  // the file ends in a header
    if (type == kNothing && length == 0) {
      if (inside) return whole;
      at = block_end;
      continue;
    }
    in.Bytes(length);
    if (!in.ok() && block_end > manifest.size()) break;  // the file ends in a record
    if (!in.ok() || type == kNothing || type > kLast ||
        crc != KeptCrc(manifest.substr(at + kHeader - 1, size_t{1} + length)) ||
        inside != (type == kMiddle || type == kLast)) {
      return whole;
    }
    at += kHeader + length;
    if (type == kFirst) inside = true;
    if (type == kFull || type == kLast) {
      whole = at;
      inside = false;
    }
  }
  return manifest.size();
}

}  // namespace spool
