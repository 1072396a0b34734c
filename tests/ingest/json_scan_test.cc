#include "ingest/json_scan.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "tests/support/ingest_fixture.h"

namespace spool {
namespace {

JsonFault FaultOf(std::string_view text, size_t depth = 64) {
  JsonScanner scanner;
  return scanner.Scan(text, depth).fault;
}

TEST(JsonScan, TakesWhatTheGrammarTakes) {
  for (const std::string_view text : {"{}",
                                      "[]",
                                      " { } ",
                                      "null",
                                      "true",
                                      "false",
                                      "\"\"",
                                      "0",
                                      "-0",
                                      "-0.0e-0",
                                      "1E+9",
                                      "1e400",
                                      "123456789012345678901234567890",
                                      "-123456789012345678901234567890.5",
                                      "[1,2,[3,{\"a\":[]}],\"x\"]",
                                      "{\"a\":{\"b\":[null,true,false]},\"c\":\"\\u0000\\n\\/\"}",
                                      "\"\\ud83d\\ude00\"",
                                      "\"\\\\\"",
                                      "\"\\\\\\\"\"",
                                      "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
                                      "\t\r\n[1 , 2]\n",
                                      "{\"\":1}"}) {
    EXPECT_EQ(FaultOf(text), JsonFault::kNone) << text;
  }
}

TEST(JsonScan, RefusesWhatTheGrammarRefuses) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      "[1",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "{a:1}",
                                      "{'a':1}",
                                      "{\"a\" 1}",
                                      "{\"a\":1 \"b\":2}",
                                      "{1:2}",
                                      "{\"a\":1}}",
                                      "{} {}",
                                      "[1]]",
                                      "{]",
                                      "[}",
                                      "{\"a\":1]",
                                      "nan",
                                      "NaN",
                                      "-nan",
                                      "inf",
                                      "Infinity",
                                      "tru",
                                      "truex",
                                      "nulll",
                                      "01",
                                      "-",
                                      "+1",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "1e+",
                                      "0x10",
                                      "--1",
                                      "1a",
                                      "\"abc",
                                      "abc\"",
                                      "\"abc\"x",
                                      "1\"a\"",
                                      "true\"a\"",
                                      "\"a\"\"b\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "\"\\",
                                      "\"a\nb\"",
                                      "\"a\tb\"",
                                      "[\"a\"b]",
                                      "/*c*/1",
                                      "1//c",
                                      "\x01",
                                      "[1,\x01 2]",
                                      "{\"a\":\x0C 1}",
                                      ",",
                                      ":",
                                      "[:]",
                                      "{,}",
                                      "\xEF\xBB\xBF{}"}) {
    EXPECT_NE(FaultOf(text), JsonFault::kNone) << text;
  }
  EXPECT_EQ(FaultOf(std::string_view("\"a\0b\"", 5)), JsonFault::kSyntax);
  EXPECT_EQ(FaultOf(std::string_view("{\"a\":1}\0", 8)), JsonFault::kSyntax);
}

// The tokens are found in blocks of 64 bytes; every fault must be seen on every side of an edge.
TEST(JsonScan, FindsFaultsOnBothSidesOfABlock) {
  for (size_t pad = 0; pad < 130; ++pad) {
    const std::string space(pad, ' ');
    const std::string letters(pad, 'x');
    EXPECT_EQ(FaultOf(space + "{\"a\":\"" + letters + "\\\"\"}"), JsonFault::kNone) << pad;
    EXPECT_EQ(FaultOf(space + "{\"a\":nan}"), JsonFault::kSyntax) << pad;
    EXPECT_EQ(FaultOf("{\"" + letters + "\":\"\\q\"}"), JsonFault::kSyntax) << pad;
    EXPECT_EQ(FaultOf("{\"" + letters + "\":\"\xC0\xA0\"}"), JsonFault::kUtf8) << pad;
    EXPECT_EQ(FaultOf("{\"" + letters + "\":\"x"), JsonFault::kSyntax) << pad;
    EXPECT_EQ(FaultOf("[" + space + "1" + space + "2]"),
              pad == 0 ? JsonFault::kNone : JsonFault::kSyntax)
        << pad;
  }
}

