#include "spool/chunk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "spool/decoded_chunk.h"
#include "tests/support/journal_fixture.h"

namespace spool {
namespace {

struct Sealed {
  ChunkHeader header;
  std::string bytes;
  std::string body;
};

Sealed Seal(size_t events, std::string_view data) {
  ChunkCompressor compressor(1);
  ChunkBuilder builder;
  Sealed sealed;
  for (size_t i = 0; i < events; ++i) {
    builder.Add(NumberedEvent({0}, i, data), i < events / 2 ? "web" : "mail");
  }
  sealed.header.first = {41};
  sealed.header.ordinal = 7;
  sealed.header.accepted = FromMicros(99);
  sealed.header.bytes_before = 1000;
  sealed.header.raw_before = 2000;
  sealed.header.previous = IdOf(5);
  const auto packed = builder.Pack(compressor);
  EXPECT_EQ(builder.count(), 0u);
  sealed.bytes = SealChunk(packed, &sealed.header);
  return sealed;
}

void ExpectRoundTrip(const Sealed& sealed, size_t events, bool compressed) {
  auto view = ParseChunk(sealed.bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->compressed(), compressed);
  const ChunkHeader& h = view->header;
  EXPECT_EQ(h.first, Sequence{41});
  EXPECT_EQ(h.count, events);
  EXPECT_EQ(h.end(), Sequence{41 + events});
  EXPECT_EQ(h.ordinal, 7u);
  EXPECT_EQ(h.accepted, FromMicros(99));
  EXPECT_EQ(h.time_min, FromMicros(1'000'000));
  EXPECT_EQ(h.time_max, FromMicros(1'000'000 + static_cast<int64_t>(events) - 1));
  EXPECT_EQ(h.bytes_before, 1000u);
  EXPECT_EQ(h.raw_before, 2000u);
  EXPECT_EQ(h.previous, IdOf(5));
  EXPECT_EQ(h.hash, sealed.header.hash);
  EXPECT_EQ(h.origins, sealed.header.origins);
  EXPECT_EQ(view->ids.size(), events * 16);
  auto body = ChunkBody(*view);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->size(), h.raw_bytes);
}

TEST(Chunk, ASmallChunkIsPlainAndReadBack) { ExpectRoundTrip(Seal(4, "{}"), 4, false); }

TEST(Chunk, ALargeChunkIsCompressedAndReadBack) {
  const Sealed sealed = Seal(100, std::string(1000, 'x'));
  EXPECT_LT(sealed.bytes.size(), 20'000u);
  ExpectRoundTrip(sealed, 100, true);
}

TEST(Chunk, OneFlippedBitAnywhereIsNoticed) {
  for (const Sealed& sealed : {Seal(3, "{}"), Seal(20, std::string(500, 'y'))}) {
    std::string bytes = sealed.bytes;
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      const auto parsed = ParseChunk(bytes);
      ASSERT_FALSE(parsed) << "bit " << bit;
      ASSERT_EQ(parsed.error().code, Code::kDamaged);
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
  }
}

TEST(Chunk, AChunkCutShortAnywhereIsNoticed) {
  const Sealed sealed = Seal(3, "{}");
  for (size_t size = 0; size < sealed.bytes.size(); ++size) {
    ASSERT_FALSE(ParseChunk(std::string_view(sealed.bytes).substr(0, size))) << size;
  }
}

// On disk: these bytes may never change within a version.
TEST(Chunk, TheHeadersBytesAreAsDocumented) {
  const Sealed sealed = Seal(2, "{}");
  const std::string_view bytes = sealed.bytes;
  const Hash128 previous = IdOf(5);
  const auto number = [&](size_t at, size_t size) {
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
    return value;
  };
  EXPECT_EQ(bytes.substr(0, 4), std::string_view("SC\x02\x00", 4));
  EXPECT_EQ(bytes.substr(20, 16),
            std::string_view(reinterpret_cast<const char*>(previous.bytes.data()), 16));
  EXPECT_EQ(number(36, 8), 41u);
  EXPECT_EQ(number(44, 4), 2u);
  EXPECT_EQ(number(48, 8), 7u);
  EXPECT_EQ(number(56, 8), 99u);
  EXPECT_EQ(number(64, 8), 1'000'000u);
  EXPECT_EQ(number(72, 8), 1'000'001u);
  EXPECT_EQ(number(80, 8), 1000u);
  EXPECT_EQ(number(88, 8), 2000u);
  EXPECT_EQ(number(96, 4), sealed.header.raw_bytes);
  EXPECT_EQ(number(100, 8), sealed.header.body_hash);
  EXPECT_EQ(bytes.substr(108, 12), std::string_view("\x02\x03web\x01\x04mail\x01", 12));
}

TEST(DecodedChunk, ReadersOfOneChunkHoldItOnce) {
  const Sealed sealed = Seal(300, std::string(100, 'x'));
  ChunkShare share;
  auto first = share.Get({1}, sealed.bytes);
  ASSERT_TRUE(first);
  EXPECT_EQ((*first)->ids().size(), 300u * 16);
  const auto body = (*first)->Body();
  ASSERT_TRUE(body);
  EXPECT_EQ(*body, std::string(*ChunkBody(*ParseChunk(sealed.bytes))));
  // From another place in memory, as another reader gets it.
  const auto again = share.Get({1}, std::string(sealed.bytes));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->get(), first->get());
  EXPECT_EQ((*again)->Body()->data(), body->data());
  EXPECT_NE(share.Get({2}, sealed.bytes)->get(), first->get()) << "a stream has its own";
}

TEST(DecodedChunk, IsCheckedUnlessSomebodyHoldsIt) {
  const Sealed sealed = Seal(300, std::string(100, 'x'));
  std::string spoiled = sealed.bytes;
  spoiled.back() = static_cast<char>(~spoiled.back());
  ChunkShare share;
  EXPECT_FALSE(share.Get({1}, spoiled));
  EXPECT_FALSE(share.Get({1}, sealed.bytes.substr(0, 10)));
  auto held = share.Get({1}, sealed.bytes);
  ASSERT_TRUE(held);
  held->reset();
  const auto gone = share.Get({1}, spoiled);
  ASSERT_FALSE(gone) << "what nobody holds is not kept";
  EXPECT_EQ(gone.error().code, Code::kDamaged);
}

TEST(DecodedChunk, IsDecompressedOnceByManyThreads) {
  const Sealed sealed = Seal(3000, std::string(1000, 'x'));
  ChunkShare share;
  std::vector<const char*> seen(8);
  {
    std::vector<std::jthread> readers;
    const auto keep = share.Get({1}, sealed.bytes);
    ASSERT_TRUE(keep);
    for (size_t i = 0; i < seen.size(); ++i) {
      readers.emplace_back([&, i] {
        const auto chunk = share.Get({1}, sealed.bytes);
        if (const auto body = (*chunk)->Body()) seen[i] = body->data();
      });
    }
    readers.clear();
  }
  EXPECT_NE(seen[0], nullptr);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), seen[0]), 8);
}

// What many readers went through is forgotten.
TEST(DecodedChunk, AShareStaysSmall) {
  ChunkShare share;
  for (size_t i = 1; i <= 1000; ++i) ASSERT_TRUE(share.Get({1}, Seal(i % 50 + 1, "{}").bytes));
  EXPECT_LE(share.size(), 64u);
}

}  // namespace
}  // namespace spool
