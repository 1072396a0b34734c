#include "app/source_watch.h"

#include <algorithm>

#include "base/log.h"
#include "base/thread.h"

namespace spool {
namespace {

void Tell(const Status& recorded, std::string_view source) {
  if (recorded) return;
  log::Error("When a source took nothing could not be recorded.",
             {{"source", source}, {"error", recorded.error().message}});
}

SystemTime NewestOf(const Journal& journal) {
  SystemTime newest{};
  for (const StreamStatus& stream : journal.Streams()) {
    if (stream.newest) newest = std::max(newest, *stream.newest);
  }
  return newest;
}

}  // namespace

SourceWatch::SourceWatch(SourceGaps& gaps, std::vector<const Source*> sources, const Clock& clock)
    : gaps_(gaps), clock_(clock) {
  for (const Source* source : sources) {
    watched_.push_back({source, source->status().name, source->keeps_place()});
  }
}

Result<std::unique_ptr<SourceWatch>> SourceWatch::Start(const Journal& journal, SourceGaps& gaps,
                                                        std::vector<const Source*> sources,
                                                        const Clock& clock) {
  std::unique_ptr<SourceWatch> watch(new SourceWatch(gaps, std::move(sources), clock));
  if (const Status resumed = watch->Resume(journal); !resumed) {
    return tl::unexpected(resumed.error());
  }
  watch->thread_ = StartThread("source-watch",
                               [watch = watch.get()](std::stop_token stop) { watch->Loop(stop); });
  return watch;
}

SourceWatch::~SourceWatch() = default;

Status SourceWatch::Resume(const Journal& journal) {
  const SystemTime now = clock_.Now();
  // Whatever was stored last, spoold was there then.
  const SystemTime newest = NewestOf(journal);
  for (const Watched& one : watched_) {
    const auto last = gaps_.LastTaking(one.name);
    if (last && !one.keeps_place && !gaps_.OpenGap(one.name)) {
      const SystemTime from = std::min(std::max(*last, newest), now);
      if (auto begun = gaps_.Begin(one.name, kCrashed, from); !begun) return begun;
    }
    if (auto ended = gaps_.End(one.name, now); !ended) return ended;
    if (auto said = gaps_.Taking(one.name, now); !said) return said;
  }
  return {};
}

void SourceWatch::Drained(bool on) {
  const SystemTime now = clock_.Now();
  for (const Watched& one : watched_) {
    if (one.keeps_place) continue;
    Tell(on ? gaps_.Begin(one.name, kDrained, now) : gaps_.End(one.name, now), one.name);
  }
}

void SourceWatch::Stopped(SystemTime since) {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  for (const Watched& one : watched_) {
    if (!one.keeps_place) Tell(gaps_.Begin(one.name, kStopped, since), one.name);
  }
}

void SourceWatch::Loop(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  SystemTime before = clock_.Now();
  SteadyTime said = clock_.Steady();
  for (;;) {
    wake_.wait_for(lock, stop, kLookEvery, [&stop] { return stop.stop_requested(); });
    if (stop.stop_requested()) return;
    const SystemTime now = clock_.Now();
    Look(before, now);
    before = now;
    if (clock_.Steady() - said < kSayEvery) continue;
    said = clock_.Steady();
    for (const Watched& one : watched_) {
      if (!gaps_.OpenGap(one.name)) Tell(gaps_.Taking(one.name, now), one.name);
    }
  }
}

// Refusals for want of room begin a gap; the first event that is taken and no refusal beside it
// ends it.
void SourceWatch::Look(SystemTime before, SystemTime now) {
  for (Watched& one : watched_) {
    if (one.keeps_place) continue;
    const SourceStatus status = one.source->status();
    const uint64_t taken = status.events + status.duplicates + status.quarantined;
    if (status.refused.full > one.full) {
      Tell(gaps_.Begin(one.name, kFull, before), one.name);
    } else if (taken > one.taken) {
      const auto open = gaps_.OpenGap(one.name);
      if (open && open->cause == kFull) Tell(gaps_.End(one.name, now), one.name);
    }
    one.full = status.refused.full;
    one.taken = taken;
  }
}

}  // namespace spool
