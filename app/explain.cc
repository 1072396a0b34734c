#include "app/explain.h"

#include <algorithm>

#include "forward/envelope.h"
#include "forward/route.h"
#include "forward/sink_factory.h"

namespace spool {
namespace {

// A payload beyond this is shown up to here.
constexpr size_t kPayloadMax = size_t{256} << 10;

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string_view VerdictName(RouteFinding::Verdict verdict) {
  switch (verdict) {
    case RouteFinding::Verdict::kMatched: return "matched";
    case RouteFinding::Verdict::kDropped: return "dropped";
    case RouteFinding::Verdict::kUnmatched: return "unmatched";
  }
  return "unmatched";
}

std::string Told(const ConditionFinding& condition) {
  return condition.key + " is " + (condition.value ? Quoted(*condition.value) : "absent") +
         ", wants " + Quoted(condition.pattern);
}

// "match[2]: kind=Pod reason=Back*": the rule that decided, as it is written.
std::string Deciding(const char* list, const std::vector<RuleFinding>& rules) {
  const auto it = std::ranges::find_if(rules, [](const RuleFinding& r) { return r.holds; });
  if (it == rules.end()) return list;
  std::string text = std::string(list) + "[" + std::to_string(it - rules.begin()) + "]:";
  for (const ConditionFinding& condition : it->conditions) {
    text += " " + condition.key + "=" + condition.pattern;
  }
  return text;
}

// Of each rule that does not hold the first condition that fails.
std::string Failing(const RouteFinding& route, std::string_view stream) {
  std::string text;
  for (size_t i = 0; i < route.match.size(); ++i) {
    const RuleFinding& rule = route.match[i];
    text += (text.empty() ? "match[" : "; match[") + std::to_string(i) + "]: ";
    if (rule.passed_over) {
      text += "does not name the stream " + Quoted(stream);
      continue;
    }
    const auto failed =
        std::ranges::find_if(rule.conditions, [](const ConditionFinding& c) { return !c.holds; });
    if (failed != rule.conditions.end()) text += Told(*failed);
  }
  return text;
}

std::string Why(const RouteFinding& route, std::string_view stream) {
  switch (route.verdict) {
    case RouteFinding::Verdict::kDropped: return Deciding("drop", route.drop);
    case RouteFinding::Verdict::kMatched:
      return route.takes_all ? "no conditions: it takes everything"
                             : Deciding("match", route.match);
    case RouteFinding::Verdict::kUnmatched: break;
  }
  if (!route.takes_all) return Failing(route, stream);
  return "only a rule that names the stream " + Quoted(stream) + " takes from it";
}

void WriteRules(JsonWriter& out, std::string_view key, const std::vector<RuleFinding>& rules) {
  out.Key(key).BeginArray();
  for (const RuleFinding& rule : rules) {
    out.BeginObject().Field("holds", rule.holds).Key("conditions").BeginArray();
    for (const ConditionFinding& condition : rule.conditions) {
      out.BeginObject().Field("key", condition.key).Field("wants", condition.pattern).Key("value");
      if (condition.value) {
        out.Value(*condition.value);
      } else {
        out.Null();
      }
      out.Field("holds", condition.holds).EndObject();
    }
    out.EndArray().EndObject();
  }
  out.EndArray();
}

void WriteRoute(JsonWriter& out, const RouteFinding& route, const std::vector<std::string>& to,
                std::string_view stream) {
  out.BeginObject()
      .TextOrNull("route", route.name)
      .Field("verdict", VerdictName(route.verdict))
      .Field("why", Why(route, stream))
      .Key("to")
      .BeginArray();
  for (const std::string& target : to) out.Value(target);
  out.EndArray();
  WriteRules(out, "drop", route.drop);
  WriteRules(out, "match", route.match);
  out.EndObject();
}

// What became of a stored event at a target. Its place alone tells what lies behind it; the
// letters and markers tell what of that was not delivered.
struct Fate {
  std::string_view outcome;
  std::string letter;
};
Fate FateOf(const AdminParts& parts, const std::string& target, Sequence cursor,
            const EventView& event, bool wanted) {
  const Result<DeadLetter> letter = parts.journal.dead_letters().Get({target, event.sequence, ""});
  if (letter) return {"dead_letter", ToText(letter->id)};
  if (event.sequence >= cursor) return {wanted ? "pending" : "not_wanted", {}};
  for (const Marker& marker : parts.journal.Markers()) {
    if (marker.kind != Marker::Kind::kSkipped || marker.subject != target) continue;
    if (marker.range.first <= event.sequence && event.sequence < marker.range.end) {
      return {"skipped", {}};
    }
  }
  return {wanted ? "settled" : "not_wanted", {}};
}

void WritePayload(JsonWriter& out, const Preview& preview) {
  out.TextOrNull("where", preview.where).TextOrNull("content_type", preview.content_type);
  out.Field("payload_bytes", preview.body.size());
  out.Field("payload_cut", preview.body.size() > kPayloadMax);
  out.TextOrNull("payload", std::string_view(preview.body).substr(0, kPayloadMax));
}

Status WriteTarget(JsonWriter& out, const AdminParts& parts, const TargetConfig& target,
                   const EventView& event, bool special) {
  const Config& config = parts.config;
  const std::string& name = target.settings.name;
  const Result<Router> router = Router::Compile(config.routes, name, !config.has_routes);
  if (!router) return tl::unexpected(router.error());
  const bool wanted = router->Wants(event, special);
  out.BeginObject()
      .Field("target", name)
      .Field("type", target.settings.type)
      .Field("wanted", wanted)
      .Key("routes")
      .BeginArray();
  for (const RouteFinding& route : router->Explain(event, special)) {
    if (route.verdict == RouteFinding::Verdict::kMatched && !route.name.empty()) {
      out.Value(route.name);
    }
  }
  out.EndArray();
  const auto forwarder = parts.targets.find(name);
  if (event.sequence.value != 0 && forwarder != parts.targets.end()) {
    const Fate fate = FateOf(parts, name, forwarder->second->status().cursor, event, wanted);
    out.Field("outcome", fate.outcome).TextOrNull("dead_letter", fate.letter);
  } else {
    out.Key("outcome").Null().Key("dead_letter").Null();
  }
  if (wanted) {
    const Result<std::unique_ptr<Sink>> sink = MakeSink(target.settings.sink);
    if (!sink) return tl::unexpected(sink.error());
    std::string body;
    if ((*sink)->encoding() == Encoding::kCloudEvent) AppendCloudEvent(body, event);
    WritePayload(out, (*sink)->Show({.event = &event, .body = body, .replay = {}}));
  }
  out.EndObject();
  return {};
}

void WriteEvent(JsonWriter& out, const EventView& event) {
  out.BeginObject().Field("id", event.id.Hex()).Key("sequence");
  if (event.sequence.value != 0) {
    out.Value(event.sequence).Field("accepted", event.accepted);
  } else {
    out.Null().Key("accepted").Null();
  }
  out.Field("time", event.time);
  const std::pair<const char*, std::string_view> attributes[] = {
      {"stream", event.stream},
      {"origin", event.origin},
      {"producer", event.producer},
      {"type", event.type},
      {"category", event.category},
      {"subcategory", event.subcategory},
      {"severity", SeverityName(event.severity)},
      {"subject", event.subject},
      {"cluster", event.cluster},
      {"namespace", event.namespace_},
      {"kind", event.kind},
      {"name", event.name},
      {"reason", event.reason}};
  for (const auto& [key, value] : attributes) out.TextOrNull(key, value);
  out.EndObject();
}

}  // namespace

Status WriteExplanation(JsonWriter& out, const AdminParts& parts, const EventView& event) {
  const Config& config = parts.config;
  const bool special = !parts.journal.AllStreams().Contains(event.stream_id);
  out.BeginObject().Key("event");
  WriteEvent(out, event);
  out.Field("special", special).Key("routes").BeginArray();
  if (!config.has_routes) {
    std::vector<std::string> all;
    for (const TargetConfig& target : config.targets) all.push_back(target.settings.name);
    const Router router = *Router::Compile({}, "", true);
    for (const RouteFinding& route : router.Explain(event, special)) {
      WriteRoute(out, route, all, event.stream);
    }
  }
  for (const RouteSettings& settings : config.routes) {
    if (settings.to.empty()) continue;
    const Result<Router> router = Router::Compile({settings}, settings.to.front(), false);
    if (!router) return tl::unexpected(router.error());
    for (const RouteFinding& route : router->Explain(event, special)) {
      WriteRoute(out, route, settings.to, event.stream);
    }
  }
  out.EndArray().Key("targets").BeginArray();
  for (const TargetConfig& target : config.targets) {
    if (const Status written = WriteTarget(out, parts, target, event, special); !written) {
      return written;
    }
  }
  out.EndArray().EndObject();
  return {};
}

}  // namespace spool
