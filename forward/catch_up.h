// One target brought up to date once: what a run that ends does in place of a forwarder.
#pragma once

#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "forward/forwarder.h"

namespace spool {

struct CatchUpResult {
  enum class End {
    kCaughtUp,   // everything that was stored as it began is settled
    kPaused,     // an operator paused the target: nothing was sent
    kHeld,       // the target refuses until somebody changes something; nothing is dropped
    kOutOfTime,  // the deadline came first
    kStopped,    // `stop` came first
  };
  End end = End::kCaughtUp;
  Account before;  // of the target, as it began
  Account after;
  std::string last_error;  // of the target's last failure; empty after a success
};

// Delivers what lies between the cursor "target/NAME" and the journal's end, and returns once that
// is settled, cannot be now, or `deadline` (of the steady clock) or `stop` came. The attempt under
// way then may end by itself for Forwarder::kStopGrace; what was not answered is sent again by
// whoever delivers to the target next. On the caller's thread, with one more that keeps the time.
// kConflict when the cursor is open; kInvalid from the sink; kDamaged and kStorage when the journal
// cannot be read or written there.
Result<CatchUpResult> CatchUp(const TargetSettings& settings, Router router, Journal& journal,
                              const Clock& clock, SteadyTime deadline, std::stop_token stop);

}  // namespace spool
