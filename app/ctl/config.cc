#include "app/config.h"

#include <filesystem>

#include "app/ctl/commands.h"
#include "app/ctl/config_problems.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

std::string ToJson(const std::vector<ConfigProblem>& problems) {
  std::string array;
  for (const ConfigProblem& problem : problems) {
    JsonObject object;
    object.Add("file", problem.file)
        .AddRaw("line", std::to_string(problem.line))
        .AddRaw("column", std::to_string(problem.column))
        .Add("message", problem.message)
        .Add("hint", problem.hint);
    array += (array.empty() ? "" : ",") + object.text();
  }
  return "[" + array + "]";
}

}  // namespace

void TellProblems(Printer& out, const std::vector<ConfigProblem>& problems) {
  for (const ConfigProblem& problem : problems) {
    std::string text = FormatProblem(problem);
    while (text.ends_with('\n')) text.pop_back();
    out.Note(VisibleLines(text));
  }
}

int ConfigValidate(Printer& out, const std::vector<std::string>& paths) {
  std::vector<ConfigProblem> errors;
  std::vector<ConfigProblem> warnings;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
      out.Fail({kNotFound, "there is no file or directory " + Visible(path), ""});
      return kNotFound;
    }
    const ConfigResult result = LoadConfig(path);
    errors.insert(errors.end(), result.problems.begin(), result.problems.end());
    warnings.insert(warnings.end(), result.warnings.begin(), result.warnings.end());
  }
  const bool ok = errors.empty();
  if (!out.human()) {
    JsonObject object;
    object.AddRaw("ok", ok ? "true" : "false")
        .AddRaw("errors", ToJson(errors))
        .AddRaw("warnings", ToJson(warnings));
    const Result<Json> json = Json::Parse(object.text());
    if (out.format() == Format::kName) {
      for (const std::string& path : paths) out.Line("config/" + Visible(path));
    } else {
      out.One(*json, {"config", "configs", "ok", nullptr}, nullptr);
    }
    return ok ? kDone : kBadConfig;
  }
  TellProblems(out, errors);
  TellProblems(out, warnings);
  const std::string sums = (errors.empty() ? "" : Count(errors.size(), "error")) +
                           (errors.empty() || warnings.empty() ? "" : ", ") +
                           (warnings.empty() ? "" : Count(warnings.size(), "warning"));
  if (!ok) {
    out.Note(sums);
    return kBadConfig;
  }
  for (const std::string& path : paths) out.Line(Visible(path) + ": valid");
  if (!sums.empty()) out.Note(sums);
  return kDone;
}

}  // namespace spool::ctl
