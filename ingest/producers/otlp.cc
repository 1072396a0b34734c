// Log records of OTLP. Kubernetes' events come as the collector's k8sevents receiver makes them
// (attributes k8s.event.…, the object in the resource) or as its k8sobjects receiver does (the body
// is the object, or a watch's {"type","object"}).
#include <algorithm>
#include <iterator>

#include "ingest/classify.h"
#include "ingest/fields.h"
#include "ingest/identity.h"
#include "ingest/json_text.h"
#include "ingest/known_shapes.h"
#include "ingest/shape.h"

namespace spool {
namespace {

constexpr size_t kKindsLookedAt = 8;

// "1773480413000000000", with or without quotes.
std::optional<SystemTime> NanosOf(std::string_view digits) {
  if (digits.size() < 4 || digits.size() > 20) return std::nullopt;
  uint64_t nanos = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    nanos = nanos * 10 + static_cast<uint64_t>(c - '0');
  }
  return FromMicros(static_cast<int64_t>(nanos / 1000));
}

// SeverityNumber of logs.proto: four steps each of trace, debug, info, warn, error and fatal.
Severity SeverityOf(std::string_view number, std::string_view text) {
  int value = 0;
  for (const char c : number.substr(0, 3)) {
    if (c < '0' || c > '9') return Severity::kInfo;
    value = value * 10 + (c - '0');
  }
  if (value >= 21) return Severity::kCritical;
  if (value >= 17) return Severity::kError;
  if (value >= 13) return Severity::kWarning;
  if (value >= 9) return Severity::kInfo;
  if (value >= 1) return Severity::kDebug;
  if (text == "Warning" || text == "WARN") return Severity::kWarning;
  return text.empty() ? Severity::kInfo : ParseSeverity(text).value_or(Severity::kInfo);
}

// Old receivers put the object's name in k8s.pod.name and the like.
void OldObject(const RecordFields& f, EventView* view) {
  constexpr std::string_view kKinds[][2] = {{"k8s.pod.name", "Pod"},
                                            {"k8s.deployment.name", "Deployment"},
                                            {"k8s.replicaset.name", "ReplicaSet"},
                                            {"k8s.statefulset.name", "StatefulSet"},
                                            {"k8s.daemonset.name", "DaemonSet"},
                                            {"k8s.job.name", "Job"},
                                            {"k8s.cronjob.name", "CronJob"},
                                            {"k8s.node.name", "Node"}};
  static_assert(std::size(kKinds) == kKindsLookedAt);
  for (const auto& [key, kind] : kKinds) {
    for (const std::string_view section : {"resource", "attributes"}) {
      const std::string_view name = f.Text(section, key);
      if (name.empty()) continue;
      view->kind = kind;
      view->name = name;
      return;
    }
  }
}

void FillEventAttributes(const RecordFields& f, std::string_view cluster, EventView* view) {
  view->kind = f.Text("resource", "k8s.object.kind");
  view->name = f.Text("resource", "k8s.object.name");
  if (view->kind.empty() && view->name.empty()) OldObject(f, view);
  EventFacts facts;
  facts.reason = view->reason;
  facts.kind = view->kind;
  const std::string_view version = f.Text("resource", "k8s.object.api_version");
  facts.group = version.empty() ? WellKnownGroup(view->kind) : GroupOf(version);
  if (NeedsMessage(view->reason)) facts.message = f.Text("body");
  const Category category = ClassifyEvent(facts);
  view->category = category.category;
  view->subcategory = category.subcategory;
  view->severity = std::max(view->severity, EventSeverity("Normal", view->reason));
  if (!view->kind.empty() || !view->name.empty()) {
    view->problem_key = ProblemKeyOf(
        {cluster, view->namespace_, view->kind, OwnerName(view->kind, view->name), view->reason});
  }
}

// What a body that is an object says of itself; false if it is none that is known.
bool FillBody(const RecordContext& context, std::string_view body, EventView* view) {
  if (!context.ScanInner(body)) return false;
  // Other scans follow, so the members are kept aside.
  std::vector<JsonMember> members = context.inner->members();
  const ShapeMarks marks = LookAt(members);
  if (marks.IsWatchFrame()) {
    body = marks.object->value;
    if (!context.ScanInner(body)) return false;
    members = context.inner->members();
  }
  const ShapeMarks inside = LookAt(members);
  EventView found;
  found.data = body;
  if (inside.IsAudit()) {
    if (FillK8sAudit(context, members, &found)) return false;
  } else if (inside.IsEvent()) {
    if (FillK8sEvent(context, members, body, &found)) return false;
  } else {
    const KnownShape known = KnownShapeOf(members, {});
    if (known == KnownShape::kNone) return false;
    FillKnown(known, context, members, body, {}, &found);
  }
  view->category = found.category;
  view->subcategory = found.subcategory;
  view->severity = std::max(view->severity, found.severity);
  view->namespace_ = found.namespace_;
  view->kind = found.kind;
  view->name = found.name;
  view->reason = found.reason;
  view->problem_key = found.problem_key;
  view->subject = found.subject;
  view->extensions = found.extensions;
  if (found.time != SystemTime{}) view->time = found.time;
  view->id = found.id;
  return true;
}

}  // namespace

void FillOtlp(const RecordContext& context, const std::vector<JsonMember>& members,
              std::string_view text, EventView* view) {
  const RecordFields f(context, members);
  std::string_view cluster = context.cluster;
  if (cluster.empty()) cluster = f.Text("resource", "k8s.cluster.name");
  view->producer = "otlp";
  view->type = "io.opentelemetry.log.v1";
  view->source = SourceOf(context, cluster, view->producer);
  view->cluster = cluster;
  view->severity = SeverityOf(f.Scalar("severityNumber"), f.Text("severityText"));
  auto time = NanosOf(f.Scalar("timeUnixNano"));
  const std::string_view observed = f.Scalar("observedTimeUnixNano");
  if (!time) time = NanosOf(observed);
  if (time) view->time = *time;
  const JsonMember* const body = f.Find("body");
  if (body != nullptr && body->kind == JsonKind::kObject && FillBody(context, body->value, view)) {
    if (!view->id.empty()) return;
  } else {
    view->namespace_ = f.Text("attributes", "k8s.namespace.name");
    if (view->namespace_.empty()) view->namespace_ = f.Text("resource", "k8s.namespace.name");
    view->reason = f.Text("attributes", "k8s.event.reason");
    if (!view->reason.empty()) {
      FillEventAttributes(f, cluster, view);
    } else {
      OldObject(f, view);
      view->reason = f.Text("eventName");
    }
    view->subject = SubjectOf(context, view->kind, view->namespace_, view->name);
  }
  // An equal text with a time in it is the same record sent again.
  if (time) view->id = IdentityOf("otlp", {cluster, text});
}

}  // namespace spool
