// Match rules: any key and value compiles or is refused, and a compiled rule can be asked.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "forward/match.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spool;  // NOLINT(google-build-using-namespace)
  // Lines are K=V arguments; the bytes after an empty line are the event's data.
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> arguments;
  while (!text.empty() && arguments.size() < 16) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.empty()) break;
    arguments.emplace_back(line);
  }
  EventView event;
  event.stream = "kubernetes-events";
  event.severity = Severity::kWarning;
  event.namespace_ = "shop";
  event.kind = "Pod";
  event.name = "checkout-1";
  event.reason = "BackOff";
  event.data =
      text.empty() ? R"({"involvedObject":{"labels":{"app":"x"}},"count":7,"a":[1,{}]})" : text;
  const auto matcher = Matcher::FromArguments(arguments);
  if (!matcher) {
    SPOOL_ASSERT(matcher.error().code == Code::kInvalid);
    return 0;
  }
  const bool first = matcher->Matches(event);
  SPOOL_ASSERT(matcher->Matches(event) == first);
  bool names_it = false;
  const bool could = matcher->CouldMatchStream(event.stream, &names_it);
  SPOOL_ASSERT(could || !first);
  return 0;
}
