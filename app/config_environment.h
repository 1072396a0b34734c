// A configuration from the variables that a Deployment sets, for a start without --config.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "app/config.h"

namespace spool {

// The value of an environment variable, nullptr when it is not set.
using Environment = std::function<const char*(const char* name)>;

// What these make together:
//   NATS_URL       a target "nats": subjects are the streams' names
//   KAFKA_BROKERS  a target "kafka": topics are the streams' names; brokers with commas between
//   LOG_LEVEL      debug, info, warn or error
// With a bus it listens for events on 0.0.0.0:8080; LOG_LEVEL alone changes nothing else of
// DefaultConfig. None set (an empty one is not): DefaultConfig. Variables that mean a bus as the
// source or a platform that is not there yet are problems, of which each names its variable.
ConfigResult EnvironmentConfig(const Environment& environment);

}  // namespace spool
