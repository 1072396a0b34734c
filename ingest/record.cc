#include "ingest/record.h"

#include "ingest/json_text.h"

namespace spool {

std::string_view RecordContext::Text(const JsonMember& member) const {
  if (member.kind != JsonKind::kString) return {};
  if (!member.escaped) return member.value;
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
  source.append(cluster.empty() ? "local" : PercentEncode(cluster));
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
    subject.append(part);
  }
  return subject;
}

}  // namespace spool
