#include "forward/match.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "forward/data_path.h"
#include "forward/glob.h"

namespace spool {
namespace {

enum class Key : uint8_t {
  kId,
  kSource,
  kType,
  kSubject,
  kStream,
  kCategory,
  kSubcategory,
  kSeverity,
  kCluster,
  kNamespace,
  kKind,
  kName,
  kReason,
  kProducer,
  kProblemKey,
  kOrigin,
  kLabel,
  kData,  // these two need the data parsed, so they are looked at last
};
struct NamedKey {
  std::string_view name;
  Key key;
};
constexpr std::array<NamedKey, 16> kKeys{{{"id", Key::kId},
                                          {"source", Key::kSource},
                                          {"type", Key::kType},
                                          {"subject", Key::kSubject},
                                          {"stream", Key::kStream},
                                          {"category", Key::kCategory},
                                          {"subcategory", Key::kSubcategory},
                                          {"severity", Key::kSeverity},
                                          {"cluster", Key::kCluster},
                                          {"namespace", Key::kNamespace},
                                          {"kind", Key::kKind},
                                          {"name", Key::kName},
                                          {"reason", Key::kReason},
                                          {"producer", Key::kProducer},
                                          {"problemkey", Key::kProblemKey},
                                          {"origin", Key::kOrigin}}};
// Where an object keeps its labels, by producer: the object itself, or what an Event is about.
constexpr std::array<std::string_view, 2> kLabelPlaces{"metadata.labels", "involvedObject.labels"};

enum class Test : uint8_t { kGlobs, kRegex, kGreater, kGreaterOrEqual, kLess, kLessOrEqual };

struct Condition {
  Key key = Key::kId;
  Test test = Test::kGlobs;
  bool negated = false;
  std::string path;  // of kLabel and kData
  size_t text = 0;   // its place in the rule as written
  std::vector<Glob> globs;
  std::shared_ptr<const re2::RE2> regex;
  double number = 0;
  Severity severity = Severity::kInfo;
};
using Rule = std::vector<Condition>;

tl::unexpected<Error> Wrong(std::string_view key, std::string_view what) {
  return Fail(Code::kInvalid, std::string(key) + ": " + std::string(what));
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

tl::unexpected<Error> UnknownKey(std::string_view key) {
  std::string message = "unknown key \"" + std::string(key.substr(0, 80)) + "\"";
  size_t best = std::max<size_t>(2, key.size() / 3) + 1;
  std::string_view nearest;
  for (const NamedKey& known : kKeys) {
    const size_t distance = key.size() > 40 ? best : EditDistance(key, known.name);
    if (distance < best) {
      best = distance;
      nearest = known.name;
    }
  }
  if (nearest.empty()) {
    message += "; keys are the envelope's attributes, labels.NAME and data.PATH";
  } else {
    message += "; did you mean \"" + std::string(nearest) + "\"?";
  }
  return Fail(Code::kInvalid, std::move(message));
}

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

Status CompileKey(std::string_view key, Condition& condition) {
  for (const NamedKey& known : kKeys) {
    if (key == known.name) {
      condition.key = known.key;
      return {};
    }
  }
  for (const auto& [prefix, kind] : {NamedKey{"labels.", Key::kLabel}, {"data.", Key::kData}}) {
    if (!key.starts_with(prefix)) continue;
    if (key.size() == prefix.size()) return Wrong(key, "a name must follow the dot");
    condition.key = kind;
    condition.path = key.substr(prefix.size());
    return {};
  }
  return UnknownKey(key);
}

Status CompileComparison(std::string_view key, std::string_view operand, Condition& condition) {
  if (condition.key == Key::kSeverity) {
    const auto severity = ParseSeverity(operand);
    if (!severity) {
      return Wrong(key, "\"" + std::string(operand) +
                            "\" is no severity; they are debug, info, notice, warning, error, "
                            "critical, alert, emergency");
    }
    condition.severity = *severity;
    return {};
  }
  const auto number = ParseNumber(operand);
  if (!number)
    return Wrong(key, "\"" + std::string(operand) + "\" is not a number to compare with");
  condition.number = *number;
  return {};
}

Status CompileRegex(std::string_view key, std::string_view pattern, Condition& condition) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto regex =
      std::make_shared<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex->ok()) return Wrong(key, "not an RE2 expression: " + regex->error());
  condition.test = Test::kRegex;
  condition.regex = std::move(regex);
  return {};
}

Status CompileGlobs(std::string_view key, std::string_view text, Condition& condition) {
  while (true) {
    const size_t bar = std::min(text.find('|'), text.size());
    std::string one(text.substr(0, bar));
    if (condition.key == Key::kSeverity && one.find_first_of("*?") == std::string::npos) {
      const auto severity = ParseSeverity(one);
      if (!severity) return CompileComparison(key, one, condition);  // for its error
      one = SeverityName(*severity);
    }
    condition.globs.emplace_back(one);
    if (bar == text.size()) return {};
    text.remove_prefix(bar + 1);
  }
}

Result<Condition> CompileCondition(std::string_view key, std::string_view text) {
  Condition condition;
  if (Status status = CompileKey(key, condition); !status) return tl::unexpected(status.error());
  if (text.starts_with('!')) {
    condition.negated = true;
    text.remove_prefix(1);
  }
  Status status;
  if (text.starts_with("=~")) {
    status = CompileRegex(key, text.substr(2), condition);
  } else if (text.starts_with('>') || text.starts_with('<')) {
    const bool greater = text[0] == '>';
    const bool equal = text.size() > 1 && text[1] == '=';
    condition.test = greater ? (equal ? Test::kGreaterOrEqual : Test::kGreater)
                             : (equal ? Test::kLessOrEqual : Test::kLess);
    text.remove_prefix(equal ? 2 : 1);
    while (text.starts_with(' ')) text.remove_prefix(1);
    status = CompileComparison(key, text, condition);
  } else {
    status = CompileGlobs(key, text, condition);
  }
  if (!status) return tl::unexpected(status.error());
  return condition;
}

std::string_view Attribute(const EventView& event, Key key) {
  switch (key) {
    case Key::kSource: return event.source;
    case Key::kType: return event.type;
    case Key::kSubject: return event.subject;
    case Key::kStream: return event.stream;
    case Key::kCategory: return event.category;
    case Key::kSubcategory: return event.subcategory;
    case Key::kSeverity: return SeverityName(event.severity);
    case Key::kCluster: return event.cluster;
    case Key::kNamespace: return event.namespace_;
    case Key::kKind: return event.kind;
    case Key::kName: return event.name;
    case Key::kReason: return event.reason;
    case Key::kProducer: return event.producer;
    case Key::kOrigin: return event.origin;
    default: return {};
  }
}

template <class T>
bool Compares(Test test, T left, T right) {
  switch (test) {
    case Test::kGreater: return left > right;
    case Test::kGreaterOrEqual: return left >= right;
    case Test::kLess: return left < right;
    case Test::kLessOrEqual: return left <= right;
    default: return false;
  }
}

// What is absent is matched by the empty pattern alone, so `*` means "has one".
bool Accepts(const Condition& condition, std::optional<std::string_view> value) {
  const bool absent = !value || value->empty();
  switch (condition.test) {
    case Test::kGlobs:
      return std::any_of(condition.globs.begin(), condition.globs.end(), [&](const Glob& glob) {
        return absent ? glob.exact() && glob.literal().empty() : glob.Matches(*value);
      });
    case Test::kRegex:
      return !absent && re2::RE2::PartialMatch(re2::StringPiece(value->data(), value->size()),
                                               *condition.regex);
    default: {
      if (absent) return false;
      const auto number = ParseNumber(*value);
      return number && Compares(condition.test, *number, condition.number);
    }
  }
}

bool AcceptsLabel(const Condition& condition, DataDocument& data) {
  for (const std::string_view place : kLabelPlaces) {
    if (auto value = data.FindMember(place, condition.path)) return Accepts(condition, value);
  }
  return Accepts(condition, std::nullopt);
}

bool Holds(const Condition& condition, const EventView& event, DataDocument& data) {
  bool accepted = false;
  switch (condition.key) {
    case Key::kId: accepted = Accepts(condition, event.id.Hex()); break;
    case Key::kProblemKey:
      accepted = event.problem_key.empty() ? Accepts(condition, std::nullopt)
                                           : Accepts(condition, event.problem_key.Hex());
      break;
    case Key::kSource:
      accepted = Accepts(condition, event.source) || Accepts(condition, event.origin);
      break;
    case Key::kSeverity:
      accepted = condition.test == Test::kGlobs || condition.test == Test::kRegex
                     ? Accepts(condition, SeverityName(event.severity))
                     : Compares(condition.test, event.severity, condition.severity);
      break;
    case Key::kLabel: accepted = AcceptsLabel(condition, data); break;
    case Key::kData: accepted = Accepts(condition, data.Find(condition.path)); break;
    default: accepted = Accepts(condition, Attribute(event, condition.key)); break;
  }
  return accepted != condition.negated;
}

bool NamesStream(const Rule& rule, std::string_view stream) {
  return std::any_of(rule.begin(), rule.end(), [&](const Condition& condition) {
    return condition.key == Key::kStream && !condition.negated &&
           std::any_of(condition.globs.begin(), condition.globs.end(),
                       [&](const Glob& glob) { return glob.exact() && glob.literal() == stream; });
  });
}

// What a condition looks at, as text; nothing when the event does not have it.
std::optional<std::string> ValueOf(const Condition& condition, const EventView& event,
                                   DataDocument& data) {
  std::optional<std::string_view> value;
  std::string hex;
  switch (condition.key) {
    case Key::kId: value = hex = event.id.Hex(); break;
    case Key::kProblemKey:
      if (!event.problem_key.empty()) value = hex = event.problem_key.Hex();
      break;
    case Key::kLabel:
      for (const std::string_view place : kLabelPlaces) {
        if (!value) value = data.FindMember(place, condition.path);
      }
      break;
    case Key::kData: value = data.Find(condition.path); break;
    default: value = Attribute(event, condition.key); break;
  }
  if (!value || value->empty()) return std::nullopt;
  std::string text(value->substr(0, kFindingValueMax));
  // It answers to both names; the one that it was not compared with would only confuse.
  if (condition.key == Key::kSource && !event.origin.empty() && Accepts(condition, event.origin) &&
      !Accepts(condition, event.source)) {
    text = event.origin;
  }
  return text;
}

}  // namespace

