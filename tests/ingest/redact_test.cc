#include "ingest/redact.h"

#include <gtest/gtest.h>

#include "ingest/json_text.h"

namespace spool {
namespace {

constexpr std::string_view kCanary = "c4n4ry";

TEST(Redact, HidesWhatLooksLikeASecret) {
  for (
      const std::string_view text :
      {R"({"password":"c4n4ry"})",
       R"({"PASSWORD" : "c4n4ry"})",
       R"({"db_password_v2":"c4n4ry"})",
       R"({"clientSecret":"c4n4ry","x":1})",
       R"({"apiKey":"c4n4ry"})",
       R"({"token":["c4n4ry"]})",
       R"({"secret":{"a":{"b":"c4n4ry"}}})",
       R"(password=c4n4ry&x=1)",
       R"(token: c4n4ry)",
       R"({"log":"{\"password\":\"c4n4ry\"}"})",
       R"({"a":"x \"token\": \"ab\\\"c4n4ry\" y"})",
       R"({"name":"DB_PASSWORD","value":"c4n4ry"})",
       "Authorization: Bearer c4n4ry",
       R"({"authorization":"Basic c4n4ry"})",
       "x Bearer c4n4ry y",
       "https://u:c4n4ry@host/path",
       "eyJhbGciOi.eyJzdWIi.c4n4ry",
       "-----BEGIN PRIVATE KEY-----\nc4n4ry\n-----END PRIVATE KEY-----",
       "-----BEGIN CERTIFICATE-----\nc4n4ry",
       "Cookie: a=b; session=c4n4ry",
       "pwd='a c4n4ry'",
       R"({"access_key":"c4n4ry"})",
       R"({"pass":"c4n4ry"})",
       R"({"dbPass":"c4n4ry"})",
       "DB_PASS=c4n4ry",
       R"({"pw":"c4n4ry"})",
       R"({"auth":"c4n4ry"})",
       R"({"session":"c4n4ry"})",
       R"({"sessionId":"c4n4ry"})",
       R"({"args":["mysql","-p","c4n4ry","--port","1"]})",
       R"({"args":["--token=abcdefgh","-p","c4n4ry"]})",
       R"({"args":["--token","-p","c4n4ry"]})",
       R"({"args":["--token","--password","c4n4ry"]})",
       R"({"key":"password", "val" : "c4n4ry"})",
       R"({"log":"{\"key\":\"password\",\"val\":\"c4n4ry\"}"})",
       "- name: DB_PASSWORD\n  value: c4n4ry\n",
       "mysql -p c4n4ry",
       "curl -u jane:c4n4ry",
       R"({"args":["--password","c4n4ry"]})",
       "https://u:a@c4n4ry@host/path",
       "https://u:a/c4n4ry@host/path",
       "password: some c4n4ry words",
       "password: |\n  c4n4ry\n",
       "passwords:\n- a\n- c4n4ry\n",
       "<password>c4n4ry</password>",
       "password[0]=c4n4ry",
       "password=a}c4n4ry",
       R"({"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"env\":\"c4n4ry\"}"}})",
       R"({"my_very_long_db_password_v2":"c4n4ry"})",
       R"({"x":"YzRuNHJ5c4n4ryYzRuNHJ5"})",
       R"({"x":"c4n4ry\/zRu\/HJ5c4n4ryYz"})",
       "data:\n  tls.key: YzRuNHJ5YzRuNHJ5c4n4ry==\n",
       R"({"password":)"
       "\"c4n4ry"}) {
    EXPECT_EQ(HideSecrets(text).find(kCanary), std::string::npos)
        << text << " -> " << HideSecrets(text);
  }
}

TEST(Redact, ShowsTheRest) {
  EXPECT_EQ(HideSecrets(R"({"user":"jane","password":"x","n":1})"),
            R"({"user":"jane","password":"[redacted]","n":1})");
  EXPECT_EQ(HideSecrets("https://host:8080/path"), "https://host:8080/path");
  EXPECT_EQ(HideSecrets("nothing to hide"), "nothing to hide");
  for (const std::string_view text :
       {R"({"creationTimestamp":"2026-03-14T09:20:00Z","involvedObject":{"kind":"Pod"}})",
        R"({"name":"api-7c9d8f6b5-x2x4z","message":"Readiness probe passed upward"})",
        "/api/v1/namespaces/payments/pods", "-port 80", "MY_LONG_VARIABLE_NAME=x"}) {
    EXPECT_EQ(HideSecrets(text), text);
  }
}

