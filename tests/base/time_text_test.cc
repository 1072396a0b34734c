#include "base/time_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace spool {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDay = 86'400 * kSecond;

std::string RoundTrip(std::string_view text) {
  const auto t = ParseRfc3339(text);
  return t ? FormatTime(*t) : "none";
}

TEST(TimeText, TimesAreWrittenInUtcWithSixFractionDigits) {
  EXPECT_EQ(FormatTime(FromMicros(0)), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(FormatTime(FromMicros(1'795'155'074'402'113)), "2026-11-20T06:11:14.402113Z");
  EXPECT_EQ(FormatTime(FromMicros(-1)), "1969-12-31T23:59:59.999999Z");
}

TEST(TimeText, AnyOffsetIsReadIntoUtc) {
  EXPECT_EQ(RoundTrip("2026-11-20T06:11:14Z"), "2026-11-20T06:11:14.000000Z");
  EXPECT_EQ(RoundTrip("2026-11-20 06:11:14Z"), "2026-11-20T06:11:14.000000Z");
  EXPECT_EQ(RoundTrip("2026-11-20T06:11:14+05:45"), "2026-11-20T00:26:14.000000Z");
  EXPECT_EQ(RoundTrip("2026-12-31T20:00:00-08:00"), "2027-01-01T04:00:00.000000Z");
  EXPECT_EQ(RoundTrip("2024-02-29T00:00:00Z"), "2024-02-29T00:00:00.000000Z");
}

TEST(TimeText, FractionsOfOneToNineDigitsAreReadAndCutToSix) {
  EXPECT_EQ(RoundTrip("2026-11-20T06:11:14.4Z"), "2026-11-20T06:11:14.400000Z");
  EXPECT_EQ(RoundTrip("2026-11-20T06:11:14.402113Z"), "2026-11-20T06:11:14.402113Z");
  EXPECT_EQ(RoundTrip("2026-11-20T06:11:14.402113999Z"), "2026-11-20T06:11:14.402113Z");
  EXPECT_EQ(RoundTrip("2026-11-20T06:11:14.4021139990Z"), "none");
  EXPECT_EQ(RoundTrip("2026-11-20T06:11:14.Z"), "none");
}

TEST(TimeText, ALeapSecondIsTheSecondAfter) {
  EXPECT_EQ(RoundTrip("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00.000000Z");
}

TEST(TimeText, TheFirstAndLastYearAreReadAndNothingBeyond) {
  EXPECT_EQ(RoundTrip("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00.000000Z");
  EXPECT_EQ(RoundTrip("9999-12-31T23:59:59.999999Z"), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(RoundTrip("0001-01-01T00:00:00+00:01"), "none");
  EXPECT_EQ(RoundTrip("9999-12-31T23:59:59-00:01"), "none");
  EXPECT_EQ(RoundTrip("0000-01-01T00:00:00Z"), "none");
}

TEST(TimeText, WhatIsNotRfc3339IsNoTime) {
  for (const char* text : {"",
                           "2026",
                           "2026-11-20",
                           "2026-11-20T06:11Z",
                           "2026-11-20T06:11:14",
                           "20261120T061114Z",
                           "2026-13-01T00:00:00Z",
                           "2026-02-29T00:00:00Z",
                           "2026-00-10T00:00:00Z",
                           "2026-11-20T24:00:00Z",
                           "2026-11-20T06:60:00Z",
                           "2026-11-20T06:11:61Z",
                           "2026-11-20t06:11:14Z",
                           "2026-11-20T06:11:14z",
                           "2026-11-20T06:11:14Z ",
                           " 2026-11-20T06:11:14Z",
                           "2026-11-20T06:11:14+0200",
                           "2026-11-20T06:11:14+24:00",
                           "2026-11-20T06:11:14+02:60",
                           "2026-11-20T06:11:14+02",
                           "2026-1-2T03:04:05Z",
                           "+2026-11-20T06:11:14Z",
                           "-026-11-20T06:11:14Z",
                           "2026-11-20T06:11:14.-1Z"}) {
    EXPECT_FALSE(ParseRfc3339(text)) << text;
  }
  EXPECT_FALSE(ParseRfc3339(std::string_view("2026-11-20T06:11:14Z\0", 21)));
}

TEST(TimeText, EveryTimeThatIsWrittenIsReadBackExactly) {
  std::mt19937_64 random(7);
  std::uniform_int_distribution<int64_t> micros(-62'135'596'800 * kSecond,
                                                253'402'300'800 * kSecond - 1);
  for (int i = 0; i < 20'000; ++i) {
    const SystemTime t = FromMicros(micros(random));
    ASSERT_EQ(ParseRfc3339(FormatTime(t)), t) << FormatTime(t);
  }
}

TEST(TimeText, PeopleMaySayNowADateOrHowLongAgo) {
  const SystemTime now = *ParseRfc3339("2026-11-20T06:11:14Z");
  const auto when = [&](std::string_view text) {
    const auto t = ParseWhen(text, now);
    return t ? FormatTime(*t) : "refused";
  };
  EXPECT_EQ(when("now"), "2026-11-20T06:11:14.000000Z");
  EXPECT_EQ(when("now-3h"), "2026-11-20T03:11:14.000000Z");
  EXPECT_EQ(when("10m"), "2026-11-20T06:01:14.000000Z");
  EXPECT_EQ(when("2d"), "2026-11-18T06:11:14.000000Z");
  EXPECT_EQ(when("1h30m"), "2026-11-20T04:41:14.000000Z");
  EXPECT_EQ(when("2026-11-19"), "2026-11-19T00:00:00.000000Z");
  EXPECT_EQ(when("2026-11-19T01:00:00+01:00"), "2026-11-19T00:00:00.000000Z");
  for (const char* text : {"", "yesterday", "now+3h", "now-", "-3h", "now -3h", "2026-11", "10",
                           "2026-11-19x", "5000000d", "106751991d"}) {
    EXPECT_EQ(when(text), "refused") << text;
  }
  const auto wrong = ParseWhen("tomorrow", now);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kInvalid);
  EXPECT_NE(wrong.error().message.find("'tomorrow'"), std::string::npos);
  EXPECT_NE(wrong.error().message.find("now-3h"), std::string::npos);
}

TEST(TimeText, DurationsAreNumbersWithUnitsAndTheirSums) {
  const auto micros = [](std::string_view text) {
    const auto d = ParseDuration(text);
    return d ? d->count() : -1;
  };
  EXPECT_EQ(micros("250ms"), 250'000);
  EXPECT_EQ(micros("10s"), 10 * kSecond);
  EXPECT_EQ(micros("5m"), 300 * kSecond);
  EXPECT_EQ(micros("2h"), 7'200 * kSecond);
  EXPECT_EQ(micros("7d"), 7 * kDay);
  EXPECT_EQ(micros("1h30m"), 5'400 * kSecond);
  EXPECT_EQ(micros("1d2h3m4s5ms6us"), kDay + 7'384 * kSecond + 5'006);
  EXPECT_EQ(micros("0s"), 0);
  EXPECT_EQ(micros("9223372036854775807us"), std::numeric_limits<int64_t>::max());
}

TEST(TimeText, DurationsThatMeanNothingAreRefused) {
  for (const char* text :
       {"", "10", "-10s", "+10s", "1.5h", "10 s", "s", "10S", "1w", "30m1h", "1m1m", "1h30",
        "99999999999999999999s", "9223372036854775808us", "106751992d", "106751991d5h"}) {
    const auto d = ParseDuration(text);
    ASSERT_FALSE(d) << text;
    EXPECT_EQ(d.error().code, Code::kInvalid);
  }
}

TEST(TimeText, DurationsAreWrittenShortestAndReadBackExactly) {
  EXPECT_EQ(FormatDuration(Micros(0)), "0s");
  EXPECT_EQ(FormatDuration(Micros(250'000)), "250ms");
  EXPECT_EQ(FormatDuration(Micros(5'400 * kSecond)), "1h30m");
  EXPECT_EQ(FormatDuration(Micros(7 * kDay)), "7d");
  EXPECT_EQ(FormatDuration(Micros(1)), "1us");
  std::mt19937_64 random(11);
  for (int i = 0; i < 10'000; ++i) {
    const Micros d(static_cast<int64_t>(random() >> (1 + random() % 60)));
    const auto back = ParseDuration(FormatDuration(d));
    ASSERT_TRUE(back) << FormatDuration(d);
    ASSERT_EQ(back->count(), d.count());
  }
}

TEST(TimeText, AgesShowTwoUnitsAtTheMost) {
  EXPECT_EQ(FormatAge(Micros(0)), "0s");
  EXPECT_EQ(FormatAge(Micros(-5)), "0s");
  EXPECT_EQ(FormatAge(Micros(400'000)), "0.4s");
  EXPECT_EQ(FormatAge(Micros(2 * kSecond)), "2s");
  EXPECT_EQ(FormatAge(Micros(41 * kSecond + 900'000)), "41s");
  EXPECT_EQ(FormatAge(Micros(41 * 60 * kSecond)), "41m");
  EXPECT_EQ(FormatAge(Micros(90 * kSecond)), "1m30s");
  EXPECT_EQ(FormatAge(Micros(6 * kDay + 4 * 3'600 * kSecond + 59 * kSecond)), "6d4h");
  EXPECT_EQ(FormatAge(Micros(6 * kDay + 59 * kSecond)), "6d");
}

TEST(TimeText, SizesAreDecimalOrBinaryMultiplesOfBytes) {
  const auto bytes = [](std::string_view text) { return ParseBytes(text).value_or(42); };
  EXPECT_EQ(bytes("512"), 512u);
  EXPECT_EQ(bytes("0"), 0u);
  EXPECT_EQ(bytes("512B"), 512u);
  EXPECT_EQ(bytes("900KB"), 900'000u);
  EXPECT_EQ(bytes("3MB"), 3'000'000u);
  EXPECT_EQ(bytes("64KiB"), 65'536u);
  EXPECT_EQ(bytes("64MiB"), 64ull << 20);
  EXPECT_EQ(bytes("2GiB"), 2ull << 30);
  EXPECT_EQ(bytes("1TiB"), 1ull << 40);
  EXPECT_EQ(bytes("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  for (const char* text : {"", "MiB", "-1", "1.5GiB", "64 MiB", "64mib", "64M", "1PB",
                           "18446744073709551616", "99999999999TiB"}) {
    const auto size = ParseBytes(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code, Code::kInvalid);
  }
}

TEST(TimeText, SizesForPeopleHaveOneDecimal) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(512), "512 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes(31ull << 30), "31.0 GiB");
  EXPECT_EQ(FormatBytes((1ull << 20) - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(std::numeric_limits<uint64_t>::max()), "16.0 EiB");
}

}  // namespace
}  // namespace spool
