// The source that reads a pipe: lines on standard input, until it ends.
//
// What was read and is not stored when the process is killed is lost: a pipe keeps nothing. While
// the journal takes nothing, it is not read, so that who writes it waits.
#pragma once

#include "ingest/sources/pulled.h"
#include "ingest/sources/settings.h"

namespace spool {

class StdinSource final : public PulledSource {
 public:
  // `fd` is read; not closed.
  StdinSource(StdinSourceSettings settings, IntakeOptions options, Journal& journal, int fd = 0);
  ~StdinSource() override;

 private:
  void Run(std::stop_token stop) override;
  // The lines in `pending`, with `all` also one that does not end. False: it is to stop.
  bool PutLines(bool all, const std::stop_token& stop);

  const StdinSourceSettings settings_;
  const int fd_;
  IntakeLane lane_;
  std::string pending_;  // the thread's, as what follows
  uint64_t skipped_ = 0;
  std::string excerpt_;
};

}  // namespace spool
