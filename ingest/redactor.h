// Applies the rules of redaction to one record after the other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "ingest/redaction.h"

namespace spool {

// Keeps buffers; one thread.
class Redactor {
 public:
  explicit Redactor(std::shared_ptr<const Redaction> redaction);
  ~Redactor();
  Redactor(const Redactor&) = delete;
  Redactor& operator=(const Redactor&) = delete;

  // May that many bytes be used beside the text? Asked before they are, if they are many.
  using Pay = std::function<bool(size_t bytes)>;

  // `text` is one valid JSON text (JsonScanner), and so is what comes back: `text` itself when
  // there is nothing to hide, else a view that lives until the next call. Applied to its own result
  // it changes nothing. Work is linear but for texts inside of texts, of which it opens
  // kRedactionNesting; what is deeper and may hold a secret is hidden as a whole. Empty when `pay`
  // refused.
  std::optional<std::string_view> Json(std::string_view text, const Pay& pay);

  // The same for bytes of any kind: plain text, lines, a header's value. Bytes that are no text and
  // speak of secrets are dropped as a whole.
  std::optional<std::string_view> Text(std::string_view text, const Pay& pay);

  // Whether an excerpt of `text` could show what rules hide by its place alone: an environment, or
  // what the operator named.
  bool HidesWhatWordsDoNotTell(std::string_view text) const;

  // HMAC-SHA256 by the key, of another domain than the marks'; its first 128 bits.
  Hash128 KeyedHash(std::string_view text);

  // Gives back the memory that a large record needed.
  void Trim();

 private:
  struct State;
  std::unique_ptr<State> state_;
};
inline constexpr int kRedactionNesting = 4;

}  // namespace spool
