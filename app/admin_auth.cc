#include "app/admin_auth.h"

#include <algorithm>
#include <cctype>

#include "app/config_values.h"
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

// Who tries tokens, or uses the wrong one, is told of once in a while.
void LogRefusal(const net::HttpRequest& request, int status, std::string_view code,
                std::string_view actor = {}) {
  static log::Limiter limiter;
  if (uint64_t held_back = 0; limiter.Allow(&held_back)) {
    log::Warn("A request to the admin API was refused.", {{"peer", request.peer},
                                                          {"method", request.method},
                                                          {"status", status},
                                                          {"code", code},
                                                          {"actor", actor},
                                                          {"held_back", held_back}});
  }
}

constexpr AdminRole kRoles[] = {AdminRole::kViewer, AdminRole::kReader, AdminRole::kOperator,
                                AdminRole::kAdmin};

}  // namespace

std::string_view AdminRoleName(AdminRole role) {
  switch (role) {
    case AdminRole::kNobody: return "nobody";
    case AdminRole::kViewer: return "viewer";
    case AdminRole::kReader: return "reader";
    case AdminRole::kOperator: return "operator";
    case AdminRole::kAdmin: return "admin";
  }
  return "admin";
}

std::optional<AdminRole> ParseAdminRole(std::string_view name) {
  for (const AdminRole role : kRoles) {
    if (AdminRoleName(role) == name) return role;
  }
  return std::nullopt;
}

Result<std::unique_ptr<AdminAuth>> AdminAuth::Create(const AdminSettings& settings,
                                                     const Clock* clock) {
  std::vector<net::BearerToken> tokens;
  for (const AdminToken& token : settings.tokens) {
    const std::optional<AdminRole> role = ParseAdminRole(token.role);
    if (!role) return Fail(Code::kInvalid, "there is no role \"" + token.role + '"');
    tokens.push_back({token.secret, static_cast<int>(*role)});
  }
  auto loaded = net::BearerTokens::Load(std::move(tokens), clock);
  if (!loaded) return tl::unexpected(loaded.error());
  return std::unique_ptr<AdminAuth>(new AdminAuth(settings, std::move(*loaded)));
}

AdminAuth::AdminAuth(const AdminSettings& settings, std::unique_ptr<net::BearerTokens> tokens)
    : tokens_(std::move(tokens)) {
  for (const AdminToken& token : settings.tokens) {
    holders_.emplace_back(token.name.empty() ? token.secret.Where() : token.name, token.role);
  }
  if (const auto address = ParseListenAddress(settings.address)) {
    check_host_ = address->loopback;
    configured_host_ = Lower(address->host);
  }
}

bool AdminAuth::HostAllowed(std::string_view host) const {
  const std::string name = HostOf(host);
  return name == "localhost" || name == "127.0.0.1" || name == "::1" || name == configured_host_;
}

std::optional<net::HttpResponse> AdminAuth::Refuse(const net::HttpRequest& request,
                                                   AdminRole needed) const {
  const std::string_view host = request.Header("host");
  if (check_host_ && !host.empty() && !HostAllowed(host)) {
    ++counts_->bad_host;
    LogRefusal(request, 403, "bad_host");
    return net::Problem(403, "bad_host", "This listener answers on loopback names only.");
  }
  const std::string_view origin = request.Header("origin");
  if (!origin.empty() && !origin.ends_with("//" + std::string(host))) {
    ++counts_->bad_origin;
    LogRefusal(request, 403, "bad_origin");
    return net::Problem(403, "bad_origin", "Pages of other origins may not use this API.");
  }
  if (needed == AdminRole::kNobody || tokens_->empty()) return std::nullopt;
  const std::string_view token = net::BearerOf(request);
  const std::optional<int> rank = token.empty() ? std::nullopt : tokens_->RankOf(token);
  if (!rank) {
    ++counts_->unauthorized;
    LogRefusal(request, 401, "unauthorized");
    return net::Unauthorized(!token.empty());
  }
  if (*rank < static_cast<int>(needed)) {
    ++counts_->forbidden;
    LogRefusal(request, 403, "forbidden", ActorOf(request).name);
    return net::Forbidden("This needs a token of the role " + std::string(AdminRoleName(needed)) +
                          ".");
  }
  return std::nullopt;
}

AdminActor AdminAuth::ActorOf(const net::HttpRequest& request) const {
  AdminActor actor;
  actor.name = request.peer.substr(0, request.peer.rfind(':'));
  actor.shown = "nothing";
  actor.role = AdminRoleName(AdminRole::kAdmin);
  if (request.client != nullptr) {
    for (const std::string& name : request.client->names) {
      actor.certificate += (actor.certificate.empty() ? "" : ", ") + name;
    }
    if (!request.client->names.empty()) actor.name = request.client->names.front();
    actor.shown = "certificate";
  }
  if (tokens_->empty()) return actor;
  const auto match = tokens_->Find(net::BearerOf(request));
  if (!match) return actor;
  actor.name = holders_[match->index].first;
  actor.role = holders_[match->index].second;
  actor.shown = "token";
  return actor;
}

AdminRefusals AdminAuth::refusals() const {
  return {counts_->unauthorized, counts_->forbidden, counts_->bad_host, counts_->bad_origin};
}

}  // namespace spool
