// One table of fields per section of the configuration: the parser, the bounds, the defaults, the
// reference page and the JSON Schema are all made from it. Data only; the tables live for ever.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace spool {

enum class FieldType {
  kText,      // any text of `min` to `max` bytes, without control characters
  kName,      // [a-z0-9-]{1,63}
  kBool,      // true or false
  kInteger,   // min to max
  kBytes,     // "64MiB", "512"; bounds in bytes
  kDuration,  // "10s"; bounds and step in microseconds
  kRate,      // "100/s", "600/m" or a number of events a second
  kByteRate,  // "100MiB/s", "6GiB/m" or a size a second; bounds in bytes a second
  kWord,      // one of `words`
  kAddress,   // "127.0.0.1:8080", "[::1]:8080"
  kUrl,       // one of `words` as its scheme, and a host
  kWhen,      // "beginning", "now", or a time
  kSecret,    // { file: PATH } or { env: NAME }
  kTextList,
  kTextMap,
  kRules,        // a list of match rules, or one rule
  kSection,      // `section`
  kSectionList,  // a list of `section`
  kSectionMap,   // NAME: `section`
};

struct Section;

struct Field {
  std::string_view name;
  FieldType type = FieldType::kText;
  bool required = false;
  std::string_view fallback = {};  // the default, as one would write it; empty: none
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();
  int64_t step = 1;            // a duration is a multiple of it
  std::string_view zero = {};  // what 0 means, where it is taken although below `min`
  std::vector<std::string_view> words = {};
  const Section* section = nullptr;
  std::string_view help = {};  // one or two plain sentences
  std::string_view example = {};
};

// Fields that a section has only when its field "type" is `word`.
struct Variant {
  std::string_view word;
  std::string_view help;
  std::vector<Field> fields;
};

struct Section {
  std::string_view name;  // of one of its kind: "target"
  std::string_view help = {};
  std::vector<Field> fields = {};
  std::vector<Variant> variants = {};                 // not empty: "type" is required
  std::vector<std::string_view> later_variants = {};  // known words that this version cannot do
};

}  // namespace spool
