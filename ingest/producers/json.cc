// Any other JSON object. What it says of its own time and weight is taken; the rest is its data.
#include <charconv>
#include <cmath>

#include "base/time_text.h"
#include "ingest/identity.h"
#include "ingest/json_text.h"
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

// RFC 3339, or a number of seconds or milliseconds of this century.
std::optional<SystemTime> TimeOf(const RecordContext& context, const JsonMember& m) {
  if (m.kind == JsonKind::kString) {
    const std::string_view text = context.Text(m);
    if (text.starts_with("0001-")) return std::nullopt;
    return ParseRfc3339(text);
  }
  if (m.kind != JsonKind::kNumber) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(m.value.data(), m.value.data() + m.value.size(), value);
  if (error != std::errc{} || end != m.value.data() + m.value.size()) return std::nullopt;
  constexpr double kFirst = 946'684'800, kEnd = 4'102'444'800;  // years 2000 to 2100
  if (value >= kFirst && value < kEnd) return FromMicros(std::llround(value * 1e6));
  if (value >= kFirst * 1e3 && value < kEnd * 1e3) return FromMicros(std::llround(value * 1e3));
  return std::nullopt;
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