TEST(JsonScan, RefusesBytesAndEscapesThatAreNoCharacters) {
  for (const std::string_view text :
       {"\"\x80\"", "\"\xC3\"", "\"\xC0\xA0\"", "\"\xED\xA0\x80\"", "\"\xF5\x80\x80\x80\"",
        "\"\xE2\x82\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"",
        "{\"\xFF\":1}"}) {
    EXPECT_EQ(FaultOf(text), JsonFault::kUtf8) << text;
  }
}

TEST(JsonScan, TellsWhereTheFaultIs) {
  JsonScanner scanner;
  EXPECT_EQ(scanner.Scan("{\"a\":nan}", 64).offset, 5U);
  EXPECT_EQ(scanner.Scan("{\"a\":1", 64).offset, 6U);
  EXPECT_EQ(scanner.Scan("{\"a\":\"x\n\"}", 64).offset, 7U);
  EXPECT_EQ(scanner.Scan("{\"a\":\"\xFF\"}", 64).offset, 6U);
  EXPECT_EQ(scanner.Scan("{\"a\":\"ab\\q\"}", 64).offset, 8U);
}

TEST(JsonScan, BoundsTheDepth) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + "1" + std::string(depth, ']');
  };
  EXPECT_EQ(FaultOf(nested(64)), JsonFault::kNone);
  EXPECT_EQ(FaultOf(nested(65)), JsonFault::kDepth);
  EXPECT_EQ(FaultOf(nested(100'000)), JsonFault::kDepth);
  EXPECT_EQ(FaultOf(nested(3), 2), JsonFault::kDepth);
}

TEST(JsonScan, SeesTheMembersOfTwoLevels) {
  JsonScanner scanner;
  ASSERT_TRUE(scanner.Scan(
      R"({"a" : {"x": "1\n", "y":{"deep":1}} , "b":[{"z":1}], "c":-1.5e3,"\u0064":true})", 64));
  const auto& members = scanner.members();
  ASSERT_EQ(members.size(), 6U);
  EXPECT_EQ(members[0].key, "a");
  EXPECT_EQ(members[0].value, R"({"x": "1\n", "y":{"deep":1}})");
  EXPECT_EQ(members[0].kind, JsonKind::kObject);
  EXPECT_EQ(members[1].key, "x");
  EXPECT_EQ(members[1].depth, 2);
  EXPECT_EQ(members[1].value, "1\\n");
  EXPECT_TRUE(members[1].escaped);
  EXPECT_EQ(members[2].value, R"({"deep":1})");
  EXPECT_EQ(members[3].value, R"([{"z":1}])");
  EXPECT_EQ(members[4].value, "-1.5e3");
  EXPECT_EQ(members[5].key, "d") << "keys are unescaped";
}

TEST(JsonScan, FindsKeysThatRepeat) {
  EXPECT_EQ(FaultOf(R"({"a":1,"b":2,"a":3})"), JsonFault::kDuplicateKey);
  EXPECT_EQ(FaultOf(R"({"m":{"uid":1,"uid":2}})"), JsonFault::kDuplicateKey);
  EXPECT_EQ(FaultOf(R"({"uid":1,"\u0075id":2})"), JsonFault::kDuplicateKey);
  EXPECT_EQ(FaultOf(R"({"a":{"x":1},"b":{"x":1},"x":1})"), JsonFault::kNone);
  // Log shippers put these in front of a record that may have them.
  EXPECT_EQ(FaultOf(R"({"date":1.5,"a":1,"date":"2026"})"), JsonFault::kNone);
}

TEST(JsonScan, FindsKeysThatRepeatAmongThousands) {
  std::string text = "{";
  for (int i = 0; i < 5000; ++i) text += "\"k" + std::to_string(i) + "\":1,";
  EXPECT_EQ(FaultOf(text + "\"last\":1}"), JsonFault::kNone);
  EXPECT_EQ(FaultOf(text + "\"k17\":1}"), JsonFault::kDuplicateKey);
}

TEST(JsonScan, BoundsTheMembersInView) {
  std::string text = "{";
  for (size_t i = 0; i <= kJsonMembersMax; ++i) text += "\"k" + std::to_string(i) + "\":1,";
  EXPECT_EQ(FaultOf(text + "\"last\":1}"), JsonFault::kTooManyMembers);
}

// What one parser calls JSON the other must too: all that is stored is read by others. (Without
// exponents: the other one refuses numbers beyond a double, which are JSON.)
TEST(JsonScan, AgreesWithAnotherParserOnBrokenTexts) {
  const std::string seeds[] = {
      R"({"a":[1,-0.50,true,false,null,"x\u00e9\n\"y\\"],"b":{"c":{},"d":[]},"e":""})",
      "[{\"k\":\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"},[[],[0,1.25]], \"\\ud83d\\ude00\" ]",
      R"(  {"long key that fills more than one block of sixty-four bytes, as some do":"\\\\","z":-1}  )"};
  constexpr std::string_view kBytes =
      "{}[]\"\\:,0123456789.+-tfnu/ \n\t\x01\x80\xC3\xE2\xF0"
      "abDd8";
  std::mt19937 random(20261120);
  const auto pick = [&random](size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random);
  };
  JsonScanner scanner;
  size_t good = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string text = seeds[pick(std::size(seeds))];
    for (size_t n = pick(3) + 1; n > 0 && !text.empty(); --n) {
      const size_t at = pick(text.size());
      switch (pick(4)) {
        case 0: text[at] = kBytes[pick(kBytes.size())]; break;
        case 1: text.erase(at, pick(3) + 1); break;
        case 2: text.insert(at, 1, kBytes[pick(kBytes.size())]); break;
        case 3: text.insert(at, text.substr(pick(text.size()), pick(12))); break;
      }
    }
    const JsonFault fault = scanner.Scan(text, 64).fault;
    if (fault == JsonFault::kDuplicateKey) continue;  // not the grammar's business
    const bool accepted = nlohmann::json::accept(text);
    good += accepted ? 1 : 0;
    ASSERT_EQ(fault == JsonFault::kNone, accepted) << "round " << round << ": " << text;
  }
  EXPECT_GT(good, 1000U);
}

