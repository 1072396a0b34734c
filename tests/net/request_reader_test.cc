// The reader must not care how the network cuts the bytes: the same stream in any portions gives
// the same requests and refusals.
#include "net/request_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/net/server_fixture.h"

namespace spool::net {
namespace {

struct Seen {
  std::vector<std::string> what;  // descriptions of requests, codes of refusals
  size_t bytes_left = 0;          // in the budget after all
};

// Feeds `stream` in portions as `next` says until it is over or the connection would be closed.
Seen Drive(const HttpLimits& limits, std::string_view stream, const std::function<size_t()>& next) {
  auto budget = std::make_shared<ByteBudget>(limits.in_flight_bytes);
  Seen seen;
  {
    RequestReader reader(limits, budget);
    bool open = true;
    bool answered = false;
    while (open) {
      RequestReader::State state;
      if (answered && reader.has_buffered()) {
        state = reader.Feed({});
      } else {
        if (stream.empty()) break;
        const size_t n = std::min({stream.size(), next(), reader.ReadHint()});
        state = reader.Feed(stream.substr(0, n));
        stream.remove_prefix(n);
      }
      answered = false;
      if (state == RequestReader::State::kContinue) state = reader.Feed({});
      if (state == RequestReader::State::kReady) {
        BytePermit permit = reader.TakePermit();
        const HttpRequest request = reader.TakeRequest();
        seen.what.push_back(Describe(request));
        EXPECT_GE(permit.bytes(), request.body.size());
        open = reader.keep_alive();
      } else if (state == RequestReader::State::kRefused) {
        const HttpResponse refusal = reader.TakeRefusal();
        seen.what.push_back(std::to_string(refusal.status));
        open = reader.keep_alive();
      } else {
        continue;
      }
      reader.Next();
      answered = true;
    }
  }
  seen.bytes_left = budget->used();
  return seen;
}

std::string Stream() {
  const std::string text = std::string(3000, 'a') + Noise(3000);
  return "\r\n" + Post("/plain", "abc") + "GET /get HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n" +
         Post("/gzip", Gzip(text), "Content-Encoding: gzip\r\n") +
         Post("/zstd", Zstd(text), "Content-Encoding: zstd\r\n") +
         "POST /chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
         "chunked\r\n\r\n5;x=y\r\nhello\r\n3\r\n, w\r\n0\r\nT: r\r\n\r\n" +
         Post("/refused", std::string(500, 'z'), "Content-Encoding: br\r\n") +
         Post("/large", std::string(60'000, 'q')) +
         Post("/expect", "e", "Expect: 100-continue\r\n") +
         Post("/damaged", "xxxx", "Content-Encoding: gzip\r\n") + Post("/last", "l") +
         "GET / HTTP/1.1\r\nHost : bad\r\n\r\n" + Post("/never", "n");
}

TEST(RequestReader, DoesNotCareHowTheBytesArePortioned) {
  HttpLimits limits;
  limits.body_bytes = 50'000;
  const std::string stream = Stream();
  const Seen whole = Drive(limits, stream, [] { return size_t{1} << 20; });
  ASSERT_EQ(whole.what.size(), 11u);
  EXPECT_EQ(whole.what[5], "415");
  EXPECT_EQ(whole.what[6], "413");
  EXPECT_EQ(whole.what[8], "400");
  EXPECT_EQ(whole.what[9], Describe("POST /last", "l"));
  EXPECT_EQ(whole.what[10], "400");
  EXPECT_EQ(whole.bytes_left, 0u);
  EXPECT_EQ(Drive(limits, stream, [] { return 1; }).what, whole.what);
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    const size_t most = 1 + random() % 300;
    const Seen seen = Drive(limits, stream, [&] { return 1 + random() % most; });
    ASSERT_EQ(seen.what, whole.what) << "seed " << seed;
    EXPECT_EQ(seen.bytes_left, 0u);
  }
}

TEST(RequestReader, SurvivesDamageAnywhere) {
  HttpLimits limits;
  limits.body_bytes = 50'000;
  const std::string stream = Stream();
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    std::mt19937 random(seed);
    std::string damaged = stream.substr(0, 8000);
    for (uint32_t n = 1 + random() % 4; n > 0; --n) {
      const size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0: damaged[at] = static_cast<char>(random()); break;
        case 1: damaged.erase(at, 1 + random() % 20); break;
        default:
          damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 40));
          break;
      }
    }
    const size_t most = 1 + random() % 5000;
    const Seen seen = Drive(limits, damaged, [&] { return 1 + random() % most; });
    EXPECT_EQ(seen.bytes_left, 0u) << "seed " << seed;
    const Seen again = Drive(limits, damaged, [] { return size_t{1} << 20; });
    ASSERT_EQ(seen.what, again.what) << "seed " << seed;
  }
}

}  // namespace
}  // namespace spool::net
