#include "ingest/quota.h"

#include <algorithm>
#include <cmath>

namespace spool {
namespace {

using std::chrono::nanoseconds;

constexpr int64_t kSecond = 1'000'000'000;
// Beyond this nobody waits, and the sums stay far from their ends.
constexpr double kDebtSecondsMax = 3600;

int64_t Nanos(SteadyTime time) {
  return std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count();
}

int WholeSeconds(nanoseconds wait) {
  return static_cast<int>(std::max<int64_t>(1, (wait.count() + kSecond - 1) / kSecond));
}

}  // namespace

nanoseconds RateBucket::Wait(SteadyTime now) const {
  if (per_second_ <= 0) return nanoseconds(0);
  // Settled before now: what lies between is what may be taken.
  const int64_t ahead = settled_at_.load(std::memory_order_relaxed) - Nanos(now);
  return nanoseconds(ahead < 0 ? 0 : ahead + 1);
}

void RateBucket::Pay(uint64_t amount, SteadyTime now) {
  if (per_second_ <= 0 || amount == 0) return;
  const int64_t at = Nanos(now);
  const double seconds = std::min(static_cast<double>(amount) / per_second_, kDebtSecondsMax);
  const auto cost = static_cast<int64_t>(std::ceil(seconds * static_cast<double>(kSecond)));
  int64_t settled = settled_at_.load(std::memory_order_relaxed);
  int64_t next = 0;
  do {
    next = std::min(std::max(settled, at - kSecond) + cost,
                    at + static_cast<int64_t>(kDebtSecondsMax) * kSecond);
  } while (!settled_at_.compare_exchange_weak(settled, next, std::memory_order_relaxed));
}

Quota::Quota(const QuotaLimits& limits)
    : limits_(limits),
      events_(limits.events_per_second),
      bytes_(limits.bytes_per_second),
      requests_(std::make_shared<std::atomic<size_t>>(0)) {}

std::optional<Quota::Refused> Quota::Admit(size_t body_bytes, SteadyTime now,
                                           std::shared_ptr<Place>* place) {
  const nanoseconds events = events_.Wait(now);
  const nanoseconds bytes = bytes_.Wait(now);
  if (events.count() > 0 || bytes.count() > 0) {
    return Refused{bytes > events ? "bytes a second" : "events a second",
                   WholeSeconds(std::max(events, bytes))};
  }
  if (limits_.requests > 0) {
    if (requests_->fetch_add(1, std::memory_order_acq_rel) >= limits_.requests) {
      requests_->fetch_sub(1, std::memory_order_acq_rel);
      return Refused{"requests at once", 1};
    }
    *place = std::make_shared<Place>(requests_);
  }
  bytes_.Pay(body_bytes, now);
  return std::nullopt;
}

void Quota::PayEvents(size_t count, SteadyTime now) { events_.Pay(count, now); }

}  // namespace spool
