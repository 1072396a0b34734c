#include "forward/sinks/kafka_error.h"

#include <librdkafka/rdkafka.h>

#include <string>

#include "forward/sinks/outcomes.h"

namespace spool {
namespace {

Verdict VerdictOf(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:  // not a name for a topic
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:  // a broker too old for idempotence, zstd, ...
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
    case RD_KAFKA_RESP_ERR__INVALID_ARG: return Verdict::kHold;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE: return Verdict::kTooLarge;
    // A broker judges a request's messages together and does not say which of them is wrong.
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:  // how older brokers refuse a key that is missing
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP: return Verdict::kRefusedTogether;
    default: return Verdict::kRetry;
  }
}

std::string CodeOf(rd_kafka_resp_err_t error) {
  if (error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  std::string code = "kafka_";
  std::string_view name = rd_kafka_err2name(error);
  while (name.starts_with('_')) name.remove_prefix(1);
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool word = upper || c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    code += upper ? static_cast<char>(c - 'A' + 'a') : word ? c : '_';
  }
  return code;
}

}  // namespace

Outcome KafkaFailure(int error, std::string_view text) {
  const auto known = static_cast<rd_kafka_resp_err_t>(error);
  return {VerdictOf(known), CodeOf(known),
          Printable(text.empty() ? std::string_view(rd_kafka_err2str(known)) : text), std::nullopt};
}

bool KafkaTookBack(int error) {
  return error == RD_KAFKA_RESP_ERR__PURGE_QUEUE || error == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

}  // namespace spool
