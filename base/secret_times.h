// When secrets were read: a rotation that did not reach the process is seen by it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace spool {

// Of each secret that this process ever read, by its Secret::Where(), when it last could; at most
// 1,024 of them. Any thread.
std::vector<std::pair<std::string, SystemTime>> SecretTimes();

}  // namespace spool
