// Producers' records through redaction: what was JSON is JSON, no longer than marks make it, the
// same when it is done again, and a secret that was planted is gone.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "ingest/json_scan.h"
#include "ingest/json_text.h"
#include "ingest/redactor.h"

namespace spool {
namespace {

constexpr std::string_view kSecret = "hunter2canary";
constexpr size_t kDepth = 64;

Redactor& Fixed() {
  static Redactor redactor([] {
    RedactionSettings settings;
    settings.keys = {"*pin*"};
    settings.patterns = {"AKIA[A-Z]+"};
    settings.paths = {"a.*.b", "**.zip"};
    return *Redaction::Create(settings, RedactionKey{});
  }());
  return redactor;
}

std::string Once(std::string_view text, bool json) {
  const auto out = json ? Fixed().Json(text, {}) : Fixed().Text(text, {});
  SPOOL_ASSERT(out.has_value());
  return std::string(*out);
}

void Check(const std::string& text) {
  static JsonScanner scanner;
  const bool json = static_cast<bool>(scanner.Scan(text, kDepth));
  const std::string once = Once(text, json);
  // A mark is 27 bytes and two quotes, for at least one byte; texts inside of texts double what
  // they escape.
  SPOOL_ASSERT(once.size() <= 64 * text.size() + 1024);
  if (json) SPOOL_ASSERT(scanner.Scan(once, kDepth));
  if (json) SPOOL_ASSERT(Once(once, true) == once);
}

// The input around a secret, as a producer might send it.
void Plant(const std::string& around) {
  if (around.find(kSecret.substr(0, 6)) != around.npos) return;
  std::string text;
  AppendJsonString(around, &text);
  const std::string secret(kSecret);
  for (const std::string& record :
       {"{\"x\":" + text + ",\"password\":\"" + secret + "\"}",
        "{\"objectRef\":{\"resource\":\"secrets\",\"name\":" + text + "},\"requestObject\":{" +
            text + ":\"" + secret + "\"}}",
        "{\"o\":{\"data\":{" + text + ":\"" + secret + "\"},\"kind\":\"Secret\"}}",
        "{\"env\":[{\"value\":\"" + secret + "\",\"name\":" + text + "}]}",
        "{\"kubectl.kubernetes.io/last-applied-configuration\":\"" + secret + "\",\"y\":" + text +
            "}"}) {
    static JsonScanner scanner;
    if (!scanner.Scan(record, kDepth)) continue;
    SPOOL_ASSERT(Once(record, true).find(kSecret) == std::string::npos);
  }
}

}  // namespace
}  // namespace spool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    spool::Check(text);
  } else {
    spool::Plant(text);
  }
  return 0;
}
