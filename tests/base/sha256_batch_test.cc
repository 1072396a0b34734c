#include "base/sha256_batch.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace spool {
namespace {

std::string Noise(size_t size, std::mt19937_64& random) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

void ExpectSums(Sha256Batch& batch, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    const size_t cut = text.size() / 3;
    if (cut > 0) batch.Add(text.substr(0, cut));
    batch.Add(text.substr(cut));
    batch.End();
  }
  ASSERT_EQ(batch.size(), texts.size());
  const std::vector<Hash128> sums = batch.Prefixes();
  ASSERT_EQ(sums.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    ASSERT_EQ(sums[i], Sha256Prefix(texts[i])) << i << ", of " << texts[i].size() << " bytes";
  }
  EXPECT_EQ(batch.size(), 0u);
}

class Sha256BatchTest : public ::testing::TestWithParam<bool> {};

// Every place that the padding can begin at, and each number of lanes that can be empty.
TEST_P(Sha256BatchTest, GivesTheSumOfEachText) {
  std::mt19937_64 random(1);
  Sha256Batch batch(GetParam());
  for (size_t size = 0; size < 200; ++size) {
    std::vector<std::string> texts;
    for (size_t i = 0; i <= size % 19; ++i) texts.push_back(Noise(size, random));
    ExpectSums(batch, texts);
  }
}

TEST_P(Sha256BatchTest, LongAndShortTextsGoTogether) {
  std::mt19937_64 random(2);
  Sha256Batch batch(GetParam());
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> texts;
    for (uint64_t i = 1 + random() % 40; i > 0; --i) {
      texts.push_back(Noise(random() % (random() % 5 == 0 ? 20'000 : 1'500), random));
    }
    ExpectSums(batch, texts);
  }
}

TEST_P(Sha256BatchTest, OfNothingThereIsNothing) {
  Sha256Batch batch(GetParam());
  EXPECT_TRUE(batch.Prefixes().empty());
  ExpectSums(batch, {""});
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutLanes, Sha256BatchTest, ::testing::Values(true, false));

}  // namespace
}  // namespace spool
