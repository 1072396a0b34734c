// Characters as Go sees them: code points of UTF-8, and what its package unicode says of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spool::tmpl {

inline constexpr char32_t kRuneError = 0xfffd;

// The code point at the start of `text`, which is not empty, and the number of its bytes. What is
// not UTF-8 gives kRuneError with a width of 1.
char32_t DecodeRune(std::string_view text, size_t* width);

// Appends the code point as UTF-8; kRuneError for what is none.
void AppendRune(std::string& out, char32_t rune);

size_t RuneCount(std::string_view text);

// The first `count` code points of `text`, all of it if it has fewer.
std::string_view FirstRunes(std::string_view text, size_t count);

bool IsLetterOrDigit(char32_t rune);
bool IsPrintable(char32_t rune);
bool IsSpace(char32_t rune);
char32_t ToUpper(char32_t rune);
char32_t ToLower(char32_t rune);
char32_t ToTitle(char32_t rune);

// Without the white space at both ends.
std::string_view TrimSpace(std::string_view text);

// Go's quoted form: "a\tb\"c"; with `ascii` everything else is escaped too.
void AppendQuoted(std::string& out, std::string_view text, bool ascii = false);
void AppendQuotedRune(std::string& out, char32_t rune, bool ascii = false);

}  // namespace spool::tmpl
