// Templates as we have them: what differs from Go on purpose, errors, warnings, limits. That the
// rest is as in Go, template_parity_test.cc shows.
#include "forward/template/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/time_text.h"

namespace spool {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const SystemTime kNow = *ParseRfc3339("2026-11-20T06:11:14.402113Z");

constexpr char kEvent[] = R"({
  "type": "Warning", "reason": "FailedMount", "message": "näive text", "count": 3,
  "big": 1234567890, "huge": 18446744073709551615, "ratio": 1234567.5, "none": null, "on": true,
  "metadata": { "name": "checkout-1", "labels": { "app": "checkout" } },
  "list": [1, 2.5, "x"], "first": "2026-11-20T06:01:14Z", "eleven": 11 })";

// What it renders, or "error: " and the message.
std::string Rendered(const std::string& text, const TemplateOptions& options = {},
                     const char* event = kEvent) {
  const auto compiled = Template::Compile(text, options);
  if (!compiled) return "refused: " + compiled.error().message;
  std::string out;
  const Status done = compiled->Render(*ParseTemplateData(event), kNow, out);
  if (done) return out;
  EXPECT_EQ(out, "");
  EXPECT_EQ(done.error().code, Code::kInvalid);
  return "error: " + done.error().message;
}

std::string Warned(const std::string& text, Dialect dialect) {
  TemplateOptions options;
  options.dialect = dialect;
  const auto compiled = Template::Compile(text, options);
  if (!compiled) return compiled.error().message;
  std::string all;
  for (const TemplateWarning& warning : compiled->warnings()) {
    all += warning.place + ": " + warning.message + "\n";
  }
  return all;
}

TEST(Template, WhatTheEventDoesNotHaveIsEmpty) {
  EXPECT_EQ(Rendered("[{{ .nope }}{{ .none }}]"), "[]");
  EXPECT_EQ(Rendered("[{{ .nope.a.b }}{{ .none.a }}{{ .reason.a.b }}{{ .list.a }}]"), "[]");
  EXPECT_EQ(Rendered("[{{ .nope | truncate 5 | upper }}]"), "[]");
  EXPECT_EQ(Rendered("[{{ printf \"%s%d\" .nope .none }}{{ print .nope }}{{ html .nope }}]"), "[]");
  EXPECT_EQ(Rendered("{{ len .nope }}{{ if contains .nope \"x\" }}y{{ end }}"), "0");
  EXPECT_EQ(Rendered("[{{ index .nope 0 }}{{ first .nope }}{{ (index .list 2).x }}]"), "[]");
  EXPECT_EQ(Rendered("[{{ toString .nope }}{{ join .nope \",\" }}{{ date \"2006\" .nope }}]"),
            "[]");
}

TEST(Template, AMissingValueIsAnErrorWhereThatIsWanted) {
  TemplateOptions strict;
  strict.missing = Missing::kError;
  EXPECT_EQ(Rendered("{{ .reason }} {{ .nope.x }}", strict),
            "error: 1:18: the event has no such value");
  EXPECT_THAT(Rendered("{{ .none | upper }}", strict), StartsWith("error: 1:"));
  EXPECT_THAT(Rendered("{{ printf \"%s\" .nope }}", strict), StartsWith("error: 1:"));
  EXPECT_THAT(Rendered("{{ .reason.x }}", strict), HasSubstr("has no field .x"));
  EXPECT_EQ(Rendered("{{ if .nope }}a{{ else }}b{{ end }}{{ .nope | default \"c\" }}"
                     "{{ or .nope \"d\" }}{{ coalesce .nope \"e\" }}{{ range .nope }}{{ end }}",
                     strict),
            "bcde");
}

