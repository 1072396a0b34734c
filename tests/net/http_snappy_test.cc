// Snappy bodies, and which requests are refused last.
#include <snappy-c.h>

#include <cstdio>
#include <random>

#include "tests/net/server_fixture.h"

namespace spool::net {
namespace {

using HttpSnappyTest = HttpServerTest;
using HttpUrgencyTest = HttpServerTest;

std::string Snappy(std::string_view text) {
  std::string out(snappy_max_compressed_length(text.size()), '\0');
  size_t size = out.size();
  EXPECT_EQ(snappy_compress(text.data(), text.size(), out.data(), &size), SNAPPY_OK);
  out.resize(size);
  return out;
}

// Against the library itself: texts that repeat, that do not, that are larger than the window.
TEST_F(HttpSnappyTest, DecompressesSnappy) {
  HttpLimits limits;
  limits.body_bytes = 3 << 20;
  StartEcho(limits);
  std::mt19937_64 random(11);
  std::string noise;
  while (noise.size() < 200'000) noise += static_cast<char>(random());
  std::string lines;
  for (int i = 0; i < 30'000; ++i) lines += "{\"event\":" + std::to_string(i * 7919) + "}\n";
  const std::string header = "Content-Encoding: snappy\r\n";
  for (const std::string& text :
       {std::string(), std::string("a"), std::string(59, 'x') + "y", std::string(50'000, 'z'),
        noise, lines, noise + lines + noise, lines.substr(0, 65'536), lines.substr(0, 65'537)}) {
    const std::string coded = Snappy(text);
    EXPECT_EQ(Exchange(Post("/", coded, header)).body, Describe("POST /", text)) << text.size();
    // However it is cut.
    RawSocket socket = Connect();
    std::string chunked =
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" + header + "\r\n";
    const size_t step = coded.size() / 97 + 1;
    for (size_t at = 0; at < coded.size(); at += step) {
      const std::string piece = coded.substr(at, step);
      char size[24];
      snprintf(size, sizeof size, "%zx\r\n", piece.size());
      chunked += size + piece + "\r\n";
    }
    socket.Send(chunked + "0\r\n\r\n");
    const auto answer = socket.ReadAnswer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, Describe("POST /", text));
  }
  for (size_t cut = 1; cut < 40; ++cut) {
    const std::string coded = Snappy(lines.substr(0, 1000));
    EXPECT_EQ(Exchange(Post("/", coded.substr(0, coded.size() - cut), header)).status, 400);
  }
  EXPECT_EQ(Exchange(Post("/", Snappy("abc") + "x", header)).status, 400);
  EXPECT_EQ(Exchange(Post("/", std::string("\x04\x01\x00", 3), header)).status,
            400);  // from nowhere
  EXPECT_EQ(Exchange(Post("/", std::string("\xff\xff\xff\xff\x7f", 5), header)).status, 400);
  EXPECT_EQ(Exchange(Post("/", Snappy(std::string(4 << 20, '0') + noise), header)).status, 413);
  EXPECT_EQ(server_->stats().in_flight_bytes, 0u);
}

// What nobody will send again finds room when nothing else does.
TEST_F(HttpUrgencyTest, UrgentRequestsAreRefusedLast) {
  HttpLimits limits;
  limits.in_flight_bytes = 4 << 20;
  limits.body_bytes = limits.large_body_bytes = 1 << 20;
  urgent_ = [](const HttpRequest& request) { return request.path == "/urgent"; };
  StartDesk(limits);
  const std::string body(1 << 20, 'x'), small(100'000, 'x');
  std::vector<RawSocket> sockets;
  std::vector<std::pair<HttpRequest, HttpResponder>> held;
  for (int i = 0; i < 3; ++i) {  // three quarters
    sockets.push_back(Connect());
    sockets.back().Send(Post("/", body));
    held.push_back(desk_.Next());
  }
  EXPECT_EQ(Exchange(Post("/", small)).status, 503);
  RawSocket urgent = Connect();
  urgent.Send(Post("/urgent", small));
  held.push_back(desk_.Next());
  EXPECT_EQ(held.back().first.path, "/urgent");
  EXPECT_EQ(Exchange(Post("/", small)).status, 503);
  EXPECT_EQ(Exchange(Post("/urgent", body)).status, 503);  // there is an end to it
  for (auto& [request, responder] : held) responder.Send(Text("done"));
  EXPECT_EQ(urgent.ReadAnswer()->status, 200);
}

}  // namespace
}  // namespace spool::net
