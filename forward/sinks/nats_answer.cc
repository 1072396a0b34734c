#include "forward/sinks/nats_answer.h"

#include <nlohmann/json.hpp>
#include <string>

#include "forward/sinks/outcomes.h"

namespace spool {
namespace {

using Json = nlohmann::json;

int64_t Int(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
}
std::string Text(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Outcome Made(Verdict verdict, std::string code, std::string_view text) {
  return {verdict, std::move(code), Printable(text), std::nullopt};
}

}  // namespace

Outcome JetStreamError(int64_t code, int64_t number, std::string_view text) {
  switch (number) {
    case 10054:  // larger than the stream's max_msg_size
    case 10097:  // headers too large
      return Made(Verdict::kTooLarge, "nats_too_large", text);
    case 10002:  // the account's, memory's or storage's limits
    case 10028:
    case 10047: return Made(Verdict::kHold, "nats_account_full", text);
    case 10039:  // JetStream is off for the account or the server
    case 10076: return Made(Verdict::kHold, "nats_no_jetstream", text);
    case 10059: return Made(Verdict::kHold, "nats_no_stream", text);
    case 10060:  // Nats-Expected-Stream: another stream takes the subject
      return Made(Verdict::kHold, "nats_wrong_stream", text);
    case 10109: return Made(Verdict::kHold, "nats_stream_sealed", text);
    case 10077:  // the store refused: with discard "new" this is how a full stream says so
      if (text.find("exceeded") != std::string_view::npos) {
        return Made(Verdict::kHold, "nats_stream_full", text);
      }
      return Made(Verdict::kRetry, "nats_store_failed", text);
    case 10070:  // guards on the last sequence or id, which others may set
    case 10071:
    case 10158:  // the same id is being stored right now
    case 10164: return Made(Verdict::kRetry, "nats_" + std::to_string(number), text);
    default: break;
  }
  const std::string name = "nats_" + std::to_string(number != 0 ? number : code);
  if (code == 400) return Made(Verdict::kReject, name, text);
  if (code == 401 || code == 403 || code == 404) return Made(Verdict::kHold, name, text);
  return Made(Verdict::kRetry, name, text);
}

Outcome ReadPubAck(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Made(Verdict::kRetry, "nats_bad_ack", text);
  if (const auto error = json.find("error"); error != json.end() && error->is_object()) {
    return JetStreamError(Int(*error, "code"), Int(*error, "err_code"),
                          Text(*error, "description"));
  }
  if (Text(json, "stream").empty() || Int(json, "seq") <= 0) {
    return Made(Verdict::kRetry, "nats_bad_ack", text);
  }
  const auto duplicate = json.find("duplicate");
  const bool had_it = duplicate != json.end() && duplicate->is_boolean() && duplicate->get<bool>();
  return {had_it ? Verdict::kDuplicate : Verdict::kDelivered, {}, {}, std::nullopt};
}

}  // namespace spool
