#include "tests/support/bulk_load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "net/http_client.h"
#include "tests/support/app_http.h"

namespace spool::testing {
namespace {

std::string BodyOf(uint64_t first, const BulkLoad::Shape& shape) {
  static constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
  std::string body;
  body.reserve(shape.events * (shape.event_bytes + 32));
  for (uint64_t n = first; n < first + shape.events; ++n) {
    std::mt19937_64 random(n);
    body += "{\"n\":" + std::to_string(n) + ",\"noise\":\"";
    for (size_t i = 0; i + 10 <= shape.event_bytes; i += 10) {
      const uint64_t bits = random();
      for (unsigned j = 0; j < 10; ++j) body += kLetters[bits >> (6 * j) & 63];
    }
    body += "\"}\n";
  }
  return body;
}

}  // namespace

void BulkLoad::Begin(const Shape& shape) {
  End();
  stop_ = false;
  begun_ = 0;
  for (int i = 0; i < shape.connections; ++i) {
    threads_.emplace_back([this, shape] { Run(shape); });
  }
}
void BulkLoad::End() {
  stop_ = true;
  Wait();
}
void BulkLoad::Wait() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void BulkLoad::Run(const Shape& shape) {
  net::HttpClientOptions options;
  options.connections = 1;
  options.request_timeout = std::chrono::seconds(20);
  const auto client = net::HttpClient::Create(options);
  while (!stop_ && begun_++ < shape.requests_max) {
    const uint64_t first = next_.fetch_add(shape.events);
    const std::string body = BodyOf(first, shape);
    net::HttpCall call;
    call.url = url_;
    call.headers = {{"Content-Type", "application/x-ndjson"}};
    call.body = body;
    const net::HttpAnswer answer = client->Perform(call);
    if (answer.error) {
      ++unanswered_;
      return;
    }
    if (answer.status / 100 != 2) {
      ++refused_;
      continue;
    }
    ++acknowledged_;
    const std::lock_guard lock(mutex_);
    for (uint64_t n = first; n < first + shape.events; ++n) numbers_.push_back(n);
  }
}

std::vector<uint64_t> NumbersIn(const std::string& admin) {
  std::vector<uint64_t> numbers;
  uint64_t from = 0;
  for (bool more = true; more;) {
    const HttpReply reply =
        Call("GET", admin,
             "/api/v1/events?order=oldest&limit=1000&from_sequence=" + std::to_string(from));
    const EventPage page = ParseEvents(reply);
    if (!page.scan.is_object()) {
      ADD_FAILURE() << "events cannot be read: " << reply.status << " " << reply.error << " "
                    << reply.body.substr(0, 500);
      break;
    }
    for (const nlohmann::json& event : page.events) {
      if (event.contains("data") && event["data"].is_object() && event["data"].contains("n")) {
        numbers.push_back(event["data"]["n"].get<uint64_t>());
      }
    }
    const uint64_t next = page.scan["next"].get<uint64_t>();
    more = next < page.scan["end"].get<uint64_t>();
    if (more && next <= from) {
      ADD_FAILURE() << "no progress: " << page.scan;
      break;
    }
    from = next;
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace spool::testing
