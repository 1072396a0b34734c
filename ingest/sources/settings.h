// What is configured of each kind of source that fetches.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/secret.h"

namespace spool {

// Files of lines, followed as they grow and as they are rotated.
struct FileSourceSettings {
  std::string path;               // a glob
  std::string as = "/v1/events";  // whose lines they are, as a path of HTTP sources
  bool from_end = false;          // what is there at the very first start is not read
};

// Lines on standard input.
struct StdinSourceSettings {
  std::string as = "/v1/events";
};

// How a client speaks TLS; empty files: the system's roots, no certificate of its own.
struct ClientTls {
  std::string ca, cert, key;
};

// A durable pull consumer of NATS JetStream.
struct NatsSourceSettings {
  std::vector<std::string> urls;
  std::string stream;
  std::string durable;
  std::string subject;  // of the messages that are wanted; empty: all of the stream
  std::string as = "/v1/events";
  bool from_end = false;  // what is in the stream when the consumer is made is not read
  std::optional<Secret> token;
  std::string username;
  std::optional<Secret> password;
  std::optional<ClientTls> tls;
};

struct ClientSasl {
  std::string mechanism;  // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
  std::string username;
  std::optional<Secret> password;
};

// A member of a Kafka consumer group.
struct KafkaSourceSettings {
  std::vector<std::string> brokers;
  std::vector<std::string> topics;
  std::string group;
  std::string as = "/v1/events";
  bool from_end = false;  // where the group has committed nothing, what is there is not read
  std::optional<ClientTls> tls;
  std::optional<ClientSasl> sasl;
};

using PulledSettings =
    std::variant<FileSourceSettings, StdinSourceSettings, NatsSourceSettings, KafkaSourceSettings>;

}  // namespace spool
