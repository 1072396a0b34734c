// A manual page made from a command line's own table.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace spool {

struct ManText {
  std::string name;  // "spoolctl"
  int section = 1;
  std::string summary;   // one line
  std::string synopsis;  // behind the name; empty: made from the flags
  // Further sections, in order: a title, and lines. A line that begins with two spaces is set as it
  // is; "A\tB" is a term and what it means.
  std::vector<std::pair<std::string, std::string>> sections;
  std::vector<std::string> see_also;  // "spoold(8)"
};

// The page in roff's man macros: every command with its arguments and flags, then the sections.
// The same text for the same table: nothing of it depends on the day or the machine.
std::string ManPage(const CLI::App& app, const ManText& text);

}  // namespace spool
