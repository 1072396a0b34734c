#include "forward/pump.h"

#include <gtest/gtest.h>

#include "tests/support/forward_pump_fixture.h"

namespace spool {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_F(PumpTest, DeliversEverythingOnceInOrderAndThenIdles) {
  journal_.Fill(700, "calm");
  journal_.Fill(800, "busy");
  journal_.Fill(1000, "calm");
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  ASSERT_EQ(sink_.messages(), 2500U);
  uint64_t expected = 1;
  for (const auto& attempt : sink_.attempts) {
    EXPECT_LE(attempt.size(), 1000U);
    for (const auto& sent : attempt) EXPECT_EQ(sent.sequence.value, expected++);
  }
  EXPECT_EQ(account().delivered, 2500U);
  EXPECT_EQ(account().pending, 0U);
  EXPECT_EQ(cursor_->next(), journal_->end());
  EXPECT_EQ(pump_->next(), journal_->end());
  journal_.Fill(1);
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(account().delivered, 2501U);
}

TEST_F(PumpTest, SettlesFilteredEventsWithoutTheSink) {
  journal_.Fill(5000, "calm", "Noise");
  Start(*Router::Compile({{"r", {}, {{{"kind", "Noise"}}}, {"t"}}}, "t", false));
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_TRUE(sink_.attempts.empty());
  EXPECT_EQ(account().filtered, 5000U);
  EXPECT_EQ(cursor_->next(), journal_->end());
}

TEST_F(PumpTest, FillsABatchAcrossFilteredEvents) {
  for (int i = 0; i < 20; ++i) {
    journal_.Fill(200, "calm", "Noise");
    journal_.Fill(5, "calm", "Pod");
  }
  Start(*Router::Compile({{"r", {{{"kind", "Pod"}}}, {}, {"t"}}}, "t", false));
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(sink_.messages(), 100U);
  EXPECT_LE(sink_.attempts.size(), 3U);
  EXPECT_EQ(account().filtered, 4000U);
  EXPECT_EQ(account().delivered, 100U);
}

TEST_F(PumpTest, BoundsABatchByEventsAndByBytes) {
  options_.batch.events = 7;
  options_.batch.bytes = 10'000;
  std::vector<ForwardJournal::Entry> entries;
  for (uint64_t i = 1; i <= 40; ++i)
    entries.push_back({i, "calm", "Pod", i % 10 == 0 ? 20'000U : 3'000U});
  journal_.AppendMany(entries);
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(sink_.messages(), 40U);
  for (const auto& attempt : sink_.attempts) {
    EXPECT_LE(attempt.size(), 7U);
    size_t bytes = 0;
    for (const auto& sent : attempt) bytes += sent.body.size();
    EXPECT_TRUE(bytes <= 10'000 || attempt.size() == 1) << bytes << " in " << attempt.size();
  }
}

TEST_F(PumpTest, WaitsAndRepeatsTheSameBytesWhenTheTargetIsAway) {
  journal_.Fill(10);
  sink_.script = ScriptedSink::Always(Verdict::kRetry, "http_503");
  Start();
  EXPECT_EQ(Run(), Step::kWait);
  EXPECT_EQ(pump_->status().state, TargetState::kBackoff);
  EXPECT_EQ(pump_->status().last_error, "http_503: says no");
  EXPECT_TRUE(pump_->status().retry_at.has_value());
  EXPECT_EQ(RunOn(minutes(30)), Step::kWait);
  EXPECT_GT(sink_.attempts.size(), 10U);
  for (const auto& attempt : sink_.attempts) {
    ASSERT_EQ(attempt.size(), 10U);
    EXPECT_EQ(attempt[3].body, sink_.attempts[0][3].body);
  }
  EXPECT_EQ(account().delivered, 0U);
  EXPECT_EQ(account().pending, 10U);
  EXPECT_TRUE(journal_.Dead("t").empty());
  sink_.script = ScriptedSink::Accept;
  EXPECT_EQ(RunOn(minutes(5)), Step::kIdle);
  EXPECT_EQ(account().delivered, 10U);
  EXPECT_EQ(account().retries, 10 * (sink_.attempts.size() - 1));
  EXPECT_EQ(pump_->status().state, TargetState::kOk);
  EXPECT_EQ(pump_->status().last_error, "");
  EXPECT_EQ(pump_->status().attempts, sink_.attempts.size());
}

TEST_F(PumpTest, DoesNotTouchTheTargetBeforeItsWish) {
  journal_.Fill(3);
  sink_.script = [](std::span<const Message>, std::span<Outcome> outcomes) {
    outcomes[0].code = "http_429";
    outcomes[0].retry_after = seconds(10);
    outcomes[1].code = "http_429";
    outcomes[1].retry_after = seconds(90);
  };
  Start();
  EXPECT_EQ(Run(), Step::kWait);
  EXPECT_GE(pump_->wake_at(), clock_.Steady() + seconds(90));
  EXPECT_LE(pump_->wake_at(), clock_.Steady() + seconds(99));
  clock_.Advance(seconds(89));
  EXPECT_EQ(Run(), Step::kWait);
  EXPECT_EQ(sink_.attempts.size(), 1U);
  pump_->RetryNow();
  EXPECT_EQ(Run(), Step::kWait);
  EXPECT_EQ(sink_.attempts.size(), 2U);
}

TEST_F(PumpTest, HoldsADayWithoutADeadLetterAndProbesWithOneEvent) {
  journal_.Fill(100);
  sink_.script = ScriptedSink::Always(Verdict::kHold, "http_401");
  Start();
  EXPECT_EQ(RunOn(hours(24)), Step::kWait);
  EXPECT_EQ(pump_->status().state, TargetState::kHold);
  EXPECT_GE(sink_.attempts.size(), 2500U);
  EXPECT_LE(sink_.attempts.size(), 3300U);
  for (size_t i = 1; i < sink_.attempts.size(); ++i) EXPECT_EQ(sink_.attempts[i].size(), 1U);
  EXPECT_TRUE(journal_.Dead("t").empty());
  EXPECT_EQ(account().pending, 100U);
  sink_.script = ScriptedSink::Accept;
  EXPECT_EQ(RunOn(minutes(1)), Step::kIdle);
  EXPECT_EQ(account().delivered, 100U);
  EXPECT_EQ(pump_->status().state, TargetState::kOk);
}

TEST_F(PumpTest, PutsARejectedEventAsideWithWhatTheTargetSaid) {
  journal_.Fill(10);
  sink_.script = [](std::span<const Message> messages, std::span<Outcome> outcomes) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      outcomes[i].verdict =
          messages[i].event->sequence.value == 4 ? Verdict::kReject : Verdict::kDelivered;
      if (outcomes[i].verdict != Verdict::kReject) continue;
      outcomes[i].code = "http_400";
      outcomes[i].excerpt = "no\x07 such field\n" + std::string(3000, 'e');
    }
  };
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  const auto dead = journal_.Dead("t");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].id.sequence.value, 4U);
  EXPECT_EQ(dead[0].id.target, "t");
  EXPECT_EQ(dead[0].id.replay, "");
  EXPECT_EQ(dead[0].reason, "rejected");
  EXPECT_EQ(dead[0].code, "http_400");
  EXPECT_EQ(dead[0].excerpt.substr(0, 15), "no  such field ");
  EXPECT_EQ(dead[0].excerpt.size(), 1024U);
  EXPECT_EQ(dead[0].attempts, 1U);
  EXPECT_EQ(dead[0].first_failed, clock_.Now());
  EXPECT_EQ(dead[0].event_id, Sha256Prefix("event-4"));
  EXPECT_EQ(dead[0].stream, "calm");
  EXPECT_EQ(dead[0].origin, "web");
  ASSERT_TRUE(dead[0].View().has_value());
  EXPECT_EQ(dead[0].View()->data, "{\"n\":4}");
  EXPECT_EQ(account().dead_lettered, 1U);
  EXPECT_EQ(account().delivered, 9U);
}

