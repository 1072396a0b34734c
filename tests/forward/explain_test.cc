// That an explanation says what routing does, and why.
#include <gtest/gtest.h>

#include "forward/route.h"
#include "forward/sink_factory.h"

namespace spool {
namespace {

EventView Sample() {
  EventView event;
  event.id = Sha256Prefix("one");
  event.stream = "security-events";
  event.origin = "web";
  event.severity = Severity::kWarning;
  event.source = "/clusters/prod-eu/k8s-audit";
  event.subject = "Pod/payments/api-7c9";
  event.category = "security";
  event.namespace_ = "payments";
  event.kind = "Pod";
  event.reason = "Forbidden";
  event.data = R"({"metadata":{"labels":{"app":"api"}},"count":42,"none":null})";
  return event;
}

TEST(Explain, ShowsEveryConditionOfEveryRuleWithWhatTheEventHas) {
  const Matcher matcher = *Matcher::Compile(
      {{{"kind", "Node"}, {"data.count", ">=40"}}, {{"labels.app", "a*"}, {"cluster", "!*"}}});
  const std::vector<RuleFinding> rules = matcher.Explain(Sample());
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_FALSE(rules[0].holds);
  ASSERT_EQ(rules[0].conditions.size(), 2u);
  EXPECT_EQ(rules[0].conditions[0].key, "kind");
  EXPECT_EQ(rules[0].conditions[0].pattern, "Node");
  EXPECT_EQ(rules[0].conditions[0].value, "Pod");
  EXPECT_FALSE(rules[0].conditions[0].holds);
  EXPECT_EQ(rules[0].conditions[1].key, "data.count");
  EXPECT_EQ(rules[0].conditions[1].value, "42");
  EXPECT_TRUE(rules[0].conditions[1].holds);
  EXPECT_TRUE(rules[1].holds);
  // Attributes come before what needs the data, and each keeps its own text.
  EXPECT_EQ(rules[1].conditions[0].key, "cluster");
  EXPECT_EQ(rules[1].conditions[0].pattern, "!*");
  EXPECT_EQ(rules[1].conditions[0].value, std::nullopt);
  EXPECT_EQ(rules[1].conditions[1].key, "labels.app");
  EXPECT_EQ(rules[1].conditions[1].value, "api");
}

TEST(Explain, ShowsTheNameOfTheSourceThatThePatternMeans) {
  const auto value_for = [](const char* pattern) {
    return Matcher::Compile({{{"source", pattern}}})->Explain(Sample())[0].conditions[0].value;
  };
  EXPECT_EQ(value_for("web"), "web");
  EXPECT_EQ(value_for("/clusters/*"), "/clusters/prod-eu/k8s-audit");
  EXPECT_EQ(value_for("other"), "/clusters/prod-eu/k8s-audit");
}

TEST(Explain, ALongValueIsCut) {
  EventView event = Sample();
  const std::string data = R"({"x":")" + std::string(10'000, 'y') + "\"}";
  event.data = data;
  const auto rules = Matcher::Compile({{{"data.x", "y*"}}})->Explain(event);
  EXPECT_EQ(rules[0].conditions[0].value->size(), kFindingValueMax);
  EXPECT_TRUE(rules[0].holds);
}

TEST(Explain, ASpecialStreamIsPassedOverByRulesThatDoNotNameIt) {
  EventView event = Sample();
  event.stream = "quarantine";
  const Matcher matcher = *Matcher::Compile({{{"kind", "Pod"}}, {{"stream", "quarantine"}}});
  const auto rules = matcher.Explain(event, true);
  EXPECT_TRUE(rules[0].passed_over);
  EXPECT_FALSE(rules[0].holds);
  EXPECT_TRUE(rules[1].holds);
  EXPECT_FALSE(rules[1].passed_over);
}

// Whatever the rules, what is explained is what is done.
TEST(Explain, AgreesWithRoutingOnEveryCombination) {
  const std::vector<std::vector<RuleText>> lists = {
      {},
      {{{"kind", "Pod"}}},
      {{{"kind", "Node"}}},
      {{{"kind", "Node"}}, {{"severity", ">=warning"}, {"namespace", "pay*|other"}}},
      {{{"stream", "security-events"}}},
      {{{"reason", "=~^Forb"}, {"data.count", "<10"}}},
      {{{"labels.app", "!api"}}}};
  size_t wanted = 0, checked = 0;
  for (const auto& match : lists) {
    for (const auto& drop : lists) {
      for (const bool special : {false, true}) {
        const std::vector<RouteSettings> routes = {{"r", match, drop, {"t"}}};
        const Router router = *Router::Compile(routes, "t", false);
        const auto findings = router.Explain(Sample(), special);
        ASSERT_EQ(findings.size(), 1u);
        const bool takes = findings[0].verdict == RouteFinding::Verdict::kMatched;
        EXPECT_EQ(takes, router.Wants(Sample(), special));
        EXPECT_EQ(findings[0].takes_all, match.empty());
        const bool dropped = std::any_of(findings[0].drop.begin(), findings[0].drop.end(),
                                         [](const RuleFinding& rule) { return rule.holds; });
        EXPECT_EQ(findings[0].verdict == RouteFinding::Verdict::kDropped, dropped);
        for (const RuleFinding& rule : findings[0].match) {
          const bool all = std::all_of(rule.conditions.begin(), rule.conditions.end(),
                                       [](const ConditionFinding& c) { return c.holds; });
          EXPECT_EQ(rule.holds, all && !rule.passed_over);
        }
        wanted += takes ? 1 : 0;
        ++checked;
      }
    }
  }
  EXPECT_EQ(checked, 98u);
  EXPECT_GT(wanted, 10u);
}

Preview Shown(decltype(SinkSettings::of) of) {
  SinkSettings settings;
  settings.target = "t";
  settings.of = std::move(of);
  const auto sink = MakeSink(settings);
  EXPECT_TRUE(sink) << sink.error().message;
  const EventView event = Sample();
  return (*sink)->Show({.event = &event, .body = "{}", .replay = {}});
}

TEST(Preview, TellsWhereEachKindOfTargetSendsAndWhat) {
  WebhookSettings webhook;
  webhook.url = "https://hook.example/in?token=s3cret";
  webhook.format = WebhookSettings::Format::kBatch;
  const Preview hook = Shown(webhook);
  EXPECT_EQ(hook.where, "POST https://hook.example/in?[hidden]");
  EXPECT_EQ(hook.content_type, "application/cloudevents-batch+json");
  EXPECT_EQ(hook.body, "[{}]");
  webhook.shown_url = "https://hook.example/${PATH_WITH_A_TOKEN}";
  EXPECT_EQ(Shown(webhook).where, "POST https://hook.example/${PATH_WITH_A_TOKEN}");
  NatsSettings nats;
  nats.subject = "spool.{stream}.{kind}";
  EXPECT_EQ(Shown(nats).where, "subject spool.security-events.Pod");
  KafkaSettings kafka;
  kafka.brokers = {"127.0.0.1:1"};
  EXPECT_EQ(Shown(kafka).where, "topic security-events, key Pod/payments/api-7c9");
  const Preview file = Shown(FileSettings{"/nowhere/at/all"});
  EXPECT_EQ(file.where, "file /nowhere/at/all");
  EXPECT_EQ(file.body, "{}\n");
  EXPECT_EQ(Shown(NullSettings()).body, "");
}

}  // namespace
}  // namespace spool
