// YAML as a plain tree that knows where each of its values stands. The YAML library is seen by
// config_file.cc alone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config.h"

namespace spool {

// One file's text, kept while problems may quote it.
struct ConfigText {
  std::string name;
  std::string text;
  std::vector<size_t> line_starts;  // byte offsets

  ConfigText(std::string file_name, std::string contents);
  // Without its line end; empty beyond the last line. `line` counts from 1.
  std::string_view Line(int line) const;
};

// Lines and columns count from 1; a column is a character, not a byte. 0 means unknown.
struct Place {
  std::shared_ptr<const ConfigText> file;
  int line = 0;
  int column = 0;
};

struct YamlNode {
  enum class Kind { kNull, kScalar, kMap, kList };
  Kind kind = Kind::kNull;
  Place start;
  int end_line = 0;  // just behind the node
  int end_column = 0;
  bool quoted = false;       // quoted or a block: text whatever it looks like
  bool substituted = false;  // ${…} was replaced in it
  bool unusable = false;     // ${…} could not be replaced, which was told
  std::string text;          // of a scalar, as it counts
  std::string written;       // of a substituted scalar, as it stands in the file

  struct Entry;
  std::vector<Entry> entries;   // of a map, in order
  std::vector<YamlNode> items;  // of a list

  const YamlNode* Find(std::string_view key) const;
};
struct YamlNode::Entry {
  std::string key;
  Place place;  // of the key
  YamlNode value;
};

inline constexpr size_t kConfigFileBytesMax = size_t{1} << 20;
inline constexpr int kConfigDepthMax = 32;
inline constexpr size_t kConfigNodesMax = 50'000;  // after aliases are followed
inline constexpr size_t kConfigNamesMax = 1'000;   // targets, sources, routes; of each

// All problems of one load; repeats at one place are told once, and at most kMax are kept.
class ConfigProblems {
 public:
  static constexpr size_t kMax = 100;
  void Add(const Place& place, const std::string& message, const std::string& hint = {});
  // No quoted line shows the characters of this value: it is, or may be, a secret.
  void Hide(const YamlNode& value);
  void Warn(const Place& place, const std::string& message, const std::string& hint = {});
  // Of a file as a whole.
  void AddFile(const std::string& file, const std::string& message, const std::string& hint = {});
  bool empty() const { return problems_.empty(); }
  // Nothing more would be kept: looking for further problems of the same kind is idle.
  bool full() const { return problems_.size() >= kMax; }
  // Moves everything into `result`, ordered by file and place.
  void MoveTo(ConfigResult& result);

 private:
  struct Kept {
    Place place;
    ConfigProblem problem;
  };
  struct Hidden {
    const ConfigText* file;
    int first_line, first_column;
    int end_line, end_column;
  };
  void Keep(std::vector<Kept>& list, const Place& place, const std::string& file,
            const std::string& message, const std::string& hint);
  void Quote(Kept& kept) const;
  std::vector<ConfigProblem> Finish(std::vector<Kept>& list) const;

  std::vector<Kept> problems_;
  std::vector<Kept> warnings_;
  std::vector<Hidden> hidden_;
  size_t dropped_ = 0;
};

// Parses one document (kNull for an empty text). Aliases are copied, `<<` merged, duplicate keys
// refused, bounds enforced. Problems go to `problems`; empty when the text is no use at all.
std::optional<YamlNode> ParseYaml(const std::shared_ptr<const ConfigText>& file,
                                  ConfigProblems& problems);

}  // namespace spool
