#include "replay/jobs.h"

#include <gtest/gtest.h>

#include <set>

#include "spool/records.h"
#include "tests/support/replay_fixture.h"

namespace spool {
namespace {

TEST_F(ReplayTest, SendsExactlyTheMatchingEventsOfTheRangeWithTheirIdsAndTheMark) {
  for (uint64_t n = 1; n <= 40; ++n) {
    journal_.Append(n, n % 2 == 0 ? "calm" : "busy", n % 5 == 0 ? "Node" : "Pod");
  }
  journal_.Append(41, "locked", "Node");  // special: no route names it
  OpenJobs();
  ReplayRequest request = Range(10, 36);
  request.match = {"kind=Node"};
  const std::string id = Start(request);
  ASSERT_EQ(id.size(), 8u);
  EXPECT_EQ(id.substr(0, 2), "r-");
  EXPECT_EQ(id.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz", 2), std::string::npos);
  const ReplayStatus done = AwaitState(id, ReplayState::kDone);
  EXPECT_EQ(done.total, 6u);
  EXPECT_EQ(done.delivered, 6u);
  EXPECT_EQ(done.settled, 6u);
  EXPECT_EQ(done.rejected, 0u);
  EXPECT_EQ(done.evicted, 0u);
  EXPECT_TRUE(done.finished.has_value());
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 6u);
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_TRUE(IsEvent(lines[i], 10 + 5 * i, id)) << lines[i];
  }
  EXPECT_TRUE(Await([&] { return !HasCursor("replay/" + id); }));
}

TEST_F(ReplayTest, SendsOnlyWhatTheTargetsOwnRoutesWant) {
  for (uint64_t n = 1; n <= 10; ++n) journal_.Append(n, "calm", n <= 4 ? "Node" : "Pod");
  routes_ = {{"nodes", {{{"kind", "Node"}}}, {}, {"files"}}};
  OpenJobs();
  const std::string id = Start(Range(1));
  EXPECT_EQ(AwaitState(id, ReplayState::kDone).delivered, 4u);
  EXPECT_EQ(Get(id).total, 4u);
  EXPECT_EQ(Lines().size(), 4u);
}

TEST_F(ReplayTest, LeavesTheLiveCursorWhereItIs) {
  journal_.Fill(20);
  auto live = journal_.OpenCursor("target/files", journal_->AllStreams(), Sequence{7});
  const Account before = live->account();
  OpenJobs();
  AwaitState(Start(Range(1)), ReplayState::kDone);
  EXPECT_EQ(Lines().size(), 20u);
  EXPECT_EQ(live->next(), Sequence{7});
  EXPECT_EQ(live->account().delivered, before.delivered);
  EXPECT_EQ(live->account().pending, before.pending);
}

TEST_F(ReplayTest, DoesNotChaseEventsThatCameAfterItsStart) {
  journal_.Fill(10);
  OpenJobs();
  ReplayRequest request = Range(1, 1000);
  request.events_per_second = 0.5;
  const std::string id = Start(request);
  EXPECT_EQ(Get(id).range.end, Sequence{11});
  journal_.Fill(5);
  EXPECT_EQ(Get(id).range.end, Sequence{11});
  EXPECT_EQ(Get(id).total, 10u);
  EXPECT_TRUE(jobs_->Cancel(id).has_value());
}

TEST_F(ReplayTest, ADryRunCountsAndSendsNothing) {
  for (uint64_t n = 1; n <= 10; ++n) journal_.Append(n, "calm", n <= 4 ? "Node" : "Pod");
  OpenJobs();
  ReplayRequest request = Range(3, 9);
  request.match = {"kind=Pod"};
  const auto plan = jobs_->Plan(request);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_EQ(plan->total, 4u);
  EXPECT_EQ(plan->bytes, 4 * std::string("{\"n\":5}").size());
  EXPECT_EQ(plan->range, (SequenceRange{{3}, {9}}));
  ASSERT_TRUE(plan->oldest && plan->newest);
  EXPECT_LE(*plan->oldest, *plan->newest);
  EXPECT_TRUE(jobs_->List().empty());
  EXPECT_TRUE(Lines().empty());
  EXPECT_TRUE(journal_->Cursors().empty());
  EXPECT_TRUE(journal_->records().List("replay/")->empty());
}

// Events of one request each; the times at which they were accepted.
class ReplayByTime : public ReplayTest {
 protected:
  void FillOneByOne(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(Await([&] { return times_.empty() || RealClock().Now() > times_.back(); }));
      journal_.Fill(1);
      const Sequence last{journal_->end().value - 1};
      const auto page = journal_->NewReader(journal_->AllStreams())->Read(last, {});
      ASSERT_TRUE(page.has_value());
      times_.push_back(page->events.at(0).accepted);
      ASSERT_TRUE(times_.size() == 1 || times_[times_.size() - 2] < times_.back());
    }
  }
  static ReplayRequest Between(SystemTime from, std::optional<SystemTime> to = {}) {
    ReplayRequest request;
    request.target = "files";
    request.from = from;
    request.to = to;
    return request;
  }
  // The sequences that a plan from then to then has, as text.
  std::string Planned(SystemTime from, std::optional<SystemTime> to = {}) {
    const auto plan = jobs_->Plan(Between(from, to));
    EXPECT_TRUE(plan.has_value()) << plan.error().message;
    if (!plan) return "";
    EXPECT_EQ(plan->total, plan->range.end - plan->range.first);
    if (plan->total == 0) return "nothing";
    return ToText(plan->range.first) + " to " + std::to_string(plan->range.end.value - 1);
  }

