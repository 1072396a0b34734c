#include "app/config_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "app/config_fields.h"
#include "app/config_values.h"

namespace spool {
namespace {

using Path = std::vector<std::string>;

std::string JoinPath(const Path& path) {
  std::string key;
  for (const std::string& part : path) {
    if (!key.empty() && !part.starts_with('[')) key += '.';
    key += part;
  }
  return key;
}

// A YAML scalar: plain where that is no question, in quotes otherwise. `literal`: a dollar means
// itself and not the beginning of a variable.
std::string Scalar(std::string_view text, bool quoted, bool literal) {
  const bool plain = !quoted && text != "null" && !text.empty() && text.front() != '-' &&
                     text.front() != '.' && std::all_of(text.begin(), text.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') ||
                              std::string_view("_./-").find(c) != std::string_view::npos;
                     });
  if (plain) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '$' && literal) out += '$';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string ScalarOf(const YamlNode& node) {
  return node.substituted ? Scalar(node.written, true, false)
                          : Scalar(node.text, node.quoted, true);
}

bool Announces(std::string_view header, std::string_view word) {
  return std::search(header.begin(), header.end(), word.begin(), word.end(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b;
         }) != header.end();
}

bool MayBeSecret(std::string_view header) {
  constexpr std::string_view kWords[] = {"auth", "cookie", "token", "secret", "key", "password"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](std::string_view word) { return Announces(header, word); });
}

// What a default is where it depends on more than the field.
std::string_view OwnDefault(const Path& path, std::string_view field, std::string_view type) {
  const bool broker = type == "nats" || type == "kafka";
  if (broker && path.size() == 3 && path[0] == "targets" && path[2] == "batch") {
    if (field == "events") return kBrokerBatchEvents;
    if (field == "bytes") return kBrokerBatchBytes;
  }
  if (path.size() < 2 || path[0] != "streams") return {};
  for (const DefaultStream& stream : DefaultStreamTable()) {
    if (stream.name != path[1]) continue;
    if (field == "age") return stream.age;
    if (field == "size") return stream.size;
    if (field == "when_full") return stream.when_full;
  }
  return {};
}

// Sections that mean something by being there.
bool SwitchedOn(std::string_view field) { return field == "tls" || field == "sasl"; }

class Walker {
 public:
  explicit Walker(ConfigSettings& out) : out_(out) {}

  void Walk(const Values& section, const Section& table) {
    for (const Field& field : table.fields) Visit(section, field);
    if (section.variant == nullptr) return;
    for (const Field& field : section.variant->fields) Visit(section, field);
  }

  // What is configured where `sources` says nothing, and streams that nobody has to name.
  void AddDefaults(const Values& root) {
    if (!root.Written("sources")) {
      ConfigProblems problems;
      const auto text = std::make_shared<ConfigText>("default", "type: http");
      const auto node = ParseYaml(text, problems);
      const Values web = CheckSection(*Find("sources")->section, &*node, node->start, problems);
      path_ = {"sources", "web"};
      const size_t from = out_.size();
      Walk(web, *Find("sources")->section);
      for (size_t i = from; i < out_.size(); ++i) {
        out_[i].written = false;
        out_[i].file.clear();
        out_[i].line = out_[i].column = 0;
      }
    }
    for (const DefaultStream& stream : DefaultStreamTable()) {
      const auto& given = root.At("streams").sections;
      if (std::any_of(given.begin(), given.end(),
                      [&](const Values& s) { return s.name == stream.name; })) {
        continue;
      }
      path_ = {"streams", std::string(stream.name), "retention"};
      AddDefault("age", stream.age);
      AddDefault("size", stream.size);
      path_.pop_back();
      AddDefault("when_full", stream.when_full);
    }
    path_.clear();
  }

 private:
  static const Field* Find(std::string_view name) {
    for (const Field& field : ConfigSection().fields) {
      if (field.name == name) return &field;
    }
    return nullptr;
  }

  Setting& Add(std::string_view name, std::string value, const FieldValue* from) {
    Setting setting;
    setting.path = path_;
    setting.path.emplace_back(name);
    setting.value = std::move(value);
    setting.written = from != nullptr && from->node != nullptr;
    if (setting.written && from->place.file != nullptr) {
      setting.file = from->place.file->name;
      setting.line = from->place.line;
      setting.column = from->place.column;
    }
    return out_.emplace_back(std::move(setting));
  }
  void AddDefault(std::string_view name, std::string_view value) {
    Add(name, Scalar(value, false, true), nullptr);
  }

