// The plain tree: places, quotes, aliases, merges, and texts that mean harm.
#include <chrono>

#include "app/config_file.h"
#include "app/config_text.h"
#include "tests/app/config_fixture.h"
#include "tests/support/paths.h"

namespace spool {
namespace {

using namespace config_test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = YamlNode::Kind;

struct Parsed {
  std::optional<YamlNode> root;
  std::vector<std::string> problems;
};

Parsed Parse(std::string text) {
  ConfigProblems problems;
  Parsed out;
  out.root = ParseYaml(std::make_shared<ConfigText>("t.yaml", std::move(text)), problems);
  ConfigResult result;
  problems.MoveTo(result);
  out.problems = Lines(result.problems);
  return out;
}

YamlNode Tree(std::string text) {
  Parsed parsed = Parse(std::move(text));
  EXPECT_THAT(parsed.problems, IsEmpty());
  EXPECT_TRUE(parsed.root.has_value());
  return parsed.root.value_or(YamlNode{});
}

TEST(ConfigYaml, KnowsWhereEveryValueStands) {
  const YamlNode root = Tree("# \xc3\xa9\na: 1\n\"\xc3\xa9\": { b: \"x y\", c: [ p, q ] }\n");
  ASSERT_THAT(root.entries, SizeIs(2));
  EXPECT_EQ(root.entries[1].place.line, 3);
  const YamlNode* b = root.entries[1].value.Find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->text, "x y");
  EXPECT_EQ(b->start.line, 3);
  EXPECT_EQ(b->start.column, 12);  // characters, not bytes
  EXPECT_EQ(b->end_column, 15);
  const YamlNode* c = root.entries[1].value.Find("c");
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->items[1].start.column, 26);
}

TEST(ConfigYaml, TellsQuotedTextFromPlain) {
  const YamlNode root =
      Tree("a: true\nb: \"true\"\nc: 'x'\nd: |\n  x\ne: !!str 5\nf:\ng: ~\nh: \"\"\n");
  EXPECT_FALSE(root.Find("a")->quoted);
  for (const char* key : {"b", "c", "d", "e", "h"}) EXPECT_TRUE(root.Find(key)->quoted) << key;
  EXPECT_EQ(root.Find("f")->kind, Kind::kNull);
  EXPECT_EQ(root.Find("g")->kind, Kind::kNull);
  EXPECT_EQ(root.Find("h")->kind, Kind::kScalar);
}

TEST(ConfigYaml, FollowsAliasesAndMergesWithWhatIsSaidHereFirst) {
  const YamlNode root = Tree(
      "base: &b { x: 1, y: 2 }\nmore: &m { y: 3, z: 4 }\n"
      "one: { y: 9, <<: *b }\ntwo: { <<: [ *b, *m ] }\nthree: *b\n");
  EXPECT_EQ(root.Find("one")->Find("x")->text, "1");
  EXPECT_EQ(root.Find("one")->Find("y")->text, "9");
  EXPECT_EQ(root.Find("two")->Find("y")->text, "2");
  EXPECT_EQ(root.Find("two")->Find("z")->text, "4");
  EXPECT_EQ(root.Find("two")->Find("<<"), nullptr);
  EXPECT_EQ(root.Find("three")->Find("x")->start.line, 1);  // a problem in it shows there
}

TEST(ConfigYaml, RefusesAKeyGivenTwiceAndNamesBothPlaces) {
  EXPECT_THAT(Parse("a: 1\nb: { c: 1, c: 2 }\na: 2\n").problems,
              ElementsAre("2:12 the key 'c' is given twice (the first is at line 2, column 6)",
                          "3:1 the key 'a' is given twice (the first is at line 1, column 1)"));
}

