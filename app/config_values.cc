#include "app/config_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/config_text.h"
#include "base/assert.h"

namespace spool {
namespace {

using Kind = YamlNode::Kind;

// The attributes a match rule may name, for suggestions (forward/match.h is the law).
constexpr std::string_view kRuleKeys[] = {
    "id",          "source",   "type",       "subject", "stream",    "category",
    "subcategory", "severity", "cluster",    "kind",    "namespace", "name",
    "reason",      "producer", "problemkey", "origin",  "labels.X",  "data.X"};

std::string KindText(const YamlNode& node) {
  switch (node.kind) {
    case Kind::kNull: return "nothing";
    case Kind::kScalar: return "a single value";
    case Kind::kMap: return "a map";
    case Kind::kList: return "a list";
  }
  return {};
}

// `type: null` names the null target, although YAML reads the word as no value.
bool IsNullType(const YamlNode& node) { return node.kind == Kind::kNull && node.text == "null"; }

// A secret under a misspelt name, or where none belongs, is not to be shown either.
bool LooksSecret(std::string_view key) {
  constexpr std::string_view kSecretWords[] = {"password", "passwd", "token",   "secret",
                                               "bearer",   "apikey", "api_key", "credential"};
  for (const std::string_view word : kSecretWords) {
    if (key.find(word) != std::string_view::npos || EditDistance(key, word, 2) <= 2) return true;
  }
  return false;
}

class Checker {
 public:
  explicit Checker(ConfigProblems& problems) : problems_(problems) {}

  Values Check(const Section& section, const YamlNode* node, const Place& place);

 private:
  const Variant* FindVariant(const Section& section, const YamlNode& node, const Place& place,
                             bool* known);
  void CheckField(const Field& field, FieldValue& value);
  void CheckUnknown(const Section& section, const Variant* variant, const YamlNode& node);
  void CheckSecret(FieldValue& value);
  void CheckTextList(FieldValue& value);
  void CheckTextMap(FieldValue& value);
  void CheckRules(FieldValue& value);
  void CheckRule(const YamlNode& node, FieldValue& value);
  void CheckSectionMap(FieldValue& value);
  bool Expect(FieldValue& value, Kind kind, std::string_view hint);
  bool CheckCount(FieldValue& value, size_t count);

