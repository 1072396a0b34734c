#include "base/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>

namespace spool {
namespace {

TEST(Hash, Sha256PrefixIsTheFirstHalfOfTheStandardDigest) {
  EXPECT_EQ(Sha256Prefix("").Hex(), "e3b0c44298fc1c149afbf4c8996fb924");
  EXPECT_EQ(Sha256Prefix("abc").Hex(), "ba7816bf8f01cfea414140de5dae2223");
  EXPECT_EQ(Sha256Prefix("abc"), Sha256Prefix("abc"));
}

TEST(Hash, Sha256OfPiecesIsThatOfTheWhole) {
  for (const size_t size : {0, 1, 511, 512, 513, 1024, 5000}) {
    const std::string text(size, 'x');
    for (const size_t step : {1, 100, 512, 600, 5000}) {
      Sha256Pieces pieces;
      for (size_t at = 0; at < size; at += step) {
        pieces.Add(std::string_view(text).substr(at, step));
      }
      EXPECT_EQ(pieces.Prefix(), Sha256Prefix(text)) << size << " in " << step;
    }
  }
}

// RFC 4231, section 4: cases 1 to 4. Their keys are shorter than ours, and HMAC fills keys with
// zeros.
TEST(Hash, HmacHasThePublishedValues) {
  struct Vector {
    std::string key;
    std::string text;
    std::string_view digest;
  };
  std::string counted;
  for (char c = 1; c <= 25; ++c) counted += c;
  const Vector vectors[] = {
      {std::string(20, '\x0b'), "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {counted, std::string(50, '\xcd'),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
  };
  for (const Vector& vector : vectors) {
    std::array<uint8_t, 32> key{};
    std::copy(vector.key.begin(), vector.key.end(), key.begin());
    HmacSha256 hmac(key);
    for (int again = 0; again < 2; ++again) {
      hmac.Reset();
      hmac.Add(vector.text.substr(0, 3));
      hmac.Add(vector.text.substr(3));
      EXPECT_EQ(Hex(hmac.Whole()), vector.digest) << vector.text;
    }
  }
}

// On disk, so it may never change: XXH3 with its default secret, big-endian.
TEST(Hash, FastHashesHaveTheirPublishedValues) {
  EXPECT_EQ(FastHash64(""), 0x2d06800538d394c2u);
  EXPECT_EQ(FastHash128("").Hex(), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, PiecesHashLikeTheWhole) {
  const std::string text(10'000, 'x');
  FastHasher hasher;
  for (const size_t split : {size_t{0}, size_t{1}, size_t{240}, size_t{241}, size_t{4096}}) {
    hasher.Reset();
    hasher.Add(std::string_view(text).substr(0, split));
    hasher.Add(std::string_view(text).substr(split));
    EXPECT_EQ(hasher.Digest(), FastHash128(text)) << split;
  }
}

TEST(Hash, HexIsReadBackInEitherCase) {
  const Hash128 hash = Sha256Prefix("abc");
  EXPECT_EQ(Hash128::FromHex(hash.Hex()), hash);
  EXPECT_EQ(Hash128::FromHex("BA7816BF8F01CFEA414140DE5DAE2223"), hash);
}

TEST(Hash, WhatIsNot32HexDigitsIsNoHash) {
  EXPECT_FALSE(Hash128::FromHex(""));
  EXPECT_FALSE(Hash128::FromHex("ba7816bf8f01cfea414140de5dae222"));
  EXPECT_FALSE(Hash128::FromHex("ba7816bf8f01cfea414140de5dae22233"));
  EXPECT_FALSE(Hash128::FromHex("ba7816bf8f01cfea414140de5dae222g"));
  EXPECT_FALSE(Hash128::FromHex("ba7816bf8f01cfea414140de5dae222 "));
}

TEST(Hash, OnlyAllZeroIsEmpty) {
  EXPECT_TRUE(Hash128{}.empty());
  Hash128 hash;
  hash.bytes[15] = 1;
  EXPECT_FALSE(hash.empty());
  EXPECT_LT(Hash128{}, hash);
}

TEST(Hash, RandomHashesDoNotRepeat) {
  std::set<Hash128> hashes;
  std::set<uint64_t> numbers;
  for (int i = 0; i < 1'000; ++i) {
    hashes.insert(RandomHash128());
    numbers.insert(RandomUint64());
  }
  EXPECT_EQ(hashes.size(), 1'000u);
  EXPECT_EQ(numbers.size(), 1'000u);
}

}  // namespace
}  // namespace spool
