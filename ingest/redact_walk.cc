#include "ingest/redact_walk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ingest/json_text.h"
#include "ingest/redact_compiled.h"
#include "ingest/redact_objects.h"
#include "ingest/redact_trigger.h"
#include "ingest/redactor.h"

namespace spool {
namespace {

constexpr size_t kDepthMax = 512;  // of a text inside of a text; the record's own is bounded before
constexpr std::string_view kBodyDomain = "spool redaction body v1";

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

struct Range {
  size_t begin = 0, end = 0;
  bool empty() const { return begin == end; }
};

// What an object tells the one that it is in.
struct Seen {
  std::string_view kind, name, in_namespace, resource, subresource;
};

// What hangs on the way down to a value.
struct Way {
  bool leaves = false;  // below a name that announces a secret: texts and numbers are hidden
  // The value of `env`: a map of variables, or a list; then an entry of one.
  enum class Environment : uint8_t { kNo, kAll, kEntry } environment = Environment::kNo;
  PathPlaces paths;
};

class Walker {
 public:
  Walker(RedactKit& kit, std::string_view text, int nesting, Edits* edits)
      : kit_(kit),
        text_(text),
        nesting_(nesting),
        edits_(*edits),
        has_paths_(nesting == 0 && !kit.redaction.compiled().steps.empty() &&
                   kit.on(RedactionRule::kPaths)) {}

  void Run() {
    Way way;
    if (has_paths_) way.paths = kit_.redaction.compiled().begin;
    Space();
    Value(way, 0);
  }

 private:
  struct Body {
    Range range;
    bool has_kind = false;
    bool request = false;  // requestObject or responseObject
  };
  struct Frame {
    size_t begin = 0;
    std::string_view kind, name, in_namespace, resource, subresource, uri, op, pointer;
    std::string_view meta_name, meta_namespace;
    bool secret_kind = false;
    bool more = false;         // has members that do not only say which object is meant
    bool secret_name = false;  // its name or key announces a secret
    bool named = false;
    Range value, command;
    std::array<Body, 4> bodies;
    size_t body_count = 0;
    size_t notes_at = 0;  // of notes_, when it began
    size_t edits_at = 0;
  };

  void Space() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }
  // The string at at_, without its quotes.
  std::string_view String() {
    const size_t begin = ++at_;
    while (true) {
      const char* const quote =
          static_cast<const char*>(std::memchr(text_.data() + at_, '"', text_.size() - at_));
      at_ = static_cast<size_t>(quote - text_.data());
      size_t back = at_;
      while (back > begin && text_[back - 1] == '\\') --back;
      if ((at_ - back) % 2 == 0) break;
      ++at_;
    }
    return text_.substr(begin, at_++ - begin);
  }
  void Skip() {
    size_t depth = 0;
    do {
      Space();
      switch (text_[at_]) {
        case '"': String(); break;
        case '{':
        case '[': ++depth, ++at_; break;
        case '}':
        case ']': --depth, ++at_; break;
        case ',':
        case ':': ++at_; break;
        default:
          while (at_ < text_.size() && !IsSpace(text_[at_]) &&
                 std::strchr(",:]}", text_[at_]) == nullptr) {
            ++at_;
          }
      }
      Space();
    } while (depth > 0);
  }

  // A string's text; the buffer is used only where there are escapes.
  static std::string_view Plain(std::string_view raw, std::string* buffer) {
    if (raw.find('\\') == raw.npos) return raw;
    buffer->clear();
    AppendUnescaped(raw, buffer);
    return *buffer;
  }

  // Puts one edit in the place of all that were made inside of it.
  void Replace(const Range& range, RedactionRule rule, Edit::Form form, std::string text = {}) {
    auto first = edits_.end();
    while (first != edits_.begin() && (first - 1)->begin >= range.begin) --first;
    auto last = first;
    for (; last != edits_.end() && last->end <= range.end; ++last) {
      auto& count = kit_.counts[static_cast<size_t>(last->rule)];
      if (last->form != Edit::Form::kText && count > 0) --count;
    }
    first = edits_.erase(first, last);
    if (!kit_.Pays(edits_)) return;
    kit_.Count(rule);
    edits_.insert(first, {range.begin, range.end, rule, form, std::move(text)});
  }

