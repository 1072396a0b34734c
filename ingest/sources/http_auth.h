// Who may send events to an http source.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "net/bearer.h"
#include "net/http_server.h"

namespace spool {

struct HttpAuthOptions {
  std::vector<Secret> tokens;  // one of them is needed; empty: none is
  // Of clients' certificates: one of these names is needed; empty: any verified certificate will
  // do.
  std::vector<std::string> client_names;
  // A certificate takes the place of a token, and the other way round; otherwise what is asked for
  // is needed each.
  bool either = false;
};

// Any thread.
class HttpAuth {
 public:
  // kInvalid for a token that cannot be read.
  static Result<std::unique_ptr<HttpAuth>> Create(HttpAuthOptions options,
                                                  const Clock* clock = &RealClock());
  // The refusal, or nothing: 401 unauthorized, 403 certificate_required,
  // 403 certificate_not_allowed.
  std::optional<net::HttpResponse> Refuse(const net::HttpRequest& request) const;

 private:
  HttpAuth(HttpAuthOptions options, std::unique_ptr<net::BearerTokens> tokens)
      : options_(std::move(options)), tokens_(std::move(tokens)) {}

  const HttpAuthOptions options_;
  const std::unique_ptr<net::BearerTokens> tokens_;
};

}  // namespace spool
