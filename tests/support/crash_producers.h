// Producers that remember which of their events were acknowledged.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace spool::testing {

// What is sent is a function of its number alone.
nlohmann::json CrashDataOf(uint64_t number);

// Sends batches of new events, and some of those again of which nobody knows what became. Threads
// of its own between Begin and End; the numbers go on from one load to the next.
class Producers {
 public:
  // `ingest` is HOST:PORT. After each batch a thread rests for `pace`.
  Producers(std::string ingest, uint64_t seed, std::chrono::milliseconds pace = {})
      : url_("http://" + ingest + "/v1/events"), seed_(seed), pace_(pace) {}
  ~Producers() { End(); }

  void Begin();
  // Each thread ends by itself when it gets no answer.
  void End();

  // After End.
  uint64_t sent() const { return next_; }
  // First number and count of each batch.
  const std::vector<std::pair<uint64_t, uint64_t>>& acknowledged() const { return acknowledged_; }
  uint64_t batches_in_doubt() const { return in_doubt_total_; }
  uint64_t refused() const { return refused_; }
  // Any thread, any time.
  size_t acknowledgements();
  // When the request was begun that was begun last of those that were acknowledged.
  std::chrono::steady_clock::time_point last_acknowledged();

 private:
  using Batch = std::pair<uint64_t, uint64_t>;  // first, count

  Batch Take(std::mt19937_64& random);
  void Run(uint64_t seed);

  const std::string url_;
  uint64_t seed_;
  const std::chrono::milliseconds pace_;
  std::atomic<bool> stop_{false};
  std::condition_variable stopped_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  uint64_t next_ = 0;
  int again_ = 0;  // batches in doubt that may still be sent again in this load
  // With the time since when. An old one is not sent again: retention may have taken what was
  // stored of it, and a repeat of that would rightly be stored anew.
  std::deque<std::pair<Batch, std::chrono::steady_clock::time_point>> in_doubt_;
  std::vector<Batch> acknowledged_;
  uint64_t in_doubt_total_ = 0;
  uint64_t refused_ = 0;
  std::chrono::steady_clock::time_point last_acknowledged_;
};

}  // namespace spool::testing
