#include "app/event_feed.h"

#include <algorithm>

#include "app/api_answer.h"
#include "base/thread.h"

namespace spool {
namespace {

constexpr Millis kLookPause{50};  // between two looks of one waiting request

net::HttpResponse Lines(std::string lines, const ScanReport& report) {
  return {.status = 200,
          .content_type = "application/jsonl",
          .body = std::move(lines) + ScanLine(report),
          .headers = {}};
}

}  // namespace

EventFeed::EventFeed(const Journal& journal, WorkPool& pool, const Clock& clock)
    : journal_(journal), pool_(pool), clock_(clock) {
  watcher_ = StartThread("api-wait", [this](std::stop_token stop) { Watch(stop); });
}

void EventFeed::Answer(EventSearch search, net::HttpResponder responder) {
  const SteadyTime now = clock_.Steady();
  const SteadyTime until = now + search.wait;
  Submit({std::move(search), std::move(responder), until, now});
}

size_t EventFeed::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void EventFeed::Submit(Waiter waiter) {
  const net::HttpResponder responder = waiter.responder;
  const bool taken = pool_.Submit([this, waiter = std::move(waiter)](std::stop_token stop) mutable {
    Look(std::move(waiter), stop);
  });
  if (!taken) responder.Send(TooBusy());
}

void EventFeed::Look(Waiter waiter, std::stop_token stop) {
  Result<ScanResult> result = RunEventSearch(waiter.search, journal_, stop);
  if (!result) {
    // A request that was waiting has its answer when the service stops: nothing came.
    waiter.responder.Send(AnswerOf(result.error()));
    return;
  }
  ScanReport& report = result->report;
  report.scanned += waiter.scanned;
  if (report.matched == 0 && report.complete && report.scanned < kScanEventsMax &&
      clock_.Steady() < waiter.until) {
    Await(std::move(waiter), report);
    return;
  }
  waiter.responder.Send(Lines(std::move(result->lines), report));
}

void EventFeed::Await(Waiter waiter, ScanReport report) {
  waiter.scanned = report.scanned;
  waiter.search.range.first = report.next;
  waiter.not_before = waiter.waited ? clock_.Steady() + kLookPause : clock_.Steady();
  waiter.waited = true;
  const net::HttpResponder responder = waiter.responder;
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && waiting_.size() < kWaitersMax) {
      waiting_.push_back(std::move(waiter));
      wake_.request_stop();
      changed_.notify_all();
      return;
    }
    if (!stopping_) {
      responder.Send(TooBusy());
      return;
    }
  }
  responder.Send(Lines({}, report));
}

void EventFeed::SubmitDue(std::list<Waiter>& due) {
  for (Waiter& waiter : due) {
    if (const Status end = ExtendRange(journal_, &waiter.search); !end) {
      waiter.responder.Send(AnswerOf(end.error()));
      continue;
    }
    Submit(std::move(waiter));
  }
}

// Sends a waiter back to the pool when the journal has grown past it or its time is over.
void EventFeed::Watch(std::stop_token stop) {
  while (!stop.stop_requested()) {
    std::list<Waiter> due;
    std::stop_token wake;
    SteadyTime until = SteadyTime::max();
    Sequence next{UINT64_MAX};
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
      if (stop.stop_requested()) return;
      const SteadyTime now = clock_.Steady();
      const Sequence end = journal_.end();
      for (auto it = waiting_.begin(); it != waiting_.end();) {
        const auto here = it++;
        const bool grown = here->search.range.first < end;
        if (now >= here->until || (grown && now >= here->not_before)) {
          due.splice(due.end(), waiting_, here);
          continue;
        }
        until = std::min(until, grown ? here->not_before : here->until);
        if (!grown) next = std::min(next, here->search.range.first);
      }
      wake_ = std::stop_source();
      wake = wake_.get_token();
    }
    SubmitDue(due);
    if (until == SteadyTime::max()) continue;
    const auto left = std::chrono::ceil<Millis>(until - clock_.Steady());
    if (left.count() > 0) journal_.WaitFor(next, left, wake);
  }
}

void EventFeed::Stop() {
  std::list<Waiter> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(waiting_);
    wake_.request_stop();
  }
  watcher_.request_stop();
  if (watcher_.joinable()) watcher_.join();
  for (const Waiter& waiter : left) {
    ScanReport report;
    report.complete = true;
    report.first = report.next = waiter.search.range.first;
    report.end = journal_.end();
    report.scanned = waiter.scanned;
    waiter.responder.Send(Lines({}, report));
  }
}

}  // namespace spool