TEST_F(PumpTest, GoesOnAtOnceAfterAnOrderedSinkStoppedAtARejection) {
  journal_.Fill(10);
  sink_.script = [](std::span<const Message> messages, std::span<Outcome> outcomes) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const bool bad = messages[i].event->sequence.value % 3 == 0;
      outcomes[i].verdict = bad ? Verdict::kReject : Verdict::kDelivered;
      if (bad) return;
    }
  };
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);  // no wait anywhere
  EXPECT_EQ(account().delivered, 7U);
  EXPECT_EQ(account().dead_lettered, 3U);
  EXPECT_EQ(account().retries, 0U);  // what lay behind a refusal had not been sent yet
}

TEST_F(PumpTest, IsolatesTheOneThatABatchIsRefusedFor) {
  journal_.Fill(1000);
  sink_.script = [](std::span<const Message> messages, std::span<Outcome> outcomes) {
    bool bad = false;
    for (const Message& message : messages) bad |= message.event->sequence.value == 637;
    for (Outcome& outcome : outcomes) {
      outcome.verdict = bad ? Verdict::kRefusedTogether : Verdict::kDelivered;
      outcome.code = bad ? "http_400" : "";
    }
  };
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_LE(sink_.attempts.size(), 32U);
  const auto dead = journal_.Dead("t");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].id.sequence.value, 637U);
  EXPECT_EQ(dead[0].reason, "rejected");
  EXPECT_GT(dead[0].attempts, 5U);
  EXPECT_EQ(account().delivered, 999U);
}

