#include "forward/glob.h"

namespace spool {
namespace {

// `?` is one character for people, so one UTF-8 sequence; one byte where the text is not UTF-8.
size_t CharacterLength(std::string_view text) {
  size_t length = 1;
  if ((static_cast<unsigned char>(text[0]) & 0xc0) == 0xc0) {
    while (length < text.size() && length < 4 &&
           (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) {
      ++length;
    }
  }
  return length;
}

// Goes back only to the last star: time is at most pattern times text, no recursion.
bool MatchGeneral(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t after_star = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      t += CharacterLength(text.substr(t));
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      after_star += CharacterLength(text.substr(after_star));
      t = after_star;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

Glob::Glob(std::string_view pattern) {
  const size_t first = pattern.find_first_of("*?");
  if (first == std::string_view::npos) {
    shape_ = Shape::kExact;
    text_ = pattern;
    return;
  }
  const bool front = pattern.front() == '*';
  const bool back = pattern.back() == '*';
  std::string_view middle = pattern;
  if (front) middle.remove_prefix(1);
  if (back && !middle.empty()) middle.remove_suffix(1);
  if (middle.find_first_of("*?") != std::string_view::npos) {
    shape_ = Shape::kGeneral;
    text_ = pattern;
    return;
  }
  text_ = middle;
  if (middle.empty()) {
    shape_ = Shape::kAnything;
  } else if (front && back) {
    shape_ = Shape::kContains;
  } else {
    shape_ = front ? Shape::kSuffix : Shape::kPrefix;
  }
}

bool Glob::Matches(std::string_view text) const {
  switch (shape_) {
    case Shape::kExact: return text == text_;
    case Shape::kAnything: return true;
    case Shape::kPrefix: return text.starts_with(text_);
    case Shape::kSuffix: return text.ends_with(text_);
    case Shape::kContains: return text.find(text_) != std::string_view::npos;
    case Shape::kGeneral: return MatchGeneral(text_, text);
  }
  return false;
}

}  // namespace spool
