#include "app/config_classify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "app/config_build.h"
#include "app/config_text.h"
#include "forward/match.h"
#include "ingest/classification_table.h"

namespace spool {

std::vector<ClassifyRule> BuildClassify(const Values& root, const Config& config,
                                        ConfigProblems& problems) {
  std::vector<std::string_view> streams;
  for (const StreamOptions& stream : config.journal.streams) {
    if (!stream.special) streams.push_back(stream.name);
  }
  std::vector<ClassifyRule> out;
  for (const Values& given : root.At("classify").sections) {
    if (problems.full()) break;
    ClassifyRule rule;
    for (const RuleAt& when : given.At("when").rules) rule.when.push_back(when.rule);
    const Values& set = given.In("set");
    rule.category = set.Text("category");
    rule.subcategory = set.Text("subcategory");
    rule.stream = set.Text("stream");
    if (set.Written("severity")) rule.severity = ParseSeverity(set.Text("severity"));
    if (rule.category.empty() != rule.subcategory.empty()) {
      problems.Add(set.At(rule.category.empty() ? "subcategory" : "category").place,
                   "'category' and 'subcategory' are set together");
    } else if (!rule.category.empty()) {
      const auto parts = SubcategoriesOf(rule.category);
      if (std::find(parts.begin(), parts.end(), rule.subcategory) == parts.end()) {
        problems.Add(set.At("subcategory").place,
                     fmt::format("'{}' is no subcategory of '{}'", rule.subcategory, rule.category),
                     Suggestion(rule.subcategory, parts));
      }
    }
    if (!rule.stream.empty() &&
        std::find(streams.begin(), streams.end(), rule.stream) == streams.end()) {
      problems.Add(set.At("stream").place, fmt::format("there is no stream '{}'", rule.stream),
                   Suggestion(rule.stream, streams));
    }
    if (rule.category.empty() && rule.stream.empty() && !rule.severity) {
      problems.Add(given.Written("set") ? given.At("set").place : given.place,
                   "a rule of 'classify' must set something",
                   "write set: { category: infrastructure, subcategory: resource }");
    }
    out.push_back(std::move(rule));
  }
  return out;
}

Result<Classifier> ClassifierOf(const std::vector<ClassifyRule>& rules) {
  if (rules.empty()) return Classifier();
  struct Ready {
    Matcher when;
    ClassifyRule rule;
  };
  const auto ready = std::make_shared<std::vector<Ready>>();
  for (const ClassifyRule& rule : rules) {
    auto when = Matcher::Compile(rule.when);
    if (!when) return Fail("classify", when.error());
    ready->push_back({std::move(*when), rule});
  }
  return Classifier([ready](const EventView& event) -> std::optional<OwnClass> {
    for (const Ready& one : *ready) {
      if (!one.when.Matches(event)) continue;
      return OwnClass{one.rule.category, one.rule.subcategory, one.rule.severity, one.rule.stream};
    }
    return std::nullopt;
  });
}

}  // namespace spool
