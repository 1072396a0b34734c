#include "ingest/split.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstdint>
#include <string>

namespace spool {
namespace {

constexpr size_t kNone = std::string_view::npos;

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// The place after the string that begins at `at`; kNone if it does not end.
size_t SkipString(std::string_view text, size_t at) {
  size_t i = at + 1;
  for (;;) {
#ifdef __SSE2__
    while (i + 16 <= text.size()) {
      const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
      const __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                       _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
      const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hit));
      if (mask != 0) {
        i += static_cast<size_t>(std::countr_zero(mask));
        break;
      }
      i += 16;
    }
#endif
    while (i < text.size() && text[i] != '"' && text[i] != '\\') ++i;
    if (i >= text.size()) return kNone;
    if (text[i] == '"') return i + 1;
    i += 2;
  }
}

constexpr std::array<uint8_t, 256> MakeStops() {
  std::array<uint8_t, 256> stops{};
  for (const char c : {'"', '{', '}', '[', ']'}) stops[static_cast<uint8_t>(c)] = 1;
  return stops;
}

// The place after the object or array that begins at `at`; kNone if it is not closed. Counts
// brackets of either kind: which ones fit is the checker's business.
size_t SkipBrackets(std::string_view text, size_t at) {
  static constexpr std::array<uint8_t, 256> kStops = MakeStops();
  size_t depth = 0;
  for (size_t i = at; i < text.size();) {
    const char c = text[i];
    if (kStops[static_cast<uint8_t>(c)] == 0) {
      ++i;
    } else if (c == '"') {
      i = SkipString(text, i);
      if (i == kNone) return kNone;
    } else {
      ++i;
      if (c == '{' || c == '[') {
        ++depth;
      } else if (--depth == 0) {
        return i;
      }
    }
  }
  return kNone;
}

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
    size_t items = kNone;  // where the array begins
    std::string_view kind, api_version;
    bool has_kind = false;
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
  size_t Array(size_t at, size_t end, ListKind list);
  Outline Look(size_t at, size_t end);
  bool IsList(const Outline& outline) const;
  static ListKind KindOf(const Outline& outline);

  const std::string_view body_;
  const SplitOptions options_;
  RecordHandler& handler_;
  bool stopped_ = false;
  bool framed_ = false;
  bool cut_off_ = false;  // an array did not end, and that was told
  bool lines_ = false;    // from here on a record does not go beyond its line
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
    return Array(at, end, ListKind::kNone);
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
  Outline outline = Look(at, end);
  if (outline.handed_over) {
    if (outline.end == kNone && !cut_off_) Unreadable(outline.resume, end);
    return outline.end == kNone ? end : outline.end;
  }
  if (outline.end == kNone) {
    const size_t skipped = SkipBrackets(body_.substr(0, end), at);
    if (skipped == kNone) return Broken(at, end, in_line);
    outline.end = skipped;
  } else if (IsList(outline)) {
    framed_ = true;
    Array(outline.items, outline.end, KindOf(outline));
    return outline.end;
  }
  const auto answer = handler_.Record(Slice(at, outline.end), ListKind::kNone);
  if (answer == RecordHandler::Answer::kStop) stopped_ = true;
  if (answer == RecordHandler::Answer::kUnreadable) return Broken(at, outline.end, in_line);
  return outline.end;
}

// A record that is no JSON may have swallowed its neighbours by a bracket too many. In a body of
// lines the next one that begins like a record is where to go on.
size_t Splitter::Broken(size_t at, size_t record_end, bool in_line) {
  size_t stop = record_end;
  if (!in_line) {
    for (size_t i = body_.find('\n', at); i != kNone && i + 1 < record_end;
         i = body_.find('\n', i + 1)) {
      if (body_[i + 1] == '{' || body_[i + 1] == '[') {
        lines_ = true;
        stop = i;
        break;
      }
    }
  }
  size_t last = stop;
  while (last > at && IsSpace(body_[last - 1])) --last;
  Unreadable(at, last);
  return stop;
}

size_t Splitter::Array(size_t at, size_t end, ListKind list) {
  const std::string_view text = body_.substr(0, end);
  size_t i = at + 1;
  while (!stopped_) {
    while (i < end && (IsSpace(body_[i]) || body_[i] == ',')) ++i;
    if (i >= end) {
      cut_off_ = true;
      Unreadable(end, end);
      return end;
    }
    if (body_[i] == ']') return i + 1;
    size_t next;
    if (body_[i] == '{' || body_[i] == '[') {
      next = SkipBrackets(text, i);
    } else {
      next = i;
      while (next != kNone && next < end && body_[next] != ',' && body_[next] != ']') {
        next = body_[next] == '"' ? SkipString(text, next) : next + 1;
      }
    }
    const bool open = next == kNone;
    if (open) {
      cut_off_ = true;
      next = end;
    }
    size_t last = next;
    while (last > i && IsSpace(body_[last - 1])) --last;
    const auto answer =
        open ? RecordHandler::Answer::kUnreadable : handler_.Record(Slice(i, last), list);
    if (answer == RecordHandler::Answer::kStop) stopped_ = true;
    if (answer == RecordHandler::Answer::kUnreadable) Unreadable(i, last);
    if (open) return end;
    i = next;
  }
  return end;
}

bool Splitter::IsList(const Outline& outline) const {
  if (outline.items == kNone) return false;
  if (!outline.has_kind) return options_.bare_items;
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

// Goes over an object's outermost members. Where they are not JSON, `end` stays kNone.
Splitter::Outline Splitter::Look(size_t at, size_t end) {
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
      if (outline.has_kind && IsList(outline)) {
        framed_ = true;
        outline.handed_over = true;
        i = Array(value, end, KindOf(outline));
        outline.resume = i;
        if (stopped_) i = end;
      } else {
        i = SkipBrackets(text, i);
      }
    } else if (body_[i] == '{' || body_[i] == '[') {
      i = SkipBrackets(text, i);
    } else {
      while (i < end && body_[i] != ',' && body_[i] != '}' && body_[i] != '"' && body_[i] != '{')
        ++i;
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
