#include "ingest/quarantine.h"

#include <array>
#include <span>
#include <string>

#include "base/hash.h"
#include "ingest/json_text.h"
#include "ingest/redact.h"

namespace spool {
namespace {

// A record hashes alike for as long as the process lives, and tells nobody its content: without
// the key a short secret could be found by trying.
Hash128 KeyedHash(std::string_view record) {
  static const std::array<uint8_t, 32>* const key = [] {
    auto* bytes = new std::array<uint8_t, 32>();
    FillRandom(*bytes);
    return bytes;
  }();
  const auto text = [](const auto& bytes) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  Sha256Pieces hash;  // the record itself is not copied: it may be large
  hash.Add(text(*key));
  hash.Add(record);
  const Hash128 inner = hash.Prefix();
  hash.Reset();
  hash.Add(text(*key));
  hash.Add(text(inner.bytes));
  return hash.Prefix();
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
  AppendJsonString(KeyedHash(note.record).Hex(), &data);
  data.append(",\"path\":");
  AppendJsonString(note.path, &data);
  const bool silent = note.silent || note.path == "/audit" || note.producer == "k8s-audit";
  const std::string excerpt = silent ? std::string() : SafeExcerpt(note.record);
  if (!excerpt.empty()) {
    data.append(",\"excerpt\":");
    AppendJsonString(excerpt, &data);
  }
  data.push_back('}');
  view->data = data;
}

}  // namespace spool
