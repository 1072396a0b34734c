// Who may do what on the admin listener.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/config.h"
#include "net/http_server.h"

namespace spool {

// What a path asks of its caller. An operator may do all that a viewer may.
enum class AdminRole { kNobody, kViewer, kOperator };
std::string_view AdminRoleName(AdminRole role);

// Immutable; any thread. Without tokens everything is open to whoever reaches the listener, which
// the configuration allows on loopback only; a browser there is kept out by the Host and Origin
// checks, since any web page can make it send requests to 127.0.0.1.
class AdminAuth {
 public:
  explicit AdminAuth(const AdminSettings& settings);

  // The refusal, or nothing: 403 bad_host, 403 bad_origin, 401 unauthorized, 403 forbidden.
  std::optional<net::HttpResponse> Refuse(const net::HttpRequest& request, AdminRole needed) const;

 private:
  bool HostAllowed(std::string_view host) const;
  AdminRole RoleOf(std::string_view token) const;

  const AdminSettings settings_;
  bool check_host_ = false;
  std::string configured_host_;
};

}  // namespace spool
