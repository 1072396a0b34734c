#include "ingest/redact.h"

#include <algorithm>
#include <array>

#include "ingest/json_text.h"

namespace spool {
namespace {

// Read beyond what is shown, so that a secret on the edge is seen whole.
constexpr size_t kLookedAt = 4096;
constexpr std::string_view kHidden = "[redacted]";

constexpr std::string_view kWords[] = {"password",   "passwd",        "passphrase", "pwd",
                                       "secret",     "token",         "apikey",     "api_key",
                                       "api-key",    "access_key",    "accesskey",  "private",
                                       "credential", "authorization", "cookie",     "signature"};
// Of these the value goes on behind a space: "Bearer x", "a=b; c=d".
constexpr std::string_view kSpacedWords[] = {"authorization", "cookie"};

bool IsWordChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}
bool IsBase64Char(char c) { return IsWordChar(c) || c == '+' || c == '/' || c == '='; }

// What may stand between a word and its value: quotes, also escaped ones, and separators.
bool IsBetween(char c) {
  return c == '"' || c == '\'' || c == '\\' || c == ':' || c == '=' || c == ' ' || c == '\t' ||
         c == '\r' || c == '\n' || c == ',';
}

class Hider {
 public:
  explicit Hider(std::string_view text) : text_(text), lower_(AsciiLower(text)) {}

  std::string Run() {
    while (at_ < text_.size()) {
      if (Pem() || Jwt() || Scheme() || Url() || Word()) continue;
      out_.push_back(text_[at_++]);
    }
    return std::move(out_);
  }

 private:
  std::string_view Lower() const { return std::string_view(lower_).substr(at_); }

  void Hide(size_t end) {
    out_.append(kHidden);
    at_ = end;
  }

  bool Pem() {
    if (!Lower().starts_with("-----begin")) return false;
    const size_t end = lower_.find("-----end", at_);
    const size_t last = end == std::string::npos ? end : lower_.find("-----", end + 8);
    Hide(last == std::string::npos ? text_.size() : last + 5);
    return true;
  }

  bool Jwt() {
    if (!text_.substr(at_).starts_with("eyJ")) return false;
    if (at_ > 0 && IsWordChar(text_[at_ - 1])) return false;
    size_t end = at_;
    while (end < text_.size() && IsBase64Char(text_[end])) ++end;
    Hide(end);
    return true;
  }

  // "Bearer x", "Basic x".
  bool Scheme() {
    for (const std::string_view scheme : {"bearer ", "basic "}) {
      if (!Lower().starts_with(scheme)) continue;
      if (at_ > 0 && IsWordChar(text_[at_ - 1])) continue;
      out_.append(text_.substr(at_, scheme.size()));
      size_t end = at_ + scheme.size();
      while (end < text_.size() && IsBase64Char(text_[end])) ++end;
      Hide(end);
      return true;
    }
    return false;
  }

  // user:password in front of an @.
  bool Url() {
    if (!text_.substr(at_).starts_with("://")) return false;
    size_t end = at_ + 3;
    while (end < text_.size() &&
           (IsWordChar(text_[end]) || text_[end] == ':' || text_[end] == '%' || text_[end] == '~' ||
            text_[end] == '!' || text_[end] == '$')) {
      ++end;
    }
    if (end >= text_.size() || text_[end] != '@') return false;
    out_.append("://");
    Hide(end);
    return true;
  }

  // A word that announces a secret, and the value behind it.
  bool Word() {
    const auto* word = std::find_if(std::begin(kWords), std::end(kWords),
                                    [this](auto w) { return Lower().starts_with(w); });
    if (word == std::end(kWords)) return false;
    const bool spaced = std::find(std::begin(kSpacedWords), std::end(kSpacedWords), *word) !=
                        std::end(kSpacedWords);
    size_t i = at_ + word->size();
    while (i < text_.size() && IsWordChar(text_[i])) ++i;  // "token_v2", "secretName"
    out_.append(text_.substr(at_, i - at_));
    at_ = i;
    if (i >= text_.size() || !IsBetween(text_[i])) return true;
    Between();
    // {"name":"DB_PASSWORD","value":"…"}
    if (Lower().starts_with("value")) {
      out_.append(text_.substr(at_, 5));
      at_ += 5;
      Between();
    }
    Value(spaced);
    return true;
  }

  void Between() {
    while (at_ < text_.size() && IsBetween(text_[at_])) out_.push_back(text_[at_++]);
  }

  size_t BackslashesBefore(size_t at) const {
    size_t count = 0;
    while (count < at && text_[at - count - 1] == '\\') ++count;
    return count;
  }

  void Value(bool spaced) {
    if (at_ >= text_.size()) return;
    if (text_[at_] == '{' || text_[at_] == '[') {  // whatever is in it
      Hide(text_.size());
      return;
    }
    const bool quoted = at_ > 0 && (text_[at_ - 1] == '"' || text_[at_ - 1] == '\'');
    const char quote = quoted ? text_[at_ - 1] : '\0';
    // In a text inside a text the quotes are escaped; one escaped deeper belongs to the value.
    const size_t depth = quoted ? BackslashesBefore(at_ - 1) : 0;
    size_t end = at_;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      if (quoted) {
        if (c == quote && BackslashesBefore(end) <= depth) break;
      } else if (c == '"' || c == '\'' || c == '\n' || c == '}' || c == ']' || c == '&' ||
                 (!spaced && (c == ' ' || c == ',' || c == ';'))) {
        break;
      }
    }
    Hide(end);
  }

  const std::string_view text_;
  const std::string lower_;
  size_t at_ = 0;
  std::string out_;
};

bool SpeaksOf(std::string_view record, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [record](auto word) { return record.find(word) != std::string_view::npos; });
}

}  // namespace

std::string HideSecrets(std::string_view text) { return Hider(text).Run(); }

std::string SafeExcerpt(std::string_view record) {
  if (SpeaksOf(record, {"\"Secret\"", "\"SecretList\"", "\"secrets\"", "auditID", "audit.k8s.io",
                        "AdmissionReview", "\"requestObject\"", "\"responseObject\""})) {
    return {};
  }
  // A word written in escapes could not be recognised.
  if (record.substr(0, kLookedAt).find("\\u") != std::string_view::npos) return {};
  const std::string hidden = HideSecrets(record.substr(0, kLookedAt));
  std::string out;
  for (const char c : hidden.substr(0, kExcerptMax)) {
    out.push_back(c >= 0x20 && c < 0x7F ? c : '.');
  }
  return out;
}

}  // namespace spool
