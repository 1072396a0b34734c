#include "ingest/classification_table.h"

#include <iterator>
#include <unordered_map>
#include <utility>

namespace spool {
namespace {

#include "ingest/classification_rules.inc"

}  // namespace

std::span<const RefusalRule> RefusalRules() { return kRefusals; }
std::span<const ResourceRule> ResourceRules() { return kResources; }
std::span<const EventRule> EventRules() { return kEvents; }
std::span<const ReasonRule> ReasonRules() { return kReasons; }
std::span<const SeverityRule> SeverityRules() { return kSeverities; }
std::span<const AnnotationRule> AnnotationRules() { return kAnnotations; }
std::span<const ProducerRule> ProducerRules() { return kProducers; }
const FalcoRule& FalcoRules() { return kFalco; }

const ReasonRule* FindReasonRule(std::string_view reason, std::string_view kind) {
  static const auto* const rules = [] {
    auto* map = new std::unordered_map<std::string_view, const ReasonRule*>();
    for (const ReasonRule& rule : kReasons) map->emplace(rule.reason, &rule);
    return map;
  }();
  const auto found = rules->find(reason);
  if (found == rules->end()) return nullptr;
  const ReasonRule* rule = found->second;
  return rule->kind.empty() || rule->kind == kind ? rule : nullptr;
}

std::string_view KindOfResource(std::string_view resource) {
  static const auto* const kinds = new std::unordered_map<std::string_view, std::string_view>(
      std::begin(kKinds), std::end(kKinds));
  const auto found = kinds->find(resource);
  return found == kinds->end() ? resource : found->second;
}

std::string_view GroupOfResource(std::string_view resource) {
  static const auto* const groups = new std::unordered_map<std::string_view, std::string_view>(
      std::begin(kGroups), std::end(kGroups));
  const auto found = groups->find(resource);
  return found == groups->end() ? std::string_view{} : found->second;
}

std::span<const std::string_view> SubcategoriesOf(std::string_view category) {
  for (const auto& [name, parts] : kCategories) {
    if (name == category) return parts;
  }
  return {};
}

std::string_view StreamOf(std::string_view category) {
  for (const StreamRule& rule : kStreams) {
    if (rule.category == category) return rule.stream;
  }
  return kDefaultStream;
}

}  // namespace spool