  // Hides the value at `range` whole, unless there is nothing in it or it is hidden already.
  void HideValue(const Range& range, RedactionRule rule, bool any = false) {
    const std::string_view raw = text_.substr(range.begin, range.end - range.begin);
    if (!any && (raw == "null" || raw == "true" || raw == "false")) return;
    if (raw == "\"\"" || raw == "{}" || raw == "[]") return;
    if (raw.size() == kMarkSize + 2 && raw[0] == '"' && MarkAt(raw, 1) > 0) return;
    if (IsBodyMark(raw)) return;
    Replace(range, rule, Edit::Form::kQuoted);
  }

  void HideBody(const Range& range, std::string_view of, const Frame* named) {
    const std::string_view raw = text_.substr(range.begin, range.end - range.begin);
    if (raw == "null" || IsBodyMark(raw)) return;
    kit_.hmac.Reset();
    kit_.hmac.Add(kBodyDomain);
    kit_.hmac.Add(raw);
    Replace(range, RedactionRule::kObjects, Edit::Form::kBody,
            BodyMark(Harmless(of), named == nullptr ? "" : Harmless(named->meta_name),
                     named == nullptr ? "" : Harmless(named->meta_namespace), raw.size(),
                     kit_.hmac.Whole()));
  }
  // Names are kept; what looks like more than a name is not.
  static std::string_view Harmless(std::string_view name) {
    const auto plain = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '.' || c == '_' || c == ':';
    };
    return std::all_of(name.begin(), name.end(), plain) && !MayHoldSecretShape(name)
               ? name
               : std::string_view();
  }
  static bool MayHoldSecretShape(std::string_view name) {
    return name.starts_with("eyJ") || name.find("-----") != std::string_view::npos;
  }

  // The value at at_.
  Seen Value(const Way& way, size_t depth) {
    switch (text_[at_]) {
      case '{': return Object(way, depth + 1);
      case '[': Array(way, depth + 1); return {};
      case '"': Text(way); return {};
      default: {
        const size_t begin = at_;
        Skip();
        size_t end = at_;
        while (end > begin && IsSpace(text_[end - 1])) --end;
        if (way.leaves && text_[begin] != 'n' && text_[begin] != 't' && text_[begin] != 'f') {
          HideValue({begin, end}, RedactionRule::kKeys);
        }
        return {};
      }
    }
  }

  Seen Object(const Way& way, size_t depth);
  void OneMember(const Way& way, Frame* frame, std::string_view name, size_t depth);
  void Note(Frame* frame, const NameFacts& facts, std::string_view raw, const Range& range,
            const Seen& seen);
  void Close(Frame* frame, const Way& way);
  void CloseBodies(Frame* frame);
  void ClosePatch(Frame* frame);
  void Array(const Way& way, size_t depth);
  void Text(const Way& way);
  void Variable();
  void Base64(const Range& range);
  size_t EndOfLast() const {
    size_t end = at_;
    while (end > 0 && IsSpace(text_[end - 1])) --end;
    return end;
  }

  RedactKit& kit_;
  const std::string_view text_;
  const int nesting_;
  Edits& edits_;
  const bool has_paths_;
  size_t at_ = 0;
  std::string buffer_;
  std::vector<Range> notes_;  // annotations with a webhook's patch
};

Seen Walker::Object(const Way& way, size_t depth) {
  Frame frame;
  frame.begin = at_++;
  frame.notes_at = notes_.size();
  frame.edits_at = edits_.size();
  std::string key_buffer;
  Space();
  if (depth > kDepthMax) {
    at_ = frame.begin;
    Skip();
    HideValue({frame.begin, EndOfLast()}, RedactionRule::kPatterns);
    kit_.fallback = true;
    return {};
  }
  while (text_[at_] != '}') {
    const std::string_view name = Plain(String(), &key_buffer);
    Space();
    ++at_;  // the colon
    Space();
    OneMember(way, &frame, name, depth);
    Space();
    if (text_[at_] == ',') ++at_;
    Space();
  }
  ++at_;
  Close(&frame, way);
  return {frame.kind, frame.name, frame.in_namespace, frame.resource, frame.subresource};
}

