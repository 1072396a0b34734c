// What of producers' records never reaches the disk: the rules, as an operator chose them.
//
// Redaction happens before anything else looks at a record, so that neither the journal nor an
// attribute, an id, a log or a target has what it hides. Two kinds of mark stand in its place:
//
//   [redacted:0123456789abcdef]            a value, or a part of a text
//   {"redacted":"objects","of":"Secret","name":…,"namespace":…,"bytes":812,"hmac":"…"}   a body
//
// A body's `hmac` is HMAC-SHA256 of its bytes as they came, so that equal bodies can be told. The
// digits of a value's mark are of an HMAC over all that was hidden of the record and over the rest
// of it: records that differ in nothing but a secret stay different events with different ids, and
// equal secrets in different records cannot be told by their marks. Without the key nobody can find
// a short secret by trying.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace spool {

// The rule sets, each of which can be turned off; their order is that of their counters.
enum class RedactionRule : uint8_t {
  kObjects,      // bodies of Secrets, ConfigMaps, TokenReviews, TokenRequests and certificate
                 //   requests, by what the request was about and by the kind found in the body
  kLastApplied,  // kubectl's annotation, a whole object as text
  kKeys,         // members whose names say password, secret, token and the like
  kPatterns,     // in any text: PEM, JWT, credentials, user:password of URLs, password=…
  kUris,         // query parameters: command of exec and attach, access_token, …; webhooks
  kEnvironment,  // values of containers' env
  kPaths,        // what the operator named
};
inline constexpr size_t kRedactionRules = 7;
inline constexpr std::array<std::string_view, kRedactionRules> kRedactionRuleNames = {
    "objects", "last-applied", "keys", "patterns", "uris", "environment", "paths"};

struct RedactionSettings {
  std::array<bool, kRedactionRules> on = {true, true, true, true, true, true, true};
  std::vector<std::string> keys;      // further names: globs in any case, or "=~" and RE2
  std::vector<std::string> patterns;  // RE2: what matches in any text is hidden
  std::vector<std::string> paths;     // "requestObject.data.*"
};
inline constexpr size_t kRedactionPathStepsMax = 256;  // of all paths together

// kInvalid with what is wrong with it.
Status CheckRedactionKey(std::string_view text);
Status CheckRedactionPattern(std::string_view text);
Status CheckRedactionPath(std::string_view text);

using RedactionKey = std::array<uint8_t, 32>;
// The same for as long as the process lives.
const RedactionKey& ProcessRedactionKey();

// Any thread.
struct RedactionCounters {
  std::array<std::atomic<uint64_t>, kRedactionRules> hidden{};  // marks that were set
  // Records of which bodies or texts were dropped because they could not be read well enough to
  // decide.
  std::atomic<uint64_t> fallback{0};
};

// Compiled rules. Immutable but for the counters; any thread.
class Redaction {
 public:
  // kInvalid as the checks above.
  static Result<std::shared_ptr<const Redaction>> Create(const RedactionSettings& settings,
                                                         const RedactionKey& key);
  // All rules, with the process's key.
  static std::shared_ptr<const Redaction> Default();
  ~Redaction();

  bool on(RedactionRule rule) const { return on_[static_cast<size_t>(rule)]; }
  bool any() const { return any_; }
  const RedactionKey& key() const { return key_; }
  RedactionCounters& counters() const { return counters_; }

  struct Compiled;  // expressions and paths
  const Compiled& compiled() const { return *compiled_; }

 private:
  Redaction();
  std::array<bool, kRedactionRules> on_{};
  bool any_ = false;
  RedactionKey key_{};
  std::unique_ptr<const Compiled> compiled_;
  mutable RedactionCounters counters_;
};

}  // namespace spool
