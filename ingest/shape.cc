#include "ingest/shape.h"

#include <algorithm>
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

bool ShapeMarks::IsEventKind() const {
  return kind == "Event" && (api_version == "v1" || api_version.starts_with("events.k8s.io"));
}

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
      case 5:
        marks.stage |= m.key == "stage";
        marks.items |= m.key == "items" && m.kind == JsonKind::kArray;
        break;
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
  if (IsForeignCharset(content_type)) return BodyType::kRefused;
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
  if (type == "application/msgpack" || type == "application/x-msgpack") return BodyType::kMsgpack;
  for (const std::string_view name :
       {"application/x-protobuf", "application/protobuf", "application/vnd.google.protobuf",
        "application/vnd.kubernetes.protobuf", "application/avro", "avro/binary",
        "application/cbor", "application/xml", "text/xml", "text/html"}) {
    if (type == name) return BodyType::kRefused;
  }
  return BodyType::kAny;
}

bool IsProtobufType(std::string_view content_type) {
  const std::string type = MediaType(content_type);
  return type == "application/x-protobuf" || type == "application/protobuf";
}

bool IsForeignCharset(std::string_view content_type) {
  const std::string lower = AsciiLower(content_type);
  std::string_view rest = lower;
  while (true) {
    const size_t semicolon = rest.find(';');
    if (semicolon == std::string_view::npos) return false;
    rest.remove_prefix(semicolon + 1);
    rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(" \t")));
    if (!rest.starts_with("charset=")) continue;
    std::string_view name = rest.substr(8);
    if (name.starts_with('"')) name.remove_prefix(1);
    for (const std::string_view foreign : {"utf-16", "utf16", "utf-32", "utf32", "utf-7", "utf7",
                                           "ucs-2", "ucs-4", "iso-10646-ucs", "ebcdic"}) {
      if (name.starts_with(foreign)) return true;
    }
  }
}

bool IsJsonType(std::string_view content_type) {
  const std::string type = MediaType(content_type);
  return type == "application/json" || type == "text/json" || type.ends_with("+json");
}

}  // namespace spool
