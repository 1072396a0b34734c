#include "app/action_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/config_fields.h"
#include "app/json_writer.h"
#include "base/hash.h"
#include "base/log.h"
#include "spool/event.h"

namespace spool {
namespace {

constexpr std::string_view kPrefix = "/api/v1/";
constexpr size_t kRequestMax = 4096;  // of a body that is kept with the record
constexpr size_t kNameMax = 512;

// They answer a question that happens to need a body.
constexpr std::string_view kLookOnly[] = {"config:validate", "config:test", "config:diff",
                                          "events:explain"};

// The stable word of how it ended: "ok", or the problem's code.
std::string ResultOf(const net::HttpResponse& answer) {
  if (answer.status < 400) return "ok";
  const auto problem = nlohmann::json::parse(answer.body, nullptr, false);
  if (!problem.is_object() || !problem.contains("code") || !problem["code"].is_string()) {
    return "status_" + std::to_string(answer.status);
  }
  return problem["code"];
}

// What was asked for, if a handler read it: then every member is one that the API knows. What
// nobody asked for may be anything, a secret too.
std::string RequestOf(const net::HttpRequest& request, const net::HttpResponse& answer,
                      const ActionNote& note) {
  if (!note.body_read || answer.status >= 400 || request.body.empty() ||
      request.body.size() > kRequestMax) {
    return {};
  }
  const auto body = nlohmann::json::parse(request.body, nullptr, false);
  return body.is_object() ? body.dump() : std::string();
}

struct Entry {
  std::string action;
  std::string object;
  std::string result;
  std::string data;  // JSON
};

Entry MakeEntry(const std::string& action, const std::string& name, const AdminActor& actor,
                const net::HttpRequest& request, const net::HttpResponse& answer,
                const ActionNote& note) {
  Entry record;
  record.action = action;
  record.object = action.substr(0, action.find(':'));
  if (!name.empty()) record.object += "/" + name.substr(0, kNameMax);
  record.result = ResultOf(answer);
  JsonWriter out;
  out.BeginObject()
      .Field("message", actor.name + " (" + std::string(actor.role) + "): " + record.result)
      .Field("action", record.action)
      .Field("object", record.object)
      .Field("result", record.result)
      .Field("status", answer.status)
      .Field("actor", actor.name)
      .Field("shown", actor.shown)
      .Field("role", actor.role)
      .Field("peer", request.peer);
  if (!actor.certificate.empty()) out.Field("certificate", actor.certificate);
  if (const std::string body = RequestOf(request, answer, note); !body.empty()) {
    out.Key("request").Raw(body);
  }
  for (const auto& [fact, value] : note.facts) out.Key(fact).Raw(value);
  out.EndObject();
  record.data = out.Take();
  return record;
}

Status Store(Journal& journal, std::string_view cluster, const Entry& record, SystemTime now) {
  const std::optional<StreamId> stream = journal.FindStream(kAuditStream);
  if (!stream) return Fail(Code::kNotFound, "the journal has no stream for it");
  const std::string source = cluster.empty() ? std::string("/spool/admin")
                                             : "/clusters/" + std::string(cluster) + "/spool/admin";
  const std::string subject = record.object.substr(0, kAttributeMax);
  const size_t slash = record.object.find('/');
  EventView view;
  view.id = RandomHash128();
  view.time = now;
  view.severity = record.result == "ok" ? Severity::kNotice : Severity::kWarning;
  view.source = source;
  view.type = "dev.spool.audit.v1";
  view.subject = subject;
  view.producer = "spool";
  view.cluster = cluster;
  view.kind = std::string_view(subject).substr(0, slash);
  if (slash != record.object.npos) view.name = std::string_view(subject).substr(slash + 1);
  view.reason = record.action;
  view.content_type = "application/json";
  view.data = record.data;
  std::vector<Event> events;
  events.push_back(MakeEvent(view, *stream));
  const Result<AppendResult> appended = journal.AppendAndWait(std::move(events), "admin");
  return appended ? Status() : tl::unexpected(appended.error());
}

}  // namespace

std::string ActionOf(std::string_view method, std::string_view path) {
  if (method == "GET" || !path.starts_with(kPrefix)) return {};
  path.remove_prefix(kPrefix.size());
  const size_t colon = path.rfind(':');
  std::string action(path.substr(0, std::min(path.find('/'), colon)));
  if (colon != path.npos) {
    action += path.substr(colon);
  } else {
    action += method == "DELETE" ? ":delete" : method == "POST" ? ":create" : ":change";
  }
  const bool looks =
      std::find(std::begin(kLookOnly), std::end(kLookOnly), action) != std::end(kLookOnly);
  return looks ? std::string() : action;
}

void ActionLog::Record(Journal& journal, std::string_view cluster, const std::string& action,
                       const std::string& name, const AdminActor& actor,
                       const net::HttpRequest& request, const net::HttpResponse& answer,
                       const ActionNote& note) {
  if (note.looked_only) return;
  const Entry record = MakeEntry(action, name, actor, request, answer, note);
  const Status stored = Store(journal, cluster, record, clock_.Now());
  if (stored) {
    ++stored_;
    log::Info("An admin action.", {{"action", record.action},
                                   {"object", record.object},
                                   {"actor", actor.name},
                                   {"result", record.result}});
    return;
  }
  ++lost_;
  log::Error(
      "An admin action could not be recorded in the stream spool-audit; it was done all the "
      "same, and this line is its only record.",
      {{"action", record.action},
       {"object", record.object},
       {"actor", actor.name},
       {"result", record.result},
       {"record", record.data},
       {"error", stored.error().message}});
}

}  // namespace spool
