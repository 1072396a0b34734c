// What the admin API and the metrics page look at. The service owns all of it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/reload.h"
#include "base/clock.h"
#include "forward/forwarder.h"
#include "ingest/sources/http.h"
#include "net/tls.h"
#include "replay/jobs.h"
#include "spool/journal.h"
#include "spool/source_gaps.h"

namespace spool {

// Immutable once attached, and replaced as a whole when the configuration changes; everything in it
// is safe to call from any thread.
struct AdminParts {
  const Config& config;
  Journal& journal;
  const SourceGaps& gaps;
  ReplayJobs& replays;
  std::map<std::string, Forwarder*> targets;
  std::vector<const Source*> sources;                        // all
  std::vector<const HttpSource*> http_sources;               // those of them that listen for HTTP
  std::function<std::optional<net::TlsStatus>()> admin_tls;  // of the admin listener; empty: none
  std::vector<std::shared_ptr<const void>> owners = {};      // keep what is above
};

// Whether requests can be served now, and if not, why.
struct Readiness {
  bool ready = true;
  std::string code = "not_ready";    // of the problem: "starting", "stopping", "storage", "damaged"
  std::vector<std::string> reasons;  // sentences; also warnings of a service that is ready
};

struct AdminContext {
  std::function<Readiness()> readiness;  // any thread, quick
  const Clock* clock = &RealClock();
  SteadyTime started;
  // Takes no new events, or takes them again; any thread. False when some that had begun are still
  // not stored after ten seconds. Empty: the service cannot do that.
  std::function<bool(bool)> drain;
  // Has the target that runs now under that name look for what changed; any thread. Empty: the one
  // of the parts is it.
  std::function<void(const std::string&)> wake = {};
  // Of the configuration. Empty where there is none to ask for.
  std::function<ReloadState()> reload_state = {};
  std::function<ReloadReport()> reload = {};  // takes as long as the targets take to stop
};

// Every listener that speaks TLS, with its name: "admin", or the source's.
std::vector<std::pair<std::string, net::TlsStatus>> TlsListeners(const AdminParts& parts);
// Cursors of targets that are not configured any more: they keep events from retention.
std::vector<CursorStatus> AbandonedCursors(const AdminParts& parts);
// Sentences for an operator about what is not well though nothing is lost.
std::vector<std::string> Warnings(const AdminParts& parts);

}  // namespace spool
