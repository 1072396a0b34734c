#include "ingest/json_cursor.h"

namespace spool {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// A quote ends the string unless an odd number of backslashes stands before it.
size_t SkipString(std::string_view text, size_t at) {
  for (size_t i = at + 1; i < text.size(); ++i) {
    i = text.find('"', i);
    if (i == std::string_view::npos) break;
    size_t slashes = 0;
    while (text[i - 1 - slashes] == '\\') ++slashes;
    if (slashes % 2 == 0) return i + 1;
  }
  return text.size();
}

}  // namespace

size_t SkipJsonValue(std::string_view text, size_t at) {
  if (at >= text.size()) return text.size();
  if (text[at] == '"') return SkipString(text, at);
  if (text[at] != '{' && text[at] != '[') {
    while (at < text.size() && text[at] != ',' && text[at] != '}' && text[at] != ']' &&
           !IsSpace(text[at])) {
      ++at;
    }
    return at;
  }
  size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = SkipString(text, at);
      continue;
    }
    ++at;
    if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return at;
    }
  }
  return text.size();
}

JsonCursor::JsonCursor(std::string_view text) : text_(text) {
  SkipSpace();
  open_ = at_ < text_.size() && (text_[at_] == '{' || text_[at_] == '[');
  ++at_;
}

void JsonCursor::SkipSpace() {
  while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
}

bool JsonCursor::Value(std::string_view* value) {
  SkipSpace();
  const size_t begin = at_;
  at_ = SkipJsonValue(text_, at_);
  if (at_ == begin) return open_ = false;
  *value = text_.substr(begin, at_ - begin);
  SkipSpace();
  if (at_ < text_.size() && text_[at_] == ',') ++at_;
  return true;
}

bool JsonCursor::NextMember(std::string_view* key, std::string_view* value) {
  if (!open_) return false;
  SkipSpace();
  if (at_ >= text_.size() || text_[at_] != '"') return open_ = false;
  const size_t begin = at_ + 1;
  at_ = SkipString(text_, at_);
  if (at_ < begin + 1) return open_ = false;
  *key = text_.substr(begin, at_ - 1 - begin);
  SkipSpace();
  if (at_ >= text_.size() || text_[at_] != ':') return open_ = false;
  ++at_;
  return Value(value);
}

bool JsonCursor::NextElement(std::string_view* value) {
  if (!open_) return false;
  SkipSpace();
  if (at_ >= text_.size() || text_[at_] == ']' || text_[at_] == '}') return open_ = false;
  return Value(value);
}

std::string_view JsonMemberOf(std::string_view object, std::string_view key) {
  JsonCursor cursor(object);
  std::string_view name, value;
  while (cursor.NextMember(&name, &value)) {
    if (name == key) return value;
  }
  return {};
}

std::string_view JsonStringInside(std::string_view value) {
  return value.size() >= 2 && value.front() == '"' && value.back() == '"'
             ? value.substr(1, value.size() - 2)
             : std::string_view{};
}

}  // namespace spool
