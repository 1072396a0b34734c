// The same templates and events through real Go and through ours: the bytes must be the same, and
// what one refuses the other refuses too. The corpus lies in templates/: a file's name begins with
// the dialect, or with "both"; a line is a template, "<<<" and ">>>" stand around one of several
// lines, and "##" begins a remark. Beside it, templates that a seed makes up.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/time_text.h"
#include "forward/template/template.h"
#include "tests/support/paths.h"
#include "tests/support/template_oracle.h"

namespace spool {
namespace {

namespace fs = std::filesystem;
using testing::AskGo;
using testing::GoRendering;

constexpr char kNow[] = "2026-11-20T06:11:14.402113Z";
constexpr size_t kShownMax = 25;

std::vector<std::string> Corpus(const std::string& dialect) {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::directory_iterator(testing::SourceDir() + "/tests/forward/templates")) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".txt") && (name.starts_with(dialect + "_") || name.starts_with("both_"))) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> all;
  for (const fs::path& file : files) {
    std::istringstream lines(testing::ReadWhole(file));
    std::string line;
    bool block = false;
    std::string text;
    while (std::getline(lines, line)) {
      if (line == "<<<") {
        block = true;
        text.clear();
      } else if (line == ">>>") {
        block = false;
        all.push_back(text);
      } else if (block) {
        text += line + "\n";
      } else if (!line.empty() && !line.starts_with("##")) {
        all.push_back(line);
      }
    }
  }
  return all;
}

std::vector<GoRendering> RenderAll(const std::string& text, const TemplateOptions& options,
                                   const std::vector<tmpl::Value>& roots) {
  const auto compiled = Template::Compile(text, options);
  std::vector<GoRendering> all(roots.size());
  for (size_t i = 0; i < roots.size(); ++i) {
    if (!compiled) {
      all[i].error = compiled.error().message;
      continue;
    }
    const Status done = compiled->Render(roots[i], *ParseRfc3339(kNow), all[i].output);
    if (!done) all[i].error = done.error().message;
  }
  return all;
}

// What we refuse when the template is loaded and Go only where it is reached, and what we do not
// have: docs/mappings.md lists both.
bool RefusedOnPurpose(std::string_view error) {
  for (const std::string_view part :
       {" argument, not ", " arguments, not ", "only a function takes arguments",
        "what stands after | must be a function", "nil alone is no command", "; := makes one",
        "is not defined", "complex numbers are of no use here", "does not know the verb"}) {
    if (error.find(part) != error.npos) return true;
  }
  return false;
}

// What Go refuses when it is older than that part of its language, such as that of Debian 12.
bool RefusedByAnOldGo(std::string_view error) {
  static const int minor = testing::GoMinor();
  return (minor < 22 && error.find("range can't iterate over ") != error.npos) ||
         (minor < 23 && error.find("unexpected <with> in else") != error.npos);
}

struct Tally {
  size_t rendered = 0;
  size_t refused = 0;
  size_t different = 0;
  std::string shown;
};

Tally Compare(const std::string& dialect, const std::vector<std::string>& templates,
              const std::vector<std::string>& events, bool made_up) {
  Tally tally;
  const auto go = AskGo(dialect, kNow, templates, events);
  TemplateOptions options;
  options.parity = true;
  options.dialect = dialect == "go" ? Dialect::kGo : Dialect::kSprig;
  std::vector<tmpl::Value> roots;
  for (const std::string& event : events) roots.push_back(ParseTemplateData(event, true).value());
  for (size_t t = 0; t < go.size(); ++t) {
    const auto ours = RenderAll(templates[t], options, roots);
    for (size_t e = 0; e < events.size(); ++e) {
      const GoRendering& want = go[t][e];
      (want.error.empty() ? tally.rendered : tally.refused) += 1;
      const bool same = want.error.empty() ? ours[e].error.empty() && ours[e].output == want.output
                                           : !ours[e].error.empty();
      if (same || RefusedByAnOldGo(want.error)) continue;
      if (made_up && RefusedOnPurpose(ours[e].error)) continue;
      if (++tally.different > kShownMax) continue;
      tally.shown +=
          "template: " + templates[t] + "\nevent:    " + events[e].substr(0, 60) +
          "\nGo:       " + (want.error.empty() ? want.output : "(error) " + want.error) +
          "\nours:     " + (ours[e].error.empty() ? ours[e].output : "(error) " + ours[e].error) +
          "\n\n";
    }
  }
  return tally;
}

