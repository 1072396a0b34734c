// The order of the house: who may include whom, where each library lives, and a few habits. The
// tables below are the law; the checks are functions over text, so that they are tested too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/paths.h"

namespace spool {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLinesMax = 600;

// What a room may include beside itself and the standard library.
const std::map<std::string, std::set<std::string>>& Rooms() {
  static const std::map<std::string, std::set<std::string>> rooms = {
      {"base", {}},
      {"spool", {"base"}},
      {"net", {"base"}},
      {"ingest", {"spool", "net", "base"}},
      {"forward", {"spool", "net", "base"}},
      {"replay", {"forward", "spool", "base"}},
      {"app", {"replay", "forward", "ingest", "spool", "net", "base"}},
  };
  return rooms;
}

struct Library {
  std::string name;
  std::vector<std::string> headers;  // an exact header, or a folder ending in '/'
  std::vector<std::string> homes;    // path prefixes of the .cc files that may include it
};

// Tests and benchmarks may use any of them.
const std::vector<Library>& Libraries() {
  static const std::vector<Library> libraries = {
      {"RocksDB", {"rocksdb/"}, {"spool/rocks_store"}},
      {"zstd", {"zstd.h", "zdict.h", "zstd_errors.h"}, {"spool/chunk.cc", "net/"}},
      {"zlib", {"zlib.h", "zconf.h"}, {"net/"}},
      {"libcurl", {"curl/"}, {"net/http_client"}},
      {"Boost", {"boost/"}, {"net/http_server", "net/http_head.cc"}},
      {"libfyaml", {"libfyaml.h"}, {"app/config_file.cc"}},
      {"simdjson", {"simdjson.h"}, {"ingest/", "forward/match.cc", "forward/data_path.cc"}},
      {"cnats", {"nats/", "nats.h"}, {"forward/sinks/nats.cc", "ingest/sources/nats.cc"}},
      {"librdkafka", {"librdkafka/"}, {"forward/sinks/kafka", "ingest/sources/kafka.cc"}},
      {"RE2", {"re2/"}, {"forward/match.cc", "forward/template/pattern.cc", "ingest/redaction.cc"}},
      {"spdlog", {"spdlog/"}, {"base/log.cc"}},
      {"prometheus-cpp", {"prometheus/"}, {"base/metrics.cc"}},
      {"OpenSSL", {"openssl/"}, {"base/hash.cc", "net/tls.cc"}},
      {"xxHash", {"xxhash.h"}, {"base/hash.cc"}},
      {"nlohmann", {"nlohmann/"}, {"app/", "replay/", "forward/sinks/", "forward/mapping.cc"}},
      {"CLI11", {"CLI/"}, {"app/ctl/", "app/man_page.cc", "app/spoold_main.cc"}},
      {"fmt", {"fmt/"}, {"base/", "spool/", "net/", "ingest/", "forward/", "replay/", "app/"}},
      {"snappy", {"snappy.h", "snappy-c.h"}, {}},
      {"valijson", {"valijson/"}, {}},
      {"GoogleTest", {"gtest/", "gmock/"}, {}},
      {"Benchmark", {"benchmark/"}, {}},
  };
  return libraries;
}

// The one library that is visible in a header of ours.
constexpr std::string_view kExpected = "tl/expected.hpp";
constexpr std::string_view kExpectedHome = "base/result.h";

// Folders of headers that come with the system's C library and kernel.
const std::set<std::string>& SystemFolders() {
  static const std::set<std::string> folders = {"sys", "netinet", "arpa", "linux",
                                                "net", "asm",     "bits"};
  return folders;
}
const std::set<std::string>& SystemHeaders() {
  static const std::set<std::string> headers = {
      "cpuid.h",  "dirent.h",   "elf.h",     "emmintrin.h", "immintrin.h", "errno.h",   "fcntl.h",
      "glob.h",   "features.h", "ftw.h",     "ifaddrs.h",   "netdb.h",     "poll.h",    "pthread.h",
      "pty.h",    "pwd.h",      "sched.h",   "signal.h",    "spawn.h",     "stdint.h",  "stdlib.h",
      "string.h", "strings.h",  "syscall.h", "malloc.h",    "termios.h",   "threads.h", "time.h",
      "unistd.h", "utmp.h",     "dlfcn.h"};
  return headers;
}

bool IsTest(std::string_view path) {
  return path.starts_with("tests/") || path.starts_with("bench/");
}

// Of "tests/spool/x_test.cc" that is "spool"; empty for a folder that mirrors no room.
std::string RoomOf(std::string_view path) {
  if (path.starts_with("tests/")) path.remove_prefix(6);
  const std::string first(path.substr(0, path.find('/')));
  return Rooms().contains(first) ? first : "";
}

bool NamedBy(std::string_view header, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name.ends_with('/') ? header.starts_with(name) : header == name;
  });
}