TEST(Template, NumbersAreComparedByValueAndPrintedAsTheyCame) {
  EXPECT_EQ(Rendered("{{ .count }} {{ .big }} {{ .huge }} {{ .ratio }} {{ .list }}"),
            "3 1234567890 18446744073709551615 1234567.5 [1 2.5 x]");
  EXPECT_EQ(Rendered("{{ eq .count 3 }} {{ eq .count 3.0 }} {{ gt .ratio 5 }} {{ lt .count 2.5 }}"
                     " {{ gt .huge 1 }} {{ eq 1 1.5 }}"),
            "true true true false true false");
  EXPECT_EQ(Rendered("{{ add .count 1 }} {{ printf \"%03d\" .count }} {{ toJson .big }}"),
            "4 003 1234567890");
  EXPECT_EQ(Rendered("{{ range .count }}{{ . }}{{ end }}"), "012");
  EXPECT_EQ(Rendered("{{ .reason | trunc .count }} {{ index .list .count }}"),
            "error: 1:33: index: the index is out of range");
  EXPECT_EQ(Rendered("{{ .n }} {{ .m }} {{ .k }}", {}, R"({"n":1e400,"m":1e-400,"k":-0})"),
            "1e400 0 0");
}

TEST(Template, TextFunctionsTakeNumbersAndBooleans) {
  EXPECT_EQ(
      Rendered(
          "{{ contains .count \"3\" }} {{ upper .on }} {{ trunc 4 .big }} {{ b64enc .count }}"),
      "true TRUE 1234 Mw==");
  EXPECT_THAT(Rendered("{{ upper .metadata }}"), HasSubstr("not a text"));
}

TEST(Template, TextsAreCutBetweenCharacters) {
  EXPECT_EQ(Rendered("{{ .message | truncate 2 }} {{ trunc -9 .message }} {{ abbrev 5 .message }}"),
            "nä äive text nä...");
  EXPECT_EQ(Rendered("{{ trunc 1 \"日本\" }}{{ trunc -1 \"日本\" }}"), "日本");
}

TEST(Template, ATimeOfTheEventIsATime) {
  EXPECT_EQ(Rendered("{{ date \"02.01.2006 15:04\" .first }} {{ now | date \"15:04:05.000\" }}"),
            "20.11.2026 06:01 06:11:14.402");
  EXPECT_THAT(Rendered("{{ date \"2006\" .reason }}"), HasSubstr("takes a time"));
  EXPECT_THAT(Rendered("{{ now.Year }}"), HasSubstr("has no field .Year"));
}

TEST(Template, TheDialectDecidesTheOrderOfArguments) {
  TemplateOptions sprig;
  sprig.dialect = Dialect::kSprig;
  EXPECT_EQ(Rendered("{{ contains .reason \"Failed\" }}"), "true");
  EXPECT_EQ(Rendered("{{ contains .reason \"Failed\" }}", sprig), "false");
  EXPECT_EQ(Rendered("{{ contains \"Failed\" .reason }}", sprig), "true");
}

TEST(Template, FieldsCanBeCalledAsKubernetesEventExporterDoes) {
  TemplateOptions sprig;
  sprig.dialect = Dialect::kSprig;
  const char event[] =
      R"({"reason":"R","involvedObject":{"kind":"Pod","apiVersion":"v1","uid":"u-1"},"UID":"own"})";
  EXPECT_EQ(Rendered("{{ .Reason }} {{ .InvolvedObject.Kind }} {{ .InvolvedObject.APIVersion }} "
                     "{{ .InvolvedObject.UID }} {{ .UID }}",
                     sprig, event),
            "R Pod v1 u-1 own");
  EXPECT_EQ(Rendered("[{{ .Reason }}]", {}, event), "[]");
}

