#include "forward/template/lexer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "forward/template/unicode.h"

namespace spool::tmpl {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr std::string_view kBlanks = " \t\r\n";

constexpr std::array<std::pair<std::string_view, Token>, 13> kWords = {{
    {"block", Token::kBlock},
    {"break", Token::kBreak},
    {"continue", Token::kContinue},
    {"define", Token::kDefine},
    {"else", Token::kElse},
    {"end", Token::kEndWord},
    {"if", Token::kIf},
    {"nil", Token::kNil},
    {"range", Token::kRange},
    {"template", Token::kTemplate},
    {"with", Token::kWith},
    {"true", Token::kBool},
    {"false", Token::kBool},
}};

bool IsBlank(char32_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsNamePart(char32_t c) { return c == '_' || IsLetterOrDigit(c); }

// "- " after "{{", " -" before "}}".
bool TrimsLeft(std::string_view text) {
  return text.size() >= 2 && text[0] == '-' && IsBlank(static_cast<uint8_t>(text[1]));
}
bool TrimsRight(std::string_view text) {
  return text.size() >= 2 && IsBlank(static_cast<uint8_t>(text[0])) && text[1] == '-';
}

std::string Shown(char32_t c) {
  std::string text;
  AppendQuotedRune(text, c);
  return text;
}

}  // namespace

char32_t Lexer::Peek() const {
  if (at_ >= input_.size()) return kNone;
  size_t width = 0;
  return DecodeRune(input_.substr(at_), &width);
}

char32_t Lexer::Take() {
  if (at_ >= input_.size()) return kNone;
  size_t width = 0;
  const char32_t c = DecodeRune(input_.substr(at_), &width);
  at_ += width;
  return c;
}

bool Lexer::Accept(std::string_view set) {
  if (at_ >= input_.size() || set.find(input_[at_]) == set.npos) return false;
  ++at_;
  return true;
}

void Lexer::AcceptRun(std::string_view set) {
  while (Accept(set)) {
  }
}

Item Lexer::Emit(Token token) {
  const Item item{token, start_, input_.substr(start_, at_ - start_)};
  start_ = at_;
  return item;
}

Item Lexer::Error(std::string message) {
  error_ = std::move(message);
  failed_ = true;
  return {Token::kError, start_, error_};
}

Item Lexer::Next() {
  if (failed_) return {Token::kEnd, input_.size(), {}};
  return inside_ ? Action() : Text();
}

Item Lexer::Text() {
  while (true) {
    const size_t open = input_.find(kOpen, at_);
    if (open == input_.npos) {
      at_ = input_.size();
      return Emit(at_ > start_ ? Token::kText : Token::kEnd);
    }
    size_t end = open;
    if (TrimsLeft(input_.substr(open + kOpen.size()))) {
      const size_t last = input_.substr(0, open).find_last_not_of(kBlanks);
      end = std::max(last == input_.npos ? 0 : last + 1, start_);
    }
    at_ = end;
    const Item text = Emit(Token::kText);
    at_ = start_ = open;
    if (!text.text.empty()) return text;
    const size_t marker = TrimsLeft(input_.substr(at_ + kOpen.size())) ? 2 : 0;
    if (!input_.substr(at_ + kOpen.size() + marker).starts_with("/*")) return LeftDelim();
    at_ += kOpen.size() + marker;
    start_ = at_;
    if (!Comment()) return Error(error_);
  }
}

bool Lexer::Comment() {
  const size_t end = input_.find("*/", at_ + 2);
  if (end == input_.npos) {
    error_ = "unclosed comment";
    return false;
  }
  at_ = end + 2;
  bool trims = false;
  if (!AtRightDelim(&trims)) {
    error_ = "comment ends before closing delimiter";
    return false;
  }
  at_ += kClose.size() + (trims ? 2 : 0);
  if (trims) AcceptRun(kBlanks);
  start_ = at_;
  return true;
}

Item Lexer::LeftDelim() {
  at_ += kOpen.size();
  const Item item = Emit(Token::kLeftDelim);
  inside_ = true;
  parens_ = 0;
  if (TrimsLeft(input_.substr(at_))) at_ += 2;
  start_ = at_;
  return item;
}

bool Lexer::AtRightDelim(bool* trims) const {
  const std::string_view rest = input_.substr(at_);
  *trims = TrimsRight(rest) && rest.substr(2).starts_with(kClose);
  return *trims || rest.starts_with(kClose);
}

Item Lexer::RightDelim() {
  bool trims = false;
  AtRightDelim(&trims);
  if (trims) start_ = at_ += 2;
  at_ += kClose.size();
  const Item item = Emit(Token::kRightDelim);
  if (trims) {
    AcceptRun(kBlanks);
    start_ = at_;
  }
  inside_ = false;
  return item;
}

Item Lexer::Action() {
  bool trims = false;
  if (AtRightDelim(&trims)) return parens_ == 0 ? RightDelim() : Error("unclosed left paren");
  const char32_t c = Peek();
  if (c == kNone) return Error("unclosed action");
  if (IsBlank(c)) return Space();
  const char next = at_ + 1 < input_.size() ? input_[at_ + 1] : '\0';
  switch (c) {
    case '=': ++at_; return Emit(Token::kAssign);
    case ':':
      if (next != '=') return Error("expected :=");
      at_ += 2;
      return Emit(Token::kDeclare);
    case '|': ++at_; return Emit(Token::kPipe);
    case ',': ++at_; return Emit(Token::kComma);
    case '"': return Quoted('"', Token::kString, "unterminated quoted string");
    case '`': return Raw();
    case '\'': return Quoted('\'', Token::kCharacter, "unterminated character constant");
    case '$': ++at_; return Name(Token::kVariable);
    case '(':
      ++at_;
      ++parens_;
      return Emit(Token::kLeftParen);
    case ')':
      if (--parens_ < 0) return Error("unexpected right paren");
      ++at_;
      return Emit(Token::kRightParen);
    case '.':
      if (at_ + 1 < input_.size() && (next < '0' || next > '9')) {
        ++at_;
        return Name(Token::kField);
      }
      return Number();
    default: break;
  }
  if (c == '+' || c == '-' || (c >= '0' && c <= '9')) return Number();
  if (IsNamePart(c)) return Word();
  if (c > ' ' && c < 0x7f) {
    ++at_;
    return Emit(Token::kOther);
  }
  return Error("unrecognized character in action: " + Shown(c));
}

Item Lexer::Space() {
  size_t blanks = 0;
  while (IsBlank(Peek())) {
    ++at_;
    ++blanks;
  }
  // The last of them may belong to " -}}".
  const std::string_view rest = input_.substr(at_ - 1);
  if (TrimsRight(rest) && rest.substr(2).starts_with(kClose)) {
    --at_;
    if (blanks == 1) return RightDelim();
  }
  return Emit(Token::kSpace);
}

bool Lexer::AtTerminator() const {
  const char32_t c = Peek();
  if (c == kNone || IsBlank(c)) return true;
  return c == '.' || c == ',' || c == '|' || c == ':' || c == ')' || c == '(' || StartsWith(kClose);
}

Item Lexer::Word() {
  while (IsNamePart(Peek())) Take();
  if (!AtTerminator()) return Error("bad character " + Shown(Peek()));
  const std::string_view word = input_.substr(start_, at_ - start_);
  for (const auto& [text, token] : kWords) {
    if (word == text) return Emit(token);
  }
  return Emit(Token::kIdentifier);
}

// After the "." or "$".
Item Lexer::Name(Token token) {
  if (AtTerminator()) return Emit(token == Token::kField ? Token::kDot : token);
  while (IsNamePart(Peek())) Take();
  if (!AtTerminator()) return Error("bad character " + Shown(Peek()));
  return Emit(token);
}

Item Lexer::Quoted(char quote, Token token, const char* unterminated) {
  ++at_;
  while (true) {
    char32_t c = Take();
    if (c == static_cast<char32_t>(quote)) return Emit(token);
    if (c == '\\') c = Take();  // whatever it is, a quote too
    if (c == kNone || c == '\n') return Error(unterminated);
  }
}

Item Lexer::Raw() {
  const size_t end = input_.find('`', at_ + 1);
  if (end == input_.npos) return Error("unterminated raw quoted string");
  at_ = end + 1;
  return Emit(Token::kRawString);
}

Item Lexer::Number() {
  if (!ScanNumber())
    return Error("bad number syntax: " + std::string(input_.substr(start_, at_ - start_)));
  const char32_t sign = Peek();
  if (sign == '+' || sign == '-' || input_[at_ - 1] == 'i') {
    return Error("complex numbers are of no use here");
  }
  return Emit(Token::kNumber);
}

bool Lexer::ScanNumber() {
  Accept("+-");
  std::string_view digits = "0123456789_";
  bool hex = false;
  bool decimal = true;
  if (Accept("0")) {
    if (Accept("xX")) {
      digits = "0123456789abcdefABCDEF_";
      hex = true;
      decimal = false;
    } else if (Accept("oO")) {
      digits = "01234567_";
      decimal = false;
    } else if (Accept("bB")) {
      digits = "01_";
      decimal = false;
    }
  }
  AcceptRun(digits);
  if (Accept(".")) AcceptRun(digits);
  if (decimal && Accept("eE")) {
    Accept("+-");
    AcceptRun("0123456789_");
  }
  if (hex && Accept("pP")) {
    Accept("+-");
    AcceptRun("0123456789_");
  }
  Accept("i");
  if (!IsNamePart(Peek())) return true;
  Take();
  return false;
}

}  // namespace spool::tmpl
