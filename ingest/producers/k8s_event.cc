// core/v1 and events.k8s.io/v1 Events, which are one stored object under two sets of names, and
// the same object as kubernetes-event-exporter enriches it.
#include <array>

#include "base/time_text.h"
#include "ingest/classify.h"
#include "ingest/identity.h"
#include "ingest/record.h"

namespace spool {
namespace {

struct Fields {
  std::string_view uid, resource_version, metadata_namespace;
  std::string_view reason, type, cluster;
  std::string_view component, reporting;
  const JsonMember* message = nullptr;
  // In the order in which they are believed.
  enum { kSeriesLast, kLast, kEvent, kFirst, kCreated, kTimes };
  std::array<const JsonMember*, kTimes> times{};
  std::string_view kind, api_version, namespace_, name;
  const JsonMember* owners = nullptr;
  bool enriched = false;  // by kubernetes-event-exporter
};

enum class Part { kOther, kMetadata, kInvolved, kSeries, kSource };

Part TopMember(const RecordContext& context, const JsonMember& m, Fields* f) {
  const std::string_view key = m.key;
  if (key == "metadata") return Part::kMetadata;
  if (key == "involvedObject" || key == "regarding") return Part::kInvolved;
  if (key == "series") return Part::kSeries;
  if (key == "source" || key == "deprecatedSource") return Part::kSource;
  if (key == "reason")
    f->reason = context.Text(m);
  else if (key == "type")
    f->type = context.Text(m);
  else if (key == "message" || key == "note")
    f->message = &m;
  else if (key == "reportingComponent" || key == "reportingController")
    f->reporting = context.Text(m);
  else if (key == "lastTimestamp" || key == "deprecatedLastTimestamp")
    f->times[Fields::kLast] = &m;
  else if (key == "firstTimestamp" || key == "deprecatedFirstTimestamp")
    f->times[Fields::kFirst] = &m;
  else if (key == "eventTime")
    f->times[Fields::kEvent] = &m;
  else if (key == "clusterName") {
    f->cluster = context.Text(m);
    f->enriched = true;
  }
  return Part::kOther;
}

void InnerMember(const RecordContext& context, Part part, const JsonMember& m, Fields* f) {
  const std::string_view key = m.key;
  switch (part) {
    case Part::kMetadata:
      if (key == "uid")
        f->uid = context.Text(m);
      else if (key == "resourceVersion")
        f->resource_version = context.Scalar(m);
      else if (key == "creationTimestamp")
        f->times[Fields::kCreated] = &m;
      break;
    case Part::kInvolved:
      if (key == "kind")
        f->kind = context.Text(m);
      else if (key == "apiVersion")
        f->api_version = context.Text(m);
      else if (key == "namespace")
        f->namespace_ = context.Text(m);
      else if (key == "name")
        f->name = context.Text(m);
      else if (key == "labels" || key == "annotations" || key == "deleted")
        f->enriched = true;
      else if (key == "ownerReferences") {
        f->enriched = true;
        f->owners = &m;
      }
      break;
    case Part::kSeries:
      if (key == "lastObservedTime") f->times[Fields::kSeriesLast] = &m;
      break;
    case Part::kSource:
      if (key == "component") f->component = context.Text(m);
      break;
    case Part::kOther: break;
  }
}

// The zero time of Go ("0001-01-01T00:00:00Z") means that nobody set it.
std::optional<SystemTime> TimeOf(const RecordContext& context, const Fields& f) {
  for (const JsonMember* m : f.times) {
    if (m == nullptr || m->kind != JsonKind::kString) continue;
    const std::string_view text = context.Text(*m);
    if (text.starts_with("0001-")) continue;
    if (const auto time = ParseRfc3339(text)) return time;
  }
  return std::nullopt;
}

// The name of the controller among [{"kind":…,"name":…,"controller":true}, …]; empty if none.
std::string_view ControllerName(const RecordContext& context, const JsonMember* owners) {
  if (owners == nullptr || owners->kind != JsonKind::kArray) return {};
  // The array's own check was part of the record's; here only its objects are looked at.
  constexpr size_t kOwnersBytes = size_t{64} << 10;
  const std::string_view rest = owners->value.substr(0, kOwnersBytes);
  std::string& wrapped = context.arena->New();
  constexpr size_t kOwnersLookedAt = 16;
  // {"0":{…},"1":{…}}: the same objects as members, so that the shallow view shows their inside.
  size_t depth = 0, begin = 0, count = 0;
  bool in_string = false;
  wrapped.push_back('{');
  for (size_t i = 0; i < rest.size() && count < kOwnersLookedAt; ++i) {
    const char c = rest[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth == 2 && c == '{') begin = i;
    } else if (c == '}' || c == ']') {
      if (depth-- == 2 && c == '}') {
        if (count > 0) wrapped += ',';
        wrapped.append("\"").append(std::to_string(count++)).append("\":");
        wrapped.append(rest.substr(begin, i + 1 - begin));
      }
    }
  }
  wrapped += '}';
  if (!context.ScanInner(wrapped)) return {};
  std::string_view kind, name;
  bool controller = false;
  const auto& members = context.inner->members();
  for (size_t i = 0; i <= members.size(); ++i) {
    if (i == members.size() || members[i].depth == 1) {
      if (controller && !name.empty()) return OwnerName(kind, name);
      kind = name = {};
      controller = false;
      continue;
    }
    const JsonMember& m = members[i];
    if (m.key == "kind")
      kind = context.Text(m);
    else if (m.key == "name")
      name = context.Text(m);
    else if (m.key == "controller")
      controller = m.kind == JsonKind::kTrue;
  }
  return {};
}

Hash128 IdOf(const RecordContext& context, const Fields& f, std::string_view cluster,
             std::string_view text, bool has_time) {
  if (!f.uid.empty() && !f.resource_version.empty()) {
    return context.Identity("event", {cluster, f.uid, f.resource_version});
  }
  // Without a version an update cannot be told from a repeat by its names, but by its bytes.
  if (!f.uid.empty() || has_time) {
    return context.Identity("event-bytes", {cluster, f.uid, text});
  }
  return {};
}

}  // namespace

