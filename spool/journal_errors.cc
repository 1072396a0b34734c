#include "spool/journal_errors.h"

#include <atomic>

namespace spool {
namespace {

std::array<std::atomic<uint64_t>, kJournalOpNames.size()> counts{};

}  // namespace

void CountJournalError(JournalOp op) { ++counts[static_cast<size_t>(op)]; }

std::array<uint64_t, kJournalOpNames.size()> JournalErrors() {
  std::array<uint64_t, kJournalOpNames.size()> out{};
  for (size_t i = 0; i < out.size(); ++i) out[i] = counts[i];
  return out;
}

}  // namespace spool
