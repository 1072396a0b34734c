// Where this checkout and its programs are.
#pragma once

#include <string>

namespace spool::testing {

std::string SourceDir();  // the top of the repository
std::string BinaryDir();  // spoold and spoolctl as built

}  // namespace spool::testing
