#include "ingest/redactor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "ingest/json_scan.h"
#include "ingest/json_text.h"
#include "ingest/redact_compiled.h"
#include "ingest/redact_names.h"
#include "ingest/redact_text.h"
#include "ingest/redact_trigger.h"
#include "ingest/redact_walk.h"

namespace spool {
namespace {

constexpr size_t kKept = size_t{64} << 10;
constexpr std::string_view kMarkDomain = "spool redaction mark v1";
constexpr std::string_view kHashDomain = "spool redaction hash v1";

std::string Digits() {
  std::string hex = RandomHash128().Hex();
  hex.resize(kMarkDigits);
  return hex;
}

// Bytes that are no text: control characters other than white space, or not UTF-8.
bool IsBinary(std::string_view text) {
  return text.find('\0') != std::string_view::npos || !IsUtf8(text);
}

void Trimmed(std::string* text) {
  if (text->capacity() > kKept) std::string().swap(*text);
}

}  // namespace

struct Redactor::State {
  explicit State(std::shared_ptr<const Redaction> given)
      : redaction(std::move(given)),
        names(*redaction),
        hmac(redaction->key()),
        placeholder(Digits()),
        kit{*redaction, names, hmac, scanner, placeholder, {}, false, nullptr, false} {}

  bool Worth(std::string_view text) const {
    const Redaction::Compiled& own = redaction->compiled();
    return redaction->any() &&
           (MayHoldSecrets(text) || own.has_names() || own.has_patterns() || own.MayHavePath(text));
  }
  void Begin(const Pay& pay) {
    kit.counts = {};
    kit.fallback = false;
    kit.pay = &pay;
    kit.starved = false;
  }
  std::optional<std::string_view> Finish(std::string_view text, const Edits& edits, const Pay& pay);

  const std::shared_ptr<const Redaction> redaction;
  NameTable names;
  HmacSha256 hmac;
  JsonScanner scanner;
  // Stands for the marks' digits until they are known. Nobody can guess it, so no record has it.
  const std::string placeholder;
  RedactKit kit;
  std::string out;
  std::vector<size_t> marks;
};

// Makes the new text, and its marks' digits: an HMAC of the new text without them, and of all that
// is not in it any more.
std::optional<std::string_view> Redactor::State::Finish(std::string_view text, const Edits& edits,
                                                        const Pay& pay) {
  kit.pay = nullptr;
  if (kit.starved) return std::nullopt;
  if (edits.empty() && !kit.fallback) return text;
  if (pay && !pay(SizeAfter(text, edits))) return std::nullopt;
  out.clear();
  Build(text, edits, placeholder, &out);
  marks.clear();
  for (size_t at = out.find(placeholder); at != std::string::npos;
       at = out.find(placeholder, at + kMarkDigits)) {
    marks.push_back(at);
    out.replace(at, kMarkDigits, kMarkDigits, '0');
  }
  if (!marks.empty()) {
    hmac.Reset();
    hmac.Add(kMarkDomain);
    const Hash128 rest = FastHash128(out);
    hmac.Add({reinterpret_cast<const char*>(rest.bytes.data()), rest.bytes.size()});
    for (const Edit& edit : edits) {
      const std::string size = std::to_string(edit.end - edit.begin) + ":";
      hmac.Add(size);
      hmac.Add(text.substr(edit.begin, edit.end - edit.begin));
    }
    const std::string digits = Hex(hmac.Whole()).substr(0, kMarkDigits);
    for (const size_t at : marks) out.replace(at, kMarkDigits, digits);
  }
  RedactionCounters& counters = redaction->counters();
  for (size_t i = 0; i < kRedactionRules; ++i) {
    if (kit.counts[i] > 0) counters.hidden[i].fetch_add(kit.counts[i], std::memory_order_relaxed);
  }
  if (kit.fallback) counters.fallback.fetch_add(1, std::memory_order_relaxed);
  return out;
}

Redactor::Redactor(std::shared_ptr<const Redaction> redaction)
    : state_(std::make_unique<State>(std::move(redaction))) {}
Redactor::~Redactor() = default;

std::optional<std::string_view> Redactor::Json(std::string_view text, const Pay& pay) {
  if (!state_->Worth(text)) return text;
  state_->Begin(pay);
  Edits edits;
  RedactJson(state_->kit, text, 0, &edits);
  return state_->Finish(text, edits, pay);
}

std::optional<std::string_view> Redactor::Text(std::string_view text, const Pay& pay) {
  if (!state_->Worth(text)) return text;
  state_->Begin(pay);
  Edits edits;
  if (IsBinary(text)) {
    state_->kit.Hide(&edits, {0, text.size(), RedactionRule::kPatterns, Edit::Form::kMark, {}});
    state_->kit.fallback = true;
  } else {
    RedactText(state_->kit, text, 0, &edits);
  }
  return state_->Finish(text, edits, pay);
}

bool Redactor::HidesWhatWordsDoNotTell(std::string_view text) const {
  const Redaction::Compiled& own = state_->redaction->compiled();
  if (own.has_names() || own.has_patterns() || !own.steps.empty()) return true;
  return text.find("env\"") != text.npos || text.find("env\\\"") != text.npos;
}

Hash128 Redactor::KeyedHash(std::string_view text) {
  HmacSha256& hmac = state_->hmac;
  hmac.Reset();
  hmac.Add(kHashDomain);
  hmac.Add(text);
  const Digest256 digest = hmac.Whole();
  Hash128 hash;
  std::copy_n(digest.begin(), hash.bytes.size(), hash.bytes.begin());
  return hash;
}

void Redactor::Trim() {
  Trimmed(&state_->out);
  if (state_->marks.capacity() > kKept / sizeof(size_t)) std::vector<size_t>().swap(state_->marks);
}

}  // namespace spool
