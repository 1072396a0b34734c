#include "ingest/redact_text.h"

#include <algorithm>
#include <array>
#include <optional>

#include "ingest/json_text.h"

namespace spool {
namespace {

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlnum(char c) { return IsUpper(c) || IsLower(c) || IsDigit(c); }
// Of an identifier: "spring.datasource.password", "--db-password", "DB_PASSWORD".
bool IsNameChar(char c) { return IsAlnum(c) || c == '_' || c == '-' || c == '.'; }
bool IsTokenChar(char c) { return IsNameChar(c) || c == '+' || c == '/' || c == '=' || c == '~'; }
bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsQuote(char c) { return c == '"' || c == '\'' || c == '`'; }
char Lower(char c) { return IsUpper(c) ? static_cast<char>(c + 32) : c; }

bool SameFold(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (size_t i = 0; i < lower.size(); ++i) {
    if (Lower(text[i]) != lower[i]) return false;
  }
  return true;
}
bool EndsFold(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && SameFold(text.substr(text.size() - lower.size()), lower);
}
bool FindFold(std::string_view text, std::string_view lower) {
  return std::search(text.begin(), text.end(), lower.begin(), lower.end(),
                     [](char a, char b) { return Lower(a) == b; }) != text.end();
}

// Where the path itself is the secret: from behind these on.
constexpr std::string_view kWebhooks[] = {
    "hooks.slack.com/",    "discord.com/api/webhooks/",   "discordapp.com/api/webhooks/",
    "webhook.office.com/", "outlook.office.com/webhook/", "api.telegram.org/bot"};
// Parameters of queries only; elsewhere the words mean other things.
constexpr std::string_view kSecretParameters[] = {
    "sig", "signature", "x-amz-signature", "x-amz-credential", "x-goog-signature", "code",
    "key", "jwt"};

class Finder {
 public:
  Finder(std::string_view text, const Redaction& redaction, NameTable* names,
         std::vector<TextSpan>* out)
      : text_(text),
        patterns_(redaction.on(RedactionRule::kPatterns)),
        uris_(redaction.on(RedactionRule::kUris)),
        names_(*names),
        out_(*out) {}

