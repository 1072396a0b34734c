// Bounds of the server: bytes, bodies, connections and time.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>

#include "tests/net/server_fixture.h"

namespace spool::net {
namespace {

using std::chrono::seconds;

class HttpLimitsTest : public HttpServerTest {
 protected:
  static HttpLimits Short() {
    HttpLimits limits;
    limits.header_timeout = limits.body_timeout = limits.idle_timeout = limits.write_timeout =
        seconds(1);
    return limits;
  }
  static std::string Head(size_t length, std::string_view more = "") {
    return "POST / HTTP/1.1\r\nHost: h\r\n" + std::string(more) +
           "Content-Length: " + std::to_string(length) + "\r\n\r\n";
  }
};

// Compressed bodies.

TEST_F(HttpLimitsTest, DecompressesBodies) {
  StartEcho();
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "{\"event\":" + std::to_string(i * 7919) + "}\n";
  const std::string expected = Describe("POST /", text);
  const std::string half_a = text.substr(0, text.size() / 2);
  const std::string half_b = text.substr(text.size() / 2);
  EXPECT_EQ(Exchange(Post("/", Gzip(text), "Content-Encoding: gzip\r\n")).body, expected);
  EXPECT_EQ(Exchange(Post("/", Gzip(text), "Content-Encoding: X-GZIP\r\n")).body, expected);
  EXPECT_EQ(Exchange(Post("/", Gzip(half_a) + Gzip(half_b), "Content-Encoding: gzip\r\n")).body,
            expected);
  EXPECT_EQ(Exchange(Post("/", Zstd(text), "Content-Encoding: zstd\r\n")).body, expected);
  EXPECT_EQ(Exchange(Post("/", Zstd(half_a, 1) + Zstd("") + Zstd(half_b, 19),
                          "Content-Encoding: zstd\r\n"))
                .body,
            expected);
  EXPECT_EQ(Exchange(Post("/", Gzip(""), "Content-Encoding: gzip\r\n")).body,
            Describe("POST /", ""));
  EXPECT_EQ(Exchange(Post("/", Zstd(""), "Content-Encoding: zstd\r\n")).body,
            Describe("POST /", ""));
  EXPECT_EQ(Exchange("GET / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\n\r\n").body,
            Describe("GET /", ""));
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(HttpLimitsTest, DecompressesChunkedBodiesThatComeByteByByte) {
  StartEcho();
  const std::string text = "some text that is some text that is some text";
  for (const bool gzip : {true, false}) {
    RawSocket socket = Connect();
    socket.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Encoding: " +
                std::string(gzip ? "gzip" : "zstd") + "\r\n\r\n");
    for (const char c : gzip ? Gzip(text) : Zstd(text)) {
      ASSERT_TRUE(socket.Send(std::string("1\r\n") + c + "\r\n"));
    }
    socket.Send("0\r\n\r\n");
    EXPECT_EQ(socket.ReadAnswer()->body, Describe("POST /", text));
  }
}

TEST_F(HttpLimitsTest, RefusesCompressedBodiesThatAreDamaged) {
  StartEcho();
  const std::string text(5000, 'a');
  for (const bool gzip : {true, false}) {
    const std::string header = gzip ? "Content-Encoding: gzip\r\n" : "Content-Encoding: zstd\r\n";
    const std::string good = gzip ? Gzip(text) : Zstd(text);
    std::string flipped = good;
    flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x55);
    for (const std::string& bad :
         {good.substr(0, good.size() - 1), good.substr(0, 3), std::string(), good + "trailing",
          good + good.substr(0, 5), flipped, std::string("not compressed at all")}) {
      const RawAnswer answer = Exchange(Post("/", bad, header));
      EXPECT_EQ(answer.status, 400) << header << bad.size();
      EXPECT_NE(answer.body.find("\"code\":\"bad_request\""), std::string::npos);
    }
  }
  EXPECT_EQ(server_->stats().requests, 0u);
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

// Only one of several headers could be obeyed, so none is.
TEST_F(HttpLimitsTest, RefusesMoreThanOneContentEncoding) {
  StartEcho();
  const std::string coded = Gzip("some text");
  for (const char* headers : {"Content-Encoding: gzip\r\nContent-Encoding: identity\r\n",
                              "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n",
                              "Content-Encoding: gzip\r\nContent-Encoding: \r\n",
                              "Content-Encoding: zstd\r\nContent-Encoding: zstd\r\n",
                              "Content-Encoding: gzip, identity\r\n"}) {
    const RawAnswer answer = Exchange(Post("/", coded, headers));
    EXPECT_EQ(answer.status, 415) << headers;
    EXPECT_EQ(answer.Header("accept-encoding"), "gzip, zstd, snappy, identity") << headers;
  }
  EXPECT_EQ(server_->stats().requests, 0u);
}

TEST_F(HttpLimitsTest, RefusesTenGigabytesOfZerosEarly) {
  StartEcho();
  const std::string gzip = Post("/", GzipZeros(uint64_t{10} << 30), "Content-Encoding: gzip\r\n");
  const std::string zstd =
      Post("/", ZstdZeros(uint64_t{10} << 30, 21), "Content-Encoding: zstd\r\n");
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  for (const bool is_gzip : {true, false}) {
    const RawAnswer answer = Exchange(is_gzip ? gzip : zstd);
    EXPECT_EQ(answer.status, 413);
    EXPECT_NE(answer.body.find("ratio"), std::string::npos) << answer.body;
  }
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 << 10);  // KiB
  EXPECT_LT(after.ru_utime.tv_sec - before.ru_utime.tv_sec, 2);
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(HttpLimitsTest, CapsTheDecompressedSize) {
  HttpLimits limits;
  limits.body_bytes = 3 << 20;
  limits.ratio_max = 1'000'000;
  StartEcho(limits);
  EXPECT_EQ(Exchange(Post("/", GzipZeros(3 << 20), "Content-Encoding: gzip\r\n")).status, 200);
  EXPECT_EQ(Exchange(Post("/", GzipZeros(4 << 20), "Content-Encoding: gzip\r\n")).status, 413);
  EXPECT_EQ(Exchange(Post("/", ZstdZeros(4 << 20, 20), "Content-Encoding: zstd\r\n")).status, 413);
}

TEST_F(HttpLimitsTest, HoldsShortBodiesToTheRatioToo) {
  StartEcho();
  std::string lines;
  while (lines.size() < 300'000) lines += "{}\n";
  for (const bool gzip : {true, false}) {
    const std::string header = gzip ? "Content-Encoding: gzip\r\n" : "Content-Encoding: zstd\r\n";
    const auto coded = [gzip](std::string_view text) { return gzip ? Gzip(text) : Zstd(text); };
    ASSERT_LT(coded(lines).size(), 400u);
    const RawAnswer answer = Exchange(Post("/", coded(lines), header));
    EXPECT_EQ(answer.status, 413);
    EXPECT_NE(answer.body.find("ratio"), std::string::npos) << answer.body;
    EXPECT_EQ(Exchange(Post("/", coded(lines.substr(0, 60'000)), header)).status, 200);
  }
}

TEST_F(HttpLimitsTest, RefusesZstdWindowsOverEightMebibytes) {
  HttpLimits limits;
  limits.body_bytes = 32 << 20;
  limits.ratio_max = 1'000'000;
  StartEcho(limits);
  EXPECT_EQ(Exchange(Post("/", ZstdZeros(20 << 20, 23), "Content-Encoding: zstd\r\n")).status, 200);
  const RawAnswer answer =
      Exchange(Post("/", ZstdZeros(20 << 20, 24), "Content-Encoding: zstd\r\n"));
  EXPECT_EQ(answer.status, 413);
  EXPECT_NE(answer.body.find("window"), std::string::npos);
}

// Bytes in memory.

TEST_F(HttpLimitsTest, ShedsRequestsThatFindNoRoomAndTakesThemLater) {
  HttpLimits limits;
  limits.in_flight_bytes = 2 << 20;
  limits.body_bytes = 1 << 20;
  StartDesk(limits);
  const std::string body(1'000'000, 'x');
  RawSocket first = Connect();
  first.Send(Post("/", body));
  auto held = desk_.Next();
  EXPECT_GE(server_->stats().in_flight_bytes, 1'000'000u);

  RawSocket second = Connect();
  second.Send(Post("/", body));
  const auto refusal = second.ReadAnswer();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 503);
  EXPECT_EQ(refusal->Header("retry-after"), "1");
  EXPECT_NE(refusal->body.find("\"code\":\"overloaded\""), std::string::npos);
  EXPECT_EQ(server_->stats().shed, 1u);
  EXPECT_EQ(server_->stats().malformed, 0u);

  held.second.ReleaseBody();  // the answer is not needed for that
  held.second.ReleaseBody();
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
  second.Send(Post("/", body));  // on the same connection: it was kept
  desk_.Next().second.Send(Text("second"));
  EXPECT_EQ(second.ReadAnswer()->body, "second");
  held.second.Send(Text("first"));
  EXPECT_EQ(first.ReadAnswer()->body, "first");
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(HttpLimitsTest, GivesPermitsBackWhateverBecomesOfTheRequest) {
  StartDesk();
  const std::string body(300'000, 'x');
  RawSocket cut = Connect();
  cut.Send(Head(300'000) + body.substr(0, 200'000));
  ASSERT_TRUE(Eventually([&] { return server_->stats().in_flight_bytes > 0; }));
  cut.Reset();
  EXPECT_TRUE(Eventually([&] { return server_->stats().in_flight_bytes == 0; }));

  RawSocket left = Connect();
  left.Send(Post("/", body));
  auto held = desk_.Next();
  left.Reset();
  EXPECT_GT(server_->stats().in_flight_bytes, 0u);  // the body is still in the handler's hands
  held.second.Send(Text("nobody hears this"));
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);

  RawSocket dropped = Connect();
  dropped.Send(Post("/", body));
  { auto unanswered = desk_.Next(); }
  EXPECT_EQ(dropped.ReadAnswer()->status, 500);
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(HttpLimitsTest, PromisesOfManyBytesHoldNobodyUp) {
  HttpLimits limits;
  limits.body_bytes = 64 << 20;
  StartEcho(limits);
  std::vector<RawSocket> promising;
  for (int i = 0; i < 100; ++i) {
    promising.push_back(Connect());
    promising.back().Send(Head(30 << 20) + "x");
  }
  const std::string body = Noise(20 << 20);
  EXPECT_EQ(Exchange(Post("/", body)).body, Describe("POST /", body));
  EXPECT_LT(server_->stats().in_flight_bytes, size_t{2} << 20);
}

// Some megabytes of many promised: twice what came is held, and the place of the large body is not
// taken by what was promised.
TEST_F(HttpLimitsTest, AStalledClientHoldsNoMoreThanTwiceWhatItSent) {
  HttpLimits limits;
  limits.body_bytes = 64 << 20;
  StartEcho(limits);
  std::vector<RawSocket> stalled;
  for (int i = 0; i < 3; ++i) {
    stalled.push_back(Connect());
    stalled.back().Send(Head(20 << 20) + std::string(3 << 20, 'x'));
  }
  const auto held = [&] { return server_->stats().in_flight_bytes; };
  ASSERT_TRUE(Eventually([&] { return held() >= size_t{9} << 20; }));
  EXPECT_LE(held(), size_t{18} << 20);
  const std::string small = Noise(300'000), large = Noise(10 << 20);
  EXPECT_EQ(Exchange(Post("/", small)).body, Describe("POST /", small));
  EXPECT_EQ(Exchange(Post("/", large)).body, Describe("POST /", large));
  EXPECT_EQ(server_->stats().shed, 0u);
}

TEST_F(HttpLimitsTest, ALargeBodyLeavesHalfToOthers) {
  HttpLimits limits;
  limits.body_bytes = 32 << 20;
  StartDesk(limits);
  EXPECT_EQ(Exchange(Head((32 << 20) + 1)).status, 413);
  RawSocket stalled = Connect();
  ASSERT_TRUE(stalled.Send(Head(32 << 20) + std::string(31 << 20, 'x')));
  const auto held = [&] { return server_->stats().in_flight_bytes; };
  ASSERT_TRUE(Eventually([&] { return held() >= size_t{31} << 20; }));
  EXPECT_LE(held(), size_t{32} << 20);
  // Bodies have a quarter more, and what is made of them the last one.
  const std::string small = Noise(4 << 20);
  std::vector<RawSocket> others;
  std::vector<std::pair<HttpRequest, HttpResponder>> taken;
  for (int i = 0; i < 4; ++i) {
    others.push_back(Connect());
    others.back().Send(Post("/", small));
    taken.push_back(desk_.Next());
  }
  EXPECT_EQ(Exchange(Post("/", small)).status, 503);
  EXPECT_EQ(taken[0].second.Reserve(15 << 20), HttpResponder::Reserved::kYes);
  EXPECT_EQ(taken[1].second.Reserve(15 << 20), HttpResponder::Reserved::kNotNow);
  for (auto& [request, responder] : taken) responder.Send(Text("small"));
  for (RawSocket& socket : others) EXPECT_EQ(socket.ReadAnswer()->body, "small");
  ASSERT_TRUE(stalled.Send(std::string(1 << 20, 'x')));
  desk_.Next().second.Send(Text("large"));
  EXPECT_EQ(stalled.ReadAnswer()->body, "large");
}

TEST_F(HttpLimitsTest, WhatAHandlerMakesOfABodyIsPaidForToo) {
  HttpLimits limits;
  limits.body_bytes = limits.in_flight_bytes = 1 << 20;
  StartDesk(limits);
  using Reserved = HttpResponder::Reserved;
  const std::string body(100'000, 'x');
  const auto held = [&] { return server_->stats().in_flight_bytes; };
  RawSocket first = Connect(), second = Connect();
  first.Send(Post("/", body));
  const auto one = desk_.Next();
  const uint64_t alone = held();
  EXPECT_EQ(one.second.Reserve(500'000), Reserved::kYes);
  EXPECT_EQ(one.second.Reserve(400'000), Reserved::kYes) << "it has that many";
  EXPECT_EQ(held(), alone + 500'000);
  EXPECT_EQ(one.second.Reserve(1'000'000), Reserved::kNever);
  second.Send(Post("/", body));
  const auto two = desk_.Next();
  EXPECT_EQ(two.second.Reserve(500'000), Reserved::kNotNow);
  EXPECT_EQ(held(), 2 * alone + 500'000);
  one.second.ReleaseBody(/*keep=*/300'000);
  EXPECT_EQ(held(), alone + 300'000);
  EXPECT_EQ(two.second.Reserve(500'000), Reserved::kYes);
  one.second.Send(Text("one"));
  two.second.Send(Text("two"));
  EXPECT_EQ(first.ReadAnswer()->body, "one");
  EXPECT_EQ(second.ReadAnswer()->body, "two");
  EXPECT_EQ(held(), 0u);
}

TEST_F(HttpLimitsTest, TakesOneLargeBodyAtATime) {
  StartDesk();
  const std::string large = Noise(6 << 20);
  RawSocket first = Connect();
  first.Send(Post("/", large));
  auto held = desk_.Next();
  RawSocket second = Connect();
  second.Send(Post("/", large));
  EXPECT_EQ(second.ReadAnswer()->status, 503);
  RawSocket small = Connect();
  small.Send(Post("/", Noise(3 << 20)));
  desk_.Next().second.Send(Text("small ones pass"));
  EXPECT_EQ(small.ReadAnswer()->body, "small ones pass");
  held.second.Send(Text("done"));
  EXPECT_EQ(first.ReadAnswer()->body, "done");
  RawSocket third = Connect();
  third.Send(Post("/", large));
  desk_.Next().second.Send(Text("third"));
  EXPECT_EQ(third.ReadAnswer()->body, "third");
}

TEST_F(HttpLimitsTest, DeliversTheRefusalOfABodyThatIsStillBeingSent) {
  HttpLimits limits;
  limits.body_bytes = 1 << 20;
  StartEcho(limits);
  RawSocket socket = Connect();
  socket.Send(Head(30 << 20));
  socket.Send(std::string(30 << 20, 'x'));  // the whole of it, before reading
  const auto answer = socket.ReadAnswer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 413);
}

// Expect: 100-continue.

TEST_F(HttpLimitsTest, InvitesABodyOnlyWhenItMayCome) {
  HttpLimits limits;
  limits.body_bytes = 1 << 20;
  StartDesk(limits);
  RawSocket socket = Connect();
  socket.Send(Head(5, "Expect: 100-Continue\r\n"));
  EXPECT_EQ(socket.ReadAnswer()->status, 100);
  socket.Send("hello");
  auto got = desk_.Next();
  EXPECT_EQ(got.first.body, "hello");
  got.second.Send(Text("ok"));
  EXPECT_EQ(socket.ReadAnswer()->status, 200);

  RawSocket impatient = Connect();
  impatient.Send(Head(5, "Expect: 100-continue\r\n") + "hello");
  desk_.Next().second.Send(Text("ok"));
  EXPECT_EQ(impatient.ReadAnswer()->status, 200);  // no 100 where the body is there already

  RawSocket nothing = Connect();  // no byte is to come, so none is invited
  nothing.Send(Head(0, "Expect: 100-continue\r\nContent-Encoding: gzip\r\n"));
  EXPECT_EQ(nothing.ReadAnswer()->status, 400);

  RawSocket large = Connect();
  large.Send(Head(2 << 20, "Expect: 100-continue\r\n"));
  const auto refusal = large.ReadAnswer();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 413);
  EXPECT_EQ(refusal->Header("connection"), "close");
}

// Connections and descriptors.

TEST_F(HttpLimitsTest, ConnectionsThatComeAndGoHoldNobodyUp) {
  StartEcho();
  RawSocket kept = Connect();
  for (int i = 0; i < 2000; ++i) {
    RawSocket socket = Connect();
    if (i % 4 == 1) socket.Send("GET / HT");
    if (i % 4 == 2) socket.Send(Head(100) + "x");
    if (i % 4 == 3) socket.Send(std::string(1 << 16, '\r'));
    if (i % 2 == 0) socket.Reset();
    if (i % 100 != 0) continue;
    kept.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(kept.ReadAnswer());
  }
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections == 1; }));
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(HttpLimitsTest, WhoIsNotAdmittedSendsNoBody) {
  HttpLimits limits;
  limits.in_flight_bytes = 2 << 20;
  limits.body_bytes = 1 << 20;
  admit_ = [](const HttpRequest& request) -> std::optional<HttpResponse> {
    if (request.Header("authorization") == "Bearer good") return std::nullopt;
    return Problem(401, "unauthorized", "No.");
  };
  StartEcho(limits);
  std::vector<RawSocket> strangers;
  for (int i = 0; i < 20; ++i) {
    strangers.push_back(Connect());
    strangers.back().Send(Head(1 << 20) + std::string(900'000, 'x'));
    EXPECT_EQ(strangers.back().ReadAnswer()->status, 401);
  }
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
  const std::string body = Noise(1 << 20);
  EXPECT_EQ(Exchange(Post("/", body, "Authorization: Bearer good\r\n")).body,
            Describe("POST /", body));
  RawSocket asking = Connect();  // is told before it sends anything
  asking.Send(Head(1000, "Expect: 100-continue\r\n"));
  EXPECT_EQ(asking.ReadAnswer()->status, 401);
  RawSocket again = Connect();  // keeps its connection, and may do better
  again.Send(Post("/", "one") + Post("/", "two", "Authorization: Bearer good\r\n"));
  EXPECT_EQ(again.ReadAnswer()->status, 401);
  EXPECT_EQ(again.ReadAnswer()->body, Describe("POST /", "two"));
  EXPECT_EQ(server_->stats().denied, 22u);
  EXPECT_EQ(server_->stats().requests, 2u);
  EXPECT_EQ(server_->stats().malformed, 0u);
}

TEST_F(HttpLimitsTest, WaitsWithoutSpinningWhenDescriptorsRunOut) {
  StartEcho({}, 1);
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  RawSocket client = Connect();  // made while there is room; the next one is not
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections == 1; }));
  std::vector<int> taken;
  const rlimit tight{128, old.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);
  while (true) {
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) break;
    taken.push_back(fd);
  }
  ASSERT_FALSE(taken.empty());
  close(taken.back());  // one for our own end of the connection; none for the server's
  taken.pop_back();
  RawSocket waiting = Connect();
  ASSERT_TRUE(waiting.ok());
  const std::clock_t before = std::clock();
  waiting.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_FALSE(waiting.ReadAnswer(milliseconds(500)));
  EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, 0.2);
  client.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer()->status, 200);  // who is in is served
  for (const int fd : taken) close(fd);
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_EQ(waiting.ReadAnswer()->status, 200);  // and who waited is let in
}

// Time.

TEST_F(HttpLimitsTest, GivesUpOnHeadsThatDoNotEnd) {
  StartEcho(Short());
  RawSocket socket = Connect();
  const auto begin = std::chrono::steady_clock::now();
  socket.Send("GET / HTTP/1.1\r\nHost: h\r\n");
  // A byte now and then does not buy time.
  std::optional<RawAnswer> answer;
  for (int i = 0; i < 50 && !answer; ++i) {
    socket.Send("a");
    answer = socket.ReadAnswer(milliseconds(100));
  }
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 408);
  EXPECT_NE(answer->body.find("\"code\":\"timeout\""), std::string::npos);
  EXPECT_TRUE(socket.WaitClosed());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5));
}

TEST_F(HttpLimitsTest, GivesUpOnBodiesThatDoNotEnd) {
  StartEcho(Short());
  RawSocket socket = Connect();
  socket.Send(Head(1000));
  std::optional<RawAnswer> answer;
  for (int i = 0; i < 50 && !answer; ++i) {
    socket.Send("a");
    answer = socket.ReadAnswer(milliseconds(100));
  }
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 408);
  EXPECT_TRUE(socket.WaitClosed());
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(HttpLimitsTest, GivesUpOnChunksThatDoNotEnd) {
  StartEcho(Short());
  RawSocket socket = Connect();
  const auto begin = std::chrono::steady_clock::now();
  socket.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::optional<RawAnswer> answer;
  for (int i = 0; i < 50 && !answer; ++i) {
    socket.Send("1\r\na\r\n");
    answer = socket.ReadAnswer(milliseconds(100));
  }
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 408);
  EXPECT_TRUE(socket.WaitClosed());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5));
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

TEST_F(HttpLimitsTest, GivesUpOnBodiesThatStall) {
  HttpLimits limits;
  limits.body_idle_timeout = seconds(1);
  StartEcho(limits);
  RawSocket stalled = Connect(), slow = Connect();
  stalled.Send(Head(8) + "a");
  slow.Send(Head(8) + "a");
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) {  // each byte in time, all of them beyond it
    EXPECT_FALSE(slow.ReadAnswer(milliseconds(300)));
    ASSERT_FALSE(slow.closed());
    slow.Send("a");
  }
  EXPECT_GT(std::chrono::steady_clock::now() - begin, seconds(1));
  slow.Send("a");
  EXPECT_EQ(slow.ReadAnswer()->status, 200);
  const auto answer = stalled.ReadAnswer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 408);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(10));
  EXPECT_TRUE(stalled.WaitClosed());
}

TEST_F(HttpLimitsTest, ClosesSilentAndIdleConnectionsWithoutAWord) {
  StartEcho(Short());
  RawSocket silent = Connect();
  RawSocket idle = Connect();
  idle.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(idle.ReadAnswer()->status, 200);
  EXPECT_EQ(silent.ReadAll(), "");
  EXPECT_TRUE(silent.closed());
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_TRUE(idle.closed());
}

// Once the rest of a refused body is read over, the connection has the time of an idle one, not
// that between two bytes of a body.
TEST_F(HttpLimitsTest, AConnectionThatARefusalLeftOpenIsIdle) {
  HttpLimits limits;
  limits.idle_timeout = seconds(3);
  limits.body_idle_timeout = seconds(1);
  StartEcho(limits);
  RawSocket socket = Connect();
  socket.Send(Head(1000, "Content-Encoding: br\r\n"));
  EXPECT_EQ(socket.ReadAnswer()->status, 415);
  socket.Send(std::string(1000, 'x'));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(socket.WaitClosed());
  EXPECT_GT(std::chrono::steady_clock::now() - begin, milliseconds(2500));

  RawSocket stalled = Connect();  // and in the midst of the body it has not
  stalled.Send(Head(1000, "Content-Encoding: br\r\n"));
  EXPECT_EQ(stalled.ReadAnswer()->status, 415);
  stalled.Send("x");
  const auto again = std::chrono::steady_clock::now();
  EXPECT_TRUE(stalled.WaitClosed());
  EXPECT_LT(std::chrono::steady_clock::now() - again, milliseconds(2500));
}

TEST_F(HttpLimitsTest, CutsClientsThatDoNotReadTheirAnswer) {
  Start(Short(), 1, [](HttpRequest&&, HttpResponder responder) {
    responder.Send(Text(std::string(32 << 20, 'x')));
  });
  RawSocket socket = Connect();
  socket.SetReceiveBuffer(4096);
  socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(Eventually([&] { return server_->stats().requests == 1; }));
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections == 0; }));
}

TEST_F(HttpLimitsTest, LetsAHandlerTakeItsTime) {
  StartDesk(Short());
  RawSocket socket = Connect();
  socket.Send(Post("/", "x"));
  auto held = desk_.Next();
  EXPECT_FALSE(socket.ReadAnswer(milliseconds(2500)));
  EXPECT_FALSE(socket.closed());
  held.second.Send(Text("late"));
  EXPECT_EQ(socket.ReadAnswer()->body, "late");
}

}  // namespace
}  // namespace spool::net
