// The fields of an event as layouts of kubernetes-event-exporter call them: those of its Go
// structs.
#pragma once

#include <string_view>

#include "forward/template/value.h"

namespace spool::tmpl {

// The value that `map` has under the name that the JSON of such a field has: "involvedObject" for
// InvolvedObject, "uid" for UID, "apiVersion" for APIVersion. Null when there is none, or when the
// name does not begin with a capital. Valid as long as `map` is.
const Value* FindExporterField(const Value& map, std::string_view name);

}  // namespace spool::tmpl
