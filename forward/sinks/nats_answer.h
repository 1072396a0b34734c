// What JetStream's answer to a publish means.
#pragma once

#include <cstdint>
#include <string_view>

#include "forward/sink.h"

namespace spool {

// Reads a PubAck. Delivered or duplicate only for a well-formed acknowledgement: whoever else
// listens on the subject may answer too.
Outcome ReadPubAck(std::string_view json);

// An error of the JetStream API: its HTTP-like code, its own number and its text.
Outcome JetStreamError(int64_t code, int64_t number, std::string_view text);

}  // namespace spool
