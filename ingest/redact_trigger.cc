#include "ingest/redact_trigger.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace spool {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// What must be there besides the word, for words that are common in events without secrets.
enum class Besides : uint8_t {
  kNothing,
  kEnd,       // no letter behind it: "pass", not "passed"
  kWordChar,  // a letter or separator before it: "api_key", not "key"
  kNotApi,    // not ".k8s.io" behind it: the group's name
  kNotId,     // not "-id" behind it: of a credential, and no secret
  kEscape,    // a digit 4 to 7 behind it: a letter that is written as an escape
  kValue,     // a blank or + behind it, and no lower-case word of prose
};

// `at` is where in the word the four bytes are that are looked for: rare ones. Where the word is
// over before, any byte will do.
struct Trigger {
  std::string_view word;  // in lower case, unless `exact`
  uint8_t at = 0;
  bool exact = false;
  Besides besides = Besides::kNothing;
};
constexpr Trigger kTriggers[] = {
    {"passw", 2},
    {"passphrase", 4},
    {"pass", 0, false, Besides::kEnd},
    {"pwd", 0},
    {"secret", 1},
    {"token", 1},
    {"key", 0, false, Besides::kWordChar},
    {"private", 2},
    {"credential", 2, false, Besides::kNotId},
    {"authorization", 7, false, Besides::kNotApi},
    {"\"auth\\", 1, true},
    {"\"auth\"", 1, true},
    {"cookie", 1},
    {"dockerc", 3},
    {"bearer", 2, false, Besides::kValue},
    {"basic", 2, false, Besides::kValue},
    {"eyJ", 0, true},
    {"-----begin", 4},
    {"configmap", 5},
    {"signingrequest", 5},
    {"env\"", 1, true},
    {"env\\", 1, true},
    {"/env/", 1, true},
    {"exec?", 1},
    {"attach?", 3},
    {"execoption", 1},
    {"attachoption", 4},
    {"last-applied", 3},
    {"requestObject", 6, true},
    {"responseObject", 7, true},
    {"\\u00", 0, false, Besides::kEscape},
    {"_base64", 1},
    {"\"/data", 2},
    {"\"/stringdata", 8},
    {"\"/binarydata", 8},
    {"mysql", 1},
    {"mariadb", 1},
    {"mongo", 1},
    {"redis-cli", 4},
    {"ldap", 0},
    {"curl", 0},
    {"wget", 0},
    {"login", 1},
    {"hooks.slack", 3},
    {"webhook.office", 5},
    {"/webhook", 0},
    {"telegram", 3},
    {"identified by", 6},
    {"sig=", 0},
    {"signature=", 5},
    {"code=", 1},
    {"jwt=", 0},
    {"pw=", 0},
    {"pw\"", 0},
    {"pw:", 0},
};
constexpr size_t kCount = std::size(kTriggers);
constexpr size_t kPlaces = 4;
static_assert(kCount <= 64, "a word has a bit");

// By place and byte, the words it may be a part of.
struct Masks {
  std::array<std::array<uint64_t, 256>, kPlaces> by_byte{};
};
constexpr Masks kMasks = [] {
  Masks masks;
  for (size_t i = 0; i < kCount; ++i) {
    const Trigger& trigger = kTriggers[i];
    const uint64_t bit = uint64_t{1} << i;
    for (size_t place = 0; place < kPlaces; ++place) {
      if (trigger.at + place >= trigger.word.size()) {
        for (uint64_t& mask : masks.by_byte[place]) mask |= bit;
        continue;
      }
      const char c = trigger.word[trigger.at + place];
      masks.by_byte[place][static_cast<uint8_t>(c)] |= bit;
      if (!trigger.exact && c >= 'a' && c <= 'z') {
        masks.by_byte[place][static_cast<uint8_t>(c - 32)] |= bit;
      }
    }
  }
  return masks;
}();

bool SaysProse(std::string_view rest) {
  constexpr size_t kWordMax = 14;
  size_t end = 1;
  while (end < rest.size() && rest[end] >= 'a' && rest[end] <= 'z') ++end;
  return end - 1 <= kWordMax && (end == rest.size() || !IsLetter(rest[end])) &&
         (end == rest.size() || std::strchr(" ,:;\"'\\)", rest[end]) != nullptr);
}

bool Holds(std::string_view text, size_t begin, const Trigger& trigger) {
  const std::string_view rest = text.substr(begin + trigger.word.size());
  switch (trigger.besides) {
    case Besides::kNothing: return true;
    case Besides::kEnd: return rest.empty() || !IsLetter(rest[0]);
    case Besides::kWordChar:
      return begin > 0 && (IsLetter(text[begin - 1]) || std::strchr("_-.", text[begin - 1]));
    case Besides::kNotApi: return !rest.starts_with(".k8s.io");
    case Besides::kNotId: return !rest.starts_with("-id\"");
    case Besides::kEscape: return !rest.empty() && rest[0] >= '4' && rest[0] <= '7';
    case Besides::kValue:
      return !rest.empty() && (rest[0] == ' ' || rest[0] == '+') && !SaysProse(rest);
  }
  return true;
}