void CompareCorpus(const std::string& dialect) {
  const auto templates = Corpus(dialect);
  ASSERT_GE(templates.size(), 500u);
  const Tally tally = Compare(dialect, templates, testing::TemplateEvents(), false);
  EXPECT_EQ(tally.different, 0u) << tally.shown;
  EXPECT_GE(tally.rendered, 1000u);
  EXPECT_GE(tally.refused, 300u);
  ::testing::Test::RecordProperty("rendered", static_cast<int>(tally.rendered));
  ::testing::Test::RecordProperty("refused", static_cast<int>(tally.refused));
}

TEST(TemplateParity, TheDialectGoGivesTheBytesOfRealGo) { CompareCorpus("go"); }

TEST(TemplateParity, TheDialectSprigGivesTheBytesOfRealSprig) { CompareCorpus("sprig"); }

// Makes templates up: mostly well formed, mostly well typed.
class Author {
 public:
  Author(uint64_t seed, bool go) : random_(seed), go_(go) {}

  std::string Template() {
    std::string text;
    defined_ = 0;
    for (size_t n = Below(3); n > 0 && Chance(2); --n) {  // each may call those before it
      variables_ = 0;
      const std::string body = List(1);
      text += Open() + "define \"d" + std::to_string(defined_++) + "\"" + Close() + body + Open() +
              "end" + Close();
    }
    variables_ = 0;
    text += List(3);
    if (Chance(8)) Spoil(text);
    return text;
  }

 private:
  size_t Below(size_t n) { return random_() % n; }
  bool Chance(size_t one_in) { return Below(one_in) == 0; }
  template <size_t kSize>
  std::string One(const char* const (&of)[kSize]) {
    return of[Below(kSize)];
  }

  std::string List(int depth) {
    std::string text;
    for (size_t i = 0, n = 1 + Below(3); i < n; ++i) text += Node(depth);
    return text;
  }

  std::string Open() { return Chance(8) ? "{{- " : "{{ "; }
  std::string Close() { return Chance(8) ? " -}}" : " }}"; }

  std::string Node(int depth) {
    if (defined_ > 0 && Chance(4)) {
      return Open() + "template \"d" + std::to_string(Below(defined_)) + "\" " + Any(1) + Close();
    }
    if (Chance(4)) return One({"text ", " a\n b ", "}", "{", "\t", "é", "-", " {{/* r */}} "});
    if (depth == 0 || !Chance(3)) {
      if (Chance(5)) {
        const std::string value = Pipeline(2);
        return Open() + "$v" + std::to_string(variables_++) + " := " + value + Close();
      }
      return Open() + Pipeline(3) + Close();
    }
    const std::string end = Open() + "end" + Close();
    const size_t outer = variables_;
    std::string text;
    switch (Below(4)) {
      case 0:
        text = Open() + "if " + Pipeline(2) + Close() + List(depth - 1);
        if (Chance(3)) text += Open() + "else if " + Pipeline(1) + Close() + List(depth - 1);
        break;
      case 1:
        text = Open() + "with " + Pipeline(2) + Close() + List(depth - 1);
        if (Chance(4)) text += Open() + "else with " + Pipeline(1) + Close() + List(depth - 1);
        break;
      case 2: text = Open() + "range " + Collection(2) + Close() + List(depth - 1); break;
      default: {
        const std::string over = Collection(2);
        const std::string k = "$v" + std::to_string(variables_++);
        const std::string v = "$v" + std::to_string(variables_++);
        text = Open() + "range " + k + ", " + v + " := " + over + Close() + List(depth - 1);
        if (Chance(4)) text += Open() + One({"break", "continue"}) + Close();
        break;
      }
    }
    variables_ = outer;
    if (Chance(3)) text += Open() + "else" + Close() + List(depth - 1);
    variables_ = outer;
    return text + end;
  }

  std::string Field() {
    return One({".reason",
                ".message",
                ".count",
                ".type",
                ".items",
                ".list",
                ".metadata",
                ".metadata.labels.app",
                ".involvedObject.kind",
                ".involvedObject",
                ".nope",
                ".nope.x",
                ".nothing",
                ".zero",
                ".flag",
                ".ratio",
                ".big",
                ".empty",
                ".name",
                ".",
                "$",
                "$.reason",
                "$.items"});
  }
  std::string Variable() {
    return variables_ == 0 ? Field() : "$v" + std::to_string(Below(variables_));
  }

