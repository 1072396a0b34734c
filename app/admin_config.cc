// The configuration: what is in force, checked, and read again.
#include "app/admin_handlers.h"
#include "app/api_answer.h"
#include "app/config_history.h"
#include "app/config_settings.h"
#include "app/json_writer.h"

namespace spool {
namespace {

void WriteProblems(JsonWriter& out, std::string_view key,
                   const std::vector<ConfigProblem>& problems) {
  out.Key(key).BeginArray();
  for (const ConfigProblem& problem : problems) {
    out.BeginObject()
        .Field("file", problem.file)
        .Field("line", problem.line)
        .Field("column", problem.column)
        .Field("message", problem.message)
        .TextOrNull("hint", problem.hint);
    if (problem.caret > 0) {
      out.Field("source_line", problem.source_line).Field("caret", problem.caret);
    }
    out.EndObject();
  }
  out.EndArray();
}

void WriteNames(JsonWriter& out, std::string_view key, const std::vector<std::string>& names) {
  out.Key(key).BeginArray();
  for (const std::string& name : names) out.Value(name);
  out.EndArray();
}

int StatusOf(const std::string& code) {
  if (code == "invalid_config") return 400;
  if (code == "needs_restart") return 409;
  return 503;
}

net::HttpResponse ProblemAnswer(int status, std::string_view code, std::string_view detail,
                                const std::vector<ConfigProblem>& problems,
                                const std::vector<ConfigProblem>& warnings) {
  JsonWriter out;
  out.BeginObject()
      .Field("type", "about:blank")
      .Field("title", status == 400   ? "Bad Request"
                      : status == 409 ? "Conflict"
                                      : "Service Unavailable")
      .Field("status", status)
      .Field("code", code)
      .Field("detail", detail);
  WriteProblems(out, "errors", problems);
  WriteProblems(out, "warnings", warnings);
  net::HttpResponse response = JsonAnswer(out.EndObject().Take(), status);
  response.content_type = "application/problem+json";
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

net::HttpResponse InvalidConfig(const ConfigResult& result) {
  return ProblemAnswer(400, "invalid_config",
                       "The configuration has " + std::to_string(result.problems.size()) +
                           (result.problems.size() == 1 ? " problem." : " problems."),
                       result.problems, result.warnings);
}

void WriteCounts(JsonWriter& out, std::string_view key,
                 const std::map<std::string, HistoryCount>& counts) {
  out.Key(key).BeginArray();
  for (const auto& [name, count] : counts) {
    out.BeginObject()
        .Field("name", name)
        .Field("state", count.before_there && count.after_there ? "kept"
                        : count.after_there                     ? "added"
                                                                : "removed")
        .Field("before", count.before)
        .Field("after", count.after)
        .Field("gained", count.gained)
        .Field("lost", count.lost)
        .Field("elsewhere", count.elsewhere)
        .EndObject();
  }
  out.EndArray();
}

void WriteSample(JsonWriter& out, const HistorySample& sample) {
  out.BeginObject()
      .Field("sequence", sample.sequence)
      .Field("stream", sample.stream)
      .Field("subject", sample.subject)
      .Field("reason", sample.reason);
  WriteNames(out, "gained", sample.gained);
  WriteNames(out, "lost", sample.lost);
  out.Key("elsewhere").BeginArray();
  for (const HistorySample::Elsewhere& other : sample.elsewhere) {
    out.BeginObject()
        .Field("target", other.target)
        .Field("before", other.before)
        .Field("after", other.after)
        .EndObject();
  }
  out.EndArray().EndObject();
}

}  // namespace

net::HttpResponse TestConfig(const AdminCall& call) {
  if (const Status known = call.params.Check({"history"}); !known) return AnswerOf(known.error());
  const auto events = call.params.Number("history", 1, kHistoryEventsMax);
  if (!events) return AnswerOf(events.error());
  const ConfigResult fresh = ParseConfig(call.request.body, "config");
  if (!fresh.config) return InvalidConfig(fresh);
  const ReloadState running = call.context.reload_state();
  const auto report = CompareOverHistory(*running.config, *fresh.config, call.parts.journal,
                                         events->value_or(1000), call.stop);
  if (!report) return AnswerOf(report.error());
  JsonWriter out;
  out.BeginObject()
      .Field("events", report->events)
      .Field("first", report->range.first)
      .Field("end", report->range.end)
      .Field("changed", report->changed);
  WriteCounts(out, "routes", report->routes);
  WriteCounts(out, "targets", report->targets);
  out.Key("samples").BeginArray();
  for (const HistorySample& sample : report->samples) WriteSample(out, sample);
  return JsonAnswer(out.EndArray().EndObject().Take());
}

net::HttpResponse ValidateConfig(const AdminCall& call) {
  const ConfigResult result = ParseConfig(call.request.body, "config");
  if (!result.config) {
    return InvalidConfig(result);
  }
  JsonWriter out;
  out.BeginObject().Field("ok", true);
  WriteProblems(out, "warnings", result.warnings);
  return JsonAnswer(out.EndObject().Take());
}

net::HttpResponse GetConfig(const AdminCall& call) {
  const ReloadState state = call.context.reload_state();
  JsonWriter out;
  out.BeginObject()
      .Field("revision", state.revision)
      .Field("since", state.since)
      .Key("last_reload")
      .BeginObject()
      .Field("ok", state.last_ok)
      .Field("last_success", state.last_success)
      .TextOrNull("error", state.last_error)
      .EndObject()
      .Key("settings")
      .BeginArray();
  for (const Setting& setting : state.config->settings) {
    out.BeginObject().Field("key", setting.Key());
    WriteNames(out, "path", setting.path);
    out.Field("value", setting.value)
        .Field("default", !setting.written)
        .Field("overridden", setting.overridden)
        .Field("hidden", setting.hidden)
        .EndObject();
  }
  return JsonAnswer(out.EndArray().EndObject().Take());
}

net::HttpResponse ReloadConfig(const AdminCall& call) {
  const ReloadReport report = call.context.reload();
  if (!report.ok) {
    return ProblemAnswer(StatusOf(report.code), report.code, report.detail, report.problems,
                         report.warnings);
  }
  JsonWriter out;
  out.BeginObject().Field("revision", report.revision).Field("changed", !report.plan.keys.empty());
  WriteNames(out, "settings", report.plan.keys);
  out.Key("targets").BeginObject();
  WriteNames(out, "added", report.plan.added);
  WriteNames(out, "changed", report.plan.changed);
  WriteNames(out, "removed", report.plan.removed);
  out.EndObject();
  WriteProblems(out, "warnings", report.warnings);
  return JsonAnswer(out.EndObject().Take());
}

}  // namespace spool
