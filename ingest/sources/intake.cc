#include "ingest/sources/intake.h"

#include <algorithm>

#include "base/log.h"
#include "ingest/identity.h"
#include "ingest/quarantine.h"
#include "ingest/redactor.h"

namespace spool {
namespace {

constexpr Micros kRetryFirst = std::chrono::milliseconds(100);
constexpr Micros kRetryMax = std::chrono::seconds(5);
constexpr std::string_view kQuarantineStream = "quarantine";

struct Rules {
  Classifier classifier;
  bool mutated_is_admission = true;
};

std::string_view WhyNot(Code code) {
  switch (code) {
    case Code::kFull: return "a stream or the disk is full";
    case Code::kBusy: return "too much waits to be stored";
    default: return "storing failed";
  }
}

}  // namespace

struct Intake::State {
  State(IntakeOptions given, Journal& to) : options(std::move(given)), journal(to) {}

  struct Of {
    std::atomic<uint64_t> stored{0}, duplicates{0}, quarantined{0};
  };
  const IntakeOptions options;
  Journal& journal;
  std::array<Of, kStreamsMax> streams;  // by StreamId
  std::atomic<uint64_t> batches{0}, bytes{0};
  std::atomic<uint64_t> full{0}, overload{0}, unavailable{0};
  std::atomic<int64_t> last_event{0};  // microseconds; 0: none yet
  log::Limiter limiter;

  std::mutex mutex;  // guards what follows
  std::condition_variable_any changed;
  bool open = false, stopping = false, ended = false, waiting = false, woken = false;
  std::string failure;  // why it cannot fetch now; empty: it can
  size_t begun = 0;     // appends without an answer
  SteadyTime deadline;
  std::string address, last_error;
  std::optional<SystemTime> last_error_at;
  std::optional<uint64_t> behind_bytes, behind_messages;
  std::shared_ptr<const Rules> rules;

  void Count(const AppendResult& result, StreamId quarantine, uint32_t quarantined) {
    for (const AppendedPart& part : result.parts) {
      Of& of = streams[part.stream.value];
      const uint32_t aside = part.stream == quarantine ? std::min(part.stored, quarantined) : 0;
      of.stored.fetch_add(part.stored - aside, std::memory_order_relaxed);
      of.duplicates.fetch_add(part.duplicates, std::memory_order_relaxed);
      of.quarantined.fetch_add(aside, std::memory_order_relaxed);
    }
    if (result.stored > 0) {
      last_event.store(ToMicros(options.clock->Now()), std::memory_order_relaxed);
    }
  }
  void Remember(const std::string& why) {  // mutex held
    last_error = why;
    last_error_at = options.clock->Now();
  }
};

Intake::Intake(IntakeOptions options, Journal& journal)
    : state_([&] {
        if (!options.decode.stream) {
          options.decode.stream = [&journal](std::string_view name) {
            if (const auto id = journal.FindStream(name)) return *id;
            return journal.FindStream("kubernetes-events").value_or(StreamId{});
          };
        }
        if (!options.decode.redaction) options.decode.redaction = Redaction::Default();
        auto rules = std::make_shared<const Rules>(
            Rules{std::move(options.classifier), options.mutated_is_admission});
        std::string address = options.address;
        auto state = std::make_shared<State>(std::move(options), journal);
        state->rules = std::move(rules);
        state->address = std::move(address);
        return state;
      }()) {}

Intake::~Intake() = default;

const IntakeOptions& Intake::options() const { return state_->options; }
Journal& Intake::journal() const { return state_->journal; }

void Intake::Open() {
  const std::lock_guard lock(state_->mutex);
  state_->open = true;
  state_->changed.notify_all();
}

bool Intake::Close(SteadyTime deadline) {
  std::unique_lock lock(state_->mutex);
  state_->open = false;
  state_->changed.notify_all();
  return state_->changed.wait_until(lock, deadline,
                                    [&] { return state_->begun == 0 || state_->open; });
}

void Intake::Use(Classifier classifier, bool mutated_is_admission) {
  auto rules = std::make_shared<const Rules>(Rules{std::move(classifier), mutated_is_admission});
  const std::lock_guard lock(state_->mutex);
  state_->rules.swap(rules);
}

SourceStatus Intake::status() const {
  const State& state = *state_;
  SourceStatus out;
  out.name = state.options.name;
  out.type = state.options.type;
  out.requests = state.batches;
  out.bytes = state.bytes;
  for (uint8_t id = 0; id < kStreamsMax; ++id) {
    const State::Of& of = state.streams[id];
    const StreamCounts counts{{id}, of.stored, of.duplicates, of.quarantined};
    if (counts.stored + counts.duplicates + counts.quarantined == 0) continue;
    out.streams.push_back(counts);
    out.events += counts.stored;
    out.duplicates += counts.duplicates;
    out.quarantined += counts.quarantined;
  }
  out.refused.full = state.full;
  out.refused.overload = state.overload;
  out.refused.unavailable = state.unavailable;
  if (const int64_t last = state.last_event; last != 0) out.last_event = FromMicros(last);
  const std::lock_guard lock(state_->mutex);
  out.state = state.stopping           ? "stopping"
              : state.ended            ? "ended"
              : !state.open            ? "drained"
              : state.waiting          ? "waiting"
              : !state.failure.empty() ? "down"
                                       : "up";
  out.address = state.address;
  out.last_error = state.last_error;
  out.last_error_at = state.last_error_at;
  out.behind_bytes = state.behind_bytes;
  out.behind_messages = state.behind_messages;
  return out;
}

const RedactionCounters& Intake::redacted() const {
  return state_->options.decode.redaction->counters();
}

void Intake::SetAddress(std::string address) {
  const std::lock_guard lock(state_->mutex);
  state_->address = std::move(address);
}

void Intake::Stopping(SteadyTime deadline) {
  const std::lock_guard lock(state_->mutex);
  state_->stopping = true;
  state_->deadline = deadline;
  state_->changed.notify_all();
}

bool Intake::WaitOpen(std::stop_token stop) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait(lock, stop, [&] { return state_->open; }) && !stop.stop_requested();
}

