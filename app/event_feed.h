// GET /api/v1/events: searches run on a small pool, and a request that waits for events to come
// occupies no thread meanwhile.
#pragma once

#include <list>
#include <mutex>
#include <thread>

#include "app/event_search.h"
#include "app/work_pool.h"
#include "net/http_server.h"

namespace spool {

// Requests that wait at once; beyond it 503.
inline constexpr size_t kWaitersMax = 64;

// Any thread. `journal` and `pool` must outlive it; the pool must be stopped after it.
class EventFeed {
 public:
  EventFeed(const Journal& journal, WorkPool& pool, const Clock& clock);
  ~EventFeed() { Stop(); }
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // Answers now or later; 503 when the pool or the waiting list is full.
  void Answer(EventSearch search, net::HttpResponder responder);
  // Requests that wait for events to come.
  size_t waiting() const;
  // Answers all that wait with what they have: nothing. Idempotent.
  void Stop();

 private:
  struct Waiter {
    EventSearch search;
    net::HttpResponder responder;
    SteadyTime until;
    SteadyTime not_before;  // so that a busy journal is not searched anew at each commit
    uint64_t scanned = 0;   // by the looks before
    bool waited = false;
  };
  void Submit(Waiter waiter);
  void Look(Waiter waiter, std::stop_token stop);
  void Await(Waiter waiter, ScanReport report);
  void Watch(std::stop_token stop);
  void SubmitDue(std::list<Waiter>& due);

  const Journal& journal_;
  WorkPool& pool_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Waiter> waiting_;  // guarded by mutex_
  std::stop_source wake_;      // guarded by mutex_; ends the watcher's wait for the journal
  bool stopping_ = false;      // guarded by mutex_
  std::jthread watcher_;
};

}  // namespace spool
