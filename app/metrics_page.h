// GET /metrics: everything that is counted, in the Prometheus text format.
#pragma once

#include <string>

#include "app/admin_parts.h"

namespace spool {

// `parts` is null until the service is built. Any thread.
std::string MetricsPage(const AdminContext& context, const AdminParts* parts);

}  // namespace spool
