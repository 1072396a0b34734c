#include "ingest/identity.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "tests/support/ingest_fixture.h"

namespace spool {
namespace {

TEST(Identity, NoFieldCanPassForAnother) {
  std::set<Hash128> seen;
  seen.insert(IdentityOf("x", {"a", "b"}));
  seen.insert(IdentityOf("x", {"a|1:b"}));
  seen.insert(IdentityOf("x", {"ab", ""}));
  seen.insert(IdentityOf("x", {"", "ab"}));
  seen.insert(IdentityOf("x", {"a", "b", ""}));
  seen.insert(IdentityOf("y", {"a", "b"}));
  EXPECT_EQ(seen.size(), 6U);
}

// Whether it is remembered or not: all that fall into one slot, and what is too long or has a zero.
TEST(Identity, ARememberedProblemKeyIsThatOfItsFields) {
  const std::string zero(1, '\0');
  std::vector<std::string> fields = {"", "a", "b", zero, "a" + zero, std::string(300, 'x')};
  for (int i = 0; i < 3000; ++i) fields.push_back(std::to_string(i));
  const auto same = [](std::initializer_list<std::string_view> these) {
    return ProblemKeyOf(these) == IdentityOf("problem", these);
  };
  for (int again = 0; again < 2; ++again) {
    for (const std::string& field : fields) {
      ASSERT_TRUE(same({field}) && same({field, ""}) && same({field, "a"}) && same({"a", field}))
          << field;
    }
  }
}

// The canonical texts are a promise: a changed one makes every stored id stranger to its repeats.
TEST(Identity, TheCanonicalTextsStayWhatTheyAre) {
  EXPECT_EQ(IdentityOf("event", {"prod", "u1", "42"}), Sha256Prefix("v1|event|4:prod|2:u1|2:42"));
  IngestFixture ingest({.cluster = "prod"});
  EXPECT_EQ(ingest.One("/v1/events", EventText{.uid = "u1", .version = "42"}.Json()).view.id,
            Sha256Prefix("v1|event|4:prod|2:u1|2:42"));
  AuditText audit{
      .id = "a", .stage = "s", .uri = "/x", .verb = "get", .user = "u", .received = "r"};
  const std::string record = audit.Json();
  EXPECT_EQ(ingest.One("/audit", record).view.id,
            Sha256Prefix("v1|audit|4:prod|1:a|1:s|1:r|1:u|2:/x|3:get|" +
                         std::to_string(record.size()) + ":" + record));
  EXPECT_EQ(
      ingest.One("/v1/events", R"({"specversion":"1.0","id":"7","source":"s","type":"t"})").view.id,
      Sha256Prefix("v1|cloudevent|1:s|1:7"));
}

TEST(Identity, AnUpdatedEventIsAnotherRecordOfTheSameTrouble) {
  IngestFixture ingest;
  std::set<Hash128> ids, problems;
  for (int version = 1; version <= 16; ++version) {
    const ReadBack e = ingest.One("/events", EventText{.version = std::to_string(version)}.Json());
    ids.insert(e.view.id);
    problems.insert(e.view.problem_key);
  }
  EXPECT_EQ(ids.size(), 16U);
  EXPECT_EQ(problems.size(), 1U);
}

TEST(Identity, BothApisNameAnEventAlike) {
  IngestFixture ingest;
  const ReadBack old = ingest.One("/events", EventText{.uid = "u", .version = "1"}.Json());
  const ReadBack now = ingest.One(
      "/events",
      R"({"metadata":{"uid":"u","resourceVersion":"1"},"regarding":{"kind":"Pod"},"reason":"r"})");
  EXPECT_EQ(old.view.id, now.view.id);
}

TEST(Identity, AnEventWithoutVersionIsNamedByItsBytes) {
  IngestFixture ingest;
  const std::string a = R"({"metadata":{"uid":"u"},"involvedObject":{"kind":"Pod"},"count":1})";
  const std::string b = R"({"metadata":{"uid":"u"},"involvedObject":{"kind":"Pod"},"count":2})";
  EXPECT_EQ(ingest.One("/events", a).view.id, ingest.One("/events", a).view.id);
  EXPECT_NE(ingest.One("/events", a).view.id, ingest.One("/events", b).view.id);
  const std::string bare = R"({"involvedObject":{"kind":"Pod"},"reason":"r"})";
  EXPECT_NE(ingest.One("/events", bare).view.id, ingest.One("/events", bare).view.id);
}

TEST(Identity, OneAuditIdHidesNoSecondRequest) {
  IngestFixture ingest;
  std::set<Hash128> ids;
  AuditText text{.id = "x"};
  const auto add = [&] { ids.insert(ingest.One("/audit", text.Json()).view.id); };
  add();
  text.uri = "/api/v1/namespaces/payments/secrets";
  add();
  text.verb = "delete";
  add();
  text.user = "mallory";
  add();
  text.received = "2026-03-14T09:26:06.535898Z";
  add();
  text.stage = "ResponseStarted";
  add();
  EXPECT_EQ(ids.size(), 6U);
}

TEST(Identity, TheSameBatchTwiceHasTheSameIds) {
  IngestFixture first({.cluster = "c"}), second({.cluster = "c"});
  const std::string body = "[" + EventText{}.Json() + "," + AuditText{}.Json() +
                           R"(,{"id":1,"a":2},{"time":"2026-01-01T00:00:00Z"},)"
                           R"({"specversion":"1.0","id":"7","source":"s","type":"t"}])";
  const auto a = first.Events("/v1/events", body);
  const auto b = second.Events("/v1/events", body);
  ASSERT_EQ(a.size(), 5U);
  std::set<Hash128> ids;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].view.id, b[i].view.id) << i;
    EXPECT_EQ(a[i].event.id, a[i].view.id);
    ids.insert(a[i].view.id);
  }
  EXPECT_EQ(ids.size(), 5U);
}

