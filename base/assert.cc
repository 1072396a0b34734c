#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace spool {

void AssertFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "invariant violated: %s at %s:%d\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace spool
