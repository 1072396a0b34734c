#include "forward/sinks/kafka_conf.h"

#include <algorithm>
#include <iterator>

namespace spool {
namespace {

constexpr size_t kTopicMax = 249;
constexpr size_t kEventsMax = 16384;  // above what a batch can have
constexpr int64_t kReconnectMillis = 1000;
// A topic that was just made is not known to every broker at once.
constexpr int64_t kTopicAppearsMillis = 3000;

bool TopicHolds(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool HasControl(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

template <size_t N>
bool Among(std::string_view word, const std::string_view (&words)[N]) {
  return std::ranges::find(words, word) != std::end(words);
}

std::string Protocol(const KafkaSettings& settings) {
  if (settings.sasl) return settings.tls ? "sasl_ssl" : "sasl_plaintext";
  return settings.tls ? "ssl" : "plaintext";
}

}  // namespace

Status CheckKafkaBroker(std::string_view broker) {
  const auto bad = [](const char* why) { return Fail(Code::kInvalid, why); };
  if (broker.find("//") != std::string_view::npos) {
    return bad("is HOST:PORT, without a scheme; tls and sasl say how to talk");
  }
  if (broker.find('@') != std::string_view::npos) return bad("holds credentials");
  if (HasControl(broker) || broker.find_first_of(" ,/?#") != std::string_view::npos) {
    return bad("has a character that no address has");
  }
  std::string_view host = broker;
  std::string_view port;
  const size_t bracket = broker.find(']');
  const size_t colon = broker.rfind(':');
  if (broker.starts_with('[')) {
    if (bracket == std::string_view::npos) return bad("has a [ without ]");
    host = broker.substr(1, bracket - 1);
    const std::string_view rest = broker.substr(bracket + 1);
    if (!rest.empty() && (rest[0] != ':' || rest.size() == 1)) return bad("has a bad port");
    if (!rest.empty()) port = rest.substr(1);
  } else if (colon != std::string_view::npos) {
    host = broker.substr(0, colon);
    port = broker.substr(colon + 1);
    if (port.empty()) return bad("has a bad port");
    if (host.find(':') != std::string_view::npos) return bad("needs [ ] around an IPv6 address");
  }
  if (host.empty()) return bad("has no host");
  int number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9') return bad("has a bad port");
    number = number * 10 + (c - '0');
    if (number > 65535) return bad("has a bad port");
  }
  if (!port.empty() && number == 0) return bad("has a bad port");
  return {};
}

Result<EventText> ParseKafkaTopic(std::string_view text) {
  using Field = EventText::Field;
  // Attributes of which there are few: the library keeps what it knows of each topic.
  static constexpr Field kAllowed[] = {Field::kStream, Field::kCategory, Field::kSeverity};
  if (text.empty()) return Fail(Code::kInvalid, "topic is empty");
  Result<EventText> topic = EventText::Parse("topic", text, kAllowed);
  if (!topic) return topic;
  size_t size = 0;
  for (const std::string_view literal : topic->Literals()) {
    size += literal.size();
    if (!std::ranges::all_of(literal, TopicHolds)) {
      return Fail(Code::kInvalid, "topic holds more than letters, digits, '.', '_' and '-'");
    }
  }
  if (size > kTopicMax) return Fail(Code::kInvalid, "topic is too long");
  if (text == "." || text == "..") return Fail(Code::kInvalid, "topic is no name for a topic");
  return topic;
}

Result<EventText> ParseKafkaKey(std::string_view text) { return EventText::Parse("key", text); }

Status CheckKafka(const KafkaSettings& settings) {
  if (settings.brokers.empty()) return Fail(Code::kInvalid, "brokers is empty");
  for (const std::string& broker : settings.brokers) {
    if (Status ok = CheckKafkaBroker(broker); !ok) {
      return Fail(Code::kInvalid, "brokers: \"" + broker + "\" " + ok.error().message);
    }
  }
  if (const auto topic = ParseKafkaTopic(settings.topic); !topic) {
    return Fail(topic.error().code, topic.error().message);
  }
  if (const auto key = ParseKafkaKey(settings.key); !key) {
    return Fail(key.error().code, key.error().message);
  }
  static constexpr std::string_view kCodecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
  if (!Among(settings.compression, kCodecs)) {
    return Fail(Code::kInvalid, "compression is none of none, gzip, snappy, lz4, zstd");
  }
  if (settings.tls && settings.tls->cert_file.empty() != settings.tls->key_file.empty()) {
    return Fail(Code::kInvalid, "tls needs cert and key together");
  }
  if (settings.sasl) {
    static constexpr std::string_view kMechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    if (!Among(settings.sasl->mechanism, kMechanisms)) {
      return Fail(Code::kInvalid, "sasl.mechanism is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512");
    }
    if (settings.sasl->username.empty()) return Fail(Code::kInvalid, "sasl.username is empty");
    if (!settings.sasl->password) return Fail(Code::kInvalid, "sasl.password is missing");
  }
  return {};
}

KafkaProperties MakeKafkaProperties(const KafkaSettings& settings, const TargetTimeouts& timeout,
                                    const std::string& password) {
  const auto millis = [](int64_t value, int64_t min, int64_t max) {
    return std::to_string(std::clamp(value, min, max));
  };
  const int64_t connect = timeout.connect.count();
  const int64_t request = timeout.request.count();
  std::string brokers;
  for (const std::string& broker : settings.brokers) {
    brokers += (brokers.empty() ? "" : ",") + broker;
  }
  KafkaProperties all = {
      {"bootstrap.servers", brokers},
      {"client.id", "spool"},
      {"security.protocol", Protocol(settings)},
      {"socket.keepalive.enable", "true"},
      {"socket.nagle.disable", "true"},
      {"socket.timeout.ms", millis(request, 1000, 300'000)},
      {"socket.connection.setup.timeout.ms", millis(connect, 1000, 300'000)},
      {"reconnect.backoff.ms", "50"},
      {"reconnect.backoff.max.ms", millis(connect, 100, kReconnectMillis)},
      {"log.connection.close", "false"},
      // What makes the order: sequence numbers, and after an event that failed nothing is sent.
      {"enable.idempotence", "true"},
      {"enable.gapless.guarantee", "true"},
      {"acks", "all"},
      {"request.timeout.ms", millis(request, 1000, 900'000)},
      // Attempts have deadlines of their own. One of the library's would let go of a single
      // message and send on what comes after it.
      {"message.timeout.ms", "0"},
      {"queue.buffering.max.messages", std::to_string(kEventsMax)},
      {"queue.buffering.max.kbytes",
       std::to_string((kKafkaMessageBytesMax + kKafkaOpenBytesMax) >> 10)},
      {"message.max.bytes", std::to_string(kKafkaMessageBytesMax)},
      // Time for an attempt's events to gather; the last of them are asked to go at once.
      {"linger.ms", "5"},
      {"compression.codec", settings.compression},
      // The partition that Java's clients choose for the same key.
      {"partitioner", "murmur2_random"},
      {"allow.auto.create.topics", "false"},
      {"topic.metadata.propagation.max.ms", millis(connect, 100, kTopicAppearsMillis)},
  };
  const auto add = [&all](const char* name, const std::string& value) {
    if (!value.empty()) all.emplace_back(name, value);
  };
  if (settings.tls) {
    add("ssl.ca.location", settings.tls->ca_file);
    add("ssl.certificate.location", settings.tls->cert_file);
    add("ssl.key.location", settings.tls->key_file);
  }
  if (settings.sasl) {
    add("sasl.mechanisms", settings.sasl->mechanism);
    add("sasl.username", settings.sasl->username);
    add("sasl.password", password);
  }
  return all;
}

}  // namespace spool
