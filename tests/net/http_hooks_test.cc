// What the server's owner says to refusals of the server itself.
#include "tests/net/server_fixture.h"

namespace spool::net {
namespace {

class HttpRewordTest : public HttpServerTest {
 protected:
  HttpRewordTest() {
    reword_ = [](const HttpRequest& request, HttpResponse refusal) {
      refusal.content_type = "text/words";
      refusal.body = request.method + " " + request.path + " " +
                     std::string(request.Header("x-of")) + " " + std::to_string(refusal.status);
      return refusal;
    };
  }
  // The request's answer, which must have been said in the owner's words.
  void ExpectWords(const std::string& request, int status, const std::string& words) {
    const RawAnswer answer = Exchange(request);
    EXPECT_EQ(answer.status, status) << request.substr(0, 200);
    EXPECT_EQ(answer.Header("content-type"), "text/words");
    EXPECT_EQ(answer.body, words + " " + std::to_string(status));
  }
};

TEST_F(HttpRewordTest, EveryRefusalOfARequestWhosePathIsKnown) {
  HttpLimits limits;
  limits.body_bytes = 1000;
  limits.body_idle_timeout = std::chrono::seconds(1);
  admit_ = [](const HttpRequest& request) -> std::optional<HttpResponse> {
    if (request.path != "/secret") return std::nullopt;
    return Problem(401, "unauthorized", "No.");
  };
  StartEcho(limits);
  const std::string large(2000, 'x');
  ExpectWords(Post("/a", large, "X-Of: me\r\n"), 413, "POST /a me");
  ExpectWords(Post("/secret", "x"), 401, "POST /secret ");
  ExpectWords(Post("/b", "x", "Content-Encoding: br\r\n"), 415, "POST /b ");
  ExpectWords(Post("/c", "no gzip", "Content-Encoding: gzip\r\n"), 400, "POST /c ");
  const std::string chunked = "POST /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  ExpectWords(chunked + "7d0\r\n" + large, 413, "POST /d ");
  ExpectWords(chunked + "zz\r\n", 400, "POST /d ");
  ExpectWords("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nx", 408, "POST /e ");
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(HttpRewordTest, AHeadIsToldHowLongTheWordsAre) {
  admit_ = [](const HttpRequest&) -> std::optional<HttpResponse> {
    return Problem(403, "forbidden", "No.");
  };
  StartEcho();
  RawSocket socket = Connect();
  socket.Send("HEAD /h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const auto answer = socket.ReadAnswer(RawSocket::kPatience, /*head_only=*/true);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 403);
  EXPECT_EQ(answer->Header("content-length"), std::to_string(std::string("HEAD /h  403").size()));
  EXPECT_EQ(answer->body, "");
}

TEST_F(HttpRewordTest, NotWhatNoPathIsKnownOf) {
  StartEcho();
  const RawAnswer answer = Exchange("nonsense\r\n\r\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.Header("content-type"), "application/problem+json");
}

TEST_F(HttpRewordTest, NorWhatAHandlerAnswers) {
  Start({}, 1, [](HttpRequest&&, HttpResponder responder) {
    responder.Send(Problem(404, "not_found", "No."));
  });
  const RawAnswer answer = Exchange(Post("/a", "x"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.Header("content-type"), "application/problem+json");
}

}  // namespace
}  // namespace spool::net
