// `spoold publish`: deliver to one target what it has not had, and end. For a CronJob.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "app/config.h"
#include "base/result.h"

namespace spool {

inline constexpr int kPublishCaughtUp = 0;
inline constexpr int kPublishNoSuchTarget = 4;  // or no journal
inline constexpr int kPublishNotAll = 7;

struct PublishOptions {
  std::string target;
  std::string source;                        // "", "nats" or "kafka"
  Micros timeout = std::chrono::minutes(5);  // 0: none
};

// Why events cannot be taken from that source; empty for none. A problem of the configuration.
std::string RefuseSource(const std::string& source);

// Opens the journal of `config`, delivers to the target and closes it again. Serves no listener.
// The status to exit with when it came to deliver or there is nothing to deliver to; a log entry
// says how it went. A target that has no place yet begins where its `start` says, and `beginning`
// means the first event that is stored. Errors as Journal::Open and CatchUp. `on_fatal` as
// Service::Start's. `stop` from any thread.
Result<int> Publish(const Config& config, const PublishOptions& options,
                    std::function<void(const Error&)> on_fatal, std::stop_token stop);

}  // namespace spool
