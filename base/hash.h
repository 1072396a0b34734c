// Hashes: one cryptographic (identities that nobody may forge), one fast (integrity on disk).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace spool {

// 128 bits, used as event ids, problem keys and chunk hashes. Value type; all zero means "none".
struct Hash128 {
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const Hash128&) const = default;
  bool empty() const { return *this == Hash128{}; }
  // 32 lower-case hex digits.
  std::string Hex() const;
  static std::optional<Hash128> FromHex(std::string_view hex);
};

// The first 128 bits of SHA-256 over `text`. Any thread.
Hash128 Sha256Prefix(std::string_view text);

// The same over several pieces as if they were one text; small ones are gathered first, so that
// many cost little more than one. Nothing is allocated. One thread, and one at a time on a thread:
// Reset, Add…, Prefix, before the next one's Reset.
class Sha256Pieces {
 public:
  Sha256Pieces() { Reset(); }
  void Reset();
  void Add(std::string_view piece);
  Hash128 Prefix();

 private:
  void Flush();
  std::array<char, 512> gathered_;
  size_t size_ = 0;
};

// All of it. Any thread.
using Digest256 = std::array<uint8_t, 32>;
Digest256 Sha256(std::string_view text);
// Takes the same time whichever bytes differ.
bool SameDigest(const Digest256& a, const Digest256& b);

// HMAC-SHA256 (RFC 2104) over pieces as if they were one text: a sum that tells nobody without the
// key what was summed, not even by trying. The key is taken in at construction. One thread.
class HmacSha256 {
 public:
  explicit HmacSha256(std::span<const uint8_t, 32> key);
  ~HmacSha256();
  HmacSha256(const HmacSha256&) = delete;
  HmacSha256& operator=(const HmacSha256&) = delete;
  void Reset();
  void Add(std::string_view piece);
  Digest256 Whole();  // until the next Reset nothing may be added

 private:
  void* inner_;  // what a sum begins and ends with, after the key
  void* outer_;
  void* work_;
};
// 64 lower-case hex digits.
std::string Hex(const Digest256& digest);

// XXH3; not for anything an attacker gains by colliding.
Hash128 FastHash128(std::string_view bytes);
uint64_t FastHash64(std::string_view bytes);

// XXH3-128 over several pieces as if they were one. One thread.
class FastHasher {
 public:
  FastHasher();
  ~FastHasher();
  FastHasher(const FastHasher&) = delete;
  FastHasher& operator=(const FastHasher&) = delete;
  void Reset();
  void Add(std::string_view bytes);
  Hash128 Digest() const;

 private:
  void* state_;
};

// From the kernel's random source; aborts if there is none.
void FillRandom(std::span<uint8_t> out);
Hash128 RandomHash128();
uint64_t RandomUint64();

}  // namespace spool
