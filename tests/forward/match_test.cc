#include "forward/match.h"

#include <gtest/gtest.h>

#include "forward/data_path.h"
#include "forward/glob.h"

namespace spool {
namespace {

constexpr std::string_view kPodData =
    R"({"metadata":{"labels":{"app":"api","app.kubernetes.io/name":"pay \"x\"","tier":""},)"
    R"("annotations":{"a.b":{"c.d":"deep"}}},"involvedObject":{"kind":"Pod","fieldPath":null},)"
    R"("count":42,"ratio":-1.5e3,"ok":true,"items":[{"name":"zero"},{"name":"one"},[7,8]],)"
    R"("spec":{ "x" : [1, 2] },"nested":{"a":1},"reason":"Bad\nNews"})";

EventView Sample() {
  EventView event;
  event.id = Sha256Prefix("one");
  event.stream = "security-events";
  event.origin = "web";
  event.severity = Severity::kWarning;
  event.source = "/clusters/prod-eu/k8s-audit";
  event.type = "io.k8s.audit.v1";
  event.subject = "Pod/payments/api-7c9";
  event.producer = "k8s-audit";
  event.category = "security";
  event.subcategory = "rbac";
  event.cluster = "prod-eu";
  event.namespace_ = "payments";
  event.kind = "Pod";
  event.name = "api-7c9";
  event.reason = "Forbidden";
  event.data = kPodData;
  return event;
}

struct Case {
  std::string key;
  std::string value;
  bool matches;
};

class MatchTable : public testing::TestWithParam<Case> {};

