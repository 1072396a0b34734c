// Texts inside of records: JSON in them is walked like the record, the rest is looked through for
// shapes; what is neither whole JSON nor harmless goes.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "ingest/redact_compiled.h"
#include "ingest/redact_objects.h"
#include "ingest/redact_trigger.h"
#include "ingest/redact_walk.h"
#include "ingest/redactor.h"

namespace spool {
namespace {

constexpr size_t kTextDepthMax = 64;

// Moves edits of a part to their places in the whole.
void Shift(Edits* edits, size_t from, size_t by) {
  for (size_t i = from; i < edits->size(); ++i) {
    (*edits)[i].begin += by;
    (*edits)[i].end += by;
  }
}

// "kind": "Secret" or "kind: Secret", in whatever coat.
bool NamesSecretKind(std::string_view text) {
  for (size_t at = text.find("kind"); at != std::string_view::npos;
       at = text.find("kind", at + 4)) {
    size_t i = at + 4;
    while (i < text.size() && std::strchr("\\\"': \t=", text[i]) != nullptr) ++i;
    size_t end = i;
    while (end < text.size() && ((text[end] | 0x20) >= 'a' && (text[end] | 0x20) <= 'z')) ++end;
    if (i > at + 4 && IsSecretKind(text.substr(i, end - i))) return true;
  }
  return false;
}

// A Secret, ConfigMap or request's body that is not whole JSON: what is secret in it cannot be told
// from the rest.
bool SpeaksOfObject(std::string_view text) {
  const auto has = [text](std::string_view part) { return text.find(part) != text.npos; };
  if (has("requestObject") || has("responseObject")) return true;
  return (has("data") || has("Data") || has("status") || has("spec")) && NamesSecretKind(text);
}

void PlainText(RedactKit& kit, std::string_view text, size_t offset, Edits* edits) {
  if (kit.on(RedactionRule::kObjects) && SpeaksOfObject(text)) {
    const size_t bracket = text.find_first_of("{[");
    const size_t from = bracket == std::string_view::npos ? 0 : bracket;
    if (from > 0) PlainText(kit, text.substr(0, from), offset, edits);
    if (MarkAt(text, from) == text.size() - from) return;
    kit.Hide(edits,
             {offset + from, offset + text.size(), RedactionRule::kObjects, Edit::Form::kMark, {}});
    kit.fallback = true;
    return;
  }
  std::vector<TextSpan> spans;
  FindSecrets(text, kit.redaction, &kit.names, &spans);
  if (kit.redaction.compiled().has_patterns() && kit.on(RedactionRule::kPatterns)) {
    kit.redaction.compiled().FindPatterns(text, &spans);
    std::sort(spans.begin(), spans.end(),
              [](const TextSpan& a, const TextSpan& b) { return a.begin < b.begin; });
  }
  size_t from = 0;
  for (const TextSpan& span : spans) {
    const size_t begin = std::max(span.begin, from);
    if (begin >= span.end) continue;
    if (begin < span.end && begin > span.begin && !edits->empty()) {
      edits->back().end = offset + span.end;  // two that overlap are one
    } else {
      kit.Hide(edits, {offset + begin, offset + span.end, span.rule, Edit::Form::kMark, {}});
    }
    from = span.end;
  }
}

// Hides what is secret in `inside`, which lies at `offset`, if it is JSON.
bool Inside(RedactKit& kit, std::string_view inside, size_t offset, int nesting, Edits* edits) {
  if (!kit.scanner.Scan(inside, kTextDepthMax)) return false;
  const size_t from = edits->size();
  RedactJson(kit, inside, nesting, edits);
  Shift(edits, from, offset);
  return true;
}

// Lines of JSON between others.
bool Lines(RedactKit& kit, std::string_view text, int nesting, Edits* edits) {
  size_t plain = 0;
  bool any = false;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const size_t bracket = text.find('{', begin);
    const size_t last = text.substr(0, end).rfind('}');
    if (bracket < end && last != std::string_view::npos && last > bracket) {
      Edits own;
      if (Inside(kit, text.substr(bracket, last + 1 - bracket), bracket, nesting, &own)) {
        any = true;
        PlainText(kit, text.substr(plain, bracket - plain), plain, edits);
        std::move(own.begin(), own.end(), std::back_inserter(*edits));
        plain = last + 1;
      }
    }
    begin = end + 1;
  }
  if (any) PlainText(kit, text.substr(plain), plain, edits);
  return any;
}

}  // namespace

void RedactText(RedactKit& kit, std::string_view text, int nesting, Edits* edits) {
  if (nesting > kRedactionNesting) {
    if (!MayHoldSecrets(text) || MarkAt(text, 0) == text.size()) return;
    kit.Hide(edits, {0, text.size(), RedactionRule::kPatterns, Edit::Form::kMark, {}});
    kit.fallback = true;
    return;
  }
  // JSON inside: all of the text, from a bracket to the last one of its kind, or lines.
  constexpr int kTries = 4;
  const size_t first = text.find_first_of("{[");
  size_t begin = first;
  for (int tries = 0; begin != std::string_view::npos && tries < kTries; ++tries) {
    const size_t last = text.rfind(text[begin] == '{' ? '}' : ']');
    if (last == std::string_view::npos || last <= begin) break;
    Edits inside;
    // A part of something that does not end.
    if (begin > first &&
        (NamesSecretKind(text.substr(0, begin)) || NamesSecretKind(text.substr(last)))) {
      break;
    }
    if (MarkAt(text, begin) == 0 &&
        Inside(kit, text.substr(begin, last + 1 - begin), begin, nesting, &inside)) {
      PlainText(kit, text.substr(0, begin), 0, edits);
      std::move(inside.begin(), inside.end(), std::back_inserter(*edits));
      PlainText(kit, text.substr(last + 1), last + 1, edits);
      return;
    }
    begin = text.find_first_of("{[", begin + 1);
  }
  if (text.find('\n') != std::string_view::npos && Lines(kit, text, nesting, edits)) return;
  PlainText(kit, text, 0, edits);
}

size_t SizeAfter(std::string_view text, const Edits& edits) {
  size_t size = text.size();
  for (const Edit& edit : edits) size += kMarkSize + 2 + edit.text.size();
  return size;
}

void Build(std::string_view text, const Edits& edits, std::string_view placeholder,
           std::string* out) {
  size_t from = 0;
  for (const Edit& edit : edits) {
    out->append(text.substr(from, edit.begin - from));
    const bool quoted = edit.form == Edit::Form::kQuoted;
    if (edit.form == Edit::Form::kMark || quoted) {
      if (quoted) out->push_back('"');
      out->append(kMarkHead).append(placeholder).push_back(']');
      if (quoted) out->push_back('"');
    } else {
      out->append(edit.text);
    }
    from = edit.end;
  }
  out->append(text.substr(from));
}

}  // namespace spool
