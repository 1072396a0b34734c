#include "ingest/brackets.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/support/linear_time.h"

namespace spool {
namespace {

// The same, a byte at a time.
size_t PlainString(std::string_view text, size_t at) {
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return text.npos;
}
size_t PlainBrackets(std::string_view text, size_t at) {
  size_t depth = 0;
  for (size_t i = at; i < text.size(); ++i) {
    switch (text[i]) {
      case '"':
        i = PlainString(text, i);
        if (i == text.npos) return text.npos;
        --i;
        break;
      case '{':
      case '[': ++depth; break;
      case '}':
      case ']':
        if (--depth == 0) return i + 1;
        break;
      default: break;
    }
  }
  return text.npos;
}

TEST(Brackets, EndWhereAPlainWalkFindsTheirEnd) {
  // What means something, what looks like it under a mask of bits, and what is neither.
  constexpr std::string_view kBytes = "\"\"\"\\{{[}]],:a \xDB\xDD\xFB\xFD\x02\x7F\x5E";
  std::mt19937_64 random(3);
  size_t ended = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string text = random() % 2 == 0 ? "{" : "[";
    // Some with few marks, so that strings and runs are longer than what is looked at in one go.
    const uint64_t plain = random() % 20;
    const size_t size = random() % 400;
    while (text.size() < size)
      text += random() % 20 < plain ? 'x' : kBytes[random() % kBytes.size()];
    const size_t end = SkipBrackets(text, 0);
    ASSERT_EQ(end, PlainBrackets(text, 0)) << text;
    ended += end != text.npos;
    if (const size_t quote = text.find('"'); quote != text.npos) {
      ASSERT_EQ(SkipString(text, quote), PlainString(text, quote)) << text;
    }
  }
  EXPECT_GT(ended, 10'000u);
  EXPECT_LT(ended, 190'000u);
}

TEST(Brackets, WhateverStandsInThemTakesLinearTime) {
  for (const std::string_view piece :
       {R"(\\)", R"("\"",)", R"({"a":"\n"},)", R"(\ )", R"("")", R"({"k":1,"\u0061":2},)", "{}"}) {
    const auto make = [&](size_t size) {
      std::string text = "[";
      while (text.size() < size) text += piece;
      return text;
    };
    const auto skip = [](const std::string& text) { SkipBrackets(text, 0); };
    EXPECT_LT(GrowthOverEightfold(1'000'000, make, skip), kGrowthMax) << piece;
  }
}

}  // namespace
}  // namespace spool
