// Makes a sink from its settings; the only place that knows which sinks exist.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "forward/sink.h"

namespace spool {

// What every target that talks over a network has.
struct TargetTimeouts {
  Millis connect{5000};
  Millis request{30000};
};

struct WebhookTls {
  std::string ca_file;  // empty: the system's
  std::string cert_file;
  std::string key_file;
};
struct WebhookSettings {
  enum class Format { kStructured, kBatch, kJsonLines };
  std::string url;
  std::string shown_url;  // what people may see of it where that is not all; empty: `url`
  Format format = Format::kStructured;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<Secret> bearer;  // sent as Authorization: Bearer
  int concurrency = 1;           // of kStructured; above 1 gives up order between requests
  WebhookTls tls;                // of an https URL
};
struct NatsSettings {
  std::string url = "nats://127.0.0.1:4222";
  std::string subject = "spool.{stream}";  // {stream} is the event's stream
  std::string stream;  // when set: created if missing, with `subject` as its subjects
  int window = 256;    // publishes without an ack at most
  std::optional<Secret> token;
  std::string username;
  std::optional<Secret> password;
};
struct KafkaTls {
  std::string ca_file;  // empty: the system's
  std::string cert_file;
  std::string key_file;
};
struct KafkaSasl {
  std::string mechanism = "SCRAM-SHA-512";  // or SCRAM-SHA-256, PLAIN
  std::string username;
  std::optional<Secret> password;
};
struct KafkaSettings {
  std::vector<std::string> brokers;  // "HOST:PORT"
  std::string topic = "{stream}";    // forward/sinks/event_text.h says what else
  std::string key = "{subject}";
  std::string compression = "lz4";  // or none, gzip, snappy, zstd
  std::optional<KafkaTls> tls;
  std::optional<KafkaSasl> sasl;
};
struct FileSettings {
  std::string path;  // JSON lines, appended; synced once a batch
};
struct StdoutSettings {};
struct NullSettings {};

struct SinkSettings {
  std::string target;  // its name, for logs
  TargetTimeouts timeout;
  std::variant<NullSettings, StdoutSettings, FileSettings, WebhookSettings, NatsSettings,
               KafkaSettings>
      of;
};

// kInvalid with the field's name for settings that can never work. Does not connect: a target
// that is down at start is the pump's business.
Result<std::unique_ptr<Sink>> MakeSink(const SinkSettings& settings);

}  // namespace spool
