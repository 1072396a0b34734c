// The commands, one file a noun. Each prints its result and gives the exit status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/ctl/session.h"

namespace spool::ctl {

int Status(Session& session);

int StreamLs(Session& session);
int StreamInfo(Session& session, const std::string& name);
Table StreamTable(std::span<const Json> streams, bool wide);

// Which events, in the order of the flags. Patterns are those of routes; times are what the user
// typed, already checked.
struct EventQuery {
  std::vector<std::pair<std::string, std::string>> fields;  // "stream", "kind", …
  std::vector<std::string> match;                           // K=V
  std::string since;
  std::string from;
  std::string to;
  std::optional<uint64_t> from_sequence;
  std::optional<uint64_t> to_sequence;
  std::optional<uint64_t> limit;
  uint64_t scan_max = 1'000'000;  // events without a match that are looked at before giving up
  bool by_event_time = false;
  bool follow = false;
};
int EventsLs(Session& session, const EventQuery& query);
// The same of every replica of the session.
int EventsLsOfReplicas(Session& session, const EventQuery& query);
// `query` for `since` and `to_sequence`: how far back, and below what, an id is looked for.
int EventsGet(Session& session, const std::string& id, const EventQuery& query);

int TargetLs(Session& session);
int TargetInfo(Session& session, const std::string& name);
int TargetPause(Session& session, const std::string& name);
int TargetResume(Session& session, const std::string& name);
int TargetSkip(Session& session, const std::string& name, const std::string& to);
Table TargetTable(std::span<const Json> targets, bool wide);

struct DeadLetterQuery {
  std::string target;
  std::string after;
  uint64_t limit = 100;
};
int DlqLs(Session& session, const DeadLetterQuery& query);
int DlqGet(Session& session, const std::string& id);
// Which dead letters: ids, or all of a target, or those of it with a reason.
struct DeadLetterChoice {
  std::vector<std::string> ids;
  std::string target;
  std::string reason;
  bool all = false;
};
int DlqRetry(Session& session, const DeadLetterChoice& choice);
int DlqDrop(Session& session, const DeadLetterChoice& choice);

struct ReplayStartOptions {
  std::string target;
  std::string from;
  std::string to;
  std::vector<std::string> match;
  double rate = 0;  // events per second; 0: no limit
  bool dry_run = false;
  bool detach = false;
};
int ReplayStart(Session& session, const ReplayStartOptions& options);
int ReplayLs(Session& session);
int ReplayInfo(Session& session, const std::string& id);
int ReplayWatch(Session& session, const std::string& id);
int ReplayPause(Session& session, const std::string& id);
int ReplayResume(Session& session, const std::string& id);
int ReplayCancel(Session& session, const std::string& id);

int SourceLs(Session& session);
int SourceInfo(Session& session, const std::string& name);
// Of all sources where `name` is empty.
int SourceGaps(Session& session, const std::string& name);
Table SourceTable(std::span<const Json> sources, bool wide);

// config.cc and its neighbours; those with a Printer alone need no server.
int ConfigValidate(Printer& out, const std::vector<std::string>& paths);
int ConfigSchemaText(Printer& out);
// Prints the configuration that an exporter's file makes.
int ConfigImport(Printer& out, const std::string& path);
// Runs the tests that are in it: kFailed when one fails.
int ConfigTestFile(Printer& out, const std::string& path);
// The same, and what would change for the last `events` that are stored. Also kBadConfig.
int ConfigTestHistory(Session& session, const std::string& path, uint64_t events);
int ConfigShow(Session& session);  // what is in force
int ConfigShowFile(Printer& out, const std::string& path);
// What would change if the running spoold read `path`: kDone when nothing, kFailed when something.
int ConfigDiff(Session& session, const std::string& path);
// kBadConfig when the new configuration has problems, kFailed when it needs a restart.
int ConfigReload(Session& session);
// Into a directory on the server's side.
int NodeSnapshot(Session& session, const std::string& dir);
// Of a directory that no spoold uses. kFailed when something is damaged.
int OfflineInspect(Printer& out, const std::string& dir, bool verify);
// kRefused when there is something to give up and `accept_loss` is not said.
int OfflineRepair(Printer& out, const std::string& dir, bool accept_loss);
int Version(Session& session, bool client_only);

}  // namespace spool::ctl