TEST_F(PumpTest, SendsSmallerBatchesToATargetThatBearsNoMore) {
  journal_.Fill(3000);
  size_t refused = 0;
  sink_.script = [&](std::span<const Message> messages, std::span<Outcome> outcomes) {
    refused += messages.size() > 300 ? 1 : 0;
    for (Outcome& outcome : outcomes) {
      outcome.verdict = messages.size() > 300 ? Verdict::kTooLarge : Verdict::kDelivered;
    }
  };
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(account().delivered, 3000U);
  EXPECT_TRUE(journal_.Dead("t").empty());
  EXPECT_LE(refused, 3U);
  EXPECT_LE(sink_.attempts.size(), 20U);
}

TEST_F(PumpTest, PutsAsideWhatIsTooLargeAlone) {
  journal_.Fill(64);
  sink_.script = [](std::span<const Message> messages, std::span<Outcome> outcomes) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const uint64_t number = messages[i].event->sequence.value;
      outcomes[i].verdict = number == 20 || number == 21 ? Verdict::kTooLarge : Verdict::kDelivered;
      outcomes[i].code = "max_payload";
    }
  };
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  const auto dead = journal_.Dead("t");
  ASSERT_EQ(dead.size(), 2U);
  EXPECT_EQ(dead[0].reason, "too_large");
  EXPECT_EQ(dead[0].code, "max_payload");
  EXPECT_EQ(account().delivered, 62U);
}

TEST_F(PumpTest, SendsNothingAgainThatWasTakenBehindAFailure) {
  journal_.Fill(10);
  bool healed = false;
  sink_.script = [&](std::span<const Message> messages, std::span<Outcome> outcomes) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const bool bad = !healed && messages[i].event->sequence.value % 4 == 1;
      outcomes[i].verdict = bad ? Verdict::kRetry : Verdict::kDelivered;
      outcomes[i].code = bad ? "timeout" : "";
    }
  };
  Start();
  EXPECT_EQ(Run(), Step::kWait);
  EXPECT_EQ(account().delivered, 0U);  // event 1 is in the way of all
  healed = true;
  EXPECT_EQ(RunOn(minutes(5)), Step::kIdle);
  ASSERT_EQ(sink_.attempts.size(), 2U);
  ASSERT_EQ(sink_.attempts[1].size(), 3U);
  EXPECT_EQ(sink_.attempts[1][0].sequence.value, 1U);
  EXPECT_EQ(sink_.attempts[1][1].sequence.value, 5U);
  EXPECT_EQ(sink_.attempts[1][2].sequence.value, 9U);
  EXPECT_EQ(account().delivered, 10U);
}

