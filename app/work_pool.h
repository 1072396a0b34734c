// A few threads and a short queue for work that must not hold up a server's own threads.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace spool {

// Any thread.
class WorkPool {
 public:
  using Work = std::function<void(std::stop_token)>;

  WorkPool(const std::string& name, int threads, size_t queue_max);
  ~WorkPool() { Stop(); }
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  // False when the queue is full or the pool is stopping; `work` is then dropped.
  bool Submit(Work work);
  // Sets the token of what runs, runs what is queued with a set token, joins. Idempotent; not from
  // the pool's own threads.
  void Stop();

 private:
  void Run();

  const size_t queue_max_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Work> queue_;  // guarded by mutex_
  bool stopping_ = false;   // guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace spool
