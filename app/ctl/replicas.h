// One command on several servers.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "app/ctl/session.h"

namespace spool::ctl {

// A client for each server; `options.server` is not looked at. As Client::Create.
Outcome<std::vector<Replica>> MakeReplicas(const std::vector<std::string>& servers,
                                           ClientOptions options, const std::stop_token& stop);

// Runs the command on each of session.replicas, one after the other, shows their answers as one and
// says who failed. A thing that only some have is found. kDone when all did it; kPartly when some
// did and others failed or did not answer; else what they all ended with.
int RunOnEach(Session& session, const std::function<Outcome<int>(Session&)>& run);

}  // namespace spool::ctl
