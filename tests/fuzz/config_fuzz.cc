// The configuration: any text gives a config or problems that say where.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "app/config.h"
#include "base/assert.h"

// libfyaml forgets a buffer of its own after some syntax errors; leaks of ours are still found.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfyaml\n"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spool;  // NOLINT(google-build-using-namespace)
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ConfigResult result = ParseConfig(text, "fuzz.yaml");
  SPOOL_ASSERT(result.config.has_value() == result.problems.empty());
  for (const ConfigProblem& problem : result.problems) {
    SPOOL_ASSERT(!problem.message.empty() && problem.line >= 0 && problem.column >= 0);
    SPOOL_ASSERT(FormatProblem(problem).ends_with("\n"));
  }
  return 0;
}