TEST(JsonScan, KeepsNothingOfTheTextBefore) {
  JsonScanner scanner;
  ASSERT_TRUE(scanner.Scan(R"({"a":1,"b":{"c":2}})", 64));
  EXPECT_FALSE(scanner.Scan("{\"a\":", 64));
  ASSERT_TRUE(scanner.Scan("[1]", 64));
  EXPECT_TRUE(scanner.members().empty());
  ASSERT_TRUE(scanner.Scan("{\"z\":0}", 64));
  EXPECT_EQ(scanner.members().size(), 1U);
  scanner.Trim();
  ASSERT_TRUE(scanner.Scan("{\"z\":0}", 64));
}

// Never less than what is there, and not much more for what producers send.
TEST(JsonScan, TellsTheMemoryOfALargeText) {
  EXPECT_EQ(JsonScanner::MemoryFor(R"({"a":1})"), 0U);
  const std::string text = EventText{}.Json();
  for (const std::string& piece :
       {text, std::string("1 "), std::string("[]"), std::string("\"\""), std::string("{\"a\":1}"),
        std::string("1,"), std::string(" a"), std::string("a b\n")}) {
    std::string large;
    while (large.size() < (size_t{1} << 20)) large += piece + ",";
    simdjson::dom::parser parser;
    ASSERT_EQ(parser.allocate(large.size()), simdjson::SUCCESS);
    // The first stage's own count, whatever it thinks of the text as a whole.
    const auto error = parser.implementation->stage1(reinterpret_cast<const uint8_t*>(large.data()),
                                                     large.size(), simdjson::stage1_mode::regular);
    EXPECT_TRUE(error == simdjson::SUCCESS || error == simdjson::UNCLOSED_STRING) << piece;
    const size_t tokens = parser.implementation->n_structural_indexes;
    EXPECT_GT(tokens, large.size() / 20) << piece;
    EXPECT_GE(JsonScanner::MemoryFor(large), 4 * tokens) << piece;
    if (piece == text) {
      EXPECT_LT(JsonScanner::MemoryFor(large), 2 * large.size() + (size_t{6} << 20));
    }
  }
  JsonScanner scanner;
  std::string keys = "{\"a\":1";
  for (int i = 0; i < 2000; ++i)
    keys += ",\"\\n" + std::string(1000, 'k') + std::to_string(i) + "\":1";
  EXPECT_EQ(scanner.Scan(keys + "}", 64).fault, JsonFault::kTooManyMembers);
}

}  // namespace
}  // namespace spool
