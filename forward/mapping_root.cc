// What templates see of an event.
#include <optional>
#include <utility>

#include "base/time_text.h"
#include "forward/mapping.h"
#include "forward/template/go_time.h"
#include "forward/template/json.h"

namespace spool {
namespace {

using tmpl::Entry;
using tmpl::Kind;
using tmpl::Value;

void Put(std::vector<Entry>& entries, std::string_view name, std::string text) {
  if (!text.empty()) entries.emplace_back(name, Value::String(std::move(text)));
}
void Put(std::vector<Entry>& entries, std::string_view name, std::string_view text) {
  Put(entries, name, std::string(text));
}

// The attributes of AppendCloudEvent, and the data as it was parsed.
Value Envelope(const EventView& event, const Value& data, std::string_view replay) {
  std::vector<Entry> all;
  all.reserve(24);
  // In the order of their names: what is in order need not be sorted.
  const bool stored = event.sequence.value != 0;  // not while the event is still being made
  if (stored) Put(all, "acceptedtime", FormatTime(event.accepted));
  Put(all, "category", event.category);
  Put(all, "cluster", event.cluster);
  if (data.kind() != Kind::kMissing) all.emplace_back("data", data);
  Put(all, "datacontenttype", event.content_type);
  Put(all, "id", event.id.Hex());
  Put(all, "kind", event.kind);
  Put(all, "name", event.name);
  Put(all, "namespace", event.namespace_);
  if (!event.problem_key.empty()) Put(all, "problemkey", event.problem_key.Hex());
  Put(all, "producer", event.producer);
  Put(all, "reason", event.reason);
  Put(all, "replay", replay);
  if (stored) Put(all, "sequence", std::to_string(event.sequence.value));
  Put(all, "severity", SeverityName(event.severity));
  Put(all, "source", event.source);
  Put(all, "specversion", std::string_view("1.0"));
  if (stored) Put(all, "stream", event.stream);
  Put(all, "subcategory", event.subcategory);
  Put(all, "subject", event.subject);
  Put(all, "time", FormatTime(event.time));
  Put(all, "type", event.type);
  if (!event.extensions.empty()) {
    const auto extensions =
        tmpl::ParseJson("{" + std::string(event.extensions) + "}", tmpl::Numbers::kExact);
    if (extensions) {
      for (const Entry& entry : extensions->entries()) all.push_back(entry);
    }
  }
  return Value::Map(std::move(all));
}

std::optional<SystemTime> TimeAt(const Value& data, std::string_view name) {
  const Value* found = data.Find(name);
  if (found == nullptr || !found->is_text()) return std::nullopt;
  return ParseRfc3339(found->text());
}

// What kubernetes-event-exporter's events have in Go: the fields of the embedded ObjectMeta, and
// two methods.
void PutExporterNames(std::vector<Entry>& under, const EventView& event, const Value& data) {
  std::optional<SystemTime> time = TimeAt(data, "firstTimestamp");
  if (!time) time = TimeAt(data, "eventTime");
  if (!time) time = event.time;
  under.emplace_back("GetTimestampMs", Value::Int64(ToMicros(*time) / 1000));
  Put(under, "GetTimestampISO8601", tmpl::FormatGoTime(*time, "2006-01-02T15:04:05.000Z"));
  const Value* metadata = data.Find("metadata");
  if (metadata == nullptr || metadata->kind() != Kind::kMap) return;
  under.emplace_back("objectMeta", *metadata);
  for (const Entry& entry : metadata->entries()) under.push_back(entry);
}

}  // namespace

Value MappingRoot(const EventView& event, Dialect dialect, std::string_view replay) {
  Value data;
  if (event.json) {
    if (auto parsed = tmpl::ParseJson(event.data, tmpl::Numbers::kExact)) data = *std::move(parsed);
  }
  std::vector<Entry> over;
  over.emplace_back("event", Envelope(event, data, replay));
  if (data.kind() != Kind::kMap) data = Value::Map({});
  std::vector<Entry> under;
  if (dialect == Dialect::kSprig) PutExporterNames(under, event, data);
  Put(under, "namespace", event.namespace_);
  Put(under, "clusterName", event.cluster);
  return Value::Root(std::move(data), std::move(over), std::move(under));
}

}  // namespace spool
