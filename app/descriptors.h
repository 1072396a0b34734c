// How the file descriptors that the process may open are shared out, so that connections never take
// what the journal, the targets and the admin API need.
#pragma once

#include <cstdint>

#include "app/config.h"

namespace spool {

// Raises the soft limit to the hard one; what may be open then.
uint64_t RaiseDescriptorLimit();

// Lowers the limits in `config` until they fit into `limit` descriptors; sources share what is left
// when everything else has its part. A target's part is what its kind needs, twice for its replays:
// none for null and stdout, 2 for a file, 4 for nats, its concurrency and 4 for a webhook, and 3
// for each broker that a kafka target may meet (twice those that are named, at least 3) and 8.
// kInvalid, and nothing changed, when that is next to nothing.
Status FitDescriptors(uint64_t limit, Config* config);

}  // namespace spool
