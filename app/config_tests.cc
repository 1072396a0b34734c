// The configuration's own tests, as far as the table of fields cannot say it.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/config_build.h"
#include "app/config_text.h"

namespace spool {
namespace {

// The texts of a list, each of which must be one of `known`.
std::optional<std::vector<std::string>> Names(const FieldValue& list, std::string_view noun,
                                              const std::vector<std::string_view>& known,
                                              ConfigProblems& problems) {
  if (list.node == nullptr || !list.good) return std::nullopt;
  std::vector<std::string> names;
  for (const TextAt& name : list.texts) {
    if (std::find(known.begin(), known.end(), name.text) == known.end()) {
      problems.Add(name.place, fmt::format("there is no {} '{}'", noun, name.text),
                   Suggestion(name.text, known));
    }
    names.push_back(name.text);
  }
  return names;
}

// A relative path is seen from where the configuration is.
std::string Beside(const std::string& config_file, const std::string& path) {
  const std::filesystem::path wanted(path);
  if (wanted.is_absolute()) return path;
  return (std::filesystem::path(config_file).parent_path() / wanted).string();
}

}  // namespace

std::vector<ConfigTest> BuildTests(const Values& root, const Config& config,
                                   ConfigProblems& problems) {
  std::vector<std::string_view> streams, routes, targets, sources;
  for (const StreamOptions& stream : config.journal.streams) streams.push_back(stream.name);
  for (const RouteSettings& route : config.routes) routes.push_back(route.name);
  for (const TargetConfig& target : config.targets) targets.push_back(target.settings.name);
  for (const HttpSourceSettings& source : config.http_sources) sources.push_back(source.name);
  for (const PulledSourceConfig& source : config.pulled_sources) sources.push_back(source.name);
  std::vector<ConfigTest> out;
  for (const Values& given : root.At("tests").sections) {
    if (problems.full()) break;
    ConfigTest test;
    test.name = given.Text("name");
    const Place& place = given.At("name").place;
    test.file = place.file == nullptr ? "" : place.file->name;
    test.line = place.line;
    test.column = place.column;
    const Values& event = given.In("event");
    if (event.Written("file") == event.Written("json")) {
      problems.Add(given.Written("event") ? given.At("event").place : place,
                   "a test needs an event with either file or json", "write event: { file: PATH }");
    }
    if (event.Written("file")) test.event_file = Beside(test.file, event.Text("file"));
    test.event_json = event.Text("json");
    test.path = event.Text("path");
    test.source = event.Text("source");
    if (!test.source.empty() &&
        std::find(sources.begin(), sources.end(), test.source) == sources.end()) {
      problems.Add(event.At("source").place, fmt::format("there is no source '{}'", test.source),
                   Suggestion(test.source, sources));
    }
    const Values& expect = given.In("expect");
    if (expect.Written("stream")) {
      test.stream = expect.Text("stream");
      if (std::find(streams.begin(), streams.end(), *test.stream) == streams.end()) {
        problems.Add(expect.At("stream").place,
                     fmt::format("there is no stream '{}'", *test.stream),
                     Suggestion(*test.stream, streams));
      }
    }
    test.routes = Names(expect.At("routes"), "route", routes, problems);
    test.targets = Names(expect.At("targets"), "target", targets, problems);
    for (const RuleAt& rule : expect.At("match").rules) test.match.push_back(rule.rule);
    if (!test.stream && !test.routes && !test.targets && test.match.empty()) {
      problems.Add(place, fmt::format("the test '{}' expects nothing", test.name),
                   "add expect: { stream: NAME, routes: [NAME] }");
    }
    out.push_back(std::move(test));
  }
  return out;
}

}  // namespace spool
