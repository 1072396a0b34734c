#include "tests/support/crash_producers.h"

#include "net/http_client.h"

namespace spool::testing {

using nlohmann::json;

json CrashDataOf(uint64_t number) {
  return {{"n", number},
          {"pad", std::string(number * 7919 % 600, static_cast<char>('a' + number % 26))}};
}

namespace {

std::string BodyOf(uint64_t first, uint64_t count) {
  json batch = json::array();
  for (uint64_t n = first; n < first + count; ++n) {
    batch.push_back({{"specversion", "1.0"},
                     {"id", "c-" + std::to_string(n)},
                     {"source", "/crash-test"},
                     {"type", "test.crash"},
                     {"data", CrashDataOf(n)}});
  }
  return batch.dump();
}

}  // namespace

void Producers::Begin() {
  stop_ = false;
  again_ = 6;
  for (int i = 0; i < 3; ++i) threads_.emplace_back([this, seed = ++seed_] { Run(seed); });
}

void Producers::End() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

size_t Producers::acknowledgements() {
  const std::lock_guard lock(mutex_);
  return acknowledged_.size();
}

std::chrono::steady_clock::time_point Producers::last_acknowledged() {
  const std::lock_guard lock(mutex_);
  return last_acknowledged_;
}

Producers::Batch Producers::Take(std::mt19937_64& random) {
  const std::lock_guard lock(mutex_);
  const auto oldest = std::chrono::steady_clock::now() - std::chrono::seconds(20);
  while (!in_doubt_.empty() && in_doubt_.front().second < oldest) in_doubt_.pop_front();
  if (again_ > 0 && !in_doubt_.empty()) {
    --again_;
    const Batch batch = in_doubt_.front().first;
    in_doubt_.pop_front();
    return batch;
  }
  const Batch batch{next_, 1 + random() % (random() % 8 == 0 ? 20 : 4)};
  next_ += batch.second;
  return batch;
}

void Producers::Run(uint64_t seed) {
  std::mt19937_64 random(seed);
  net::HttpClientOptions options;
  options.connections = 1;
  options.request_timeout = std::chrono::seconds(20);
  const auto client = net::HttpClient::Create(options);
  while (!stop_) {
    const Batch batch = Take(random);
    const std::string body = BodyOf(batch.first, batch.second);
    net::HttpCall call;
    call.url = url_;
    call.headers = {{"Content-Type", "application/cloudevents-batch+json"}};
    call.body = body;
    const auto begun = std::chrono::steady_clock::now();
    const net::HttpAnswer answer = client->Perform(call);
    std::unique_lock lock(mutex_);
    if (!answer.error && answer.status / 100 == 2) {
      acknowledged_.push_back(batch);
      last_acknowledged_ = std::max(last_acknowledged_, begun);
      if (pace_.count() > 0) stopped_.wait_for(lock, pace_, [this] { return stop_.load(); });
      continue;
    }
    in_doubt_.emplace_back(batch, std::chrono::steady_clock::now());
    ++in_doubt_total_;
    if (answer.error) return;
    ++refused_;
  }
}

}  // namespace spool::testing
