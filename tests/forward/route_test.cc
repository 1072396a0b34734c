#include "forward/route.h"

#include <gtest/gtest.h>

#include "tests/support/forward_fixture.h"

namespace spool {
namespace {

EventView Event(std::string_view kind, std::string_view stream = "calm") {
  EventView event;
  event.kind = kind;
  event.stream = stream;
  event.data = "{}";
  return event;
}

RouteSettings Route(std::string name, std::vector<RuleText> match, std::vector<RuleText> drop,
                    std::vector<std::string> to = {"t"}) {
  return {std::move(name), std::move(match), std::move(drop), std::move(to)};
}

TEST(Router, GivesEverythingToEveryTargetWithoutARoutesKey) {
  const Router router = *Router::Compile({}, "t", true);
  EXPECT_TRUE(router.Wants(Event("Pod")));
}

TEST(Router, GivesNothingWithAnEmptyListOfRoutes) {
  const Router router = *Router::Compile({}, "t", false);
  EXPECT_FALSE(router.Wants(Event("Pod")));
}

TEST(Router, LooksOnlyAtRoutesThatLeadToTheTarget) {
  const std::vector<RouteSettings> routes = {Route("a", {}, {}, {"other"}),
                                             Route("b", {{{"kind", "Node"}}}, {}, {"x", "t"})};
  const Router router = *Router::Compile(routes, "t", false);
  EXPECT_TRUE(router.Wants(Event("Node")));
  EXPECT_FALSE(router.Wants(Event("Pod")));
}

TEST(Router, LooksAtDropFirst) {
  const Router router =
      *Router::Compile({Route("a", {{{"kind", "*"}}}, {{{"kind", "Pod"}}})}, "t", false);
  EXPECT_FALSE(router.Wants(Event("Pod")));
  EXPECT_TRUE(router.Wants(Event("Node")));
}

TEST(Router, DropsOnlyWithinItsOwnRoute) {
  const Router router = *Router::Compile(
      {Route("a", {}, {{{"kind", "Pod"}}}), Route("b", {{{"kind", "Pod"}}}, {})}, "t", false);
  EXPECT_TRUE(router.Wants(Event("Pod")));
}

TEST(Router, NamesTheRouteInAnError) {
  auto router = Router::Compile({Route("night", {{{"kindd", "Pod"}}}, {})}, "t", false);
  ASSERT_FALSE(router.has_value());
  EXPECT_EQ(router.error().code, Code::kInvalid);
  EXPECT_EQ(router.error().message,
            "route \"night\", match: unknown key \"kindd\"; did you mean \"kind\"?");
  router = Router::Compile({Route("night", {}, {{{"reason", "=~["}}})}, "t", false);
  ASSERT_FALSE(router.has_value());
  EXPECT_TRUE(router.error().message.starts_with("route \"night\", drop: reason: "))
      << router.error().message;
}

class RouterReach : public testing::Test {
 protected:
  void SetUp() override { journal_.Open(); }
  std::string Reach(const std::vector<RouteSettings>& routes, bool no_routes_key = false) {
    const StreamSet reach = Router::Compile(routes, "t", no_routes_key)->Reach(*journal_);
    std::string names;
    for (const char* name : {"calm", "busy", "locked"}) {
      if (reach.Contains(*journal_->FindStream(name))) names += std::string(name) + " ";
    }
    return names;
  }
  ForwardJournal journal_;
};

TEST_F(RouterReach, IsTheStreamsThatCouldMatch) {
  EXPECT_EQ(Reach({}, true), "calm busy ");
  EXPECT_EQ(Reach({}), "");
  EXPECT_EQ(Reach({Route("a", {{{"kind", "Pod"}}}, {})}), "calm busy ");
  EXPECT_EQ(Reach({Route("a", {{{"stream", "busy"}}}, {})}), "busy ");
  EXPECT_EQ(Reach({Route("a", {{{"stream", "busy"}}}, {}), Route("b", {{{"stream", "c*"}}}, {})}),
            "calm busy ");
}

TEST_F(RouterReach, HasSpecialStreamsOnlyByName) {
  EXPECT_EQ(Reach({Route("a", {{{"stream", "*"}}}, {})}), "calm busy ");
  EXPECT_EQ(Reach({Route("a", {{{"stream", "lock*"}}}, {})}), "");
  EXPECT_EQ(Reach({Route("a", {{{"stream", "locked"}}}, {})}), "locked ");
}

TEST(Router, TakesFromASpecialStreamOnlyByTheRouteThatNamesIt) {
  const Router router = *Router::Compile(
      {Route("all", {}, {}), Route("some", {{{"stream", "locked"}, {"kind", "Pod"}}}, {})}, "t",
      false);
  EXPECT_TRUE(router.Wants(Event("Pod", "locked"), true));
  EXPECT_FALSE(router.Wants(Event("Node", "locked"), true));
  EXPECT_TRUE(router.Wants(Event("Node", "calm"), false));
}

}  // namespace
}  // namespace spool
