// Problems of configurations, for people. Inside of the config commands.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/ctl/printer.h"

namespace spool::ctl {

// Text of a file, which may hold anything, fit for a terminal; its lines stay lines.
std::string VisibleLines(const std::string& text);

// On stderr, each with its source line and hint, fit for a terminal.
void TellProblems(Printer& out, const std::vector<ConfigProblem>& problems);

// As the admin API lists them.
std::vector<ConfigProblem> ProblemsOf(const Json& list);

// The configuration in a file or directory; when there is none, the reasons are told and `exit` is
// the status to end with. Warnings are told only with `warnings`.
std::optional<Config> LoadOrTell(Printer& out, const std::string& path, bool warnings, int* exit);

}  // namespace spool::ctl
