#include "app/config_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "app/config_file.h"
#include "app/config_import_receiver.h"
#include "forward/match.h"

namespace spool {
namespace {

using Kind = YamlNode::Kind;

// A key of the other one's rules and ours: a name, and another that means the same, for when a rule
// and the one above it ask for the same twice.
struct RuleKey {
  std::string_view theirs;
  std::string_view ours;
  std::string_view also;
};
constexpr RuleKey kRuleKeys[] = {
    {"message", "data.message", ""},
    {"apiVersion", "data.involvedObject.apiVersion", ""},
    {"kind", "kind", "data.involvedObject.kind"},
    {"namespace", "namespace", "data.metadata.namespace"},
    {"reason", "reason", "data.reason"},
    {"type", "data.type", ""},
    {"component", "data.source.component", "data.reportingComponent"},
    {"host", "data.source.host", "data.reportingInstance"},
};

// Without its place `text` stays where it is: everything before it becomes empty lines.
std::string AtLine(std::string_view text, int line) {
  return std::string(static_cast<size_t>(std::max(line - 1, 0)), '\n') + std::string(text);
}

struct Document {
  std::string text;
  int line = 1;
};
std::vector<Document> Split(std::string_view text) {
  std::vector<Document> documents(1);
  int line = 1;
  for (size_t at = 0; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view one = text.substr(at, end - at);
    if (one == "---" || one.starts_with("--- ")) {
      documents.push_back({"", line + 1});
    } else {
      documents.back().text += std::string(one) + "\n";
    }
    at = end + 1;
  }
  return documents;
}

bool IsExporters(const YamlNode& node) {
  return node.Find("route") != nullptr || node.Find("receivers") != nullptr;
}

std::optional<YamlNode> Parse(const std::string& name, std::string text, ConfigProblems& problems) {
  return ParseYaml(std::make_shared<ConfigText>(name, std::move(text)), problems);
}

// The exporter's own map, wherever in the text it is.
std::optional<YamlNode> FindConfig(std::string_view text, const std::string& name,
                                   ConfigProblems& problems) {
  for (const Document& document : Split(text)) {
    ConfigProblems here;
    ConfigProblems& told = Split(text).size() == 1 ? problems : here;
    auto node = Parse(name, AtLine(document.text, document.line), told);
    if (!node || node->kind != Kind::kMap) continue;
    if (IsExporters(*node)) return node;
    const YamlNode* data = node->Find("data");
    if (data == nullptr || data->kind != Kind::kMap) continue;
    for (const YamlNode::Entry& entry : data->entries) {
      if (entry.value.kind != Kind::kScalar) continue;
      auto inner = Parse(name, AtLine(entry.value.text, entry.value.start.line + 1), problems);
      if (inner && inner->kind == Kind::kMap && IsExporters(*inner)) return inner;
    }
  }
  return std::nullopt;
}

std::string Place(const YamlNode& node) {
  return fmt::format("{}:{}", node.start.file->name, node.start.line);
}

bool Compiles(const std::string& pattern) {
  return Matcher::Compile({{{"reason", "=~" + pattern}}}).has_value();
}

// "Pod|Deployment" is written for names, and finds parts of names.
bool IsWords(std::string_view pattern) {
  return std::all_of(pattern.begin(), pattern.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '|';
  });
}

using Conditions = std::vector<std::pair<std::string, std::string>>;

// A rule as it was acted on.
struct Rule {
  bool works = true;  // false: it has a pattern that never matches anything
  Conditions conditions;
  std::string receiver;
  std::vector<std::string> remarks;
};

struct Route {
  std::string name;
  std::optional<Conditions> match;  // nothing: it takes all
  std::vector<Conditions> drop;
  std::string to;
  std::vector<std::string> remarks;
};

class Importer {
 public:
  explicit Importer(const YamlNode& config) : config_(config) {}

  ImportResult Run() {
    ReadReceivers();
    if (const YamlNode* route = config_.Find("route"); route != nullptr) {
      Walk(*route, {}, {});
    }
    result_.yaml = Write();
    return std::move(result_);
  }

