// Invariants of durable state, checked in production: a crash can be retried, corruption stays.
// Never for input: what comes from outside is refused with an Error.
#pragma once

namespace spool {

// Writes the condition and its place to stderr and aborts. Never returns.
[[noreturn]] void AssertFailed(const char* condition, const char* file, int line);

}  // namespace spool

#define SPOOL_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::spool::AssertFailed(#condition, __FILE__, __LINE__))
