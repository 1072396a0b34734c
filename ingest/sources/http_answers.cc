#include "ingest/sources/http_answers.h"

#include "ingest/json_cursor.h"
#include "ingest/json_text.h"
#include "ingest/shape.h"

namespace spool {
namespace {

constexpr size_t kUidMax = 256;  // a UUID has 36

std::string Bound(Sequence sequence, uint32_t stored) {
  return stored == 0 ? "null" : ToText(sequence);
}

std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(0x80 | (value & 0x7f)));
  out.push_back(static_cast<char>(value));
  return out;
}
// One field of a protobuf message.
std::string Number(char number, uint64_t value) {
  return std::string(1, static_cast<char>(number << 3)) + Varint(value);
}
std::string Bytes(char number, std::string_view bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  out += Varint(bytes.size());
  return out.append(bytes);
}

// google.rpc.Code of a status.
int RpcCode(int status) {
  switch (status) {
    case 401: return 16;  // UNAUTHENTICATED
    case 403: return 7;   // PERMISSION_DENIED
    case 405:
    case 501: return 12;  // UNIMPLEMENTED
    case 408: return 4;   // DEADLINE_EXCEEDED
    case 413:
    case 429: return 8;   // RESOURCE_EXHAUSTED
    case 503: return 14;  // UNAVAILABLE
    default: return 3;    // INVALID_ARGUMENT
  }
}

constexpr std::string_view kPartly =
    "Some log records could not be understood: they are in the "
    "stream quarantine, each with its reason.";

}  // namespace

HttpAnswers::HttpAnswers(const net::HttpRequest& request) {
  if (request.path == "/v1/events") {
    kind_ = Kind::kSummary;
  } else if (request.path == "/v1/logs") {
    kind_ = IsProtobufType(request.Header("content-type")) ? Kind::kOtlpProtobuf : Kind::kOtlpJson;
  }
}

net::HttpResponse HttpAnswers::Stored(const AppendResult& result, const Tally& tally,
                                      uint32_t rejected) const {
  net::HttpResponse response;
  switch (kind_) {
    case Kind::kEmpty: break;
    case Kind::kSummary: {
      response.content_type = "application/json";
      response.body = "{\"stored\":" + std::to_string(tally.stored) +
                      ",\"duplicates\":" + std::to_string(tally.duplicates) +
                      ",\"quarantined\":" + std::to_string(tally.quarantined) +
                      ",\"first\":" + Bound(result.first, result.stored) +
                      ",\"last\":" + Bound(result.last, result.stored) + "}\n";
      break;
    }
    case Kind::kOtlpJson:
      response.content_type = "application/json";
      response.body = "{}";
      if (rejected == 0) break;
      // Numbers of 64 bits are texts in protobuf's JSON.
      response.body = "{\"partialSuccess\":{\"rejectedLogRecords\":\"" + std::to_string(rejected) +
                      "\",\"errorMessage\":\"" + std::string(kPartly) + "\"}}";
      break;
    case Kind::kOtlpProtobuf:
      response.content_type = "application/x-protobuf";
      if (rejected > 0) {
        response.body = Bytes(1, Number(1, rejected) + Bytes(2, kPartly));
      }
      break;
  }
  return response;
}

net::HttpResponse HttpAnswers::Problem(int status, std::string_view code, std::string_view detail,
                                       int64_t offset, int retry_after) const {
  return Reworded(net::Problem(status, code, detail, offset, retry_after));
}

net::HttpResponse HttpAnswers::Reworded(net::HttpResponse problem) const {
  if (kind_ != Kind::kOtlpJson && kind_ != Kind::kOtlpProtobuf) return problem;
  if (problem.content_type != "application/problem+json") return problem;
  std::string message;
  AppendUnescaped(JsonStringInside(JsonMemberOf(problem.body, "code")), &message);
  message += ": ";
  AppendUnescaped(JsonStringInside(JsonMemberOf(problem.body, "detail")), &message);
  const int rpc = RpcCode(problem.status);
  if (kind_ == Kind::kOtlpProtobuf) {
    problem.content_type = "application/x-protobuf";
    problem.body = Number(1, static_cast<uint64_t>(rpc)) + Bytes(2, message);
    return problem;
  }
  problem.content_type = "application/json";
  problem.body = "{\"code\":" + std::to_string(rpc) + ",\"message\":";
  AppendJsonString(message, &problem.body);
  problem.body += '}';
  return problem;
}

bool NeverRetries(std::string_view path) {
  return path == "/webhook" || path == "/botkube" || path == "/falco" || path == "/events" ||
         IsAdmissionPath(path);
}

bool IsAdmissionPath(std::string_view path) {
  return path == "/admission/validating" || path == "/admission/mutating";
}

std::optional<net::HttpResponse> AdmissionAllowed(std::string_view body) {
  std::string_view uid, api_version = "admission.k8s.io/v1";
  JsonCursor cursor(body);
  for (std::string_view key, value; cursor.NextMember(&key, &value);) {
    if (key == "apiVersion" && JsonStringInside(value) == "admission.k8s.io/v1beta1") {
      api_version = "admission.k8s.io/v1beta1";
    } else if (key == "request" && uid.empty()) {
      uid = JsonStringInside(JsonMemberOf(value, "uid"));
    }
  }
  // It goes back as it came, so it must be what can stand in a text as it is.
  std::string plain;
  if (uid.empty() || uid.size() > kUidMax || !AppendUnescaped(uid, &plain) || !IsUtf8(plain)) {
    return std::nullopt;
  }
  net::HttpResponse response;
  response.content_type = "application/json";
  response.body = "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"" + std::string(api_version) +
                  "\",\"response\":{\"uid\":";
  AppendJsonString(plain, &response.body);
  response.body += ",\"allowed\":true}}";
  return response;
}

}  // namespace spool
