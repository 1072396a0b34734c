// Mappings: a JSON document whose texts are templates, and what those see of an event.
#include "forward/mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "base/time_text.h"

namespace spool {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const SystemTime kNow = *ParseRfc3339("2026-11-20T06:11:14.402113Z");

// As the product's first users wrote it.
constexpr char kTickets[] = R"json({
  "incident": {
    "short_description": "{{ .reason }}: {{ .message | truncate 100 }}",
    "description": "Kubernetes Event Details:\n\nNamespace: {{ .namespace }}\nObject: {{ .involvedObject.kind }}/{{ .involvedObject.name }}\nReason: {{ .reason }}\nMessage: {{ .message }}\nFirst Seen: {{ .firstTimestamp }}\nLast Seen: {{ .lastTimestamp }}\nCount: {{ .count }}",
    "category": "Software",
    "subcategory": "Kubernetes",
    "urgency": "{{ if eq .type \"Warning\" }}2{{ else }}3{{ end }}",
    "impact": "{{ if contains .reason \"Failed\" }}2{{ else }}3{{ end }}",
    "assignment_group": "Platform Engineering",
    "caller_id": "kubernetes-system",
    "u_kubernetes_cluster": "{{ .clusterName }}",
    "u_kubernetes_namespace": "{{ .namespace }}",
    "u_kubernetes_object": "{{ .involvedObject.kind }}/{{ .involvedObject.name }}"
  },
  "change_request": {
    "short_description": "Infrastructure Change: {{ .reason }}",
    "description": "{{ .message }}",
    "category": "Standard",
    "type": "Normal",
    "risk": "Low",
    "impact": "3",
    "priority": "4",
    "assignment_group": "Platform Engineering"
  }
})json";

constexpr char kData[] =
    R"json({"kind":"Event","metadata":{"name":"checkout-1.17","namespace":"shop","uid":"6f1c"},
 "involvedObject":{"kind":"Pod","name":"checkout-1"},"type":"Warning","reason":"FailedMount",
 "message":"cannot mount \"config\"\nnot found","firstTimestamp":"2026-11-20T06:01:14Z",
 "lastTimestamp":"2026-11-20T06:11:14Z","count":7,"event":"its own"})json";

EventView Event(std::string_view data = kData) {
  EventView event;
  event.sequence.value = 42;
  event.stream = "kubernetes-events";
  event.accepted = kNow;
  event.id = *Hash128::FromHex("000102030405060708090a0b0c0d0e0f");
  event.time = *ParseRfc3339("2026-11-20T06:11:14Z");
  event.severity = Severity::kWarning;
  event.source = "/clusters/prod-eu/k8s-event";
  event.type = "io.k8s.event.v1";
  event.cluster = "prod-eu";
  event.namespace_ = "shop";
  event.kind = "Pod";
  event.name = "checkout-1";
  event.content_type = "application/json";
  event.extensions = R"("traceparent":"00-ab","n":5)";
  event.data = data;
  return event;
}

std::string Rendered(const Mapping& mapping, const EventView& event,
                     Dialect dialect = Dialect::kGo) {
  std::string out;
  const Status done = mapping.Render(MappingRoot(event, dialect), kNow, out);
  return done ? out : "error: " + done.error().message;
}

// Of one template alone.
std::string Shown(const std::string& text, const EventView& event, Dialect dialect = Dialect::kGo) {
  TemplateOptions options;
  options.dialect = dialect;
  const auto compiled = Template::Compile(text, options);
  if (!compiled) return compiled.error().message;
  std::string out;
  const Status done = compiled->Render(MappingRoot(event, dialect), kNow, out);
  return done ? out : done.error().message;
}

