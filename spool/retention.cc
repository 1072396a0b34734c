#include "spool/retention.h"

namespace spool {

RetentionRuling Judge(const RetentionView& view, Sequence chunk_end, SystemTime chunk_accepted) {
  const bool over_age = view.age_max.count() > 0 && view.now - chunk_accepted > view.age_max;
  const bool over_size = view.bytes_max > 0 && view.retained_bytes > view.bytes_max;
  RetentionRuling ruling;
  if (!over_age && !over_size) return ruling;
  ruling.cause = over_size ? "size" : "age";
  if (chunk_end <= view.settled) {
    ruling.drop = true;
  } else if (over_size) {
    ruling.undelivered = view.when_full == WhenFull::kDropOldest;
    ruling.drop = ruling.undelivered;
    ruling.full = !ruling.drop;
  }
  return ruling;
}

std::optional<size_t> ChooseForDisk(std::span<const std::optional<DiskCandidate>> oldest,
                                    bool undelivered) {
  const auto best = [&](auto may_go) {
    std::optional<size_t> chosen;
    for (size_t i = 0; i < oldest.size(); ++i) {
      if (!oldest[i] || !may_go(*oldest[i])) continue;
      if (!chosen || oldest[i]->accepted < oldest[*chosen]->accepted) chosen = i;
    }
    return chosen;
  };
  const auto settled = best([](const DiskCandidate& c) { return c.settled; });
  if (settled || !undelivered) return settled;
  return best([](const DiskCandidate& c) { return c.when_full == WhenFull::kDropOldest; });
}

}  // namespace spool