std::optional<Rejected> FillK8sEvent(const RecordContext& context,
                                     const std::vector<JsonMember>& members, std::string_view text,
                                     EventView* view) {
  Fields f;
  Part part = Part::kOther;
  int involved = 0;
  for (const JsonMember& m : members) {
    if (m.depth == 1) {
      part = TopMember(context, m, &f);
      if (part == Part::kInvolved && m.kind == JsonKind::kObject) ++involved;
    } else {
      InnerMember(context, part, m, &f);
    }
  }
  if (involved == 0) return Rejected{"missing_field", "an Event needs involvedObject or regarding"};
  if (involved > 1) return Rejected{"duplicate_key", "involvedObject and regarding are both there"};
  if (f.reason.empty() && f.uid.empty()) {
    return Rejected{"missing_field", "an Event needs a reason or metadata.uid"};
  }
  const std::string_view cluster = context.cluster.empty() ? f.cluster : context.cluster;
  const auto time = TimeOf(context, f);
  view->producer = f.enriched ? "event-exporter" : "k8s-event";
  view->type = "io.k8s.event.v1";
  view->source = SourceOf(context, cluster, view->producer);
  view->subject = SubjectOf(context, f.kind, f.namespace_, f.name);
  view->cluster = cluster;
  view->namespace_ = f.namespace_;
  view->kind = f.kind;
  view->name = f.name;
  view->reason = f.reason;
  view->severity = EventSeverity(f.type, f.reason);
  if (time) view->time = *time;
  view->id = IdOf(context, f, cluster, text, time.has_value());

  EventFacts facts;
  facts.reason = f.reason;
  facts.kind = f.kind;
  facts.group = GroupOf(f.api_version);
  facts.component = f.component.empty() ? f.reporting : f.component;
  if (f.message != nullptr && NeedsMessage(f.reason)) facts.message = context.Text(*f.message);
  const Category category = ClassifyEvent(facts);
  view->category = category.category;
  view->subcategory = category.subcategory;

  if (!f.kind.empty() || !f.name.empty()) {
    std::string_view owner = ControllerName(context, f.owners);
    if (owner.empty()) owner = OwnerName(f.kind, f.name);
    view->problem_key = ProblemKeyOf({cluster, f.namespace_, f.kind, owner, f.reason});
  }
  return std::nullopt;
}

}  // namespace spool
