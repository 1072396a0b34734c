// A part of the configuration checked against its table of fields: every field has a value of its
// type, its own or the default, and knows where it was written.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config_file.h"
#include "base/field.h"
#include "base/secret.h"
#include "forward/match.h"

namespace spool {

class Values;

struct TextAt {
  std::string text;
  Place place;
};

// A match rule with the places of its keys and values.
struct RuleAt {
  Place place;
  RuleText rule;
  std::vector<Place> keys;
  std::vector<Place> values;
};

struct FieldValue {
  const Field* field = nullptr;
  const YamlNode* node = nullptr;  // null: not written, the default counts
  Place place;                     // of the value, or of the section when it is not written
  bool good = true;                // false: a problem was told, what is below is worth nothing

  bool boolean = false;
  int64_t number = 0;  // integer, bytes, microseconds
  double real = 0;     // events or bytes a second
  std::string text;    // text, word, address, URL, when
  std::optional<Secret> secret;
  std::vector<TextAt> texts;
  std::vector<std::pair<TextAt, std::string>> text_map;
  std::vector<RuleAt> rules;
  std::vector<Values> sections;  // of a section, a list, a map (with their names)
};

// One checked section. Asking for a field that the table does not have is a bug and aborts.
class Values {
 public:
  std::string name;  // the key, in a map of sections
  Place place;       // of the key, or of the section
  const Variant* variant = nullptr;

  const FieldValue& At(std::string_view field) const;
  bool Has(std::string_view field) const { return fields.contains(field); }
  bool Written(std::string_view field) const { return At(field).node != nullptr; }
  const Values& In(std::string_view field) const;  // of a kSection
  const std::string& Text(std::string_view field) const { return At(field).text; }
  int64_t Number(std::string_view field) const { return At(field).number; }
  Micros Duration(std::string_view field) const { return Micros(At(field).number); }
  bool Bool(std::string_view field) const { return At(field).boolean; }

  std::map<std::string_view, FieldValue> fields;
};

// Checks `node` (null: nothing is written) against the section. The tree must outlive the result.
Values CheckSection(const Section& section, const YamlNode* node, const Place& place,
                    ConfigProblems& problems);

// Reads one scalar of a field into `value`; false with a problem told.
bool CheckScalar(const Field& field, const YamlNode& node, FieldValue& value,
                 ConfigProblems& problems);
// The default's text into `value`. Tables hold only good defaults: another one aborts.
void TakeFallback(const Field& field, FieldValue& value);

// "127.0.0.1:8080" and "[::1]:0" split and read; empty when it is neither.
struct ListenAddress {
  std::string host;  // without brackets
  int port = 0;
  bool loopback = false;
  bool any = false;  // 0.0.0.0 or ::
};
std::optional<ListenAddress> ParseListenAddress(std::string_view text);

// A bound as a person writes it: "64MiB", "10s", "1000".
std::string BoundText(const Field& field, int64_t value);
// "1 to 9", "1s to 10m, or 0 (no limit)"; empty when there are no bounds worth telling.
std::string RangeText(const Field& field);
// What kind of value the field takes, for people: "a size such as 64MiB".
std::string TypeText(const Field& field);

}  // namespace spool
