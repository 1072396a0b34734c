#include "ingest/split.h"

#include <algorithm>
#include <string>

#include "ingest/brackets.h"

namespace spool {
namespace {

constexpr size_t kNone = std::string_view::npos;

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

class Splitter {
 public:
  Splitter(std::string_view body, const SplitOptions& options, RecordHandler* handler)
      : body_(body), options_(options), handler_(*handler) {}

  bool Run() {
    size_t at = body_.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    at = Documents(at, body_.size(), /*in_line=*/false);
    while (lines_ && !stopped_ && at < body_.size()) {
      const size_t newline = body_.find('\n', at);
      const size_t end = newline == kNone ? body_.size() : newline;
      Documents(at, end, /*in_line=*/true);
      at = end + 1;
    }
    return framed_;
  }

 private:
  // What is known of an object from its outermost members.
  struct Outline {
    size_t end = kNone;  // after it; kNone if it is not closed or not an object
    size_t resume = 0;   // behind the items that have been handed over already
    bool handed_over = false;
    bool cut = false;      // the items did not end, and that was told
    size_t items = kNone;  // where the array begins, or the null for none
    bool null_items = false;
    std::string_view kind, api_version;
    bool has_kind = false;
  };
  // Where an array was left.
  struct ArrayEnd {
    size_t at = 0;
    bool cut = false;  // it did not end, and that was told; go on at `at`
  };

  size_t SkipSpace(size_t at, size_t end) const {
    while (at < end && IsSpace(body_[at])) ++at;
    return at;
  }
  std::string_view Slice(size_t begin, size_t end) const {
    return body_.substr(begin, end - begin);
  }
  void Unreadable(size_t begin, size_t end) {
    if (handler_.Unreadable(Slice(begin, end)) == RecordHandler::Answer::kStop) stopped_ = true;
  }

  size_t Documents(size_t at, size_t end, bool in_line);
  size_t Document(size_t at, size_t end, bool in_line);
  size_t Broken(size_t at, size_t record_end, bool in_line);
  size_t LineOf(size_t at, size_t end) const;
  bool SwallowedLines(size_t at, size_t end) const;
  bool BeginsALine(size_t at) const;
  ArrayEnd Array(size_t at, size_t end, ListKind list, bool items, bool in_line);
  size_t Element(size_t at, size_t end) const;
  bool IsNextLines(size_t at, size_t end, bool comma, bool items);
  Outline Look(size_t at, size_t end, bool in_line, bool hand_over = true);
  bool IsList(const Outline& outline) const;
  static ListKind KindOf(const Outline& outline);

