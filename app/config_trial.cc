#include "app/config_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "app/config_classify.h"
#include "forward/sinks/kafka_conf.h"
#include "forward/sinks/nats_subject.h"
#include "ingest/decode.h"

namespace spool {
namespace {

constexpr size_t kBodyBytesMax = size_t{16} << 20;

std::string ListText(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

bool SameNames(std::vector<std::string> a, std::vector<std::string> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return a == b;
}

// What a person needs to see why a rule does or does not match.
std::string InOneLine(const EventView& event) {
  std::string out(event.producer);
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format(" {}={}", name, value);
  };
  add("category", event.category);
  add("subcategory", event.subcategory);
  add("severity", SeverityName(event.severity));
  add("cluster", event.cluster);
  add("namespace", event.namespace_);
  add("kind", event.kind);
  add("name", event.name);
  add("reason", event.reason);
  return out;
}

std::string RulesText(const std::vector<RuleText>& rules) {
  std::string out;
  for (const RuleText& rule : rules) {
    std::string one;
    for (const auto& [key, value] : rule) one += (one.empty() ? "" : ", ") + key + ": " + value;
    out += (out.empty() ? "{ " : " or { ") + one + " }";
  }
  return out;
}

Result<std::string> BodyOf(const ConfigTest& test) {
  if (test.event_file.empty()) return test.event_json;
  std::ifstream in(test.event_file, std::ios::binary);
  if (!in) return Fail(Code::kNotFound, "the file " + test.event_file + " cannot be read");
  std::string body(kBodyBytesMax + 1, '\0');
  in.read(body.data(), static_cast<std::streamsize>(body.size()));
  body.resize(static_cast<size_t>(in.gcount()));
  if (body.size() > kBodyBytesMax) {
    return Fail(Code::kInvalid, "the file " + test.event_file + " is larger than 16 MiB");
  }
  return body;
}

// What of `event` is not as expected.
std::vector<TestFailure> Compare(const ConfigTest& test, const Matcher& match,
                                 const TrialPlaces& places, const EventView& event) {
  std::vector<TestFailure> failures;
  if (test.stream && *test.stream != event.stream) {
    failures.push_back({"stream", *test.stream, std::string(event.stream)});
  }
  if (test.routes && !SameNames(*test.routes, places.routes)) {
    failures.push_back({"routes", ListText(*test.routes), ListText(places.routes)});
  }
  if (test.targets && !SameNames(*test.targets, places.targets)) {
    failures.push_back({"targets", ListText(*test.targets), ListText(places.targets)});
  }
  if (!test.match.empty() && !match.Matches(event)) {
    failures.push_back({"match", RulesText(test.match), InOneLine(event)});
  }
  return failures;
}

Result<TestResult> RunTest(const ConfigTest& test, const Config& config, const ConfigTrial& trial) {
  TestResult result;
  result.test = &test;
  const auto fail = [&](const char* what, std::string expected, std::string is) {
    result.failures.push_back({what, std::move(expected), std::move(is)});
    return result;
  };
  const auto match = Matcher::Compile(test.match);
  if (!match) return Fail("test \"" + test.name + "\"", match.error());
  const auto body = BodyOf(test);
  if (!body) return fail("event", "a body", body.error().message);
  const std::string source = !test.source.empty()          ? test.source
                             : config.http_sources.empty() ? ""
                                                           : config.http_sources.front().name;
  const auto events = trial.Take(*body, test.path, source);
  if (!events) return fail("event", "to be taken", events.error().message);
  if (events->empty()) return fail("event", "at least one event", "a body without any");
  for (const TrialEvent& event : *events) {
    auto view = event.View();
    if (!view) return tl::unexpected(view.error());
    view->origin = source;
    result.failures = Compare(test, *match, trial.Judge(*view, event.special), *view);
    result.event = InOneLine(*view);
    if (!result.failures.empty()) break;
  }
  return result;
}

}  // namespace

Result<EventView> TrialEvent::View() const {
  auto view = DecodeRecord(event.record);
  if (!view) return view;
  view->stream = stream;
  view->stream_id = event.stream;
  view->id = event.id;
  view->time = event.time;
  return view;
}

Result<ConfigTrial> ConfigTrial::Create(const Config& config) {
  ConfigTrial trial(config);
  if (!config.has_routes) return trial;
  for (RouteSettings route : config.routes) {
    Way way;
    way.name = route.name;
    way.to = route.to;
    route.to = {"it"};
    auto router = Router::Compile({route}, "it", false);
    if (!router) return tl::unexpected(router.error());
    way.router = std::move(*router);
    trial.ways_.push_back(std::move(way));
  }
  return trial;
}

Result<std::vector<TrialEvent>> ConfigTrial::Take(std::string_view body, std::string_view path,
                                                  std::string_view source) const {
  const std::vector<StreamOptions>& streams = config_->journal.streams;
  const auto find = [&](std::string_view name) {
    return std::find_if(streams.begin(), streams.end(),
                        [&](const StreamOptions& s) { return s.name == name; });
  };
  DecodeOptions options;
  options.cluster = config_->cluster;
  // As the first source would; its hashes are nobody's.
  RedactionSettings redaction = config_->redaction;
  if (!config_->http_sources.empty()) redaction.paths = config_->http_sources.front().redact;
  if (auto made = Redaction::Create(redaction, ProcessRedactionKey())) {
    options.redaction = std::move(*made);
  }
  options.stream = [&](std::string_view name) {
    auto at = find(name);
    if (at == streams.end()) at = find("kubernetes-events");
    return StreamId{static_cast<uint8_t>(at == streams.end() ? 0 : at - streams.begin())};
  };
  auto classifier = ClassifierOf(config_->classify);
  if (!classifier) return tl::unexpected(classifier.error());
  Decoder decoder(std::move(options));
  Incoming incoming;
  incoming.origin = source;
  incoming.classifier = &*classifier;
  incoming.mutated_is_admission = config_->webhook_mutations;
  incoming.path = path;
  incoming.content_type = "application/json";
  incoming.body = body;
  incoming.received = RealClock().Now();
  std::vector<Event> quarantine;
  auto decoded = decoder.Decode(incoming, &quarantine);
  if (!decoded) return Fail(Code::kInvalid, decoded.error().detail);
  std::vector<TrialEvent> out;
  for (Event& event : decoded->events) {
    const StreamOptions& stream = streams.at(event.stream.value);
    out.push_back({std::move(event), stream.name, stream.special});
  }
  return out;
}

TrialPlaces ConfigTrial::Judge(const EventView& event, bool special) const {
  TrialPlaces places;
  const auto reach = [&](const std::string& target) {
    const auto& reached = places.targets;
    if (std::find(reached.begin(), reached.end(), target) != reached.end()) return;
    places.targets.push_back(target);
  };
  if (!config_->has_routes) {
    if (special) return places;  // only a rule that names the stream reaches it
    for (const TargetConfig& target : config_->targets) reach(target.settings.name);
    return places;
  }
  for (const Way& way : ways_) {
    if (!way.router.Wants(event, special)) continue;
    places.routes.push_back(way.name);
    for (const std::string& target : way.to) reach(target);
  }
  return places;
}

std::string AddressOf(const TargetSettings& target, const EventView& event) {
  std::string out;
  if (const auto* kafka = std::get_if<KafkaSettings>(&target.sink.of)) {
    const auto topic = ParseKafkaTopic(kafka->topic);
    const auto key = ParseKafkaKey(kafka->key);
    if (!topic || !key) return out;
    std::string key_text;
    topic->Render(event, "_", out);
    key->Render(event, "", key_text);
    return "topic " + out + ", key " + (key_text.empty() ? "none" : key_text);
  }
  if (const auto* nats = std::get_if<NatsSettings>(&target.sink.of)) {
    const auto subject = NatsSubject::Parse(nats->subject);
    if (!subject) return out;
    subject->Render(event, out);
    return "subject " + out;
  }
  if (const auto* webhook = std::get_if<WebhookSettings>(&target.sink.of)) {
    switch (webhook->format) {
      case WebhookSettings::Format::kStructured: return "one event a request";
      case WebhookSettings::Format::kBatch: return "a JSON array of events";
      case WebhookSettings::Format::kJsonLines: return "JSON lines";
    }
  }
  return out;
}

Result<std::vector<TestResult>> RunTests(const Config& config) {
  const auto trial = ConfigTrial::Create(config);
  if (!trial) return tl::unexpected(trial.error());
  std::vector<TestResult> results;
  for (const ConfigTest& test : config.tests) {
    auto result = RunTest(test, config, *trial);
    if (!result) return tl::unexpected(result.error());
    results.push_back(std::move(*result));
  }
  return results;
}

}  // namespace spool
