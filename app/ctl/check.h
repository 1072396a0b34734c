// One line for Nagios and its kin: how well is spoold.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/ctl/session.h"

namespace spool::ctl {

// Nagios' own exit statuses.
inline constexpr int kCheckOk = 0;
inline constexpr int kCheckWarning = 1;
inline constexpr int kCheckCritical = 2;
inline constexpr int kCheckUnknown = 3;

// From each of these on; absent: never.
struct Threshold {
  std::optional<double> warning;
  std::optional<double> critical;
};

struct CheckOptions {
  std::vector<std::string> targets;  // only of these; empty: of all
  Threshold lag{300, 3600};          // seconds that a target's oldest event has waited
  Threshold disk{80, 90};            // percent of the volume that is used
  Threshold dead{1, 100};            // dead letters that a target has now
  Threshold hold{1, 1};              // targets that wait for hands
};

// "WARN,CRIT" of durations ("5m,1h") or numbers ("80,90", with or without %). Either may be "-":
// never. kInvalid when WARN lies above CRIT or one is none of these.
Result<Threshold> ParseThreshold(const std::string& text, bool durations);

// What was found at one server.
struct Finding {
  int level = kCheckOk;
  std::string text;
};
struct Measure {
  std::string name;  // "lag_kafka"
  std::string unit;  // "s", "%", "B", "c" or empty
  double value = 0;
  Threshold threshold;
  std::optional<double> max;
};
struct Checked {
  std::vector<Finding> findings;  // the worst first
  std::vector<Measure> measures;
  std::string summary;  // for when all is well
  int level() const { return findings.empty() ? kCheckOk : findings.front().level; }
};
// `status` as GET /api/v1/status gives it.
Checked Judge(const Json& status, const CheckOptions& options);

// "SPOOL CRITICAL - …; … | 'lag_kafka'=0s;300;3600;0 …", always one line.
std::string NagiosLine(const Checked& checked);

// Of all replicas of the session together.
int Check(Session& session, const CheckOptions& options);

}  // namespace spool::ctl
