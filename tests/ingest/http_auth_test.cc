// Who may send: each combination of what a source asks for and what a client has.
#include "ingest/sources/http_auth.h"

#include <gtest/gtest.h>
#include <stdlib.h>

namespace spool {
namespace {

class HttpAuthTest : public ::testing::Test {
 protected:
  static std::unique_ptr<HttpAuth> Make(bool tokens, std::vector<std::string> names, bool either) {
    setenv("SPOOL_TEST_INGEST", "right", 1);
    HttpAuthOptions options;
    if (tokens) options.tokens.push_back(Secret::FromEnv("SPOOL_TEST_INGEST"));
    options.client_names = std::move(names);
    options.either = either;
    auto made = HttpAuth::Create(std::move(options));
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  // "200", or status and code.
  static std::string Try(const HttpAuth& auth, const char* token, const char* certificate) {
    net::HttpRequest request;
    if (token != nullptr) {
      request.headers.emplace_back("authorization", std::string("Bearer ") + token);
    }
    if (certificate != nullptr) {
      auto client = std::make_shared<net::TlsClient>();
      client->names = {"cn-" + std::string(certificate), certificate};
      request.client = client;
    }
    const auto refusal = auth.Refuse(request);
    if (!refusal) return "200";
    const size_t at = refusal->body.find("\"code\":\"") + 8;
    return std::to_string(refusal->status) + " " +
           refusal->body.substr(at, refusal->body.find('"', at) - at);
  }
};

TEST_F(HttpAuthTest, AsksForNothingUnlessToldTo) {
  const auto auth = Make(false, {}, false);
  EXPECT_EQ(Try(*auth, nullptr, nullptr), "200");
  EXPECT_EQ(Try(*auth, "wrong", nullptr), "200");
  EXPECT_EQ(Try(*auth, nullptr, "agent"), "200");
}

TEST_F(HttpAuthTest, WithTokensOneOfThemIsNeeded) {
  const auto auth = Make(true, {}, false);
  EXPECT_EQ(Try(*auth, "right", nullptr), "200");
  EXPECT_EQ(Try(*auth, nullptr, nullptr), "401 unauthorized");
  EXPECT_EQ(Try(*auth, "wrong", nullptr), "401 unauthorized");
  EXPECT_EQ(Try(*auth, nullptr, "agent"), "401 unauthorized") << "beside a certificate too";
  EXPECT_EQ(Try(*auth, "right", "agent"), "200");
}

// A sender of CloudEvents need not be able to set a header.
TEST_F(HttpAuthTest, ATokenMayComeInTheQuery) {
  const auto auth = Make(true, {}, false);
  net::HttpRequest request;
  request.query = "a=b&access_token=right";
  EXPECT_FALSE(auth->Refuse(request));
  request.query = "access_token=wrong";
  EXPECT_EQ(auth->Refuse(request)->status, 401);
  request.query = "access_token=";
  EXPECT_EQ(auth->Refuse(request)->status, 401);
  // A header is not overruled.
  request.query = "access_token=right";
  request.headers.emplace_back("authorization", "Bearer wrong");
  EXPECT_EQ(auth->Refuse(request)->status, 401);
}

TEST_F(HttpAuthTest, WithNamesOnlyTheirCertificatesMaySend) {
  const auto auth = Make(false, {"agent", "cn-other"}, false);
  EXPECT_EQ(Try(*auth, nullptr, "agent"), "200");
  EXPECT_EQ(Try(*auth, nullptr, "other"), "200") << "any of its names counts";
  EXPECT_EQ(Try(*auth, nullptr, "stranger"), "403 certificate_not_allowed");
  EXPECT_EQ(Try(*auth, "right", nullptr), "403 certificate_required");
}

TEST_F(HttpAuthTest, WithBothBothAreNeeded) {
  const auto auth = Make(true, {"agent"}, false);
  EXPECT_EQ(Try(*auth, "right", "agent"), "200");
  EXPECT_EQ(Try(*auth, nullptr, "agent"), "401 unauthorized");
  EXPECT_EQ(Try(*auth, "right", "stranger"), "403 certificate_not_allowed");
}

TEST_F(HttpAuthTest, WithEitherOneOfThemIsEnough) {
  const auto auth = Make(true, {"agent"}, true);
  EXPECT_EQ(Try(*auth, nullptr, "agent"), "200");
  EXPECT_EQ(Try(*auth, "right", nullptr), "200");
  EXPECT_EQ(Try(*auth, nullptr, nullptr), "401 unauthorized");
  EXPECT_EQ(Try(*auth, "wrong", nullptr), "401 unauthorized");
  EXPECT_EQ(Try(*auth, "right", "stranger"), "403 certificate_not_allowed")
      << "who shows a certificate is taken at its word";
}

TEST_F(HttpAuthTest, ATokenThatCannotBeReadIsNoOpenDoor) {
  HttpAuthOptions options;
  options.tokens.push_back(Secret::FromFile("/nonexistent/token"));
  const auto made = HttpAuth::Create(options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace spool
