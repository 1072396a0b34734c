#include "app/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unordered_map>

#include "app/config_build.h"
#include "app/config_environment.h"
#include "app/config_fields.h"
#include "app/config_text.h"
#include "app/config_values.h"
#include "base/assert.h"
#include "base/time_text.h"

namespace spool {
namespace {

namespace fs = std::filesystem;
using Kind = YamlNode::Kind;
using Text = std::shared_ptr<const ConfigText>;

constexpr size_t kFilesMax = 256;
constexpr size_t kDirectoryBytesMax = size_t{4} << 20;

std::string Where(const Place& place) {
  return fmt::format("{}:{}:{}", place.file->name, place.line, place.column);
}

// Reads a file, but never much more than the bound.
std::optional<Text> ReadText(const std::string& path, ConfigProblems& problems) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    problems.AddFile(path, "the file cannot be read");
    return std::nullopt;
  }
  std::string text(kConfigFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) {
    problems.AddFile(path, "the file cannot be read");
    return std::nullopt;
  }
  text.resize(static_cast<size_t>(in.gcount()));
  return std::make_shared<ConfigText>(path, std::move(text));
}

// The files of a directory that count, by name. Those of a mounted ConfigMap are links, and its
// own bookkeeping begins with a dot.
std::vector<std::string> ListDirectory(const std::string& path, ConfigProblems& problems) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    const bool yaml = name.ends_with(".yaml") || name.ends_with(".yml");
    if (!yaml || name.starts_with('.') || !it->is_regular_file(ignored)) continue;
    files.push_back(it->path().string());
  }
  if (error)
    problems.AddFile(path, "the directory cannot be read: " + error.message());
  else if (files.empty())
    problems.AddFile(path, "the directory has no *.yaml or *.yml file");
  if (files.size() > kFilesMax) {
    problems.AddFile(path, fmt::format("the directory has more than {} files", kFilesMax));
    files.clear();
  }
  std::sort(files.begin(), files.end());
  return files;
}

void TellTwice(const YamlNode::Entry& entry, const Place& first, std::string_view in,
               ConfigProblems& problems) {
  problems.Add(entry.place,
               in.empty() ? fmt::format("'{}' is given twice", entry.key)
                          : fmt::format("'{}' is given twice in '{}'", entry.key, in),
               "the first is at " + Where(first));
}

std::unordered_map<std::string_view, size_t> IndexOf(const YamlNode& map) {
  std::unordered_map<std::string_view, size_t> index;
  for (size_t i = 0; i < map.entries.size(); ++i) index.emplace(map.entries[i].key, i);
  return index;
}

void JoinMap(YamlNode& mine, YamlNode& theirs, std::string_view key, ConfigProblems& problems) {
  mine.entries.reserve(mine.entries.size() + theirs.entries.size());  // the index looks into it
  const auto index = IndexOf(mine);
  for (YamlNode::Entry& child : theirs.entries) {
    if (const auto twin = index.find(child.key); twin != index.end()) {
      TellTwice(child, mine.entries[twin->second].place, key, problems);
    } else {
      mine.entries.push_back(std::move(child));
    }
  }
}

// Takes one file's top-level keys into the whole: maps are joined by their keys, lists one after
// the other, and anything that two files say is a problem that names both places.
void JoinFile(YamlNode& whole, YamlNode&& file, ConfigProblems& problems) {
  whole.entries.reserve(whole.entries.size() + file.entries.size());
  const auto index = IndexOf(whole);
  for (YamlNode::Entry& entry : file.entries) {
    const auto found = index.find(entry.key);
    if (found == index.end()) {
      whole.entries.push_back(std::move(entry));
      continue;
    }
    YamlNode::Entry& old = whole.entries[found->second];
    YamlNode& mine = old.value;
    YamlNode& theirs = entry.value;
    if (theirs.kind == Kind::kNull) continue;
    if (mine.kind == Kind::kNull) {
      mine = std::move(theirs);
      old.place = entry.place;
    } else if (mine.kind == Kind::kMap && theirs.kind == Kind::kMap) {
      JoinMap(mine, theirs, entry.key, problems);
    } else if (mine.kind == Kind::kList && theirs.kind == Kind::kList) {
      std::move(theirs.items.begin(), theirs.items.end(), std::back_inserter(mine.items));
    } else if (entry.key != "version" || mine.kind != theirs.kind || mine.text != theirs.text) {
      TellTwice(entry, old.place, {}, problems);
    }
  }
}

