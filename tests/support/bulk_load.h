// Much data in little time: events that do not compress, and a memory of which were acknowledged.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace spool::testing {

// Connections that post batches of numbered events, each of `event_bytes`, until End. They go on
// after a refusal and end by themselves when they get no answer.
class BulkLoad {
 public:
  struct Shape {
    int connections = 2;
    size_t events = 8;  // a request
    size_t event_bytes = 8 << 10;
    uint64_t requests_max = UINT64_MAX;  // in all, while they run
  };
  // `ingest` is HOST:PORT.
  explicit BulkLoad(std::string ingest) : url_("http://" + ingest + "/v1/events") {}
  ~BulkLoad() { End(); }

  void Begin(const Shape& shape);
  void End();
  void Wait();  // until requests_max have been made

  uint64_t acknowledged() const { return acknowledged_; }  // requests
  uint64_t refused() const { return refused_; }
  uint64_t unanswered() const { return unanswered_; }
  // After End or Wait: their events, by number.
  const std::vector<uint64_t>& numbers() const { return numbers_; }

 private:
  void Run(const Shape& shape);

  const std::string url_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> begun_{0};
  std::atomic<uint64_t> next_{0};
  std::atomic<uint64_t> acknowledged_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> unanswered_{0};
  std::mutex mutex_;
  std::vector<uint64_t> numbers_;  // guarded by mutex_
  std::vector<std::thread> threads_;
};

// Each event's number, of a whole journal as GET /api/v1/events tells it, with how often it is
// there.
std::vector<uint64_t> NumbersIn(const std::string& admin);

}  // namespace spool::testing
