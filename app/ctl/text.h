// Text for terminals: what it occupies, what must not reach it, and small formats for people.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spool::ctl {

// Columns that one code point takes: 0 for combining marks, 2 for East Asian wide and emoji.
int CodePointWidth(char32_t c);

// True for what must never reach a terminal or a reader's eye as it is: C0 and C1 controls, bidi
// and other invisible format characters, line separators, tags, private escapes.
bool IsHostile(char32_t c);

// One line that is safe to print, whatever `raw` holds: line ends and tabs become a space, hostile
// code points their \u notation, bytes that are no UTF-8 their \x notation.
std::string Visible(std::string_view raw);

// The same for JSON text: hostile code points become \uXXXX, which means the same to a JSON reader.
// White space between tokens stays.
std::string VisibleJson(std::string_view json);

// Columns of text that Visible made.
size_t DisplayWidth(std::string_view visible);
// At most `width` columns of it, the last of them "…" if something was cut.
std::string Truncate(std::string_view visible, size_t width);

// The first `columns` of a line that may hold our own colours, which take no room.
std::string Clip(std::string_view painted, size_t columns);

// As a terminal can show it: unchanged, or, when LC_ALL, LC_CTYPE or LANG name a character set that
// is not UTF-8, in ASCII with as many columns (a locale that is not set says nothing).
std::string ForLocale(const std::string& text);

// "4,118,871"
std::string Thousands(uint64_t n);
// "1 event", "2,000 events"
std::string Count(uint64_t n, std::string_view noun);

// The candidate that was probably meant (one or two slips away); empty if none is near.
std::string Closest(std::string_view word, std::span<const std::string> candidates);

// As it can be pasted into a shell.
std::string ShellQuote(std::string_view word);
// For a path segment or a query value.
std::string PercentEncode(std::string_view text);

}  // namespace spool::ctl
