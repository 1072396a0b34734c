// Real Go's text/template, with sprig (tests/servers/template_oracle), to compare ours with.
#pragma once

#include <string>
#include <vector>

namespace spool::testing {

struct GoRendering {
  std::string output;
  std::string error;  // empty: it went well
};

// What Go makes of each template with each event: [template][event]. `dialect` is "go" or "sprig",
// `now` what the function now gives, RFC 3339. Empty, and a failed test, when Go cannot be asked.
std::vector<std::vector<GoRendering>> AskGo(const std::string& dialect, const std::string& now,
                                            const std::vector<std::string>& templates,
                                            const std::vector<std::string>& events);

// The Go that is asked is 1.N: this is N. 0, and a failed test, when it cannot be asked.
int GoMinor();

// The events of the corpus (tests/forward/templates/events), in the order of their names.
std::vector<std::string> TemplateEvents();

std::string ReadWhole(const std::string& path);

}  // namespace spool::testing