TEST(ConfigYaml, RefusesWhatItCannotMean) {
  EXPECT_THAT(Parse("a: *nowhere\n").problems,
              ElementsAre("1:5 the alias *nowhere names no anchor that is complete above it"));
  EXPECT_THAT(Parse("a: &x [ *x ]\n").problems, ElementsAre(HasSubstr("complete above it")));
  EXPECT_THAT(Parse("[a]: 1\n").problems, ElementsAre("1:1 a key must be a plain word"));
  EXPECT_THAT(Parse("a: !thing 1\n").problems, ElementsAre(HasSubstr("means nothing here")));
  EXPECT_THAT(Parse("a: 1\n<<: 5\n").problems, ElementsAre("2:1 '<<' merges maps only"));
  EXPECT_THAT(Parse("a: 1\n---\nb: 1\n").problems,
              ElementsAre(HasSubstr("2:1 a second document begins here")));
}

TEST(ConfigYaml, TellsWhereTheSyntaxBreaks) {
  EXPECT_THAT(Parse("a: [1, 2\n").problems, ElementsAre(HasSubstr("began at line 1, column 4")));
  EXPECT_THAT(Parse("a: 1\n\tb: 2\n").problems, ElementsAre(HasSubstr("indented with a tab")));
  EXPECT_THAT(Parse("a: @x\n").problems, ElementsAre(HasSubstr("1:4 this is not valid YAML")));
  EXPECT_THAT(Parse("a: \"x\nb: 1\n").problems, SizeIs(1));
  EXPECT_FALSE(Parse("a: \"x\nb: 1\n").root.has_value());
}

TEST(ConfigYaml, TakesByteOrderMarksAndWindowsLineEnds) {
  const YamlNode root = Tree(
      "\xef\xbb\xbf"
      "a: 1\r\nb: two\r\n");
  EXPECT_EQ(root.Find("a")->start.column, 4);
  EXPECT_EQ(root.Find("b")->text, "two");
}

TEST(ConfigText, DistanceCountsASwapAsOneEdit) {
  EXPECT_EQ(EditDistance("bath", "bath", 2), 0);
  EXPECT_EQ(EditDistance("bacth", "batch", 2), 1);
  EXPECT_EQ(EditDistance("ad", "data_dir", 2), 3);
  EXPECT_EQ(EditDistance("targets", "tragtes", 2), 2);
  EXPECT_EQ(EditDistance("abcdef", "uvwxyz", 2), 3);
  EXPECT_EQ(EditDistance("", "ab", 2), 2);
}

TEST(ConfigText, SuggestsOnlyWhatIsNear) {
  const std::string_view words[] = {"targets", "sources", "to", "log"};
  EXPECT_EQ(Suggestion("tragets", words), "did you mean 'targets'?");
  EXPECT_EQ(Nearest("xy", words), "");  // two edits make any two-letter word of any other
  EXPECT_EQ(Suggestion("elsewhere", words), "available: targets, sources, to, log");
}

std::string Substituted(const std::string& text, std::vector<std::string>* told = nullptr) {
  ConfigProblems problems;
  std::optional<YamlNode> root =
      ParseYaml(std::make_shared<ConfigText>("t.yaml", "v: " + text), problems);
  const auto get = [](const char* name) -> const char* {
    const std::string_view n = name;
    return n == "A" ? "alpha" : n == "EMPTY" ? "" : n == "TRICK" ? "x: 1\ny: ${A}" : nullptr;
  };
  Substitute(*root, get, problems);
  ConfigResult result;
  problems.MoveTo(result);
  if (told != nullptr) *told = Lines(result.problems);
  return root->entries[0].value.text;
}

TEST(ConfigText, ReplacesVariablesInValues) {
  EXPECT_EQ(Substituted("'pre ${A} post'"), "pre alpha post");
  EXPECT_EQ(Substituted("${A}${A}"), "alphaalpha");
  EXPECT_EQ(Substituted("${NOPE:-fallback}"), "fallback");
  EXPECT_EQ(Substituted("${EMPTY:-fallback}"), "fallback");
  EXPECT_EQ(Substituted("\"${NOPE:-}\""), "");
  EXPECT_EQ(Substituted("${EMPTY}"), "");
  EXPECT_EQ(Substituted("$$HOME $${A} $A 5$"), "$HOME ${A} $A 5$");
  EXPECT_EQ(Substituted("${TRICK}"), "x: 1\ny: ${A}");  // a text, neither YAML nor replaced again
}

