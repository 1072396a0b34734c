// audit.k8s.io events, v1 and v1beta1, from the webhook (without kind) or the log.
#include <charconv>

#include "base/time_text.h"
#include "ingest/classify.h"
#include "ingest/identity.h"
#include "ingest/record.h"

namespace spool {
namespace {

struct Fields {
  std::string_view audit_id, stage, request_uri, verb, user;
  std::string_view received, stage_time, timestamp;
  std::string_view namespace_, name, api_version;
  std::string_view reason;
  AuditFacts facts;
};

enum class Part { kOther, kUser, kObject, kResponse, kAnnotations };

Part TopMember(const RecordContext& context, const JsonMember& m, Fields* f) {
  const std::string_view key = m.key;
  if (key == "user") return Part::kUser;
  if (key == "objectRef") return Part::kObject;
  if (key == "responseStatus") return Part::kResponse;
  if (key == "annotations") return Part::kAnnotations;
  if (key == "auditID")
    f->audit_id = context.Text(m);
  else if (key == "stage")
    f->stage = context.Text(m);
  else if (key == "requestURI")
    f->request_uri = context.Text(m);
  else if (key == "verb")
    f->verb = context.Text(m);
  else if (key == "requestReceivedTimestamp")
    f->received = context.Text(m);
  else if (key == "stageTimestamp")
    f->stage_time = context.Text(m);
  else if (key == "timestamp")
    f->timestamp = context.Text(m);
  else if (key == "impersonatedUser")
    f->facts.impersonated = m.kind == JsonKind::kObject;
  return Part::kOther;
}

void InnerMember(const RecordContext& context, Part part, const JsonMember& m, Fields* f) {
  const std::string_view key = m.key;
  switch (part) {
    case Part::kUser:
      if (key == "username") f->user = context.Text(m);
      break;
    case Part::kObject:
      if (key == "resource")
        f->facts.resource = context.Text(m);
      else if (key == "subresource")
        f->facts.subresource = context.Text(m);
      else if (key == "apiGroup")
        f->facts.group = context.Text(m);
      else if (key == "namespace")
        f->namespace_ = context.Text(m);
      else if (key == "name")
        f->name = context.Text(m);
      else if (key == "apiVersion")
        f->api_version = context.Text(m);
      break;
    case Part::kResponse:
      if (key == "code" && m.kind == JsonKind::kNumber) {
        std::from_chars(m.value.data(), m.value.data() + m.value.size(), f->facts.code);
      } else if (key == "reason") {
        f->reason = context.Text(m);
      } else if (key == "message") {
        f->facts.message = context.Text(m);
      }
      break;
    case Part::kAnnotations:
      if (m.kind == JsonKind::kString) f->facts.annotations.emplace_back(key, context.Text(m));
      break;
    case Part::kOther: break;
  }
}

std::optional<SystemTime> TimeOf(const Fields& f) {
  for (const std::string_view text : {f.stage_time, f.received, f.timestamp}) {
    if (text.empty() || text.starts_with("0001-")) continue;
    if (const auto time = ParseRfc3339(text)) return time;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Rejected> FillK8sAudit(const RecordContext& context,
                                     const std::vector<JsonMember>& members, EventView* view) {
  Fields f;
  Part part = Part::kOther;
  for (const JsonMember& m : members) {
    if (m.depth == 1)
      part = TopMember(context, m, &f);
    else
      InnerMember(context, part, m, &f);
  }
  if (f.audit_id.empty()) return Rejected{"missing_field", "an audit event needs an auditID"};
  if (f.stage.empty()) return Rejected{"missing_field", "an audit event needs a stage"};
  // Old servers write the group into apiVersion.
  if (f.facts.group.empty()) f.facts.group = GroupOf(f.api_version);
  f.facts.stage = f.stage;
  f.facts.verb = f.verb;

  const AuditVerdict verdict = ClassifyAudit(f.facts, context.mutated_is_admission);
  view->producer = "k8s-audit";
  view->type = "io.k8s.audit.v1";
  view->source = SourceOf(context, context.cluster, view->producer);
  view->cluster = context.cluster;
  view->namespace_ = f.namespace_;
  view->kind = KindOfResource(f.facts.resource);
  view->name = f.name;
  view->reason = !f.reason.empty() ? f.reason
                 : f.facts.Annotation("authorization.k8s.io/decision") == "forbid"
                     ? std::string_view("Forbidden")
                     : f.verb;
  view->subject = f.facts.resource.empty() ? f.request_uri.substr(0, f.request_uri.find('?'))
                                           : SubjectOf(context, view->kind, f.namespace_, f.name);
  view->category = verdict.category.category;
  view->subcategory = verdict.category.subcategory;
  view->severity = AuditSeverity(f.facts, verdict);
  if (const auto time = TimeOf(f)) view->time = *time;
  // The caller of the API may choose the auditID, and who may write logs all the rest: what is to
  // pass for a repeat must be the same to the last byte, or one request could hide another.
  view->id = context.Identity("audit", {context.cluster, f.audit_id, f.stage, f.received, f.user,
                                        f.request_uri, f.verb, view->data});
  // A request that went well is no trouble.
  if (verdict.denied || f.facts.code >= 400 || f.stage == "Panic") {
    view->problem_key = ProblemKeyOf(
        {context.cluster, f.namespace_, view->kind, OwnerName(view->kind, f.name), view->reason});
  }
  return std::nullopt;
}

}  // namespace spool
