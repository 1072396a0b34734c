// Who may do what on the admin listener.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config.h"
#include "base/result.h"
#include "net/bearer.h"
#include "net/http_server.h"

namespace spool {

// What a path asks of its caller. Each role may do all that the ones before it may.
enum class AdminRole {
  kNobody,    // probes
  kViewer,    // how it goes: names, counts, states, metrics
  kReader,    // what is in events and dead letters
  kOperator,  // pause, resume, skip, replay, settle dead letters
  kAdmin,     // what cannot be undone or leaves the spool: give up a cursor, copy the journal
};
std::string_view AdminRoleName(AdminRole role);
// Empty for a name of none that a token can have.
std::optional<AdminRole> ParseAdminRole(std::string_view name);

// Who makes a request, as far as it shows. Stands for itself: the token may be gone by when it is
// written down.
struct AdminActor {
  std::string name;         // of the token, or its place; the certificate's first name; the peer
  std::string_view shown;   // "token", "certificate", or "nothing" (loopback)
  std::string role;         // what it may do
  std::string certificate;  // the client certificate's names; empty without one
};

// Requests that were refused, by why.
struct AdminRefusals {
  uint64_t unauthorized = 0;
  uint64_t forbidden = 0;
  uint64_t bad_host = 0;
  uint64_t bad_origin = 0;
};

// Any thread. Without tokens everything is open to whoever reaches the listener, which
// the configuration allows on loopback only; a browser there is kept out by the Host and Origin
// checks, since any web page can make it send requests to 127.0.0.1.
class AdminAuth {
 public:
  // kInvalid for a token that cannot be read.
  static Result<std::unique_ptr<AdminAuth>> Create(const AdminSettings& settings,
                                                   const Clock* clock = &RealClock());

  // The refusal, or nothing: 403 bad_host, 403 bad_origin, 401 unauthorized, 403 forbidden.
  std::optional<net::HttpResponse> Refuse(const net::HttpRequest& request, AdminRole needed) const;
  // Of a request that was not refused.
  AdminActor ActorOf(const net::HttpRequest& request) const;
  AdminRefusals refusals() const;
  // Goes on with the counts of the one before it. Before any other thread knows this one.
  void GoOnFrom(const AdminAuth& before) { counts_ = before.counts_; }

 private:
  struct Counts {
    std::atomic<uint64_t> unauthorized{0}, forbidden{0}, bad_host{0}, bad_origin{0};
  };

  AdminAuth(const AdminSettings& settings, std::unique_ptr<net::BearerTokens> tokens);
  bool HostAllowed(std::string_view host) const;

  const std::unique_ptr<net::BearerTokens> tokens_;
  std::vector<std::pair<std::string, std::string>> holders_;  // of each token: name and role
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
  bool check_host_ = false;
  std::string configured_host_;
};

}  // namespace spool
