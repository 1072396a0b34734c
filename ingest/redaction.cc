#include "ingest/redaction.h"

#include <re2/re2.h>

#include <algorithm>
#include <optional>

#include "base/assert.h"
#include "base/hash.h"
#include "ingest/redact_compiled.h"

namespace spool {
namespace {

constexpr size_t kTextMax = 1024;
constexpr int64_t kExpressionMemory = int64_t{4} << 20;

RE2::Options Options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kExpressionMemory);
  return options;
}

// What is hidden is not hidden again.
bool InsideMark(std::string_view text, size_t begin, size_t end) {
  const size_t from = begin < kMarkSize ? 0 : begin - kMarkSize + 1;
  for (size_t at = text.find(kMarkHead, from); at <= begin; at = text.find(kMarkHead, at + 1)) {
    if (const size_t size = MarkAt(text, at); size > 0 && end <= at + size) return true;
  }
  return false;
}

// An expression for a glob, in any case, or the one behind "=~".
std::string NameExpression(std::string_view text) {
  if (text.starts_with("=~")) return std::string(text.substr(2));
  std::string out = "(?is)^";
  for (const char c : text) {
    if (c == '*') {
      out += ".*";
    } else if (c == '?') {
      out += '.';
    } else {
      out += RE2::QuoteMeta(std::string(1, c));
    }
  }
  return out + "$";
}

Result<std::unique_ptr<RE2>> Compile(const std::string& expression) {
  auto compiled = std::make_unique<RE2>(expression, Options());
  if (!compiled->ok()) return Fail(Code::kInvalid, "not an RE2 expression: " + compiled->error());
  return compiled;
}

// "a.b.*", names in quotes where they have dots: 'metadata.annotations."a.b/c"'.
Result<std::vector<PathStep>> ParsePath(std::string_view text) {
  std::vector<PathStep> steps;
  if (text.empty() || text.size() > kTextMax) {
    return Fail(Code::kInvalid, "a path has 1 to 1024 bytes");
  }
  for (size_t at = 0;;) {
    PathStep step;
    if (at < text.size() && text[at] == '"') {
      const size_t end = text.find('"', at + 1);
      if (end == std::string_view::npos) {
        return Fail(Code::kInvalid, "a name in the path has no closing quote");
      }
      step.name = text.substr(at + 1, end - at - 1);
      at = end + 1;
      if (at < text.size() && text[at] != '.') {
        return Fail(Code::kInvalid, "behind a name in quotes comes a dot or the path's end");
      }
    } else {
      const size_t end = std::min(text.find('.', at), text.size());
      step.name = text.substr(at, end - at);
      at = end;
      if (step.name == "*") step.kind = PathStep::Kind::kAny;
      if (step.name == "**") step.kind = PathStep::Kind::kDeep;
      const bool plain = step.kind == PathStep::Kind::kName;
      if (plain && step.name.find_first_of("*\"[]") != std::string::npos) {
        return Fail(Code::kInvalid, "'" + step.name +
                                        "' is no step of a path: it is a name, a name in quotes, "
                                        "* for any, or ** for any number");
      }
    }
    if (step.name.empty()) return Fail(Code::kInvalid, "a path has no empty names");
    steps.push_back(std::move(step));
    if (at >= text.size()) break;
    ++at;  // the dot
  }
  steps.back().last = true;
  return steps;
}

}  // namespace

struct Redaction::Compiled::Expressions {
  std::vector<std::unique_ptr<RE2>> names;
  std::vector<std::unique_ptr<RE2>> patterns;
};

Redaction::Compiled::Compiled() : expressions(std::make_unique<Expressions>()) {}
Redaction::Compiled::~Compiled() = default;

bool Redaction::Compiled::has_names() const { return !expressions->names.empty(); }
bool Redaction::Compiled::has_patterns() const { return !expressions->patterns.empty(); }

bool Redaction::Compiled::IsSecretName(std::string_view name) const {
  return std::any_of(expressions->names.begin(), expressions->names.end(), [&](const auto& one) {
    return RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *one);
  });
}

void Redaction::Compiled::FindPatterns(std::string_view text, std::vector<TextSpan>* out) const {
  const re2::StringPiece piece(text.data(), text.size());
  for (const auto& pattern : expressions->patterns) {
    size_t at = 0;
    re2::StringPiece found;
    while (at < text.size() && pattern->Match(piece, at, text.size(), RE2::UNANCHORED, &found, 1)) {
      const auto begin = static_cast<size_t>(found.data() - text.data());
      if (found.empty()) {
        at = begin + 1;
        continue;
      }
      at = begin + found.size();
      if (!InsideMark(text, begin, at)) out->push_back({begin, at, RedactionRule::kPatterns});
    }
  }
}