ConfigResult LoadTexts(const std::vector<Text>& texts, ConfigProblems& problems) {
  ConfigResult result;
  YamlNode whole;
  whole.kind = Kind::kMap;
  bool usable = !texts.empty();
  size_t read = 0;
  for (const Text& text : texts) {
    std::optional<YamlNode> root = ParseYaml(text, problems);
    if (!root) {
      usable = false;
      continue;
    }
    if (whole.start.file == nullptr) whole.start = root->start;
    if (root->kind != Kind::kMap && root->kind != Kind::kNull) {
      problems.Add(root->start, "a configuration is a map of keys", "it begins with 'version: 1'");
      usable = false;
      continue;
    }
    Substitute(
        *root, [](const char* name) -> const char* { return std::getenv(name); }, problems);
    JoinFile(whole, std::move(*root), problems);
    ++read;
  }
  // A file that is no YAML at all may hold what the others seem to lack.
  if (usable && read > 0) {
    const Values values = CheckSection(ConfigSection(), &whole, whole.start, problems);
    Config config = BuildConfig(values, problems);
    if (problems.empty()) {
      config.settings = SettingsOf(values);
      result.config = std::move(config);
    }
  }
  problems.MoveTo(result);
  return result;
}

}  // namespace

ConfigResult ParseConfig(std::string_view text, const std::string& name) {
  ConfigProblems problems;
  return LoadTexts({std::make_shared<ConfigText>(name, std::string(text))}, problems);
}

ConfigResult LoadConfig(const std::string& path) {
  ConfigProblems problems;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  std::vector<std::string> files;
  if (!fs::exists(status)) {
    problems.AddFile(path, "there is no such file or directory");
  } else if (fs::is_directory(status)) {
    files = ListDirectory(path, problems);
  } else {
    files.push_back(path);
  }
  std::vector<Text> texts;
  bool all = true;
  for (const std::string& file : files) {
    if (std::optional<Text> text = ReadText(file, problems)) {
      texts.push_back(std::move(*text));
    } else {
      all = false;
    }
  }
  size_t bytes = 0;
  for (const Text& text : texts) bytes += text->text.size();
  if (bytes > kDirectoryBytesMax) {
    problems.AddFile(path, "the files of the directory are larger than 4 MiB together");
    all = false;
  }
  if (!all) texts.clear();
  return LoadTexts(texts, problems);
}

Config DefaultConfig() {
  ConfigResult result = EnvironmentConfig([](const char*) -> const char* { return nullptr; });
  SPOOL_ASSERT(result.config.has_value());
  return std::move(*result.config);
}

std::vector<StreamOptions> DefaultStreams() {
  std::vector<StreamOptions> out;
  for (const DefaultStream& stream : DefaultStreamTable()) {
    const Result<Micros> age = ParseDuration(stream.age);
    const Result<uint64_t> size = ParseBytes(stream.size);
    SPOOL_ASSERT(age.has_value() && size.has_value());
    out.push_back({std::string(stream.name), *age, *size,
                   stream.when_full == "drop_oldest" ? WhenFull::kDropOldest : WhenFull::kReject,
                   stream.special});
  }
  return out;
}

Status ApplyOverrides(const ConfigOverrides& overrides, Config* config) {
  Config changed = *config;
  if (!overrides.data_dir.empty()) {
    changed.data_dir = overrides.data_dir;
    changed.journal.dir = overrides.data_dir;
    SetSetting(changed.settings, {"data_dir"}, overrides.data_dir);
  }
  if (!overrides.ingest.empty()) {
    if (!ParseListenAddress(overrides.ingest)) {
      return Fail(Code::kInvalid,
                  "--ingest: '" + overrides.ingest + "' is not an address such as 127.0.0.1:8080");
    }
    if (changed.http_sources.empty()) {
      return Fail(Code::kInvalid, "--ingest: the configuration has no http source");
    }
    changed.http_sources.front().address = overrides.ingest;
    SetSetting(changed.settings, {"sources", changed.http_sources.front().name, "address"},
               overrides.ingest);
  }
  if (!overrides.admin.empty()) {
    if (!ParseListenAddress(overrides.admin)) {
      return Fail(Code::kInvalid,
                  "--admin: '" + overrides.admin + "' is not an address such as 127.0.0.1:8081");
    }
    changed.admin.address = overrides.admin;
    SetSetting(changed.settings, {"admin", "address"}, overrides.admin);
    if (const auto complaint = CheckAdmin(changed.admin)) {
      return Fail(Code::kInvalid, "--admin: " + complaint->message + " (" + complaint->hint + ")");
    }
  }
  std::vector<std::pair<std::string, std::string>> listeners{
      {"the admin listener", changed.admin.address}};
  for (const HttpSourceSettings& source : changed.http_sources) {
    listeners.emplace_back("the source '" + source.name + "'", source.address);
  }
  for (size_t i = 0; i < listeners.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      const auto a = ParseListenAddress(listeners[k].second);
      const auto b = ParseListenAddress(listeners[i].second);
      if (!a || !b || !SameListener(*a, *b)) continue;
      return Fail(Code::kInvalid, std::string(overrides.ingest.empty() ? "--admin" : "--ingest") +
                                      ": " + listeners[k].first + " and " + listeners[i].first +
                                      " would listen on the same address (" + listeners[i].second +
                                      ")");
    }
  }
  *config = std::move(changed);
  return {};
}

}  // namespace spool
