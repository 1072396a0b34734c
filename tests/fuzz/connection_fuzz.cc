// A connection's bytes: however they are cut into portions, the same requests and refusals come out
// of them, and the memory they took is given back. What two readers could take for different
// requests is how one is smuggled past the other.
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "net/byte_budget.h"
#include "net/http_client.h"
#include "net/http_head.h"
#include "net/http_text.h"
#include "net/request_reader.h"

namespace spool::net {
namespace {

const HttpLimits& TheLimits() {
  static const HttpLimits* limits = [] {
    auto* made = new HttpLimits;
    made->header_bytes = 2048;
    made->body_bytes = 16384;
    made->in_flight_bytes = size_t{1} << 20;
    return made;
  }();
  return *limits;
}

void Note(const HttpRequest& request, std::vector<std::string>* seen) {
  SPOOL_ASSERT(IsToken(request.method) && request.body.size() <= TheLimits().body_bytes);
  std::string all = request.method + ' ' + request.path + '?' + request.query + '\n';
  for (const auto& [name, value] : request.headers) {
    SPOOL_ASSERT(IsToken(name) && IsFieldValue(value));
    all += name + ": " + value + '\n';
  }
  seen->push_back(all + '\n' + request.body);
}

std::vector<std::string> Drive(std::string_view stream, size_t portion) {
  const auto budget = std::make_shared<ByteBudget>(TheLimits().in_flight_bytes);
  std::vector<std::string> seen;
  {
    RequestReader reader(TheLimits(), budget);
    bool open = true;
    bool answered = false;
    while (open) {
      RequestReader::State state;
      if (answered && reader.has_buffered()) {
        state = reader.Feed({});
      } else {
        if (stream.empty()) break;
        const size_t hint = reader.ReadHint();
        SPOOL_ASSERT(hint > 0);
        const size_t n = std::min({stream.size(), portion, hint});
        // A copy of its own, so that a read past its end is seen.
        const std::string piece(stream.substr(0, n));
        state = reader.Feed(piece);
        stream.remove_prefix(n);
      }
      answered = false;
      if (state == RequestReader::State::kContinue) state = reader.Feed({});
      if (state == RequestReader::State::kReady) {
        const BytePermit permit = reader.TakePermit();
        const HttpRequest request = reader.TakeRequest();
        SPOOL_ASSERT(permit.bytes() >= request.body.size());
        Note(request, &seen);
      } else if (state == RequestReader::State::kRefused) {
        const HttpResponse refusal = reader.TakeRefusal();
        SPOOL_ASSERT(refusal.status >= 400 && refusal.status < 600);
        seen.push_back(std::to_string(refusal.status));
      } else {
        continue;
      }
      open = reader.keep_alive();
      reader.Next();
      answered = true;
    }
  }
  SPOOL_ASSERT(budget->used() == 0);
  return seen;
}

void Connection(std::string_view text) {
  const auto whole = Drive(text, text.size() + 1);
  SPOOL_ASSERT(Drive(text, 1) == whole && Drive(text, 7) == whole);
}

// Whatever a handler puts into an answer, its head stays one head.
void Answer(std::string_view text) {
  HttpResponse response;
  response.status = 200;
  const size_t third = text.size() / 3;
  response.content_type = text.substr(0, third);
  response.headers.emplace_back(text.substr(third, third), text.substr(2 * third));
  response.headers.emplace_back("x-note", text);
  std::string head;
  AppendHead(response, {}, HttpDate(static_cast<std::time_t>(text.size()) * 86'399), &head);
  HeadScanner scanner;
  SPOOL_ASSERT(scanner.Scan(head) == HeadScanner::Outcome::kWhole);
  SPOOL_ASSERT(scanner.length() == head.size());
}

void Texts(std::string_view text) {
  const SystemTime kNow = FromMicros(1'795'155'074'402'113);
  if (const auto wait = ParseRetryAfter(text, kNow)) {
    SPOOL_ASSERT(*wait >= Micros(0) && *wait <= std::chrono::hours(24 * 366));
  }
  const auto plain = PercentDecode(text);
  const auto path = PercentDecode(text, true);
  SPOOL_ASSERT(plain.has_value() == path.has_value());
  if (!plain) return;
  SPOOL_ASSERT(plain->size() <= path->size() && path->size() <= text.size());
  // A slash that was written as one is all that the other does not undo.
  SPOOL_ASSERT(text.find("%2f") != text.npos || text.find("%2F") != text.npos || plain == path);
}

}  // namespace
}  // namespace spool::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: spool::net::Answer(text); break;
    case 1: spool::net::Texts(text); break;
    default: spool::net::Connection(text); break;
  }
  return 0;
}
