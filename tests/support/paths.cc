// Alone in this file: what is compiled with a path of this checkout no cache can give to another.
#include "tests/support/paths.h"

namespace spool::testing {

std::string SourceDir() { return SPOOL_SOURCE_DIR; }
std::string BinaryDir() { return SPOOL_BINARY_DIR; }

}  // namespace spool::testing
