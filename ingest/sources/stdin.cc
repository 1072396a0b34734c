#include "ingest/sources/stdin.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace spool {
namespace {

constexpr size_t kChunk = size_t{64} << 10;  // what a pipe holds
constexpr int kLookMillis = 100;             // how soon it sees that it is to stop
constexpr size_t kLineMax = size_t{16} << 20;
constexpr size_t kExcerpt = size_t{4} << 10;

}  // namespace

StdinSource::StdinSource(StdinSourceSettings settings, IntakeOptions options, Journal& journal,
                         int fd)
    : PulledSource(std::move(options), journal),
      settings_(std::move(settings)),
      fd_(fd),
      lane_(intake_) {
  intake_.SetAddress("standard input");
}

StdinSource::~StdinSource() { Stop(intake_.clock().Steady()); }

bool StdinSource::PutLines(bool all, const std::stop_token& stop) {
  while (!pending_.empty() || (all && skipped_ > 0)) {
    size_t end = pending_.find('\n');
    if (end == std::string::npos) {
      if (!all) {
        if (pending_.size() <= kLineMax) return true;
        if (skipped_ == 0) excerpt_ = pending_.substr(0, kExcerpt);
        skipped_ += pending_.size();
        pending_.clear();
        return true;
      }
      end = pending_.size();
    } else {
      ++end;
    }
    Batch batch;
    batch.path = settings_.as;
    Fetched& lines = batch.bodies.emplace_back();
    lines.content_type = "application/x-ndjson";
    if (skipped_ > 0) {
      lines.unfit = "too_large";
      lines.unfit_detail =
          "a line of " + std::to_string(skipped_ + end) + " bytes; at most 16 MiB are taken";
      lines.body = std::exchange(excerpt_, {});
      batch.bytes = skipped_ + end;
      skipped_ = 0;
    } else {
      size_t count = 1;
      while (count < Intake::kBodyRecords && end < std::min(pending_.size(), Intake::kBodyBytes)) {
        const size_t next = pending_.find('\n', end);
        if (next == std::string::npos) break;
        end = next + 1;
        ++count;
      }
      lines.body = pending_.substr(0, end);
    }
    pending_.erase(0, end);
    if (!lane_.Put(std::move(batch), stop)) return false;
  }
  return true;
}

void StdinSource::Run(std::stop_token stop) {
  bool ended = false, run = true;
  while (run && !ended && intake_.WaitOpen(stop)) {
    pollfd waits{fd_, POLLIN, 0};
    const int ready = poll(&waits, 1, pending_.empty() ? kLookMillis : 0);
    if (ready == 0) {
      // Nothing more just now: what is there need not wait for company.
      run = PutLines(false, stop) && lane_.Flush(stop);
      if (run && !pending_.empty()) {
        waits.revents = 0;
        static_cast<void>(poll(&waits, 1, kLookMillis));
      }
      continue;
    }
    char chunk[kChunk];
    const ssize_t got = ready < 0 ? -1 : read(fd_, chunk, sizeof chunk);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) intake_.Trouble(std::string("cannot read standard input: ") + strerror(errno));
    ended = got <= 0;
    if (got > 0) pending_.append(chunk, static_cast<size_t>(got));
    if (pending_.size() >= Intake::kBodyBytes) run = PutLines(false, stop);
  }
  if (ended && PutLines(true, stop) && lane_.Flush(stop)) {
    log::Info("The pipe has ended, and all of it is stored.", {{"source", intake_.options().name}});
    intake_.Ended();
    return;
  }
  static_cast<void>(lane_.Finish());
}

}  // namespace spool
