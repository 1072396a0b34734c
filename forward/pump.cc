// The pump's loop: read, wait, advance, and what the outside sees. An attempt is in
// pump_attempt.cc.
#include <algorithm>
#include <utility>

#include "forward/pump_impl.h"

namespace spool {
namespace {

constexpr size_t kReadsMax = 8;       // pages in one step; also the pages that stay in memory
constexpr size_t kItemsMax = 16'384;  // events in hand, filtered ones included
constexpr size_t kReadEvents = 512;   // a page has at least room for these
constexpr size_t kReadBytes = 256 << 10;

// A page is a whole number of batches, so that the last one of a page is full too.
ReadLimits LimitsFor(const BatchLimits& batch) {
  const size_t batches = (kReadEvents + batch.events - 1) / batch.events;
  return {std::min(batch.events * batches, kItemsMax), std::max(batch.bytes, kReadBytes)};
}

PumpOptions Sane(PumpOptions options) {
  options.batch.events = std::max<size_t>(options.batch.events, 1);
  options.batch.bytes = std::max<size_t>(options.batch.bytes, 1);
  return options;
}

}  // namespace

std::string_view TargetStateName(TargetState state) {
  switch (state) {
    case TargetState::kOk: return "ok";
    case TargetState::kBackoff: return "backoff";
    case TargetState::kHold: return "hold";
    case TargetState::kPaused: return "paused";
  }
  return "ok";
}

Pump::Impl::Impl(PumpOptions options, Journal& journal, Cursor& cursor, const Router& router,
                 Sink& sink, const Clock& clock)
    : options_(Sane(std::move(options))),
      journal_(journal),
      cursor_(cursor),
      sink_(sink),
      clock_(clock),
      read_limits_(LimitsFor(options_.batch)),
      reader_(journal.NewReader(cursor.streams())),
      hand_(options_.target),
      backoff_(options_.retry, options_.seed),
      bucket_(options_.events_per_second),
      size_(options_.batch.events),
      redriver_(options_.target, journal.dead_letters(), cursor, sink, options_.retry,
                options_.seed + 1) {
  StreamSet special;
  for (size_t i = 0; i < kStreamsMax; ++i) {
    const StreamId id{static_cast<uint8_t>(i)};
    if (cursor.streams().Contains(id) && !journal.AllStreams().Contains(id)) special.Add(id);
  }
  selection_ = {&router, options_.match, cursor.streams(), special,
                options_.end.value_or(Sequence{~uint64_t{0}})};
  hand_.Restart(cursor);
}

Step Pump::Impl::Break(Error error) {
  current_.last_error = error.message;
  current_.last_error_at = clock_.Now();
  current_.state = TargetState::kHold;
  error_ = std::move(error);
  Publish();
  return Step::kBroken;
}

void Pump::Impl::Publish() {
  const std::lock_guard lock(mutex_);
  published_ = current_;
}

void Pump::Impl::Reset() {
  hand_.Restart(cursor_);
  size_.Reset();
  error_.reset();
  lingering_ = false;
  current_.state = TargetState::kOk;
  current_.retry_at.reset();
  RetryNow();
  Publish();
}

void Pump::Impl::RetryNow() {
  wake_at_ = {};
  redriver_.RetryNow();
}

Step Pump::Impl::Run(std::stop_token stop) {
  if (error_) return Step::kBroken;
  const SteadyTime now = clock_.Steady();
  if (current_.state != TargetState::kOk && now < wake_at_) return Step::kWait;
  if (redrive_turn_ && current_.state == TargetState::kOk) {
    redrive_turn_ = false;
    if (const auto step = Redrive(now, stop)) return *step;
  }
  if (hand_.pending() == 0 || lingering_) {
    const Step step = Fill(now, stop);
    if (step != Step::kProgress || hand_.pending() == 0) return step;
  }
  redrive_turn_ = true;
  return Attempt(now, stop);
}

// Reads until there is a full batch, the end, or enough for one step. kProgress unless broken.
Step Pump::Impl::Read(std::stop_token stop, bool* caught_up) {
  for (size_t reads = 0; reads < kReadsMax && !stop.stop_requested(); ++reads) {
    if (hand_.pending() >= options_.batch.events || hand_.pending_bytes() >= options_.batch.bytes ||
        hand_.items() >= kItemsMax || hand_.pages() >= kReadsMax) {
      return Step::kProgress;
    }
    if (hand_.read_next() >= selection_.end) {
      *caught_up = true;
      return Step::kProgress;
    }
    auto page = reader_->Read(hand_.read_next(), read_limits_);
    if (!page) {
      // What was read before is sound and is delivered first; the error comes again after it.
      if (hand_.empty()) return Break(page.error());
      return Step::kProgress;
    }
    const bool at_end = page->next >= journal_.end();
    if (Status added = hand_.Add(std::move(*page), selection_); !added) {
      return Break(added.error());
    }
    if (at_end) {
      *caught_up = true;
      return Step::kProgress;
    }
  }
  return Step::kProgress;
}

// kProgress with messages in hand: send them now. Without: something was settled.
Step Pump::Impl::Fill(SteadyTime now, std::stop_token stop) {
  bool caught_up = false;
  if (const Step step = Read(stop, &caught_up); step != Step::kProgress) return step;
  if (hand_.empty()) {
    if (hand_.read_next() > cursor_.next()) cursor_.Observe(hand_.read_next());
    if (!caught_up) return Step::kProgress;
    return Idle(now, stop);
  }
  if (hand_.pending() == 0 || hand_.begins_with_loss()) {
    if (!Advance()) return Step::kBroken;
    if (hand_.pending() == 0) {
      Publish();
      return Step::kProgress;
    }
  }
  if (!lingering_) linger_until_ = now + options_.batch.wait;
  const bool full = hand_.pending() >= options_.batch.events ||
                    hand_.pending_bytes() >= options_.batch.bytes || !caught_up ||
                    hand_.read_next() >= selection_.end;
  lingering_ = !full && now < linger_until_;
  if (!lingering_) return Step::kProgress;
  wake_at_ = linger_until_;
  Publish();
  return Step::kWait;
}

Step Pump::Impl::Idle(SteadyTime now, std::stop_token stop) {
  // What was to be tried again has ended otherwise, if it is not delivered: too old, evicted or
  // skipped. The state tells what the target answered last.
  current_.retry_at.reset();
  if (cursor_.next() >= selection_.end) {
    Publish();
    return Step::kDone;
  }
  // A dead letter that is wanted does not wait for an event to come, whatever the state.
  if (const auto step = Redrive(now, stop)) return *step;
  Publish();
  return Step::kIdle;
}

std::optional<Step> Pump::Impl::Redrive(SteadyTime now, std::stop_token stop) {
  if (!options_.replay.empty() || options_.end) return std::nullopt;
  const auto due = redriver_.Due(now);
  if (!due) return Break(due.error());
  if (!*due || bucket_.Allowance(1, now) == 0) return std::nullopt;
  bucket_.Take(1);
  ++current_.attempts;
  std::string last_error;
  meters_.Begin(1);
  std::optional<bool> arrived;
  Status status = redriver_.Attempt(clock_, options_.attempt_deadline, stop, &last_error, &arrived);
  meters_.End(clock_.Steady() - now);
  if (status && arrived) {
    meters_.Redriven(*arrived);
    if (*arrived) {
      backoff_.Reset();
      current_.state = TargetState::kOk;
      current_.retry_at.reset();
      current_.last_error.clear();
      current_.last_success_at = clock_.Now();
    }
  }
  if (!status) return Break(status.error());
  if (!last_error.empty()) {
    current_.last_error = std::move(last_error);
    current_.last_error_at = clock_.Now();
  }
  Publish();
  return Step::kProgress;
}

// Moves the cursor over what is settled from its place on. False when that broke the pump.
bool Pump::Impl::Advance() {
  settlement_.moves.clear();
  settlement_.dead.clear();
  settlement_.delivered = settlement_.filtered = settlement_.evicted = 0;
  settlement_.duplicates = settlement_.retries = 0;
  if (!hand_.TakePrefix(settlement_)) return true;
  settlement_.retries = std::exchange(retries_, 0);
  if (Status status = cursor_.Advance(settlement_); !status) {
    Break(status.error());
    return false;
  }
  return true;
}

Pump::Pump(PumpOptions options, Journal& journal, Cursor& cursor, const Router& router, Sink& sink,
           const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), journal, cursor, router, sink, clock)) {}
Pump::~Pump() = default;
Step Pump::Run(std::stop_token stop) { return impl_->Run(std::move(stop)); }
SteadyTime Pump::wake_at() const { return impl_->wake_at(); }
bool Pump::lingering() const { return impl_->lingering(); }
Sequence Pump::next() const { return impl_->next(); }
const std::optional<Error>& Pump::error() const { return impl_->error(); }
PumpStatus Pump::status() const { return impl_->status(); }
PumpCounters Pump::counters() const { return impl_->counters(); }
void Pump::Reset() { impl_->Reset(); }
void Pump::RetryNow() { impl_->RetryNow(); }
void Pump::LookForWanted() { impl_->LookForWanted(); }

}  // namespace spool
