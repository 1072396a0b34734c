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

#include "net/http_client.h"
#include "tests/support/checker.h"

namespace spool::testing {

// What is sent, and to which stream that leads, is a function of its number alone. Most is for
// "kubernetes-events"; "security-events" has some that do not compress, "infrastructure-changes"
// some.
nlohmann::json CrashDataOf(uint64_t number);
const char* CrashStreamOf(uint64_t number);
uint64_t CrashHashOf(const nlohmann::json& data);

// Sends batches of new events, and some of those again of which nobody knows what became. Threads
// of its own between Begin and End; the numbers go on from one load to the next.
class Producers {
 public:
  static constexpr uint64_t kFirstLarge = uint64_t{1} << 40;  // numbers from here on are of Fill

  // `ingest` is HOST:PORT. After each batch a thread rests for `pace`.
  Producers(std::string ingest, uint64_t seed, std::chrono::milliseconds pace = {})
      : url_("http://" + ingest + "/v1/events"), seed_(seed), pace_(pace) {}
  ~Producers() { End(); }

  // Sends, and waits for the answers of, more than the stream that is kept small may hold. False
  // when one is not taken.
  bool Fill();
  void Begin();
  // Each thread ends by itself when it gets no answer.
  void End();

  // After End.
  uint64_t sent() const { return next_; }
  // Each batch that was sent, in the order of their beginnings.
  std::vector<SentRequest> Requests() const;
  uint64_t batches_in_doubt() const { return in_doubt_total_; }
  uint64_t refused() const { return refused_; }
  // Any thread, any time.
  size_t acknowledgements() const { return acknowledged_; }
  // When the request was begun that was begun last of those that were acknowledged.
  std::chrono::steady_clock::time_point last_acknowledged();
  // A moment of the clock that the requests' times are of.
  uint64_t Tick() { return ++time_; }

 private:
  using Batch = std::pair<uint64_t, uint64_t>;  // first, count

  Batch Take(std::mt19937_64& random);
  void Note(SentRequest request, std::chrono::steady_clock::time_point begun);
  void Run(uint64_t seed);
  // False when there was no answer.
  bool Send(net::HttpClient& client, const Batch& batch);

  const std::string url_;
  uint64_t seed_;
  const std::chrono::milliseconds pace_;
  std::atomic<bool> stop_{false};
  std::condition_variable stopped_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  uint64_t next_ = 0;
  uint64_t next_large_ = kFirstLarge;
  int again_ = 0;  // batches in doubt that may still be sent again in this load
  // With the time since when. What retention may have taken is not sent again, or a repeat would
  // rightly be stored anew: an old one, and one for the stream that is kept small.
  std::deque<std::pair<Batch, std::chrono::steady_clock::time_point>> in_doubt_;
  std::vector<SentRequest> requests_;
  std::atomic<size_t> acknowledged_{0};
  std::atomic<uint64_t> time_{0};
  uint64_t in_doubt_total_ = 0;
  std::chrono::steady_clock::time_point last_acknowledged_;
  std::atomic<uint64_t> refused_{0};
};

}  // namespace spool::testing
