// The sinks there are. Settings were checked by MakeSink; none of these connects, opens or reads
// anything before the first Deliver.
#pragma once

#include <memory>
#include <string>

#include "forward/sink.h"
#include "forward/sink_factory.h"

namespace spool {

// Takes everything and keeps nothing.
std::unique_ptr<Sink> MakeNullSink();

// One event a line on `fd`, which stays the caller's and must outlive the sink. The descriptor's
// flags are left alone. A line once begun is always finished before anything else is written.
std::unique_ptr<Sink> MakeStdoutSink(int fd);

// Appends one event a line and syncs once a batch. Sinks of this process on the same path take
// turns. The file is opened again when somebody moved or removed it.
std::unique_ptr<Sink> MakeFileSink(const FileSettings& settings);

std::unique_ptr<Sink> MakeWebhookSink(const WebhookSettings& settings,
                                      const TargetTimeouts& timeout);

// JetStream. One connection, made when needed and made anew after it was lost.
std::unique_ptr<Sink> MakeNatsSink(const NatsSettings& settings, const TargetTimeouts& timeout);

// One idempotent producer, made when needed and made anew after any trouble and when a password or
// certificate has changed. `target` is its name, for the log.
std::unique_ptr<Sink> MakeKafkaSink(const KafkaSettings& settings, const TargetTimeouts& timeout,
                                    const std::string& target);

}  // namespace spool
