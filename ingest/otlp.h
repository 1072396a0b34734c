// OTLP/HTTP logs: an ExportLogsServiceRequest, in protobuf or in JSON, cut into its log records.
//
// Field numbers and the JSON form are those of opentelemetry-proto (logs.proto, common.proto,
// resource.proto, logs_service.proto) and its docs/specification.md; protobuf's wire format that of
// its encoding guide.
#pragma once

#include <string>
#include <string_view>

#include "ingest/msgpack.h"
#include "ingest/split.h"

namespace spool {

// Each record is handed over as one JSON object with the fields of a LogRecord under their JSON
// names, but `body` and `attributes` as plain JSON (an AnyValue is its value, a list of KeyValues
// an object), and with `resource` (its attributes) and `scope` in it. A record that is broken is
// Unreadable and costs only itself. False if the body is no such request; nothing was handed over
// of what follows the place where it goes wrong.
bool SplitOtlpProtobuf(std::string_view body, const TranscodeLimits& limits, std::string* text,
                       RecordHandler* handler);
// `body` must be JSON: what it says is taken, and what it does not know is passed over.
bool SplitOtlpJson(std::string_view body, const TranscodeLimits& limits, std::string* text,
                   RecordHandler* handler);

}  // namespace spool
