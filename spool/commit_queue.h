// The group commit: everything that waits becomes one chunk a stream (or a few), one write batch,
// one sync; then the end is published and all waiting producers are answered.
//
// Two threads. "packer" encodes and compresses what arrives while "writer" syncs the group before;
// the writer numbers, writes, publishes and answers. It is the only place that releases an
// acknowledgement. While the packer is at a request, whoever brings a large one packs it himself;
// the packer then only looks whether all of it is new.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "spool/dedupe.h"
#include "spool/journal_state.h"

namespace spool {

class CommitQueue {
 public:
  CommitQueue(JournalState& state, Dedupe dedupe);
  ~CommitQueue();  // finishes what is queued
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;

  // As Journal::Append, after the checks for full streams.
  void Append(std::vector<Event> events, std::string_view origin, std::vector<RecordPut> records,
              AppendDone done);
  Journal::Counters counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spool
