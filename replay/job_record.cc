#include "replay/job_record.h"

#include <array>
#include <nlohmann/json.hpp>

namespace spool {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr size_t kErrorMax = 1024;
constexpr std::array kStates = {ReplayState::kRunning, ReplayState::kPaused, ReplayState::kDone,
                                ReplayState::kCancelled, ReplayState::kFailed};

void PutTime(Json& json, const char* key, const std::optional<SystemTime>& time) {
  if (time) json[key] = ToMicros(*time);
}
void PutSequence(Json& json, const char* key, const std::optional<Sequence>& sequence) {
  if (sequence) json[key] = sequence->value;
}
// The library would bend a number with a fraction or an exponent, and one beyond the type is
// undefined then.
template <class T>
T Whole(const Json& json) {
  if (!json.is_number_integer()) throw std::invalid_argument("no whole number");
  return json.get<T>();
}
std::optional<SystemTime> TimeOf(const Json& json, const char* key) {
  if (!json.contains(key)) return std::nullopt;
  return FromMicros(Whole<int64_t>(json.at(key)));
}
std::optional<Sequence> SequenceOf(const Json& json, const char* key) {
  if (!json.contains(key)) return std::nullopt;
  return Sequence{Whole<uint64_t>(json.at(key))};
}

// What a target said may be any bytes.
std::string Printable(std::string_view text) {
  std::string out(text.substr(0, kErrorMax));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return out;
}

ReplayState StateOf(std::string_view name) {
  for (const ReplayState state : kStates) {
    if (ReplayStateName(state) == name) return state;
  }
  throw std::invalid_argument("unknown state");  // ends in DecodeReplay
}

}  // namespace

std::string_view ReplayStateName(ReplayState state) {
  switch (state) {
    case ReplayState::kRunning: return "running";
    case ReplayState::kPaused: return "paused";
    case ReplayState::kDone: return "done";
    case ReplayState::kCancelled: return "cancelled";
    case ReplayState::kFailed: return "failed";
  }
  return "failed";
}

Result<std::string> EncodeReplay(const ReplayStatus& job) {
  try {
    Json json;
    json["version"] = kVersion;
    json["id"] = job.id;
    json["target"] = job.request.target;
    PutTime(json, "from", job.request.from);
    PutTime(json, "to", job.request.to);
    PutSequence(json, "from_sequence", job.request.first);
    PutSequence(json, "to_sequence", job.request.end);
    json["match"] = job.request.match;
    json["rate"] = job.request.events_per_second;
    json["state"] = ReplayStateName(job.state);
    json["first"] = job.range.first.value;
    json["end"] = job.range.end.value;
    json["total"] = job.total;
    json["delivered"] = job.delivered;
    json["rejected"] = job.rejected;
    json["evicted"] = job.evicted;
    json["error"] = Printable(job.error);
    json["created"] = ToMicros(job.created);
    PutTime(json, "finished", job.finished);
    return json.dump();
  } catch (const std::exception&) {
    return Fail(Code::kInvalid, "the replay's target or match is not valid UTF-8");
  }
}

Result<ReplayStatus> DecodeReplay(std::string_view record) {
  try {
    const Json json = Json::parse(record);
    if (Whole<int>(json.at("version")) != kVersion) {
      return Fail(Code::kDamaged, "the job record has an unknown version");
    }
    ReplayStatus job;
    job.id = json.at("id").get<std::string>();
    job.request.target = json.at("target").get<std::string>();
    job.request.from = TimeOf(json, "from");
    job.request.to = TimeOf(json, "to");
    job.request.first = SequenceOf(json, "from_sequence");
    job.request.end = SequenceOf(json, "to_sequence");
    job.request.match = json.at("match").get<std::vector<std::string>>();
    job.request.events_per_second = json.at("rate").get<double>();
    job.state = StateOf(json.at("state").get<std::string>());
    job.range.first = {Whole<uint64_t>(json.at("first"))};
    job.range.end = {Whole<uint64_t>(json.at("end"))};
    job.total = Whole<uint64_t>(json.at("total"));
    job.delivered = Whole<uint64_t>(json.at("delivered"));
    job.rejected = Whole<uint64_t>(json.at("rejected"));
    job.evicted = Whole<uint64_t>(json.at("evicted"));
    job.settled = job.delivered + job.rejected;
    job.error = json.at("error").get<std::string>();
    job.created = FromMicros(Whole<int64_t>(json.at("created")));
    job.finished = TimeOf(json, "finished");
    // Numbers that were bent to fit, and members that nobody knows.
    if (EncodeReplay(job) != json.dump()) {
      return Fail(Code::kDamaged, "the job record holds what no job has");
    }
    return job;
  } catch (const std::exception&) {
    return Fail(Code::kDamaged, "the job record cannot be read");
  }
}

}  // namespace spool
