// The configuration that is in force: shown, compared with a file, read again.
#include <algorithm>
#include <filesystem>

#include "app/ctl/commands.h"
#include "app/ctl/config_problems.h"
#include "app/ctl/text.h"
#include "app/reload.h"

namespace spool::ctl {
namespace {

// How long targets may take to finish what they are at, and more.
constexpr Millis kReloadExtra{15'000};

ConfigSettings SettingsOf(const Json& list) {
  ConfigSettings settings;
  for (const Json& item : list.items()) {
    Setting setting;
    for (const Json& part : item["path"].items()) setting.path.push_back(part.Text());
    if (setting.path.empty()) continue;
    setting.value = item["value"].Text();
    setting.written = !item["default"].Flag();
    setting.overridden = item["overridden"].Flag();
    setting.hidden = item["hidden"].Flag();
    settings.push_back(std::move(setting));
  }
  return settings;
}

std::string ToJson(const ConfigSettings& settings) {
  std::string items;
  for (const Setting& setting : settings) {
    JsonObject item;
    item.Add("key", setting.Key())
        .Add("value", setting.value)
        .AddRaw("default", setting.written ? "false" : "true");
    items += (items.empty() ? "" : ",") + item.text();
  }
  return "[" + items + "]";
}

void ShowSettings(Printer& out, const ConfigSettings& settings, const Json& object) {
  // The configuration is YAML itself.
  if (out.human() || out.format() == Format::kYaml) {
    out.Raw(VisibleLines(SettingsYaml(settings, out.human())));
    return;
  }
  if (out.format() == Format::kName) {
    for (const Setting& setting : settings) out.Line(Visible(setting.Key()));
    return;
  }
  out.One(object, {"config", "configs", "revision", nullptr}, nullptr);
}

bool Below(const std::string& key, const std::string& part) {
  return key == part || key.starts_with(part + ".") || key.starts_with(part + "[");
}

// What a reload would come to. What the command line says of the running one stays said, and what
// is hidden there cannot be compared.
ReloadPlan PlanFor(const ConfigSettings& running, Config& fresh,
                   std::vector<std::string>* unknown) {
  Config before;
  before.settings = running;
  for (Setting& setting : before.settings) {
    const auto twin = std::find_if(fresh.settings.begin(), fresh.settings.end(),
                                   [&](const Setting& s) { return s.path == setting.path; });
    if (setting.overridden) {
      if (twin == fresh.settings.end()) {
        fresh.settings.push_back(setting);
      } else {
        twin->value = setting.value;
      }
    } else if (setting.hidden && twin != fresh.settings.end() && twin->hidden) {
      if (twin->value == setting.value) unknown->push_back(setting.Key());
      twin->identity.clear();
    }
  }
  ReloadPlan plan = PlanReload(before, fresh);
  return plan;
}

void TellNames(Printer& out, const Json& targets, const char* member, const char* what) {
  std::string names;
  for (const Json& name : targets[member].items()) {
    names += (names.empty() ? "" : ", ") + Visible(name.Text());
  }
  if (!names.empty()) out.Line(std::string("  ") + what + ": " + names);
}

}  // namespace

std::string VisibleLines(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out += Visible(std::string_view(text).substr(at, end - at));
    if (end < text.size()) out += '\n';
    at = end + 1;
  }
  return out;
}

std::vector<ConfigProblem> ProblemsOf(const Json& list) {
  std::vector<ConfigProblem> problems;
  for (const Json& item : list.items()) {
    ConfigProblem problem;
    problem.file = item["file"].Text();
    problem.line = static_cast<int>(item["line"].Number());
    problem.column = static_cast<int>(item["column"].Number());
    problem.message = item["message"].Text();
    problem.hint = item["hint"].Text();
    problem.source_line = item["source_line"].Text();
    problem.caret = static_cast<int>(std::min<uint64_t>(item["caret"].Number(), 1000));
    problems.push_back(std::move(problem));
  }
  return problems;
}

std::optional<Config> LoadOrTell(Printer& out, const std::string& path, bool warnings, int* exit) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    out.Fail({kNotFound, "there is no file or directory " + Visible(path), ""});
    *exit = kNotFound;
    return std::nullopt;
  }
  ConfigResult loaded = LoadConfig(path);
  if (warnings || !loaded.config) TellProblems(out, loaded.warnings);
  if (loaded.config) return std::move(loaded.config);
  TellProblems(out, loaded.problems);
  out.Note(Count(loaded.problems.size(), "error"));
  *exit = kBadConfig;
  return std::nullopt;
}

