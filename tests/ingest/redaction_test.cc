// What is hidden of a record, and what is not.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ingest/decode.h"
#include "ingest/json_scan.h"
#include "ingest/redact_trigger.h"
#include "ingest/redactor.h"
#include "tests/support/secret_shapes.h"

namespace spool {
namespace {

using testing::SecretShape;
using testing::SecretShapes;

constexpr char kSecret[] = "c4n4ry7hunter2";

RedactionKey Key(uint8_t byte = 7) {
  RedactionKey key;
  key.fill(byte);
  return key;
}

std::shared_ptr<const Redaction> Rules(const RedactionSettings& settings = {}) {
  auto made = Redaction::Create(settings, Key());
  EXPECT_TRUE(made) << made.error().message;
  return *made;
}

RedactionSettings Paths(std::vector<std::string> paths) {
  RedactionSettings settings;
  settings.paths = std::move(paths);
  return settings;
}

std::string Json(const std::string& text, const RedactionSettings& settings = {}) {
  Redactor redactor(Rules(settings));
  const auto out = redactor.Json(text, {});
  return out ? std::string(*out) : "(refused)";
}

std::string Text(const std::string& text) {
  Redactor redactor(Rules());
  return std::string(*redactor.Text(text, {}));
}

// With the digits of marks and hashes made equal.
std::string Plain(std::string text) {
  for (const auto& [head, digits] :
       {std::pair<std::string, size_t>{"[redacted:", 16}, {"\"hmac\":\"", 64}}) {
    for (size_t at = text.find(head); at != text.npos; at = text.find(head, at + 1)) {
      text.replace(at + head.size(), digits, "#");
    }
  }
  return text;
}

TEST(Redaction, NoShapeLetsItsSecretThrough) {
  Redactor redactor(Rules());
  JsonScanner scanner;
  const std::string coded = testing::Base64(kSecret);
  const auto shapes = SecretShapes([] { return std::string(kSecret); }, 1);
  EXPECT_GE(shapes.size(), 200U);
  for (const SecretShape& shape : shapes) {
    ASSERT_TRUE(scanner.Scan(shape.body, 64)) << shape.body;
    const auto out = redactor.Json(shape.body, {});
    ASSERT_TRUE(out);
    const std::string once(*out);
    EXPECT_NE(once, shape.body) << shape.name;
    EXPECT_TRUE(scanner.Scan(once, 64)) << shape.name << "\n" << once;
    EXPECT_EQ(once.find(kSecret), once.npos) << shape.name << "\n" << shape.body << "\n" << once;
    EXPECT_EQ(once.find(coded.substr(0, 16)), once.npos) << shape.name << "\n" << once;
    if (const auto json = nlohmann::json::parse(once); json.contains("data_base64")) {
      std::string inside = json["data_base64"];
      EXPECT_EQ(inside.find(testing::Base64("x" + std::string(kSecret)).substr(4, 8)), inside.npos);
    }
    EXPECT_EQ(*redactor.Json(once, {}), once) << shape.name << ": the second time it changed";
  }
}

TEST(Redaction, TheSameShapesWithoutRulesKeepTheirSecrets) {
  RedactionSettings off;
  off.on.fill(false);
  for (const SecretShape& shape : SecretShapes([] { return std::string(kSecret); }, 1))
    EXPECT_EQ(Json(shape.body, off), shape.body);
}

TEST(Redaction, ABodyLeavesWhatItWasAndAHash) {
  const std::string before =
      R"({"objectRef":{"resource":"secrets"},"requestObject":{"data":{"a":"x"}},"verb":"create"})";
  EXPECT_EQ(Plain(Json(before)),
            R"({"objectRef":{"resource":"secrets"},"requestObject":{"redacted":"objects",)"
            R"("of":"secrets","bytes":18,"hmac":"#"},"verb":"create"})");
  EXPECT_EQ(
      Plain(Json(
          R"({"o":{"data":{"a":"x"},"kind":"Secret","metadata":{"name":"n","namespace":"m"}}})")),
      R"({"o":{"redacted":"objects","of":"Secret","name":"n","namespace":"m","bytes":74,"hmac":"#"}})");
}

TEST(Redaction, EqualBodiesHashAlikeByOneKeyOnly) {
  const auto hash = [](const std::string& body, uint8_t key) {
    Redactor redactor(*Redaction::Create({}, Key(key)));
    const auto out =
        redactor.Json(R"({"objectRef":{"resource":"secrets"},"requestObject":)" + body + "}", {});
    return nlohmann::json::parse(*out)["requestObject"]["hmac"].get<std::string>();
  };
  EXPECT_EQ(hash(R"({"a":1})", 1), hash(R"({"a":1})", 1));
  EXPECT_NE(hash(R"({"a":1})", 1), hash(R"({"a":2})", 1));
  EXPECT_NE(hash(R"({"a":1})", 1), hash(R"({"a":1})", 2));
}

// The marks make ids of what differs in a secret alone differ, and tell nothing across records.
TEST(Redaction, MarksTellRecordsApartAndNotWhichSecretsAreEqual) {
  const auto mark = [](const std::string& text) {
    const std::string out = Json(text);
    return out.substr(out.find("[redacted:"), 27);
  };
  EXPECT_EQ(mark(R"({"password":"a","n":1})"), mark(R"({"password":"a","n":1})"));
  EXPECT_NE(mark(R"({"password":"a","n":1})"), mark(R"({"password":"b","n":1})"));
  EXPECT_NE(mark(R"({"password":"a","n":1})"), mark(R"({"password":"a","n":2})"));
  EXPECT_NE(mark(R"({"password":"ab","pwd":"c"})"), mark(R"({"password":"a","pwd":"bc"})"));
}

TEST(Redaction, WhatIsNoSecretStays) {
  for (
      const char* text :
      {R"({"message":"MountVolume.SetUp failed for volume \"default-token-abc\" : secret \"foo\" not found"})",
       R"({"message":"failed to fetch token: pods \"x\" not found"})",
       R"({"message":"exceeded quota: q, requested: secrets=1, used: secrets=10, limited: secrets=10"})",
       R"({"message":"Failed to pull image: no basic auth credentials, unauthorized: authentication required"})",
       R"({"imageID":"docker-pullable://r.io/a@sha256:0123","@timestamp":"2026-03-14T09:26:53Z"})",
       R"({"involvedObject":{"kind":"Secret","namespace":"a","name":"db","uid":"u","apiVersion":"v1","resourceVersion":"1"}})",
       R"({"eventmeta":{"kind":"secret","name":"a","namespace":"b","reason":"Created"},"text":"x","time":"y"})",
       R"({"volumes":[{"name":"t","secret":{"secretName":"foo","defaultMode":420}}],"imagePullSecrets":[{"name":"r"}]})",
       R"({"valueFrom":{"secretKeyRef":{"name":"s","key":"password"}},"automountServiceAccountToken":true})",
       R"({"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed"}})",
       R"({"user":{"extra":{"authentication.kubernetes.io/credential-id":["JTI=1"]}}})",
       R"({"password":"","token":null,"secret":false,"passwords":[],"tokens":{}})",
       R"({"request":{"kind":{"group":"","version":"v1","kind":"Secret"},"resource":{"resource":"secrets"}}})",
       R"({"hard":{"secrets":"10","count/secrets":"5"}})",
       R"({"requestURI":"/api/v1/pods?labelSelector=app%3Dx&limit=500&timeout=30s"})",
       R"({"x":"is this password? no","key":"value","env":[],"a":[{"name":"x","value":"y"}]})"}) {
    EXPECT_EQ(Json(text), text);
  }
}

