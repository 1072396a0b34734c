// The command line of `spoolctl config`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/ctl/session.h"

namespace CLI {
class App;
}

namespace spool::ctl {

// What it can say. The command line keeps pointers into it.
struct ConfigArguments {
  std::vector<std::string> paths;
  std::string path;
  uint64_t history = 0;  // 0: none
};

// Adds the commands to the noun. The one that is chosen goes to `remote`, or to `local` when it
// needs no server.
void AddConfigCommands(CLI::App& config, ConfigArguments& args,
                       const std::function<void(std::function<Outcome<int>(Session&)>)>& remote,
                       const std::function<void(std::function<int(Printer&)>)>& local);

}  // namespace spool::ctl
