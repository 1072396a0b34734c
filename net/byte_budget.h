// How many bytes of request bodies, and of what is made of them, may be in memory at once, over all
// connections of a server.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace spool::net {

// Who asks. A large body that does not come to its end, for as long as its time limits let it, must
// hold only its like up; and bodies on their way must not hold up those that are complete, or
// nothing would ever be finished under load.
enum class Claim {
  kLargeBody,  // may have half of the budget, one at a time
  kBody,       // three quarters
  kMade,       // all: what a handler makes of a body that is there
};

// Any thread.
class ByteBudget {
 public:
  explicit ByteBudget(size_t bytes_max) : bytes_max_(bytes_max) {}

  // A glance that reserves nothing: would that many further bytes be given now?
  bool Fits(size_t bytes, Claim claim) const {
    if (claim == Claim::kLargeBody && large_taken_.load(std::memory_order_relaxed)) return false;
    const size_t used = used_.load(std::memory_order_relaxed);
    return used <= limit(claim) && bytes <= limit(claim) - used;
  }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  // What may be used in all when this claim is granted.
  size_t limit(Claim claim) const {
    switch (claim) {
      case Claim::kLargeBody: return bytes_max_ / 2;
      case Claim::kBody: return bytes_max_ - bytes_max_ / 4;
      case Claim::kMade: break;
    }
    return bytes_max_;
  }

 private:
  friend class BytePermit;
  const size_t bytes_max_;
  std::atomic<size_t> used_{0};
  std::atomic<bool> large_taken_{false};
};

// A share of the budget, given back when destroyed. One thread at a time.
class BytePermit {
 public:
  BytePermit() = default;
  explicit BytePermit(std::shared_ptr<ByteBudget> budget) : budget_(std::move(budget)) {}
  ~BytePermit() { Release(); }
  BytePermit(BytePermit&& other) noexcept { *this = std::move(other); }
  BytePermit& operator=(BytePermit&& other) noexcept {
    if (this == &other) return *this;
    Release();
    budget_ = other.budget_;  // the source stays usable for the next request
    bytes_ = std::exchange(other.bytes_, 0);
    large_ = std::exchange(other.large_, false);
    return *this;
  }
  BytePermit(const BytePermit&) = delete;
  BytePermit& operator=(const BytePermit&) = delete;

  // Makes this permit hold at least `bytes` in all, and the large place if that is claimed. False,
  // and nothing changed, when the budget does not have it now.
  bool Grow(size_t bytes, Claim claim) {
    const bool take_large = claim == Claim::kLargeBody && !large_;
    if (take_large && budget_->large_taken_.exchange(true, std::memory_order_acq_rel)) return false;
    if (bytes > bytes_) {
      const size_t more = bytes - bytes_;
      const size_t before = budget_->used_.fetch_add(more, std::memory_order_acq_rel);
      const size_t limit = budget_->limit(claim);
      if (before > limit || more > limit - before) {
        budget_->used_.fetch_sub(more, std::memory_order_acq_rel);
        if (take_large) budget_->large_taken_.store(false, std::memory_order_release);
        return false;
      }
      bytes_ = bytes;
    }
    if (take_large) large_ = true;
    return true;
  }

  // Gives back all but `bytes`; the large place stays.
  void Shrink(size_t bytes) {
    if (bytes >= bytes_) return;
    budget_->used_.fetch_sub(bytes_ - bytes, std::memory_order_acq_rel);
    bytes_ = bytes;
  }

  void LeaveLargePlace() {
    if (std::exchange(large_, false)) {
      budget_->large_taken_.store(false, std::memory_order_release);
    }
  }

  void Release() {
    if (!budget_) return;
    Shrink(0);
    LeaveLargePlace();
  }

  size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<ByteBudget> budget_;
  size_t bytes_ = 0;
  bool large_ = false;
};

}  // namespace spool::net