TEST(Identity, EqualRecordsWithoutIdAreTwoEventsUnlessTheRequestIsNamed) {
  IngestFixture ingest;
  const auto plain = ingest.Events("/v1/events", R"([{"a":1},{"a":1}])");
  ASSERT_EQ(plain.size(), 2U);
  EXPECT_NE(plain[0].view.id, plain[1].view.id);
  const auto once = ingest.Events("/v1/events", R"([{"a":1},{"a":1}])", "", {}, "key-1");
  const auto again = ingest.Events("/v1/events", R"([{"a":1},{"a":1}])", "", {}, "key-1");
  const auto other = ingest.Events("/v1/events", R"([{"a":1},{"a":1}])", "", {}, "key-2");
  EXPECT_NE(once[0].view.id, once[1].view.id);
  EXPECT_EQ(once[0].view.id, again[0].view.id);
  EXPECT_EQ(once[1].view.id, again[1].view.id);
  EXPECT_NE(once[0].view.id, other[0].view.id);
}

TEST(Identity, ManyFreshIdsAreAllDifferent) {
  FreshIds fresh;
  std::set<Hash128> ids;
  for (int i = 0; i < 2000; ++i) ids.insert(fresh.Next());
  EXPECT_EQ(ids.size(), 2000U);
}

TEST(Identity, OwnersNamesAreFound) {
  EXPECT_EQ(OwnerName("Pod", "api-7c9d8f6b5-x2x4z"), "api");
  EXPECT_EQ(OwnerName("Pod", "kube-proxy-x2x4z"), "kube-proxy");
  EXPECT_EQ(OwnerName("Pod", "web-0"), "web");
  EXPECT_EQ(OwnerName("Pod", "backup-28391045-x2x4z"), "backup-28391045");
  EXPECT_EQ(OwnerName("Pod", "my-nginx"), "my-nginx") << "no suffix has an i";
  EXPECT_EQ(OwnerName("Pod", "single"), "single");
  EXPECT_EQ(OwnerName("Pod", "-x2x4z"), "-x2x4z");
  EXPECT_EQ(OwnerName("ReplicaSet", "api-7c9d8f6b5"), "api");
  EXPECT_EQ(OwnerName("Node", "worker-1"), "worker-1");
  EXPECT_EQ(OwnerName("Deployment", "api-7c9d8f6b5-x2x4z"), "api-7c9d8f6b5-x2x4z");
  EXPECT_EQ(OwnerName("Pod", ""), "");
}

TEST(Identity, ProblemsGroupByWhatIsWrongNotWhen) {
  IngestFixture ingest({.cluster = "c"});
  const auto key = [&ingest](const EventText& text) {
    return ingest.One("/events", text.Json()).view.problem_key;
  };
  const Hash128 base = key({});
  EXPECT_EQ(base, key({.uid = "other", .message = "another text", .name = "api-7c9d8f6b5-zz7q9"}));
  EXPECT_NE(base, key({.reason = "BackOff"}));
  EXPECT_NE(base, key({.kind = "Node"}));
  EXPECT_NE(base, key({.name = "web-7c9d8f6b5-x2x4z"}));
  IngestFixture elsewhere({.cluster = "d"});
  EXPECT_NE(base, elsewhere.One("/events", EventText{}.Json()).view.problem_key);
}

}  // namespace
}  // namespace spool
