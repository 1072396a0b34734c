// The event as others see it: CloudEvents 1.0 JSON.
#pragma once

#include <string>
#include <string_view>

#include "spool/event.h"

namespace spool {

// Appends one CloudEvents JSON object on one line, without line feed: the envelope of the
// interface (id, source, type, subject, time, datacontenttype, sequence, stream, acceptedtime,
// category, subcategory, severity, cluster, namespace, kind, name, reason, problemkey, producer,
// extensions; absent ones left out), then `data` (the producer's bytes; line feeds between tokens
// dropped when there are any) or `data_base64`. A non-empty `replay` adds that attribute.
void AppendCloudEvent(std::string& out, const EventView& event, std::string_view replay = {});

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace spool
