#include "ingest/sources/file_names.h"

#include <glob.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>

namespace spool {
namespace {

constexpr size_t kFilesMax = 10'000;  // that are looked at

std::vector<std::string> Glob(const std::string& pattern) {
  std::vector<std::string> out;
  glob_t found{};
  if (glob(pattern.c_str(), GLOB_BRACE | GLOB_NOSORT, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc && i < kFilesMax; ++i) {
      out.emplace_back(found.gl_pathv[i]);
    }
  }
  globfree(&found);
  return out;
}

}  // namespace

bool IsGzipName(std::string_view path) { return path.ends_with(".gz"); }

bool IsRotationOf(std::string_view name, std::string_view of) {
  const size_t dot = of.rfind('.');
  const std::string_view stem = of.substr(0, dot == 0 ? of.npos : dot);
  if (stem.empty() || name == of || !name.starts_with(stem)) return false;
  const std::string_view rest = name.substr(stem.size());
  if (rest.empty() || (rest[0] != '.' && rest[0] != '-' && rest[0] != '_')) return false;
  const bool digit =
      std::any_of(rest.begin(), rest.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  return digit || rest.ends_with(".gz") || rest.ends_with(".old") || rest.ends_with(".bak");
}

std::vector<FoundName> FindFiles(const std::string& pattern,
                                 const std::vector<std::string>& known) {
  std::map<std::string, bool> found;
  std::map<std::string, std::set<std::string>> names;  // by directory
  const auto note = [&](const std::string& path) {
    const std::filesystem::path whole(path);
    names[whole.parent_path().string()].insert(whole.filename().string());
  };
  for (const std::string& path : Glob(pattern)) {
    found[path] = true;
    note(path);
  }
  for (const std::string& path : known) note(path);
  for (const auto& [directory, mine] : names) {
    std::error_code error;
    std::filesystem::directory_iterator at(directory.empty() ? "." : directory, error), end;
    for (size_t count = 0; !error && at != end && count < kFilesMax; at.increment(error), ++count) {
      const std::string name = at->path().filename().string();
      const std::string path =
          directory.empty() ? name : (std::filesystem::path(directory) / name).string();
      if (found.contains(path)) continue;
      const bool one = mine.contains(name) ||
                       std::any_of(mine.begin(), mine.end(),
                                   [&](const auto& of) { return IsRotationOf(name, of); });
      if (one) found[path] = false;
    }
  }
  std::vector<FoundName> out;
  for (auto& [path, fits] : found) out.push_back({path, fits});
  return out;
}

}  // namespace spool
