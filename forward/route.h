// Which events go to a target.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "forward/match.h"
#include "spool/journal.h"

namespace spool {

// A route as configured.
struct RouteSettings {
  std::string name;
  std::vector<RuleText> match;  // empty: everything
  std::vector<RuleText> drop;   // looked at first
  std::vector<std::string> to;
  bool operator==(const RouteSettings&) const = default;
};

// How one route came out for one event.
struct RouteFinding {
  enum class Verdict { kMatched, kDropped, kUnmatched };
  std::string name;  // empty: what holds without a routes key
  Verdict verdict = Verdict::kUnmatched;
  bool takes_all = false;  // it has no match rules
  std::vector<RuleFinding> drop;
  std::vector<RuleFinding> match;
};

// All routes that lead to one target, compiled. Immutable; any thread.
class Router {
 public:
  // The routes of `routes` whose `to` has `target`. With `no_routes_key` (the config has no
  // routes at all) the target gets everything. kInvalid from a matcher.
  static Result<Router> Compile(const std::vector<RouteSettings>& routes, std::string_view target,
                                bool no_routes_key);
  // True if some route takes the event. `special`: it lies in a special stream, which only routes
  // that name the stream take from.
  bool Wants(const EventView& event, bool special = false) const;
  // Why Wants says what it says: every route, in order.
  std::vector<RouteFinding> Explain(const EventView& event, bool special = false) const;
  // The streams that could hold an event it wants; special ones only when named.
  StreamSet Reach(const Journal& journal) const;

 private:
  struct Route {
    std::string name;
    Matcher match;
    Matcher drop;
    bool drops = false;
  };
  std::vector<Route> routes_;
};

}  // namespace spool
