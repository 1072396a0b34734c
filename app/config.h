// What the operator wants: the configuration, checked and complete.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/config_settings.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "forward/forwarder.h"
#include "forward/route.h"
#include "ingest/quota.h"
#include "ingest/redaction.h"
#include "ingest/sources/http_auth.h"
#include "ingest/sources/settings.h"
#include "net/http_server.h"
#include "spool/journal.h"

namespace spool {

struct AdminToken {
  Secret secret;
  std::string role;  // "viewer" | "reader" | "operator" | "admin"
  std::string name;  // of whoever has it, for the audit stream; empty: where the token is
};

struct AdminSettings {
  std::string address = "127.0.0.1:8081";
  std::vector<AdminToken> tokens;
  bool insecure = false;  // serve without TLS on an address that is not loopback
  std::optional<net::TlsFiles> tls;
  size_t connections = 128;
};

struct HttpSourceSettings {
  std::string name;
  std::string address = "127.0.0.1:8080";
  std::vector<std::string> paths;  // empty: all
  net::HttpLimits limits;
  QuotaLimits quota;
  std::optional<net::TlsFiles> tls;
  HttpAuthOptions auth;
  std::vector<std::string> redact;  // further paths that are hidden
};

// A source that fetches.
struct PulledSourceConfig {
  std::string name;
  std::vector<std::string> redact;  // further paths that are hidden
  PulledSettings of;
};

// A target as configured; `start` is still a wish, since it needs the journal to become a sequence.
struct TargetConfig {
  TargetSettings settings;
  enum class Start { kBeginning, kNow, kTime } start = Start::kNow;
  SystemTime start_time;
};

// One of `tests`: what should become of an event.
struct ConfigTest {
  std::string name;
  std::string file;  // where it is written
  int line = 0;
  int column = 0;
  std::string event_file;  // as it can be opened; empty: event_json counts
  std::string event_json;
  std::string path;
  std::string source;  // empty: the first
  std::optional<std::string> stream;
  std::optional<std::vector<std::string>> routes;
  std::optional<std::vector<std::string>> targets;
  std::vector<RuleText> match;
};

// One of `classify`. What is empty is not set.
struct ClassifyRule {
  std::vector<RuleText> when;
  std::string category, subcategory;
  std::optional<Severity> severity;
  std::string stream;
};

struct Config {
  std::string cluster;
  std::string data_dir = "./spool-data";
  log::Level log_level = log::Level::kInfo;
  log::Format log_format = log::Format::kText;
  JournalOptions journal;  // dir, streams, dedupe, compression, reserve
  AdminSettings admin;
  std::vector<HttpSourceSettings> http_sources;
  std::vector<PulledSourceConfig> pulled_sources;
  std::vector<ClassifyRule> classify;
  bool webhook_mutations = true;  // a request that a webhook changed is admission/mutating
  std::vector<RouteSettings> routes;
  bool has_routes = false;
  RedactionSettings redaction;          // of all sources, without their paths
  std::optional<Secret> redaction_key;  // empty: one of the data directory's own
  bool quarantine_raw = false;
  std::vector<TargetConfig> targets;
  std::vector<ConfigTest> tests;
  ConfigSettings settings;  // what all of it comes to; empty when it was not read from YAML
};

// Where in the files a problem is.
struct ConfigProblem {
  std::string file;
  int line = 0;  // from 1; 0 when unknown
  int column = 0;
  std::string message;
  std::string hint;         // "did you mean …?", may be empty
  std::string source_line;  // the line itself or, when it is long, what surrounds the place
  int caret = 0;            // the place's character in source_line, from 1; 0 when there is none
  bool warning = false;
};

struct ConfigResult {
  std::optional<Config> config;         // when there are no problems
  std::vector<ConfigProblem> problems;  // all of them
  std::vector<ConfigProblem> warnings;
};

// Reads a file, or every *.yaml and *.yml of a directory merged by top-level maps.
ConfigResult LoadConfig(const std::string& path);
// The same from text; `name` stands for the file in problems.
ConfigResult ParseConfig(std::string_view text, const std::string& name);
// What runs with no --config: ingest and admin on loopback, the default streams, one stdout target.
Config DefaultConfig();
// The five default streams (kubernetes-events, infrastructure-changes, security-events,
// admission-control, quarantine).
std::vector<StreamOptions> DefaultStreams();

// What the command line says instead of the file; empty: nothing.
struct ConfigOverrides {
  std::string data_dir;
  std::string ingest;  // the address of the first http source
  std::string admin;
};
// Applies them and checks the addresses again. kInvalid naming the flag, `config` unchanged.
Status ApplyOverrides(const ConfigOverrides& overrides, Config* config);

// "file:line:column: error: message", the source line, a caret, the hint; ends with a line feed.
std::string FormatProblem(const ConfigProblem& problem);
// Its first line alone, without a line feed.
std::string FormatPlace(const ConfigProblem& problem);
// The reference page and the JSON Schema (draft-07), generated from the field tables.
std::string ConfigDocs();
std::string ConfigSchema();

}  // namespace spool
