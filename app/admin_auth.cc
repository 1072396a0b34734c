#include "app/admin_auth.h"

#include <algorithm>
#include <cctype>

#include "app/config_values.h"
#include "base/hash.h"
#include "base/log.h"

namespace spool {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// "localhost:8081" and "[::1]:8081" without port and brackets.
std::string HostOf(std::string_view authority) {
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    return end == authority.npos ? "" : Lower(authority.substr(1, end - 1));
  }
  return Lower(authority.substr(0, authority.find(':')));
}

// Takes the same time whatever differs.
bool SameSecret(const Hash128& a, const Hash128& b) {
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < a.bytes.size(); ++i) difference = difference | (a.bytes[i] ^ b.bytes[i]);
  return difference == 0;
}

std::string_view BearerToken(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  if (header.size() <= kScheme.size() || Lower(header.substr(0, kScheme.size())) != kScheme)
    return {};
  header.remove_prefix(kScheme.size());
  while (header.starts_with(' ')) header.remove_prefix(1);
  while (header.ends_with(' ')) header.remove_suffix(1);
  return header;
}

}  // namespace

std::string_view AdminRoleName(AdminRole role) {
  switch (role) {
    case AdminRole::kNobody: return "nobody";
    case AdminRole::kViewer: return "viewer";
    case AdminRole::kOperator: return "operator";
  }
  return "operator";
}

AdminAuth::AdminAuth(const AdminSettings& settings) : settings_(settings) {
  if (const auto address = ParseListenAddress(settings.address)) {
    check_host_ = address->loopback;
    configured_host_ = Lower(address->host);
  }
}

bool AdminAuth::HostAllowed(std::string_view host) const {
  const std::string name = HostOf(host);
  return name == "localhost" || name == "127.0.0.1" || name == "::1" || name == configured_host_;
}

AdminRole AdminAuth::RoleOf(std::string_view token) const {
  const Hash128 presented = Sha256Prefix(token);
  AdminRole role = AdminRole::kNobody;
  for (const AdminToken& known : settings_.tokens) {
    const Result<std::string> secret = known.secret.Read();
    if (!secret) {
      static log::Limiter limiter(60);
      if (uint64_t held_back = 0; limiter.Allow(&held_back)) {
        log::Warn("An admin token cannot be read; whoever has it is refused.",
                  {{"token", known.secret.Where()}});
      }
      continue;
    }
    if (!SameSecret(Sha256Prefix(*secret), presented)) continue;
    role = std::max(role, known.role == "operator" ? AdminRole::kOperator : AdminRole::kViewer);
  }
  return role;
}

std::optional<net::HttpResponse> AdminAuth::Refuse(const net::HttpRequest& request,
                                                   AdminRole needed) const {
  const std::string_view host = request.Header("host");
  if (check_host_ && !host.empty() && !HostAllowed(host)) {
    return net::Problem(403, "bad_host", "This listener answers on loopback names only.");
  }
  const std::string_view origin = request.Header("origin");
  if (!origin.empty() && !origin.ends_with("//" + std::string(host))) {
    return net::Problem(403, "bad_origin", "Pages of other origins may not use this API.");
  }
  if (needed == AdminRole::kNobody || settings_.tokens.empty()) return std::nullopt;
  const std::string_view token = BearerToken(request.Header("authorization"));
  const AdminRole role = token.empty() ? AdminRole::kNobody : RoleOf(token);
  if (role == AdminRole::kNobody) {
    net::HttpResponse response =
        net::Problem(401, "unauthorized", "This needs a token: Authorization: Bearer TOKEN.");
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"spool\"");
    return response;
  }
  if (role < needed) {
    return net::Problem(
        403, "forbidden",
        "This needs a token of the role " + std::string(AdminRoleName(needed)) + ".");
  }
  return std::nullopt;
}

}  // namespace spool