void Walker::OneMember(const Way& way, Frame* frame, std::string_view name, size_t depth) {
  const NameFacts facts = kit_.names.Find(name);
  const char first = text_[at_];
  const size_t begin = at_;
  const bool container = first == '{' || first == '[';
  Way next;
  next.leaves = way.leaves && !facts.reference;
  Seen seen;
  const auto hide = [&](RedactionRule rule, bool any) {
    Skip();
    HideValue({begin, EndOfLast()}, rule, any);
  };
  if (has_paths_ && kit_.redaction.compiled().Step(way.paths, name, &next.paths)) {
    hide(RedactionRule::kPaths, true);
  } else if (facts.member == Member::kLastApplied && kit_.on(RedactionRule::kLastApplied)) {
    hide(RedactionRule::kLastApplied, false);
  } else if (facts.kind == NameKind::kSecret ||
             (facts.kind == NameKind::kReference && !container)) {
    const size_t from = begin;
    Skip();
    const std::string_view raw = text_.substr(from, EndOfLast() - from);
    // A quota's counts: "secrets":"10".
    std::string_view digits = raw;
    if (digits.starts_with('"')) digits = digits.substr(1, digits.size() - 2);
    const bool count = (name == "secrets" || name.ends_with("/secrets")) &&
                       digits.find_first_not_of("0123456789") == std::string_view::npos;
    if (!count) HideValue({begin, EndOfLast()}, RedactionRule::kKeys);
  } else if (way.environment == Way::Environment::kAll && !container) {
    hide(RedactionRule::kEnvironment, false);
  } else if (facts.member == Member::kBase64 && first == '"') {
    Skip();
    Base64({begin, EndOfLast()});
  } else {
    next.leaves |= facts.kind == NameKind::kReference;
    if (facts.member == Member::kEnv && kit_.on(RedactionRule::kEnvironment)) {
      next.environment = Way::Environment::kAll;
    }
    seen = Value(next, depth);
  }
  const Range range{begin, EndOfLast()};
  frame->more |= !facts.reference;
  if (facts.member != Member::kOther) {
    Note(frame, facts, text_.substr(range.begin, range.end - range.begin), range, seen);
  }
}

// Remembers what members say that decide about others.
void Walker::Note(Frame* frame, const NameFacts& facts, std::string_view raw, const Range& range,
                  const Seen& seen) {
  const bool text = raw.starts_with('"');
  const bool object = raw.starts_with('{');
  const std::string_view inside = text ? raw.substr(1, raw.size() - 2) : std::string_view();
  switch (facts.member) {
    case Member::kKind:
      if (!text) break;
      frame->kind = inside;
      frame->secret_kind |= IsSecretKind(Plain(inside, &buffer_));
      break;
    case Member::kName:
    case Member::kKey:
      if (!text) break;
      frame->named = true;
      if (facts.member == Member::kName) frame->name = inside;
      frame->secret_name |= kit_.names.Find(Plain(inside, &buffer_)).kind != NameKind::kPlain;
      break;
    case Member::kNamespace: frame->in_namespace = inside; break;
    case Member::kValue: frame->value = range; break;
    case Member::kCommand: frame->command = range; break;
    case Member::kOp: frame->op = inside; break;
    case Member::kPath: frame->pointer = inside; break;
    case Member::kRequestUri: frame->uri = inside; break;
    case Member::kSubresource: frame->subresource = inside; break;
    case Member::kResource:
      if (text) {
        frame->resource = inside;
      } else if (object && frame->resource.empty()) {
        frame->resource = seen.resource;
      }
      break;
    case Member::kObjectRef:
      if (!object) break;
      frame->resource = seen.resource;
      frame->subresource = seen.subresource;
      break;
    case Member::kMetadata:
      frame->meta_name = seen.name;
      frame->meta_namespace = seen.in_namespace;
      break;
    case Member::kBody:
    case Member::kObject:
      if (frame->body_count == frame->bodies.size()) {
        // More than there can be: each further one goes.
        if (object || raw.starts_with('[')) HideBody(range, "body", nullptr);
        break;
      }
      if (raw == "null") break;
      frame->bodies[frame->body_count++] = {range, !seen.kind.empty(),
                                            facts.member == Member::kBody};
      break;
    case Member::kPatchNote: notes_.push_back(range); break;
    default: break;
  }
}

