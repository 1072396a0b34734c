#include "app/config_environment.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace spool {
namespace {

constexpr const char* kName = "environment";

struct NotYet {
  std::array<const char*, 4> variables;  // of one thing: the first one that is set is told
  const char* says;
};
constexpr NotYet kNotYet[] = {
    {{"SERVICENOW_INSTANCE", "SERVICENOW_USERNAME", "SERVICENOW_PASSWORD",
      "SERVICENOW_TABLE_MAPPING"},
     "targets of type servicenow are not available yet"},
    {{"SPLUNK_HEC_URL", "SPLUNK_TOKEN"}, "targets of type splunk are not available yet"},
};

// As a YAML scalar in quotes: JSON's are, and a dollar would begin a variable.
std::string Quoted(std::string_view text) {
  std::string out = nlohmann::json(std::string(text))
                        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  for (size_t i = 0; (i = out.find('$', i)) != std::string::npos; i += 2) out.insert(i, 1, '$');
  return out;
}

// What stands between commas, as a YAML list.
std::string ListOf(std::string_view list) {
  std::string out;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (!one.empty()) out += (out.empty() ? "" : ", ") + Quoted(one);
  }
  return "[" + out + "]";
}

std::string Level(std::string_view text) {
  std::string level(text);
  for (char& c : level) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (level == "warning") return "warn";
  if (level == "trace") return "debug";
  return level;
}

ConfigProblem Problem(std::string variable, std::string message, std::string hint) {
  ConfigProblem problem;
  problem.file = std::string(kName);
  problem.message = variable + ": " + std::move(message);
  problem.hint = std::move(hint);
  return problem;
}

}  // namespace

ConfigResult EnvironmentConfig(const Environment& environment) {
  const auto value = [&](const char* name) -> std::string_view {
    const char* text = environment(name);
    return text == nullptr ? std::string_view() : std::string_view(text);
  };
  ConfigResult result;
  for (const NotYet& feature : kNotYet) {
    const auto set = std::find_if(
        feature.variables.begin(), feature.variables.end(),
        [&](const char* variable) { return variable != nullptr && !value(variable).empty(); });
    if (set == feature.variables.end()) continue;
    result.problems.push_back(
        Problem(*set, feature.says,
                "unset it, or write a configuration with a target that is there (--config)"));
  }
  const std::string_view nats = value("NATS_URL");
  const std::string_view kafka = value("KAFKA_BROKERS");
  const std::string_view topics = value("KAFKA_TOPICS");
  const std::string_view level = value("LOG_LEVEL");
  if (!topics.empty() && kafka.empty()) {
    result.problems.push_back(Problem("KAFKA_TOPICS", "topics without brokers",
                                      "set KAFKA_BROKERS, too: the topics are fetched from there"));
  }
  std::string text = "version: 1\n";
  if (!level.empty()) text += "log: { level: " + Quoted(Level(level)) + " }  # LOG_LEVEL\n";
  // The very first start creates the journal, so `beginning` is everything that ever came in.
  const bool fetches = !topics.empty() && !kafka.empty();  // Kafka is the source then
  if (!nats.empty() || !kafka.empty()) {
    text += "sources:\n  web: { type: http, address: \"0.0.0.0:8080\" }\n";
    if (fetches) {
      text += "  kafka: { type: kafka, brokers: " + ListOf(kafka) + ", topics: " + ListOf(topics) +
              " }  # KAFKA_TOPICS\n";
    }
  }
  if (nats.empty() && (kafka.empty() || fetches)) {
    text += "targets: { stdout: { type: stdout, start: beginning } }\n";
  } else {
    text += "targets:\n";
    if (!nats.empty()) {
      text +=
          "  nats: { type: nats, subject: \"{stream}\", start: beginning, url: " + Quoted(nats) +
          " }  # NATS_URL\n";
    }
    if (!kafka.empty() && !fetches) {
      text += "  kafka: { type: kafka, topic: \"{stream}\", start: beginning, brokers: " +
              ListOf(kafka) + " }  # KAFKA_BROKERS\n";
    }
  }
  ConfigResult parsed = ParseConfig(text, kName);
  result.warnings = std::move(parsed.warnings);
  for (ConfigProblem& problem : parsed.problems) result.problems.push_back(std::move(problem));
  if (result.problems.empty()) result.config = std::move(parsed.config);
  return result;
}

}  // namespace spool
