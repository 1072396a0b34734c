// Templates: any text compiles or is refused, and what compiled renders any data or says why not,
// within its limits. A mapping of it is JSON whatever came out.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "forward/mapping.h"
#include "forward/template/template.h"

namespace {

using namespace spool;  // NOLINT(google-build-using-namespace)

constexpr std::string_view kData =
    R"({"type":"Warning","reason":"FailedMount","message":"a \"b\" <c>\n","count":7,"ratio":0.5,)"
    R"("metadata":{"name":"x","labels":{"app":"y"}},"items":["a","b",null,[1,{}]],"none":null})";

void Try(std::string_view text, std::string_view data, const TemplateOptions& options) {
  const SystemTime now = FromMicros(1'763'619'074'402'113);
  const auto compiled = Template::Compile(text, options);
  if (!compiled) {
    SPOOL_ASSERT(compiled.error().code == Code::kInvalid && !compiled.error().message.empty());
    return;
  }
  auto root = ParseTemplateData(data, options.parity);
  if (!root) root = ParseTemplateData(kData, options.parity);
  std::string first = "before";
  const Status done = compiled->Render(*root, now, first);
  SPOOL_ASSERT(first.starts_with("before"));
  SPOOL_ASSERT(first.size() <= 6 + options.limits.output_bytes);
  SPOOL_ASSERT(done.has_value() || first == "before");
  std::string second = "before";
  SPOOL_ASSERT(compiled->Render(*root, now, second).has_value() == done.has_value());
  SPOOL_ASSERT(first == second);

  if (options.parity) return;
  // In a mapping it can neither end its string nor begin another member.
  const std::string document = nlohmann::json({{"field", text}})
                                   .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const auto mapping = Mapping::Compile(document, "", options);
  if (!mapping) return;
  std::string json;
  if (!mapping->Render(*root, now, json)) return;
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  SPOOL_ASSERT(parsed.is_object() && parsed.size() == 1 && parsed["field"].is_string());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // A byte of choices, the template up to a zero byte, and the data it is rendered with.
  const uint8_t choices = data[0];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t zero = std::min(text.find('\0'), text.size());
  TemplateOptions options;
  options.dialect = (choices & 1) != 0 ? Dialect::kSprig : Dialect::kGo;
  options.missing = (choices & 2) != 0 ? Missing::kError : Missing::kEmpty;
  options.parity = (choices & 4) != 0;
  options.escape = (choices & 8) != 0    ? Escape::kHeader
                   : (choices & 16) != 0 ? Escape::kUrlPart
                                         : Escape::kNone;
  // Small, so that a run through all of them takes no time.
  options.limits.output_bytes = 64 << 10;
  options.limits.steps = 5'000;
  Try(text.substr(0, zero), text.substr(std::min(zero + 1, text.size())), options);
  return 0;
}
