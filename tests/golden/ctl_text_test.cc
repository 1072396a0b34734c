// The pieces that spoolctl's output is made of.
#include <gtest/gtest.h>

#include "app/ctl/arguments.h"
#include "app/ctl/event_printer.h"
#include "app/ctl/json.h"
#include "app/ctl/replay_progress.h"
#include "app/ctl/table.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

TEST(CtlText, WidthIsWhatATerminalShows) {
  EXPECT_EQ(DisplayWidth("plain"), 5u);
  EXPECT_EQ(DisplayWidth("日本"), 4u);
  EXPECT_EQ(DisplayWidth("🚀"), 2u);
  EXPECT_EQ(DisplayWidth("é"), 1u);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1u);
  EXPECT_EQ(DisplayWidth("한국"), 4u);
  EXPECT_EQ(DisplayWidth("Ａ"), 2u);
  EXPECT_EQ(DisplayWidth("…█→"), 3u);
}

TEST(CtlText, NothingThatActsOnATerminalGetsThrough) {
  for (char32_t c = 0; c < 0x3000; ++c) {
    if (!IsHostile(c)) continue;
    std::string raw;
    if (c < 0x80) {
      raw = static_cast<char>(c);
    } else if (c < 0x800) {
      raw = {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
    } else {
      raw = {static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)),
             static_cast<char>(0x80 | (c & 0x3F))};
    }
    const std::string visible = Visible(raw);
    ASSERT_FALSE(visible.empty());
    for (const char b : visible) ASSERT_TRUE(b >= 0x20 && b < 0x7F) << std::hex << uint32_t(c);
  }
  EXPECT_EQ(Visible("\x1b[31mred"), "\\u001b[31mred");
  EXPECT_EQ(Visible("a\nb\tc\rd"), "a b c d");
  EXPECT_EQ(Visible("\u202egnp.exe"), "\\u202egnp.exe");
  EXPECT_EQ(Visible("\U000E0041"), "\\udb40\\udc41");
}