TEST(Mapping, TheTicketsOfTheFirstUsersWorkAsTheyStand) {
  const auto incident = Mapping::Compile(kTickets, "incident");
  ASSERT_TRUE(incident) << incident.error().message;
  EXPECT_TRUE(incident->warnings().empty());
  EXPECT_EQ(
      Rendered(*incident, Event()),
      R"json({"short_description":"FailedMount: cannot mount \"config\"\nnot found",)json"
      R"json("description":"Kubernetes Event Details:\n\nNamespace: shop\nObject: Pod/checkout-1\n)json"
      R"json(Reason: FailedMount\nMessage: cannot mount \"config\"\nnot found\n)json"
      R"json(First Seen: 2026-11-20T06:01:14Z\nLast Seen: 2026-11-20T06:11:14Z\nCount: 7",)json"
      R"json("category":"Software","subcategory":"Kubernetes","urgency":"2","impact":"2",)json"
      R"json("assignment_group":"Platform Engineering","caller_id":"kubernetes-system",)json"
      R"json("u_kubernetes_cluster":"prod-eu","u_kubernetes_namespace":"shop",)json"
      R"json("u_kubernetes_object":"Pod/checkout-1"})json");
  const auto change = Mapping::Compile(kTickets, "change_request");
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_EQ(json::parse(Rendered(*change, Event()))["short_description"],
            "Infrastructure Change: FailedMount");
}

TEST(Mapping, KeepsTheOrderAndWhatIsNoText) {
  const auto mapping = Mapping::Compile(
      R"({"z": 1, "a": [true, null, "{{ .reason }}", 1.5, {}], "m": {"x\"y": "{{ .count }}"}, "b": []})",
      "");
  ASSERT_TRUE(mapping) << mapping.error().message;
  EXPECT_EQ(Rendered(*mapping, Event()),
            R"({"z":1,"a":[true,null,"FailedMount",1.5,{}],"m":{"x\"y":"7"},"b":[]})");
}

TEST(Mapping, NoEventCanBreakTheJson) {
  const auto mapping = Mapping::Compile(
      R"({"a":"{{ .x }}","b":"pre {{ .x }} {{ .y }} post","c":"{{ range .l }}{{ . }}{{ end }}","d":1})",
      "");
  ASSERT_TRUE(mapping);
  std::mt19937 random(20261128);
  const std::string pieces[] = {"\"",
                                "\\",
                                "\n",
                                "\r",
                                "\t",
                                std::string(1, '\0'),
                                "\x1f",
                                "}",
                                "{",
                                "]",
                                ",",
                                ":",
                                "\",\"evil\":\"",
                                "\\u0022",
                                "é",
                                "😀",
                                "\xff",
                                "\xc3",
                                "\xe2\x80\xa8",
                                "</script>",
                                "{{ .y }}",
                                "\\\"",
                                "a"};
  for (int round = 0; round < 2000; ++round) {
    std::string x;
    std::string y;
    for (int i = 0; i < 12; ++i) {
      x += pieces[random() % std::size(pieces)];
      y += pieces[random() % std::size(pieces)];
    }
    const std::string data = json({{"x", x}, {"y", y}, {"l", {x, y}}})
                                 .dump(-1, ' ', false, json::error_handler_t::replace);
    const json clean = json::parse(data);
    const json made = json::parse(Rendered(*mapping, Event(data)));
    ASSERT_EQ(made.size(), 4u);
    const std::string cx = clean["x"];
    const std::string cy = clean["y"];
    ASSERT_EQ(made["a"], cx);
    ASSERT_EQ(made["b"], "pre " + cx + " " + cy + " post");
    ASSERT_EQ(made["c"], cx + cy);
    ASSERT_EQ(made["d"], 1);
  }
}

TEST(Mapping, ErrorsSayWhere) {
  const auto why = [](const char* document, const char* table = "") {
    const auto mapping = Mapping::Compile(document, table);
    return mapping ? "fine" : mapping.error().message;
  };
  EXPECT_EQ(why("{\n  \"a\": ,\n}"), "2:8: the mapping is not JSON");
  EXPECT_EQ(why("[]"), "the mapping is not a JSON object");
  EXPECT_EQ(why(R"({"incident":{},"problem":{}})", "inciden"),
            "the mapping has no table \"inciden\"; it has: incident, problem");
  EXPECT_EQ(why(R"({"incident":5})", "incident"),
            "the mapping's table \"incident\" is not a JSON object");
  EXPECT_EQ(why(R"({"t":{"a":{"b":["x","{{ nope }}"]}}})", "t"),
            "t.a.b.1: 1:4: there is no function \"nope\"; did you mean \"not\"?");
  const auto mapping =
      Mapping::Compile(R"({"fine":"{{ .reason }}","bad":"{{ div .count 0 }}"})", "");
  ASSERT_TRUE(mapping);
  std::string out = "before";
  const Status done = mapping->Render(MappingRoot(Event(), Dialect::kGo), kNow, out);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "bad: 1:4: div: divides by zero");
  EXPECT_EQ(out, "before");
}

