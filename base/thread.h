// A named thread that stops when asked and is joined when destroyed.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <thread>

namespace spool {

// Starts `body` on a thread of that name (cut to 15 characters, as the kernel shows it). The
// token is set by request_stop() or by destruction, which also joins.
std::jthread StartThread(std::string name, std::function<void(std::stop_token)> body);

}  // namespace spool