void Walker::Close(Frame* frame, const Way& way) {
  const Range whole{frame->begin, at_};
  if (frame->secret_kind && frame->more && kit_.on(RedactionRule::kObjects)) {
    std::string kind_buffer;
    HideBody(whole, Plain(frame->kind, &kind_buffer), frame);
    return;
  }
  const bool about = !frame->resource.empty() || !frame->uri.empty();
  if (frame->body_count > 0 || (about && notes_.size() > frame->notes_at)) CloseBodies(frame);
  if (!frame->op.empty() && !frame->pointer.empty()) ClosePatch(frame);
  if (!frame->value.empty()) {
    if (frame->secret_name && kit_.on(RedactionRule::kKeys)) {
      HideValue(frame->value, RedactionRule::kKeys);
    } else if (way.environment == Way::Environment::kEntry && frame->named) {
      HideValue(frame->value, RedactionRule::kEnvironment);
    }
  }
  if (!frame->command.empty() && kit_.on(RedactionRule::kUris) &&
      IsExecOptions(Plain(frame->kind, &buffer_))) {
    HideValue(frame->command, RedactionRule::kUris);
  }
}

// A request's bodies, by what it was about.
void Walker::CloseBodies(Frame* frame) {
  if (!kit_.on(RedactionRule::kObjects)) return;
  std::string buffers[3];
  const std::string_view resource = Plain(frame->resource, &buffers[0]);
  const std::string_view subresource = Plain(frame->subresource, &buffers[1]);
  const UriResource uri = ResourceOfUri(Plain(frame->uri, &buffers[2]));
  const bool secret =
      IsSecretResource(resource, subresource) || IsSecretResource(uri.resource, uri.subresource);
  const bool known = !resource.empty() || !uri.resource.empty();
  for (size_t i = 0; i < frame->body_count; ++i) {
    const Body& body = frame->bodies[i];
    if (secret) {
      HideBody(body.range, resource.empty() ? uri.resource : resource, nullptr);
    } else if (body.request && !known && !body.has_kind) {
      // Nothing says what it is.
      HideBody(body.range, "unknown", nullptr);
      kit_.fallback = true;
    }
  }
  if (!secret) return;
  for (size_t i = frame->notes_at; i < notes_.size(); ++i) {
    HideValue(notes_[i], RedactionRule::kObjects);
  }
}

void Walker::ClosePatch(Frame* frame) {
  if (frame->value.empty()) return;
  std::string buffer;
  const std::string_view pointer = Plain(frame->pointer, &buffer);
  switch (PartOfPatch(pointer)) {
    case PatchedPart::kLastApplied:
      if (kit_.on(RedactionRule::kLastApplied)) {
        HideValue(frame->value, RedactionRule::kLastApplied);
      }
      return;
    case PatchedPart::kEnvironment:
      if (kit_.on(RedactionRule::kEnvironment)) {
        HideValue(frame->value, RedactionRule::kEnvironment);
      }
      return;
    case PatchedPart::kData:
      if (kit_.on(RedactionRule::kObjects)) HideValue(frame->value, RedactionRule::kObjects);
      return;
    case PatchedPart::kOther: break;
  }
  for (size_t from = 0; from <= pointer.size();) {
    const size_t end = std::min(pointer.find('/', from), pointer.size());
    if (kit_.names.Find(pointer.substr(from, end - from)).kind == NameKind::kSecret) {
      HideValue(frame->value, RedactionRule::kKeys);
      return;
    }
    from = end + 1;
  }
  const size_t last = pointer.rfind('/');
  const bool container = text_[frame->value.begin] == '{' || text_[frame->value.begin] == '[';
  if (last != std::string_view::npos && !container &&
      kit_.names.Find(pointer.substr(last + 1)).kind != NameKind::kPlain) {
    HideValue(frame->value, RedactionRule::kKeys);
  }
}