TEST_F(PumpTest, ATargetThatIsOnlySlowIsNotCalledFailing) {
  journal_.Fill(10);
  sink_.script = [](std::span<const Message>, std::span<Outcome> outcomes) {
    for (size_t i = 0; i < std::min<size_t>(3, outcomes.size()); ++i) {
      outcomes[i].verdict = Verdict::kDelivered;
    }
  };
  Start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Run(), Step::kProgress);
    EXPECT_EQ(pump_->status().state, TargetState::kOk);
  }
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(account().delivered, 10U);
  EXPECT_EQ(account().retries, 0U);
  EXPECT_EQ(sink_.attempts.size(), 4U);
}

TEST_F(PumpTest, OneFailureIsOneRetryHoweverMuchWaitsBehindIt) {
  journal_.Fill(10);
  bool healed = false;
  sink_.script = [&](std::span<const Message>, std::span<Outcome> outcomes) {
    if (healed) return ScriptedSink::Accept({}, outcomes);
    outcomes[0].code = "http_503";
  };
  Start();
  EXPECT_EQ(Run(), Step::kWait);
  EXPECT_EQ(pump_->status().state, TargetState::kBackoff);
  healed = true;
  EXPECT_EQ(RunOn(minutes(5)), Step::kIdle);
  EXPECT_EQ(account().retries, 1U);
}

TEST_F(PumpTest, CountsWhatTheTargetHadAlreadyAsDelivered) {
  journal_.Fill(10);
  sink_.script = ScriptedSink::Always(Verdict::kDuplicate, "");
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(account().delivered, 10U);
  EXPECT_EQ(account().duplicates, 10U);
}

TEST_F(PumpTest, GoesOnBehindTheLastSettledEventAfterARestart) {
  journal_.Fill(10);
  sink_.script = [](std::span<const Message> messages, std::span<Outcome> outcomes) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      if (messages[i].event->sequence.value < 5) {
        outcomes[i].verdict = Verdict::kDelivered;
      } else {
        outcomes[i].code = "timeout";
      }
    }
  };
  Start();
  EXPECT_EQ(Run(), Step::kWait);
  EXPECT_EQ(account().delivered, 4U);
  Restart();
  sink_.script = ScriptedSink::Accept;
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(sink_.attempts.back().front().sequence.value, 5U);
  EXPECT_EQ(account().delivered, 10U);
}

TEST_F(PumpTest, AClockThatJumpsMakesNothingTooOld) {
  options_.age_max = minutes(10);
  journal_.Fill(5);
  clock_.Step(std::chrono::hours(24 * 3650));
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(sink_.messages(), 5U);
  EXPECT_TRUE(journal_.Dead("t").empty());
}

TEST_F(PumpTest, LingersForAFullerBatchButNotForAFullOne) {
  options_.batch.events = 10;
  options_.batch.wait = milliseconds(200);
  journal_.Fill(3);
  Start();
  EXPECT_EQ(Run(), Step::kWait);
  EXPECT_EQ(pump_->wake_at(), clock_.Steady() + milliseconds(200));
  clock_.Advance(milliseconds(150));
  journal_.Fill(3);
  EXPECT_EQ(Run(), Step::kWait);  // counted from the first
  clock_.Advance(milliseconds(50));
  EXPECT_EQ(Run(), Step::kProgress);
  ASSERT_EQ(sink_.attempts.size(), 1U);
  EXPECT_EQ(sink_.attempts[0].size(), 6U);
  journal_.Fill(3);
  EXPECT_EQ(Run(), Step::kWait);
  journal_.Fill(7);
  EXPECT_EQ(Run(), Step::kProgress);
  EXPECT_EQ(sink_.attempts[1].size(), 10U);
}

TEST_F(PumpTest, KeepsToItsRate) {
  options_.events_per_second = 50;
  journal_.Fill(500);
  Start();
  const SteadyTime begin = clock_.Steady();
  EXPECT_EQ(RunOn(minutes(1)), Step::kIdle);
  const double took = static_cast<double>((clock_.Steady() - begin).count()) / 1e6;
  EXPECT_NEAR(took, 10, 0.2);
  EXPECT_EQ(account().delivered, 500U);
}