 private:
  void NeverWorked(const YamlNode& at, const std::string& what) {
    never_worked_.emplace_back(at.start.line, Place(at) + ": " + what);
  }
  void NotKept(const YamlNode& at, const std::string& what) {
    not_kept_.emplace_back(at.start.line, Place(at) + ": " + what);
  }

  void ReadReceivers() {
    const YamlNode* list = config_.Find("receivers");
    if (list == nullptr) return;
    for (const YamlNode& node : list->items) {
      ImportedTarget target = ImportReceiver(node);
      const std::string base = target.name;
      for (int i = 2; !names_.insert(target.name).second; ++i) {
        target.name = base.substr(0, 60) + "-" + std::to_string(i);
      }
      if (!target.lines.empty()) target.lines.front() = target.name + ":";
      for (const std::string& note : target.not_kept) NotKept(node, note);
      for (const auto& [line, note] : target.never_worked) {
        never_worked_.emplace_back(
            line, fmt::format("{}:{}: {}", node.start.file->name, line, OneLine(note)));
      }
      receivers_.emplace(target.receiver, targets_.size());
      targets_.push_back(std::move(target));
    }
  }

  static bool KnownRuleKey(std::string_view key) {
    constexpr std::string_view kOthers[] = {"labels", "annotations", "minCount", "receiver",
                                            "name"};
    return std::find(std::begin(kOthers), std::end(kOthers), key) != std::end(kOthers) ||
           std::any_of(std::begin(kRuleKeys), std::end(kRuleKeys),
                       [&](const RuleKey& k) { return k.theirs == key; });
  }

  // False when it is told that the pattern never worked.
  bool AddPattern(const std::string& key, const YamlNode& value, const std::string& what,
                  Rule& rule) {
    const std::string& pattern = value.text;
    if (pattern.empty()) return true;
    if (!Compiles(pattern)) {
      std::string meant;
      if (pattern.find('*') != std::string::npos)
        meant = "; as a glob it is " + YamlText(pattern) + " here";
      NeverWorked(value,
                  fmt::format("{}: {} is no regular expression, so nothing ever matched it{}", what,
                              YamlText(pattern), meant));
      rule.works = false;
      return false;
    }
    if (IsWords(pattern)) {
      rule.remarks.push_back(fmt::format("{} finds {} anywhere in the text; {}: {} takes just that",
                                         what, YamlText(pattern), key, YamlText(pattern)));
    }
    rule.conditions.emplace_back(key, "=~" + pattern);
    return true;
  }

  void AddPatterns(const YamlNode* map, const std::string& prefix, const std::string& what,
                   Rule& rule) {
    if (map == nullptr) return;
    for (const YamlNode::Entry& entry : map->entries) {
      AddPattern(prefix + entry.key, entry.value, what + "." + entry.key, rule);
    }
  }

  Rule ReadRule(const YamlNode& node, bool drop) {
    Rule rule;
    for (const YamlNode::Entry& entry : node.entries) {
      if (drop && entry.key == "receiver") {
        NeverWorked(entry.value, "receiver: a drop rule sends nothing, so it was never looked at");
      }
      if (KnownRuleKey(entry.key)) continue;
      std::string value;
      for (const YamlNode& item : entry.value.items) {
        value += (value.empty() ? "" : ", ") + item.text;
      }
      NeverWorked(
          entry.value,
          fmt::format("{}: rules have no such key, so it was never looked at ({})", entry.key,
                      entry.value.kind == Kind::kList ? value : entry.value.text));
    }
    for (const RuleKey& key : kRuleKeys) {
      const YamlNode* value = node.Find(key.theirs);
      if (value != nullptr)
        AddPattern(std::string(key.ours), *value, std::string(key.theirs), rule);
    }
    AddPatterns(node.Find("labels"), "labels.", "labels", rule);
    AddPatterns(node.Find("annotations"), "data.involvedObject.annotations.", "annotations", rule);
    if (const YamlNode* count = node.Find("minCount"); count != nullptr && count->text != "0") {
      rule.conditions.emplace_back("data.count", ">=" + count->text);
    }
    if (const YamlNode* to = node.Find("receiver"); to != nullptr) rule.receiver = to->text;
    if (drop && rule.works && rule.conditions.empty()) {
      rule.remarks.push_back("a drop rule without conditions: nothing passes");
    }
    return rule;
  }

