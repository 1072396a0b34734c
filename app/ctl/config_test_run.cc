// The tests of a configuration, run and told.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/config_trial.h"
#include "app/ctl/commands.h"
#include "app/ctl/config_problems.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

std::string ToJson(const TestResult& result) {
  std::string failures;
  for (const TestFailure& failure : result.failures) {
    JsonObject one;
    one.Add("what", failure.what).Add("expected", failure.expected).Add("is", failure.is);
    failures += (failures.empty() ? "" : ",") + one.text();
  }
  JsonObject object;
  object.Add("name", result.test->name)
      .AddRaw("ok", result.failures.empty() ? "true" : "false")
      .Add("file", result.test->file)
      .AddRaw("line", std::to_string(result.test->line))
      .Add("event", result.event)
      .AddRaw("failures", "[" + failures + "]");
  return object.text();
}

void Tell(Printer& out, const TestResult& result) {
  const bool ok = result.failures.empty();
  std::string line = std::string(ok ? "ok    " : "FAIL  ") + Visible(result.test->name);
  if (!ok) {
    line += "   (" + Visible(result.test->file) + ":" + std::to_string(result.test->line) + ":" +
            std::to_string(result.test->column) + ")";
  }
  out.Line(line);
  if (ok) return;
  for (const TestFailure& failure : result.failures) {
    out.Line("        " + failure.what + ": expected " + Visible(failure.expected));
    out.Line("        " + std::string(failure.what.size() + 4, ' ') + "but is " +
             Visible(failure.is));
  }
  if (!result.event.empty()) out.Line("        event: " + Visible(result.event));
}

std::string CountLine(const Json& item) {
  const uint64_t before = item["before"].Number();
  const uint64_t after = item["after"].Number();
  std::string line = "  " + Visible(item["name"].Text());
  if (item["state"].Text() != "kept") line += " (" + Visible(item["state"].Text()) + ")";
  line += ": " + Thousands(before) + " -> " + Thousands(after);
  if (const uint64_t n = item["gained"].Number(); n > 0) line += ", " + Thousands(n) + " more";
  if (const uint64_t n = item["lost"].Number(); n > 0) line += ", " + Thousands(n) + " no more";
  if (const uint64_t n = item["elsewhere"].Number(); n > 0) {
    line += ", " + Thousands(n) + " go elsewhere there";
  }
  return line;
}

void TellCounts(Printer& out, const Json& answer, const char* member) {
  const std::vector<Json> items = answer[member].items();
  if (items.empty()) return;
  out.Line(std::string(member) + ", events before and after:");
  for (const Json& item : items) out.Line(CountLine(item));
}

void TellHistory(Printer& out, const Json& answer) {
  const uint64_t events = answer["events"].Number();
  const uint64_t changed = answer["changed"].Number();
  out.Line("of the last " + Count(events, "event") + ", " +
           (changed == 0 ? "none goes" : Thousands(changed) + (changed == 1 ? " goes" : " go")) +
           " other ways than with the running configuration");
  TellCounts(out, answer, "routes");
  TellCounts(out, answer, "targets");
  const std::vector<Json> samples = answer["samples"].items();
  if (!samples.empty()) out.Line("the newest of them:");
  for (const Json& sample : samples) {
    std::string line = "  " + sample["sequence"].Text() + "  " + sample["stream"].Text() + "  " +
                       sample["subject"].Text() + "  " + sample["reason"].Text();
    for (const Json& name : sample["gained"].items()) line += "  +" + name.Text();
    for (const Json& name : sample["lost"].items()) line += "  -" + name.Text();
    for (const Json& other : sample["elsewhere"].items()) {
      line += "  " + other["target"].Text() + ": " + other["before"].Text() + " -> " +
              other["after"].Text();
    }
    out.Line(Visible(line));
  }
  out.Line("stored events stay in the streams that they are in");
}

}  // namespace

int ConfigTestFile(Printer& out, const std::string& path) {
  int exit = kDone;
  const std::optional<Config> config = LoadOrTell(out, path, false, &exit);
  if (!config) return exit;
  const auto results = RunTests(*config);
  if (!results) {
    out.Fail({kBadConfig, Visible(results.error().message), ""});
    return kBadConfig;
  }
  size_t failed = 0;
  std::string items;
  for (const TestResult& result : *results) {
    if (!result.failures.empty()) ++failed;
    if (out.human()) Tell(out, result);
    items += (items.empty() ? "" : ",") + ToJson(result);
  }
  if (!out.human()) {
    JsonObject object;
    object.AddRaw("ok", failed == 0 ? "true" : "false").AddRaw("tests", "[" + items + "]");
    out.One(*Json::Parse(object.text()), {"config", "configs", "ok", nullptr, path}, nullptr);
  } else if (results->empty()) {
    out.Line("there are no tests in " + Visible(path));
  } else {
    out.Line(Count(results->size(), "test") + ", " + std::to_string(failed) + " failed");
  }
  return failed == 0 ? kDone : kFailed;
}

int ConfigTestHistory(Session& session, const std::string& path, uint64_t events) {
  Printer& out = session.out;
  int exit = kDone;
  const std::optional<Config> config = LoadOrTell(out, path, false, &exit);
  if (!config) return exit;
  if (out.human() && !config->tests.empty()) {
    exit = ConfigTestFile(out, path);
    out.Line("");
  }
  // A file goes as it is, so that its variables are those of spoold; a directory as what it comes
  // to.
  std::string text = SettingsYaml(config->settings, false);
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) {
    std::ifstream in(path, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  const Outcome<Json> answer = session.client.Post(
      "/api/v1/config:test?history=" + std::to_string(events), text, std::chrono::minutes(1));
  if (!answer) {
    Failure failure = answer.error();
    if (failure.code == "invalid_config") {
      const Result<Json> problem = Json::Parse(failure.problem);
      if (problem) TellProblems(out, ProblemsOf((*problem)["errors"]));
      failure.exit = kBadConfig;
      failure.next = "spoold reads it in its own environment: are the variables set there?";
    }
    return session.End(failure);
  }
  if (!out.human()) {
    out.One(*answer, {"config", "configs", "changed", nullptr, path}, nullptr);
    return exit;
  }
  TellHistory(out, *answer);
  return exit;
}

}  // namespace spool::ctl