TEST_F(PumpTest, MovesOverStreamsThatAreNotItsOwn) {
  Start(*Router::Compile({{"r", {{{"stream", "busy"}}}, {}, {"t"}}}, "t", false));
  journal_.Fill(1000, "calm");
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(cursor_->next(), journal_->end());
  EXPECT_EQ(account().accepted, 0U);
  journal_.Fill(3, "busy");
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(account().accepted, 3U);
  EXPECT_EQ(account().delivered, 3U);
}

TEST_F(PumpTest, NeverSeesASpecialStreamThatNoRouteNames) {
  journal_.Fill(5, "locked");
  journal_.Fill(5, "calm");
  Start();
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(sink_.messages(), 5U);
}

TEST_F(PumpTest, KeepsRoutesThatDoNotNameASpecialStreamOutOfIt) {
  journal_.Fill(5, "locked", "Pod");
  journal_.Fill(5, "locked", "Node");
  journal_.Fill(5, "calm", "Node");
  Start(*Router::Compile(
      {{"all", {}, {}, {"t"}}, {"some", {{{"stream", "locked"}, {"kind", "Pod"}}}, {}, {"t"}}}, "t",
      false));
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(account().delivered, 10U);
  EXPECT_EQ(account().filtered, 5U);
}

TEST_F(PumpTest, ReplaysARangeWithAMarkAndStops) {
  journal_.Fill(100);
  auto matcher = Matcher::FromArguments({"name!=event-15"});
  options_.end = Sequence{31};
  options_.replay = "r-abc";
  options_.match = &*matcher;
  cursor_ = journal_.OpenCursor("replay/r-abc", router_.Reach(*journal_), {11});
  sink_.script = [](std::span<const Message> messages, std::span<Outcome> outcomes) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      outcomes[i].verdict =
          messages[i].event->sequence.value == 20 ? Verdict::kReject : Verdict::kDelivered;
    }
  };
  NewPump();
  EXPECT_EQ(RunOn(), Step::kDone);
  EXPECT_EQ(Run(), Step::kDone);
  EXPECT_EQ(cursor_->next().value, 31U);
  ASSERT_EQ(sink_.messages(), 19U);
  for (const auto& attempt : sink_.attempts) {
    for (const auto& sent : attempt) {
      EXPECT_GE(sent.sequence.value, 11U);
      EXPECT_LT(sent.sequence.value, 31U);
      EXPECT_EQ(sent.replay, "r-abc");
      EXPECT_NE(sent.body.find("\"replay\":\"r-abc\""), std::string::npos);
    }
  }
  const auto dead = journal_.Dead("t");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].id.replay, "r-abc");
  EXPECT_EQ(account().delivered, 18U);
  EXPECT_EQ(account().filtered, 1U);
}

// A cursor over the real one whose next writes fail.
class FailingCursor final : public Cursor {
 public:
  explicit FailingCursor(Cursor& real) : real_(real) {}
  const std::string& name() const override { return real_.name(); }
  StreamSet streams() const override { return real_.streams(); }
  Sequence next() const override { return real_.next(); }
  uint64_t OrdinalOf(StreamId stream) const override { return real_.OrdinalOf(stream); }
  Status Advance(const Settlement& settlement) override {
    if (fails) return Fail(Code::kStorage, "the disk is gone");
    return real_.Advance(settlement);
  }
  void Observe(Sequence next) override { real_.Observe(next); }
  Status SkipTo(Sequence to, std::string_view cause) override { return real_.SkipTo(to, cause); }
  Status Redeem(const DeadLetterId& id) override { return real_.Redeem(id); }
  Account account() const override { return real_.account(); }
  bool fails = true;

 private:
  Cursor& real_;
};

TEST_F(PumpTest, StopsForGoodWhenTheCursorCannotBeWritten) {
  journal_.Fill(10);
  Start();
  FailingCursor cursor(*cursor_);
  Pump pump(options_, *journal_, cursor, router_, sink_, clock_);
  EXPECT_EQ(pump.Run({}), Step::kBroken);
  ASSERT_TRUE(pump.error().has_value());
  EXPECT_EQ(pump.error()->code, Code::kStorage);
  EXPECT_EQ(pump.Run({}), Step::kBroken);
  EXPECT_EQ(sink_.attempts.size(), 1U);
  EXPECT_EQ(pump.status().last_error, "the disk is gone");
  EXPECT_EQ(account().pending, 10U);
  // Only after a person has seen to it: everything unsettled is sent once more.
  cursor.fails = false;
  pump.Reset();
  EXPECT_EQ(pump.Run({}), Step::kProgress);
  EXPECT_EQ(sink_.attempts.size(), 2U);
  EXPECT_EQ(account().delivered, 10U);
}

