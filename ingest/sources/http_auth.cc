#include "ingest/sources/http_auth.h"

#include <algorithm>

namespace spool {

Result<std::unique_ptr<HttpAuth>> HttpAuth::Create(HttpAuthOptions options, const Clock* clock) {
  std::vector<net::BearerToken> tokens;
  for (const Secret& secret : options.tokens) tokens.push_back({secret, 0});
  auto loaded = net::BearerTokens::Load(std::move(tokens), clock);
  if (!loaded) return tl::unexpected(loaded.error());
  return std::unique_ptr<HttpAuth>(new HttpAuth(std::move(options), std::move(*loaded)));
}

std::optional<net::HttpResponse> HttpAuth::Refuse(const net::HttpRequest& request) const {
  const std::vector<std::string>& allowed = options_.client_names;
  if (request.client != nullptr && !allowed.empty()) {
    const std::vector<std::string>& names = request.client->names;
    const bool known = std::find_first_of(names.begin(), names.end(), allowed.begin(),
                                          allowed.end()) != names.end();
    if (!known) {
      return net::Problem(403, "certificate_not_allowed",
                          "None of the names in the client's certificate may send events here.");
    }
  }
  if (request.client != nullptr && options_.either) return std::nullopt;
  if (request.client == nullptr && !allowed.empty() && !options_.either) {
    return net::Problem(403, "certificate_required", "This needs a client certificate.");
  }
  if (tokens_->empty()) return std::nullopt;
  // Also as the CloudEvents webhook has it for senders that cannot set a header
  // (http-webhook.md 3.2).
  const std::string in_query =
      request.Header("authorization").empty() ? request.QueryParam("access_token") : "";
  const std::string_view token = in_query.empty() ? net::BearerOf(request) : in_query;
  if (!token.empty() && tokens_->RankOf(token)) return std::nullopt;
  return net::Unauthorized(!token.empty());
}

}  // namespace spool
