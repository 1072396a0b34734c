// GET /metrics: everything that is counted, in the Prometheus text format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "app/admin_auth.h"
#include "app/admin_parts.h"

namespace spool {

// Of the admin API itself.
struct ApiCounters {
  size_t waiting = 0;  // requests, for events to come
  AdminRefusals refused;
  uint64_t actions_recorded = 0;
  uint64_t actions_lost = 0;  // done, but not recorded
};

// `parts` is null until the service is built. Any thread.
std::string MetricsPage(const AdminContext& context, const AdminParts* parts,
                        const ApiCounters& api);

}  // namespace spool