bool Intake::Wait(Micros time, std::stop_token stop) {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, stop, time, [&] { return state_->woken; });
  state_->woken = false;
  return !stop.stop_requested();
}

void Intake::Wake() {
  const std::lock_guard lock(state_->mutex);
  state_->woken = true;
  state_->changed.notify_all();
}

void Intake::Failed(const std::string& why) {
  bool fresh = false;
  {
    const std::lock_guard lock(state_->mutex);
    fresh = state_->failure.empty();
    state_->failure = why;
    state_->Remember(why);
  }
  uint64_t held_back = 0;
  if (!state_->limiter.Allow(&held_back) && !fresh) return;
  log::Warn("The source cannot fetch events now and tries again.",
            {{"source", options().name}, {"error", why}, {"held_back", held_back}});
}

void Intake::Works() {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->failure.empty()) return;
    state_->failure.clear();
  }
  log::Info("The source fetches events again.", {{"source", options().name}});
}

void Intake::Trouble(const std::string& why) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->Remember(why);
  }
  if (uint64_t held_back = 0; state_->limiter.Allow(&held_back)) {
    log::Warn("Something is wrong with what a source fetches.",
              {{"source", options().name}, {"error", why}, {"held_back", held_back}});
  }
}

void Intake::Ended() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ended = true;
  }
  if (options().on_end) options().on_end();
}

void Intake::SetBehind(std::optional<uint64_t> bytes, std::optional<uint64_t> messages) {
  const std::lock_guard lock(state_->mutex);
  state_->behind_bytes = bytes;
  state_->behind_messages = messages;
}

void Intake::Gap(std::string_view cause, SystemTime from, SystemTime to, const std::string& what) {
  Trouble(what);
  log::Error("A source may have missed events.",
             {{"source", options().name}, {"cause", cause}, {"what", what}});
  SourceGaps* const gaps = options().gaps;
  if (gaps == nullptr) return;
  Status kept = gaps->Begin(options().name, cause, from);
  if (kept) kept = gaps->End(options().name, to);
  if (kept) return;
  log::Error("That a source may have missed events could not be recorded.",
             {{"source", options().name}, {"error", kept.error().message}});
}

