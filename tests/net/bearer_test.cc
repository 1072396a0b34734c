// Tokens: what is read from files, which are valid, and what a request shows.
#include "net/bearer.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/net/tls_fixture.h"

namespace spool::net {
namespace {

// The machine's clock, moved ahead as a test says: files have the machine's own times.
class AheadClock final : public Clock {
 public:
  SystemTime Now() const override { return RealClock().Now() + Micros(ahead_.load()); }
  SteadyTime Steady() const override { return RealClock().Steady() + Micros(ahead_.load()); }
  void Advance(Micros by) { ahead_ += by.count(); }

 private:
  std::atomic<int64_t> ahead_{0};
};

class BearerTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name) << text;
    return dir_ / name;
  }
  Secret File(const std::string& name, const std::string& text) const {
    return Secret::FromFile(Write(name, text));
  }
  std::unique_ptr<BearerTokens> Load(std::vector<BearerToken> tokens) {
    auto loaded = BearerTokens::Load(std::move(tokens), &clock_);
    EXPECT_TRUE(loaded) << loaded.error().message;
    return loaded ? std::move(*loaded) : nullptr;
  }
  // Long enough for a change to be at rest and looked at.
  void LetTimePass() { clock_.Advance(std::chrono::seconds(3)); }

  const ScratchDir dir_;
  AheadClock clock_;
};

TEST_F(BearerTest, EachTokenHasItsRankAndTheHighestCounts) {
  const auto tokens = Load(
      {{File("a", "look\n"), 1}, {File("b", "both\r\n\n  do-it \n"), 3}, {File("c", "both"), 2}});
  EXPECT_EQ(tokens->RankOf("look"), 1);
  EXPECT_EQ(tokens->RankOf("do-it"), 3);
  EXPECT_EQ(tokens->RankOf("both"), 3);
  for (const char* wrong : {"", "loo", "look ", "lookx", "LOOK", "both\r\n\n  do-it", "do-it "}) {
    EXPECT_EQ(tokens->RankOf(wrong), std::nullopt) << wrong;
  }
  EXPECT_TRUE(Load({})->empty());
}

TEST_F(BearerTest, WhatHoldsNoTokenIsRefusedAtTheStart) {
  setenv("SPOOL_TEST_EMPTY", "", 1);
  for (const Secret& secret :
       {File("empty", ""), File("blank", " \n\t\n"), File("inner", "two words\n"),
        File("control",
             "a\x01"
             "b"),
        File("high", "\xc3\xa4"), Secret::FromFile(dir_ / "missing"),
        Secret::FromEnv("SPOOL_TEST_EMPTY"), Secret::FromEnv("SPOOL_TEST_NOT_SET")}) {
    const auto loaded = BearerTokens::Load({{secret, 1}}, &clock_);
    ASSERT_FALSE(loaded) << secret.Where();
    EXPECT_EQ(loaded.error().code, Code::kInvalid);
    EXPECT_NE(loaded.error().message.find(secret.Where()), std::string::npos);
    EXPECT_EQ(loaded.error().message.find("two words"), std::string::npos);
  }
}

TEST_F(BearerTest, RotationHasNoMomentInWhichNeitherIsValid) {
  const auto tokens = Load({{File("a", "old\n"), 1}});
  Write("a", "old\nnew\n");
  EXPECT_EQ(tokens->RankOf("old"), 1);
  LetTimePass();
  EXPECT_EQ(tokens->RankOf("old"), 1);
  EXPECT_EQ(tokens->RankOf("new"), 1);
  Write("a", "new\n");
  LetTimePass();
  EXPECT_EQ(tokens->RankOf("new"), 1);
  EXPECT_EQ(tokens->RankOf("old"), std::nullopt);
}

TEST_F(BearerTest, AFileThatIsGoneTakesItsTokensAlong) {
  const auto tokens = Load({{File("a", "one"), 1}, {File("b", "two"), 2}});
  std::filesystem::remove(dir_ / "a");
  tokens->RankOf("one");
  LetTimePass();  // it is gone still, which is not a file being replaced
  tokens->RankOf("one");
  LetTimePass();
  EXPECT_EQ(tokens->RankOf("one"), std::nullopt);
  EXPECT_EQ(tokens->RankOf("two"), 2);
  Write("a", "back");
  LetTimePass();
  EXPECT_EQ(tokens->RankOf("back"), 1);
}

// Nothing tells of the end of a shortage: the file is as it was at the look that failed.
TEST_F(BearerTest, WhatCouldNotBeReadForWantOfDescriptorsIsReadLater) {
  const auto tokens = Load({{File("a", "old"), 1}});
  Write("a", "new");
  LetTimePass();
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  const rlimit none{0, old.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const auto during = tokens->RankOf("old");
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_EQ(during, std::nullopt) << "what it says now is not known";
  LetTimePass();
  EXPECT_EQ(tokens->RankOf("new"), 1);
}

TEST_F(BearerTest, ManyThreadsAskWhileFilesChange) {
  const auto tokens = Load({{File("a", "steady\nturn-0"), 1}});
  std::atomic<uint64_t> refused{0};
  std::atomic<bool> done{false};
  std::vector<std::jthread> askers;
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([&] {
      while (!done) {
        if (tokens->RankOf("steady") != 1) ++refused;
      }
    });
  }
  for (int turn = 1; turn <= 50; ++turn) {
    const std::string token = "turn-" + std::to_string(turn);
    test::PutFile(Write("new", "steady\n" + token), dir_ / "a");
    LetTimePass();
    EXPECT_EQ(tokens->RankOf(token), 1) << turn;
  }
  done = true;
  askers.clear();
  EXPECT_EQ(refused, 0u);
}

TEST(BearerOf, ReadsTheOneAuthorizationHeaderOfThisScheme) {
  const auto shown = [](std::vector<std::pair<std::string, std::string>> headers) {
    HttpRequest request;
    request.headers = std::move(headers);
    return std::string(BearerOf(request));
  };
  EXPECT_EQ(shown({{"authorization", "Bearer abc"}}), "abc");
  EXPECT_EQ(shown({{"authorization", "bEaReR   abc "}}), "abc");
  EXPECT_EQ(shown({{"authorization", "Bearer"}}), "");
  EXPECT_EQ(shown({{"authorization", "Bearer "}}), "");
  EXPECT_EQ(shown({{"authorization", "Basic abc"}}), "");
  EXPECT_EQ(shown({{"x-authorization", "Bearer abc"}}), "");
  EXPECT_EQ(shown({{"authorization", "Bearer abc"}, {"authorization", "Bearer def"}}), "");
}

TEST(Unauthorized, TellsAClientWhatIsMissingInTheWordsOfRfc6750) {
  EXPECT_EQ(Unauthorized(false).headers.back().second, "Bearer realm=\"spool\"");
  EXPECT_EQ(Unauthorized(true).headers.back().second,
            "Bearer realm=\"spool\", error=\"invalid_token\"");
  EXPECT_EQ(Forbidden("no").status, 403);
}

}  // namespace
}  // namespace spool::net
