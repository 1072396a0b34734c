// A pump over a real journal, driven by hand under a clock that the test owns.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "forward/pump.h"
#include "tests/support/forward_fixture.h"

namespace spool {

class PumpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    journal_.Open();
    options_.target = "t";
    options_.seed = 7;
  }
  void Start() { Start(Everything()); }
  void Start(Router router) {
    router_ = std::move(router);
    cursor_ = journal_.OpenCursor("target/t", router_.Reach(*journal_));
    NewPump();
  }
  void NewPump() {
    pump_ = std::make_unique<Pump>(options_, *journal_, *cursor_, router_, sink_, clock_);
  }
  void Restart() {
    pump_.reset();
    cursor_.reset();
    journal_.Close();
    journal_.Open();
    cursor_ = journal_.OpenCursor("target/t", router_.Reach(*journal_));
    NewPump();
  }
  Step Run() {
    const Step step = pump_->Run({});
    ExpectBalanced(cursor_->account());
    return step;
  }
  // Runs while there is progress; with `patient`, also through waits, for at most that long.
  Step RunOn(Micros patient = Micros(0)) {
    const SteadyTime until = clock_.Steady() + patient;
    for (int i = 0; i < 100'000; ++i) {
      const Step step = Run();
      if (step == Step::kProgress) continue;
      if (step != Step::kWait || pump_->wake_at() > until) return step;
      if (pump_->wake_at() > clock_.Steady()) clock_.Advance(pump_->wake_at() - clock_.Steady());
    }
    ADD_FAILURE() << "no end in sight";
    return Step::kBroken;
  }
  Account account() const { return cursor_->account(); }

  ManualClock clock_;
  ForwardJournal journal_{&clock_};
  PumpOptions options_;
  Router router_ = Everything();
  ScriptedSink sink_;
  std::unique_ptr<Cursor> cursor_;
  std::unique_ptr<Pump> pump_;
};

}  // namespace spool
