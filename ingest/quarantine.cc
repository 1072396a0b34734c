#include "ingest/quarantine.h"

#include <string>

#include "ingest/json_text.h"
#include "ingest/redact.h"

namespace spool {
namespace {

// The record as it came, as text where it is that.
void AppendRaw(const RecordContext& context, std::string_view record, std::string* data) {
  constexpr size_t kEscaped = 6;  // bytes that one may become
  if (!context.arena->Pay(record.size() * kEscaped)) return;
  if (IsUtf8(record)) {
    data->append(",\"raw\":");
    AppendJsonString(record, data);
  } else {
    data->append(",\"raw_base64\":\"").append(EncodeBase64(record)).push_back('"');
  }
}

}  // namespace

void FillQuarantine(const RecordContext& context, const QuarantineNote& note, EventView* view) {
  view->producer = note.producer;
  view->type = "dev.spool.quarantine.v1";
  view->source = SourceOf(context, context.cluster,
                          note.producer.empty() ? std::string_view("unknown") : note.producer);
  view->cluster = context.cluster;
  view->reason = note.reason;
  view->severity = Severity::kWarning;
  view->content_type = "application/json";
  view->json = true;

  std::string& data = context.arena->New();
  data.append("{\"reason\":");
  AppendJsonString(note.reason, &data);
  data.append(",\"detail\":");
  AppendJsonString(note.detail, &data);
  data.append(",\"offset\":").append(std::to_string(note.record_offset));
  data.append(",\"error_offset\":").append(std::to_string(note.fault_offset));
  data.append(",\"length\":").append(std::to_string(note.record.size()));
  data.append(",\"hash\":");
  AppendJsonString(note.hash.Hex(), &data);
  data.append(",\"path\":");
  AppendJsonString(note.path, &data);
  const bool silent = note.silent || note.path == "/audit" || note.producer == "k8s-audit";
  const std::string excerpt = silent ? std::string() : SafeExcerpt(note.record);
  if (!excerpt.empty()) {
    data.append(",\"excerpt\":");
    AppendJsonString(excerpt, &data);
  }
  if (note.raw) AppendRaw(context, note.record, &data);
  data.push_back('}');
  view->data = data;
}

}  // namespace spool
