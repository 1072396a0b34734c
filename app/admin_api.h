// The admin listener: /health, /ready, /metrics and /api/v1/…, as docs/api.md and
// schemas/openapi.yaml describe them.
//
// Threads: the HTTP server's two answer what is cheap. What scans, waits or changes things runs on
// two small pools with short queues, so that neither a long search nor a target that hangs keeps
// the probes waiting; a full queue answers 503.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "app/admin_auth.h"
#include "app/admin_parts.h"
#include "base/result.h"
#include "net/http_server.h"

namespace spool {

// A path that is served. `{name}` in it stands for one word without '/' and ':'.
struct AdminRouteInfo {
  std::string_view method;
  std::string_view path;
  AdminRole role;
};
std::vector<AdminRouteInfo> AdminRoutes();

// Any thread.
class AdminApi {
 public:
  // Listens at once; until Attach, whatever needs the parts answers 503 with the readiness' code.
  // Errors as net::HttpServer::Start, and kInvalid for a token that cannot be read.
  static Result<std::unique_ptr<AdminApi>> Start(const AdminSettings& settings,
                                                 AdminContext context);
  ~AdminApi();
  AdminApi(const AdminApi&) = delete;
  AdminApi& operator=(const AdminApi&) = delete;

  // From now on `parts` is served; what was served before is let go of when the last request that
  // looks at it is answered, at the latest with Stop. The journal must outlive Stop.
  void Attach(std::shared_ptr<const AdminParts> parts);
  // From now on these tokens count.
  void Use(std::shared_ptr<AdminAuth> auth);
  // Ends waits and scans, answers what has begun, cuts at the deadline. Idempotent.
  void Stop(SteadyTime deadline);
  std::string address() const;
  std::optional<net::TlsStatus> tls() const;  // empty without TLS

 private:
  class Impl;
  explicit AdminApi(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spool
