#include "ingest/shape.h"

#include <string>

#include "ingest/json_text.h"

namespace spool {
namespace {

// Lower case, without parameters and white space.
std::string MediaType(std::string_view content_type) {
  std::string type = AsciiLower(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
  return type;
}

}  // namespace

bool ShapeMarks::IsWatchFrame() const {
  return members == 2 && object != nullptr && object->kind == JsonKind::kObject &&
         (type == "ADDED" || type == "MODIFIED" || type == "DELETED" || type == "BOOKMARK" ||
          type == "ERROR");
}

ShapeMarks LookAt(const std::vector<JsonMember>& members) {
  ShapeMarks marks;
  for (const JsonMember& m : members) {
    if (m.depth != 1) continue;
    ++marks.members;
    switch (m.key.size()) {
      case 4:
        if (m.kind != JsonKind::kString) break;
        if (m.key == "kind")
          marks.kind = m.value;
        else if (m.key == "type")
          marks.type = m.value;
        break;
      case 5: marks.stage |= m.key == "stage"; break;
      case 6:
        if (m.key == "object") marks.object = &m;
        break;
      case 7: marks.audit_id |= m.key == "auditID"; break;
      case 9: marks.involved |= m.key == "regarding" && m.kind == JsonKind::kObject; break;
      case 10:
        if (m.key == "apiVersion" && m.kind == JsonKind::kString) marks.api_version = m.value;
        break;
      case 11: marks.specversion |= m.key == "specversion"; break;
      case 14: marks.involved |= m.key == "involvedObject" && m.kind == JsonKind::kObject; break;
      default: break;
    }
  }
  return marks;
}

BodyType BodyTypeOf(std::string_view content_type) {
  const std::string type = MediaType(content_type);
  // The batch's name begins with the other's.
  for (const auto& [name, body] : {std::pair<std::string_view, BodyType>{
                                       "application/cloudevents-batch", BodyType::kCloudEventBatch},
                                   {"application/cloudevents", BodyType::kCloudEvent}}) {
    if (!type.starts_with(name)) continue;
    const std::string_view rest = std::string_view(type).substr(name.size());
    return rest.empty() || rest == "+json" ? body : BodyType::kRefused;
  }
  for (const std::string_view prefix : {"multipart/", "image/", "audio/", "video/"}) {
    if (type.starts_with(prefix)) return BodyType::kRefused;
  }
  for (const std::string_view name :
       {"application/x-protobuf", "application/protobuf", "application/vnd.google.protobuf",
        "application/vnd.kubernetes.protobuf", "application/msgpack", "application/x-msgpack",
        "application/avro", "avro/binary", "application/cbor", "application/xml", "text/xml",
        "text/html"}) {
    if (type == name) return BodyType::kRefused;
  }
  return BodyType::kAny;
}

bool IsJsonType(std::string_view content_type) {
  const std::string type = MediaType(content_type);
  return type == "application/json" || type == "text/json" || type.ends_with("+json");
}

}  // namespace spool