// Why `path` may not include `header`; empty when it may.
std::string WrongOwn(const std::string& path, const std::string& header) {
  const std::string to = header.substr(0, header.find('/'));
  if (to == "tests" || to == "bench")
    return IsTest(path) ? "" : "the product includes a header of tests or benchmarks";
  if (!Rooms().contains(to)) return "a header of ours is included from the root, room first";
  const std::string from = RoomOf(path);
  if (from.empty() || from == to || Rooms().at(from).contains(to)) return "";
  return "the room " + from + " may not know " + to;
}

std::string WrongForeign(const std::string& path, const std::string& header) {
  if (header == kExpected) {
    return path == kExpectedHome || IsTest(path) ? "" : "tl::expected comes through base/result.h";
  }
  for (const Library& library : Libraries()) {
    if (!NamedBy(header, library.headers)) continue;
    if (IsTest(path)) return "";
    if (!path.ends_with(".cc")) return library.name + " would be visible in a header of ours";
    const bool home = std::any_of(library.homes.begin(), library.homes.end(),
                                  [&](const std::string& h) { return path.starts_with(h); });
    return home ? "" : library.name + " has its home elsewhere";
  }
  const size_t slash = header.find('/');
  const bool system = slash == header.npos
                          ? !header.ends_with(".h") || SystemHeaders().contains(header)
                          : SystemFolders().contains(header.substr(0, slash));
  return system && !header.ends_with(".hpp") ? "" : "no known library has this header";
}

// "path:line: what is wrong" for each include that breaks the order.
std::vector<std::string> CheckIncludes(const std::string& path, const std::string& text) {
  std::vector<std::string> wrong;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::string_view rest = line;
    const auto skip_blanks = [&] {
      while (!rest.empty() && std::isblank(static_cast<unsigned char>(rest[0]))) {
        rest.remove_prefix(1);
      }
    };
    skip_blanks();
    if (!rest.starts_with('#')) continue;
    rest.remove_prefix(1);
    skip_blanks();
    if (!rest.starts_with("include")) continue;
    rest.remove_prefix(7);
    skip_blanks();
    if (rest.empty()) continue;
    const bool own = rest[0] == '"';
    const std::string header(rest.substr(1, rest.find(own ? '"' : '>', 1) - 1));
    const std::string reason = own ? WrongOwn(path, header) : WrongForeign(path, header);
    if (reason.empty()) continue;
    wrong.push_back(path + ":" + std::to_string(number) + ": " + header + ": " + reason);
  }
  return wrong;
}

// Spelled in halves, so that this file does not hold them.
const std::vector<std::string>& BannedWords() {
  static const std::vector<std::string> words = {
      std::string("TO") + "DO", std::string("FIX") + "ME", std::string("sleep_") + "for",
      std::string("sleep_") + "until", std::string("usle") + "ep", std::string("nanosle") + "ep",
      std::string("GTEST_") + "SKIP", std::string("DISA") + "BLED_",
      // A wait for what never comes true is a sleep by another name: tests/support/moment.h.
      std::string("[] { return ") + "false; }"};
  return words;
}

std::vector<std::string> CheckHabits(const std::string& path, const std::string& text) {
  std::vector<std::string> wrong;
  std::istringstream lines(text);
  std::string line;
  size_t number = 0;
  while (std::getline(lines, line)) {
    ++number;
    for (const std::string& word : BannedWords()) {
      if (line.find(word) == line.npos) continue;
      wrong.push_back(path + ":" + std::to_string(number) + ": holds '" + word + "'");
    }
  }
  if (number > kLinesMax) {
    wrong.push_back(path + ":" + std::to_string(number) + ": longer than " +
                    std::to_string(kLinesMax) + " lines");
  }
  return wrong;
}

