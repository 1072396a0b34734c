#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>

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
