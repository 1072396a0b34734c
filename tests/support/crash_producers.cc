#include "tests/support/crash_producers.h"

#include <algorithm>

#include "base/hash.h"

namespace spool::testing {

using nlohmann::json;

namespace {

constexpr const char* kTypes[] = {"test.crash", "falco.rule.output.v1",
                                  "KUBERNETES_TOPOLOGY_CHANGE"};
constexpr const char* kStreams[] = {"kubernetes-events", "security-events",
                                    "infrastructure-changes"};
constexpr size_t kSmallStream = 1;
constexpr size_t kNoiseBytes = 4 << 10;
constexpr size_t kLargeBytes = 200 << 10;
constexpr uint64_t kFirstLarge = Producers::kFirstLarge;
constexpr uint64_t kLargeOnes = 128;  // 25 MiB, some 19 on disk

size_t KindOf(uint64_t number) {
  if (number >= kFirstLarge) return kSmallStream;
  return number % 12 == 3 ? kSmallStream : number % 12 == 8 ? 2 : 0;
}

// Text that does not compress well. Without a J: "eyJ" begins tokens, which are hidden.
std::string Noise(uint64_t number, size_t size) {
  static constexpr char kLetters[] =
      "ABCDEFGHI+KLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::mt19937_64 random(number);
  std::string text;
  while (text.size() < size) {
    for (uint64_t bits = random(), i = 0; i < 10; ++i, bits >>= 6) text += kLetters[bits & 63];
  }
  return text;
}

}  // namespace

json CrashDataOf(uint64_t number) {
  const size_t kind = KindOf(number);
  json data = {{"n", number}};
  data["pad"] = kind == kSmallStream
                    ? Noise(number, number < kFirstLarge ? kNoiseBytes : kLargeBytes)
                    : std::string(number * 7919 % 600, static_cast<char>('a' + number % 26));
  if (kind == 2) data["kind"] = "Node";
  return data;
}
const char* CrashStreamOf(uint64_t number) { return kStreams[KindOf(number)]; }
uint64_t CrashHashOf(const json& data) { return FastHash64(data.dump()); }

namespace {

std::string BodyOf(uint64_t first, uint64_t count) {
  json batch = json::array();
  for (uint64_t n = first; n < first + count; ++n) {
    batch.push_back({{"specversion", "1.0"},
                     {"id", "c-" + std::to_string(n)},
                     {"source", "/crash-test"},
                     {"type", kTypes[KindOf(n)]},
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

std::vector<SentRequest> Producers::Requests() const {
  std::vector<SentRequest> requests = requests_;
  std::sort(requests.begin(), requests.end(),
            [](const SentRequest& a, const SentRequest& b) { return a.begun < b.begun; });
  return requests;
}

// What became of it was said, or it is in doubt.
void Producers::Note(SentRequest request, std::chrono::steady_clock::time_point begun) {
  const std::lock_guard lock(mutex_);
  if (request.outcome == SentRequest::Outcome::kAcknowledged) {
    ++acknowledged_;
    last_acknowledged_ = std::max(last_acknowledged_, begun);
  } else {
    ++in_doubt_total_;
    const bool small =
        std::any_of(request.events.begin(), request.events.end(),
                    [](const SentEvent& event) { return KindOf(event.number) == kSmallStream; });
    if (!small) {
      in_doubt_.emplace_back(Batch{request.events.front().number, request.events.size()},
                             std::chrono::steady_clock::now());
    }
  }
  requests_.push_back(std::move(request));
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

bool Producers::Send(net::HttpClient& client, const Batch& batch) {
  const std::string body = BodyOf(batch.first, batch.second);
  SentRequest request;
  for (uint64_t n = batch.first; n < batch.first + batch.second; ++n) {
    request.events.push_back({n, CrashStreamOf(n), CrashHashOf(CrashDataOf(n))});
  }
  net::HttpCall call;
  call.url = url_;
  call.headers = {{"Content-Type", "application/cloudevents-batch+json"}};
  call.body = body;
  const auto begun = std::chrono::steady_clock::now();
  request.begun = Tick();
  const net::HttpAnswer answer = client.Perform(call);
  request.ended = Tick();
  if (!answer.error && answer.status / 100 == 2) {
    const json said = json::parse(answer.body, nullptr, false);
    request.outcome = SentRequest::Outcome::kAcknowledged;
    request.stored = said.at("stored");
    request.duplicates = said.at("duplicates");
    if (request.stored > 0) {  // null otherwise
      request.first = said.at("first");
      request.last = said.at("last");
    }
  } else if (!answer.error) {
    ++refused_;
  }
  Note(std::move(request), begun);
  return !answer.error;
}

bool Producers::Fill() {
  const auto client = net::HttpClient::Create({});
  const size_t before = acknowledged_;
  for (uint64_t i = 0; i < kLargeOnes; i += 2, next_large_ += 2) {
    if (!Send(*client, {next_large_, 2})) return false;
  }
  return acknowledged_ == before + kLargeOnes / 2;
}

void Producers::Run(uint64_t seed) {
  std::mt19937_64 random(seed);
  net::HttpClientOptions options;
  options.connections = 1;
  options.request_timeout = std::chrono::seconds(20);
  const auto client = net::HttpClient::Create(options);
  while (!stop_) {
    if (!Send(*client, Take(random))) return;
    if (pace_.count() == 0) continue;
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, pace_, [this] { return stop_.load(); });
  }
}

}  // namespace spool::testing