// A file of tests/ that no program is made of would be green for ever.
std::string WrongPlace(const std::string& path, const std::set<std::string>& suites) {
  if (!path.starts_with("tests/") || !path.ends_with(".cc")) {
    return path.ends_with("_test.cc") ? path + ": a test outside tests/" : "";
  }
  const std::string rest = path.substr(6);
  const size_t slash = rest.find('/');
  const std::string folder = slash == rest.npos ? "" : rest.substr(0, slash);
  if (folder == "support" && !path.ends_with("_test.cc")) return "";
  if (folder == "fuzz" && path.ends_with("_fuzz.cc")) return "";
  if (folder == "shim" && !path.ends_with("_test.cc")) return "";  // preloaded into programs
  const bool direct = slash != rest.npos && rest.find('/', slash + 1) == rest.npos;
  if (direct && suites.contains(folder) && path.ends_with("_test.cc")) return "";
  return path + ": no suite is made of it";
}

std::set<std::string> Suites(const std::string& cmake) {
  std::set<std::string> suites;
  const std::string call = "\nadd_suite(";
  for (size_t at = cmake.find(call); at != cmake.npos; at = cmake.find(call, at + 1)) {
    const size_t begin = at + call.size();
    suites.insert(cmake.substr(begin, cmake.find_first_of(" )\n", begin) - begin));
  }
  return suites;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Every source file of ours, relative to the root.
std::vector<std::string> SourceFiles() {
  std::vector<std::string> files;
  std::vector<std::string> tops = {"tests", "bench"};
  for (const auto& [room, below] : Rooms()) tops.push_back(room);
  for (const std::string& top : tops) {
    const fs::path folder = fs::path(spool::testing::SourceDir()) / top;
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const std::string extension = entry.path().extension();
      if (!entry.is_regular_file() || (extension != ".cc" && extension != ".h")) continue;
      files.push_back(fs::relative(entry.path(), spool::testing::SourceDir()));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(Order, EveryIncludeGoesDownAndEveryLibraryStaysAtHome) {
  const std::vector<std::string> files = SourceFiles();
  ASSERT_GT(files.size(), 30u);
  std::vector<std::string> wrong;
  for (const std::string& file : files) {
    const auto found = CheckIncludes(file, ReadFile(fs::path(spool::testing::SourceDir()) / file));
    wrong.insert(wrong.end(), found.begin(), found.end());
  }
  EXPECT_EQ(wrong.size(), 0u) << Joined(wrong);
}

TEST(Order, NoFileIsTooLongOrHoldsABannedWord) {
  std::vector<std::string> wrong;
  for (const std::string& file : SourceFiles()) {
    const auto found = CheckHabits(file, ReadFile(fs::path(spool::testing::SourceDir()) / file));
    wrong.insert(wrong.end(), found.begin(), found.end());
  }
  EXPECT_EQ(wrong.size(), 0u) << Joined(wrong);
}

TEST(Order, EveryTestIsPartOfASuite) {
  const auto suites =
      Suites(ReadFile(fs::path(spool::testing::SourceDir()) / "tests" / "CMakeLists.txt"));
  ASSERT_TRUE(suites.contains("base"));
  std::vector<std::string> wrong;
  for (const std::string& file : SourceFiles()) {
    const std::string reason = WrongPlace(file, suites);
    if (!reason.empty()) wrong.push_back(reason);
  }
  EXPECT_EQ(wrong.size(), 0u) << Joined(wrong);
}

TEST(Order, EveryHeaderIsGuarded) {
  std::vector<std::string> wrong;
  for (const std::string& file : SourceFiles()) {
    if (!file.ends_with(".h")) continue;
    const std::string text = ReadFile(fs::path(spool::testing::SourceDir()) / file);
    if (("\n" + text).find("\n#pragma once\n") == text.npos) wrong.push_back(file);
  }
  EXPECT_EQ(wrong.size(), 0u) << Joined(wrong);
}

// The checks see what they are for.

TEST(OrderItself, FindsForbiddenRooms) {
  const auto refused = [](const std::string& path, const std::string& header) {
    return !CheckIncludes(path, "#include \"" + header + "\"\n").empty();
  };
  EXPECT_TRUE(refused("base/log.cc", "spool/event.h"));
  EXPECT_TRUE(refused("spool/journal.cc", "net/http_client.h"));
  EXPECT_TRUE(refused("net/http_server.cc", "spool/event.h"));
  EXPECT_TRUE(refused("ingest/decode.cc", "forward/match.h"));
  EXPECT_TRUE(refused("forward/pump.cc", "ingest/decode.h"));
  EXPECT_TRUE(refused("replay/jobs.cc", "net/http_client.h"));
  EXPECT_TRUE(refused("replay/jobs.cc", "app/config.h"));
  EXPECT_TRUE(refused("spool/journal.cc", "tests/support/spool_fixture.h"));
  EXPECT_TRUE(refused("spool/journal.cc", "bench/events.h"));
  EXPECT_TRUE(refused("spool/journal.cc", "journal.h"));
  EXPECT_TRUE(refused("tests/spool/journal_test.cc", "forward/pump.h"));
  EXPECT_FALSE(refused("tests/spool/journal_test.cc", "tests/support/spool_fixture.h"));
  EXPECT_FALSE(refused("tests/e2e/run_test.cc", "app/service.h"));
  EXPECT_FALSE(refused("app/service.cc", "ingest/decode.h"));
  EXPECT_FALSE(refused("forward/sinks/nats.cc", "spool/event.h"));
}

TEST(OrderItself, FindsLibrariesAwayFromHome) {
  const auto refused = [](const std::string& path, const std::string& header) {
    return !CheckIncludes(path, "  #  include <" + header + ">\n").empty();
  };
  EXPECT_TRUE(refused("spool/journal.cc", "rocksdb/db.h"));
  EXPECT_TRUE(refused("spool/rocks_store.h", "rocksdb/db.h"));
  EXPECT_TRUE(refused("app/service.h", "nlohmann/json.hpp"));
  EXPECT_TRUE(refused("ingest/decode.cc", "nlohmann/json.hpp"));
  EXPECT_TRUE(refused("net/http_client.h", "curl/curl.h"));
  EXPECT_TRUE(refused("spool/journal.h", "tl/expected.hpp"));
  EXPECT_TRUE(refused("app/service.cc", "gtest/gtest.h"));
  EXPECT_TRUE(refused("app/service.cc", "libxml/parser.h"));
  EXPECT_TRUE(refused("app/service.cc", "yaml.h"));
  EXPECT_FALSE(refused("spool/rocks_store.cc", "rocksdb/db.h"));
  EXPECT_FALSE(refused("tests/spool/fault_test.cc", "rocksdb/env.h"));
  EXPECT_FALSE(refused("base/result.h", "tl/expected.hpp"));
  EXPECT_FALSE(refused("app/service.cc", "nlohmann/json.hpp"));
  EXPECT_FALSE(refused("net/http_client.h", "vector"));
  EXPECT_FALSE(refused("net/http_client.cc", "sys/socket.h"));
}

TEST(OrderItself, NamesFileAndLine) {
  EXPECT_THAT(CheckIncludes("spool/x.cc", "// first\n#include <string>\n#include \"net/y.h\"\n"),
              ::testing::ElementsAre("spool/x.cc:3: net/y.h: the room spool may not know net"));
}

TEST(OrderItself, FindsBannedWordsAndLongFiles) {
  EXPECT_TRUE(CheckHabits("a.cc", "int x;  // to do nothing\n").empty());
  for (const std::string& word : BannedWords()) {
    EXPECT_THAT(CheckHabits("a.cc", "int x;\n// " + word + "\n"),
                ::testing::ElementsAre("a.cc:2: holds '" + word + "'"));
  }
  EXPECT_TRUE(CheckHabits("a.cc", std::string(kLinesMax, '\n')).empty());
  EXPECT_EQ(CheckHabits("a.cc", std::string(kLinesMax + 1, '\n')).size(), 1u);
}

TEST(OrderItself, FindsTestsThatNothingRuns) {
  const std::set<std::string> suites = Suites("x\nadd_suite(base USES y)\nadd_suite(spool\n  z)\n");
  EXPECT_THAT(suites, ::testing::ElementsAre("base", "spool"));
  EXPECT_EQ(WrongPlace("tests/base/a_test.cc", suites), "");
  EXPECT_EQ(WrongPlace("tests/support/a.cc", suites), "");
  EXPECT_EQ(WrongPlace("tests/fuzz/a_fuzz.cc", suites), "");
  EXPECT_EQ(WrongPlace("tests/shim/a.cc", suites), "");
  EXPECT_EQ(WrongPlace("base/log.cc", suites), "");
  for (const char* path : {"tests/net/a_test.cc", "tests/base/a.cc", "tests/base/sub/a_test.cc",
                           "tests/a_test.cc", "base/a_test.cc", "tests/support/a_test.cc"}) {
    EXPECT_NE(WrongPlace(path, suites), "") << path;
  }
}

}  // namespace
}  // namespace spool
