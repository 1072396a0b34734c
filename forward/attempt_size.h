// How many messages the next attempt takes: bisects a refused batch down to its offender, finds
// the size a target bears, and grows back.
#pragma once

#include <algorithm>
#include <cstddef>

namespace spool {

// One thread.
class AttemptSize {
 public:
  explicit AttemptSize(size_t max) : max_(std::max<size_t>(max, 1)), size_(max_) {}

  size_t Next() const { return suspects_ > 0 ? std::max<size_t>(1, suspects_ / 2) : size_; }

  // All of `n` were taken by the target.
  void Succeeded(size_t n) {
    if (suspects_ > 0) {
      suspects_ -= std::min(suspects_, n);  // the offender is among the rest
      return;
    }
    if (patience_ > 0) {
      --patience_;
      return;
    }
    size_ = std::min(size_ * 2, max_);
  }
  // `n` > 1 were refused together: one of them, nobody says which, is at fault.
  void RefusedTogether(size_t n) {
    suspects_ = n;
    size_ = std::max<size_t>(1, n / 2);
  }
  // `n` > 1 made too large a request. Half may do; ask for more only after a while.
  void TooLarge(size_t n) {
    suspects_ = 0;
    size_ = std::max<size_t>(1, n / 2);
    patience_ = kPatience;
  }
  // The offender was found alone, or the target must be probed gently: the next ones go singly
  // until one is taken, since where one is refused its neighbours often are.
  void Single() {
    suspects_ = 0;
    size_ = 1;
    patience_ = 0;
  }
  void Reset() {
    suspects_ = 0;
    size_ = max_;
    patience_ = 0;
  }

 private:
  static constexpr int kPatience = 16;
  size_t max_;
  size_t size_;
  size_t suspects_ = 0;  // messages from the first unsettled on that hold an offender
  int patience_ = 0;
};

}  // namespace spool