  ConfigProblems& problems_;
};

// A section without a value ("streams:" with nothing behind it) counts as an empty one.
Values Checker::Check(const Section& section, const YamlNode* node, const Place& place) {
  Values values;
  values.place = place;
  static const YamlNode kNothing;
  const YamlNode& map = node == nullptr ? kNothing : *node;
  const bool usable = map.kind == Kind::kMap || map.kind == Kind::kNull;
  if (!usable) {
    problems_.Add(map.start,
                  fmt::format("a {} must be a map, not {}", section.name, KindText(map)));
  }
  bool known = true;
  if (!section.variants.empty() && usable) {
    values.variant = FindVariant(section, map, place, &known);
  }
  const auto take = [&](const Field& field) {
    FieldValue& value = values.fields[field.name];
    value.field = &field;
    value.node = usable ? map.Find(field.name) : nullptr;
    value.place = value.node == nullptr ? place : value.node->start;
    CheckField(field, value);
    const bool told = !usable || (field.name == "type" && !section.variants.empty());
    if (value.node == nullptr && field.required && !told) {
      value.good = false;
      problems_.Add(place, fmt::format("'{}' is missing", field.name),
                    field.example.empty()
                        ? std::string()
                        : fmt::format("for example: {}: {}", field.name, field.example));
    }
  };
  for (const Field& field : section.fields) take(field);
  if (values.variant != nullptr) {
    for (const Field& field : values.variant->fields) take(field);
  }
  if (usable && known) CheckUnknown(section, values.variant, map);
  return values;
}

// `known` is false when the type is not: then nobody can say which fields belong.
const Variant* Checker::FindVariant(const Section& section, const YamlNode& node,
                                    const Place& place, bool* known) {
  *known = false;
  std::vector<std::string_view> words;
  for (const Variant& variant : section.variants) words.push_back(variant.word);
  const YamlNode* type = node.Find("type");
  if (type == nullptr || (type->kind == Kind::kNull && !IsNullType(*type))) {
    problems_.Add(type == nullptr ? place : type->start,
                  fmt::format("a {} needs a type", section.name), "available: " + Join(words));
    return nullptr;
  }
  if (type->kind == Kind::kMap || type->kind == Kind::kList) return nullptr;  // told with the field
  if (type->unusable) return nullptr;
  for (const Variant& variant : section.variants) {
    if (variant.word != type->text) continue;
    *known = true;
    return &variant;
  }
  const auto& later = section.later_variants;
  if (std::find(later.begin(), later.end(), type->text) != later.end()) {
    problems_.Add(type->start,
                  fmt::format("{} type '{}' is not available in this version; available: {}",
                              section.name, type->text, Join(words)));
  } else {
    problems_.Add(type->start,
                  fmt::format("there is no {} type '{}'", section.name,
                              type->substituted ? type->written : type->text),
                  Suggestion(type->text, words));
  }
  return nullptr;
}

void Checker::CheckUnknown(const Section& section, const Variant* variant, const YamlNode& node) {
  std::vector<std::string_view> names;
  for (const Field& field : section.fields) names.push_back(field.name);
  if (variant != nullptr) {
    for (const Field& field : variant->fields) names.push_back(field.name);
  }
  for (const YamlNode::Entry& entry : node.entries) {
    if (problems_.full()) return;
    if (std::find(names.begin(), names.end(), entry.key) != names.end()) continue;
    if (LooksSecret(entry.key)) problems_.Hide(entry.value);
    std::vector<std::string_view> others;  // types that do have it
    for (const Variant& other : section.variants) {
      for (const Field& field : other.fields) {
        if (field.name == entry.key) others.push_back(other.word);
      }
    }
    std::string key = entry.key;
    if (key.size() > 60) key = key.substr(0, 60) + "…";
    if (!others.empty() && variant != nullptr) {
      problems_.Add(
          entry.place,
          fmt::format("'{}' is not a key of a {} of type {}", key, section.name, variant->word),
          fmt::format("it belongs to: {}", Join(others)));
      continue;
    }
    problems_.Add(entry.place, fmt::format("unknown key '{}'", key), Suggestion(entry.key, names));
  }
}

bool Checker::Expect(FieldValue& value, Kind kind, std::string_view hint) {
  if (value.node->kind == kind) return true;
  value.good = false;
  problems_.Add(value.node->start,
                fmt::format("'{}' must be {}, not {}", value.field->name, TypeText(*value.field),
                            KindText(*value.node)),
                std::string(hint));
  return false;
}

bool Checker::CheckCount(FieldValue& value, size_t count) {
  if (count <= kConfigNamesMax) return true;
  value.good = false;
  problems_.Add(value.node->start, fmt::format("'{}' has {} entries; {} are possible",
                                               value.field->name, count, kConfigNamesMax));
  return false;
}

void Checker::CheckField(const Field& field, FieldValue& value) {
  const YamlNode* node = value.node;
  if (field.type == FieldType::kSection) {
    const bool map = node == nullptr || node->kind == Kind::kNull || Expect(value, Kind::kMap, {});
    value.sections.push_back(Check(*field.section, map ? node : nullptr, value.place));
    return;
  }
  if (field.type == FieldType::kSectionMap) {
    if (node != nullptr) CheckSectionMap(value);
    return;
  }
  if (node == nullptr) {
    TakeFallback(field, value);
    return;
  }
  if (field.name == "type" && IsNullType(*node)) {
    value.text = node->text;
    return;
  }
  if (node->kind == Kind::kNull) {
    value.good = false;
    problems_.Add(node->start, fmt::format("'{}' has no value", field.name),
                  field.type == FieldType::kTextList || field.type == FieldType::kRules ||
                          field.type == FieldType::kSectionList
                      ? "write [] for none"
                      : "leave the key out to get the default");
    return;
  }
  switch (field.type) {
    case FieldType::kSecret: CheckSecret(value); return;
    case FieldType::kTextList: CheckTextList(value); return;
    case FieldType::kTextMap: CheckTextMap(value); return;
    case FieldType::kRules: CheckRules(value); return;
    case FieldType::kSectionList:
      if (!Expect(value, Kind::kList, {})) return;
      if (!CheckCount(value, node->items.size())) return;
      for (const YamlNode& item : node->items) {
        value.sections.push_back(Check(*field.section, &item, item.start));
      }
      return;
    default:
      if (!Expect(value, Kind::kScalar, {})) return;
      value.good = CheckScalar(field, *node, value, problems_);
  }
}

void Checker::CheckSectionMap(FieldValue& value) {
  if (value.node->kind == Kind::kNull) return;
  if (!Expect(value, Kind::kMap, {}) || !CheckCount(value, value.node->entries.size())) return;
  Field name;
  name.name = "name";
  name.type = FieldType::kName;
  for (const YamlNode::Entry& entry : value.node->entries) {
    YamlNode key;
    key.kind = Kind::kScalar;
    key.quoted = true;
    key.text = entry.key;
    key.start = entry.place;
    FieldValue checked;
    if (!CheckScalar(name, key, checked, problems_)) value.good = false;
    value.sections.push_back(Check(*value.field->section, &entry.value, entry.place));
    value.sections.back().name = entry.key;
  }
}

void Checker::CheckSecret(FieldValue& value) {
  const YamlNode& node = *value.node;
  constexpr std::string_view kHint = "write { file: PATH } or { env: NAME }";
  value.good = false;
  if (node.kind != Kind::kMap) {
    problems_.Hide(node);
    problems_.Add(node.start,
                  fmt::format("'{}' is a secret and must not stand in the configuration itself",
                              value.field->name),
                  std::string(kHint));
    return;
  }
  constexpr std::string_view kKeys[] = {"file", "env"};
  bool known = true;
  for (const YamlNode::Entry& entry : node.entries) {
    const bool key = entry.key == "file" || entry.key == "env";
    known &= key;
    if (key && entry.value.kind == Kind::kScalar && !entry.value.text.empty()) {
      known &= !entry.value.unusable;
      continue;
    }
    problems_.Hide(entry.value);
    if (key) {
      known = false;
      problems_.Add(entry.value.start, fmt::format("'{}' must be a text", entry.key));
    } else {
      problems_.Add(entry.place, fmt::format("unknown key '{}' in a secret", entry.key),
                    Suggestion(entry.key, kKeys));
    }
  }
  if (!known) return;
  if (node.entries.size() != 1) {
    problems_.Add(node.start, fmt::format("'{}' needs either file or env", value.field->name),
                  std::string(kHint));
    return;
  }
  const YamlNode::Entry& entry = node.entries.front();
  if (entry.key == "env" && entry.value.text.find_first_of("= \t${}") != std::string::npos) {
    problems_.Add(entry.value.start, "this is not the name of an environment variable",
                  "write the bare name, without $");
    return;
  }
  value.good = true;
  value.secret =
      entry.key == "file" ? Secret::FromFile(entry.value.text) : Secret::FromEnv(entry.value.text);
}

void Checker::CheckTextList(FieldValue& value) {
  if (!Expect(value, Kind::kList,
              value.node->kind == Kind::kScalar && !value.node->substituted &&
                      value.node->text.size() < 60
                  ? fmt::format("write [{}]", value.node->text)
                  : "")) {
    return;
  }
  const Field& field = *value.field;
  Field item_field = field;
  item_field.type = field.words.empty() ? FieldType::kText : FieldType::kWord;
  item_field.min = 1;
  item_field.max = 4096;
  for (const YamlNode& item : value.node->items) {
    FieldValue checked;
    if (item.kind != Kind::kScalar) {
      problems_.Add(item.start, fmt::format("'{}' must hold single values only", field.name));
      value.good = false;
    } else if (CheckScalar(item_field, item, checked, problems_)) {
      value.texts.push_back({checked.text, item.start});
    } else {
      value.good = false;
    }
  }
  if (field.required && value.node->items.empty()) {
    problems_.Add(value.node->start, fmt::format("'{}' must not be empty", field.name));
    value.good = false;
  }
}

void Checker::CheckTextMap(FieldValue& value) {
  if (!Expect(value, Kind::kMap, {})) return;
  Field item_field;
  item_field.max = 4096;
  for (const YamlNode::Entry& entry : value.node->entries) {
    item_field.name = entry.key;
    FieldValue checked;
    if (entry.value.kind != Kind::kScalar) {
      problems_.Add(entry.value.start, fmt::format("'{}' must be a text", entry.key));
      value.good = false;
    } else if (CheckScalar(item_field, entry.value, checked, problems_)) {
      value.text_map.push_back({{entry.key, entry.place}, checked.text});
    } else {
      value.good = false;
    }
  }
}

// A list of rules, or one rule without the list.
void Checker::CheckRules(FieldValue& value) {
  if (value.node->kind == Kind::kMap) {
    CheckRule(*value.node, value);
    return;
  }
  if (!Expect(value, Kind::kList, "write [ { KEY: VALUE } ]")) return;
  for (const YamlNode& item : value.node->items) CheckRule(item, value);
}

void Checker::CheckRule(const YamlNode& node, FieldValue& value) {
  if (node.kind != Kind::kMap || node.entries.empty()) {
    value.good = false;
    problems_.Add(
        node.start,
        fmt::format("a rule of '{}' must be a map with at least one key", value.field->name),
        "write { KEY: VALUE }");
    return;
  }
  RuleAt rule;
  rule.place = node.start;
  for (const YamlNode::Entry& entry : node.entries) {
    if (entry.value.kind != Kind::kScalar) {
      value.good = false;
      problems_.Add(entry.value.start,
                    fmt::format("'{}' must be compared with a single value", entry.key),
                    entry.value.kind == Kind::kList ? "alternatives are written a|b"
                                                    : "\"*\" matches anything that is there");
      continue;
    }
    if (entry.value.unusable) {
      value.good = false;
      continue;
    }
    // One at a time, so that the matcher's complaint can be shown where it belongs.
    if (const Result<Matcher> compiled = Matcher::Compile({{{entry.key, entry.value.text}}});
        !compiled) {
      value.good = false;
      const bool path = entry.key.starts_with("labels.") || entry.key.starts_with("data.");
      const bool known = path || std::find(std::begin(kRuleKeys), std::end(kRuleKeys), entry.key) !=
                                     std::end(kRuleKeys);
      std::string message = entry.value.substituted && known
                                ? fmt::format("the value of '{}' cannot be matched with", entry.key)
                                : compiled.error().message;
      problems_.Add(known ? entry.value.start : entry.place, std::move(message),
                    known ? std::string() : Suggestion(entry.key, kRuleKeys));
      continue;
    }
    rule.rule.emplace_back(entry.key, entry.value.text);
    rule.keys.push_back(entry.place);
    rule.values.push_back(entry.value.start);
  }
  value.rules.push_back(std::move(rule));
}

}  // namespace

const FieldValue& Values::At(std::string_view field) const {
  const auto found = fields.find(field);
  SPOOL_ASSERT(found != fields.end());
  return found->second;
}

const Values& Values::In(std::string_view field) const {
  const FieldValue& value = At(field);
  SPOOL_ASSERT(value.sections.size() == 1);
  return value.sections.front();
}

Values CheckSection(const Section& section, const YamlNode* node, const Place& place,
                    ConfigProblems& problems) {
  return Checker(problems).Check(section, node, place);
}

}  // namespace spool