  const std::string_view body_;
  const SplitOptions options_;
  RecordHandler& handler_;
  bool stopped_ = false;
  bool framed_ = false;
  bool lines_ = false;  // from here on a record does not go beyond its line
};

size_t Splitter::Documents(size_t at, size_t end, bool in_line) {
  for (;;) {
    // 0x1E goes before each text of a JSON sequence.
    while (at < end && (IsSpace(body_[at]) || body_[at] == '\x1E')) ++at;
    if (at >= end || stopped_ || (lines_ && !in_line)) return at;
    at = Document(at, end, in_line);
  }
}

size_t Splitter::Document(size_t at, size_t end, bool in_line) {
  if (body_[at] == '[') {
    framed_ = true;
    return Array(at, end, ListKind::kNone, /*items=*/false, in_line).at;
  }
  if (body_[at] != '{') {  // a bare scalar or no JSON: up to the end of its line
    size_t stop = body_.find('\n', at);
    if (stop == kNone || stop > end) stop = end;
    size_t last = stop;
    while (last > at && IsSpace(body_[last - 1])) --last;
    const auto answer = handler_.Record(Slice(at, last), ListKind::kNone);
    if (answer == RecordHandler::Answer::kStop) stopped_ = true;
    if (answer == RecordHandler::Answer::kUnreadable) Unreadable(at, last);
    return stop;
  }
  Outline outline = Look(at, end, in_line);
  if (stopped_ || outline.cut) return outline.resume;
  if (outline.end == kNone) {
    const size_t skipped = SkipBrackets(body_.substr(0, end), at);
    const size_t from = outline.handed_over ? outline.resume : at;
    if (outline.handed_over || skipped == kNone) {
      return Broken(from, std::max(from, std::min(skipped, end)), in_line);
    }
    outline.end = skipped;
  } else if (outline.handed_over) {
    return outline.end;
  } else if (IsList(outline)) {
    framed_ = true;
    if (outline.null_items) return outline.end;
    const ArrayEnd left =
        Array(outline.items, outline.end, KindOf(outline), /*items=*/true, in_line);
    return left.cut ? left.at : outline.end;
  }
  const auto answer = handler_.Record(Slice(at, outline.end), ListKind::kNone);
  if (answer == RecordHandler::Answer::kStop) stopped_ = true;
  if (answer == RecordHandler::Answer::kUnreadable) return Broken(at, outline.end, in_line);
  return outline.end;
}

// The end of the first line in [at, end) behind which one begins like a record; kNone if none does.
size_t Splitter::LineOf(size_t at, size_t end) const {
  const std::string_view text = body_.substr(0, end);
  for (size_t i = text.find('\n', at); i != kNone && i + 1 < end; i = text.find('\n', i + 1)) {
    if (body_[i + 1] == '{' || body_[i + 1] == '[') return i;
  }
  return kNone;
}

bool Splitter::BeginsALine(size_t at) const {
  return (body_[at] == '{' || body_[at] == '[') && at > 0 && body_[at - 1] == '\n';
}

// Whether a line in [at, end) begins with a bracket that nothing before it asked for. JSON that is
// spread over lines has no such place; lines that were taken for one record have.
bool Splitter::SwallowedLines(size_t at, size_t end) const {
  const std::string_view text = body_.substr(0, end);
  char before = ',';
  for (size_t i = at; i < end;) {
    const char c = body_[i];
    if (i > at && BeginsALine(i) && before != ',' && before != ':' && before != '[') return true;
    if (!IsSpace(c)) before = c;
    i = c == '"' ? std::min(SkipString(text, i), end) : i + 1;
  }
  return false;
}

// A record that is no JSON may have swallowed its neighbours by a bracket too many. In a body of
// lines the next one that begins like a record is where to go on.
size_t Splitter::Broken(size_t at, size_t record_end, bool in_line) {
  size_t stop = record_end;
  if (!in_line) {
    if (const size_t line = LineOf(at, record_end); line != kNone) {
      lines_ = true;
      stop = line;
    }
  }
  size_t last = stop;
  while (last > at && IsSpace(body_[last - 1])) --last;
  Unreadable(at, last);
  return stop;
}

// The place after the element that begins at `at`; kNone if it does not end.
size_t Splitter::Element(size_t at, size_t end) const {
  const std::string_view text = body_.substr(0, end);
  if (body_[at] == '{' || body_[at] == '[') return SkipBrackets(text, at);
  size_t next = at;
  while (next != kNone && next < end && body_[next] != ',' && body_[next] != ']') {
    if (next > at && BeginsALine(next)) return next;
    next = body_[next] == '"' ? SkipString(text, next) : next + 1;
  }
  return next;
}

// Whether what begins at `at`, where an array's next element should be, is the next line's: it is
// at a line's begin and the comma is missing, or it is a list, and lists do not stand in lists.
bool Splitter::IsNextLines(size_t at, size_t end, bool comma, bool items) {
  if (!BeginsALine(at)) return false;
  if (!comma) return true;
  if (!items || body_[at] != '{') return false;
  const Outline outline = Look(at, end, /*in_line=*/false, /*hand_over=*/false);
  return outline.has_kind && IsList(outline);
}

// An array that does not end has run into what follows it. In a body of lines the signs of it are a
// line that cannot be its next element, and an element that took such lines for its own.
Splitter::ArrayEnd Splitter::Array(size_t at, size_t end, ListKind list, bool items, bool in_line) {
  bool comma = true;
  size_t i = at + 1;
  while (!stopped_) {
    for (; i < end && (IsSpace(body_[i]) || body_[i] == ','); ++i) comma |= body_[i] == ',';
    if (i >= end) {
      Unreadable(end, end);
      return {end, true};
    }
    if (body_[i] == ']') return {i + 1, false};
    if (!in_line && IsNextLines(i, end, comma, items)) {
      Unreadable(i - 1, i - 1);
      lines_ = true;
      return {i - 1, true};
    }
    const size_t next = Element(i, end);
    if (next == kNone) return {Broken(i, end, in_line), true};
    size_t last = next;
    while (last > i && IsSpace(body_[last - 1])) --last;
    const auto answer = handler_.Record(Slice(i, last), list);
    if (answer == RecordHandler::Answer::kStop) stopped_ = true;
    if (answer == RecordHandler::Answer::kUnreadable) {
      const bool is_last =
          body_.substr(0, end).find_first_not_of(" \t\r\n,", next) == std::string_view::npos;
      if (!in_line && (SwallowedLines(i, last) || (is_last && LineOf(i, last) != kNone))) {
        return {Broken(i, next, in_line), true};
      }
      Unreadable(i, last);
    }
    comma = false;
    i = next;
  }
  return {end, true};
}

bool Splitter::IsList(const Outline& outline) const {
  if (outline.items == kNone) return false;
  if (!outline.has_kind) return options_.bare_items && !outline.null_items;
  return outline.kind == "EventList" || outline.kind == "List";
}

ListKind Splitter::KindOf(const Outline& outline) {
  if (outline.api_version.starts_with("audit.k8s.io")) return ListKind::kAudit;
  if (outline.kind != "EventList") return ListKind::kNone;
  if (outline.api_version == "v1" || outline.api_version.starts_with("events.k8s.io")) {
    return ListKind::kEvent;
  }
  return ListKind::kNone;
}

// Goes over an object's outermost members. Where they are not JSON, `end` stays kNone. Items apart
// that were handed over, it never goes beyond the place where SkipBrackets finds the object closed,
// which is what keeps the work in proportion.
Splitter::Outline Splitter::Look(size_t at, size_t end, bool in_line, bool hand_over) {
  const std::string_view text = body_.substr(0, end);
  Outline outline;
  size_t i = SkipSpace(at + 1, end);
  if (i < end && body_[i] == '}') {
    outline.end = i + 1;
    return outline;
  }
  while (i < end && body_[i] == '"') {
    const size_t key_end = SkipString(text, i);
    if (key_end == kNone) return outline;
    const std::string_view key = Slice(i + 1, key_end - 1);
    i = SkipSpace(key_end, end);
    if (i >= end || body_[i] != ':') return outline;
    i = SkipSpace(i + 1, end);
    if (i >= end) return outline;
    const size_t value = i;
    if (body_[i] == '"') {
      i = SkipString(text, i);
    } else if (body_[i] == '[' && key == "items") {
      if (outline.items != kNone) return outline;  // twice: which one is meant?
      outline.items = value;
      if (hand_over && outline.has_kind && IsList(outline)) {
        framed_ = true;
        outline.handed_over = true;
        const ArrayEnd left = Array(value, end, KindOf(outline), /*items=*/true, in_line);
        outline.resume = i = left.at;
        outline.cut = left.cut;
        if (left.cut) return outline;
      } else {
        i = SkipBrackets(text, i);
      }
    } else if (body_[i] == '{' || body_[i] == '[') {
      i = SkipBrackets(text, i);
    } else {
      while (i < end && body_[i] != ',' && !IsBracketOrQuote(body_[i])) ++i;
      if (key == "items" && Slice(value, i).starts_with("null") && SkipSpace(value + 4, i) == i) {
        if (outline.items != kNone) return outline;
        outline.items = value;
        outline.null_items = true;
      }
    }
    if (i == kNone || i > end) return outline;
    if (key == "kind") {
      outline.has_kind = true;
      outline.kind = body_[value] == '"' ? Slice(value + 1, i - 1) : std::string_view{};
    } else if (key == "apiVersion" && body_[value] == '"') {
      outline.api_version = Slice(value + 1, i - 1);
    }
    i = SkipSpace(i, end);
    if (i >= end) return outline;
    if (body_[i] == '}') {
      outline.end = i + 1;
      return outline;
    }
    if (body_[i] != ',') return outline;
    i = SkipSpace(i + 1, end);
  }
  return outline;
}

}  // namespace

bool SplitRecords(std::string_view body, const SplitOptions& options, RecordHandler* handler) {
  return Splitter(body, options, handler).Run();
}

}  // namespace spool
