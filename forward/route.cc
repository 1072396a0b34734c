#include "forward/route.h"

#include <algorithm>

namespace spool {

Result<Router> Router::Compile(const std::vector<RouteSettings>& routes, std::string_view target,
                               bool no_routes_key) {
  Router router;
  if (no_routes_key) {
    router.routes_.emplace_back();
    return router;
  }
  for (const RouteSettings& settings : routes) {
    if (std::find(settings.to.begin(), settings.to.end(), target) == settings.to.end()) continue;
    const auto context = [&](const char* list) {
      return "route \"" + settings.name + "\", " + list;
    };
    Route route;
    route.name = settings.name;
    auto match = Matcher::Compile(settings.match);
    if (!match) return Fail(context("match"), match.error());
    route.match = std::move(*match);
    auto drop = Matcher::Compile(settings.drop);
    if (!drop) return Fail(context("drop"), drop.error());
    route.drop = std::move(*drop);
    route.drops = !settings.drop.empty();
    router.routes_.push_back(std::move(route));
  }
  return router;
}

bool Router::Wants(const EventView& event, bool special) const {
  for (const Route& route : routes_) {
    if (route.drops && route.drop.Matches(event)) continue;
    if (route.match.Matches(event, special)) return true;
  }
  return false;
}

std::vector<RouteFinding> Router::Explain(const EventView& event, bool special) const {
  std::vector<RouteFinding> out;
  for (const Route& route : routes_) {
    RouteFinding finding;
    finding.name = route.name;
    finding.takes_all = route.match.matches_all();
    if (route.drops) finding.drop = route.drop.Explain(event);
    finding.match = route.match.Explain(event, special);
    if (route.drops && route.drop.Matches(event)) {
      finding.verdict = RouteFinding::Verdict::kDropped;
    } else if (route.match.Matches(event, special)) {
      finding.verdict = RouteFinding::Verdict::kMatched;
    }
    out.push_back(std::move(finding));
  }
  return out;
}

StreamSet Router::Reach(const Journal& journal) const {
  const StreamSet ordinary = journal.AllStreams();
  const StreamSet all = journal.AllWithSpecial();
  StreamSet reach;
  for (size_t i = 0; i < kStreamsMax; ++i) {
    const StreamId id{static_cast<uint8_t>(i)};
    if (!all.Contains(id)) continue;
    const std::string& name = journal.StreamName(id);
    for (const Route& route : routes_) {
      bool names_it = false;
      if (!route.match.CouldMatchStream(name, &names_it)) continue;
      if (names_it || ordinary.Contains(id)) reach.Add(id);
    }
  }
  return reach;
}

}  // namespace spool