  void Visit(const Values& section, const Field& field) {
    const FieldValue& value = section.At(field.name);
    switch (field.type) {
      case FieldType::kSection:
        if (value.node == nullptr && SwitchedOn(field.name)) return;
        return Descend(section, field, value);
      case FieldType::kSectionMap:
      case FieldType::kSectionList: return VisitSections(field, value);
      case FieldType::kTextMap: return VisitTextMap(field, value);
      case FieldType::kTextList: return VisitTexts(field, value);
      case FieldType::kRules: return VisitRules(field, value);
      case FieldType::kSecret: return VisitSecret(field, value);
      default: return VisitScalar(section, field, value);
    }
  }

  void Descend(const Values& section, const Field& field, const FieldValue& value) {
    const std::string_view type = type_;
    if (section.variant != nullptr) type_ = section.variant->word;
    path_.emplace_back(field.name);
    const size_t before = out_.size();
    if (!value.sections.empty()) Walk(value.sections.front(), *field.section);
    path_.pop_back();
    type_ = type;
    if (before == out_.size() && value.node != nullptr) Add(field.name, "{}", &value);
  }

  void VisitSections(const Field& field, const FieldValue& value) {
    if (value.sections.empty()) {
      const bool list = field.type == FieldType::kSectionList;
      if (value.node != nullptr) Add(field.name, list ? "[]" : "{}", &value);
      return;
    }
    path_.emplace_back(field.name);
    std::set<std::string> taken;
    for (size_t i = 0; i < value.sections.size(); ++i) {
      const Values& section = value.sections[i];
      const size_t before = out_.size();
      path_.push_back(field.type == FieldType::kSectionMap ? section.name
                                                           : ItemKey(section, i, taken));
      Walk(section, *field.section);
      const std::string name = path_.back();
      path_.pop_back();
      if (before == out_.size()) Add(name, "{}", &value);
    }
    path_.pop_back();
  }

  // "[NAME]", or "[INDEX]" of what has no name. Nothing keeps two items from having one name: the
  // second is "[NAME#2]", since two that share a key would be compared as one.
  static std::string ItemKey(const Values& item, size_t index, std::set<std::string>& taken) {
    const bool named = item.Has("name") && item.Written("name");
    const std::string name = named ? item.Text("name") : std::to_string(index);
    std::string key = "[" + name + "]";
    for (int n = 2; !taken.insert(key).second; ++n)
      key = "[" + name + "#" + std::to_string(n) + "]";
    return key;
  }

  void VisitTextMap(const Field& field, const FieldValue& value) {
    path_.emplace_back(field.name);
    for (const auto& [name, text] : value.text_map) {
      const YamlNode* node = value.node == nullptr ? nullptr : value.node->Find(name.text);
      if (node == nullptr) continue;
      const bool hidden = MayBeSecret(name.text) && !node->substituted;
      Setting& added = Add(name.text, hidden ? "(hidden)" : ScalarOf(*node), &value);
      added.line = name.place.line;
      added.column = name.place.column;
      added.hidden = hidden;
      if (hidden) added.identity = text;
    }
    path_.pop_back();
  }

  void VisitTexts(const Field& field, const FieldValue& value) {
    if (value.node == nullptr) return;
    std::string list;
    for (size_t i = 0; i < value.texts.size(); ++i) {
      const YamlNode* node = value.node;
      if (node->kind == YamlNode::Kind::kList) {
        node = i < node->items.size() ? &node->items[i] : nullptr;
      }
      const bool substituted = node != nullptr && node->substituted;
      list += (list.empty() ? "" : ", ") +
              (substituted ? Scalar(node->written, true, false)
                           : Scalar(value.texts[i].text, node != nullptr && node->quoted, true));
    }
    Add(field.name, "[" + list + "]", &value);
  }

  void VisitRules(const Field& field, const FieldValue& value) {
    if (value.node == nullptr) return;
    std::string list;
    for (const RuleAt& at : value.rules) {
      std::string rule;
      for (const auto& [key, text] : at.rule) {
        rule += (rule.empty() ? "" : ", ") + Scalar(key, false, true) + ": " +
                Scalar(text, false, true);
      }
      list += (list.empty() ? "{ " : ", { ") + rule + " }";
    }
    Add(field.name, "[" + list + "]", &value);
  }

  void VisitSecret(const Field& field, const FieldValue& value) {
    if (!value.secret) return;
    const std::string where = value.secret->Where();
    const size_t colon = where.find(':');
    Add(field.name,
        "{ " + where.substr(0, colon) + ": " + Scalar(where.substr(colon + 1), false, true) + " }",
        &value);
  }