TEST(CtlText, BytesThatAreNoUtf8AreShownAsSuch) {
  EXPECT_EQ(Visible("a\xffz"), "a\\xffz");
  EXPECT_EQ(Visible("\xc0\x80"), "\\xc0\\x80");           // overlong
  EXPECT_EQ(Visible("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(Visible("\xe6\x97"), "\\xe6\\x97");           // cut
  EXPECT_EQ(Visible("\x9b"
                    "2J"),
            "\\x9b2J");
}

TEST(CtlText, AnEventSaysWhatItsProducerSays) {
  const auto message = [](std::string_view text) {
    const auto data = Json::Parse(text);
    return data ? MessageOf(*data) : "no JSON";
  };
  const std::pair<std::string_view, std::string_view> said[] = {
      {R"({"message":"m","note":"n"})", "m"},
      {R"({"message":"","note":"n"})", "n"},
      {R"({"output":"o"})", "o"},
      {R"({"msg":"no team label"})", "no team label"},
      {R"({"text":"A `pod`"})", "A `pod`"},
      {R"({"log":"a line"})", "a line"},
      {R"({"body":"of OTLP"})", "of OTLP"},
      {R"({"body":{"type":"MODIFIED","object":{"message":"watched"}}})", "watched"},
      {R"({"body":{"verb":"get","requestURI":"/api"}})", "get /api"},
      {R"({"source":"k8s","data":{"Title":"t","Messages":["","why"]}})", "why"},
      {R"({"source":"k8s","data":{"Title":"t","Messages":null}})", "t"},
      {R"({"verb":"get","requestURI":"/api","user":{"username":"eve"}})", "get /api by eve"},
      {R"({"verb":"get","requestURI":"/api","responseStatus":{"message":"no"}})", "no"},
      {R"({"verb":"get"})", ""},
      {R"({"request":{"operation":"CREATE","resource":{"resource":"pods"},)"
       R"("userInfo":{"username":"eve"}}})",
       "CREATE pods by eve"},
      {R"({"Operation":"File","Resource":"/etc/hosts"})", "File /etc/hosts"},
      {R"({"log":{"a":1},"msg":["x"],"message":{"text":"no string"}})", ""},
      {R"({"n":1})", ""},
      {R"([1])", ""},
  };
  for (const auto& [data, text] : said) EXPECT_EQ(message(data), text) << data;
}

TEST(CtlText, APileOfCombiningMarksIsCut) {
  std::string pile = "a";
  for (int i = 0; i < 100; ++i) pile += "\u0301";
  EXPECT_EQ(Visible(pile).size(), 1u + 4 * 2);
}

TEST(CtlText, TruncationNeverExceedsTheWidth) {
  EXPECT_EQ(Truncate("abcdef", 6), "abcdef");
  EXPECT_EQ(Truncate("abcdefg", 6), "abcde…");
  EXPECT_EQ(Truncate("日本語", 6), "日本語");
  EXPECT_EQ(Truncate("日本語", 5), "日本…");
  EXPECT_EQ(Truncate("日本語", 4), "日…");
  EXPECT_EQ(Truncate("日本語", 1), "…");
  EXPECT_EQ(Truncate("日本語", 0), "");
}

TEST(CtlText, JsonStaysTheSameJsonWhenItIsMadeVisible) {
  EXPECT_EQ(VisibleJson("{\"a\":\"\u202e\u009b\x7f\"}"), "{\"a\":\"\\u202e\\u009b\\u007f\"}");
  EXPECT_EQ(VisibleJson("{\n  \"a\": \"日\"\n}"), "{\n  \"a\": \"日\"\n}");
}

TEST(CtlText, NumbersHaveSeparators) {
  EXPECT_EQ(Thousands(0), "0");
  EXPECT_EQ(Thousands(999), "999");
  EXPECT_EQ(Thousands(1000), "1,000");
  EXPECT_EQ(Thousands(UINT64_MAX), "18,446,744,073,709,551,615");
  EXPECT_EQ(Count(1, "event"), "1 event");
  EXPECT_EQ(Count(0, "event"), "0 events");
}

TEST(CtlText, TheNearestNameIsFound) {
  const std::vector<std::string> names = {"kafka-archive", "servicenow", "slack", "stdout"};
  EXPECT_EQ(Closest("servicenwo", names), "servicenow");
  EXPECT_EQ(Closest("slak", names), "slack");
  EXPECT_EQ(Closest("kafka", names), "kafka-archive");
  EXPECT_EQ(Closest("s", names), "");
  EXPECT_EQ(Closest("zzzzzz", names), "");
}

TEST(CtlText, WordsSurviveAShellAndAUrl) {
  EXPECT_EQ(ShellQuote("kind=Pod"), "kind=Pod");
  EXPECT_EQ(ShellQuote("it's *"), "'it'\\''s *'");
  EXPECT_EQ(ShellQuote(""), "''");
  EXPECT_EQ(PercentEncode("a b/c:d?é"), "a%20b%2Fc%3Ad%3F%C3%A9");
}

TEST(CtlTable, ColumnsAlignByWidthAndShrinkFromTheRight) {
  const auto make = [] {
    Table table({{"NAME", false, 4}, {"N", true}, {"TEXT", false, 6}});
    table.Add({"日本語の名前", "7", "some long free text"});
    table.Add({"b", "1,000", ""});
    return table;
  };
  EXPECT_EQ(make().Render({}),
            "NAME              N  TEXT\n"
            "日本語の名前      7  some long free text\n"
            "b             1,000  -\n");
  EXPECT_EQ(make().Render({true, false, 28}),
            "NAME              N  TEXT\n"
            "日本語の名前      7  some l…\n"
            "b             1,000  -\n");
  EXPECT_EQ(make().Render({true, false, 20}),
            "NAME       N  TEXT\n"
            "日本…      7  some …\n"
            "b      1,000  -\n");
  EXPECT_EQ(make().Render({false, false, 0}).find("NAME"), std::string::npos);
}

TEST(CtlTable, LaterRowsKeepTheColumnsOfEarlierOnes) {
  Table table({{"A"}, {"B"}});
  table.Add({"wide cell", "1"});
  EXPECT_EQ(table.Render({}), "A          B\nwide cell  1\n");
  table.Add({"x", "2"});
  EXPECT_EQ(table.Render({}), "x          2\n");
}

TEST(CtlTable, ColourWrapsTheTextAndNotThePadding) {
  Table table({{"S"}, {"T"}});
  table.Add({Cell("ok", Style::kGood), "1"});
  EXPECT_EQ(table.Render({false, true, 0}), "\x1b[32mok\x1b[0m  1\n");
}

TEST(CtlJson, PrettyPrintingKeepsEveryToken) {
  EXPECT_EQ(PrettyJson(R"({"a":[1.50,{}],"b":{"c":"x\"y:,{"},"a":[]})"),
            "{\n  \"a\": [\n    1.50,\n    {}\n  ],\n  \"b\": {\n    \"c\": \"x\\\"y:,{\"\n  },\n"
            "  \"a\": []\n}");
  EXPECT_EQ(PrettyJson("\"cut\\"), "\"cut\\");  // never reads past the end
}

