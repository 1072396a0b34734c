// The record of a replay job: any bytes are damage, or a job that is written back as the same JSON.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "replay/job_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spool;  // NOLINT(google-build-using-namespace)
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Result<ReplayStatus> job = DecodeReplay(text);
  if (!job) {
    SPOOL_ASSERT(job.error().code == Code::kDamaged);
    return 0;
  }
  SPOOL_ASSERT(job->settled == job->delivered + job->rejected);
  const Result<std::string> written = EncodeReplay(*job);
  SPOOL_ASSERT(written.has_value());
  SPOOL_ASSERT(nlohmann::json::parse(text).dump() == *written);
  return 0;
}
