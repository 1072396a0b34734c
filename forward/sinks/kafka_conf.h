// A Kafka target's settings, checked, and as the client library's properties.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "forward/sink_factory.h"
#include "forward/sinks/event_text.h"

namespace spool {

// An event whose rendered body is larger is too large without asking.
inline constexpr size_t kKafkaMessageBytesMax = size_t{16} << 20;
// Without a report of delivery at most; a larger event goes alone.
inline constexpr size_t kKafkaOpenBytesMax = size_t{8} << 20;

// kInvalid with the field's name for settings that can never work.
Status CheckKafka(const KafkaSettings& settings);

// kInvalid for a template that makes no topics ("topic …") or keys ("key …"). An event without
// the attribute gets "_" in a topic and nothing in a key.
Result<EventText> ParseKafkaTopic(std::string_view text);
Result<EventText> ParseKafkaKey(std::string_view text);
// "HOST" or "HOST:PORT"; kInvalid says what is wrong, without a name in front.
Status CheckKafkaBroker(std::string_view broker);

// In the order in which they are to be set. `password` is SASL's; settings were checked.
using KafkaProperties = std::vector<std::pair<std::string, std::string>>;
KafkaProperties MakeKafkaProperties(const KafkaSettings& settings, const TargetTimeouts& timeout,
                                    const std::string& password);

}  // namespace spool
