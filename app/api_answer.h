// How the admin API answers: JSON, or a problem whose code follows from the error's.
#pragma once

#include <string>

#include "base/result.h"
#include "net/http_server.h"

namespace spool {

inline net::HttpResponse JsonAnswer(std::string json, int status = 200) {
  json += '\n';
  return {.status = status,
          .content_type = "application/json",
          .body = std::move(json),
          .headers = {{"Cache-Control", "no-store"}}};
}

// The status that says what the caller can do: 400 for kInvalid, 404, 409, 503 with Retry-After
// for what passes, 504, 500 for damage.
inline net::HttpResponse AnswerOf(const Error& error) {
  const auto problem = [&](int status, int retry_after) {
    return net::Problem(status, CodeName(error.code), error.message, -1, retry_after);
  };
  switch (error.code) {
    case Code::kInvalid: return problem(400, 0);
    case Code::kNotFound: return problem(404, 0);
    case Code::kConflict: return problem(409, 0);
    case Code::kTimeout: return problem(504, 0);
    case Code::kDamaged: return problem(500, 0);
    case Code::kBusy:
    case Code::kUnavailable:
    case Code::kCancelled: return problem(503, 1);
    case Code::kFull: return problem(503, 10);
    case Code::kStorage: return problem(503, 5);
  }
  return problem(500, 0);
}

inline net::HttpResponse TooBusy() {
  return net::Problem(503, "busy", "Too many requests of this kind are being worked on.", -1, 1);
}

}  // namespace spool
