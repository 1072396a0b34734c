// Who sent this? By the request's type, and by what a record looks like.
#pragma once

#include <string_view>
#include <vector>

#include "ingest/json_scan.h"

namespace spool {

// What a record's outermost members say.
struct ShapeMarks {
  bool audit_id = false, stage = false;
  bool involved = false;  // involvedObject or regarding, as an object
  bool specversion = false;
  bool items = false;                        // as an array
  std::string_view kind, api_version, type;  // raw strings
  const JsonMember* object = nullptr;        // of a watch frame
  size_t members = 0;

  bool IsAudit() const { return audit_id && stage; }
  bool IsEvent() const { return involved; }
  // What calls itself an Event of Kubernetes, whether it is one or not.
  bool IsEventKind() const;
  // {"type":"ADDED","object":{…}} and nothing else.
  bool IsWatchFrame() const;
};
ShapeMarks LookAt(const std::vector<JsonMember>& members);

// How a request's Content-Type says to read its body. Refused are types that are not JSON, and
// character sets in which JSON cannot be read.
enum class BodyType {
  kAny,
  kCloudEvent,
  kCloudEventBatch,
  kMsgpack,   // Fluent Bit's
  kOtlpJson,  // on OTLP's own path
  kProtobuf,  // there, too; refused anywhere else
  kText,      // Falco's lines, on its path, where they are no JSON
  kRefused
};
BodyType BodyTypeOf(std::string_view content_type);
// application/x-protobuf and its other names, with or without parameters.
bool IsProtobufType(std::string_view content_type);

// application/json, text/json, anything+json, with or without parameters.
bool IsJsonType(std::string_view content_type);
// A charset parameter names one in which ASCII bytes mean something else: UTF-16, UTF-32, UTF-7 …
bool IsForeignCharset(std::string_view content_type);

}  // namespace spool
