#include "ingest/brackets.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <bit>
#include <cstdint>

namespace spool {

constexpr size_t kNone = std::string_view::npos;

size_t SkipString(std::string_view text, size_t at) {
  size_t i = at + 1;
  for (;;) {
#ifdef __SSE2__
    while (i + 16 <= text.size()) {
      const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
      const __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                       _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
      const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hit));
      if (mask != 0) {
        i += static_cast<size_t>(std::countr_zero(mask));
        break;
      }
      i += 16;
    }
#endif
    while (i < text.size() && text[i] != '"' && text[i] != '\\') ++i;
    if (i >= text.size()) return kNone;
    if (text[i] == '"') return i + 1;
    i += 2;
  }
}

namespace {

#ifdef __SSE2__
// 64 bytes of JSON as masks, a bit for each byte.
struct Block {
  uint64_t quotes = 0;
  uint64_t slashes = 0;
  uint64_t opens = 0;   // { and [
  uint64_t closes = 0;  // } and ]

  explicit Block(const char* bytes) {
    for (int part = 0; part < 4; ++part) {
      const __m128i in = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes) + part);
      const __m128i brackets = _mm_or_si128(in, _mm_set1_epi8(0x20));  // [ is { then, and ] is }
      const auto mask = [part](__m128i vector, char c) {
        const __m128i equal = _mm_cmpeq_epi8(vector, _mm_set1_epi8(c));
        return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(equal)))
               << (16 * part);
      };
      quotes |= mask(in, '"');
      slashes |= mask(in, '\\');
      opens |= mask(brackets, '{');
      closes |= mask(brackets, '}');
    }
  }
};

// A bit for each byte that has an odd number of the bits in `marks` at or before it.
uint64_t OddFrom(uint64_t marks) {
  for (const int step : {1, 2, 4, 8, 16, 32}) marks ^= marks << step;
  return marks;
}

// Goes on from `at`, outside of strings, by 64 bytes or up to a backslash. True when the bracket
// that closes the last of `depth` was met: `at` is behind it. kNone in `at`: a string does not end.
bool SkipBlock(std::string_view text, size_t* at, size_t* depth) {
  const Block block(text.data() + *at);
  // Which quotes count is known up to the first backslash.
  const uint64_t slash = block.slashes & (~block.slashes + 1);
  const uint64_t known = slash - 1;  // all of them without one
  const uint64_t quotes = block.quotes & known;
  const uint64_t inside = OddFrom(quotes);  // of strings, with the quote that opens them
  for (uint64_t left = (block.opens | block.closes) & known & ~inside; left != 0;
       left &= left - 1) {
    if ((block.opens & left & (~left + 1)) != 0) {
      ++*depth;
    } else if (--*depth == 0) {
      *at += static_cast<size_t>(std::countr_zero(left)) + 1;
      return true;
    }
  }
  if ((inside >> 63) != 0) {  // the last string goes on, or has the backslash
    *at = SkipString(text, *at + 63 - static_cast<size_t>(std::countl_zero(quotes)));
  } else {
    *at += slash == 0 ? 64 : static_cast<size_t>(std::countr_zero(slash)) + 1;
  }
  return false;
}
#endif

}  // namespace

size_t SkipBrackets(std::string_view text, size_t at) {
  size_t depth = 0;
  size_t i = at;
#ifdef __SSE2__
  while (i + 64 <= text.size()) {
    if (SkipBlock(text, &i, &depth)) return i;
    if (i == kNone) return kNone;
  }
#endif
  while (i < text.size()) {
    const char c = text[i];
    if (!IsBracketOrQuote(c)) {
      ++i;
    } else if (c == '"') {
      i = SkipString(text, i);
      if (i == kNone) return kNone;
    } else {
      ++i;
      if (c == '{' || c == '[') {
        ++depth;
      } else if (--depth == 0) {
        return i;
      }
    }
  }
  return kNone;
}

}  // namespace spool