  void Run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '[' && MarkAt(text_, at_) > 0) {
        at_ += MarkAt(text_, at_);
      } else if (IsNameChar(c)) {
        Name();
      } else if (c == ':') {
        if (!Address()) ++at_;
      } else if (c == '?' && uris_) {
        Query();
      } else {
        ++at_;
      }
    }
  }

 private:
  std::string_view Rest() const { return text_.substr(at_); }
  bool Hide(size_t begin, size_t end, RedactionRule rule) {
    at_ = std::max(at_, end);
    if (begin >= end || MarkAt(text_, begin) == end - begin) return false;
    out_.push_back({begin, end, rule});
    return true;
  }

  // A run of name characters, and what may stand behind it.
  void Name() {
    const size_t begin = at_;
    if (patterns_ && Pem()) return;
    size_t end = begin;
    while (end < text_.size() && IsNameChar(text_[end])) ++end;
    if (!patterns_) {
      at_ = end;
      return;
    }
    if (Jwt(begin, end)) return;
    at_ = end;
    const std::string_view name = text_.substr(begin, end - begin);
    if (Scheme(name) || Flag(name) || SqlPassword(begin, name)) return;
    const std::string_view word = Trimmed(name);
    if (word.empty()) return;
    const NameKind kind = KindIn(word);
    if (kind != NameKind::kPlain) Value(begin, word, kind);
  }

  // A sentence's full stop and a list's dash are not of the name.
  static std::string_view Trimmed(std::string_view name) {
    while (!name.empty() && !IsAlnum(name.front())) name.remove_prefix(1);
    while (!name.empty() && (name.back() == '.' || name.back() == '-')) name.remove_suffix(1);
    return name;
  }
  NameKind KindIn(std::string_view word) {
    const NameKind kind = names_.Find(word).kind;
    if (kind != NameKind::kSecret || word.size() > 4) return kind;
    // "auth: x" and "pw: x" are too common in prose.
    return SameFold(word, "auth") ? NameKind::kPlain : kind;
  }

  bool Pem() {
    if (!SameFold(Rest(), "-----begin")) return false;
    const size_t begin = at_;
    size_t end = begin + 10;
    while (end < text_.size() && !SameFold(text_.substr(end), "-----end")) ++end;
    if (end < text_.size()) {
      end = text_.find("-----", end + 8);
      end = end == std::string_view::npos ? text_.size() : end + 5;
    }
    return Hide(begin, end, RedactionRule::kPatterns), true;
  }

  // Base64 of what begins with {", as tokens and registry credentials do; also behind an escape of
  // a text inside of a text: "\neyJ…".
  bool Jwt(size_t begin, size_t end) {
    constexpr size_t kLeast = 16;
    size_t from = std::string_view::npos;
    const std::string_view whole = text_.substr(0, end);
    for (size_t i = whole.find("eyJ", begin); i < end; i = whole.find("eyJ", i + 1)) {
      const bool first = i == begin || !IsAlnum(text_[i - 1]);
      const bool escaped = i == begin + 1 && begin > 0 && text_[begin - 1] == '\\';
      if (first || escaped) {
        from = i;
        break;
      }
    }
    if (from == std::string_view::npos) return false;
    size_t last = from;
    while (last < text_.size() && IsTokenChar(text_[last])) ++last;
    return last - from >= kLeast && Hide(from, last, RedactionRule::kPatterns);
  }

  // "Bearer x", "Basic x": not "basic auth", "bearer token".
  bool Scheme(std::string_view name) {
    if (!EndsFold(name, "bearer") && !EndsFold(name, "basic")) return false;
    if (at_ >= text_.size() || (text_[at_] != ' ' && text_[at_] != '+')) return false;
    const size_t begin = at_ + 1;
    size_t end = begin;
    while (end < text_.size() && IsTokenChar(text_[end])) ++end;
    const std::string_view value = text_.substr(begin, end - begin);
    constexpr size_t kWordMax = 14;
    const bool word = value.size() <= kWordMax && std::all_of(value.begin(), value.end(), IsLower);
    return !word && Hide(begin, end, RedactionRule::kPatterns);
  }

  // mysql -p x, mysql -px, curl -u jane:x, --password x.
  bool Flag(std::string_view name) {
    if (name.size() < 2 || name[0] != '-') return false;
    if (name[1] == '-') {
      if (at_ >= text_.size() || !IsBlank(text_[at_]) || !IsSecretFlag(name, &names_)) return false;
      return Argument(at_ + 1, false);
    }
    const bool blank = at_ < text_.size() && IsBlank(text_[at_]);
    if (name[1] == 'u' && Uses('u')) return name.size() == 2 && blank && Argument(at_ + 1, true);
    if (std::string_view("paw").find(name[1]) == std::string_view::npos) return false;
    if (!Uses(name[1])) return false;
    if (name.size() > 2 || !blank) return name[1] == 'p' && Attached(name);
    return Argument(at_ + 1, false);
  }
  bool Attached(std::string_view name) {
    size_t begin = at_ - name.size() + 2;
    if (begin < text_.size() && IsQuote(text_[begin])) {
      ++begin;
      return Hide(begin, EndOfQuoted(begin), RedactionRule::kPatterns);
    }
    size_t end = at_;
    while (end < text_.size() && !IsBlank(text_[end]) && !IsQuote(text_[end])) ++end;
    return Hide(begin, end, RedactionRule::kPatterns);
  }
  bool Argument(size_t begin, bool with_colon) {
    while (begin < text_.size() && IsBlank(text_[begin])) ++begin;
    if (begin >= text_.size() || text_[begin] == '-') return false;
    size_t end = begin;
    if (IsQuote(text_[begin])) {
      ++begin;
      end = EndOfQuoted(begin);
    } else {
      while (end < text_.size() && !IsBlank(text_[end]) && !IsQuote(text_[end])) ++end;
    }
    if (with_colon && text_.substr(begin, end - begin).find(':') == std::string_view::npos) {
      return false;
    }
    return Hide(begin, end, RedactionRule::kPatterns);
  }
  // Whether the text names a program whose flag announces a password.
  bool Uses(char flag) {
    if (!flags_) {
      flags_ = std::string();
      for (size_t i = 0; i < text_.size();) {
        size_t end = i;
        while (end < text_.size() && (IsAlnum(text_[end]) || text_[end] == '-')) ++end;
        if (const char one = PasswordFlagOf(text_.substr(i, end - i))) flags_->push_back(one);
        i = std::max(end, i + 1);
      }
    }
    return flags_->find(flag) != std::string::npos;
  }

  // IDENTIFIED BY 'x', PASSWORD 'x'.
  bool SqlPassword(size_t begin, std::string_view name) {
    if (at_ + 1 >= text_.size() || text_[at_] != ' ' || !IsQuote(text_[at_ + 1])) return false;
    const bool by = name.size() == 2 && SameFold(name, "by") && begin >= 11 &&
                    SameFold(text_.substr(begin - 11), "identified ");
    if (!by && !EndsFold(name, "password")) return false;
    const size_t value = at_ + 2;
    return Hide(value, EndOfQuoted(value), RedactionRule::kPatterns);
  }

  // What stands behind a name that announces it: =, :, =>, :=, closing quotes before, also escaped
  // ones of a text inside of a text.
  void Value(size_t name_begin, std::string_view word, NameKind kind) {
    size_t at = at_;
    bool quoted = false;
    while (at < text_.size() && (IsQuote(text_[at]) || text_[at] == '\\' || text_[at] == ']')) {
      quoted |= IsQuote(text_[at++]);
    }
    size_t separator = at;
    while (at < text_.size() && IsBlank(text_[at]) && !quoted) ++at;
    if (at < text_.size() && (text_[at] == '=' || text_[at] == ':')) {
      separator = at;
    } else if (SameFold(text_.substr(at), "%3d")) {
      return Plain(at + 3, word, kind, true);
    } else if (at_ < text_.size() && text_[at_] == '>' && name_begin > 0 &&
               text_[name_begin - 1] == '<') {
      const size_t end = std::min(text_.find('<', at_), text_.size());
      Hide(at_ + 1, end, RedactionRule::kPatterns);
      return;
    } else {
      return;
    }
    const bool colon = text_[separator] == ':';
    // Kubernetes writes `volume "a-token" : why`; "://" begins no value either.
    if (colon && separator != at_ && !quoted) return;
    if (text_.substr(separator).starts_with("://")) return;
    at = separator + 1;
    if (at < text_.size() && (text_[at] == '>' || text_[at] == '=')) ++at;
    bool line_end = false, blank = false;
    while (at < text_.size() && IsBlank(text_[at])) {
      line_end |= text_[at++] == '\n';
      blank = true;
    }
    if (at >= text_.size()) return;
    if (line_end || text_[at] == '|') return Block(at);
    Plain(at, word, kind, !(colon && blank));
  }

  // A block or list of YAML: no end can be told for sure.
  void Block(size_t at) { Hide(at, text_.size(), RedactionRule::kPatterns); }

  void Plain(size_t at, std::string_view word, NameKind kind, bool tight) {
    // Backslashes in front of a quote are of a text inside of a text.
    size_t begin = at;
    while (begin < text_.size() && text_[begin] == '\\') ++begin;
    if (begin < text_.size() && IsQuote(text_[begin])) {
      ++begin;
      Hide(begin, EndOfQuoted(begin), RedactionRule::kPatterns);
      return;
    }
    begin = at;
    if (begin < text_.size() && (text_[begin] == '{' || text_[begin] == '[') &&
        MarkAt(text_, begin) == 0) {
      return Block(begin);
    }
    const bool line = FindFold(word, "authorization") || FindFold(word, "cookie");
    size_t end = begin;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      if (c == '\n' || c == '"' || c == '\'' || c == '<') break;
      if (line) continue;
      if (IsBlank(c) || c == ',' || c == ';' || c == '&' || c == ')' || c == '}') break;
      if (c == ']' && !InMark(begin, end)) break;
    }
    const std::string_view value = text_.substr(begin, end - begin);
    const bool whole = end == text_.size() || text_[end] == '\n';
    // "failed to fetch token: pods …", "requested: secrets=1": prose, and a quota's numbers.
    if (kind == NameKind::kReference && !whole && !tight &&
        std::all_of(value.begin(), value.end(), IsLower)) {
      return;
    }
    if (SameFold(word, "secrets") && word.size() == 7 &&
        std::all_of(value.begin(), value.end(), IsDigit)) {
      return;
    }
    Hide(begin, end, RedactionRule::kPatterns);
  }
  bool InMark(size_t begin, size_t at) const {
    const size_t size = MarkAt(text_, begin);
    return size > 0 && at < begin + size;
  }

  size_t Backslashes(size_t at) const {
    size_t count = 0;
    while (count < at && text_[at - count - 1] == '\\') ++count;
    return count;
  }
  // `begin` is behind the opening quote; a quote escaped deeper belongs to the value.
  size_t EndOfQuoted(size_t begin) const {
    const char quote = text_[begin - 1];
    const size_t depth = Backslashes(begin - 1);
    size_t end = begin;
    while (end < text_.size() && (text_[end] != quote || Backslashes(end) > depth)) ++end;
    // The closing quote's own backslashes are not of the value.
    return end < text_.size() ? end - std::min(depth, end - begin) : end;
  }

  // "://": user and password in front of a host, and paths that are secrets.
  bool Address() {
    size_t begin = at_ + 1;
    for (int slashes = 0; slashes < 2; ++slashes) {
      while (begin < text_.size() && text_[begin] == '\\') ++begin;
      if (begin >= text_.size() || text_[begin] != '/') return false;
      ++begin;
    }
    if (patterns_ && UserInfo(begin)) return true;
    if (uris_ && Webhook(begin)) return true;
    at_ = begin;
    return true;
  }
  static bool EndsAddress(char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '<' || c == '>' || c == '`';
  }
  bool UserInfo(size_t begin) {
    // One address may have many "://" in it; it is looked through once.
    if (begin >= address_end_) {
      address_at_ = 0;
      address_end_ = begin;
      for (; address_end_ < text_.size() && !EndsAddress(text_[address_end_]); ++address_end_) {
        if (text_[address_end_] == '@') address_at_ = address_end_;
      }
    }
    size_t last = address_at_ > begin ? address_at_ : 0;
    size_t slash = begin;
    while (slash < address_end_ && text_[slash] != '/' && text_[slash] != '?' &&
           text_[slash] != '#')
      ++slash;
    if (last == 0) return false;
    if (last > slash) {
      // An @ of the path, unless the password has a slash in it: then what stands in front of the
      // slash is neither a host nor a host and a port.
      const std::string_view host = text_.substr(begin, slash - begin);
      const size_t at = host.rfind('@');
      if (at != std::string_view::npos) {
        last = begin + at;
      } else {
        const size_t colon = host.rfind(':');
        if (colon == std::string_view::npos || host.ends_with(']')) return false;
        const std::string_view port = host.substr(colon + 1);
        if (std::all_of(port.begin(), port.end(), IsDigit)) return false;
      }
    }
    Hide(begin, last, RedactionRule::kPatterns);
    return true;
  }
  bool Webhook(size_t begin) {
    for (const std::string_view host : kWebhooks) {
      size_t at = begin;
      const size_t limit = std::min(text_.size(), begin + 128);
      while (at < limit && !EndsAddress(text_[at]) && !SameFold(text_.substr(at), host)) ++at;
      if (at >= limit || EndsAddress(text_[at])) continue;
      const size_t from = at + host.size();
      size_t end = from;
      while (end < text_.size() && !EndsAddress(text_[end]) && text_[end] != '\'') ++end;
      if (Hide(from, end, RedactionRule::kUris)) return true;
    }
    return false;
  }

  // "?a=b&c=d" until what cannot be in an address.
  void Query() {
    const bool exec =
        EndsFold(text_.substr(0, at_), "/exec") || EndsFold(text_.substr(0, at_), "/attach");
    size_t at = ++at_;
    if (at < prose_end_) return;
    bool query = false;
    while (at < text_.size() && InQuery(text_[at])) {
      size_t end = at;
      while (end < text_.size() && InQuery(text_[end]) && text_[end] != '&' && text_[end] != ';') {
        ++end;
      }
      // JSON writes & as \u0026, also in a text inside of a text.
      const size_t escape = text_.substr(at, end - at).find("\\u0026");
      if (escape != std::string_view::npos) end = at + escape;
      const std::string_view parameter = text_.substr(at, end - at);
      const size_t equals = parameter.find('=');
      query |= equals != std::string_view::npos;
      if (equals != std::string_view::npos) {
        Parameter(parameter.substr(0, equals), at + equals + 1, end, exec);
      } else if (HoldsSecret(parameter)) {
        Hide(at, end, RedactionRule::kUris);
      }
      at = end;
      if (escape != std::string_view::npos) {
        at += 6;
      } else if (at < text_.size() && (text_[at] == '&' || text_[at] == ';')) {
        ++at;
      } else {
        break;
      }
    }
    if (query) {
      at_ = std::max(at_, at);
    } else {
      prose_end_ = at;
    }
  }
  static bool InQuery(char c) { return !EndsAddress(c) && c != '\''; }
  void Parameter(std::string_view name, size_t begin, size_t end, bool exec) {
    const std::string plain = PercentDecode(name).value_or(std::string(name));
    const auto same = [&](std::string_view word) {
      return plain.size() == word.size() && SameFold(plain, word);
    };
    const bool secret =
        names_.Find(plain).kind != NameKind::kPlain ||
        std::any_of(std::begin(kSecretParameters), std::end(kSecretParameters), same) ||
        (exec && (plain == "command" || plain == "cmd")) ||
        HoldsSecret(text_.substr(begin, end - begin));
    if (secret) {
      Hide(begin, end, RedactionRule::kUris);
    } else {
      at_ = std::max(at_, end);
    }
  }
  // A value that is text itself, in another coat.
  bool HoldsSecret(std::string_view value) {
    if (value.find('%') == std::string_view::npos && value.find("eyJ") == std::string_view::npos) {
      return false;
    }
    if (depth_ > 0) return true;
    const std::string plain = PercentDecode(value).value_or(std::string(value));
    std::vector<TextSpan> inside;
    Finder finder(plain, *this, &inside);
    finder.Run();
    return !inside.empty();
  }
  Finder(std::string_view text, const Finder& outer, std::vector<TextSpan>* out)
      : text_(text),
        patterns_(true),
        uris_(true),
        names_(outer.names_),
        out_(*out),
        depth_(outer.depth_ + 1) {}

  const std::string_view text_;
  const bool patterns_, uris_;
  NameTable& names_;
  std::vector<TextSpan>& out_;
  const int depth_ = 0;
  size_t at_ = 0;
  size_t address_at_ = 0, address_end_ = 0;  // the last @ of the address last seen, and its end
  size_t prose_end_ = 0;                     // up to here a question mark begins no query
  std::optional<std::string> flags_;
};

}  // namespace

