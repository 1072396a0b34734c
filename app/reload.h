// What becomes of a running service when its configuration is read again.
//
// A reload reads, checks and builds everything that is new, and only then changes anything; when
// something is wrong, or is not to be changed while the service runs, the old configuration stays
// in force as a whole. What it changes:
//
//   targets   What did not change goes on undisturbed. What changed, by itself or by the routes
//   that
//             lead to it, finishes the attempt in hand and goes on from the same cursor; what it
//             had not settled is judged by the new routes. What is gone stops; its cursor stays and
//             keeps events from retention until it is removed. What is new begins at its `start`.
//   replays   Those to a changed target go on with what it has become; those to one that is gone
//   are
//             paused.
//   streams   Retention counts from its next pass on, `when_full` from the next event on.
//   sources   Paths, tokens, certificates' names and quotas count from the next request on.
//   admin     Tokens count from the next request on.
//   log       Counts at once.
//
// The rest needs a restart: data_dir, journal, cluster, addresses, TLS files and limits of
// listeners, and which sources and streams there are. (The contents of secrets and TLS files are
// followed without a reload.)
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/clock.h"

namespace spool {

// What differs between two configurations, and what a reload would do about it.
struct ReloadPlan {
  std::vector<std::string> keys;       // every setting that differs
  std::vector<ConfigProblem> refused;  // those that need a restart; not empty: nothing is done
  std::vector<std::string> fixed;      // the same as keys: "journal.scrub", "sources.web"
  // Targets, by name.
  std::vector<std::string> added;
  std::vector<std::string> changed;
  std::vector<std::string> removed;
};
// Pure. Both were read from YAML (their `settings` are there). `routes` that only change their
// order or their names' defaults do not disturb a target.
ReloadPlan PlanReload(const Config& running, const Config& fresh);

struct ReloadReport {
  bool ok = false;
  // It is in force, though perhaps not all of it: then `code` is "target_not_running".
  bool taken = false;
  // Why not ok: "invalid_config" and "needs_restart" with `problems`, "target_not_running", or the
  // code of an error.
  std::string code;
  std::string detail;     // a sentence
  uint64_t revision = 0;  // that is in force now
  ReloadPlan plan;        // of a configuration that could be read
  std::vector<ConfigProblem> problems;
  std::vector<ConfigProblem> warnings;
};

// What is in force.
struct ReloadState {
  std::shared_ptr<const Config> config;
  uint64_t revision = 1;  // counts the configurations since the start
  SystemTime since;       // when it came into force
  bool last_ok = true;    // the last reload, or the start
  SystemTime last_success;
  std::string last_error;  // of a last reload that failed
};

}  // namespace spool
