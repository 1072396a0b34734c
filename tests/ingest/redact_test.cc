#include "ingest/redact.h"

#include <gtest/gtest.h>

#include "ingest/json_text.h"

namespace spool {
namespace {

constexpr std::string_view kCanary = "c4n4ry";

TEST(Redact, HidesWhatLooksLikeASecret) {
  for (const std::string_view text :
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
}

TEST(Redact, AnExcerptIsShortPrintableAndCautious) {
  EXPECT_EQ(SafeExcerpt("{\"a\":\"\x01\xFF\n\"}"), "{\"a\":\"...\"}");
  EXPECT_EQ(SafeExcerpt(std::string(5000, 'x')).size(), kExcerptMax);
  for (const std::string_view text :
       {R"({"kind":"Secret","data":{"a":"c4n4ry"}})", R"({"auditID":"a","x":"c4n4ry"})",
        R"({"requestObject":{"x":"c4n4ry"}})", R"({"p\u0061ssword":"c4n4ry"})",
        R"({"kind":"AdmissionReview","AdmissionReview":"c4n4ry"})"}) {
    EXPECT_EQ(SafeExcerpt(text).find(kCanary), std::string::npos) << text;
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