  void VisitScalar(const Values& section, const Field& field, const FieldValue& value) {
    if (value.node == nullptr) {
      std::string_view own = OwnDefault(path_, field.name, type_);
      if (own.empty()) own = field.fallback;
      if (section.variant != nullptr && field.name == "type") own = section.variant->word;
      if (!own.empty()) Add(field.name, Scalar(own, false, true), nullptr);
      return;
    }
    if (field.type == FieldType::kBool) {
      Add(field.name, value.boolean ? "true" : "false", &value);
      return;
    }
    if (value.node->kind != YamlNode::Kind::kScalar) {  // type: null
      if (section.variant != nullptr && field.name == "type") {
        Add(field.name, Scalar(section.variant->word, true, true), &value);
      }
      return;
    }
    Setting& added = Add(field.name, ScalarOf(*value.node), &value);
    const size_t query = value.text.find('?');
    if (field.type != FieldType::kUrl || query == std::string::npos || value.node->substituted) {
      return;
    }
    added.value = Scalar(value.text.substr(0, query + 1) + "(hidden)", true, true);
    added.hidden = true;
    added.identity = value.text;
  }

  ConfigSettings& out_;
  Path path_;
  std::string_view type_;  // of the target or source that is walked through
};

// The lines of settings that agree in the first `depth` parts of their paths.
std::vector<std::string> Lines(std::span<const Setting> settings, size_t depth, bool mark) {
  std::vector<std::string> out;
  for (size_t i = 0; i < settings.size();) {
    const std::string& part = settings[i].path[depth];
    size_t end = i + 1;
    while (end < settings.size() && settings[end].path[depth] == part) ++end;
    const bool item = part.starts_with('[');
    const bool leaf = settings[i].path.size() == depth + 1;
    if (leaf) {
      out.push_back((item ? "- " : Scalar(part, false, true) + ": ") + settings[i].value +
                    (mark && !settings[i].written ? "  # default" : ""));
    } else {
      if (!item) out.push_back(Scalar(part, false, true) + ":");
      bool first = item;
      for (const std::string& line : Lines(settings.subspan(i, end - i), depth + 1, mark)) {
        out.push_back((std::exchange(first, false) ? "- " : "  ") + line);
      }
    }
    i = end;
  }
  return out;
}

}  // namespace

std::string Setting::Key() const { return JoinPath(path); }
std::string SettingChange::Key() const { return JoinPath(path); }

ConfigSettings SettingsOf(const Values& root) {
  ConfigSettings settings;
  Walker walker(settings);
  walker.Walk(root, ConfigSection());
  walker.AddDefaults(root);
  // What was added belongs to its section.
  const auto rank = [](const Setting& setting) {
    const auto& fields = ConfigSection().fields;
    return std::find_if(fields.begin(), fields.end(),
                        [&](const Field& f) { return f.name == setting.path.front(); }) -
           fields.begin();
  };
  std::stable_sort(settings.begin(), settings.end(),
                   [&](const Setting& a, const Setting& b) { return rank(a) < rank(b); });
  return settings;
}

void SetSetting(ConfigSettings& settings, std::vector<std::string> path, std::string_view text) {
  Setting setting;
  setting.path = std::move(path);
  setting.value = Scalar(text, false, true);
  setting.written = true;
  setting.overridden = true;
  for (Setting& old : settings) {
    if (old.path != setting.path) continue;
    old = std::move(setting);
    return;
  }
  settings.push_back(std::move(setting));
}

std::string SettingsYaml(const ConfigSettings& settings, bool mark_defaults) {
  std::string out;
  for (const std::string& line : Lines(settings, 0, mark_defaults)) out += line + "\n";
  return out;
}

std::vector<SettingChange> CompareSettings(const ConfigSettings& before,
                                           const ConfigSettings& after) {
  std::map<Path, const Setting*> old;
  for (const Setting& setting : before) old.emplace(setting.path, &setting);
  std::vector<SettingChange> out;
  for (const Setting& setting : after) {
    const auto found = old.find(setting.path);
    if (found == old.end()) {
      out.push_back({setting.path, std::nullopt, setting.value, &setting});
      continue;
    }
    if (!found->second->Same(setting)) {
      out.push_back({setting.path, found->second->value, setting.value, &setting});
    }
    old.erase(found);
  }
  for (const Setting& setting : before) {
    if (old.contains(setting.path)) {
      out.push_back({setting.path, setting.value, std::nullopt, &setting});
    }
  }
  return out;
}

}  // namespace spool
