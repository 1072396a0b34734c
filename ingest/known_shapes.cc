#include "ingest/known_shapes.h"

#include <algorithm>
#include <initializer_list>

#include "ingest/json_text.h"

namespace spool {
namespace {

// What is looked for, gathered in one pass.
struct Seen {
  bool eventmeta = false, meta = false, status = false, summary = false;
  bool time_stamp = false, data = false, source = false;
  bool rule = false, priority = false, output = false, output_fields = false, uuid = false;
  bool request = false;
  bool operation = false, level = false;
  bool process = false, constraint = false;
  std::string_view kind, api_version, message, type, event_type, export_type;
  size_t members = 0;
};

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

void LookAtMember(const JsonMember& m, Seen* seen) {
  const bool object = m.kind == JsonKind::kObject;
  const bool string = m.kind == JsonKind::kString;
  const std::string_view key = m.key;
  ++seen->members;
  seen->eventmeta |= object && key == "eventmeta";
  seen->meta |= object && key == "meta";
  seen->status |= object && key == "status";
  seen->summary |= string && key == "summary";
  seen->time_stamp |= string && key == "timeStamp";
  seen->data |= key == "data";
  seen->source |= string && key == "source";
  seen->rule |= string && key == "rule";
  seen->priority |= string && key == "priority";
  seen->output |= string && key == "output";
  seen->output_fields |= key == "output_fields";
  seen->uuid |= string && key == "uuid";
  seen->request |= object && key == "request";
  seen->process |= string && key == "process";
  seen->constraint |= string && key == "constraint_kind";
  if (!string) return;
  if (key == "kind")
    seen->kind = m.value;
  else if (key == "apiVersion")
    seen->api_version = m.value;
  else if (key == "event_type")
    seen->event_type = m.value;
  else if (key == "eventType")
    seen->export_type = m.value;
  if (key.size() > 9) return;
  const std::string lower = AsciiLower(key);
  if (lower == "type")
    seen->type = m.value;
  else if (lower == "message")
    seen->message = m.value;
  else if (lower == "operation")
    seen->operation = true;
  else if (lower == "level")
    seen->level = true;
}

bool IsGatekeeper(const Seen& seen) {
  if (seen.export_type.starts_with("violation")) return true;
  if (!seen.event_type.empty() && (seen.process || seen.constraint)) return true;
  // The marks of an audit run, which have nothing else.
  return seen.members == 2 && IsOneOf(seen.message, {"audit is started", "audit is completed"});
}

bool IsKubeArmor(const Seen& seen) {
  if (seen.type == "Message") return seen.level && !seen.message.empty();
  return seen.operation &&
         IsOneOf(seen.type, {"MatchedPolicy", "MatchedHostPolicy", "MatchedNetworkPolicy",
                             "SystemEvent", "ContainerLog", "HostLog"});
}

}  // namespace

KnownShape KnownShapeOf(const std::vector<JsonMember>& members, std::string_view path) {
  Seen seen;
  for (const JsonMember& m : members) {
    if (m.depth == 1) LookAtMember(m, &seen);
  }
  if (seen.eventmeta) return KnownShape::kKubewatch;
  if (seen.meta && seen.status && seen.summary) return KnownShape::kBotkube;
  if (seen.time_stamp && seen.members == size_t{1} + (seen.data ? 1 : 0) + (seen.source ? 1 : 0)) {
    return KnownShape::kBotkube;
  }
  if (seen.request &&
      (seen.kind == "AdmissionReview" || seen.api_version.starts_with("admission.k8s.io"))) {
    return KnownShape::kAdmissionReview;
  }
  if (seen.rule && seen.priority &&
      (path == "/falco" || seen.output || seen.output_fields || seen.uuid)) {
    return KnownShape::kFalco;
  }
  if (path == "/falco" && seen.output && seen.members <= 2)
    return KnownShape::kFalco;  // plain text
  if (IsGatekeeper(seen)) return KnownShape::kGatekeeper;
  if (IsKubeArmor(seen)) return KnownShape::kKubeArmor;
  return KnownShape::kNone;
}

void FillKnown(KnownShape shape, const RecordContext& context,
               const std::vector<JsonMember>& members, std::string_view text, std::string_view path,
               EventView* view) {
  switch (shape) {
    case KnownShape::kNone: break;
    case KnownShape::kKubewatch: FillKubewatch(context, members, text, view); break;
    case KnownShape::kBotkube: FillBotkube(context, members, text, view); break;
    case KnownShape::kFalco: FillFalco(context, members, text, view); break;
    case KnownShape::kGatekeeper: FillGatekeeper(context, members, text, view); break;
    case KnownShape::kKubeArmor: FillKubeArmor(context, members, text, view); break;
    case KnownShape::kAdmissionReview: FillAdmissionReview(context, members, path, view); break;
  }
}

}  // namespace spool
