// What the configuration does with words: suggestions and substitution.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "app/config_file.h"

namespace spool {

// Damerau-Levenshtein (adjacent letters may swap), or `limit` + 1 when it is more than `limit`.
int EditDistance(std::string_view a, std::string_view b, int limit);

// The nearest of `words` within two edits; empty if there is none.
std::string_view Nearest(std::string_view word, std::span<const std::string_view> words);
// "did you mean 'X'?" or, with no near word and not too many, "available: a, b, c".
std::string Suggestion(std::string_view word, std::span<const std::string_view> words);
// "a, b, c"
std::string Join(std::span<const std::string_view> words, std::string_view between = ", ");

// Replaces ${VAR}, ${VAR:-default} and $$ in every scalar value of the tree, not in keys. A
// variable that is not set and has no default is a problem at its place; with :- an empty one
// counts as not set. `get` gives a variable's value or null (std::getenv).
void Substitute(YamlNode& node, const char* (*get)(const char*), ConfigProblems& problems);

}  // namespace spool