TEST(CtlJson, WhatIsAbsentReadsAsNothing) {
  const Result<Json> json = Json::Parse(R"({"n":5,"s":"x","r":2.5,"neg":-1,"t":"nope"})");
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["n"].Number(), 5u);
  EXPECT_EQ((*json)["r"].Number(), 2u);
  EXPECT_EQ((*json)["neg"].Number(), 0u);
  EXPECT_EQ((*json)["n"].Text(), "5");
  EXPECT_EQ((*json)["none"]["deeper"].Text(), "");
  EXPECT_FALSE((*json)["t"].Time());
  EXPECT_TRUE((*json)["s"].items().empty());
  EXPECT_FALSE(Json::Parse("{"));
  EXPECT_FALSE(Json::Parse(std::string(100000, '[')));
}

TEST(CtlJson, YamlReadsBackAsTheSameValue) {
  const Result<Json> json = Json::Parse(
      R"({"plain":"abc","no":"no","num":"12","colon":"a: b","empty":"","list":[1,[2,3],{"k":"v","z":[]}],"o":{},"n":null,"t":true,"bidi":"\u202e"})");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->Yaml(),
            "plain: abc\n\"no\": \"no\"\nnum: \"12\"\ncolon: \"a: b\"\nempty: \"\"\nlist:\n  - 1\n"
            "  - - 2\n    - 3\n  - k: v\n    z: []\no: {}\n\"n\": null\nt: true\n"
            "bidi: \"\\u202e\"\n");
}

TEST(CtlArguments, RatesAreReadPerSecondMinuteAndHour) {
  EXPECT_EQ(*ParseRate("500/s"), 500);
  EXPECT_EQ(*ParseRate("500"), 500);
  EXPECT_EQ(*ParseRate("30/m"), 0.5);
  EXPECT_EQ(*ParseRate("3600/h"), 1);
  for (const char* wrong :
       {"", "0", "-1", "fast", "5/x", "1e3", "nan", "inf", "5 /s", "9999999999"}) {
    EXPECT_FALSE(ParseRate(wrong)) << wrong;
  }
}

TEST(CtlArguments, TimesAreThoseOfTheWholeProduct) {
  for (const char* right : {"10m", "2d", "now", "now-3h", "2026-11-20", "2026-11-20T06:00:00Z",
                            "2026-11-20T06:11:14.402113+01:00"}) {
    EXPECT_EQ(CheckTime(right), "") << right;
  }
  for (const char* wrong : {"", "yesterday", "10", "2026-13-01", "now+", "-5m"}) {
    EXPECT_NE(CheckTime(wrong), "") << wrong;
  }
  EXPECT_EQ(CheckTimeOrSequence("4118871"), "");
}

TEST(CtlProgress, TheLineTellsSpeedAndRemainderAndFitsTheTerminal) {
  ReplayProgress progress;
  const auto at = [](const char* settled) {
    return *Json::Parse(std::string(R"({"id":"r-7f3k2a","target":"splunk","state":"running",)") +
                        R"("total":1204331,"rejected":0,"settled":)" + settled + "}");
  };
  const SteadyTime start{std::chrono::seconds(100)};
  progress.Line(at("0"), start, 80);
  const std::string line = progress.Line(at("600000"), start + std::chrono::seconds(5), 100);
  EXPECT_NE(line.find("r-7f3k2a → splunk  █"), line.npos) << line;
  EXPECT_NE(line.find(" 49.8%  600,000/1,204,331  120,000/s  rejected 0  eta 5s"), line.npos)
      << line;
  for (size_t width = 20; width < 140; ++width) {
    EXPECT_LT(DisplayWidth(progress.Line(at("700000"), start + std::chrono::seconds(6), width)),
              width);
  }
}

TEST(CtlProgress, TheBarIsFilledInEighths) {
  EXPECT_EQ(Bar(0, 4), "░░░░");
  EXPECT_EQ(Bar(0.5, 4), "██░░");
  EXPECT_EQ(Bar(0.53125, 4), "██▏░");
  EXPECT_EQ(Bar(1, 4), "████");
  EXPECT_EQ(Bar(7, 4), "████");
}

}  // namespace
}  // namespace spool::ctl