struct IntakeLane::Impl {
  // What is in the journal's hands, and its answer once there is one.
  struct Slot {
    std::optional<Result<AppendResult>> answer;  // guarded by the state's mutex
  };
  struct Made {
    std::vector<Event> events;
    uint32_t quarantined = 0;
    StreamId quarantine;
  };

  explicit Impl(Intake& of)
      : intake(of),
        state(of.state_),
        decoder(state->options.decode),
        redactor(state->options.decode.redaction) {
    quarantine = state->options.decode.stream(kQuarantineStream);
  }

  void Decode(const Batch& batch, const Fetched& one, std::string_view body, const std::string& key,
              Made* made);
  void Quarantine(const Batch& batch, std::string_view body, std::string_view reason,
                  std::string_view detail, Made* made);
  Made Make(const Batch& batch);
  void Send(Made made);
  bool Settle(const std::stop_token& stop);
  bool Settled(const Result<AppendResult>& answer);

  Intake& intake;
  const std::shared_ptr<Intake::State> state;
  Decoder decoder;
  Redactor redactor;
  FreshIds fresh;
  StreamId quarantine;
  SystemTime received;
  std::shared_ptr<const Rules> rules;

  std::shared_ptr<Slot> slot;  // null: nothing is in the journal's hands
  Batch sent;                  // what that is
  uint32_t quarantined = 0;    // of its events
  Micros retry = kRetryFirst;
};

// A whole that cannot be understood is one event that tells of it.
void IntakeLane::Impl::Quarantine(const Batch& batch, std::string_view body,
                                  std::string_view reason, std::string_view detail, Made* made) {
  Arena arena([](size_t) { return true; });
  RecordContext context;
  context.cluster = state->options.decode.cluster;
  context.arena = &arena;
  context.received = received;
  EventView view;
  FillQuarantine(context,
                 {.record = body,
                  .path = batch.path,
                  .producer = {},
                  .reason = reason,
                  .detail = detail,
                  .hash = redactor.KeyedHash(body),
                  .silent = true,
                  .raw = state->options.decode.quarantine_raw},
                 &view);
  view.time = received;
  view.id = fresh.Next();
  made->events.push_back(MakeEvent(view, quarantine));
  ++made->quarantined;
}

void IntakeLane::Impl::Decode(const Batch& batch, const Fetched& one, std::string_view body,
                              const std::string& key, Made* made) {
  if (!one.unfit.empty()) {
    return Quarantine(batch, body, one.unfit, one.unfit_detail, made);
  }
  std::vector<Event> told;
  auto decoded = decoder.Decode({.path = batch.path,
                                 .content_type = one.content_type,
                                 .idempotency_key = key,
                                 .headers = &one.headers,
                                 .body = body,
                                 .received = received,
                                 .origin = state->options.name,
                                 .classifier = &rules->classifier,
                                 .mutated_is_admission = rules->mutated_is_admission,
                                 .admit =
                                     [](size_t bytes) {
                                       return bytes <= Intake::kEventBytesMax
                                                  ? Incoming::Admission::kYes
                                                  : Incoming::Admission::kNever;
                                     }},
                                &told);
  const auto take = [made](std::vector<Event> events) {
    if (made->events.empty()) {
      made->events = std::move(events);
    } else {
      std::move(events.begin(), events.end(), std::back_inserter(made->events));
    }
  };
  if (decoded) {
    made->quarantined += decoded->quarantined;
    return take(std::move(decoded->events));
  }
  if (!told.empty()) {
    made->quarantined += static_cast<uint32_t>(told.size());
    return take(std::move(told));
  }
  const Refusal& refusal = decoded.error();
  if (refusal.code == "empty_body") return;
  // Too much for once: each half of the lines for itself.
  const size_t middle = refusal.status == 413 ? body.find('\n', body.size() / 2) : body.npos;
  size_t cut = middle;
  if (refusal.status == 413 && (cut == body.npos || cut + 1 == body.size())) {
    cut = body.rfind('\n', body.size() / 2);
  }
  if (refusal.status == 413 && cut != body.npos && cut + 1 < body.size()) {
    Decode(batch, one, body.substr(0, cut + 1), key.empty() ? key : key + "/1", made);
    return Decode(batch, one, body.substr(cut + 1), key.empty() ? key : key + "/2", made);
  }
  Quarantine(batch, body, refusal.code, refusal.detail, made);
}

