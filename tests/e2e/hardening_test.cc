// The shipped programs carry the hardening that the build asks for: read from the files
// themselves, since a flag that a linker ignores is not seen anywhere else.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <regex>
#include <string>

#include "tests/support/paths.h"

namespace spool {
namespace {

// What `readelf -W OPTIONS program` prints. The path is the build's own and holds no quotes.
std::string Readelf(const std::string& options, const std::string& program) {
  const std::string command = "readelf -W " + options + " '" + program + "' 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string text;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  EXPECT_EQ(pclose(pipe), 0) << command << "\n" << text;
  return text;
}

bool Has(const std::string& text, const char* pattern) {
  return std::regex_search(text, std::regex(pattern, std::regex::multiline));
}

bool Sanitized(const std::string& symbols) { return Has(symbols, "__(asan|tsan|ubsan)_"); }

class Hardening : public ::testing::TestWithParam<const char*> {
 protected:
  const std::string program_ = spool::testing::BinaryDir() + "/" + GetParam();
};

TEST_P(Hardening, TheProgramIsPositionIndependentAndBindsAtStart) {
  ASSERT_TRUE(std::filesystem::exists(program_)) << program_;
  EXPECT_TRUE(Has(Readelf("-h", program_), "Type:\\s+DYN"));
  const std::string dynamic = Readelf("-d", program_);
  EXPECT_TRUE(Has(dynamic, "\\(FLAGS_1\\).*\\bPIE\\b")) << dynamic;
  EXPECT_TRUE(Has(dynamic, "\\(FLAGS_1\\).*\\bNOW\\b")) << dynamic;
  EXPECT_FALSE(Has(dynamic, "\\(TEXTREL\\)")) << dynamic;
  EXPECT_FALSE(Has(dynamic, "\\((RPATH|RUNPATH)\\)")) << dynamic;
}

TEST_P(Hardening, RelocationsAreReadOnlyAndTheStackIsNotExecutable) {
  const std::string segments = Readelf("-l", program_);
  EXPECT_TRUE(Has(segments, "^\\s*GNU_RELRO\\s")) << segments;
  EXPECT_TRUE(Has(segments, "^\\s*GNU_STACK\\s+0x\\w+ 0x\\w+ 0x\\w+ 0x\\w+ 0x\\w+ RW\\s"))
      << segments;
  EXPECT_FALSE(Has(segments, "\\bRWE\\b")) << segments;
}

TEST_P(Hardening, TheStackIsGuardedAndLibraryCallsAreChecked) {
  const std::string symbols = Readelf("--dyn-syms", program_);
  EXPECT_TRUE(Has(symbols, "__stack_chk_fail@")) << "no stack protector";
  // Sanitizers check the same calls in their own way and exclude this one.
  if (!Sanitized(symbols)) {
    EXPECT_TRUE(Has(symbols, "__(memcpy|read|recv|snprintf|vsnprintf|fprintf|memset)_chk@"))
        << "no checked library calls";
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, Hardening, ::testing::Values("spoold", "spoolctl"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace spool