TEST_F(PumpTest, KeepsItsPeaceWhenCutWhileStopping) {
  journal_.Fill(10);
  Start();
  for (const Verdict cut : {Verdict::kRetry, Verdict::kHold}) {
    const size_t attempts = sink_.attempts.size();
    const PumpStatus before = pump_->status();
    const std::string code = cut == Verdict::kRetry ? "cut" : "cut_again";
    const auto answer = ScriptedSink::Always(cut, code);
    std::stop_source stop;
    sink_.script = [&](std::span<const Message> messages, std::span<Outcome> outcomes) {
      stop.request_stop();  // in the middle of the attempt
      answer(messages, outcomes);
    };
    EXPECT_EQ(pump_->Run(stop.get_token()), Step::kWait);
    EXPECT_EQ(sink_.attempts.size(), attempts + 1);
    EXPECT_EQ(pump_->status().state, TargetState::kOk);
    EXPECT_EQ(pump_->status().last_error, before.last_error);
    EXPECT_EQ(pump_->status().retry_at, std::nullopt);
    EXPECT_EQ(account().pending, 10U);
    // Nothing was learned of the target, so there is nothing to wait for; the same answer to an
    // attempt that nobody cut is one.
    sink_.script = answer;
    EXPECT_EQ(Run(), Step::kWait);
    EXPECT_EQ(sink_.attempts.size(), attempts + 2);
    EXPECT_NE(pump_->status().state, TargetState::kOk);
    EXPECT_EQ(pump_->status().last_error, code + ": says no");
    pump_->Reset();
  }
  sink_.script = ScriptedSink::Accept;
  EXPECT_EQ(RunOn(), Step::kIdle);
  EXPECT_EQ(account().delivered, 10U);
}

TEST(Pump, CountsWhatRetentionTookAsEvicted) {
  ManualClock clock;
  ForwardJournal journal(&clock);
  for (StreamOptions& stream : journal.options.streams) {
    stream.bytes_max = 64 << 10;
    stream.when_full = WhenFull::kDropOldest;
  }
  journal.Open();
  const Router router = Everything();
  auto cursor = journal.OpenCursor("target/t", router.Reach(*journal));
  ScriptedSink sink(ScriptedSink::Always(Verdict::kRetry, "timeout"));
  PumpOptions options;
  options.target = "t";
  Pump pump(options, *journal, *cursor, router, sink, clock);
  uint64_t number = 0;
  const auto fill = [&](std::string_view stream, int requests) {
    for (int i = 0; i < requests; ++i) {
      std::vector<ForwardJournal::Entry> entries;
      for (int k = 0; k < 20; ++k) {
        // Hard to compress, so that the bound on bytes is felt.
        entries.push_back(
            {++number, std::string(stream), RandomHash128().Hex() + RandomHash128().Hex(), 0});
      }
      journal.AppendMany(entries);
    }
    ASSERT_TRUE(journal->RunRetention().has_value());
  };
  fill("calm", 5);
  EXPECT_EQ(pump.Run({}), Step::kWait);  // the target is away, events are in hand
  fill("busy", 300);
  fill("calm", 300);
  sink.script = ScriptedSink::Accept;
  Step step = Step::kProgress;
  for (int i = 0; i < 10'000 && step != Step::kIdle; ++i) {
    step = pump.Run({});
    ExpectBalanced(cursor->account());
    if (step == Step::kWait) clock.Advance(pump.wake_at() - clock.Steady());
  }
  const Account account = cursor->account();
  EXPECT_GT(account.evicted, 0U);
  EXPECT_GT(account.delivered, 100U);
  EXPECT_EQ(account.evicted + account.delivered, number);
  EXPECT_EQ(account.pending, 0U);
}

}  // namespace
}  // namespace spool