TEST(Redact, AnExcerptIsShortPrintableAndCautious) {
  EXPECT_EQ(SafeExcerpt("{\"a\":\"\x01\xFF\n\"}"), "{\"a\":\"...\"}");
  EXPECT_EQ(SafeExcerpt(std::string(5000, '.')).size(), kExcerptMax);
  for (const std::string_view text :
       {R"({"kind":"Secret","data":{"a":"c4n4ry"}})", R"({"auditID":"a","x":"c4n4ry"})",
        R"({"requestObject":{"x":"c4n4ry"}})", R"({"p\u0061ssword":"c4n4ry"})",
        R"({"kind":"AdmissionReview","AdmissionReview":"c4n4ry"})",
        "apiVersion: v1\nkind: Secret\ndata:\n  a: c4n4ry\n",
        R"({"log":"{\"kind\":\"Secret\",\"data\":{\"a\":\"c4n4ry\"}}"})",
        R"({"kind" : "secrets", "a":"c4n4ry"})", "payload=%7B%22pin%22%3A%22c4n4ry%22%7D",
        "<a>&quot;pin&quot;:&quot;c4n4ry&quot;</a>"}) {
    EXPECT_EQ(SafeExcerpt(text), "") << text;
  }
  EXPECT_EQ(SafeExcerpt(std::string("S\0e\0c\0r\0e\0t\0", 12)), "");
}

TEST(Redact, KnowsATextThatSpeaksOfSecrets) {
  for (const std::string_view text : {"secret",
                                      "Secrets",
                                      "SECRETLIST",
                                      R"("kind":"Secret")",
                                      "kind: Secret",
                                      "kind:Secret\r\n",
                                      R"({"log":"apiVersion: v1\nSecret: x"})",
                                      R"(\u000asecret)",
                                      "kind%3ASecret%0A",
                                      R"(\"kind\":\"SecretList\")",
                                      "client_secret=",
                                      "a.secret.b",
                                      "1secret2",
                                      R"("kind":"\u0053ecret")",
                                      R"("\u006bind":1)",
                                      R"("auditID":1)",
                                      R"(\"requestObject\")",
                                      R"(\"responseObject\")",
                                      "apiVersion: audit.k8s.io/v1",
                                      "AdmissionReview"}) {
    EXPECT_TRUE(SpeaksOfSecrets(text)) << text;
    EXPECT_TRUE(SpeaksOfSecrets("x " + std::string(text))) << text;
  }
  for (const std::string_view text :
       {"", "s", "secre", "secretary", "clientSecretName", "the secretion", "nosecret",
        R"({"a":"\u003cb\u003e \u00e9"})", "sssssssecre"}) {
    EXPECT_FALSE(SpeaksOfSecrets(text)) << text;
  }
}

// A secret that begins before the edge of an excerpt and ends behind it.
TEST(Redact, ASecretOnTheEdgeIsSeenWhole) {
  for (size_t pad = kExcerptMax - 40; pad < kExcerptMax + 10; ++pad) {
    const std::string text = std::string(pad, ' ') + R"("token":"c4n4ryc4n4ryc4n4ryc4n4ry")";
    EXPECT_EQ(SafeExcerpt(text).find("c4"), std::string::npos) << pad;
  }
}

TEST(JsonText, EscapesAndBack) {
  std::string out;
  EXPECT_TRUE(AppendUnescaped(R"(a\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00)", &out));
  EXPECT_EQ(out, "a\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  for (const std::string_view raw : {"\\", "\\x", "\\u12", "\\ud800", "\\ud800\\n", "\\udc00"}) {
    std::string ignored;
    EXPECT_FALSE(AppendUnescaped(raw, &ignored)) << raw;
  }
  std::string text;
  AppendJsonString("a\"\\\n\x7F\xC3\xA9\xFF", &text);
  EXPECT_EQ(text, "\"a\\\"\\\\\\u000a\\u007f\xC3\xA9\xEF\xBF\xBD\"");
}

TEST(JsonText, Base64AndPercent) {
  EXPECT_EQ(DecodeBase64("aGk="), "hi");
  EXPECT_EQ(DecodeBase64("aGk"), "hi");
  EXPECT_EQ(DecodeBase64(""), "");
  EXPECT_FALSE(DecodeBase64("a"));
  EXPECT_FALSE(DecodeBase64("aG=k"));
  EXPECT_FALSE(DecodeBase64("===="));
  EXPECT_EQ(PercentDecode("a%20b%C3%A9"), "a b\xC3\xA9");
  EXPECT_EQ(PercentDecode("%2525"), "%25") << "once";
  EXPECT_FALSE(PercentDecode("%2"));
  EXPECT_FALSE(PercentDecode("%zz"));
  EXPECT_EQ(PercentEncode("prod/eu 1"), "prod%2Feu%201");
  EXPECT_EQ(CutUtf8("ab\xE2\x82\xAC", 4), "ab");
  EXPECT_EQ(Utf8FaultAt("ab\xE2\x82\xAC\xC0"), 5U);
}

}  // namespace
}  // namespace spool
