// How commands come into the command line: each file of commands adds its own.
#pragma once

#include <functional>
#include <string>

#include "app/ctl/session.h"

namespace CLI {
class App;
}

namespace spool::ctl {

// The command that was chosen.
struct Chosen {
  std::function<Outcome<int>(Session&)> run;
  std::function<int(Printer&)> run_local;  // needs no server
  bool whole = false;                      // it asks all replicas itself, by Session::replicas
};

// A command that does something, with an example for its help. `chosen` must outlive `noun`.
CLI::App* AddCommand(CLI::App& noun, const char* name, const char* what, const char* example,
                     Chosen& chosen, std::function<Outcome<int>(Session&)> run, bool whole = false);
// One that only has commands below it.
CLI::App* AddNoun(CLI::App& app, const char* name, const char* what);

// Where the command line says that spoold is.
struct Where {
  std::string server;  // several separated by commas
  std::string context;
  std::string token_file;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};

// context.cc
void AddContexts(CLI::App& app, Chosen& chosen, const Where& where);
// top.cc
void AddTop(CLI::App& app, Chosen& chosen);
// check.cc
void AddCheck(CLI::App& app, Chosen& chosen);
// dlq_export.cc
void AddDlqExport(CLI::App& dlq, Chosen& chosen);
// drain.cc
void AddDrain(CLI::App& node, Chosen& chosen);
// probe.cc
void AddProbes(CLI::App& targets, Chosen& chosen);
// manual.cc: completion and the manual page
void AddManual(CLI::App& app, Chosen& chosen);
// explain.cc
void AddExplain(CLI::App& app, Chosen& chosen);

}  // namespace spool::ctl