int ConfigSchemaText(Printer& out) {
  out.Raw(ConfigSchema());
  return kDone;
}

int ConfigShow(Session& session) {
  const Outcome<Json> answer = session.client.Get("/api/v1/config");
  if (!answer) return session.End(answer.error());
  ShowSettings(session.out, SettingsOf((*answer)["settings"]), *answer);
  return kDone;
}

int ConfigShowFile(Printer& out, const std::string& path) {
  int exit = kDone;
  const std::optional<Config> config = LoadOrTell(out, path, true, &exit);
  if (!config) return exit;
  JsonObject object;
  object.AddRaw("settings", ToJson(config->settings));
  ShowSettings(out, config->settings, *Json::Parse(object.text()));
  return kDone;
}

int ConfigDiff(Session& session, const std::string& path) {
  int exit = kDone;
  std::optional<Config> fresh = LoadOrTell(session.out, path, false, &exit);
  if (!fresh) return exit;
  const Outcome<Json> answer = session.client.Get("/api/v1/config");
  if (!answer) return session.End(answer.error());
  const ConfigSettings running = SettingsOf((*answer)["settings"]);
  std::vector<std::string> unknown;
  const ReloadPlan plan = PlanFor(running, *fresh, &unknown);
  const std::vector<SettingChange> changes = CompareSettings(running, fresh->settings);
  std::string items;
  for (const SettingChange& change : changes) {
    const std::string key = change.Key();
    const bool restart = std::any_of(plan.fixed.begin(), plan.fixed.end(),
                                     [&](const std::string& part) { return Below(key, part); });
    if (session.out.human()) {
      const char* sign = !change.before ? "+ " : !change.after ? "- " : "~ ";
      std::string line = sign + key + ": ";
      if (change.before) line += *change.before;
      if (change.before && change.after) line += " -> ";
      if (change.after) line += *change.after;
      session.out.Line(Visible(line) + (restart ? "   (needs a restart)" : ""));
    }
    JsonObject item;
    item.Add("key", key)
        .AddRaw("before", change.before ? JsonString(*change.before) : "null")
        .AddRaw("after", change.after ? JsonString(*change.after) : "null")
        .AddRaw("needs_restart", restart ? "true" : "false");
    items += (items.empty() ? "" : ",") + item.text();
  }
  if (!session.out.human()) {
    JsonObject object;
    object.AddRaw("same", changes.empty() ? "true" : "false").AddRaw("changes", "[" + items + "]");
    session.out.One(*Json::Parse(object.text()), {"config", "configs", "same", nullptr, path},
                    nullptr);
  } else if (changes.empty()) {
    session.out.Line("nothing would change");
  }
  for (const std::string& key : unknown) {
    session.out.Note(Visible(key) + " is hidden and was not compared");
  }
  return changes.empty() ? kDone : kFailed;
}

int ConfigReload(Session& session) {
  const Outcome<Json> answer = session.client.Post("/api/v1/config:reload", {}, kReloadExtra);
  Printer& out = session.out;
  if (!answer) {
    Failure failure = answer.error();
    const Result<Json> problem = Json::Parse(failure.problem);
    if (problem && (failure.code == "invalid_config" || failure.code == "needs_restart")) {
      TellProblems(out, ProblemsOf((*problem)["errors"]));
      failure.exit = failure.code == "invalid_config" ? kBadConfig : kFailed;
    }
    return session.End(failure);
  }
  TellProblems(out, [&] {
    std::vector<ConfigProblem> warnings = ProblemsOf((*answer)["warnings"]);
    for (ConfigProblem& warning : warnings) warning.warning = true;
    return warnings;
  }());
  const std::string revision = (*answer)["revision"].Text();
  if (!out.human()) {
    out.One(*answer, {"config", "configs", "revision", nullptr}, nullptr);
    return kDone;
  }
  if (!(*answer)["changed"].Flag()) {
    out.Line("config unchanged, revision " + revision + " stays in force");
    return kDone;
  }
  out.Line("config reloaded, revision " + revision + " is in force, with " +
           Count((*answer)["settings"].items().size(), "change"));
  const Json targets = (*answer)["targets"];
  TellNames(out, targets, "added", "targets added");
  TellNames(out, targets, "changed", "targets changed");
  TellNames(out, targets, "removed", "targets removed");
  return kDone;
}

}  // namespace spool::ctl
