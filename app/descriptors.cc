#include "app/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <variant>

#include "base/log.h"
#include "ingest/sources/file.h"

namespace spool {
namespace {

constexpr uint64_t kOwn = 64;         // standard streams, event loops, the database's log and so on
constexpr uint64_t kTablesMin = 32;   // files of the database
constexpr uint64_t kAdminMin = 16;    // connections
constexpr uint64_t kASourceMin = 16;  // connections

// What one sink of that kind has open at most, and for a moment while it is made anew.
uint64_t OfSink(const NullSettings&) { return 0; }
uint64_t OfSink(const StdoutSettings&) { return 0; }  // one of the standard streams
uint64_t OfSink(const FileSettings&) { return 2; }    // the file, and its directory to sync it
uint64_t OfSink(const WebhookSettings& webhook) {
  const bool one = webhook.format != WebhookSettings::Format::kStructured;
  const auto connections = static_cast<uint64_t>(one ? 1 : std::max(1, webhook.concurrency));
  return connections + 4;  // the client's wake-up and its resolver, a certificate's file
}
uint64_t OfSink(const NatsSettings&) { return 4; }  // a connection, the next one, a secret's file
uint64_t OfSink(const KafkaSettings& kafka) {
  // For each broker a connection and a pair to wake its thread. A cluster may have more brokers
  // than are named, and the library has two threads of its own like them.
  return 3 * (std::max<uint64_t>(3, 2 * kafka.brokers.size()) + 2) + 2;
}

// The target's own sink, and that of a replay beside it.
uint64_t OfTarget(const SinkSettings& settings) {
  return 2 * std::visit([](const auto& sink) { return OfSink(sink); }, settings.of);
}

// What a source that fetches has open at most.
uint64_t OfPulled(const FileSourceSettings&) {
  return FileSource::kOpenMax + 4;  // directories, and files that are looked at
}

uint64_t OfPulled(const StdinSourceSettings&) { return 0; }  // one of the standard streams
uint64_t OfPulled(const KafkaSourceSettings& kafka) {
  return 3 * (std::max<uint64_t>(3, 2 * kafka.brokers.size()) + 2) + 2;  // as of a sink
}
uint64_t OfPulled(const NatsSourceSettings&) { return 4; }  // a connection, a secret's file

}  // namespace

uint64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
  }
  return limit.rlim_cur;
}

Status FitDescriptors(uint64_t limit, Config* config) {
  uint64_t targets = 0;  // and sources that fetch
  for (const TargetConfig& target : config->targets) {
    targets += OfTarget(target.settings.sink);
  }
  for (const PulledSourceConfig& source : config->pulled_sources) {
    targets += std::visit([](const auto& of) { return OfPulled(of); }, source.of);
  }
  const uint64_t sources = std::max<uint64_t>(config->http_sources.size(), 1);
  const uint64_t least = kOwn + targets + kTablesMin + kAdminMin + sources * kASourceMin;
  if (limit < least) {
    return Fail(Code::kInvalid, "the process may open " + std::to_string(limit) +
                                    " files, and this configuration needs at least " +
                                    std::to_string(least) + ": raise the limit (ulimit -n)");
  }
  uint64_t left = limit - kOwn - targets;
  const auto take = [&left](uint64_t wanted, uint64_t share, uint64_t min) {
    const uint64_t taken = std::clamp(left / share, min, std::max(min, wanted));
    left -= std::min(left, taken);
    return taken;
  };
  JournalOptions& journal = config->journal;
  journal.open_tables_max =
      static_cast<int>(take(static_cast<uint64_t>(journal.open_tables_max), 4, kTablesMin));
  config->admin.connections = take(config->admin.connections, 8, kAdminMin);
  for (size_t i = 0; i < config->http_sources.size(); ++i) {
    HttpSourceSettings& source = config->http_sources[i];
    const uint64_t share = left / (config->http_sources.size() - i);
    left -= std::min(share, uint64_t{source.limits.connections});
    if (source.limits.connections <= share) continue;
    log::Warn("The limit on open files leaves a source fewer connections than it is configured to.",
              {{"source", source.name},
               {"connections", share},
               {"configured", source.limits.connections},
               {"open_files", limit}});
    source.limits.connections = share;
  }
  return {};
}

}  // namespace spool
