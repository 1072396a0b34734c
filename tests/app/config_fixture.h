// What the tests of the configuration share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "app/config.h"

namespace spool::config_test {

// "3:5 message" and, if there is one, " (hint)".
inline std::vector<std::string> Lines(const std::vector<ConfigProblem>& problems) {
  std::vector<std::string> out;
  for (const ConfigProblem& p : problems) {
    std::string line = std::to_string(p.line) + ":" + std::to_string(p.column) + " " + p.message;
    if (!p.hint.empty()) line += " (" + p.hint + ")";
    out.push_back(line);
  }
  return out;
}

inline std::vector<std::string> Problems(const std::string& text) {
  return Lines(ParseConfig(text, "spool.yaml").problems);
}

inline std::string All(const ConfigResult& result) {
  std::string out;
  for (const ConfigProblem& p : result.problems) out += FormatProblem(p);
  for (const ConfigProblem& p : result.warnings) out += FormatProblem(p);
  return out;
}

// A configuration that must be good.
inline Config Good(const std::string& text) {
  ConfigResult result = ParseConfig(text, "spool.yaml");
  EXPECT_TRUE(result.config.has_value()) << text << All(result);
  return result.config ? *result.config : Config{};
}

inline std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// A directory of its own, gone at the end.
class TempDir {
 public:
  TempDir() {
    const char* base = std::getenv("TMPDIR");
    std::string pattern = std::string(base == nullptr ? "/tmp" : base) + "/spool-config-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = path_ / name;
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// Sets an environment variable for one test.
class ScopedEnv {
 public:
  ScopedEnv(std::string name, const char* value) : name_(std::move(name)) {
    if (value == nullptr) {
      unsetenv(name_.c_str());
    } else {
      setenv(name_.c_str(), value, 1);
    }
  }
  ~ScopedEnv() { unsetenv(name_.c_str()); }
  ScopedEnv(const ScopedEnv&) = delete;
  ScopedEnv& operator=(const ScopedEnv&) = delete;

 private:
  std::string name_;
};

}  // namespace spool::config_test
