// Any other JSON object. What it says of its own time and weight is taken; the rest is its data.
#include <initializer_list>

#include "ingest/fields.h"
#include "ingest/identity.h"
#include "ingest/record.h"

namespace spool {
namespace {

bool IsOneOf(std::string_view key, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (key == name) return true;
  }
  return false;
}

bool IsIdKey(std::string_view key) {
  return IsOneOf(key, {"id", "uid", "uuid", "event_id", "eventId"});
}

bool IsTimeKey(std::string_view key) {
  return IsOneOf(key, {"time", "timestamp", "@timestamp", "date", "ts", "eventTime"});
}

std::optional<SystemTime> TimeOf(const RecordContext& context, const JsonMember& m) {
  if (m.kind == JsonKind::kString) return LooseTime(context.Text(m));
  return m.kind == JsonKind::kNumber ? EpochTime(m.value) : std::nullopt;
}

}  // namespace

void FillJson(const RecordContext& context, const std::vector<JsonMember>& members,
              std::string_view text, EventView* view) {
  view->producer = "json";
  view->type = "dev.spool.json.v1";
  view->source = SourceOf(context, context.cluster, view->producer);
  view->cluster = context.cluster;
  view->severity = Severity::kInfo;
  bool own_id = false;
  std::optional<SystemTime> time;
  for (const JsonMember& m : members) {
    if (m.depth != 1) continue;
    if (IsIdKey(m.key)) {
      own_id |= m.kind == JsonKind::kString || m.kind == JsonKind::kNumber;
    } else if (IsTimeKey(m.key)) {
      if (!time) time = TimeOf(context, m);
    } else if (m.key == "severity" || m.key == "level") {
      if (const auto severity = ParseSeverity(context.Text(m))) view->severity = *severity;
    }
  }
  if (time) view->time = *time;
  // With an id or a time of its own an equal text is the same record sent again; without, two
  // equal texts are two events.
  if (own_id || time) view->id = IdentityOf("json", {context.cluster, text});
}

}  // namespace spool
