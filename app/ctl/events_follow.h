// Events of several replicas as they come.
#pragma once

#include "app/ctl/commands.h"

namespace spool::ctl {

// First what `query` asks of each of session.replicas, by time, then what any of them stores. One
// that does not answer is named and tried again; the others go on meanwhile. Ends with
// kInterrupted, or when none answers for a minute, or when each has refused.
int FollowReplicas(Session& session, const EventQuery& query);

}  // namespace spool::ctl
