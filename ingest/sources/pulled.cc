#include "ingest/sources/pulled.h"

#include "base/thread.h"

namespace spool {

Status PulledSource::Start() {
  const std::string& name = intake_.options().name;
  if (started_) return Fail(Code::kConflict, "source " + name + " is started already");
  if (const Status prepared = Prepare(); !prepared) {
    return Fail("source " + name, prepared.error());
  }
  started_ = true;
  thread_ =
      StartThread("src-" + name.substr(0, 11), [this](const std::stop_token& stop) { Run(stop); });
  return {};
}

void PulledSource::Stop(SteadyTime deadline) {
  intake_.Stopping(deadline);
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace spool
