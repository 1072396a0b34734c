// One JSON text: checked whole, seen shallow.
//
// The check is complete (RFC 8259 grammar, UTF-8, no lone surrogates, depth), so that what passes
// may be stored as JSON and read by any parser. The view keeps the members of the top object and
// of the objects directly in it, which is all that identity and classification look at; deeper
// values stay what they were: bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace spool {

enum class JsonKind : uint8_t { kObject, kArray, kString, kNumber, kTrue, kFalse, kNull };

// Views point into the scanned text; keys with escapes point into the scanner until the next Scan.
struct JsonMember {
  std::string_view key;    // unescaped
  std::string_view value;  // raw; a string without its quotes
  JsonKind kind = JsonKind::kNull;
  bool escaped = false;  // a string value that holds escapes
  uint8_t depth = 1;     // 1: of the top object; 2: of an object in it
};

enum class JsonFault {
  kNone,
  kSyntax,         // not JSON
  kUtf8,           // bytes that are not UTF-8, or an escaped lone surrogate
  kDepth,          // nested deeper than allowed
  kDuplicateKey,   // the same key twice in one of the objects in view
  kTooManyMembers  // more than kJsonMembersMax in view, or kJsonEscapedKeysMax bytes of their keys
};

inline constexpr size_t kJsonMembersMax = 65'536;
inline constexpr size_t kJsonEscapedKeysMax = size_t{1} << 20;  // of keys that have escapes

struct JsonResult {
  JsonFault fault = JsonFault::kNone;
  size_t offset = 0;  // in the text, where the fault is
  JsonKind kind = JsonKind::kNull;
  explicit operator bool() const { return fault == JsonFault::kNone; }
};

// Keeps its buffers between calls; one thread.
class JsonScanner {
 public:
  JsonScanner();
  ~JsonScanner();
  JsonScanner(const JsonScanner&) = delete;
  JsonScanner& operator=(const JsonScanner&) = delete;

  // `text` is one JSON value, white space around it allowed. It need not be padded.
  JsonResult Scan(std::string_view text, size_t depth_max);

  // No less than what a Scan of `text` takes beside what a scanner keeps anyway; 0 for small texts.
  static size_t MemoryFor(std::string_view text);

  // What the last successful Scan of an object saw, in order: an object's members of depth 2
  // follow the member that holds it.
  const std::vector<JsonMember>& members() const { return members_; }

  // Gives back the memory that many members or keys needed; that of a large text's tokens is given
  // back by Scan itself.
  void Trim();

 private:
  class Walker;
  struct Index;
  JsonResult Walk(std::string_view text, size_t depth_max);
  std::unique_ptr<Index> index_;
  std::vector<JsonMember> members_;
  std::vector<std::unique_ptr<std::string>> keys_;  // unescaped ones
  size_t key_bytes_ = 0;                            // of these
};

}  // namespace spool
