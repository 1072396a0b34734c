// The language of routes, replays and searches: rules over an event's attributes and data.
//
// Keys of one rule are ANDed, rules of a list are ORed. A plain value is an anchored glob
// (`*`, `?`), `a|b` are alternatives, `=~` begins an RE2 expression (unanchored), `!` negates what
// follows, `>=` `>` `<=` `<` compare severities (for the key severity) or numbers. Keys: the
// envelope's attributes (id, source, type, subject, stream, category, subcategory, severity,
// cluster, namespace, kind, name, reason, producer, problemkey), `origin` (the configured source;
// `source` matches either), `labels.X` (of the object: metadata.labels, or involvedObject.labels),
// or `data.a.b.c`, a path into the data (an array index is a number).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "spool/event.h"

namespace spool {

// One rule: key to value text. Order does not matter.
using RuleText = std::vector<std::pair<std::string, std::string>>;

// How one condition of a rule came out for one event.
struct ConditionFinding {
  std::string key;                   // as written
  std::string pattern;               // as written
  std::optional<std::string> value;  // what the event has there, at most kFindingValueMax bytes;
                                     // absent when it has nothing
  bool holds = false;
};
inline constexpr size_t kFindingValueMax = 256;
struct RuleFinding {
  bool holds = false;
  bool passed_over = false;  // the event lies in a special stream that this rule does not name
  std::vector<ConditionFinding> conditions;  // in the order in which they are looked at
};

// Compiled once; immutable afterwards; any thread.
class Matcher {
 public:
  // kInvalid naming the key and what is wrong with the value.
  static Result<Matcher> Compile(const std::vector<RuleText>& rules);
  // "K=V" or "K!=V" as on a command line (V may begin with an operator); several are ANDed.
  static Result<Matcher> FromArguments(const std::vector<std::string>& arguments);

  Matcher();  // matches everything
  ~Matcher();
  Matcher(Matcher&&) noexcept;
  Matcher& operator=(Matcher&&) noexcept;
  Matcher(const Matcher&);  // cheap: what was compiled is shared
  Matcher& operator=(const Matcher&);

  // True if any rule matches, or if there are no rules. With `special` (the event lies in a
  // special stream) only rules that name that stream count.
  bool Matches(const EventView& event, bool special = false) const;
  // Why Matches says what it says: every rule and every condition, none left out.
  std::vector<RuleFinding> Explain(const EventView& event, bool special = false) const;
  bool matches_all() const;
  // Whether an event of that stream could match: false only when every rule names streams and
  // none names this one. `names_it` tells whether some rule has this very name, spelled out, as
  // its `stream` (special streams are reached in no other way: no glob and no negation will do).
  bool CouldMatchStream(std::string_view stream, bool* names_it) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace spool