TEST(ConfigText, RefusesVariablesThatAreNotSetOrNotNames) {
  std::vector<std::string> told;
  Substituted("a ${NOPE} b", &told);
  EXPECT_THAT(told, ElementsAre("1:6 the environment variable 'NOPE' is not set "
                                "(write ${NOPE:-default} to give a default)"));
  Substituted("${1X}", &told);
  EXPECT_THAT(told, ElementsAre(HasSubstr("'1X' is not a variable's name")));
  Substituted("a ${NOPE", &told);
  EXPECT_THAT(told, ElementsAre(HasSubstr("without a closing '}'")));
}

TEST(ConfigText, LeavesKeysAlone) {
  EXPECT_THAT(Problems("version: 1\n\"${HOME}\": 1\n"),
              ElementsAre(HasSubstr("2:2 unknown key '${HOME}'")));
}

// Hostile texts: refused in bounded time, whatever they are.
class ConfigHostile : public ::testing::Test {
 protected:
  std::vector<std::string> Refused(const std::string& text) {
    const auto begin = std::chrono::steady_clock::now();
    const ConfigResult result = ParseConfig(text, "spool.yaml");
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(took, std::chrono::seconds(10));  // it takes well under one; sanitizers are slow
    EXPECT_FALSE(result.config.has_value());
    EXPECT_FALSE(result.problems.empty());
    EXPECT_LE(result.problems.size(), ConfigProblems::kMax + 1);
    for (const ConfigProblem& p : result.problems) EXPECT_LT(FormatProblem(p).size(), 4096u);
    return Lines(result.problems);
  }
  static std::string Repeat(std::string_view text, size_t times) {
    std::string out;
    out.reserve(text.size() * times);
    for (size_t i = 0; i < times; ++i) out += text;
    return out;
  }
};