  std::string Text(int depth) {
    if (depth > 0 && Chance(3)) return "(" + TextCall(depth - 1) + ")";
    if (Chance(4)) return One({".reason", ".message", ".type", ".involvedObject.name"});
    return One({R"("a")", R"("")", R"("Failed")", R"("a,b,c")", R"("é日")", R"(`r"w`)",
                R"("x\ty\n")", R"("  sp ")", R"("<&>")", R"("12")", R"("%")"});
  }
  std::string Int() { return One({"0", "1", "2", "3", "-1", "7", "0x1F", "'a'", "100", "1e2"}); }
  std::string Any(int depth) {
    switch (Below(8)) {
      case 0: return Text(depth);
      case 1: return Int();
      case 2: return Variable();
      case 3: return One({"true", "false", "nil", "1.5", "0.0", "1e21", "2.50", "1e-7", "'é'"});
      case 4:
      case 5: return depth > 0 ? "(" + Call(depth - 1) + ")" : Field();
      default: return Field();
    }
  }
  // Not the dot, which may be a number so large that Go would go on for hours.
  std::string Collection(int depth) {
    if (depth > 0 && Chance(3)) {
      return "(" +
             One({"list 1 2 3", "list", R"(splitList "," "a,b")", R"(dict "a" 1 "b" 2)",
                  "list .reason nil 1.5", R"(dict "k" .items)"}) +
             ")";
    }
    return One({".items", ".list", ".metadata", ".involvedObject", ".nope", ".nothing", "$.list",
                "3", "0", ".metadata.labels", "$.items", ".reason", ".count"});
  }

  // The two texts of `contains` and its like, in the order of the dialect.
  std::string TwoTexts(int depth) { return " " + Text(depth) + " " + Text(depth); }

  std::string TextCall(int depth) {
    switch (Below(13)) {
      case 11: return "date " + Layout() + " " + One({"now", "now", "0", "1732082474", "-1"});
      case 0:
        return One({"upper ", "lower ", "title ", "trim ", "b64enc ", "sha256sum "}) + Text(depth);
      case 1: return One({"trunc ", "truncate ", "abbrev "}) + Int() + " " + Text(depth);
      case 2: return One({"indent ", "nindent "}) + One({"0", "1", "4"}) + " " + Text(depth);
      case 3: return One({"trimPrefix", "trimSuffix"}) + TwoTexts(depth);
      case 4: return "replace" + TwoTexts(depth) + " " + Text(depth);
      case 5:
        return One({"quote ", "squote ", "toString ", "toJson ", "toPrettyJson "}) + Any(depth);
      case 6:
        return One({"print ", "println ", "html ", "js ", "urlquery "}) + Any(depth) + " " +
               Any(depth);
      case 7: return "printf " + Format() + " " + Any(depth) + " " + Any(depth);
      case 8: return "printf " + Format() + " " + Any(depth);
      case 9:
        return go_ ? "join " + Collection(depth) + " " + Text(depth)
                   : "join " + Text(depth) + " " + Collection(depth);
      case 10: return "regexReplaceAll " + Expression() + " " + Text(depth) + " " + Text(depth);
      default: return "print " + Any(depth);
    }
  }
  std::string Format() {
    if (Chance(2)) return "\"<" + Verb() + "|" + Verb() + ">\"";
    return One({R"("%s")",      R"("%d")",      R"("%v|%v")", R"("%5v|%-6v|")",   R"("%q")",
                R"("%+v %T")",  R"("%05d %x")", R"("%.2f")",  R"("%8.3f|%g")",    R"("%e")",
                R"("%c%U")",    R"("%t")",      R"("%%%s")",  R"("%[2]v %[1]v")", R"("%*d")",
                R"("%6.2s|")",  R"("%z")",      R"("%")",     R"("% d|%+d")",     R"("%#o %b")",
                R"("%+q %#q")", R"("%03v")",    R"("%G")"});
  }
  std::string Verb() {
    std::string verb = "%";
    while (Chance(3)) verb += One({"+", "-", "#", "0", " "});
    if (Chance(3)) verb += One({"1", "5", "12", "*"});
    if (Chance(4)) verb += One({".", ".0", ".1", ".3", ".10", ".*"});
    if (Chance(12)) verb += One({"[1]", "[2]", "[3]", "[x]"});
    return verb + One({"v", "v", "d", "d", "s", "s", "q", "x", "X", "o", "O", "b",
                       "c", "U", "e", "E", "f", "F", "g", "G", "t", "T", "z", "%"});
  }
  std::string Layout() {
    std::string layout;
    for (size_t n = 1 + Below(6); n > 0; --n) {
      layout +=
          One({"2006", "06",   "01",      "1",  "Jan", "January", "02",     "2",     "_2",  "002",
               "__2",  "Mon",  "Monday",  "15", "03",  "3",       "04",     "4",     "05",  "5",
               ".000", ".999", ",000000", "PM", "pm",  "MST",     "Z07:00", "-0700", "-07", "Z",
               "T",    " ",    "-",       ":",  "/",   "ary",     "0",      "7",     "_"});
    }
    return "\"" + layout + "\"";
  }
  std::string Expression() {
    return One({R"("a+")", R"("^F")", R"x("(a)(b)?")x", R"("\\s")", R"("")", R"("[a-z]*")",
                R"("(?i)FAILED")", R"("x|y|$")", R"(".")", R"x("(?P<n>[aeiou])")x", R"("é")"});
  }
  std::string Call(int depth) {
    switch (Below(15)) {
      case 0: return One({"and ", "or "}) + Any(depth) + " " + Any(depth);
      case 1: return "not " + Any(depth);
      case 2:
        return One({"eq ", "ne ", "lt ", "le ", "gt ", "ge "}) + Any(depth) + " " + Any(depth);
      case 3: return "len " + Any(depth);
      case 4: return "index " + Collection(depth) + " " + Any(depth);
      case 5: return "default " + Any(depth) + " " + Any(depth);
      case 6: return "coalesce " + Any(depth) + " " + Any(depth) + " " + Any(depth);
      case 7: return One({"add ", "sub ", "mul ", "div "}) + Any(depth) + " " + Any(depth);
      case 8: return One({"int ", "int64 ", "empty "}) + Any(depth);
      case 9: return One({"first ", "last "}) + Collection(depth);
      case 10: return One({"list ", "dict "}) + Any(depth) + " " + Any(depth);
      case 11: return One({"hasPrefix", "hasSuffix", "contains", "split"}) + TwoTexts(depth);
      case 12: return "ternary " + Any(depth) + " " + Any(depth) + " " + Any(depth);
      case 13: return One({"get ", "hasKey "}) + Collection(depth) + " " + Text(depth);
      default: return "regexMatch " + Expression() + " " + Text(depth);
    }
  }
  std::string Pipeline(int depth) {
    std::string text = Chance(2) ? Any(depth) : Chance(2) ? Call(depth) : TextCall(depth);
    if (text == "nil") text = "print nil";
    for (size_t stages = Below(3); stages > 1; --stages) {
      text += One({" | print", " | len", " | quote", " | toJson", " | upper", " | printf \"%v\"",
                   " | default \"d\"", " | trunc 3", " | not", " | eq 1", " | html", " | add 1"});
    }
    return text;
  }

  // A character lost, doubled or put in; no digits, which would make loops of millions.
  void Spoil(std::string& text) {
    static constexpr std::string_view kOdd = "{}()|.$\" -:=,`'%_\\#x\n";
    for (size_t i = 0, n = 1 + Below(2); i < n && !text.empty(); ++i) {
      const size_t at = Below(text.size());
      if (static_cast<unsigned char>(text[at]) >= 0x80) continue;  // JSON carries UTF-8 alone
      if (Chance(2)) {
        text.erase(at, 1);
      } else {
        text.insert(at, 1, kOdd[Below(kOdd.size())]);
      }
    }
  }

  std::mt19937_64 random_;
  bool go_;
  size_t variables_ = 0;
  size_t defined_ = 0;
};

uint64_t FromEnvironment(const char* name, uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

void CompareMadeUp(const std::string& dialect) {
  const uint64_t seed = FromEnvironment("SPOOL_TEMPLATE_SEED", 20261128);
  Author author(seed, dialect == "go");
  std::vector<std::string> templates;
  for (uint64_t i = FromEnvironment("SPOOL_TEMPLATE_COUNT", 1500); i > 0; --i) {
    templates.push_back(author.Template());
  }
  const Tally tally = Compare(dialect, templates, testing::TemplateEvents(), true);
  EXPECT_EQ(tally.different, 0u) << "seed " << seed << "\n" << tally.shown;
  EXPECT_GE(tally.rendered, templates.size());
  ::testing::Test::RecordProperty("rendered", static_cast<int>(tally.rendered));
  ::testing::Test::RecordProperty("refused", static_cast<int>(tally.refused));
}

TEST(TemplateParity, TemplatesMadeUpAreTheSameInTheDialectGo) { CompareMadeUp("go"); }

TEST(TemplateParity, TemplatesMadeUpAreTheSameInTheDialectSprig) { CompareMadeUp("sprig"); }

}  // namespace
}  // namespace spool
