#include "tests/support/template_oracle.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/paths.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string Output(const std::string& command) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return out;
  std::array<char, 65536> part;
  while (const size_t got = std::fread(part.data(), 1, part.size(), pipe)) {
    out.append(part.data(), got);
  }
  return pclose(pipe) == 0 ? out : std::string();
}

std::string Unhex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> TemplateEvents() {
  std::vector<std::string> files;
  for (const auto& entry :
       fs::directory_iterator(SourceDir() + "/tests/forward/templates/events")) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> events;
  for (const std::string& file : files) events.push_back(ReadWhole(file));
  return events;
}

int GoMinor() {
  int minor = 0;
  const std::string version =
      Output(SourceDir() + "/tests/servers/template_oracle.sh version </dev/null");
  EXPECT_EQ(std::sscanf(version.c_str(), "go1.%d", &minor), 1) << version;
  return minor;
}

std::vector<std::vector<GoRendering>> AskGo(const std::string& dialect, const std::string& now,
                                            const std::vector<std::string>& templates,
                                            const std::vector<std::string>& events) {
  json request = {{"dialect", dialect}, {"now", now}, {"templates", templates}};
  for (const std::string& event : events) request["events"].push_back(json::parse(event));
  const fs::path file = fs::path(::testing::TempDir()) / ("templates_" + std::to_string(getpid()));
  std::ofstream(file) << request;
  const std::string answer =
      Output(SourceDir() + "/tests/servers/template_oracle.sh render <" + file.string());
  fs::remove(file);
  const json parsed = json::parse(answer, nullptr, false);
  std::vector<std::vector<GoRendering>> all;
  if (!parsed.is_array() || parsed.size() != templates.size()) {
    ADD_FAILURE() << "there are no real Go templates for the tests; ./dev setup builds them";
    return all;
  }
  for (const json& row : parsed) {
    auto& renderings = all.emplace_back();
    for (const json& one : row) renderings.push_back({Unhex(one["output"]), one["error"]});
  }
  return all;
}

}  // namespace spool::testing