TEST(Template, ErrorsSayWhereAndWhat) {
  const std::pair<const char*, const char*> cases[] = {
      {"a\n  {{ .x", "2:8: unclosed action"},
      {"ä{{ uppre .x }}", "1:5: there is no function \"uppre\"; did you mean \"upper\"?"},
      {"{{ frobnicate .x }}", "1:4: there is no function \"frobnicate\""},
      {"{{ $x }}", "1:4: there is no variable $x here"},
      {"{{ $x = 1 }}", "1:4: there is no variable $x here; := makes one"},
      {"{{ if .x }}", "1:12: the template ends inside a block: an {{end}} is missing"},
      {"{{ end }}", "1:1: unexpected {{end}}: there is no block to end"},
      {"{{ else }}", "1:1: unexpected {{else}}: there is no block for it"},
      {"{{ .x | .y }}", "1:9: what stands after | must be a function"},
      {"{{ .x \"y\" }}", "1:4: only a function takes arguments"},
      {"{{ trunc 5 }}", "1:4: trunc takes 2 arguments, not 1"},
      {"{{ .x | trunc }}", "1:9: trunc takes 2 arguments, not 1"},
      {"{{ eq }}", "1:4: eq takes at least 1 argument, not 0"},
      {"{{ template \"t\" }}", "1:13: the template \"t\" is not defined"},
      {"{{ break }}", "1:4: {{break}} stands outside of {{range}}"},
      {"{{ \"\\q\" }}", "1:4: the text \"\\q\" has a bad escape"},
      {"{{ 1i }}", "1:4: complex numbers are of no use here"},
      {"{{ .x ) }}", "1:7: unexpected right paren"},
      {"{{ (.x }}", "1:8: unclosed left paren"},
      {"{{ regexMatch \"(\" .x }}", "1:15: the expression cannot be used: missing ): ("},
      {"{{ .x ; }}", "1:7: unexpected \";\" in operand"},
      {"{{ if }}a{{ end }}", "1:7: a value is missing in if"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_EQ(Rendered(text), std::string("refused: ") + message) << text;
  }
  EXPECT_EQ(Rendered("ok\n{{ div 1 0 }}"), "error: 2:4: div: divides by zero");
  EXPECT_EQ(
      Rendered("{{ eq .list 1 }}"),
      "error: 1:4: eq: a value of type []interface {} cannot be compared with one of type int");
}

TEST(Template, AnErrorHoldsNothingOfTheEvent) {
  const char event[] = R"({"secret":"hunter2","list":["hunter2"],"n":4711})";
  for (const char* text :
       {"{{ index .list .secret }}", "{{ date \"2006\" .secret }}",
        "{{ regexMatch (print .secret \"(\") \"x\" }}", "{{ range .secret }}{{ end }}",
        "{{ lt .secret 1 }}", "{{ get .secret \"x\" }}", "{{ printf \"%#v\" .secret }}",
        "{{ ternary 1 2 .secret }}", "{{ trunc .secret \"x\" }}"}) {
    const std::string said = Rendered(text, {}, event);
    EXPECT_THAT(said, StartsWith("error: 1:")) << text;
    EXPECT_EQ(said.find("hunter2"), std::string::npos) << said;
    EXPECT_EQ(said.find("4711"), std::string::npos) << said;
  }
}

TEST(Template, WarnsOfALiteralInThePlaceOfTheText) {
  EXPECT_THAT(Warned("{{ contains \"Failed\" .reason }}", Dialect::kGo),
              AllOf(StartsWith("1:4: contains takes the text first"), HasSubstr("dialect: go")));
  EXPECT_THAT(Warned("{{ contains .reason \"Failed\" }}", Dialect::kSprig),
              AllOf(StartsWith("1:4: contains takes the part first"), HasSubstr("dialect: sprig")));
  EXPECT_NE(Warned("{{ if .x }}{{ .reason | hasPrefix \"F\" }}{{ end }}", Dialect::kGo), "");
  EXPECT_NE(Warned("{{ .list | join \",\" }}", Dialect::kGo), "");
  EXPECT_NE(Warned("{{ .message | replace \"a\" \"b\" }}", Dialect::kGo), "");
  EXPECT_NE(Warned("{{ replace .message \"a\" \"b\" }}", Dialect::kSprig), "");
  EXPECT_NE(Warned("{{ trimPrefix \"a\" (upper .x) }}", Dialect::kGo), "");

  EXPECT_EQ(Warned("{{ contains .reason \"Failed\" }}", Dialect::kGo), "");
  EXPECT_EQ(Warned("{{ contains \"Failed\" .reason }}", Dialect::kSprig), "");
  EXPECT_EQ(Warned("{{ contains .reason .part }}", Dialect::kGo), "");
  EXPECT_EQ(Warned("{{ contains \"abc\" \"b\" }}", Dialect::kGo), "");
  EXPECT_EQ(Warned("{{ .reason | hasPrefix \"F\" }}", Dialect::kSprig), "");
  EXPECT_EQ(Warned("{{ replace .message \"a\" \"b\" }}", Dialect::kGo), "");
  EXPECT_EQ(Warned("{{ .message | replace \"a\" \"b\" }}", Dialect::kSprig), "");
}

TEST(Template, WhatIsPrintedIsMadeFitForItsPlace) {
  const char event[] = R"({"evil":"a\r\nX-Evil: 1\u0000","path":"a/b c?d=é"})";
  TemplateOptions options;
  options.escape = Escape::kHeader;
  EXPECT_EQ(Rendered("v={{ .evil }}", options, event), "v=aX-Evil: 1");
  options.escape = Escape::kUrlPart;
  EXPECT_EQ(Rendered("/x/{{ .path }}?q={{ print .path 1 }}", options, event),
            "/x/a%2Fb%20c%3Fd%3D%C3%A9?q=a%2Fb%20c%3Fd%3D%C3%A91");
}

TEST(Template, ATemplateWithoutActionsIsConstant) {
  EXPECT_TRUE(Template::Compile("plain } text {")->constant());
  EXPECT_TRUE(Template::Compile("a{{/* only a comment */}}b")->constant());
  EXPECT_FALSE(Template::Compile("a{{ .x }}")->constant());
}

// Limits.

TemplateOptions Limited(size_t TemplateLimits::*limit, size_t value) {
  TemplateOptions options;
  options.limits.*limit = value;
  return options;
}

TEST(TemplateLimits, ALongTemplateIsRefused) {
  EXPECT_EQ(Rendered("12345", Limited(&TemplateLimits::source_bytes, 5)), "12345");
  EXPECT_EQ(Rendered("123456", Limited(&TemplateLimits::source_bytes, 5)),
            "refused: 1:1: the template is longer than 5 bytes");
}

TEST(TemplateLimits, TheOutputIsBounded) {
  const TemplateOptions ten = Limited(&TemplateLimits::output_bytes, 10);
  EXPECT_EQ(Rendered("0123456789", ten), "0123456789");
  EXPECT_EQ(Rendered("{{ .reason | trunc 10 }}", ten), "FailedMoun");
  EXPECT_EQ(Rendered("\n0123456789", ten), "error: 1:1: the output is longer than 10 bytes");
  EXPECT_EQ(Rendered("{{ .reason }}", ten), "error: 1:4: the output is longer than 10 bytes");
  EXPECT_EQ(Rendered("{{ .metadata }}", ten), "error: 1:4: the output is longer than 10 bytes");
  EXPECT_EQ(Rendered("{{ range 100 }}ab{{ end }}", ten),
            "error: 1:16: the output is longer than 10 bytes");
}

TEST(TemplateLimits, ATextOnTheWayIsBoundedToo) {
  EXPECT_EQ(Rendered("{{ $x := \"ab\" }}{{ range 99 }}{{ $x = replace $x \"a\" \"aa\" }}{{ end }}"),
            "error: 1:39: replace: makes a text of more than 1048576 bytes");
  for (const char* text :
       {"{{ printf \"%999999999d\" 1 }}{{ printf \"%900000d%900000d\" 1 1 | len }}",
        "{{ len (printf \"%900000d%900000d\" 1 1) }}", "{{ indent 2000000 \"x\" | len }}",
        "{{ $x := printf \"%900000d\" 1 }}{{ len (print $x $x) }}",
        "{{ $x := printf \"%900000d\" 1 }}{{ len (html $x $x) }}",
        "{{ $x := printf \"%900000d\" 1 }}{{ len (join (list $x $x) \"\") }}",
        "{{ $x := printf \"%900000d\" 1 }}{{ len (toJson (list $x $x)) }}",
        "{{ $x := printf \"%900000d\" 1 }}{{ len (quote $x $x) }}",
        "{{ $x := printf \"%900000d\" 1 }}{{ len (regexReplaceAll \" \" $x \"aa\") }}",
        "{{ $x := printf \"%900000d\" 1 }}{{ len (splitList \"\" $x) }}"}) {
    EXPECT_THAT(Rendered(text), AllOf(StartsWith("error: 1:"), HasSubstr("makes"))) << text;
  }
}

TEST(TemplateLimits, StepsAreBounded) {
  EXPECT_EQ(Rendered("{{ range 9000000 }}{{ end }}"),
            "error: 1:4: the template takes more than 100000 steps");
  const TemplateOptions few = Limited(&TemplateLimits::steps, 100);
  EXPECT_EQ(Rendered("{{ range 30 }}{{ end }}ok", few), "ok");
  EXPECT_THAT(Rendered("{{ range 30 }}{{ range 30 }}{{ end }}{{ end }}", few),
              HasSubstr("more than 100 steps"));
  // A large text costs more than a small one.
  EXPECT_THAT(Rendered("{{ $x := printf \"%100000d\" 1 }}{{ contains $x \"y\" }}", few),
              HasSubstr("more than 100 steps"));
}

TEST(TemplateLimits, DepthIsBounded) {
  std::string text;
  for (int i = 0; i < 65; ++i) text += "{{ if true }}";
  EXPECT_THAT(Rendered(text), HasSubstr("more than 64 deep"));
  EXPECT_THAT(Rendered("{{ " + std::string(65, '(') + "1"), HasSubstr("more than 64 deep"));
  EXPECT_EQ(Rendered("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}"),
            "error: 1:29: the template goes more than 64 levels deep");
  EXPECT_THAT(Rendered("{{ $l := list }}{{ range 999 }}{{ $l = list $l $l }}{{ end }}"),
              HasSubstr("more than 256 deep"));
  // A long chain is not a deep one.
  std::string chain = "{{ if false }}";
  for (int i = 0; i < 1000; ++i) chain += "{{ else if false }}";
  EXPECT_EQ(Rendered(chain + "{{ else }}end{{ end }}"), "end");
}

TEST(TemplateLimits, WhatIsSharedIsPrintedNoFurtherThanAllowed) {
  // 2^60 times the same list.
  EXPECT_THAT(Rendered("{{ $l := list }}{{ range 60 }}{{ $l = list $l $l }}{{ end }}{{ $l }}"),
              HasSubstr("longer than 1048576 bytes"));
  EXPECT_THAT(
      Rendered("{{ $l := list }}{{ range 60 }}{{ $l = list $l $l }}{{ end }}{{ toJson $l | len }}"),
      HasSubstr("more than 1048576 bytes"));
}

TEST(Template, ManyThreadsRenderOneTemplate) {
  TemplateOptions options;
  const auto compiled = Template::Compile(
      "{{ range $i, $v := .list }}{{ $i }}{{ $v }}{{ end }}{{ regexReplaceAll \"a+\" .reason \"_\" "
      "}}",
      options);
  const auto root = ParseTemplateData(kEvent);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        std::string out;
        if (!compiled->Render(*root, kNow, out) || out != "0112.52xF_iledMount") ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

TEST(TemplateData, IsJsonOrRefused) {
  for (const char* bad : {"", "{", "[1,]", "{\"a\":1,}", "nul", "01", "1.", "\"\n\"", "\"\\x\"",
                          "1 2", "{1:2}", "-"}) {
    EXPECT_FALSE(ParseTemplateData(bad)) << bad;
  }
  EXPECT_FALSE(ParseTemplateData(std::string(1000, '[')));
  EXPECT_FALSE(ParseTemplateData(std::string(257, '[') + std::string(257, ']')));
  EXPECT_TRUE(ParseTemplateData(std::string(256, '[') + std::string(256, ']')));
  const auto text = ParseTemplateData(R"("\ud83d\ude00 \ud800x \u00e9)"
                                      "\xff\"");
  ASSERT_TRUE(text);
  EXPECT_EQ(text->text(), "😀 \xef\xbf\xbdx é\xef\xbf\xbd");
}

}  // namespace
}  // namespace spool
