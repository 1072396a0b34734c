#include "app/ctl/events_follow.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "app/ctl/event_pages.h"
#include "app/ctl/event_printer.h"
#include "app/ctl/replica_merge.h"
#include "app/ctl/text.h"
#include "base/thread.h"

namespace spool::ctl {
namespace {

constexpr Millis kRetry{1000};
constexpr Millis kLookAgain{1000};  // whether everybody is silent too long

Failure Named(const Replica& replica, Failure failure) {
  const std::string name = Visible(replica.name);
  failure.message = (failure.exit == kUnreachable ? "the replica " + name + " does not answer: "
                                                  : "replica " + name + ": ") +
                    failure.message;
  return failure;
}

// One replica, followed on a thread of its own, which waits with the next page until the last one
// was taken.
struct Follower {
  const Replica* replica = nullptr;
  // The thread's alone.
  std::optional<uint64_t> from;  // nothing: where it ends when it answers for the first time
  uint64_t limit = kPageEvents;
  // Guarded by Followers::mutex.
  std::vector<std::string> lines;
  std::vector<std::string> notes;
  Outage outage;                // changed by the thread alone
  std::optional<Failure> last;  // why it does not answer
  bool ended = false;           // for good, by `last`

  bool said() const { return !lines.empty() || !notes.empty(); }
};

class Followers {
 public:
  Followers(Interrupt& interrupt, const EventQuery& query, std::vector<Follower> all)
      : interrupt_(interrupt), query_(query), all_(std::move(all)) {}

  int Run(Session& session, EventPrinter& printer) {
    for (Follower& one : all_) {
      if (one.ended) continue;
      threads_.push_back(
          StartThread("follow", [this, &one](std::stop_token stop) { Loop(one, stop); }));
    }
    const int exit = Print(session, printer);
    for (std::jthread& thread : threads_) thread.request_stop();
    changed_.notify_all();
    threads_.clear();
    return exit;
  }

 private:
  void Loop(Follower& one, const std::stop_token& stop) {
    while (!stop.stop_requested() && !interrupt_.raised()) {
      std::vector<std::string> lines;
      const std::optional<Failure> failure = Ask(one, lines);
      if (interrupt_.raised()) return;
      std::unique_lock lock(mutex_);
      if (failure) {
        one.last = failure;
        one.ended = failure->exit != kUnreachable;
        if (!one.ended && one.outage.Notice(RealClock().Steady())) {
          one.notes.push_back(Named(*one.replica, *failure).message + "; trying again");
        }
        changed_.notify_all();
        if (one.ended) return;
        lock.unlock();
        interrupt_.Wait(kRetry);
        continue;
      }
      if (one.outage.on()) {
        one.notes.push_back("the replica " + Visible(one.replica->name) + " answers again");
      }
      one.outage.Over();
      one.lines = std::move(lines);
      if (!one.said()) continue;
      changed_.notify_all();
      changed_.wait(lock, stop, [&] { return !one.said(); });
    }
  }

  std::optional<Failure> Ask(Follower& one, std::vector<std::string>& lines) {
    Client& client = *one.replica->client;
    if (!one.from || one.outage.on()) {
      // Answered at once: that it is back is not to be told only with its next event.
      const Outcome<uint64_t> end = FetchEnd(client);
      if (!end) return end.error();
      if (!one.from) one.from = *end;
      return std::nullopt;
    }
    auto news = FetchNews(client, query_, &*one.from, &one.limit);
    if (!news) return news.error();
    lines = std::move(*news);
    return std::nullopt;
  }

  int Print(Session& session, EventPrinter& printer) {
    size_t told = 0;  // of those that ended, in the order in which they did
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait_for(lock, interrupt_.token(), kLookAgain, [&] {
        return std::ranges::any_of(all_, &Follower::said) || Ended() > told;
      });
      if (interrupt_.raised()) return kInterrupted;
      std::vector<ReplicaEvent> events;
      std::vector<std::string> notes;
      for (Follower& one : all_) {
        for (std::string& line : one.lines) events.push_back({one.replica->name, std::move(line)});
        notes.insert(notes.end(), one.notes.begin(), one.notes.end());
        one.lines.clear();
        one.notes.clear();
      }
      told = Ended();
      const std::optional<int> exit = Over(RealClock().Steady());
      changed_.notify_all();
      lock.unlock();
      for (const std::string& note : notes) session.out.Note(note);
      SortByTime(events, query_.by_event_time);
      printer.Add(events);
      lock.lock();
      TellEnded(session);
      if (exit) return *exit;
    }
  }

  size_t Ended() const {
    return static_cast<size_t>(
        std::ranges::count_if(all_, [](const Follower& f) { return f.ended; }));
  }

  void TellEnded(Session& session) {
    for (Follower& one : all_) {
      if (one.ended && one.last) session.out.Fail(Named(*one.replica, *one.last));
      if (one.ended) one.last.reset();
    }
  }

  // How it ends; nothing while somebody may still say something.
  std::optional<int> Over(SteadyTime now) {
    const bool all = std::ranges::all_of(
        all_, [&](const Follower& f) { return f.ended || f.outage.TooLong(now); });
    if (!all) return std::nullopt;
    int exit = kFailed;
    for (Follower& one : all_) {
      if (one.last) exit = one.last->exit;
      one.ended = true;
    }
    return exit;
  }

  Interrupt& interrupt_;
  const EventQuery& query_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Follower> all_;
  std::vector<std::jthread> threads_;
};

}  // namespace

int FollowReplicas(Session& session, const EventQuery& query) {
  const Interrupt::Gentle gentle(session.interrupt);
  std::vector<Follower> all;
  std::vector<Failure> failures;
  for (const Replica& replica : *session.replicas) {
    const Outcome<uint64_t> end = FetchEnd(*replica.client);
    if (session.interrupt.raised()) return kInterrupted;
    Follower one{.replica = &replica};
    if (end) one.from = *end;
    if (!end) {
      failures.push_back(Named(replica, end.error()));
      one.ended = end.error().exit != kUnreachable;
      one.outage.Notice(RealClock().Steady());
    }
    all.push_back(std::move(one));
  }
  if (failures.size() == all.size()) {
    for (const Failure& failure : failures) session.out.Fail(failure);
    return failures.front().exit;
  }
  // What is there, as without -f; what is stored later is for the second part.
  EventQuery before = query;
  before.follow = false;
  for (const Follower& one : all) {
    if (!one.from) continue;
    session.out.BeginReplica(one.replica->name);
    Session alone{*one.replica->client, session.out, session.interrupt, session.yes,
                  session.replicas};
    before.to_sequence = *one.from;
    static_cast<void>(EventsLs(alone, before));
    for (const Failure& failure : session.out.TakeFailures()) {
      failures.push_back(Named(*one.replica, failure));
    }
    if (session.interrupt.raised()) return kInterrupted;
  }
  const std::vector<ReplicaEvent> there = session.out.merge() == nullptr
                                              ? std::vector<ReplicaEvent>()
                                              : session.out.merge()->TakeEvents();
  session.out.EndReplicas();
  for (const Failure& failure : failures) {
    if (failure.exit == kUnreachable) {
      session.out.Note(failure.message + "; trying again");
    } else {
      session.out.Fail(failure);
    }
  }
  EventPrinter printer(session.out, query.by_event_time, true, true);
  printer.Add(there);
  return Followers(session.interrupt, query, std::move(all)).Run(session, printer);
}

}  // namespace spool::ctl