bool Matches(std::string_view text, size_t at, const Trigger& trigger) {
  if (at < trigger.at) return false;
  const size_t begin = at - trigger.at;
  if (text.size() - begin < trigger.word.size()) return false;
  for (size_t i = 0; i < trigger.word.size(); ++i) {
    const char c = text[begin + i];
    if ((trigger.exact ? c : Lower(c)) != trigger.word[i]) return false;
  }
  return Holds(text, begin, trigger);
}

// Whether one of these words is at `at`.
bool Verify(std::string_view text, size_t at, uint64_t words) {
  for (; words != 0; words &= words - 1) {
    if (Matches(text, at, kTriggers[__builtin_ctzll(words)])) return true;
  }
  return false;
}

// The words of which four bytes may be at `at`; three are there.
inline uint64_t WordsAt(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  uint64_t words = kMasks.by_byte[0][byte(0)] & kMasks.by_byte[1][byte(1)];
  if (words != 0) words &= kMasks.by_byte[2][byte(2)];
  if (words != 0 && at + 3 < text.size()) words &= kMasks.by_byte[3][byte(3)];
  return words;
}

bool AnyWordFrom(std::string_view text, size_t at) {
  for (; at + 3 <= text.size(); ++at) {
    if (const uint64_t words = WordsAt(text, at); words != 0 && Verify(text, at, words))
      return true;
  }
  return false;
}

#if defined(__x86_64__)
// The same by halves of bytes, many words to a bit: what agrees in all eight is likely there, the
// tables by byte tell for sure.
constexpr size_t kHalves = 2;  // of 16 bits
struct Nibbles {
  alignas(16) uint8_t low[kHalves][kPlaces][16]{};
  alignas(16) uint8_t high[kHalves][kPlaces][16]{};
};
constexpr Nibbles kNibbles = [] {
  Nibbles nibbles;
  for (size_t i = 0; i < kCount; ++i) {
    const Trigger& trigger = kTriggers[i];
    const size_t half = i % (8 * kHalves) / 8;
    const auto bit = static_cast<uint8_t>(1U << (i % 8));
    for (size_t place = 0; place < kPlaces; ++place) {
      auto& low = nibbles.low[half][place];
      auto& high = nibbles.high[half][place];
      if (trigger.at + place >= trigger.word.size()) {
        for (size_t nibble = 0; nibble < 16; ++nibble) low[nibble] |= bit, high[nibble] |= bit;
        continue;
      }
      const auto c = static_cast<uint8_t>(trigger.word[trigger.at + place]);
      low[c & 15] |= bit;
      high[c >> 4] |= bit;
      if (!trigger.exact && c >= 'a' && c <= 'z') high[(c - 32) >> 4] |= bit;  // the same low half
    }
  }
  return nibbles;
}();

__attribute__((target("avx2"))) bool AnyWordAvx2(std::string_view text) {
  __m256i low[kHalves][kPlaces], high[kHalves][kPlaces];
  for (size_t half = 0; half < kHalves; ++half) {
    for (size_t place = 0; place < kPlaces; ++place) {
      low[half][place] = _mm256_broadcastsi128_si256(
          _mm_load_si128(reinterpret_cast<const __m128i*>(kNibbles.low[half][place])));
      high[half][place] = _mm256_broadcastsi128_si256(
          _mm_load_si128(reinterpret_cast<const __m128i*>(kNibbles.high[half][place])));
    }
  }
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256i zero = _mm256_setzero_si256();
  size_t at = 0;
  for (; at + 32 + kPlaces - 1 <= text.size(); at += 32) {
    __m256i found[kHalves] = {_mm256_set1_epi8(-1), _mm256_set1_epi8(-1)};
    for (size_t place = 0; place < kPlaces; ++place) {
      const __m256i bytes =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at + place));
      const __m256i lows = _mm256_and_si256(bytes, nibble);
      const __m256i highs = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble);
      for (size_t half = 0; half < kHalves; ++half) {
        const __m256i both = _mm256_and_si256(_mm256_shuffle_epi8(low[half][place], lows),
                                              _mm256_shuffle_epi8(high[half][place], highs));
        found[half] = _mm256_and_si256(found[half], both);
      }
    }
    const __m256i none = _mm256_cmpeq_epi8(_mm256_or_si256(found[0], found[1]), zero);
    for (auto hits = ~static_cast<uint32_t>(_mm256_movemask_epi8(none)); hits != 0;
         hits &= hits - 1) {
      const size_t hit = at + static_cast<size_t>(__builtin_ctz(hits));
      const uint64_t words = WordsAt(text, hit);
      if (words != 0 && Verify(text, hit, words)) return true;
    }
  }
  return AnyWordFrom(text, at);
}
#endif

bool AnyWord(std::string_view text) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  if (avx2) return AnyWordAvx2(text);
#endif
  return AnyWordFrom(text, 0);
}

// An address with a user in front of the host; images have an @ in front of their digest.
bool AnyAt(std::string_view text) {
  for (size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    const std::string_view rest = text.substr(at + 1);
    if (!rest.starts_with("sha256:") && !rest.starts_with("timestamp")) return true;
  }
  return false;
}

// A letter that is written as %41.
bool AnyPercentLetter(std::string_view text) {
  for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (at + 1 < text.size() && text[at + 1] >= '4' && text[at + 1] <= '7') return true;
  }
  return false;
}

}  // namespace

bool MayHoldSecrets(std::string_view text) {
  return AnyWord(text) || AnyAt(text) || AnyPercentLetter(text);
}

}  // namespace spool
