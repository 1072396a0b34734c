#include "ingest/redact.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "ingest/json_text.h"

namespace spool {
namespace {

// Read beyond what is shown, so that a secret on the edge is seen whole.
constexpr size_t kLookedAt = 4096;
constexpr std::string_view kHidden = "[redacted]";

constexpr std::string_view kWords[] = {"password",   "passwd",        "passphrase",
                                       "pwd",        "secret",        "token",
                                       "apikey",     "api_key",       "api-key",
                                       "access_key", "accesskey",     "private",
                                       "credential", "session",       "authorization",
                                       "cookie",     "signature",     "dockerconf",
                                       "conn_str",   "connectionstr", "last-applied-configuration"};
// Of these the value goes on behind a space: "Bearer x", "a=b; c=d".
constexpr std::string_view kSpacedWords[] = {"authorization", "cookie"};
// Too short to be looked for inside other words.
constexpr std::string_view kShortWords[] = {"pass", "pw", "auth"};
// What any of them begins with: most places of a text are ruled out by that.
constexpr std::array<bool, 256> kFirst = [] {
  std::array<bool, 256> first{};
  for (const std::string_view word : kWords) first[static_cast<uint8_t>(word[0])] = true;
  for (const std::string_view word : kShortWords) first[static_cast<uint8_t>(word[0])] = true;
  return first;
}();

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsLetter(char c) { return IsUpper(c) || IsLower(c); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordChar(char c) { return IsLetter(c) || IsDigit(c) || c == '_' || c == '-' || c == '.'; }
bool IsBase64Char(char c) { return IsWordChar(c) || c == '+' || c == '/' || c == '='; }

// What may stand between a word and its value: quotes, also escaped ones, and separators.
bool IsBetween(char c) {
  return c == '"' || c == '\'' || c == '\\' || c == ':' || c == '=' || c == ' ' || c == '\t' ||
         c == '\r' || c == '\n' || c == ',' || c == '>' || c == '/';
}

bool IsSeparator(char c) { return c == '-' || c == '_' || c == '/' || c == '+' || c == '='; }

// A word such as people write them: "payments", "creationTimestamp", "AWS". In a run without
// capitals also the short pieces of generated names: "7c9d8f6b5".
bool IsWordy(std::string_view piece, bool capitals) {
  constexpr size_t kWordMax = 15, kGeneratedMax = 10, kHumpMin = 3;
  if (std::any_of(piece.begin(), piece.end(), IsDigit)) {
    return !capitals && piece.size() <= kGeneratedMax;
  }
  if (std::all_of(piece.begin(), piece.end(), IsUpper)) return piece.size() <= kWordMax;
  for (size_t i = 0; i < piece.size();) {
    size_t end = i + 1;
    while (end < piece.size() && IsLower(piece[end])) ++end;
    if (end - i > kWordMax || (piece.size() > kHumpMin && end - i < kHumpMin)) return false;
    i = end;
  }
  return true;
}

bool LooksLikeWords(std::string_view run) {
  const bool capitals = std::any_of(run.begin(), run.end(), IsUpper);
  for (size_t i = 0; i < run.size();) {
    size_t end = i;
    while (end < run.size() && !IsSeparator(run[end]) && run[end] != '\\') ++end;
    if (!IsWordy(run.substr(i, end - i), capitals)) return false;
    i = end + 1;
  }
  return true;
}

class Hider {
 public:
  explicit Hider(std::string_view text) : text_(text), lower_(AsciiLower(text)) {}

  std::string Run() {
    while (at_ < text_.size()) {
      if (Pem() || Jwt() || Scheme() || Url() || Base64() || Word() || Argument()) continue;
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
  void Show(size_t end) {
    out_.append(text_.substr(at_, end - at_));
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
      Show(at_ + scheme.size());
      size_t end = at_;
      while (end < text_.size() && IsBase64Char(text_[end])) ++end;
      Hide(end);
      return true;
    }
    return false;
  }

  // user:password in front of the last @: a password may hold one, or a slash.
  bool Url() {
    if (!text_.substr(at_).starts_with("://")) return false;
    size_t last = 0;
    for (size_t end = at_ + 3; end < text_.size(); ++end) {
      const char c = text_[end];
      if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '<' || c == '>') break;
      if (c == '@') last = end;
    }
    if (last == 0) return false;
    out_.append("://");
    Hide(last);
    return true;
  }

  // Long runs of base64's alphabet that are not words. A key may be one, too, so its value goes
  // with it if it announces one.
  bool Base64() {
    constexpr size_t kRunMin = 16;
    if (at_ > 0 && IsRunChar(at_ - 1)) return false;
    size_t end = at_;
    while (end < text_.size() && IsRunChar(end)) ++end;
    if (end - at_ < kRunMin || LooksLikeWords(text_.substr(at_, end - at_))) return false;
    const bool key = IsKey(Lower().substr(0, end - at_));
    Hide(end);
    if (key) Follows(/*spaced=*/true);
    return true;
  }
  // Whether `text`, in lower case, announces a secret that is not in it: "--token", not
  // "--token=x".
  static bool IsKey(std::string_view text) {
    constexpr size_t kKeyMax = 256;
    if (text.size() > kKeyMax) return false;
    const size_t equals = text.find('=');
    if (equals < text.size() && text.find_first_not_of('=', equals) < text.size()) return false;
    const auto has = [text](auto word) { return text.find(word) != std::string_view::npos; };
    return std::any_of(std::begin(kWords), std::end(kWords), has) ||
           std::any_of(std::begin(kShortWords), std::end(kShortWords), has);
  }
  bool IsRunChar(size_t at) const {
    const char c = text_[at];
    if (c == '\\') return at + 1 < text_.size() && text_[at + 1] == '/';  // JSON's "\/"
    return c != '.' && IsBase64Char(c);
  }

  // A word that announces a secret, and the value behind it.
  bool Word() {
    const std::string_view word = WordHere();
    if (word.empty()) return false;
    const bool spaced =
        std::find(std::begin(kSpacedWords), std::end(kSpacedWords), word) != std::end(kSpacedWords);
    size_t end = at_ + word.size();
    while (end < text_.size() && IsWordChar(text_[end])) ++end;  // "token_v2", "secretName"
    Show(end);
    Follows(spaced);
    return true;
  }
  std::string_view WordHere() const {
    const std::string_view here = Lower();
    if (!kFirst[static_cast<uint8_t>(here[0])]) return {};
    for (const std::string_view word : kWords) {
      if (here.starts_with(word)) return word;
    }
    for (const std::string_view word : kShortWords) {
      if (here.starts_with(word) && EndsAt(at_ + word.size()) && (word == "pass" || BeginsHere())) {
        return word;
      }
    }
    return {};
  }
  // Word boundaries, those of camelCase too.
  bool BeginsHere() const {
    return at_ == 0 || !IsLetter(text_[at_ - 1]) ||
           (IsLower(text_[at_ - 1]) && IsUpper(text_[at_]));
  }
  bool EndsAt(size_t end) const {
    return end >= text_.size() || !IsLetter(text_[end]) ||
           (IsUpper(text_[end]) && IsLower(text_[end - 1]));
  }

  // mysql -p x, curl -u jane:x, also as members of an array.
  bool Argument() {
    const std::string_view here = text_.substr(at_);
    if (!here.starts_with("-p") && !here.starts_with("-u")) return false;
    if (at_ > 0 && IsWordChar(text_[at_ - 1])) return false;
    if (here.size() < 3 || !IsBetween(here[2])) return false;
    Show(at_ + 2);
    Follows(/*spaced=*/false);
    return true;
  }

  // What stands behind an announcing word, if it is a value.
  void Follows(bool spaced) {
    if (at_ >= text_.size()) return;
    const char c = text_[at_];
    if (c == '[' || c == '{' || c == '(') return Hide(text_.size());  // password[0]=x
    if (!IsBetween(c)) return;
    size_t begin = at_;
    Between();
    // {"name":"DB_PASSWORD","value":"…"}, and the same of YAML.
    if (const size_t end = EndOfKey(); end != at_) {
      Show(end);
      begin = at_;
      Between();
    }
    Value(text_.substr(begin, at_ - begin), spaced);
  }

  // Of the key at hand: a member's in quotes, or YAML's "value"; at_ if there is none.
  size_t EndOfKey() const {
    if (Lower().starts_with("value")) return at_ + 5;
    if (at_ >= text_.size() || text_[at_ - 1] != '"') return at_;
    const size_t end = EndOfQuoted();
    const size_t colon = text_.find_first_not_of(" \t\r\n\\\"", end);
    return colon < text_.size() && text_[colon] == ':' ? end : at_;
  }

  void Between() {
    size_t end = at_;
    while (end < text_.size() && IsBetween(text_[end])) ++end;
    Show(end);
  }

  size_t BackslashesBefore(size_t at) const {
    size_t count = 0;
    while (count < at && text_[at - count - 1] == '\\') ++count;
    return count;
  }

  // `between` is what was shown since the word.
  void Value(std::string_view between, bool spaced) {
    if (at_ >= text_.size()) return;
    const char first = text_[at_];
    const bool quoted = !between.empty() && (between.back() == '"' || between.back() == '\'');
    // Whatever is in an object or array; a block or a list of YAML.
    if (!quoted && (first == '{' || first == '[' || first == '|' ||
                    between.find('\n') != std::string_view::npos)) {
      return Hide(text_.size());
    }
    if (quoted) {
      const size_t end = EndOfQuoted();
      const std::string_view value = Lower().substr(0, end - at_);
      Hide(end);
      // A flag that stands where a value should be: ["--token","-p","x"]
      if (value == "-p" || value == "-u" || (value.starts_with('-') && IsKey(value))) {
        Follows(/*spaced=*/false);
      }
      return;
    }
    // "key: some words" goes to the end of its line, "key=word" does not.
    const bool line =
        between.find(':') != std::string_view::npos && between.find('=') == std::string_view::npos;
    size_t end = at_;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      if (c == '"' || c == '\n') break;
      if (!line && c == '&') break;
      if (!line && !spaced && (c == ' ' || c == '\t' || c == ',' || c == ';')) break;
    }
    Hide(end);
  }

  size_t EndOfQuoted() const {
    const char quote = text_[at_ - 1];
    // In a text inside a text the quotes are escaped; one escaped deeper belongs to the value.
    const size_t depth = BackslashesBefore(at_ - 1);
    size_t end = at_;
    while (end < text_.size() && (text_[end] != quote || BackslashesBefore(end) > depth)) ++end;
    return end;
  }

  const std::string_view text_;
  const std::string lower_;
  size_t at_ = 0;
  std::string out_;
};

bool Has(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [text](auto word) { return text.find(word) != std::string_view::npos; });
}

// Whether the letter before `at` ends something else: an escape of JSON ("\nSecret",
// "\u000aSecret") or of a URL ("%3ASecret").
bool EscapeEndsAt(std::string_view text, size_t at) {
  const auto back = [&](size_t count, char c) { return at >= count && text[at - count] == c; };
  return back(2, '\\') || (back(6, '\\') && back(5, 'u')) || back(3, '%');
}

// "secret", "secrets" or "secretlist" at `at`, where there is an s.
bool SecretAt(std::string_view text, size_t at) {
  const auto matches = [&](size_t from, std::string_view word) {
    if (text.size() - from < word.size()) return false;
    for (size_t i = 0; i < word.size(); ++i) {
      if ((text[from + i] | 0x20) != word[i]) return false;
    }
    return true;
  };
  if (!matches(at, "secret")) return false;
  size_t end = at + 6;
  if (matches(end, "list")) {
    end += 4;
  } else if (matches(end, "s")) {
    end += 1;
  }
  if (end < text.size() && IsLetter(text[end])) return false;
  return at == 0 || !IsLetter(text[at - 1]) || EscapeEndsAt(text, at);
}

// "\u0053": nobody writes a letter so who does not want to hide a word.
bool EscapedLetterAt(std::string_view text, size_t at) {
  const std::string_view escape = text.substr(at, 6);
  return escape.size() == 6 && escape.starts_with("\\u00") && escape[4] >= '4' && escape[4] <= '7';
}

}  // namespace

std::string HideSecrets(std::string_view text) { return Hider(text).Run(); }

bool SpeaksOfSecrets(std::string_view text) {
  if (Has(text,
          {"auditID", "audit.k8s.io", "AdmissionReview", "requestObject", "responseObject"})) {
    return true;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c | 0x20) == 's' && SecretAt(text, i)) return true;
    if (c == '\\' && EscapedLetterAt(text, i)) return true;
  }
  return false;
}

std::string SafeExcerpt(std::string_view record) {
  const std::string_view start = record.substr(0, kLookedAt);
  // Words and quotes written in escapes could not be recognised, nor those of two bytes a letter.
  if (Has(start, {"\\u", "%22", "%3A", "%3a", "&quot;", "&#", std::string_view("\0", 1)}))
    return {};
  if (SpeaksOfSecrets(record)) return {};
  const std::string hidden = HideSecrets(start);
  std::string out;
  for (const char c : hidden.substr(0, kExcerptMax)) {
    out.push_back(c >= 0x20 && c < 0x7F ? c : '.');
  }
  return out;
}

}  // namespace spool