IntakeLane::Impl::Made IntakeLane::Impl::Make(const Batch& batch) {
  {
    const std::lock_guard lock(state->mutex);
    rules = state->rules;
  }
  Made made;
  made.quarantine = quarantine;
  for (const Fetched& one : batch.bodies) Decode(batch, one, one.body, one.key, &made);
  return made;
}

void IntakeLane::Impl::Send(Made made) {
  slot = std::make_shared<Slot>();
  quarantined = made.quarantined;
  {
    const std::lock_guard lock(state->mutex);
    ++state->begun;
  }
  state->journal.Append(std::move(made.events), state->options.name, sent.records,
                        [state = state, slot = slot](Result<AppendResult> answer) {
                          const std::lock_guard lock(state->mutex);
                          slot->answer = std::move(answer);
                          --state->begun;
                          state->changed.notify_all();
                        });
}

bool IntakeLane::Impl::Settled(const Result<AppendResult>& answer) {
  if (!answer) {
    (answer.error().code == Code::kFull   ? state->full
     : answer.error().code == Code::kBusy ? state->overload
                                          : state->unavailable)
        .fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  state->batches.fetch_add(1, std::memory_order_relaxed);
  state->bytes.fetch_add(sent.bytes != 0 ? sent.bytes : sent.BodyBytes(),
                         std::memory_order_relaxed);
  state->Count(*answer, quarantine, quarantined);
  if (retry != kRetryFirst) {
    retry = kRetryFirst;
    const std::lock_guard lock(state->mutex);
    state->waiting = false;
  }
  slot.reset();
  if (sent.stored) sent.stored();
  sent = Batch();
  return true;
}

bool IntakeLane::Impl::Settle(const std::stop_token& stop) {
  while (slot) {
    std::unique_lock lock(state->mutex);
    if (!state->changed.wait(lock, stop, [&] { return slot->answer.has_value(); })) return false;
    const Result<AppendResult> answer = *slot->answer;
    lock.unlock();
    if (Settled(answer)) return true;
    const std::string why(WhyNot(answer.error().code));
    if (uint64_t held_back = 0; state->limiter.Allow(&held_back)) {
      log::Warn("The journal takes nothing of a source now; it waits and tries again.",
                {{"source", state->options.name},
                 {"reason", why},
                 {"error", answer.error().message},
                 {"held_back", held_back}});
    }
    lock.lock();
    state->waiting = true;
    state->Remember(why + ": " + answer.error().message);
    state->changed.wait_for(lock, stop, retry, [&] { return stop.stop_requested(); });
    lock.unlock();
    retry = std::min(retry * 2, kRetryMax);
    if (stop.stop_requested() || !intake.WaitOpen(stop)) return false;
    Send(Make(sent));
  }
  return true;
}

IntakeLane::IntakeLane(Intake& intake) : impl_(std::make_unique<Impl>(intake)) {}
IntakeLane::~IntakeLane() = default;

bool IntakeLane::Put(Batch batch, const std::stop_token& stop) {
  if (!impl_->intake.WaitOpen(stop)) return false;
  impl_->received = impl_->intake.clock().Now();
  Impl::Made made = impl_->Make(batch);
  if (!impl_->Settle(stop)) return false;
  if (!impl_->intake.WaitOpen(stop)) return false;
  impl_->sent = std::move(batch);
  impl_->Send(std::move(made));
  return true;
}

bool IntakeLane::Flush(const std::stop_token& stop) { return impl_->Settle(stop); }

bool IntakeLane::Finish() {
  if (!impl_->slot) return true;
  std::unique_lock lock(impl_->state->mutex);
  const bool answered = impl_->state->changed.wait_until(
      lock, impl_->state->deadline, [&] { return impl_->slot->answer.has_value(); });
  if (!answered) return false;
  const Result<AppendResult> answer = *impl_->slot->answer;
  lock.unlock();
  return impl_->Settled(answer);
}

}  // namespace spool
