// A TCP port of 127.0.0.1 that was free a moment ago.
#pragma once

namespace spool::testing {

int FreePort();  // 0 when there is none

}  // namespace spool::testing
