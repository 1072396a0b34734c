// GET /metrics: everything that is counted, in the Prometheus text format.
#pragma once

#include <cstddef>
#include <string>

#include "app/admin_parts.h"

namespace spool {

// `parts` is null until the service is built. `waiting_requests`: of the admin API, for events to
// come. Any thread.
std::string MetricsPage(const AdminContext& context, const AdminParts* parts,
                        size_t waiting_requests);

}  // namespace spool
