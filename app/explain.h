// Why an event went to a target or did not, and what that target is sent: with the router and the
// sinks that deliver, so that it cannot say anything else than what they do.
#pragma once

#include "app/admin_parts.h"
#include "app/json_writer.h"
#include "spool/event.h"

namespace spool {

// Writes {event, special, routes, targets} for one event. An event without a sequence is taken as
// one that was not stored: its targets have no outcome. Any thread; connects to nothing. kInvalid
// when a route or a target of the configuration cannot be made, which its start would have said.
Status WriteExplanation(JsonWriter& out, const AdminParts& parts, const EventView& event);

}  // namespace spool
