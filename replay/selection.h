// What a replay is about: its range in sequences, and which events of it are meant.
#pragma once

#include <stop_token>

#include "base/result.h"
#include "forward/match.h"
#include "forward/route.h"
#include "replay/jobs.h"
#include "spool/journal.h"

namespace spool {

// The request's range in sequences, cut to what the journal has now. May be empty when there is
// nothing in it; kInvalid when it is turned round or has no beginning.
Result<SequenceRange> ResolveRange(const Journal& journal, const ReplayRequest& request);

// The request's own selection. kInvalid, also for text that no job record could keep.
Result<Matcher> CompileMatch(const ReplayRequest& request);

// The special streams of `streams`: routes take from them only by name.
StreamSet SpecialOf(const Journal& journal, const StreamSet& streams);

// Reads the range and counts what a pump with the same router and match would send. kCancelled
// when stopped; errors as Reader::Read.
Result<ReplayPlan> CountSelected(const Journal& journal, const Router& router, const Matcher& match,
                                 const SequenceRange& range, const std::stop_token& stop);

}  // namespace spool