void Walker::Array(const Way& way, size_t depth) {
  const size_t begin = at_++;
  if (depth > kDepthMax) {
    at_ = begin;
    Skip();
    HideValue({begin, EndOfLast()}, RedactionRule::kPatterns);
    kit_.fallback = true;
    return;
  }
  Way next = way;
  const bool environment = way.environment == Way::Environment::kAll;
  next.environment = environment ? Way::Environment::kEntry : Way::Environment::kNo;
  bool ends = false;
  if (has_paths_) {
    next.paths.reset();
    ends = kit_.redaction.compiled().StepElement(way.paths, &next.paths);
  }
  std::string buffer;
  bool argument = false;  // the element before announces this one
  char flag = 0;          // of the program that the array calls
  Space();
  while (text_[at_] != ']') {
    const size_t from = at_;
    const bool text = text_[at_] == '"';
    if (ends) {
      Skip();
      HideValue({from, EndOfLast()}, RedactionRule::kPaths, true);
    } else if (argument && text && text_[at_ + 1] != '-' && kit_.on(RedactionRule::kPatterns)) {
      Skip();
      HideValue({from, EndOfLast()}, RedactionRule::kPatterns);
      argument = false;
    } else {
      if (text && environment) {
        Variable();
      } else {
        Value(next, depth);
      }
      argument = false;
      if (text) {
        const size_t end = EndOfLast();
        const std::string_view element = Plain(text_.substr(from + 1, end - from - 2), &buffer);
        if (const char own = PasswordFlagOf(element)) flag = own;
        argument = IsSecretFlag(element, &kit_.names) ||
                   (flag != 0 && element.size() == 2 && element[0] == '-' && element[1] == flag);
      }
    }
    Space();
    if (text_[at_] == ',') ++at_;
    Space();
  }
  ++at_;
}

// "NAME=value", as container runtimes tell it.
void Walker::Variable() {
  const size_t begin = at_ + 1;
  const std::string_view raw = String();
  const size_t equals = raw.find('=');
  if (equals == std::string_view::npos || equals + 1 == raw.size()) return;
  if (MarkAt(raw, equals + 1) == raw.size() - equals - 1) return;
  kit_.Hide(
      &edits_,
      {begin + equals + 1, begin + raw.size(), RedactionRule::kEnvironment, Edit::Form::kMark, {}});
}

void Walker::Text(const Way& way) {
  const size_t begin = at_;
  const std::string_view raw = String();
  const Range range{begin, at_};
  if (way.leaves) {
    HideValue(range, RedactionRule::kKeys);
    return;
  }
  if (raw.empty() || (!MayHoldSecrets(raw) && !kit_.redaction.compiled().has_patterns() &&
                      !kit_.redaction.compiled().has_names())) {
    return;
  }
  if (raw.find('\\') == raw.npos && raw.find_first_of("{[") == raw.npos) {
    const size_t first = edits_.size();
    RedactText(kit_, raw, nesting_ + 1, &edits_);
    for (size_t i = first; i < edits_.size(); ++i) {
      edits_[i].begin += begin + 1;
      edits_[i].end += begin + 1;
    }
    return;
  }
  constexpr size_t kCopies = 4;
  if (!kit_.Pays(raw.size() * kCopies)) return;
  std::string plain;
  AppendUnescaped(raw, &plain);
  Edits inside;
  RedactText(kit_, plain, nesting_ + 1, &inside);
  if (inside.empty()) return;
  std::string changed, quoted;
  Build(plain, inside, kit_.placeholder, &changed);
  AppendJsonString(changed, &quoted);
  edits_.push_back({begin, at_, inside.front().rule, Edit::Form::kText, std::move(quoted)});
}

// The marks inside have no digits of their own: nothing could find them there.
void Walker::Base64(const Range& range) {
  const std::string_view raw = text_.substr(range.begin + 1, range.end - range.begin - 2);
  std::string buffer;
  const auto plain = DecodeBase64(Plain(raw, &buffer));
  if (!plain || !MayHoldSecrets(*plain)) return;
  if (!IsUtf8(*plain) || plain->find('\0') != std::string::npos) {
    kit_.fallback = true;
    HideValue(range, RedactionRule::kPatterns);
    return;
  }
  Edits inside;
  RedactText(kit_, *plain, nesting_ + 1, &inside);
  if (inside.empty()) return;
  std::string changed;
  Build(*plain, inside, std::string(kMarkDigits, '0'), &changed);
  edits_.push_back({range.begin, range.end, inside.front().rule, Edit::Form::kText,
                    "\"" + EncodeBase64(changed) + "\""});
}

}  // namespace

void RedactJson(RedactKit& kit, std::string_view text, int nesting, Edits* edits) {
  Walker(kit, text, nesting, edits).Run();
}

}  // namespace spool
