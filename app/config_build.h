// From checked values to the configuration, with the checks that look at more than one field.
#pragma once

#include "app/config_values.h"

namespace spool {

// `root` is a checked ConfigSection(). With a problem told, the result is worth nothing.
Config BuildConfig(const Values& root, ConfigProblems& problems);

// The `redact` of a source.
std::vector<std::string> BuildRedact(const Values& source, ConfigProblems& problems);

// One source that fetches.
PulledSourceConfig BuildPulledSource(const Values& source, ConfigProblems& problems);

// A bus that is both source and target, so that what is delivered would come in again.
void CheckLoops(const Values& root, const Config& config, ConfigProblems& problems);

// One target's part of it.
TargetConfig BuildTarget(const Values& target, ConfigProblems& problems);

// The configuration's tests; what they expect must be there.
std::vector<ConfigTest> BuildTests(const Values& root, const Config& config,
                                   ConfigProblems& problems);

// The rules of `classify`; what they set must be there.
std::vector<ClassifyRule> BuildClassify(const Values& root, const Config& config,
                                        ConfigProblems& problems);

// Why two listeners on these cannot both be served, or an admin address not at all; empty if fine.
bool SameListener(const ListenAddress& a, const ListenAddress& b);
struct AdminComplaint {
  std::string message;
  std::string hint;
};
std::optional<AdminComplaint> CheckAdmin(const AdminSettings& admin);

}  // namespace spool
