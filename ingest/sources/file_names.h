// Which files a glob means, and which ones may be rotations of these.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace spool {

struct FoundName {
  std::string path;
  bool fits = false;  // the glob fits it; else it may be a rotation of one that fits or is known
};

// What is there now, by name. `known` are paths of files that fitted once.
std::vector<FoundName> FindFiles(const std::string& glob, const std::vector<std::string>& known);

// "audit-2026-11-28T06-00-00.000.log.gz" and "audit.log.1" of "audit.log".
bool IsRotationOf(std::string_view name, std::string_view of);
bool IsGzipName(std::string_view path);

}  // namespace spool
