// Fluent Bit's MessagePack bodies (plugins/out_http with `format msgpack`): records one after the
// other, each [[time, metadata], map] or, of old versions, [time, map].
//
// Wire format: the MessagePack specification (msgpack.org, spec.md); the time is an integer, a
// float, or Fluentd's EventTime (extension type 0: seconds and nanoseconds, four bytes each).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "ingest/split.h"

namespace spool {

struct TranscodeLimits {
  size_t depth_max = 64;
  size_t record_bytes_max = size_t{16} << 20;  // of the JSON that is made of one record
  // Asked before that many bytes are in use for it; false ends the body.
  std::function<bool(size_t bytes)> pay;
};

// Makes of each record the JSON object that Fluent Bit's own `format json` makes of it, `date`
// first, and hands it over; metadata, if any, is in "__internal__". What is no record there is
// Unreadable. `text` is used again from record to record. Marks of groups are passed over.
void SplitMsgpack(std::string_view body, const TranscodeLimits& limits, std::string* text,
                  RecordHandler* handler);

}  // namespace spool
