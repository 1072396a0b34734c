// One walk over a record: finds what the rules hide, as edits of the text. Nothing is copied but
// texts inside of texts that change.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "ingest/json_scan.h"
#include "ingest/redact_names.h"
#include "ingest/redact_text.h"
#include "ingest/redaction.h"

namespace spool {

struct Edit {
  size_t begin = 0;
  size_t end = 0;
  RedactionRule rule = RedactionRule::kKeys;
  enum class Form : uint8_t {
    kMark,    // a mark, inside of a text
    kQuoted,  // a mark as a JSON string
    kBody,    // what a body leaves; `text` is it
    kText     // `text`, which has marks in it
  } form = Form::kMark;
  std::string text;
};
using Edits = std::vector<Edit>;  // in order, without overlap

// What a walk works with; of one Redactor.
struct RedactKit {
  const Redaction& redaction;
  NameTable& names;
  HmacSha256& hmac;
  JsonScanner& scanner;  // for texts inside of texts; its members are not looked at
  const std::string& placeholder;
  std::array<uint32_t, kRedactionRules> counts;
  bool fallback;
  const std::function<bool(size_t)>* pay;  // null: all is free
  bool starved;                            // it was refused: the result is worth nothing

  // Before that many bytes more are used; few are free.
  bool Pays(size_t bytes) {
    constexpr size_t kFree = size_t{16} << 10;
    if (bytes >= kFree && pay != nullptr && *pay && !starved) starved = !(*pay)(bytes);
    return !starved;
  }
  // Before one more edit is added; asks in leaps.
  bool Pays(const Edits& edits) {
    constexpr size_t kLeap = 1024;
    return edits.size() % kLeap != kLeap - 1 ? !starved : Pays(2 * kLeap * sizeof(Edit));
  }
  bool on(RedactionRule rule) const { return redaction.on(rule); }
  void Count(RedactionRule rule) { ++counts[static_cast<size_t>(rule)]; }
  void Hide(Edits* edits, Edit edit) {
    if (!Pays(*edits)) return;
    Count(edit.rule);
    edits->push_back(std::move(edit));
  }
};

// `text` is valid JSON, `nesting` how many texts it is inside of.
void RedactJson(RedactKit& kit, std::string_view text, int nesting, Edits* edits);
// `text` is UTF-8.
void RedactText(RedactKit& kit, std::string_view text, int nesting, Edits* edits);

// Exact but for what escaping adds.
size_t SizeAfter(std::string_view text, const Edits& edits);
// Appends `text` with its edits made; the digits of marks are `placeholder`.
void Build(std::string_view text, const Edits& edits, std::string_view placeholder,
           std::string* out);

}  // namespace spool