void FindSecrets(std::string_view text, const Redaction& redaction, NameTable* names,
                 std::vector<TextSpan>* out) {
  if (!redaction.on(RedactionRule::kPatterns) && !redaction.on(RedactionRule::kUris)) return;
  Finder(text, redaction, names, out).Run();
}

size_t MarkAt(std::string_view text, size_t at) {
  const std::string_view mark = text.substr(std::min(at, text.size()), kMarkSize);
  if (mark.size() != kMarkSize || !mark.starts_with(kMarkHead) || mark.back() != ']') return 0;
  const std::string_view digits = mark.substr(kMarkHead.size(), kMarkDigits);
  const auto hex = [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); };
  return std::all_of(digits.begin(), digits.end(), hex) ? kMarkSize : 0;
}

bool IsSecretFlag(std::string_view argument, NameTable* names) {
  if (argument.size() < 3 || argument[0] != '-' || argument.find('=') != std::string_view::npos) {
    return false;
  }
  while (argument.starts_with('-')) argument.remove_prefix(1);
  return names->Find(argument).kind != NameKind::kPlain;
}

char PasswordFlagOf(std::string_view program) {
  program.remove_prefix(program.rfind('/') + 1);  // npos + 1 is 0
  constexpr std::pair<std::string_view, char> kPrograms[] = {
      {"mysql", 'p'},   {"mysqldump", 'p'}, {"mysqladmin", 'p'}, {"mariadb", 'p'},
      {"sshpass", 'p'}, {"mongo", 'p'},     {"mongosh", 'p'},    {"mongodump", 'p'},
      {"login", 'p'},   {"redis-cli", 'a'}, {"ldapsearch", 'w'}, {"ldapmodify", 'w'},
      {"ldapadd", 'w'}, {"curl", 'u'},      {"wget", 'u'},       {"htpasswd", 'p'}};
  for (const auto& [name, flag] : kPrograms) {
    if (program == name) return flag;
  }
  return 0;
}

}  // namespace spool