  std::vector<SystemTime> times_;  // of the sequences 1, 2, …
};

TEST_F(ReplayByTime, ARangeBeginsWithItsFirstTimeAndEndsBeforeItsLast) {
  FillOneByOne(6);
  OpenJobs();
  constexpr Micros kNext{1};  // the finest step that a time has
  for (uint64_t first = 1; first <= 6; ++first) {
    const SystemTime from = times_[first - 1];
    const auto text = [](uint64_t f, uint64_t l) {
      return f > l ? "nothing" : std::to_string(f) + " to " + std::to_string(l);
    };
    EXPECT_EQ(Planned(from), text(first, 6));
    EXPECT_EQ(Planned(from + kNext), text(first + 1, 6));
    EXPECT_EQ(Planned(from - kNext), text(first, 6));
    for (uint64_t last = first; last <= 6; ++last) {
      const SystemTime to = times_[last - 1];
      EXPECT_EQ(Planned(from, to + kNext), text(first, last));
      EXPECT_EQ(Planned(from - kNext, to), text(first, last - 1));
      if (first == last) continue;
      EXPECT_EQ(Planned(from, to), text(first, last - 1));
      EXPECT_EQ(Planned(from, to - kNext), text(first, last - 1));
    }
  }
  EXPECT_EQ(Planned(times_[0] - std::chrono::hours(2), times_[0] - std::chrono::hours(1)),
            "nothing");
  EXPECT_EQ(Planned(times_[5] + std::chrono::hours(1)), "nothing");
  const std::string id = Start(Between(times_[1], times_[4]));
  EXPECT_EQ(AwaitState(id, ReplayState::kDone).delivered, 3u);
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 3u);
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_TRUE(IsEvent(lines[i], i + 2, id)) << lines[i];
}

TEST_F(ReplayByTime, TimesBecomeSequencesOnce) {
  targets_["files"].batch.events = 1;
  FillOneByOne(6);
  OpenJobs();
  // What comes later lies in its times too, and is no part of it: not at once, not after a restart
  // and not after a pause.
  ReplayRequest request = Between(times_[2], RealClock().Now() + std::chrono::hours(1));
  request.events_per_second = 5;
  const std::string id = Start(request);
  FillOneByOne(3);
  EXPECT_EQ(Get(id).range, (SequenceRange{{3}, {7}}));
  Restart();
  EXPECT_EQ(Get(id).range, (SequenceRange{{3}, {7}}));
  ASSERT_TRUE(jobs_->Pause(id).has_value());
  FillOneByOne(3);
  ASSERT_TRUE(jobs_->Resume(id).has_value());
  const ReplayStatus done = AwaitState(id, ReplayState::kDone);
  EXPECT_EQ(done.range, (SequenceRange{{3}, {7}}));
  EXPECT_EQ(done.total, 4u);
  EXPECT_EQ(done.delivered, 4u);
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 4u);
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_TRUE(IsEvent(lines[i], i + 3, id)) << lines[i];
}