struct Matcher::Impl {
  std::vector<Rule> rules;
  std::vector<RuleText> texts;  // of each rule, as written
};

Matcher::Matcher() : impl_(std::make_shared<Impl>()) {}
Matcher::~Matcher() = default;
// Moving copies the shared pointer, so that what was moved from still matches everything it did.
Matcher::Matcher(Matcher&& other) noexcept : impl_(other.impl_) {}
Matcher& Matcher::operator=(Matcher&& other) noexcept {
  impl_ = other.impl_;
  return *this;
}
Matcher::Matcher(const Matcher&) = default;
Matcher& Matcher::operator=(const Matcher&) = default;

Result<Matcher> Matcher::Compile(const std::vector<RuleText>& rules) {
  auto impl = std::make_shared<Impl>();
  for (const RuleText& text : rules) {
    Rule rule;
    for (const auto& [key, value] : text) {
      auto condition = CompileCondition(key, value);
      if (!condition) return tl::unexpected(condition.error());
      condition->text = rule.size();
      rule.push_back(std::move(*condition));
    }
    std::stable_sort(rule.begin(), rule.end(), [](const Condition& a, const Condition& b) {
      return (a.key >= Key::kLabel) < (b.key >= Key::kLabel);
    });
    impl->rules.push_back(std::move(rule));
    impl->texts.push_back(text);
  }
  Matcher matcher;
  matcher.impl_ = std::move(impl);
  return matcher;
}

