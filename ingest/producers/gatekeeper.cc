// OPA Gatekeeper: the log lines of its audit and its webhook (event_type, constraint_…,
// resource_…), and what it exports (eventType; kind, name and namespace are the constraint's). The
// marks at both ends of an audit run, and its statistics, are kept and flagged: they are no
// violations.
#include "ingest/classify.h"
#include "ingest/fields.h"
#include "ingest/identity.h"
#include "ingest/json_text.h"
#include "ingest/known_shapes.h"

namespace spool {
namespace {

struct GatekeeperFields {
  std::string_view event_type, run, message, action;
  std::string_view constraint_kind, constraint_name, constraint_namespace;
  std::string_view group, kind, in_namespace, name;
  std::optional<SystemTime> time;
  bool mark = false;
};

GatekeeperFields OfLog(const RecordFields& f) {
  GatekeeperFields g;
  g.event_type = f.Text("event_type");
  g.run = f.Text("audit_id");
  g.message = f.Text("msg");
  g.action = f.Text("constraint_action");
  g.constraint_kind = f.Text("constraint_kind");
  g.constraint_name = f.Text("constraint_name");
  g.constraint_namespace = f.Text("constraint_namespace");
  g.group = f.Text("resource_group");
  g.kind = f.Text("resource_kind");
  g.in_namespace = f.Text("resource_namespace");
  g.name = f.Text("resource_name");
  g.time = EpochTime(f.Scalar("ts"));
  if (!g.time) g.time = LooseTime(f.Text("ts"));
  if (!g.time) g.time = LooseTime(g.run);
  g.mark = g.event_type != "violation" && g.event_type != "violation_audited";
  return g;
}

GatekeeperFields OfExport(const RecordFields& f) {
  GatekeeperFields g;
  g.event_type = f.Text("eventType");
  g.run = f.Text("id");
  g.message = f.Text("message");
  g.action = f.Text("enforcementAction");
  g.constraint_kind = f.Text("kind");
  g.constraint_name = f.Text("name");
  g.constraint_namespace = f.Text("namespace");
  g.group = f.Text("resourceGroup");
  g.kind = f.Text("resourceKind");
  g.in_namespace = f.Text("resourceNamespace");
  g.name = f.Text("resourceName");
  g.time = LooseTime(f.Text("timestamp"));
  if (!g.time) g.time = LooseTime(g.run);  // of an audit it is when the run began
  g.mark = g.event_type.empty();
  if (g.mark) g.event_type = g.message == "audit is started" ? "audit_started" : "audit_finished";
  return g;
}

Severity SeverityOf(const GatekeeperFields& g) {
  if (g.mark) return Severity::kDebug;
  const std::string action = AsciiLower(g.action);
  if (action == "dryrun") return Severity::kInfo;
  return action == "warn" ? Severity::kNotice : Severity::kWarning;
}

}  // namespace

void FillGatekeeper(const RecordContext& context, const std::vector<JsonMember>& members,
                    std::string_view text, EventView* view) {
  const RecordFields f(context, members);
  const bool log = f.Has("event_type");
  const GatekeeperFields g = log ? OfLog(f) : OfExport(f);
  view->producer = "gatekeeper";
  view->type = g.mark ? "sh.gatekeeper.run.v1" : "sh.gatekeeper.violation.v1";
  view->source = SourceOf(context, context.cluster, view->producer);
  view->cluster = context.cluster;
  view->namespace_ = g.in_namespace;
  view->kind = g.kind;
  view->name = g.name;
  view->reason = g.mark || g.constraint_kind.empty() ? g.event_type : g.constraint_kind;
  view->subject = SubjectOf(context, g.kind, g.in_namespace, g.name);
  view->severity = SeverityOf(g);
  const Category category = ClassifyProducer("gatekeeper", {});
  view->category = category.category;
  view->subcategory = category.subcategory;
  if (g.time) view->time = *g.time;
  if (g.mark) view->extensions = "\"marker\":true";
  if (log) {
    // A line of a log is written once, at a time of its own.
    if (g.time) view->id = IdentityOf("gatekeeper-log", {context.cluster, text});
  } else if (!g.run.empty()) {
    // The run's id is that of all its violations, and each run finds them all again.
    view->id = IdentityOf("gatekeeper", {context.cluster, g.run, g.event_type, g.constraint_kind,
                                         g.constraint_name, g.constraint_namespace, g.group, g.kind,
                                         g.in_namespace, g.name, g.action, g.message});
  }
  if (g.mark) return;
  std::string& rule = context.arena->New();
  rule.append(g.constraint_kind.substr(0, kAttributeMax)).append("/");
  rule.append(g.constraint_name.substr(0, kAttributeMax));
  view->problem_key =
      ProblemKeyOf({context.cluster, g.in_namespace, g.kind, OwnerName(g.kind, g.name), rule});
}

}  // namespace spool
