// What a configuration comes to, field by field: every key with its value or its default, for
// people to see and for two configurations to be compared.
//
// Secrets stand here as what they are in the file, references; a value that may be one all the
// same (an Authorization header, the query of a URL) is "(hidden)". Where a value has ${VAR} in it,
// that is what is told, since the variable may hold a secret.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spool {

struct Setting {
  // "targets", "kafka", "batch", "events". An item of a list is its name or its number from 0 in
  // brackets: "[incidents]", "[0]"; the second of one name is "[ops#2]".
  std::vector<std::string> path;
  std::string value;        // as YAML, on one line
  bool written = false;     // in the file or on the command line; otherwise it is the default
  bool overridden = false;  // on the command line
  bool hidden = false;      // `value` does not tell it
  std::string identity;     // of a hidden one: what tells it from others; never shown
  // Where it is written; 0 when it is not in a file.
  std::string file;
  int line = 0;
  int column = 0;

  std::string Key() const;  // "targets.kafka.batch.events", "routes[incidents].to"
  bool Same(const Setting& other) const {
    return value == other.value && identity == other.identity;
  }
};
using ConfigSettings = std::vector<Setting>;  // in the order of the reference page

class Values;
// `root` is a checked ConfigSection().
ConfigSettings SettingsOf(const Values& root);

// Puts in the place of the setting with that path, or behind all.
void SetSetting(ConfigSettings& settings, std::vector<std::string> path, std::string_view text);

// A whole configuration as YAML, which means the same when it is read (but for what is hidden).
// With `mark_defaults` a comment tells what is not written in the file.
std::string SettingsYaml(const ConfigSettings& settings, bool mark_defaults);

// One line for each setting that differs, in order.
struct SettingChange {
  std::vector<std::string> path;
  std::optional<std::string> before;  // nothing: it is new
  std::optional<std::string> after;   // nothing: it is gone
  const Setting* setting = nullptr;   // in `after`'s settings, or in `before`'s when it is gone

  std::string Key() const;
};
// Pointers go into both arguments.
std::vector<SettingChange> CompareSettings(const ConfigSettings& before,
                                           const ConfigSettings& after);

}  // namespace spool