TEST_P(MatchTable, DecidesAsWritten) {
  const Case& c = GetParam();
  auto matcher = Matcher::Compile({{{c.key, c.value}}});
  ASSERT_TRUE(matcher.has_value()) << matcher.error().message;
  EXPECT_EQ(matcher->Matches(Sample()), c.matches) << c.key << ": " << c.value;
  // A negation is the exact opposite, whatever it negates.
  if (!c.value.starts_with('!')) {
    auto negated = Matcher::Compile({{{c.key, "!" + c.value}}});
    ASSERT_TRUE(negated.has_value());
    EXPECT_NE(negated->Matches(Sample()), c.matches) << c.key << ": !" << c.value;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Globs, MatchTable,
    testing::Values(Case{"namespace", "payments", true}, Case{"namespace", "payment", false},
                    Case{"namespace", "paymentss", false}, Case{"namespace", "Payments", false},
                    Case{"namespace", "pay*", true}, Case{"namespace", "*ments", true},
                    Case{"namespace", "*aym*", true}, Case{"namespace", "p*m*s", true},
                    Case{"namespace", "p?yments", true}, Case{"namespace", "p??ments", true},
                    Case{"namespace", "?payments", false},
                    Case{"namespace", "*-test|payments", true},
                    Case{"namespace", "*-test|sandbox", false}, Case{"namespace", "*", true},
                    Case{"namespace", "**", true}, Case{"subject", "Pod/*/api-*", true},
                    Case{"type", "io.k8s.*", true}, Case{"type", "ioxk8s.*", false},
                    Case{"kind", "Node|Pod", true}, Case{"name", "api-7c9", true},
                    Case{"producer", "k8s-audit", true}, Case{"category", "security", true},
                    Case{"subcategory", "rbac|quota", true}, Case{"cluster", "prod-??", true},
                    Case{"stream", "security-*", true}));

INSTANTIATE_TEST_SUITE_P(
    OtherTests, MatchTable,
    testing::Values(Case{"reason", "=~^Forb", true}, Case{"reason", "=~bidd", true},
                    Case{"reason", "=~^bidd", false}, Case{"reason", "=~(?i)FORBIDDEN$", true},
                    Case{"severity", "warning", true}, Case{"severity", "WARNING|error", true},
                    Case{"severity", "warn*", true}, Case{"severity", ">=warning", true},
                    Case{"severity", ">warning", false}, Case{"severity", ">=error", false},
                    Case{"severity", "<error", true}, Case{"severity", "<=notice", false},
                    Case{"severity", ">= info", true}, Case{"source", "/clusters/prod-eu/*", true},
                    Case{"source", "web", true}, Case{"origin", "web", true},
                    Case{"origin", "/clusters/*", false},
                    Case{"id", Sha256Prefix("one").Hex(), true}, Case{"id", "00*", false},
                    Case{"problemkey", "*", false}, Case{"problemkey", "", true},
                    Case{"problemkey", "=~.", false}, Case{"problemkey", "=~", false}));

INSTANTIATE_TEST_SUITE_P(
    Data, MatchTable,
    testing::Values(
        Case{"data.involvedObject.kind", "Pod", true},
        Case{"data.involvedObject.kind", "Node", false},
        Case{"data.involvedObject.fieldPath", "*", false},  // null is absent
        Case{"data.involvedObject.missing", "*", false}, Case{"data.missing.deeper", "*", false},
        Case{"data.count", "42", true}, Case{"data.count", ">=42", true},
        Case{"data.count", ">42", false}, Case{"data.count", "<100.5", true},
        Case{"data.ratio", "<0", true}, Case{"data.ratio", ">=-1500", true},
        Case{"data.ok", "true", true}, Case{"data.ok", ">0", false},
        Case{"data.items.1.name", "one", true}, Case{"data.items.2.1", "8", true},
        Case{"data.items.3", "*", false}, Case{"data.items.x", "*", false},
        Case{"data.items.0", "*", true}, Case{"data.spec.x", "=~^\\[1, 2\\]$", true},
        Case{"data.nested", "{\"a\":1}", true}, Case{"data.reason", "=~Bad\\nNews", true},
        Case{"data.metadata.annotations.a.b.c.d", "deep", true},
        Case{"data.metadata.labels.app.kubernetes.io/name", "pay*", true},
        Case{"labels.app", "api", true}, Case{"labels.app.kubernetes.io/name", "pay \"x\"", true},
        Case{"labels.nothing", "*", false}, Case{"labels.tier", "", true},
        Case{"labels.tier", "*", false}));

TEST(Matcher, FallsBackToTheLabelsOfTheInvolvedObject) {
  EventView event;
  event.data = R"({"metadata":{"name":"x"},"involvedObject":{"labels":{"team":"blue"}}})";
  EXPECT_TRUE(Matcher::Compile({{{"labels.team", "blue"}}})->Matches(event));
  event.data =
      R"({"involvedObject":{"labels":{"team":"red"}},"metadata":{"labels":{"team":"blue"}}})";
  EXPECT_TRUE(Matcher::Compile({{{"labels.team", "blue"}}})->Matches(event));
}

TEST(Matcher, TakesKeysOfARuleTogetherAndRulesApart) {
  const EventView event = Sample();
  EXPECT_TRUE(Matcher::Compile({{{"kind", "Pod"}, {"namespace", "payments"}}})->Matches(event));
  EXPECT_FALSE(Matcher::Compile({{{"kind", "Pod"}, {"namespace", "other"}}})->Matches(event));
  EXPECT_TRUE(Matcher::Compile({{{"kind", "Node"}}, {{"namespace", "payments"}}})->Matches(event));
  EXPECT_FALSE(Matcher::Compile({{{"kind", "Node"}}, {{"namespace", "other"}}})->Matches(event));
  EXPECT_TRUE(Matcher::Compile({{{"data.count", "42"}, {"data.ok", "true"}, {"kind", "Pod"}}})
                  ->Matches(event));
}

TEST(Matcher, WithoutRulesMatchesEverything) {
  EXPECT_TRUE(Matcher().Matches(Sample()));
  EXPECT_TRUE(Matcher().matches_all());
  EXPECT_TRUE(Matcher::Compile({})->matches_all());
  EXPECT_TRUE(Matcher::FromArguments({})->matches_all());
}

TEST(Matcher, SurvivesDataThatIsNotWhatItSays) {
  auto matcher = Matcher::Compile({{{"data.a.b", "*"}}});
  for (const char* data : {"", "[", "{", "{\"a\"", "{\"a\":{\"b\"", "\"text\"", "12", "null",
                           "{\"a\":{\"b\":}}", "\xff\xfe", "[[[[[[[[[["}) {
    EventView event;
    event.data = data;
    EXPECT_FALSE(matcher->Matches(event)) << data;
  }
  EventView bytes;
  bytes.json = false;
  bytes.data = R"({"a":{"b":1}})";
  EXPECT_FALSE(matcher->Matches(bytes));
  EventView deep;
  const std::string nested = std::string(5000, '[') + std::string(5000, ']');
  deep.data = nested;
  EXPECT_FALSE(matcher->Matches(deep));
}

TEST(Matcher, SeesLargeAndSmallDataAlternately) {
  auto matcher = Matcher::Compile({{{"data.z", "end"}}});
  for (const size_t size : {10U, 3'000'000U, 10U, 70'000U, 300'000U}) {
    const std::string data = "{\"fill\":\"" + std::string(size, 'x') + "\",\"z\":\"end\"}";
    EventView event;
    event.data = data;
    EXPECT_TRUE(matcher->Matches(event)) << size;
  }
}

std::string ErrorOf(const std::string& key, const std::string& value) {
  auto matcher = Matcher::Compile({{{key, value}}});
  if (matcher) return "no error";
  EXPECT_EQ(matcher.error().code, Code::kInvalid);
  return matcher.error().message;
}

TEST(Matcher, RefusesWhatItDoesNotUnderstandByName) {
  EXPECT_EQ(ErrorOf("namspace", "x"), "unknown key \"namspace\"; did you mean \"namespace\"?");
  EXPECT_EQ(ErrorOf("Severity", "x"), "unknown key \"Severity\"; did you mean \"severity\"?");
  EXPECT_EQ(ErrorOf("banana-split", "x"),
            "unknown key \"banana-split\"; keys are the envelope's attributes, labels.NAME and "
            "data.PATH");
  EXPECT_EQ(ErrorOf("labels.", "x"), "labels.: a name must follow the dot");
  EXPECT_EQ(ErrorOf("data.count", ">=many"),
            "data.count: \"many\" is not a number to compare with");
  EXPECT_NE(ErrorOf("severity", ">=bad").find("severity: \"bad\" is no severity"),
            std::string::npos);
  EXPECT_NE(ErrorOf("severity", "error|bad").find("\"bad\" is no severity"), std::string::npos);
  EXPECT_NE(ErrorOf("reason", "=~(").find("reason: not an RE2 expression: "), std::string::npos);
}

TEST(Matcher, ReadsArgumentsOfACommandLine) {
  const EventView event = Sample();
  const auto matches = [&](std::vector<std::string> arguments) {
    auto matcher = Matcher::FromArguments(arguments);
    EXPECT_TRUE(matcher.has_value()) << matcher.error().message;
    return matcher && matcher->Matches(event);
  };
  EXPECT_TRUE(matches({"kind=Pod"}));
  EXPECT_TRUE(matches({"kind=Pod", "namespace=pay*"}));
  EXPECT_FALSE(matches({"kind=Pod", "namespace=other"}));
  EXPECT_TRUE(matches({"kind!=Node"}));
  EXPECT_FALSE(matches({"kind!=Pod"}));
  EXPECT_FALSE(matches({"kind=!Pod"}));
  EXPECT_TRUE(matches({"severity=>=warning"}));
  EXPECT_TRUE(matches({"severity>=warning"}));
  EXPECT_FALSE(matches({"severity>warning"}));
  EXPECT_TRUE(matches({"reason=~^Forb"}));
  EXPECT_TRUE(matches({"reason==~^Forb"}));
  EXPECT_FALSE(matches({"reason!=~^Forb"}));
  EXPECT_TRUE(matches({"problemkey="}));
  for (const char* wrong : {"kind", "=Pod", "", "kind!Pod"}) {
    EXPECT_FALSE(Matcher::FromArguments({wrong}).has_value()) << wrong;
  }
}

TEST(Matcher, KnowsWhichStreamsItCouldMatch) {
  const auto could = [](const std::vector<RuleText>& rules, bool* names) {
    return Matcher::Compile(rules)->CouldMatchStream("quarantine", names);
  };
  bool names = true;
  EXPECT_TRUE(could({}, &names));
  EXPECT_FALSE(names);
  EXPECT_TRUE(could({{{"kind", "Pod"}}}, &names));
  EXPECT_FALSE(names);
  EXPECT_FALSE(could({{{"stream", "security-events"}}}, &names));
  EXPECT_FALSE(names);
  EXPECT_TRUE(could({{{"stream", "a|quarantine"}, {"kind", "x"}}}, &names));
  EXPECT_TRUE(names);
  EXPECT_TRUE(could({{{"stream", "*"}}}, &names));
  EXPECT_FALSE(names);
  EXPECT_TRUE(could({{{"stream", "!other"}}}, &names));
  EXPECT_FALSE(names);
  EXPECT_FALSE(could({{{"stream", "!quarantine"}}}, &names));
  EXPECT_TRUE(could({{{"stream", "other"}}, {{"kind", "Pod"}}}, nullptr));
}

TEST(Matcher, TakesFromASpecialStreamOnlyByRulesThatNameIt) {
  EventView event = Sample();
  event.stream = "quarantine";
  EXPECT_FALSE(Matcher().Matches(event, true));
  EXPECT_FALSE(Matcher::Compile({{{"kind", "Pod"}}})->Matches(event, true));
  EXPECT_FALSE(Matcher::Compile({{{"stream", "*"}}})->Matches(event, true));
  EXPECT_TRUE(Matcher::Compile({{{"stream", "quarantine"}}})->Matches(event, true));
  EXPECT_FALSE(Matcher::Compile({{{"stream", "quarantine"}, {"kind", "Node"}}, {{"kind", "Pod"}}})
                   ->Matches(event, true));
}

TEST(Glob, CountsCharactersNotBytes) {
  EXPECT_TRUE(Glob("M?nchen").Matches("M\xc3\xbcnchen"));
  EXPECT_TRUE(Glob("*?chen").Matches("M\xc3\xbcnchen"));
  EXPECT_FALSE(Glob("M??nchen").Matches("M\xc3\xbcnchen"));
  EXPECT_TRUE(Glob("?").Matches("\xff"));
}

// The parser is let go of by a look-up that comes upon something that is no JSON.
TEST(DataDocument, GoesOnBehindALookUpThatFailed) {
  DataDocument document(R"({"first":1,"broken":{x:2},"last":3})");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(document.Find("first"), "1");
    EXPECT_EQ(document.FindMember("broken", "x"), std::nullopt);
  }
}

TEST(Glob, TakesNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 30; ++i) pattern += "a*";
  EXPECT_FALSE(Glob(pattern + "b").Matches(std::string(4000, 'a')));
  EXPECT_TRUE(Glob(pattern).Matches(std::string(4000, 'a')));
}

}  // namespace
}  // namespace spool
