// What an error of the Kafka client library or of a broker means for an event.
#pragma once

#include <string_view>

#include "forward/sink.h"

namespace spool {

// `error` is librdkafka's (rd_kafka_resp_err_t), never 0; its name makes the code, as in
// "kafka_msg_size_too_large". An empty `text` is replaced by what the library says of the error.
Outcome KafkaFailure(int error, std::string_view text = {});

// Whether the error was only that the message was taken back unsent or unanswered.
bool KafkaTookBack(int error);

}  // namespace spool
