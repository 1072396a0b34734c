#include "app/reload.h"

#include <algorithm>
#include <map>
#include <set>

namespace spool {
namespace {

using Path = std::vector<std::string>;

// The part of the configuration that cannot be changed while the service runs and that this key
// belongs to; empty when it can.
std::string FixedPart(const Path& path) {
  const auto part = [&](size_t i) -> std::string_view {
    return i < path.size() ? std::string_view(path[i]) : std::string_view();
  };
  const std::string_view top = part(0);
  if (top == "data_dir" || top == "journal" || top == "cluster" || top == "redaction" ||
      top == "quarantine") {
    return std::string(top);
  }
  if (top == "admin") return part(1).starts_with("tokens") ? "" : "admin." + path[1];
  if (top != "sources") return "";
  const std::string_view field = part(2);
  const bool changes = field.empty() || field == "paths" || field == "quota" ||
                       field.starts_with("tokens") || part(3) == "client_names";
  return changes ? "" : "sources." + path[1] + "." + path[2];
}

std::set<std::string> NamesOf(const ConfigSettings& settings, std::string_view section) {
  std::set<std::string> names;
  for (const Setting& setting : settings) {
    if (setting.path.size() > 1 && setting.path[0] == section) names.insert(setting.path[1]);
  }
  return names;
}

// By name; each is the same whatever stands before and after it.
std::vector<RouteSettings> RoutesTo(const Config& config, const std::string& target) {
  std::vector<RouteSettings> routes;
  for (RouteSettings route : config.routes) {
    if (std::find(route.to.begin(), route.to.end(), target) == route.to.end()) continue;
    route.to.clear();
    route.name.clear();
    routes.push_back(std::move(route));
  }
  return routes;
}

bool SameRoutes(const Config& a, const Config& b, const std::string& target) {
  if (a.has_routes != b.has_routes) return false;
  const std::vector<RouteSettings> left = RoutesTo(a, target);
  const std::vector<RouteSettings> right = RoutesTo(b, target);
  // An event goes where any route leads it: their order says nothing.
  return left.size() == right.size() &&
         std::is_permutation(left.begin(), left.end(), right.begin());
}

class Planner {
 public:
  Planner(const Config& running, const Config& fresh) : running_(running), fresh_(fresh) {}

  ReloadPlan Plan() {
    RefuseOthers("sources", "source");
    RefuseOthers("streams", "stream");
    std::set<std::string> touched;
    for (const SettingChange& change : CompareSettings(running_.settings, fresh_.settings)) {
      plan_.keys.push_back(change.Key());
      if (const std::string part = FixedPart(change.path); !part.empty()) Refuse(change);
      // Where it began is long decided.
      const bool start = change.path.size() == 3 && change.path[2] == "start";
      if (change.path.size() > 1 && change.path[0] == "targets" && !start) {
        touched.insert(change.path[1]);
      }
    }
    plan_.fixed.assign(told_.begin(), told_.end());
    std::map<std::string, bool> before;
    for (const TargetConfig& target : running_.targets) before[target.settings.name] = false;
    for (const TargetConfig& target : fresh_.targets) {
      const std::string& name = target.settings.name;
      const auto found = before.find(name);
      if (found == before.end()) {
        plan_.added.push_back(name);
        continue;
      }
      found->second = true;
      if (touched.contains(name) || !SameRoutes(running_, fresh_, name)) {
        plan_.changed.push_back(name);
      }
    }
    for (const auto& [name, still] : before) {
      if (!still) plan_.removed.push_back(name);
    }
    return std::move(plan_);
  }

 private:
  // One problem for a source or stream that is new or gone; its fields need none of their own.
  void RefuseOthers(const std::string& section, const std::string& noun) {
    const std::set<std::string> before = NamesOf(running_.settings, section);
    const std::set<std::string> after = NamesOf(fresh_.settings, section);
    for (const Setting& setting : fresh_.settings) {
      if (setting.path.size() < 2 || setting.path[0] != section) continue;
      if (before.contains(setting.path[1]) ||
          !told_.insert(section + "." + setting.path[1]).second) {
        continue;
      }
      Tell(setting,
           "the " + noun + " '" + setting.path[1] + "' is not there in the running spoold");
    }
    for (const std::string& name : before) {
      if (after.contains(name) || !told_.insert(section + "." + name).second) continue;
      ConfigProblem problem;
      problem.message = "the " + noun + " '" + name + "' is there in the running spoold and not " +
                        "here, and cannot be given up while it runs";
      problem.hint = kHint;
      plan_.refused.push_back(std::move(problem));
    }
  }

  void Refuse(const SettingChange& change) {
    const std::string owner = change.path.size() > 1 ? change.path[0] + "." + change.path[1] : "";
    if (told_.contains(owner)) return;
    if (!told_.insert(change.Key()).second) return;
    std::string what = "'" + change.Key() + "' ";
    if (!change.before) {
      what += "is not set in the running spoold";
    } else if (change.after) {
      what += "is " + *change.before + " in the running spoold";
    } else {
      what += "is gone here and " + *change.before + " in the running spoold";
    }
    Tell(*change.setting, what, change.after.has_value());
  }

  void Tell(const Setting& setting, const std::string& what, bool placed = true) {
    ConfigProblem problem;
    if (placed) {
      problem.file = setting.file;
      problem.line = setting.line;
      problem.column = setting.column;
    }
    problem.message = what + ", and cannot be changed while it runs";
    problem.hint = kHint;
    plan_.refused.push_back(std::move(problem));
  }

  static constexpr const char* kHint = "restart spoold to have it, or leave it as it was";

  const Config& running_;
  const Config& fresh_;
  ReloadPlan plan_;
  std::set<std::string> told_;  // sections and keys
};

}  // namespace

ReloadPlan PlanReload(const Config& running, const Config& fresh) {
  return Planner(running, fresh).Plan();
}

}  // namespace spool