// As a reload does it while the events of the range are counted.
TEST_F(ReplayTest, ATargetThatChangesWhileItsReplayIsMadeIsTheNewOne) {
  journal_.Fill(20);
  OpenJobs();
  const std::string other = path() + ".new";
  after_find_ = [&] {
    {
      const std::lock_guard lock(mutex_);
      targets_["files"].sink.of = FileSettings{other};
    }
    jobs_->Renew("files");
  };
  AwaitState(Start(Range(1)), ReplayState::kDone);
  EXPECT_TRUE(Lines().empty());
  std::ifstream file(other);
  size_t lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  EXPECT_EQ(lines, 20u);
}

// The routes that the target has by then decide, so it is done; but nobody should think that all
// was sent.
TEST_F(ReplayTest, WhatNewRoutesLeaveOutIsSaidOfAJobThatIsDone) {
  journal_.Fill(20);
  OpenJobs();
  auto request = Range(1);
  request.events_per_second = 1;
  const std::string id = Start(request);
  {
    const std::lock_guard lock(mutex_);
    routes_ = {{"none", {{{"stream", "no-such-stream"}}}, {}, {"files"}}};
  }
  jobs_->Renew("files");
  AwaitState(id, ReplayState::kDone);
  const auto status = jobs_->Get(id);
  ASSERT_TRUE(status.has_value());
  EXPECT_LT(status->settled, 20u);
  EXPECT_EQ(status->error, std::to_string(20 - status->settled) +
                               " events were not sent: the routes do not lead them to the target "
                               "any more");
}

TEST_F(ReplayTest, ARangeWithoutEventsIsDoneAtOnce) {
  journal_.Fill(5);
  OpenJobs();
  const auto started = jobs_->Start(Range(100));
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ(started->state, ReplayState::kDone);
  EXPECT_EQ(started->total, 0u);
  EXPECT_TRUE(started->finished.has_value());
}

TEST_F(ReplayTest, RefusesWhatCanNeverWork) {
  journal_.Fill(5);
  OpenJobs();
  const auto code = [&](const ReplayRequest& request) {
    const auto started = jobs_->Start(request);
    const auto plan = jobs_->Plan(request);
    EXPECT_FALSE(started.has_value() || plan.has_value());
    if (started || plan) return Code::kTimeout;
    EXPECT_EQ(started.error().code, plan.error().code);
    return started.error().code;
  };
  ReplayRequest request = Range(1);
  request.target = "nobody";
  EXPECT_EQ(code(request), Code::kNotFound);
  EXPECT_EQ(code(Range(4, 4)), Code::kInvalid);
  EXPECT_EQ(code(Range(4, 2)), Code::kInvalid);
  request = Range(1);
  request.match = {"colour=blue"};
  EXPECT_EQ(code(request), Code::kInvalid);
  request.match = {"kind==~("};
  EXPECT_EQ(code(request), Code::kInvalid);
  request = Range(1);
  request.first.reset();
  EXPECT_EQ(code(request), Code::kInvalid);
  request.from = RealClock().Now();
  request.to = *request.from - std::chrono::hours(1);
  EXPECT_EQ(code(request), Code::kInvalid);
  request = Range(1);
  request.events_per_second = -1;
  EXPECT_EQ(code(request), Code::kInvalid);
  EXPECT_TRUE(jobs_->List().empty());
  for (const Status& status :
       {jobs_->Pause("r-000000"), jobs_->Resume("r-000000"), jobs_->Cancel("r-000000")}) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, Code::kNotFound);
  }
}

