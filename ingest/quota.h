// How much one source takes: events and bytes a second, and requests at once.
//
// Each rate is a bucket that holds one second's worth and refills evenly. A request is taken while
// there is anything in each bucket, and then pays for all of itself, if need be into debt: so that
// a request larger than a second's worth passes, too, and over time no more than the rate does. How
// many events a request holds is known only when it is decoded, so it pays for these afterwards.
//
// A bucket is one atomic number; taking from it is one compare-and-swap.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace spool {

struct QuotaLimits {
  double events_per_second = 0;  // 0: no limit
  double bytes_per_second = 0;   // of bodies after decompression; 0: no limit
  size_t requests = 0;           // between being read and being answered; 0: no limit
  bool operator==(const QuotaLimits&) const = default;
  bool any() const { return events_per_second > 0 || bytes_per_second > 0 || requests > 0; }
};

// Any thread.
class RateBucket {
 public:
  explicit RateBucket(double per_second) : per_second_(per_second) {}

  // How long until there is something in it; zero when there is.
  std::chrono::nanoseconds Wait(SteadyTime now) const;
  // Pays, also for more than is there.
  void Pay(uint64_t amount, SteadyTime now);

 private:
  const double per_second_;  // 0: no limit
  // When all that was taken is paid for; a second's worth before now is as early as it gets.
  std::atomic<int64_t> settled_at_{0};  // nanoseconds of the steady clock
};

class Quota {
 public:
  // One request's place. Given back when it is destroyed, which may be after the quota's end.
  class Place {
   public:
    Place() = default;
    explicit Place(std::shared_ptr<std::atomic<size_t>> taken) : taken_(std::move(taken)) {}
    Place(Place&& other) noexcept : taken_(std::move(other.taken_)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (taken_) taken_->fetch_sub(1, std::memory_order_acq_rel);
    }

   private:
    std::shared_ptr<std::atomic<size_t>> taken_;
  };
  // What is used up, as a word for people, and whole seconds after which to come again.
  struct Refused {
    std::string_view what;
    int retry_after = 1;
  };

  explicit Quota(const QuotaLimits& limits);

  // Takes a request with a body of that many bytes, or tells why not; then nothing is paid.
  std::optional<Refused> Admit(size_t body_bytes, SteadyTime now, std::shared_ptr<Place>* place);
  // The request that was taken holds that many events.
  void PayEvents(size_t count, SteadyTime now);

 private:
  const QuotaLimits limits_;
  RateBucket events_;
  RateBucket bytes_;
  const std::shared_ptr<std::atomic<size_t>> requests_;
};

}  // namespace spool
