// What the admin API reads and writes, without a service.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/admin_auth.h"
#include "app/json_views.h"
#include "app/query_params.h"
#include "app/request_body.h"
#include "base/time_text.h"
#include "tests/support/app_http.h"

namespace spool {
namespace {

TEST(JsonWriter, WritesMembersInOrderWithEscapesAndNulls) {
  JsonWriter out;
  out.BeginObject()
      .Field("text", "a\"b\n")
      .Field("number", uint64_t{18446744073709551615u})
      .Field("negative", -3)
      .Field("real", 0.25)
      .Field("flag", true)
      .Field("time", std::optional<SystemTime>())
      .TextOrNull("absent", "")
      .Field("nothing", std::numeric_limits<double>::infinity())
      .Key("list")
      .BeginArray()
      .Value("x")
      .BeginObject()
      .EndObject()
      .Value(1)
      .EndArray()
      .Field("last", Sequence{7})
      .EndObject();
  EXPECT_EQ(out.text(),
            "{\"text\":\"a\\\"b\\n\",\"number\":18446744073709551615,\"negative\":-3,\"real\":0.25,"
            "\"flag\":true,\"time\":null,\"absent\":null,\"nothing\":null,\"list\":[\"x\",{},1],"
            "\"last\":7}");
}

TEST(JsonViews, TheAccountHoldsOnlyWhenEveryEventIsSomewhere) {
  Account account{.accepted = 10,
                  .delivered = 3,
                  .filtered = 2,
                  .dead_lettered = 1,
                  .evicted = 1,
                  .skipped = 1,
                  .pending = 2};
  EXPECT_TRUE(IsAccounted(account));
  account.pending = 1;
  EXPECT_FALSE(IsAccounted(account));
}

TEST(JsonViews, LagIsCountedFromTheOldestEventThatWaits) {
  TargetStatus target;
  const SystemTime now = FromMicros(10'000'000);
  EXPECT_EQ(LagSeconds(target, now), 0.0);
  target.account.pending = 1;
  EXPECT_EQ(LagSeconds(target, now), std::nullopt);
  target.oldest_pending = FromMicros(8'500'000);
  EXPECT_EQ(LagSeconds(target, now), 1.5);
  target.oldest_pending = FromMicros(12'000'000);  // the clock stepped back
  EXPECT_EQ(LagSeconds(target, now), 0.0);
}

TEST(QueryParams, DecodesAndKeepsRepeats) {
  const auto params = QueryParams::Parse("match=kind%3DPod&match=a%3Db%20c&limit=5&verbose");
  ASSERT_TRUE(params.has_value());
  EXPECT_EQ(params->All("match"), (std::vector<std::string>{"kind=Pod", "a=b c"}));
  EXPECT_TRUE(params->Has("verbose"));
  EXPECT_EQ(params->Number("limit", 1, 10)->value(), 5u);
  EXPECT_TRUE(params->Check({"limit", "verbose"}, {"match"}));
}

// As people write it, and as the ingest listener reads it: unescaped.
TEST(QueryParams, APlusIsATimeZonesSign) {
  const auto params = QueryParams::Parse("from=2026-11-20T06:11:14+02:00&match=a%3Db+c");
  ASSERT_TRUE(params.has_value());
  const auto from = params->Time("from", FromMicros(0));
  ASSERT_TRUE(from.has_value()) << from.error().message;
  EXPECT_EQ(ToMicros(**from), ToMicros(*ParseRfc3339("2026-11-20T04:11:14Z")));
  EXPECT_EQ(params->Get("match"), "a=b+c");
}

TEST(QueryParams, RefusesWhatItDoesNotUnderstand) {
  for (const char* bad : {"a=%", "a=%1", "a=%zz", "a=%00", "%=1"}) {
    EXPECT_FALSE(QueryParams::Parse(bad).has_value()) << bad;
  }
  std::string many;
  for (int i = 0; i < 65; ++i) many += "a=1&";
  EXPECT_FALSE(QueryParams::Parse(many).has_value());
  const QueryParams params = *QueryParams::Parse("limit=ten&limit=5&when=teatime&x=1");
  EXPECT_EQ(params.Check({"limit", "when", "x"}).error().message,
            "The parameter 'limit' is given twice.");
  EXPECT_EQ(params.Check({"when", "x"}, {"limit"}).has_value(), true);
  EXPECT_EQ(params.Check({"when"}, {"limit"}).error().message, "There is no parameter 'x' here.");
  for (const char* bad : {"ten", "", "0", "11", "-1", "1.5", "99999999999999999999999"}) {
    const QueryParams one = *QueryParams::Parse(std::string("limit=") + bad);
    EXPECT_FALSE(one.Number("limit", 1, 10).has_value()) << bad;
  }
  EXPECT_FALSE(params.Time("when", FromMicros(0)).has_value());
}

TEST(RequestBody, ReadsMembersByType) {
  const auto body = RequestBody::Parse(
      R"({"to":"12","rate":1.5,"dry_run":true,"match":["a=b"],"none":null,"at":13})",
      {"to", "rate", "dry_run", "match", "none", "at"});
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(body->Text("to")->value(), "12");
  EXPECT_EQ(body->SequenceOf("to"), Sequence{12});
  EXPECT_EQ(body->SequenceOf("at"), Sequence{13});
  EXPECT_EQ(body->Number("rate")->value(), 1.5);
  EXPECT_TRUE(*body->Flag("dry_run"));
  EXPECT_EQ(body->Texts("match")->size(), 1u);
  EXPECT_FALSE(body->Text("none")->has_value());
  EXPECT_FALSE(body->Text("absent")->has_value());
  EXPECT_FALSE(body->Text("rate").has_value());
  EXPECT_FALSE(body->Flag("to").has_value());
  EXPECT_FALSE(body->Texts("to").has_value());
  EXPECT_TRUE(RequestBody::Parse(" \n", {}).has_value());
}

TEST(RequestBody, RefusesAnythingButOneObjectOfKnownMembers) {
  for (const char* bad : {"[]", "1", "{", "{\"to\":1", "{\"too\":1}", "{\"to\":1,\"to\":2}", "null",
                          "{\"to\":1}x", "\xff", "{'to':1}"}) {
    EXPECT_FALSE(RequestBody::Parse(bad, {"to"}).has_value()) << bad;
  }
  std::string deep = "{\"to\":";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  EXPECT_FALSE(RequestBody::Parse(deep, {"to"}).has_value());
}

TEST(ParseSequence, TakesDigitsThatFitAndNothingElse) {
  EXPECT_EQ(ParseSequence("18446744073709551615"), Sequence{UINT64_MAX});
  for (const char* bad : {"", "-1", "+1", "1 ", "0x1", "18446744073709551616", "10m"}) {
    EXPECT_EQ(ParseSequence(bad), std::nullopt) << bad;
  }
}

net::HttpRequest Request(const testing::HttpHeaders& headers) {
  net::HttpRequest request;
  request.headers = headers;
  return request;
}

std::string CodeOf(const std::optional<net::HttpResponse>& refusal) {
  if (!refusal) return "allowed";
  return nlohmann::json::parse(refusal->body).value("code", "");
}

std::unique_ptr<AdminAuth> Auth(const AdminSettings& settings) {
  auto auth = AdminAuth::Create(settings);
  EXPECT_TRUE(auth) << auth.error().message;
  return std::move(*auth);
}

TEST(AdminAuth, OnLoopbackOnlyLoopbackNamesAreServed) {
  AdminSettings settings;
  settings.address = "127.0.0.1:8081";
  const auto made = Auth(settings);
  const AdminAuth& auth = *made;
  for (const char* host :
       {"localhost", "LOCALHOST:8081", "127.0.0.1:8081", "[::1]:8081", "[::1]"}) {
    EXPECT_EQ(CodeOf(auth.Refuse(Request({{"host", host}}), AdminRole::kOperator)), "allowed")
        << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example:8081", "127.0.0.1.evil.example",
                           "10.0.0.1:8081", "[::1", "[::2]:8081"}) {
    EXPECT_EQ(CodeOf(auth.Refuse(Request({{"host", host}}), AdminRole::kNobody)), "bad_host")
        << host;
  }
  settings.address = "0.0.0.0:8081";
  EXPECT_EQ(
      CodeOf(Auth(settings)->Refuse(Request({{"host", "spool.monitoring"}}), AdminRole::kNobody)),
      "allowed");
}

TEST(AdminAuth, PagesOfOtherOriginsAreRefused) {
  const auto made = Auth({});
  const AdminAuth& auth = *made;
  const auto code = [&](const char* origin) {
    return CodeOf(auth.Refuse(Request({{"host", "127.0.0.1:8081"}, {"origin", origin}}),
                              AdminRole::kOperator));
  };
  EXPECT_EQ(code("http://127.0.0.1:8081"), "allowed");
  EXPECT_EQ(code("http://127.0.0.1:3000"), "bad_origin");
  EXPECT_EQ(code("https://evil.example"), "bad_origin");
  EXPECT_EQ(code("null"), "bad_origin");
}

TEST(AdminAuth, ATokenAllowsWhatItsRoleAndTheLesserOnesDo) {
  constexpr AdminRole kRoles[] = {AdminRole::kViewer, AdminRole::kReader, AdminRole::kOperator,
                                  AdminRole::kAdmin};
  const testing::AppDir dir;
  AdminSettings settings;
  for (const AdminRole role : kRoles) {
    const std::string name(AdminRoleName(role));
    EXPECT_EQ(ParseAdminRole(name), role);
    std::ofstream(dir / name) << name << "-token\n";
    settings.tokens.push_back({Secret::FromFile(dir / name), name});
  }
  EXPECT_EQ(ParseAdminRole("nobody"), std::nullopt);
  const auto auth = Auth(settings);
  const auto code = [&](const std::string& header, AdminRole needed) {
    return CodeOf(
        auth->Refuse(Request({{"host", "localhost"}, {"authorization", header}}), needed));
  };
  for (const AdminRole has : kRoles) {
    const std::string header = "Bearer " + std::string(AdminRoleName(has)) + "-token";
    for (const AdminRole needed : kRoles) {
      EXPECT_EQ(code(header, needed), has >= needed ? "allowed" : "forbidden")
          << AdminRoleName(has) << " for " << AdminRoleName(needed);
    }
  }
  EXPECT_EQ(code("", AdminRole::kNobody), "allowed");
  for (const char* wrong : {"", "Bearer ", "Bearer wrong", "Basic viewer-token", "viewer-token"}) {
    EXPECT_EQ(code(wrong, AdminRole::kViewer), "unauthorized") << wrong;
  }
}

TEST(AdminAuth, WithATokenThatCannotBeReadItDoesNotBegin) {
  AdminSettings settings;
  settings.tokens = {{Secret::FromFile("/nonexistent/token"), "operator"}};
  const auto auth = AdminAuth::Create(settings);
  ASSERT_FALSE(auth);
  EXPECT_EQ(auth.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace spool