// A rate at which a job of 30 events is caught in the middle.
ReplayRequest Slow(ReplayRequest request) {
  request.events_per_second = 20;
  return request;
}

TEST_F(ReplayTest, APausedJobSendsNothingUntilResumedAndThenLosesNothing) {
  targets_["files"].batch.events = 2;
  journal_.Fill(30);
  OpenJobs();
  const std::string id = Start(Slow(Range(1)));
  ASSERT_TRUE(Await([&] { return Get(id).delivered > 0; }));
  ASSERT_TRUE(jobs_->Pause(id).has_value());
  EXPECT_TRUE(jobs_->Pause(id).has_value());
  EXPECT_EQ(Get(id).state, ReplayState::kPaused);
  // The thread lets go of its cursor, and of nothing after that.
  ASSERT_TRUE(Await([&] {
    const auto cursors = journal_->Cursors();
    return cursors.size() == 1 && !cursors[0].open;
  }));
  const uint64_t delivered = Get(id).delivered;
  EXPECT_LT(delivered, 30u);
  EXPECT_EQ(Lines().size(), delivered);
  Restart();  // a pause is durable
  EXPECT_EQ(Get(id).state, ReplayState::kPaused);
  EXPECT_EQ(Get(id).delivered, delivered);
  EXPECT_EQ(Lines().size(), delivered);
  ASSERT_TRUE(jobs_->Resume(id).has_value());
  EXPECT_EQ(AwaitState(id, ReplayState::kDone).delivered, 30u);
  EXPECT_EQ(Arrivals(30, id), std::vector<int>(30, 1));
  const Status late = jobs_->Pause(id);
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::kConflict);
}

TEST_F(ReplayTest, ACancelledJobKeepsItsCountsAndStaysCancelled) {
  targets_["files"].batch.events = 2;
  journal_.Fill(30);
  OpenJobs();
  const std::string id = Start(Slow(Range(1)));
  ASSERT_TRUE(Await([&] { return Get(id).delivered > 0; }));
  ASSERT_TRUE(jobs_->Cancel(id).has_value());
  const ReplayStatus cancelled = Get(id);
  EXPECT_EQ(cancelled.state, ReplayState::kCancelled);
  EXPECT_EQ(cancelled.delivered, Lines().size());
  EXPECT_LT(cancelled.delivered, 30u);
  EXPECT_FALSE(HasCursor("replay/" + id));
  Restart();
  EXPECT_EQ(Get(id).state, ReplayState::kCancelled);
  EXPECT_EQ(Get(id).delivered, cancelled.delivered);
  EXPECT_EQ(Lines().size(), cancelled.delivered);
  EXPECT_FALSE(jobs_->Resume(id).has_value());
}

TEST_F(ReplayTest, ARestartInTheMiddleGoesOnWithoutLoss) {
  targets_["files"].batch.events = 2;
  journal_.Fill(30);
  OpenJobs();
  const std::string id = Start(Slow(Range(1)));
  ASSERT_TRUE(Await([&] { return Get(id).delivered > 0; }));
  Restart();
  const ReplayStatus again = Get(id);
  EXPECT_EQ(again.total, 30u);
  EXPECT_GT(again.delivered, 0u);
  EXPECT_EQ(AwaitState(id, ReplayState::kDone).delivered, 30u);
  EXPECT_EQ(Arrivals(30, id), std::vector<int>(30, 1));
  Restart();
  EXPECT_EQ(Get(id).delivered, 30u);
  EXPECT_EQ(Lines().size(), 30u);
}