// A step that may be none is passed over at once.
void Redaction::Compiled::Enter(size_t step, PathPlaces* places) const {
  places->set(step);
  while (steps[step].kind == PathStep::Kind::kDeep && !steps[step].last) places->set(++step);
}

bool Redaction::Compiled::Step(const PathPlaces& at, std::string_view name,
                               PathPlaces* next) const {
  bool ends = false;
  for (size_t i = at._Find_first(); i < at.size(); i = at._Find_next(i)) {
    const PathStep& step = steps[i];
    if (step.kind == PathStep::Kind::kName && step.name != name) continue;
    if (step.last) {
      ends = true;
    } else if (step.kind == PathStep::Kind::kDeep) {
      Enter(i, next);
    } else {
      Enter(i + 1, next);
    }
  }
  return ends;
}

bool Redaction::Compiled::StepElement(const PathPlaces& at, PathPlaces* next) const {
  *next |= at;
  bool ends = false;
  for (size_t i = at._Find_first(); i < at.size(); i = at._Find_next(i)) {
    if (steps[i].kind == PathStep::Kind::kName) continue;
    if (steps[i].last) {
      ends = true;
    } else if (steps[i].kind == PathStep::Kind::kAny) {
      Enter(i + 1, next);
    }
  }
  return ends;
}

bool Redaction::Compiled::MayHavePath(std::string_view text) const {
  if (steps.empty()) return false;
  if (any_text || text.find('\\') != std::string_view::npos) return true;
  return std::any_of(needed.begin(), needed.end(), [&](const std::string& name) {
    return text.find(name) != std::string_view::npos;
  });
}

Status CheckRedactionKey(std::string_view text) {
  if (text.empty() || text.size() > kTextMax) {
    return Fail(Code::kInvalid, "a name has 1 to 1024 bytes");
  }
  const auto compiled = Compile(NameExpression(text));
  return compiled ? Status() : tl::unexpected(compiled.error());
}

Status CheckRedactionPattern(std::string_view text) {
  if (text.empty() || text.size() > kTextMax) {
    return Fail(Code::kInvalid, "an expression has 1 to 1024 bytes");
  }
  const auto compiled = Compile(std::string(text));
  if (!compiled) return tl::unexpected(compiled.error());
  return {};
}

Status CheckRedactionPath(std::string_view text) {
  const auto steps = ParsePath(text);
  return steps ? Status() : tl::unexpected(steps.error());
}

Redaction::Redaction() = default;
Redaction::~Redaction() = default;

Result<std::shared_ptr<const Redaction>> Redaction::Create(const RedactionSettings& settings,
                                                           const RedactionKey& key) {
  const std::shared_ptr<Redaction> out(new Redaction());
  out->on_ = settings.on;
  out->key_ = key;
  auto compiled = std::make_unique<Compiled>();
  for (const std::string& text : settings.keys) {
    if (const Status good = CheckRedactionKey(text); !good) return tl::unexpected(good.error());
    compiled->expressions->names.push_back(*Compile(NameExpression(text)));
  }
  for (const std::string& text : settings.patterns) {
    if (const Status good = CheckRedactionPattern(text); !good) return tl::unexpected(good.error());
    compiled->expressions->patterns.push_back(*Compile(text));
  }
  for (const std::string& text : settings.paths) {
    auto steps = ParsePath(text);
    if (!steps) return tl::unexpected(steps.error());
    if (compiled->steps.size() + steps->size() > kRedactionPathStepsMax) {
      return Fail(Code::kInvalid, "all paths together have more than " +
                                      std::to_string(kRedactionPathStepsMax) + " steps");
    }
    std::string longest;
    for (const PathStep& step : *steps) {
      if (step.kind == PathStep::Kind::kName && step.name.size() > longest.size()) {
        longest = step.name;
      }
    }
    compiled->any_text |= longest.empty();
    compiled->needed.push_back(std::move(longest));
    const size_t first = compiled->steps.size();
    for (PathStep& step : *steps) compiled->steps.push_back(std::move(step));
    compiled->Enter(first, &compiled->begin);
  }
  out->any_ = std::any_of(out->on_.begin(), out->on_.end(), [](bool on) { return on; });
  out->compiled_ = std::move(compiled);
  return std::shared_ptr<const Redaction>(out);
}

std::shared_ptr<const Redaction> Redaction::Default() {
  auto made = Create({}, ProcessRedactionKey());
  SPOOL_ASSERT(made.has_value());
  return *made;
}

const RedactionKey& ProcessRedactionKey() {
  static const RedactionKey* const key = [] {
    auto* bytes = new RedactionKey();
    FillRandom(*bytes);
    return bytes;
  }();
  return *key;
}

}  // namespace spool