Result<Matcher> Matcher::FromArguments(const std::vector<std::string>& arguments) {
  RuleText rule;
  for (const std::string& argument : arguments) {
    const size_t at = argument.find_first_of("=!<>");
    if (at == std::string::npos || at == 0) {
      return Fail(Code::kInvalid, "\"" + argument.substr(0, 80) + "\" is not KEY=VALUE");
    }
    std::string key = argument.substr(0, at);
    std::string value = argument.substr(at);
    std::string negation;
    if (value[0] == '!') {
      negation = "!";
      value.erase(0, 1);
    }
    if (value.starts_with('=') && !value.starts_with("=~")) {
      value.erase(0, 1);
    } else if (!negation.empty() && !value.starts_with("=~")) {
      return Fail(Code::kInvalid, "\"" + argument.substr(0, 80) + "\" is not KEY!=VALUE");
    }
    rule.emplace_back(std::move(key), negation + value);
  }
  if (rule.empty()) return Matcher();
  return Compile({rule});
}

bool Matcher::Matches(const EventView& event, bool special) const {
  if (impl_->rules.empty()) return !special;
  DataDocument data(event.json ? event.data : std::string_view());
  for (const Rule& rule : impl_->rules) {
    if (special && !NamesStream(rule, event.stream)) continue;
    if (std::all_of(rule.begin(), rule.end(),
                    [&](const Condition& condition) { return Holds(condition, event, data); })) {
      return true;
    }
  }
  return false;
}

std::vector<RuleFinding> Matcher::Explain(const EventView& event, bool special) const {
  std::vector<RuleFinding> out;
  DataDocument data(event.json ? event.data : std::string_view());
  for (size_t i = 0; i < impl_->rules.size(); ++i) {
    RuleFinding finding;
    finding.passed_over = special && !NamesStream(impl_->rules[i], event.stream);
    finding.holds = !finding.passed_over;
    for (const Condition& condition : impl_->rules[i]) {
      const auto& [key, pattern] = impl_->texts[i][condition.text];
      const bool holds = Holds(condition, event, data);
      finding.holds = finding.holds && holds;
      finding.conditions.push_back({key, pattern, ValueOf(condition, event, data), holds});
    }
    out.push_back(std::move(finding));
  }
  return out;
}

bool Matcher::matches_all() const { return impl_->rules.empty(); }

bool Matcher::CouldMatchStream(std::string_view stream, bool* names_it) const {
  if (names_it != nullptr) *names_it = false;
  if (impl_->rules.empty()) return true;
  bool could = false;
  for (const Rule& rule : impl_->rules) {
    const bool possible = std::all_of(rule.begin(), rule.end(), [&](const Condition& condition) {
      return condition.key != Key::kStream || Accepts(condition, stream) != condition.negated;
    });
    if (!possible) continue;
    could = true;
    if (names_it != nullptr && NamesStream(rule, stream)) *names_it = true;
  }
  return could;
}

}  // namespace spool
