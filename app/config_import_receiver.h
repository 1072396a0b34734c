// A receiver of kubernetes-event-exporter as a target. Inside of config_import.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config_file.h"

namespace spool {

struct ImportedTarget {
  std::string receiver;  // its name there
  std::string name;      // and here
  // As YAML: the name and its map on the first line, or several. Empty when there is no such
  // target; then `why_not` says so.
  std::vector<std::string> lines;
  std::string why_not;
  std::vector<std::string> not_kept;
  std::vector<std::pair<int, std::string>> never_worked;  // with the line
  bool used = false;                                      // some route leads to it
};
ImportedTarget ImportReceiver(const YamlNode& node);

// As a YAML scalar; variables in it stay variables.
std::string YamlText(std::string_view text);
// A name as ours are: a-z, 0-9 and '-', at most 63.
std::string SpoolName(std::string_view text);
// Without line ends, for a comment.
std::string OneLine(std::string_view text);

}  // namespace spool
