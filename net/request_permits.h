// The bytes that one request holds of the budget from when it is handed over until its answer.
#pragma once

#include <mutex>
#include <utility>

#include "net/byte_budget.h"
#include "net/http_server.h"

namespace spool::net {

// Any thread.
class RequestPermits {
 public:
  // Of the body that has come in, and of the head beyond what every connection has free.
  RequestPermits(std::shared_ptr<ByteBudget> budget, BytePermit body, BytePermit head)
      : budget_(std::move(budget)),
        body_bytes_(body.bytes()),
        body_(std::move(body)),
        head_(std::move(head)) {}

  // As HttpResponder::Reserve.
  HttpResponder::Reserved Reserve(size_t bytes) {
    const std::lock_guard lock(mutex_);
    const Claim claim = body_.large() ? Claim::kMadeOfLarge : Claim::kMade;
    if (body_bytes_ + bytes > budget_->limit(claim)) return HttpResponder::Reserved::kNever;
    const bool given = !released_ && body_.Grow(body_bytes_ + bytes, claim);
    return given ? HttpResponder::Reserved::kYes : HttpResponder::Reserved::kNotNow;
  }
  // Gives all back but `keep` bytes: the request is not in memory any more.
  void Release(size_t keep) {
    const std::lock_guard lock(mutex_);
    released_ = true;
    body_.Shrink(keep);
    body_.LeaveLargePlace();
    head_.Release();
  }

 private:
  const std::shared_ptr<ByteBudget> budget_;
  const size_t body_bytes_;
  std::mutex mutex_;
  BytePermit body_;  // guarded by mutex_, as all below
  BytePermit head_;
  bool released_ = false;
};

}  // namespace spool::net
