// What the server does with bytes that are not a proper request: a table of requests that break a
// rule, and the answer to each.
#include "tests/net/tls_fixture.h"

namespace spool::net {
namespace {

struct Abuse {
  const char* name;
  std::string bytes;
  int status;
  const char* code;
  bool keeps = false;  // the connection stays usable
};

std::string Get(std::string_view headers, std::string_view line = "GET / HTTP/1.1") {
  return std::string(line) + "\r\nHost: h\r\n" + std::string(headers) + "\r\n";
}

std::string Chunked(std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body);
}

std::vector<Abuse> FramingAbuse() {
  const std::string tail = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  return {
      {"TransferEncodingAndLength",
       Get("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n") + tail, 400, "bad_request"},
      {"LengthAfterTransferEncoding",
       Get("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n") + tail, 400, "bad_request"},
      {"UnknownCodingAndLength", Get("Transfer-Encoding: gzip\r\nContent-Length: 4\r\n") + tail,
       400, "bad_request"},
      {"DifferingLengths", Get("Content-Length: 4\r\nContent-Length: 5\r\n") + tail, 400,
       "bad_request"},
      {"EqualLengthsTwice", Get("Content-Length: 4\r\nContent-Length: 4\r\n") + tail, 400,
       "bad_request"},
      {"LengthAsList", Get("Content-Length: 4, 4\r\n") + tail, 400, "bad_request"},
      {"NegativeLength", Get("Content-Length: -1\r\n"), 400, "bad_request"},
      {"SignedLength", Get("Content-Length: +4\r\n") + tail, 400, "bad_request"},
      {"HexLength", Get("Content-Length: 0x4\r\n") + tail, 400, "bad_request"},
      {"EmptyLength", Get("Content-Length:\r\n"), 400, "bad_request"},
      {"LengthOverflow", Get("Content-Length: 18446744073709551620\r\n"), 400, "bad_request"},
      {"SpaceInLength", Get("Content-Length: 1 2\r\n"), 400, "bad_request"},
      {"UnknownTransferCoding", Get("Transfer-Encoding: gzip\r\n"), 501,
       "unsupported_transfer_coding"},
      {"CodingBeforeChunked", Get("Transfer-Encoding: gzip, chunked\r\n") + tail, 501,
       "unsupported_transfer_coding"},
      {"CodingLikeChunked", Get("Transfer-Encoding: xchunked\r\n") + tail, 501,
       "unsupported_transfer_coding"},
      {"ChunkedWithParameter", Get("Transfer-Encoding: chunked;q=1\r\n") + tail, 501,
       "unsupported_transfer_coding"},
      {"ChunkedInQuotes", Get("Transfer-Encoding: \"chunked\"\r\n") + tail, 501,
       "unsupported_transfer_coding"},
      {"IdentityTransferCoding", Get("Transfer-Encoding: identity\r\n") + tail, 501,
       "unsupported_transfer_coding"},
      {"ChunkedTwice", Get("Transfer-Encoding: chunked, chunked\r\n") + tail, 400, "bad_request"},
      {"ChunkedInTwoHeaders",
       Get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") + tail, 400,
       "bad_request"},
      {"TwoTransferHeaders",
       Get("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n") + tail, 400,
       "bad_request"},
      {"CodingListBeginsEmpty", Get("Transfer-Encoding: , chunked\r\n") + tail, 400, "bad_request"},
      {"CodingListEndsEmpty", Get("Transfer-Encoding: chunked,\r\n") + tail, 400, "bad_request"},
      {"LengthWithParameter", Get("Content-Length: 4;q=1\r\n") + tail, 400, "bad_request"},
      {"ChunkSizeAfterSpace", Chunked(" 3\r\nabc\r\n0\r\n\r\n"), 400, "bad_request"},
      {"LastChunkBareLf", Chunked("3\r\nabc\r\n0\n\r\n"), 400, "bad_request"},
      {"EndInBareLf", Chunked("3\r\nabc\r\n0\r\n\n"), 400, "bad_request"},
      {"EmptyTransferCoding", Get("Transfer-Encoding:\r\n") + tail, 400, "bad_request"},
      {"VerticalTabInCoding",
       Get("Transfer-Encoding: \x0b"
           "chunked\r\n") +
           tail,
       400, "bad_request"},
      {"ChunkedInHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + tail, 400,
       "bad_request"},
      {"NoChunkSize", Chunked("\r\nabc"), 400, "bad_request"},
      {"ChunkSizeNotHex", Chunked("xyz\r\n"), 400, "bad_request"},
      {"ChunkSizeWithPrefix", Chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400, "bad_request"},
      {"ChunkSizeSigned", Chunked("-3\r\nabc\r\n0\r\n\r\n"), 400, "bad_request"},
      {"ChunkSizeOverflow", Chunked("ffffffffffffffff1\r\nabc"), 400, "bad_request"},
      {"ChunkSizeBareLf", Chunked("3\nabc\r\n0\r\n\r\n"), 400, "bad_request"},
      {"ChunkSizeWithSpace", Chunked("3 \r\nabc\r\n0\r\n\r\n"), 400, "bad_request"},
      {"ChunkLongerThanItsSize", Chunked("3\r\nabcd\r\n0\r\n\r\n"), 400, "bad_request"},
      {"ChunkEndsInBareLf", Chunked("3\r\nabc\n0\r\n\r\n"), 400, "bad_request"},
      {"NulInChunkExtension", Chunked(std::string("3;a=\0b\r\nabc", 12)), 400, "bad_request"},
      {"BareCrInChunkExtension", Chunked("3;a=\rb\r\nabc"), 400, "bad_request"},
      {"EndlessChunkExtension", Chunked("3;" + std::string(40'000, 'a')), 400, "bad_request"},
      {"EndlessTrailers", Chunked("0\r\n" + std::string(40'000, 'a')), 400, "bad_request"},
      {"FoldedTrailer", Chunked("0\r\nA: b\r\n c\r\n\r\n"), 400, "bad_request"},
      {"ChunkSizeOfSeventeenDigits", Chunked("00000000000000003\r\nabc\r\n0\r\n\r\n"), 400,
       "bad_request"},
      {"EndOfSeventeenDigits", Chunked("3\r\nabc\r\n00000000000000000\r\n\r\n"), 400,
       "bad_request"},
      {"TrailerWithoutColon", Chunked("0\r\nnonsense\r\n\r\n"), 400, "bad_request"},
      {"TrailerWithoutName", Chunked("0\r\n: x\r\n\r\n"), 400, "bad_request"},
      {"TrailerWithSpaceBeforeColon", Chunked("0\r\nA : x\r\n\r\n"), 400, "bad_request"},
      {"RequestAsTrailer", Chunked("0\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"), 400,
       "bad_request"},
  };
}

std::vector<Abuse> HeadAbuse() {
  std::string many;
  for (int i = 0; i < 300; ++i) many += "A: b\r\n";
  return {
      {"Garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad_request"},
      {"EmptyLines", "\r\n\r\n\r\n\r\n", 400, "bad_request"},
      {"BareLf", "GET / HTTP/1.1\nHost: h\n\n", 400, "bad_request"},
      {"OneBareLf", "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", 400, "bad_request"},
      {"BareCr", "GET / HTTP/1.1\r\nHost: h\rA: b\r\n\r\n", 400, "bad_request"},
      {"Nul", std::string("GET / HTTP/1.1\r\nHost: h\r\nA: a\0b\r\n\r\n", 36), 400, "bad_request"},
      {"NulInRequestLine", std::string("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 27), 400,
       "bad_request"},
      {"TwoCrs", "GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", 400, "bad_request"},
      {"LfBeforeCr", Get("A: b\n\r\n"), 400, "bad_request"},
      {"NulInName", std::string("GET / HTTP/1.1\r\nHost: h\r\nA\0: b\r\n\r\n", 35), 400,
       "bad_request"},
      {"Delete", Get("A: \x7f\r\n"), 400, "bad_request"},
      {"FoldedHeader", Get("A: b\r\n c\r\n"), 400, "bad_request"},
      {"FoldedFirstHeader", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400, "bad_request"},
      {"SpaceBeforeColon", Get("Content-Length : 4\r\n"), 400, "bad_request"},
      {"TabBeforeColon", Get("Transfer-Encoding\t: chunked\r\n"), 400, "bad_request"},
      {"HeaderWithoutColon", Get("nonsense\r\n"), 400, "bad_request"},
      {"HeaderWithoutName", Get(": x\r\n"), 400, "bad_request"},
      {"BracketsInName", Get("A[0]: x\r\n"), 400, "bad_request"},
      {"MissingHost", "GET / HTTP/1.1\r\n\r\n", 400, "bad_request"},
      {"TwoHosts", Get("Host: other\r\n"), 400, "bad_request"},
      {"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_request"},
      {"HostList", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400, "bad_request"},
      {"NoTarget", Get("", "GET HTTP/1.1"), 400, "bad_request"},
      {"TwoSpaces", Get("", "GET  / HTTP/1.1"), 400, "bad_request"},
      {"TabForSpace", Get("", "GET\t/ HTTP/1.1"), 400, "bad_request"},
      {"SpaceInTarget", Get("", "GET /a b HTTP/1.1"), 400, "bad_request"},
      {"SpaceAfterVersion", Get("", "GET / HTTP/1.1 "), 400, "bad_request"},
      {"LowerCaseVersion", Get("", "GET / http/1.1"), 400, "bad_request"},
      {"Http09", "GET /\r\n\r\n", 400, "bad_request"},
      {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported"},
      {"Http12", Get("", "GET / HTTP/1.2"), 505, "version_not_supported"},
      {"RelativeTarget", Get("", "GET a HTTP/1.1"), 400, "bad_request", true},
      {"HighByteInTarget", Get("", "GET /\xc3\xa4 HTTP/1.1"), 400, "bad_request", true},
      {"FragmentInTarget", Get("", "GET /a#b HTTP/1.1"), 400, "bad_request", true},
      {"BadPercent", Get("", "GET /%zz HTTP/1.1"), 400, "bad_request", true},
      {"CutPercent", Get("", "GET /a%4 HTTP/1.1"), 400, "bad_request", true},
      {"PercentNul", Get("", "GET /a%00 HTTP/1.1"), 400, "bad_request", true},
      {"ForeignScheme", Get("", "GET ftp://h/a HTTP/1.1"), 400, "bad_request", true},
      {"MethodNotAToken", Get("", "G(T / HTTP/1.1"), 400, "bad_request"},
      {"UnknownMethod", Get("", "BREW / HTTP/1.1"), 501, "method_not_implemented"},
      {"LowerCaseMethod", Get("", "get / HTTP/1.1"), 501, "method_not_implemented"},
      {"Connect", Get("", "CONNECT h:443 HTTP/1.1"), 501, "method_not_implemented"},
      {"HeadTooLarge", Get("A: " + std::string(9000, 'a') + "\r\n"), 431, "header_too_large"},
      {"RequestLineTooLarge", "GET /" + std::string(9000, 'a'), 431, "header_too_large"},
      {"TooManyFields", Get(many), 431, "header_too_large"},
      {"UnknownExpectation", Get("Expect: 200-ok\r\n"), 417, "expectation_failed", true},
      {"TwoExpectations", Post("/", "x", "Expect: 100-continue, y\r\n"), 417, "expectation_failed",
       true},
      {"Deflate", Post("/", "x", "Content-Encoding: deflate\r\n"), 415, "unsupported_encoding",
       true},
      {"TwoEncodings", Post("/", "x", "Content-Encoding: gzip, zstd\r\n"), 415,
       "unsupported_encoding", true},
      {"TwoEncodingHeaders", Post("/", "x", "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"),
       415, "unsupported_encoding", true},
      {"LengthOverLimit", Get("Content-Length: 100001\r\n", "POST / HTTP/1.1"), 413,
       "body_too_large", true},
      {"HugeLength", Get("Content-Length: 72057594037927935\r\n", "POST / HTTP/1.1"), 413,
       "body_too_large"},
      {"HugeChunk", Chunked("186a1\r\na"), 413, "body_too_large"},
      {"ManyChunksOverLimit", Chunked("c350\r\n" + std::string(50'000, 'a') + "\r\nc351\r\nb"), 413,
       "body_too_large"},
  };
}

class HttpAbuseTest : public TlsTest {
 protected:
  HttpAbuseTest() { tls_.reset(); }
  void BehindTls() { tls_ = TlsFiles{.cert = Cert(), .key = Key(), .client_ca = ""}; }
  void Run(const std::vector<Abuse>& cases) {
    HttpLimits limits;
    limits.header_bytes = 8 << 10;
    limits.body_bytes = 100'000;
    Start(limits, 2, [](HttpRequest&& request, HttpResponder responder) {
      EXPECT_EQ(request.path, "/after") << "the handler saw a request that must be refused";
      responder.Send(Text("seen"));
    });
    for (const Abuse& abuse : cases) {
      SCOPED_TRACE(abuse.name);
      RawSocket socket = tls_ ? Secure(Client()) : Connect();
      socket.Send(abuse.bytes);
      const auto answer = socket.ReadAnswer();
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, abuse.status) << answer->body;
      EXPECT_EQ(answer->Header("content-type"), "application/problem+json");
      EXPECT_NE(answer->body.find("\"code\":\"" + std::string(abuse.code) + "\""),
                std::string::npos)
          << answer->body;
      if (abuse.keeps) {
        EXPECT_EQ(answer->Header("connection"), "");
      } else {
        EXPECT_EQ(answer->Header("connection"), "close");
        EXPECT_TRUE(socket.ReadAll(milliseconds(4000)).empty())
            << "something came after the refusal";
        EXPECT_TRUE(socket.closed());
      }
    }
    EXPECT_EQ(server_->stats().requests, 0u);
    EXPECT_EQ(server_->stats().malformed, cases.size());
    const std::string after = "GET /after HTTP/1.1\r\nHost: h\r\n\r\n";
    EXPECT_EQ((tls_ ? SecureExchange(Client(), after) : Exchange(after)).body, "seen");
    EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
  }
};

// The client closes its side here, so that the server need not wait for it.
std::vector<Abuse> Half(std::vector<Abuse> cases, bool first) {
  const auto middle = cases.begin() + static_cast<ptrdiff_t>(cases.size() / 2);
  return first ? std::vector<Abuse>(cases.begin(), middle)
               : std::vector<Abuse>(middle, cases.end());
}

TEST_F(HttpAbuseTest, RefusesAmbiguousFraming) { Run(Half(FramingAbuse(), true)); }
TEST_F(HttpAbuseTest, RefusesBrokenChunks) { Run(Half(FramingAbuse(), false)); }
TEST_F(HttpAbuseTest, RefusesMalformedHeads) { Run(Half(HeadAbuse(), true)); }
TEST_F(HttpAbuseTest, RefusesWhatItCannotServe) { Run(Half(HeadAbuse(), false)); }

TEST_F(HttpAbuseTest, RefusesTheSameFramingBehindTls) {
  BehindTls();
  Run(FramingAbuse());
}
TEST_F(HttpAbuseTest, RefusesTheSameHeadsBehindTls) {
  BehindTls();
  Run(HeadAbuse());
}

TEST_F(HttpAbuseTest, KeepsTheConnectionAfterARefusalWhoseBodyIsRead) {
  StartEcho();
  RawSocket socket = Connect();
  socket.Send(Post("/", std::string(3000, 'x'), "Content-Encoding: deflate\r\n") +
              Post("/next", "y"));
  EXPECT_EQ(socket.ReadAnswer()->status, 415);
  EXPECT_EQ(socket.ReadAnswer()->body, Describe("POST /next", "y"));
}

TEST_F(HttpAbuseTest, TakesFormsThatAreUnusualButRight) {
  StartEcho();
  const std::string expected = Describe("GET /a", "");
  for (const std::string& request : std::vector<std::string>{
           "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET http://other:80/a HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /a HTTP/1.1\r\nhOsT:h\r\nEmpty:\r\nX:\t tabs\t\r\n\r\n",
           "GET /%61 HTTP/1.1\r\nHost:\r\n\r\n",
           "GET /a HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
           "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Encoding: "
           "identity\r\n\r\n"}) {
    EXPECT_EQ(Exchange(request).body, expected) << request;
  }
  EXPECT_EQ(Exchange("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "0000000000000003\r\nabc\r\n0000000000000000\r\nA:\r\nb-c: d:e\r\n\r\n")
                .body,
            Describe("POST /a", "abc"));
  // An escaped slash is part of a segment; who hears of it decodes it no further.
  EXPECT_EQ(Exchange("GET /a%2Fb%2fc%61 HTTP/1.1\r\nHost: h\r\n\r\n").body,
            Describe("GET /a%2Fb%2fca", ""));
  EXPECT_EQ(Exchange("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").body, Describe("OPTIONS *", ""));
  EXPECT_EQ(Exchange("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n").body, Describe("GET /", ""));
}

}  // namespace
}  // namespace spool::net