  // Both conditions at once. A key that both have gets its other name; false when there is none.
  static bool Join(const Conditions& more, Conditions& all) {
    for (const auto& [key, value] : more) {
      std::string name = key;
      const auto taken = [&](const std::string& n) {
        return std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.first == n; });
      };
      if (const auto found = taken(name); found != all.end()) {
        if (found->second == value) continue;
        name.clear();
        for (const RuleKey& k : kRuleKeys) {
          if (k.ours == key) name = k.also;
        }
        if (name.empty() || taken(name) != all.end()) return false;
      }
      all.emplace_back(name, value);
    }
    return true;
  }

  void Walk(const YamlNode& route, Conditions above, std::vector<Conditions> drops) {
    for (const YamlNode::Entry& entry : route.entries) {
      if (entry.key == "drop" || entry.key == "match" || entry.key == "routes") continue;
      NeverWorked(entry.value, entry.key + ": routes have no such key, so it was never looked at");
    }
    std::vector<std::string> remarks;
    if (const YamlNode* list = route.Find("drop"); list != nullptr) {
      for (const YamlNode& node : list->items) {
        Rule rule = ReadRule(node, true);
        if (!rule.works) continue;
        drops.push_back(std::move(rule.conditions));
        remarks.insert(remarks.end(), rule.remarks.begin(), rule.remarks.end());
      }
    }
    bool passes = true;
    Conditions below = above;
    bool joined = true;
    if (const YamlNode* list = route.Find("match"); list != nullptr) {
      for (const YamlNode& node : list->items) {
        const Rule rule = ReadRule(node, false);
        passes &= rule.works;
        if (!rule.works) continue;
        if (!rule.receiver.empty()) AddRoute(node, rule, above, drops, remarks);
        joined &= Join(rule.conditions, below);
      }
    }
    const YamlNode* routes = route.Find("routes");
    if (routes == nullptr) return;
    if (!passes) {
      NeverWorked(*routes, "routes: a rule above them never matches, so they were never reached");
      return;
    }
    if (!joined) {
      NotKept(*routes,
              "routes: they and the rules above them ask for the same field more than twice");
      return;
    }
    for (const YamlNode& child : routes->items) {
      const YamlNode* match = child.Find("match");
      if (!Sends(child)) {
        NeverWorked(
            match != nullptr ? *match : child,
            "no rule of this route or below it names a receiver, so it never sent anything");
      }
      Walk(child, below, drops);
    }
  }

  static bool Sends(const YamlNode& route) {
    if (const YamlNode* match = route.Find("match"); match != nullptr) {
      for (const YamlNode& rule : match->items) {
        const YamlNode* to = rule.Find("receiver");
        if (to != nullptr && !to->text.empty()) return true;
      }
    }
    const YamlNode* routes = route.Find("routes");
    return routes != nullptr && std::any_of(routes->items.begin(), routes->items.end(), Sends);
  }

  void AddRoute(const YamlNode& node, const Rule& rule, const Conditions& above,
                const std::vector<Conditions>& drops, const std::vector<std::string>& remarks) {
    const auto found = receivers_.find(rule.receiver);
    if (found == receivers_.end()) {
      NeverWorked(node, fmt::format("receiver: there is no receiver {}", YamlText(rule.receiver)));
      return;
    }
    Route made;
    made.to = targets_[found->second].name;
    made.drop = drops;
    Conditions all = above;
    if (!Join(rule.conditions, all)) {
      NotKept(node, "match: it and the rules above it ask for the same field more than twice");
      return;
    }
    if (!all.empty()) made.match = std::move(all);
    made.remarks = remarks;
    made.remarks.insert(made.remarks.end(), rule.remarks.begin(), rule.remarks.end());
    for (const Route& other : routes_) {
      if (other.to != made.to || other.match != made.match || other.drop != made.drop) continue;
      NotKept(node,
              fmt::format("match: what it sends to {} a rule above sends there, too; it goes once",
                          YamlText(rule.receiver)));
      return;
    }
    const YamlNode* name = node.Find("name");
    std::string base = SpoolName(name != nullptr && !name->text.empty() ? name->text : made.to);
    made.name = base;
    for (int i = 2; !route_names_.insert(made.name).second; ++i) {
      made.name = base.substr(0, 60) + "-" + std::to_string(i);
    }
    targets_[found->second].used = true;
    routes_.push_back(std::move(made));
  }

  static std::string RuleLine(const Conditions& conditions) {
    std::string out;
    for (const auto& [key, value] : conditions) {
      out += (out.empty() ? "" : ", ") + YamlText(key) + ": " + YamlText(value);
    }
    return out.empty() ? "{}" : "{ " + out + " }";
  }

  // Commented out where the target is.
  std::string RouteLines(const Route& route, bool live) const {
    std::string out;
    const std::string mark = live ? "  " : "  # ";
    for (const std::string& remark : route.remarks) out += "  # " + remark + "\n";
    out += mark + "- name: " + route.name + "\n";
    if (route.match) out += mark + "  match: " + RuleLine(*route.match) + "\n";
    std::string drops;
    for (const Conditions& drop : route.drop) drops += (drops.empty() ? "" : ", ") + RuleLine(drop);
    if (!drops.empty()) out += mark + "  drop: [ " + drops + " ]\n";
    return out + mark + "  to: [" + route.to + "]\n";
  }

  static bool IsAboutWatching(std::string_view key) {
    constexpr std::string_view kKeys[] = {"leaderElection", "kubeQPS", "kubeBurst", "omitLookup",
                                          "cacheSize"};
    return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
  }

  std::string Globals() {
    std::string out;
    for (const YamlNode::Entry& entry : config_.entries) {
      const std::string& text = entry.value.text;
      if (entry.key == "logLevel") {
        const std::string level = text == "warning" ? "warn" : text;
        if (text == "trace" || text == "fatal" || text == "panic" || text == "disabled") {
          log_level_ = text == "trace" ? "debug" : "error";
          NotKept(entry.value, "logLevel: the nearest of ours to " + text + " is " + log_level_);
        } else if (level == "debug" || level == "info" || level == "warn" || level == "error") {
          log_level_ = level;
        } else {
          NeverWorked(entry.value, "logLevel: " + YamlText(text) + " is no level");
        }
      } else if (entry.key == "logFormat") {
        log_format_ = text == "json" ? "json" : "text";
      } else if (entry.key == "clusterName") {
        out += "cluster: { name: " + YamlText(text) + " }\n";
      } else if (entry.key == "maxEventAgeSeconds" || entry.key == "throttlePeriod") {
        NotKept(entry.value,
                entry.key + ": events were dropped for their age; spool keeps them all");
      } else if (entry.key == "namespace") {
        if (text.empty()) continue;
        NotKept(entry.value, "namespace: only events of " + YamlText(text) +
                                 " were watched; the producer has to be limited to it");
      } else if (entry.key == "metricsNamePrefix") {
        NotKept(entry.value, "metricsNamePrefix: spool's metrics have names of their own");
      } else if (IsAboutWatching(entry.key)) {
        NotKept(entry.value,
                entry.key + ": it is about watching the cluster, which the producer does");
      } else if (entry.key != "receivers" && entry.key != "route") {
        NeverWorked(entry.value, entry.key + ": there is no such key, so it was never looked at");
      }
    }
    if (const YamlNode* age = config_.Find("throttlePeriod");
        age != nullptr && config_.Find("maxEventAgeSeconds") != nullptr) {
      NeverWorked(*age, "throttlePeriod: with maxEventAgeSeconds beside it nothing started");
    }
    if (config_.Find("maxEventAgeSeconds") == nullptr &&
        config_.Find("throttlePeriod") == nullptr) {
      not_kept_.emplace_back(
          0,
          "events older than five seconds were dropped, as is the exporter's default; spool keeps "
          "all");
    }
    return "log: { level: " + log_level_ + ", format: " + log_format_ + " }\n" + out;
  }

  std::string Write() {
    const std::string globals = Globals();
    result_.never_worked = InOrder(never_worked_);
    result_.not_kept = InOrder(not_kept_);
    std::string targets;
    std::string routes;
    for (const ImportedTarget& target : targets_) {
      if (target.lines.empty()) {
        targets += "  # " + target.name + ": " + target.why_not + "\n";
        continue;
      }
      if (!target.used) {
        targets += "  # " + target.name + ": no rule ever sent anything to it; it would be\n";
      }
      bool first = true;
      for (const std::string& line : target.lines) {
        targets += (target.used ? "  " : "  # ") + std::string(first ? "" : "  ") + line + "\n";
        first = false;
      }
    }
    bool any = false;
    for (const Route& route : routes_) {
      const auto target = std::find_if(targets_.begin(), targets_.end(),
                                       [&](const ImportedTarget& t) { return t.name == route.to; });
      const bool live = !target->lines.empty();
      any |= live;
      routes += RouteLines(route, live);
    }
    std::string out =
        "# Made from a configuration of kubernetes-event-exporter by 'spoolctl config import'.\n";
    const auto list = [&](const char* head, const std::vector<std::string>& lines) {
      if (lines.empty()) return;
      out += std::string("#\n# ") + head + "\n";
      for (const std::string& line : lines) out += "#   " + OneLine(line) + "\n";
    };
    list("What never worked there, and is left out:", result_.never_worked);
    list("What is not as it was:", result_.not_kept);
    out +=
        "#\n# Targets get CloudEvents, whose `data` is the Event. spool does not watch the cluster "
        "itself "
        "yet: let the\n# exporter go on as the producer, with one webhook receiver and no layout, "
        "to "
        "http://SPOOL:8080/events.\n";
    out += "version: 1\n" + globals;
    out += "sources:\n  web: { type: http, address: \"0.0.0.0:8080\" }\n";
    out += any ? "routes:\n" + routes : "routes: []\n" + routes;
    const bool some = std::any_of(targets_.begin(), targets_.end(), [](const ImportedTarget& t) {
      return t.used && !t.lines.empty();
    });
    out += (some ? "targets:\n" : "targets: {}\n") + targets;
    return out;
  }

  using Told = std::vector<std::pair<int, std::string>>;  // with the line
  static std::vector<std::string> InOrder(Told told) {
    std::stable_sort(told.begin(), told.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> lines;
    for (auto& [line, text] : told) lines.push_back(std::move(text));
    return lines;
  }

  const YamlNode& config_;
  ImportResult result_;
  Told never_worked_;
  Told not_kept_;
  std::vector<ImportedTarget> targets_;
  std::map<std::string, size_t> receivers_;
  std::set<std::string> names_;
  std::set<std::string> route_names_;
  std::vector<Route> routes_;
  std::string log_level_ = "info";
  std::string log_format_ = "text";
};

}  // namespace

ImportResult ImportEventExporter(std::string_view text, const std::string& name) {
  ConfigProblems problems;
  const auto config = FindConfig(text, name, problems);
  if (config) return Importer(*config).Run();
  if (problems.empty()) {
    problems.AddFile(name, "this is no configuration of kubernetes-event-exporter",
                     "it has 'route' and 'receivers', by themselves or in a ConfigMap");
  }
  ConfigResult told;
  problems.MoveTo(told);
  ImportResult result;
  result.problems = std::move(told.problems);
  return result;
}

}  // namespace spool