TEST_F(ConfigHostile, DeepNestingIsRefused) {
  EXPECT_THAT(Refused("a: " + Repeat("[", 500'000)), ElementsAre(HasSubstr("levels deep")));
  EXPECT_THAT(Refused("a: " + Repeat("{a: ", 200'000)), ElementsAre(HasSubstr("levels deep")));
  EXPECT_THAT(Refused(Repeat("- ", 400'000)), ElementsAre(HasSubstr("levels deep")));
  std::string stairs;
  for (size_t i = 0; i < 1000; ++i) stairs += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(Refused(stairs), ElementsAre(HasSubstr("levels deep")));
  std::string chain = "x0: &x0 [ 1 ]\n";
  for (int i = 1; i < 100; ++i) {
    chain += "x" + std::to_string(i) + ": &x" + std::to_string(i) + " [ *x" +
             std::to_string(i - 1) + " ]\n";
  }
  EXPECT_THAT(Refused(chain), ElementsAre(HasSubstr("once the alias *x29 is followed")));
}

TEST_F(ConfigHostile, ABillionLaughsAreNotLaughed) {
  std::string laughs = "l0: &l0 [ ha, ha, ha, ha, ha, ha, ha, ha, ha, ha ]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*l" + std::to_string(i - 1);
    laughs += "l" + std::to_string(i) + ": &l" + std::to_string(i) + " [ " +
              Repeat(last + ", ", 9) + last + " ]\n";
  }
  EXPECT_THAT(Refused(laughs), ElementsAre(HasSubstr("more than 50000 values")));
  std::string merges = "m0: &m0 { a: 1 }\n";
  for (int i = 1; i < 40; ++i) {
    merges += "m" + std::to_string(i) + ": &m" + std::to_string(i) + " { <<: [ *m" +
              std::to_string(i - 1) + ", *m" + std::to_string(i - 1) + " ], k" + std::to_string(i) +
              ": *m" + std::to_string(i - 1) + " }\n";
  }
  Refused(merges);
}

TEST_F(ConfigHostile, BinaryJunkIsRefusedAtItsPlace) {
  std::string junk = "version: 1\n";
  uint32_t state = 7;
  for (int i = 0; i < 100'000; ++i) {
    state = state * 1664525u + 1013904223u;
    junk += static_cast<char>(state >> 24);
  }
  EXPECT_THAT(Refused(junk), SizeIs(1));
  EXPECT_THAT(Refused(std::string("a: \0b\n", 6)), ElementsAre(HasSubstr("1:4 a control char")));
  EXPECT_THAT(Refused("a: \xff\n"), ElementsAre("1:4 this is not UTF-8 text"));
  EXPECT_THAT(Refused("a: \xed\xa0\x80\n"), ElementsAre("1:4 this is not UTF-8 text"));
  EXPECT_THAT(Refused("a: \xc3"), ElementsAre("1:4 this is not UTF-8 text"));
  EXPECT_THAT(Refused("a: \x1b[2J\n"), SizeIs(1));
}

TEST_F(ConfigHostile, TenMegabytesAreRefused) {
  EXPECT_THAT(Refused(Repeat("key: value value value\n", 450'000)),
              ElementsAre("0:0 the file is larger than 1 MiB"));
  const TempDir dir;
  const ConfigResult result = LoadConfig(dir.Write("big.yaml", Repeat("# ten\n", 1'700'000)));
  EXPECT_THAT(Lines(result.problems), ElementsAre("0:0 the file is larger than 1 MiB"));
}

TEST_F(ConfigHostile, ManyProblemsAreCutShort) {
  std::string keys = "version: 1\n";
  for (int i = 0; i < 20'000; ++i) keys += "key" + std::to_string(i) + ": 1\n";
  EXPECT_THAT(Refused(keys), SizeIs(ConfigProblems::kMax));
  std::string values = "version: 1\ntargets:\n";
  for (int i = 0; i < 900; ++i) values += "  t" + std::to_string(i) + ": { type: nope" + "}\n";
  const std::vector<std::string> told = Refused(values);
  EXPECT_THAT(told.back(), HasSubstr("and 800 more problems"));
  std::string routes = "version: 1\ntargets: { a: { type: stdout } }\nroutes:\n";
  for (int i = 0; i < 900; ++i) routes += "  - { to: [" + Repeat("bbbbbbbb, ", 50) + "c] }\n";
  Refused(routes);
  std::string many = "version: 1\ntargets:\n";
  for (int i = 0; i < 5'000; ++i) many += "  t" + std::to_string(i) + ": { type: stdout }\n";
  EXPECT_THAT(Refused(many), ::testing::Contains(HasSubstr("'targets' has 5000 entries")));
}

TEST_F(ConfigHostile, LongLinesAreQuotedInPart) {
  const std::string text =
      "version: 1\nlog: { level: " + std::string(500'000, 'x') + ", nope: 1 }\n";
  Refused(text);
  Refused("version: 1\ntargets: {" + Repeat(" a: 1,", 20'000) + " b: 2 }\n");
  Refused("version: 1\n" + std::string(900'000, 'k') + ": 1\n");
  Refused(Repeat("? ", 300'000));
  Refused(Repeat("&a ", 300'000));
  Refused(Repeat("!a ", 300'000));
  Refused(Repeat(":", 900'000));
  Refused("a: \"" + Repeat("\\x00", 200'000) + "\"\n");
}

TEST_F(ConfigHostile, AnyCutOrBentTextIsAnsweredWithoutACrash) {
  const std::string good =
      ReadAll(std::filesystem::path(spool::testing::SourceDir()) / "docs/examples/complete.yaml");
  for (size_t i = 0; i < good.size(); i += 7) ParseConfig(good.substr(0, i), "cut.yaml");
  uint32_t state = 12345;
  const auto random = [&state] {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
  };
  constexpr std::string_view kSpice = "{}[],:&*!|>%@`\"'#-?\n\t \\$<=~\x01\xff";
  for (int round = 0; round < 1500; ++round) {
    std::string text = good;
    for (uint32_t edits = 1 + random() % 4; edits > 0; --edits) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = kSpice[random() % kSpice.size()]; break;
        case 1: text.insert(at, 1, kSpice[random() % kSpice.size()]); break;
        default: text.erase(at, 1 + random() % 8);
      }
    }
    const ConfigResult result = ParseConfig(text, "bent.yaml");
    ASSERT_EQ(result.config.has_value(), result.problems.empty()) << text;
    for (const ConfigProblem& p : result.problems) FormatProblem(p);
  }
}

}  // namespace
}  // namespace spool