TEST(Mapping, WarningsNameTheValue) {
  const auto mapping = Mapping::Compile(R"({"t":{"impact":"{{ contains \"x\" .reason }}"}})", "t");
  ASSERT_TRUE(mapping);
  ASSERT_EQ(mapping->warnings().size(), 1u);
  EXPECT_EQ(mapping->warnings()[0].place, "t.impact: 1:4");
  EXPECT_THAT(mapping->warnings()[0].message, HasSubstr("text first"));
}

TEST(Mapping, AllOfItIsBounded) {
  TemplateOptions options;
  options.limits.output_bytes = 100;
  const auto mapping = Mapping::Compile(
      R"({"a":"{{ printf \"%80d\" 1 }}","b":"{{ printf \"%80d\" 1 }}"})", "", options);
  ASSERT_TRUE(mapping);
  EXPECT_THAT(Rendered(*mapping, Event()), HasSubstr("more than 100 bytes"));
}

TEST(MappingRoot, IsTheDataWithTheEnvelopeBesideIt) {
  EXPECT_EQ(
      Shown("{{ .type }} {{ .event.type }} {{ .event.severity }} {{ .event.cluster }}", Event()),
      "Warning io.k8s.event.v1 warning prod-eu");
  EXPECT_EQ(
      Shown("{{ .event.sequence }} {{ .event.stream }} {{ .event.id }} {{ .event.time }}", Event()),
      "42 kubernetes-events 000102030405060708090a0b0c0d0e0f 2026-11-20T06:11:14.000000Z");
  EXPECT_EQ(Shown("{{ .event.traceparent }} {{ .event.n }} {{ .event.data.event }}", Event()),
            "00-ab 5 its own");
  EXPECT_EQ(Shown("{{ .namespace }} {{ .clusterName }} {{ .metadata.namespace }}", Event()),
            "shop prod-eu shop");
  EXPECT_EQ(Shown("{{ .namespace }}", Event(R"({"namespace":"of the data"})")), "of the data");
}

TEST(MappingRoot, NamesBesideTheDataAreNoPartOfIt) {
  EXPECT_EQ(Shown("{{ toJson . }}", Event(R"({"a":1})")), R"({"a":1})");
  EXPECT_EQ(Shown("{{ range $k, $v := . }}{{ $k }} {{ end }}{{ len . }}", Event(R"({"a":1})")),
            "a 1");
}

TEST(MappingRoot, DataThatIsNoObjectIsStillThere) {
  EXPECT_EQ(Shown("{{ index .event.data 1 }}{{ .namespace }}", Event("[1,2]")), "2shop");
  EventView bytes = Event("not json");
  bytes.json = false;
  EXPECT_EQ(Shown("[{{ .reason }}{{ .event.data }}]{{ .event.kind }}", bytes), "[]Pod");
  EXPECT_EQ(Shown("[{{ .x }}]", Event("")), "[]");
}

TEST(MappingRoot, LayoutsOfKubernetesEventExporterFindTheirNames) {
  const std::string layout =
      "{{ .InvolvedObject.Kind }}/{{ .InvolvedObject.Name }} {{ .Namespace }} {{ .Name }} {{ .UID "
      "}} "
      "{{ .ObjectMeta.Name }} {{ .ClusterName }} {{ .GetTimestampMs }} {{ .GetTimestampISO8601 }} "
      "{{ .Reason | trunc 6 }} {{ if contains \"Failed\" .Reason }}failed{{ end }}";
  EXPECT_EQ(Shown(layout, Event(), Dialect::kSprig),
            "Pod/checkout-1 shop checkout-1.17 6f1c checkout-1.17 prod-eu 1795154474000 "
            "2026-11-20T06:01:14.000Z Failed failed");
  EXPECT_EQ(Shown("{{ .GetTimestampISO8601 }}", Event("{}"), Dialect::kSprig),
            "2026-11-20T06:11:14.000Z");
}

}  // namespace
}  // namespace spool
