// Other programs' configurations made into ours.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"

namespace spool {

struct ImportResult {
  // A configuration of ours that validates (where its variables are set), with comments for what
  // has no equal. Empty with problems.
  std::string yaml;
  // Sentences, each with "FILE:LINE", in the order of the file: what the other program took and
  // never acted on, and what it did that is not kept. They stand in `yaml` as well.
  std::vector<std::string> never_worked;
  std::vector<std::string> not_kept;
  std::vector<ConfigProblem> problems;  // the text is none of such a program
};

// Of kubernetes-event-exporter: its own file, or a manifest (also one of several documents) with a
// ConfigMap that holds it. Its patterns are RE2 expressions that match anywhere and stay so; it
// compiles them at each event and takes one that is none for "does not match"; keys that it does
// not know it does not look at. Every such pattern and key is listed.
ImportResult ImportEventExporter(std::string_view text, const std::string& name);

}  // namespace spool
