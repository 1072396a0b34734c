// Times, durations and sizes from outside: what is read is written and read back the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/hash.h"
#include "base/time_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spool;  // NOLINT(google-build-using-namespace)
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto t = ParseRfc3339(text)) SPOOL_ASSERT(ParseRfc3339(FormatTime(*t)) == t);
  if (const auto t = ParseWhen(text, FromMicros(1'795'155'074'402'113))) {
    SPOOL_ASSERT(ParseRfc3339(FormatTime(*t)) == *t);
  }
  if (const auto d = ParseDuration(text)) {
    SPOOL_ASSERT(d->count() >= 0);
    const auto again = ParseDuration(FormatDuration(*d));
    SPOOL_ASSERT(again && *again == *d);
    SPOOL_ASSERT(!FormatAge(*d).empty());
  }
  if (const auto bytes = ParseBytes(text)) SPOOL_ASSERT(!FormatBytes(*bytes).empty());
  if (const auto hash = Hash128::FromHex(text)) {
    SPOOL_ASSERT(Hash128::FromHex(hash->Hex()) == hash);
  }
  return 0;
}
