#include "base/sha256_batch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace spool {
namespace {

constexpr size_t kBlock = 64;
constexpr size_t kLanes = 8;

#if defined(__x86_64__)

#define SPOOL_AVX2 __attribute__((target("avx2")))

constexpr std::array<uint32_t, 8> kStart = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
constexpr std::array<uint32_t, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using Words = __m256i;  // one word of each lane

template <int kBits>
SPOOL_AVX2 inline Words Right(Words x) {
  return _mm256_or_si256(_mm256_srli_epi32(x, kBits), _mm256_slli_epi32(x, 32 - kBits));
}
SPOOL_AVX2 inline Words Xor(Words a, Words b, Words c) {
  return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}
SPOOL_AVX2 inline Words Sum(Words a, Words b) { return _mm256_add_epi32(a, b); }

// Eight words of each lane, from `at` on, become eight times one word of all lanes.
SPOOL_AVX2 inline void Transposed(const std::array<const char*, kLanes>& from, size_t at,
                                  Words* out) {
  const Words swap = _mm256_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13,
                                     14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
  Words row[kLanes], pair[kLanes], quad[kLanes];
  for (size_t i = 0; i < kLanes; ++i) {
    row[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from[i] + at));
  }
  for (size_t i = 0; i < kLanes; i += 2) {
    pair[i] = _mm256_unpacklo_epi32(row[i], row[i + 1]);
    pair[i + 1] = _mm256_unpackhi_epi32(row[i], row[i + 1]);
  }
  for (size_t i = 0; i < kLanes; i += 4) {
    quad[i] = _mm256_unpacklo_epi64(pair[i], pair[i + 2]);
    quad[i + 1] = _mm256_unpackhi_epi64(pair[i], pair[i + 2]);
    quad[i + 2] = _mm256_unpacklo_epi64(pair[i + 1], pair[i + 3]);
    quad[i + 3] = _mm256_unpackhi_epi64(pair[i + 1], pair[i + 3]);
  }
  for (size_t i = 0; i < 4; ++i) {
    out[i] = _mm256_shuffle_epi8(_mm256_permute2x128_si256(quad[i], quad[i + 4], 0x20), swap);
    out[i + 4] = _mm256_shuffle_epi8(_mm256_permute2x128_si256(quad[i], quad[i + 4], 0x31), swap);
  }
}

// One block of each lane.
SPOOL_AVX2 void Compress(const std::array<const char*, kLanes>& from, Words* state) {
  Words w[16];
  Transposed(from, 0, w);
  Transposed(from, 32, w + 8);
  Words a = state[0], b = state[1], c = state[2], d = state[3];
  Words e = state[4], f = state[5], g = state[6], h = state[7];
#pragma GCC unroll 64
  for (size_t t = 0; t < 64; ++t) {
    Words& word = w[t & 15];
    if (t >= 16) {
      const Words x = w[(t + 1) & 15], y = w[(t + 14) & 15];
      const Words low = Xor(Right<7>(x), Right<18>(x), _mm256_srli_epi32(x, 3));
      const Words high = Xor(Right<17>(y), Right<19>(y), _mm256_srli_epi32(y, 10));
      word = Sum(Sum(word, low), Sum(w[(t + 9) & 15], high));
    }
    const Words choice = _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)));
    const Words majority =
        _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)));
    const Words first = Sum(Sum(Sum(h, Xor(Right<6>(e), Right<11>(e), Right<25>(e))), choice),
                            Sum(_mm256_set1_epi32(static_cast<int>(kRound[t])), word));
    const Words second = Sum(Xor(Right<2>(a), Right<13>(a), Right<22>(a)), majority);
    h = g;
    g = f;
    f = e;
    e = Sum(d, first);
    d = c;
    c = b;
    b = a;
    a = Sum(first, second);
  }
  const Words end[8] = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; ++i) state[i] = Sum(state[i], end[i]);
}

bool DetectLanes() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kSha = 1U << 29;  // leaf 7, EBX: with these one after the other is as fast
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (b & kSha) != 0) return false;
  return __builtin_cpu_supports("avx2") != 0;
}

