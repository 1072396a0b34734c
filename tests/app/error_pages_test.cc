// Every code that the product answers, prints or logs has its page in docs/errors, and every page
// its code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/paths.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Where codes stand in the source: in files whose path begins so, as the first group.
struct Place {
  const char* where;
  const char* pattern;
};
constexpr Place kPlaces[] = {
    {"base/result.cc", R"re(case Code::k\w+: return "([a-z_]+)")re"},
    {"net/", R"re(Problem\(\s*\d{3},\s*"([a-z_]+)")re"},
    {"ingest/", R"re(Problem\(\s*\d{3},\s*"([a-z_]+)")re"},
    {"app/", R"re(Problem\(\s*\d{3},\s*"([a-z_]+)")re"},
    {"ingest/", R"re(Refusal\{\s*\d{3},\s*"([a-z_]+)")re"},
    {"ingest/sources/http.cc", R"re(return \{"([a-z_]+)", ")re"},
    // A CloudEvent in binary mode is refused with the reason for which its record would go to
    // quarantine.
    {"ingest/producers/cloudevent.cc", R"re(Rejected\{"([a-z_]+)")re"},
    {"ingest/fault_text.cc", R"re(case JsonFault::k(?:Syntax|Utf8): return "([a-z_0-9]+)")re"},
    {"ingest/decode.cc", R"re([?:] "(invalid_[a-z_0-9]+)")re"},
    {"app/", R"re(unready\("([a-z_]+)")re"},
    {"app/", R"re(\bcode = "([a-z_]+)")re"},
    {"app/", R"re(\{"code", "([a-z_]+)"\})re"},
    {"app/admin_config.cc", R"re(ProblemAnswer\([0-9]+, "([a-z_]+)")re"},
    {"app/service.cc", R"re(\bfail\("([a-z_]+)")re"},
    {"app/admin_config.cc", R"re(code == "([a-z_]+)")re"},
    {"app/spoold_main.cc", R"re(\bSay\([^;]*?, "([a-z_]+)"[,)])re"},
    {"app/ctl/printer.cc", R"re((?:case k\w+|default): return "([a-z_]+)")re"},
    {"app/ctl/", R"re(",\s*"([a-z]+_[a-z_]+)"(?:,\s*true)?\})re"},
    {"app/ctl/", R"re(\? "([a-z]+_[a-z_]+)" :)re"},
    {"forward/pump", R"re(\bcode = "([a-z_]+)")re"},
};

std::set<std::string> CodesOfTheSource() {
  std::set<std::string> codes;
  for (const Place& place : kPlaces) {
    const size_t before = codes.size();
    bool found = false;
    const std::regex pattern(place.pattern);
    const std::string where = place.where;
    const std::string room = where.substr(0, where.find('/'));
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(SourceDir()) / room)) {
      const std::string path = fs::relative(entry.path(), SourceDir());
      const std::string extension = entry.path().extension();
      if (!path.starts_with(where) || (extension != ".cc" && extension != ".h")) continue;
      const std::string text = ReadFile(entry.path());
      for (auto it = std::sregex_iterator(text.begin(), text.end(), pattern);
           it != std::sregex_iterator(); ++it) {
        codes.insert((*it)[1]);
        found = true;
      }
    }
    EXPECT_TRUE(found) << "nothing looks like " << place.pattern << " in " << where << " any more";
    EXPECT_GE(codes.size(), before);
  }
  return codes;
}

TEST(ErrorPages, EachCodeHasOneAndEachOneHasItsCode) {
  const std::set<std::string> codes = CodesOfTheSource();
  EXPECT_GT(codes.size(), 45u);
  std::set<std::string> pages;
  for (const auto& entry : fs::directory_iterator(fs::path(SourceDir()) / "docs/errors")) {
    if (entry.path().filename() != "README.md") pages.insert(entry.path().stem());
  }
  for (const std::string& code : codes) {
    EXPECT_TRUE(pages.contains(code)) << "docs/errors/" << code << ".md is missing";
  }
  for (const std::string& page : pages) {
    EXPECT_TRUE(codes.contains(page)) << "nothing in the source says " << page;
  }
}

TEST(ErrorPages, EachSaysWhatItMeansWhatWasLostAndWhatToDo) {
  const std::string index = ReadFile(fs::path(SourceDir()) / "docs/errors/README.md");
  for (const auto& entry : fs::directory_iterator(fs::path(SourceDir()) / "docs/errors")) {
    if (entry.path().filename() == "README.md") continue;
    const std::string code = entry.path().stem();
    const std::string page = ReadFile(entry.path());
    EXPECT_TRUE(page.starts_with("# " + code + "\n")) << code;
    EXPECT_NE(index.find("](" + code + ".md)"), index.npos) << code << " is not in the index";
    for (const char* part : {"## What it means", "## What was lost", "## What to do"}) {
      const size_t at = page.find(std::string("\n") + part + "\n\n");
      ASSERT_NE(at, page.npos) << code << ": " << part;
      const size_t text = at + std::string(part).size() + 3;
      EXPECT_TRUE(text < page.size() && page[text] != '#') << code << ": " << part;
    }
    EXPECT_LT(page.size(), 2000u) << code << " is too long for three in the morning";
  }
}

}  // namespace
}  // namespace spool::testing
