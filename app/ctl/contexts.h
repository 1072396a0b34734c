// Named servers: a file that says where each spoold is and what to show it.
//
//   current: prod-eu
//   contexts:
//     prod-eu: { servers: [https://spool-0:8081, https://spool-1:8081], token_file: ~/prod,
//     ca_file: … }
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/ctl/failure.h"
#include "base/clock.h"

namespace spool::ctl {

struct Context {
  std::string name;
  std::vector<std::string> servers;
  std::string token_file;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};

struct ContextFile {
  std::string path;  // where it is, or would be
  std::string current;
  std::vector<Context> contexts;  // in the file's order

  const Context* Find(std::string_view name) const;
};

// $SPOOLCTL_CONTEXTS, else $XDG_CONFIG_HOME/spoolctl/contexts.yaml, else below ~/.config; empty
// when there is not even a home.
std::string ContextPath();
// An absent file is an empty one. kBadConfig with line, column and what is wrong.
Outcome<ContextFile> ReadContexts();
// Replaces the file (mode 0600, its directory 0700) in one step. kFailed.
Outcome<int> WriteContexts(const ContextFile& file);

// What the command line and the environment say about where to go; empty: nothing.
struct Wanted {
  std::string server;       // --server, several separated by commas
  std::string context;      // --context
  std::string env_server;   // SPOOLCTL_SERVER
  std::string env_context;  // SPOOLCTL_CONTEXT
};
// Who is asked, in this order: --server, --context, SPOOLCTL_SERVER, SPOOLCTL_CONTEXT, the file's
// current context, 127.0.0.1:8081. A context's token and certificates go with its servers only.
// kUsage for both flags at once, kNotFound for an unknown name.
Outcome<Context> Resolve(const Wanted& wanted);

// "a,b , c" as three; empty parts are left out.
std::vector<std::string> SplitServers(std::string_view text);
// A short name for each server: the first label of its host if these differ, else host:port.
std::vector<std::string> ReplicaNames(const std::vector<std::string>& servers);

}  // namespace spool::ctl