// `prefix` of the sum, as the words that every lane has of it.
SPOOL_AVX2 Hash128 PrefixOf(const Words* state, size_t lane) {
  Hash128 hash;
  for (size_t i = 0; i < 4; ++i) {
    alignas(32) std::array<uint32_t, kLanes> words;
    _mm256_store_si256(reinterpret_cast<__m256i*>(words.data()), state[i]);
    const uint32_t word = __builtin_bswap32(words[lane]);
    std::memcpy(hash.bytes.data() + 4 * i, &word, sizeof word);
  }
  return hash;
}

SPOOL_AVX2 void SetLane(Words* state, size_t lane) {
  for (size_t i = 0; i < kStart.size(); ++i) {
    alignas(32) std::array<uint32_t, kLanes> words;
    _mm256_store_si256(reinterpret_cast<__m256i*>(words.data()), state[i]);
    words[lane] = kStart[i];
    state[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(words.data()));
  }
}

struct Job {
  const char* begin;
  size_t blocks;
};

// A lane that has ended its text begins with the next, so that long and short ones go together.
SPOOL_AVX2 void HashAll(const std::vector<Job>& jobs, std::vector<Hash128>& out) {
  static constexpr std::array<char, kBlock> kNothing{};
  Words state[8] = {};
  std::array<const char*, kLanes> at;
  std::array<size_t, kLanes> left{}, job{};
  at.fill(kNothing.data());
  size_t next = 0;
  for (;;) {
    size_t run = 0;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      if (left[lane] == 0 && next < jobs.size()) {
        job[lane] = next;
        at[lane] = jobs[next].begin;
        left[lane] = jobs[next++].blocks;
        SetLane(state, lane);
      }
      if (left[lane] > 0) run = run == 0 ? left[lane] : std::min(run, left[lane]);
    }
    if (run == 0) return;
    for (size_t block = 0; block < run; ++block) {
      Compress(at, state);
      for (size_t lane = 0; lane < kLanes; ++lane) at[lane] += left[lane] > 0 ? kBlock : 0;
    }
    for (size_t lane = 0; lane < kLanes; ++lane) {
      if (left[lane] == 0) continue;
      left[lane] -= run;
      if (left[lane] > 0) continue;
      out[job[lane]] = PrefixOf(state, lane);
      at[lane] = kNothing.data();
    }
  }
}

#undef SPOOL_AVX2

#else

struct Job {
  const char* begin;
  size_t blocks;
};
bool DetectLanes() { return false; }
void HashAll(const std::vector<Job>&, std::vector<Hash128>&) {}

#endif

}  // namespace

bool Sha256Batch::HasLanes() {
  static const bool has = DetectLanes();
  return has;
}

Sha256Batch::Sha256Batch(bool lanes) : lanes_(lanes && HasLanes()) {}

void Sha256Batch::Add(std::string_view piece) { buffer_.append(piece); }

// A one, zeros, and the length in bits: FIPS 180-4, 5.1.1.
void Sha256Batch::End() {
  const size_t size = buffer_.size() - begin_;
  const size_t blocks = (size + 8) / kBlock + 1;
  if (lanes_) {
    uint64_t bits = uint64_t{size} * 8;
    if constexpr (std::endian::native == std::endian::little) bits = __builtin_bswap64(bits);
    buffer_ += '\x80';
    buffer_.resize(begin_ + blocks * kBlock - sizeof bits);
    buffer_.append(reinterpret_cast<const char*>(&bits), sizeof bits);
  }
  texts_.push_back({begin_, size, blocks});
  begin_ = buffer_.size();
}

std::vector<Hash128> Sha256Batch::Prefixes() {
  std::vector<Hash128> sums(texts_.size());
  if (lanes_) {
    std::vector<Job> jobs;
    jobs.reserve(texts_.size());
    for (const Text& text : texts_) jobs.push_back({buffer_.data() + text.begin, text.blocks});
    HashAll(jobs, sums);
  } else {
    for (size_t i = 0; i < texts_.size(); ++i) {
      sums[i] = Sha256Prefix(std::string_view(buffer_).substr(texts_[i].begin, texts_[i].size));
    }
  }
  buffer_.clear();
  if (buffer_.capacity() > kKeptBytes) buffer_.shrink_to_fit();
  texts_.clear();
  begin_ = 0;
  return sums;
}

}  // namespace spool
