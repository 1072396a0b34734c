// A template's text as tokens, as Go's text/template/parse has them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spool::tmpl {

enum class Token {
  kError,  // `text` says what is wrong
  kEnd,    // of the template
  kText,   // between actions
  kLeftDelim,
  kRightDelim,
  kLeftParen,
  kRightParen,
  kSpace,
  kPipe,
  kAssign,   // =
  kDeclare,  // :=
  kComma,
  kOther,  // a character that means nothing
  kBool,
  kCharacter,
  kNumber,
  kString,
  kRawString,
  kIdentifier,
  kField,     // .name
  kVariable,  // $name
  kDot,
  kNil,
  // Words that begin an action.
  kBlock,
  kBreak,
  kContinue,
  kDefine,
  kElse,
  kEndWord,
  kIf,
  kRange,
  kTemplate,
  kWith,
};

struct Item {
  Token token = Token::kEnd;
  size_t at = 0;          // offset in the template
  std::string_view text;  // of the template, or of the lexer's error
};

// One thread. The input must outlive it.
class Lexer {
 public:
  explicit Lexer(std::string_view input) : input_(input) {}

  // The next token; after the end or an error, the end for ever.
  Item Next();

 private:
  static constexpr char32_t kNone = 0x110000;  // the end of the input

  Item Text();
  Item Action();
  bool Comment();  // false: an error is in error_
  Item LeftDelim();
  Item RightDelim();
  Item Space();
  Item Word();
  Item Name(Token token);
  Item Quoted(char quote, Token token, const char* unterminated);
  Item Raw();
  Item Number();
  bool ScanNumber();

  char32_t Peek() const;
  char32_t Take();
  bool Accept(std::string_view set);
  void AcceptRun(std::string_view set);
  bool AtTerminator() const;
  bool AtRightDelim(bool* trims) const;
  bool StartsWith(std::string_view text) const { return input_.substr(at_).starts_with(text); }
  Item Emit(Token token);
  Item Error(std::string message);

  std::string_view input_;
  size_t at_ = 0;
  size_t start_ = 0;  // of the token being read
  bool inside_ = false;
  bool failed_ = false;
  int parens_ = 0;
  std::string error_;
};

}  // namespace spool::tmpl
