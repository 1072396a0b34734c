// How many bytes of request bodies and large heads, and of what is made of them, may be in memory
// at once: over all connections of a server and, under a budget that several share, over all
// servers.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace spool::net {

// Who asks. A large body that does not come to its end, for as long as its time limits let it, must
// hold only its like up; and bodies on their way must not hold up those that are complete, or
// nothing would ever be finished under load.
enum class Claim {
  kHead,        // half: heads that do not end leave room for bodies
  kLargeBody,   // may have half of the budget or, if that is more, the largest body; one at a time
  kBody,        // three quarters
  kUrgentBody,  // seven eighths: of one whose sender will not send it again
  kMade,        // all: what a handler makes of a body that is there
  kMadeOfLarge  // all or, if that is more, twice the largest body and some: the same of a large one
};

// Any thread.
class ByteBudget {
 public:
  // What decompressing takes at most beside its body, and what events may weigh beside theirs.
  static constexpr size_t kDecoderBytes = size_t{9} << 20;
  static constexpr size_t kMadeBytes = size_t{16} << 20;

  // A body of `body_max` bytes (0: no more than half of the budget) has its room, even if it leaves
  // none to others. What is taken from this budget is taken from `shared`, too, if there is one;
  // then the large place is that one's.
  explicit ByteBudget(size_t bytes_max, size_t body_max = 0,
                      std::shared_ptr<ByteBudget> shared = nullptr)
      : bytes_max_(bytes_max),
        body_max_(std::min(body_max, bytes_max)),
        shared_(std::move(shared)) {}

  // A glance that reserves nothing: would that many further bytes be given now?
  bool Fits(size_t bytes, Claim claim) const {
    if (claim == Claim::kLargeBody && LargePlace().load(std::memory_order_relaxed)) return false;
    const size_t used = used_.load(std::memory_order_relaxed);
    const size_t most = own_limit(claim);
    return used <= most && bytes <= most - used && (!shared_ || shared_->Fits(bytes, claim));
  }
  // By this server's connections.
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  // What may be used in all when this claim is granted.
  size_t limit(Claim claim) const {
    return shared_ ? std::min(own_limit(claim), shared_->limit(claim)) : own_limit(claim);
  }

 private:
  friend class BytePermit;

  size_t own_limit(Claim claim) const {
    switch (claim) {
      case Claim::kHead: return bytes_max_ / 2;
      case Claim::kLargeBody:
        return body_max_ > bytes_max_ / 2 ? body_max_ + kDecoderBytes : bytes_max_ / 2;
      case Claim::kBody: return bytes_max_ - bytes_max_ / 4;
      case Claim::kUrgentBody: return bytes_max_ - bytes_max_ / 8;
      case Claim::kMade: break;
      case Claim::kMadeOfLarge:
        return body_max_ > bytes_max_ / 2 ? std::max(bytes_max_, 2 * body_max_ + kMadeBytes)
                                          : bytes_max_;
    }
    return bytes_max_;
  }
  std::atomic<bool>& LargePlace() { return shared_ ? shared_->LargePlace() : large_taken_; }
  const std::atomic<bool>& LargePlace() const {
    return shared_ ? shared_->LargePlace() : large_taken_;
  }
  bool Take(size_t bytes, Claim claim) {
    const size_t before = used_.fetch_add(bytes, std::memory_order_acq_rel);
    const size_t most = own_limit(claim);
    if (before <= most && bytes <= most - before && (!shared_ || shared_->Take(bytes, claim))) {
      return true;
    }
    used_.fetch_sub(bytes, std::memory_order_acq_rel);
    return false;
  }
  void GiveBack(size_t bytes) {
    used_.fetch_sub(bytes, std::memory_order_acq_rel);
    if (shared_) shared_->GiveBack(bytes);
  }

  const size_t bytes_max_;
  const size_t body_max_;
  const std::shared_ptr<ByteBudget> shared_;
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
    if (take_large && budget_->LargePlace().exchange(true, std::memory_order_acq_rel)) return false;
    if (bytes > bytes_) {
      if (!budget_->Take(bytes - bytes_, claim)) {
        if (take_large) budget_->LargePlace().store(false, std::memory_order_release);
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
    budget_->GiveBack(bytes_ - bytes);
    bytes_ = bytes;
  }

  void LeaveLargePlace() {
    if (std::exchange(large_, false)) {
      budget_->LargePlace().store(false, std::memory_order_release);
    }
  }

  void Release() {
    if (!budget_) return;
    Shrink(0);
    LeaveLargePlace();
  }

  size_t bytes() const { return bytes_; }
  bool large() const { return large_; }

 private:
  std::shared_ptr<ByteBudget> budget_;
  size_t bytes_ = 0;
  bool large_ = false;
};

}  // namespace spool::net
