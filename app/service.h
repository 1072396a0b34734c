// The running whole: journal, sources, forwarders, replays and the admin API, built and stopped in
// order.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/reload.h"
#include "base/result.h"

namespace spool {

// Reads the configuration again as at the start, with what the command line says. Any thread.
using ConfigLoader = std::function<ConfigResult()>;

// Any thread.
class Service {
 public:
  // Builds everything and serves. `on_fatal` is called once, from any thread, when a storage
  // error makes going on wrong: the caller must end the process with status 74.
  // A journal that is damaged or in use gives kDamaged or kConflict. Without `load` there is no
  // Reload. `on_end` is called from any thread when nothing can come any more from any source, and
  // all is durable; must not block.
  static Result<std::unique_ptr<Service>> Start(Config config,
                                                std::function<void(const Error&)> on_fatal,
                                                ConfigLoader load = {},
                                                std::function<void()> on_end = {});
  // After Start gave kDamaged: the admin listener alone, whose /ready fails with `reason`, so that
  // people and probes are told. Touches no data.
  static Result<std::unique_ptr<Service>> ServeDamage(Config config, const Error& reason);
  virtual ~Service() = default;
  // Sources stop accepting, what is begun is answered or cut, forwarders finish the batch in
  // hand, the journal syncs and closes. Idempotent.
  virtual void Stop(SteadyTime deadline) = 0;

  // As app/reload.h says; also asked for through the admin API. One at a time; logs what came of
  // it. Takes as long as the attempts in hand of the targets concerned, at most about five seconds.
  virtual ReloadReport Reload() = 0;

  virtual std::string admin_address() const = 0;  // with the real port
  virtual std::vector<std::string> ingest_addresses() const = 0;
};

}  // namespace spool
