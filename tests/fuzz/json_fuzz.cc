// Producers' bytes below the decoder: the JSON scanner takes no more than another parser does and
// sees the same members, texts go there and back, records are cut out in order, and no excerpt
// shows a secret.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "ingest/json_scan.h"
#include "ingest/json_text.h"
#include "ingest/redact.h"
#include "ingest/split.h"

namespace spool {
namespace {

void Scan(std::string_view text) {
  static JsonScanner scanner;
  constexpr size_t kDepth = 32;
  const JsonResult result = scanner.Scan(text, kDepth);
  SPOOL_ASSERT(result.offset <= text.size());
  // The other parser takes a NUL for the end and passes over a byte order mark, and refuses numbers
  // beyond a double.
  if (text.find('\0') != text.npos || text.starts_with('\xEF')) return;
  const auto other = nlohmann::json::parse(text, nullptr, false);
  if (result.fault == JsonFault::kSyntax || result.fault == JsonFault::kUtf8) {
    SPOOL_ASSERT(other.is_discarded());
  }
  if (!result) return;
  if (other.is_discarded()) {
    SPOOL_ASSERT(text.find_first_of("eE") != text.npos || text.size() > 300);
    return;
  }
  SPOOL_ASSERT((result.kind == JsonKind::kObject) == other.is_object());
  if (!other.is_object()) return;
  size_t top = 0;
  const nlohmann::json* parent = nullptr;
  for (const JsonMember& member : scanner.members()) {
    SPOOL_ASSERT(member.depth == 1 || member.depth == 2);
    const nlohmann::json& in = member.depth == 1 ? other : *parent;
    const auto found = in.find(std::string(member.key));
    SPOOL_ASSERT(found != in.end());
    if (member.depth == 1) parent = &*found, ++top;
    if (member.kind == JsonKind::kString) {
      std::string value;
      SPOOL_ASSERT(AppendUnescaped(member.value, &value));
      SPOOL_ASSERT(value == found->get<std::string>());
      SPOOL_ASSERT(member.escaped == (value != member.value));
    }
  }
  SPOOL_ASSERT(top == other.size());
}

void Texts(std::string_view text) {
  const bool utf8 = IsUtf8(text);
  SPOOL_ASSERT(utf8 == (Utf8FaultAt(text) == text.size()));
  std::string quoted;
  AppendJsonString(text, &quoted);
  const auto parsed = nlohmann::json::parse(quoted, nullptr, false);
  SPOOL_ASSERT(parsed.is_string());
  if (utf8) {
    SPOOL_ASSERT(parsed.get<std::string>() == text);
    std::string back;
    SPOOL_ASSERT(AppendUnescaped(std::string_view(quoted).substr(1, quoted.size() - 2), &back));
    SPOOL_ASSERT(back == text);
    const std::string_view cut = CutUtf8(text, text.size() / 2);
    SPOOL_ASSERT(IsUtf8(cut) && cut.size() <= text.size() / 2);
    SPOOL_ASSERT(cut.size() + 4 > text.size() / 2);
  }
  SPOOL_ASSERT(PercentDecode(PercentEncode(text)) == text);
  if (const auto bytes = DecodeBase64(text)) SPOOL_ASSERT(bytes->size() * 4 <= text.size() * 3);
}

class InOrder final : public RecordHandler {
 public:
  explicit InOrder(std::string_view body) : at_(body.data()), end_(body.data() + body.size()) {}
  Answer Record(std::string_view text, ListKind) override {
    Take(text);
    return text.size() % 5 == 0 ? Answer::kUnreadable : Answer::kTaken;
  }
  Answer Unreadable(std::string_view text) override {
    if (!text.empty()) Take(text);
    return Answer::kTaken;
  }

 private:
  void Take(std::string_view text) {
    SPOOL_ASSERT(!text.empty() && text.data() >= at_ && text.data() + text.size() <= end_);
    at_ = text.data();  // what cannot be read is told of from the same byte on
  }
  const char* at_;
  const char* const end_;
};

void Split(std::string_view text) {
  for (const bool bare : {false, true}) {
    InOrder handler(text);
    SplitRecords(text, {.bare_items = bare}, &handler);
  }
}

void Redact(std::string_view text) {
  const std::string excerpt = SafeExcerpt(text);
  SPOOL_ASSERT(excerpt.size() <= kExcerptMax);
  for (const char c : excerpt) SPOOL_ASSERT(c >= ' ' && c <= '~');
  if (SpeaksOfSecrets(text)) SPOOL_ASSERT(excerpt.empty());
  // Behind whatever it stands.
  constexpr std::string_view kSecret = "hunter2canary";
  const std::string spoken = std::string(text) + "\npassword: " + std::string(kSecret);
  SPOOL_ASSERT(text.find(kSecret) != text.npos ||
               HideSecrets(spoken).find(kSecret) == std::string::npos);
}

}  // namespace
}  // namespace spool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: spool::Scan(text); break;
    case 1: spool::Texts(text); break;
    case 2: spool::Split(text); break;
    default: spool::Redact(text); break;
  }
  return 0;
}
