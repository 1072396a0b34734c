#include "ingest/record.h"

#include "ingest/identity.h"
#include "ingest/json_text.h"

namespace spool {

bool RecordContext::ScanInner(std::string_view text) const {
  return arena->Pay(JsonScanner::MemoryFor(text)) && inner->Scan(text, depth_max);
}

Hash128 RecordContext::Identity(std::string_view what,
                                std::initializer_list<std::string_view> fields) const {
  return later != nullptr ? later->Of(what, fields) : IdentityOf(what, fields);
}

std::string_view RecordContext::Text(const JsonMember& member) const {
  if (member.kind != JsonKind::kString) return {};
  if (!member.escaped) return member.value;
  if (!arena->Pay(member.value.size())) return {};
  std::string& text = arena->New();
  AppendUnescaped(member.value, &text);
  return text;
}

std::string_view RecordContext::Scalar(const JsonMember& member) const {
  switch (member.kind) {
    case JsonKind::kString: return Text(member);
    case JsonKind::kNumber:
    case JsonKind::kTrue:
    case JsonKind::kFalse: return member.value;
    default: return {};
  }
}

std::string_view SourceOf(const RecordContext& context, std::string_view cluster,
                          std::string_view producer) {
  std::string& source = context.arena->New();
  source.assign("/clusters/");
  // What will be cut off anyway is not made.
  source.append(cluster.empty() ? "local" : PercentEncode(cluster.substr(0, kAttributeMax)));
  source.push_back('/');
  source.append(producer);
  return source;
}

std::string_view SubjectOf(const RecordContext& context, std::string_view kind,
                           std::string_view in_namespace, std::string_view name) {
  std::string& subject = context.arena->New();
  for (const std::string_view part : {kind, in_namespace, name}) {
    if (part.empty()) continue;
    if (!subject.empty()) subject.push_back('/');
    subject.append(part.substr(0, kAttributeMax + 1));  // the caller cuts it, at a character
  }
  return subject;
}

}  // namespace spool