TEST_F(ReplayTest, ACrashBetweenACancelAndItsLastCountsLosesNeither) {
  targets_["files"].batch.events = 2;
  journal_.Fill(30);
  OpenJobs();
  const std::string id = Start(Slow(Range(1)));
  ASSERT_TRUE(Await([&] { return Get(id).delivered > 0; }));
  StopJobs();
  const size_t sent = Lines().size();
  // What such a crash leaves: the state is recorded, the counts are still the cursor's.
  std::string record = **journal_->records().Get("replay/" + id);
  const size_t at = record.find("\"running\"");
  ASSERT_NE(at, std::string::npos);
  record.replace(at, 9, "\"cancelled\"");
  ASSERT_TRUE(journal_->records().Put("replay/" + id, record).has_value());
  ASSERT_TRUE(HasCursor("replay/" + id));
  OpenJobs();
  EXPECT_EQ(Get(id).state, ReplayState::kCancelled);
  EXPECT_EQ(Get(id).delivered, sent);
  EXPECT_FALSE(HasCursor("replay/" + id));
  Restart();
  EXPECT_EQ(Get(id).delivered, sent);
}

TEST_F(ReplayTest, AJobWhoseTargetIsGoneFailsAndSaysSo) {
  journal_.Fill(30);
  OpenJobs();
  const std::string id = Start(Slow(Range(1)));
  {
    const std::lock_guard lock(mutex_);
    targets_.clear();
  }
  Restart();
  const ReplayStatus failed = Get(id);
  EXPECT_EQ(failed.state, ReplayState::kFailed);
  EXPECT_NE(failed.error.find("\"files\" does not exist"), std::string::npos) << failed.error;
  EXPECT_FALSE(HasCursor("replay/" + id));
}

TEST_F(ReplayTest, ATargetThatIsDownOnlyMakesItWait) {
  targets_["files"].sink.of = WebhookSettings{"http://127.0.0.1:1/"};
  journal_.Fill(3);
  OpenJobs();
  const std::string id = Start(Range(1));
  ASSERT_TRUE(Await([&] { return !Get(id).error.empty(); }));
  EXPECT_EQ(Get(id).state, ReplayState::kRunning);
  EXPECT_EQ(Get(id).delivered, 0u);
  EXPECT_TRUE(jobs_->Cancel(id).has_value());  // also out of a backoff
}

TEST_F(ReplayTest, MoreJobsThanAllowedAreRefused) {
  journal_.Fill(30);
  OpenJobs({.running_max = 1});
  ReplayRequest slow = Range(1);
  slow.events_per_second = 0.01;
  const std::string first = Start(slow);
  const auto second = jobs_->Start(slow);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kBusy);
  ASSERT_TRUE(jobs_->Pause(first).has_value());
  Start(slow);
  const Status resumed = jobs_->Resume(first);
  ASSERT_FALSE(resumed.has_value());
  EXPECT_EQ(resumed.error().code, Code::kBusy);
}

TEST_F(ReplayTest, TheOldestEndedJobsAreForgotten) {
  journal_.Fill(2);
  OpenJobs({.kept_max = 3});
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    ids.push_back(Start(Range(1)));
    AwaitState(ids.back(), ReplayState::kDone);
  }
  // What they did stays counted until the next start.
  ASSERT_EQ(jobs_->Totals().size(), 1u);
  EXPECT_EQ(jobs_->Totals()[0].target, "files");
  EXPECT_EQ(jobs_->Totals()[0].delivered, 6 * jobs_->List()[0].delivered);
  EXPECT_GT(jobs_->Totals()[0].delivered, 0u);
  StopJobs();
  OpenJobs({.kept_max = 3});
  EXPECT_EQ(jobs_->Totals()[0].delivered, 0u);
  const auto list = jobs_->List();
  ASSERT_EQ(list.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(list[i].id, ids[5 - i]);
  EXPECT_EQ(journal_->records().List("replay/")->size(), 3u);
}

TEST_F(ReplayTest, ARecordThatCannotBeReadIsLeftAlone) {
  journal_.Fill(2);
  ASSERT_TRUE(journal_->records().Put("replay/r-broken", "{\"version\":99}").has_value());
  OpenJobs();
  EXPECT_TRUE(jobs_->List().empty());
  EXPECT_EQ(*journal_->records().Get("replay/r-broken"), "{\"version\":99}");
}

}  // namespace
}  // namespace spool