TEST(Redaction, HidesNoMoreOfATextThanTheSecret) {
  EXPECT_EQ(Plain(Text("user=jane password=x1 host=db")),
            "user=jane password=[redacted:#] host=db");
  EXPECT_EQ(Plain(Text("to https://a:b@host:80/p?q=1 done")),
            "to https://[redacted:#]@host:80/p?q=1 done");
  EXPECT_EQ(Plain(Text("/p/exec?command=ls&container=a")),
            "/p/exec?command=[redacted:#]&container=a");
  EXPECT_EQ(Plain(Text("Bearer abcdef123456, then")), "Bearer [redacted:#], then");
  EXPECT_EQ(Plain(Text("sshpass -p x1 ssh -p 22")), "sshpass -p [redacted:#] ssh -p [redacted:#]");
}

TEST(Redaction, BytesThatAreNoTextGoWholeWhenTheySpeakOfSecrets) {
  EXPECT_EQ(Plain(Text(std::string("k8s\0Secret\xFF hunter2", 19))), "[redacted:#]");
  const std::string harmless("\0\1\2pod\xFF", 7);
  EXPECT_EQ(Text(harmless), harmless);
}

TEST(Redaction, PathsOfTheOperator) {
  const auto with = [](const std::string& path, const std::string& text) {
    return Plain(Json(text, Paths({path})));
  };
  EXPECT_EQ(with("a.b", R"({"a":{"b":{"x":1},"c":2},"b":3})"),
            R"({"a":{"b":"[redacted:#]","c":2},"b":3})");
  EXPECT_EQ(with("a.*", R"({"a":{"b":1,"c":null}})"),
            R"({"a":{"b":"[redacted:#]","c":"[redacted:#]"}})");
  EXPECT_EQ(with("a.b", R"({"a":[{"b":1},{"b":2,"c":3}]})"),
            R"({"a":[{"b":"[redacted:#]"},{"b":"[redacted:#]","c":3}]})")
      << "lists are passed through";
  EXPECT_EQ(with("a.*", R"({"a":[1,[2]]})"), R"({"a":["[redacted:#]","[redacted:#]"]})");
  EXPECT_EQ(with("**.pin", R"({"x":{"y":[{"pin":1}]},"pin":2})"),
            R"({"x":{"y":[{"pin":"[redacted:#]"}]},"pin":"[redacted:#]"})");
  EXPECT_EQ(with("a.\"b.c/d\"", R"({"a":{"b.c/d":1,"b":{"c/d":2}}})"),
            R"({"a":{"b.c/d":"[redacted:#]","b":{"c/d":2}}})");
  EXPECT_EQ(with("ab", R"({"\u0061b":1})"), R"({"\u0061b":"[redacted:#]"})");
  for (const char* bad : {"", ".", "a..b", "a.", "a*", "\"a", "\"a\"b", "a[0]"}) {
    EXPECT_FALSE(CheckRedactionPath(bad)) << bad;
  }
}

TEST(Redaction, NamesAndExpressionsOfTheOperator) {
  RedactionSettings settings;
  settings.keys = {"pin", "*_code", "=~^x[0-9]+$"};
  settings.patterns = {"AKIA[0-9A-Z]{4}", "[a-z]+-[0-9]{3}"};
  EXPECT_EQ(
      Plain(Json(R"({"PIN":1,"zip_code":"a","x12":"b","x":"y","t":"an AKIAAB12 and abc-123"})",
                 settings)),
      R"({"PIN":"[redacted:#]","zip_code":"[redacted:#]","x12":"[redacted:#]","x":"y",)"
      R"("t":"an [redacted:#] and [redacted:#]"})");
  settings.patterns = {"[a-z]+"};
  const std::string once = Json(R"({"a":"abc def"})", settings);
  EXPECT_EQ(Json(once, settings), once);
  EXPECT_FALSE(CheckRedactionKey("=~("));
  EXPECT_FALSE(CheckRedactionPattern("a[2"));
}

TEST(Redaction, CountsByRuleAndWhatCouldNotBeRead) {
  const auto rules = Rules();
  Redactor redactor(rules);
  redactor.Json(R"({"password":"a","x":"https://a:b@c","env":[{"name":"A","value":"b"}]})", {});
  redactor.Json(R"({"auditID":"a","requestObject":[{"op":"add","path":"/x","value":"b"}]})", {});
  const auto hidden = [&](RedactionRule rule) {
    return rules->counters().hidden[static_cast<size_t>(rule)].load();
  };
  EXPECT_EQ(hidden(RedactionRule::kKeys), 1U);
  EXPECT_EQ(hidden(RedactionRule::kPatterns), 1U);
  EXPECT_EQ(hidden(RedactionRule::kEnvironment), 1U);
  EXPECT_EQ(hidden(RedactionRule::kObjects), 1U);
  EXPECT_EQ(rules->counters().fallback, 1U);
}

TEST(Redaction, MemoryIsPaidForOrNothingComesOut) {
  std::string text = R"({"a":[)";
  for (int i = 0; i < 20'000; ++i) text += R"({"token":1},)";
  text += "1]}";
  Redactor redactor(Rules());
  size_t asked = 0;
  ASSERT_TRUE(redactor.Json(text, [&](size_t bytes) { return asked += bytes, true; }));
  EXPECT_GT(asked, text.size());
  EXPECT_FALSE(redactor.Json(text, [](size_t) { return false; }));
}

TEST(Redaction, EachRuleCanBeTurnedOff) {
  const std::string text =
      R"({"o":{"kind":"Secret","data":{"a":"b"}},"password":"c","x":"https://d:e@f",)"
      R"("u":"/p/exec?command=g","env":[{"name":"A","value":"h"}],)"
      R"("kubectl.kubernetes.io/last-applied-configuration":"i"})";
  const std::pair<RedactionRule, const char*> rules[] = {
      {RedactionRule::kObjects, R"({"a":"b"})"},
      {RedactionRule::kKeys, R"("c")"},
      {RedactionRule::kPatterns, "d:e@f"},
      {RedactionRule::kUris, "command=g"},
      {RedactionRule::kEnvironment, R"("value":"h")"},
      {RedactionRule::kLastApplied, R"("i")"}};
  for (const auto& [rule, shown] : rules) {
    RedactionSettings settings;
    settings.on[static_cast<size_t>(rule)] = false;
    for (const auto& [other, text_of_it] : rules) {
      EXPECT_EQ(Json(text, settings).find(text_of_it) != std::string::npos, other == rule)
          << text_of_it << "\n"
          << Json(text, settings);
    }
  }
}

}  // namespace
}  // namespace spool
