#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

#include "base/time_text.h"

namespace spool {
namespace {

using testing::EndsWith;
using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

class Log : public testing::Test {
 protected:
  void TearDown() override { log::Configure(log::Level::kInfo, log::Format::kText); }

  std::string Written(const std::function<void()>& body) {
    CaptureStderr();
    body();
    return GetCapturedStderr();
  }
};

TEST_F(Log, ATextLineHasTimeLevelSentenceAndFields) {
  const std::string line = Written([] {
    log::Warn("The target does not answer.",
              {{"target", "web"}, {"attempts", 3}, {"error", "no route to host"}, {"empty", ""}});
  });
  ASSERT_GT(line.size(), 28u);
  EXPECT_TRUE(ParseRfc3339(line.substr(0, 27))) << line;
  EXPECT_EQ(line.substr(27),
            " warn  The target does not answer. target=web attempts=3 "
            "error=\"no route to host\" empty=\"\"\n");
}

TEST_F(Log, AJsonLineIsOneObject) {
  log::Configure(log::Level::kInfo, log::Format::kJson);
  const std::string line = Written([] {
    log::Error("Lost.", {{"target", "web"}, {"count", uint64_t{7}}});
  });
  EXPECT_EQ(line.substr(0, 9), "{\"time\":\"");
  EXPECT_TRUE(ParseRfc3339(line.substr(9, 27))) << line;
  EXPECT_EQ(line.substr(36),
            "\",\"level\":\"error\",\"message\":\"Lost.\",\"target\":\"web\",\"count\":\"7\"}\n");
}

TEST_F(Log, LevelsBelowTheConfiguredOneAreSilent) {
  const auto all = [] {
    log::Debug("d");
    log::Info("i");
    log::Warn("w");
    log::Error("e");
  };
  const auto lines = [&](log::Level level) {
    log::Configure(level, log::Format::kText);
    const std::string text = Written(all);
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_EQ(lines(log::Level::kDebug), 4);
  EXPECT_EQ(lines(log::Level::kInfo), 3);
  EXPECT_EQ(lines(log::Level::kWarn), 2);
  EXPECT_EQ(lines(log::Level::kError), 1);
}

TEST_F(Log, NoTextCanForgeALineOrTurnOneAround) {
  const std::string evil =
      "a\nb\r\t\x1b[2J\x7f \xe2\x80\xae \xe2\x81\xa6 \xe2\x80\xa8 \xe2\x80\x8f "
      "\xc2\x9b \"q\" \\";
  const std::string escaped =
      "a\\u000ab\\u000d\\u0009\\u001b[2J\\u007f \\u202e \\u2066 \\u2028 \\u200f \\u009b "
      "\\\"q\\\" \\\\";
  for (const log::Format format : {log::Format::kText, log::Format::kJson}) {
    log::Configure(log::Level::kInfo, format);
    const std::string line = Written([&] { log::Info(evil, {{"field", evil}}); });
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    EXPECT_EQ(line.find_first_of("\x1b\x7f\r\t"), line.npos);
    const size_t message = line.find(escaped);
    ASSERT_NE(message, line.npos) << line;
    EXPECT_NE(line.find(escaped, message + 1), line.npos) << line;
  }
}

TEST_F(Log, TextInOtherScriptsStaysAsItIs) {
  const std::string text = "Grüße \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xe6\xbc\xa2 \xf0\x9f\x9a\x80";
  EXPECT_THAT(Written([&] { log::Info(text); }), EndsWith(text + "\n"));
}

TEST_F(Log, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_THAT(Written([] { log::Info("\xff\xc0\x80\xed\xa0\x80\xf5 \xe2\x80"); }),
              EndsWith("info  \\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\n"));
}

TEST_F(Log, LinesOfManyThreadsDoNotMix) {
  const std::string text = Written([] {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 250; ++i) log::Info("One sentence.", {{"n", i}});
      });
    }
  });
  size_t lines = 0;
  for (size_t at = 0; at < text.size(); ++lines) {
    const size_t end = text.find('\n', at);
    ASSERT_NE(end, text.npos);
    ASSERT_EQ(text.substr(at + 27, 22), " info  One sentence. n") << text.substr(at, end - at);
    at = end + 1;
  }
  EXPECT_EQ(lines, 1'000u);
}

TEST_F(Log, LevelsAreReadByName) {
  EXPECT_EQ(log::ParseLevel("warn").value(), log::Level::kWarn);
  const auto wrong = log::ParseLevel("verbose");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kInvalid);
}

TEST(LogLimiter, SpeaksOnceAndTellsHowManyItHeldBack) {
  log::Limiter limiter(3'600);
  uint64_t held_back = 99;
  EXPECT_TRUE(limiter.Allow(&held_back));
  EXPECT_EQ(held_back, 0u);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limiter.Allow(&held_back));

  log::Limiter always(0);
  EXPECT_TRUE(always.Allow(&held_back));
  EXPECT_TRUE(always.Allow(&held_back));
  EXPECT_EQ(held_back, 0u);
}

TEST(LogLimiter, CountsWhatItHeldBackUntilItSpeaksAgain) {
  log::Limiter limiter(1);
  uint64_t held_back = 99;
  ASSERT_TRUE(limiter.Allow(&held_back));
  uint64_t silent = 0;
  const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(30);
  while (!limiter.Allow(&held_back)) {
    ++silent;
    ASSERT_LT(RealClock().Steady(), deadline);
    std::this_thread::yield();
  }
  EXPECT_GT(silent, 0u);
  EXPECT_EQ(held_back, silent);
}

}  // namespace
}  // namespace spool
