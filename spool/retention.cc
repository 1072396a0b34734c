#include "spool/retention.h"

namespace spool {

RetentionRuling Judge(const RetentionView& view, Sequence chunk_end, SystemTime chunk_accepted) {
  const bool over_age = view.age_max.count() > 0 && view.now - chunk_accepted > view.age_max;
  const bool over_size = view.bytes_max > 0 && view.retained_bytes > view.bytes_max;
  RetentionRuling ruling;
  if (!over_age && !over_size && !view.disk_low) return ruling;
  ruling.cause = over_size ? "size" : view.disk_low ? "disk" : "age";
  if (chunk_end <= view.settled) {
    ruling.drop = true;
  } else if (over_size || view.disk_low) {
    ruling.undelivered = view.when_full == WhenFull::kDropOldest;
    ruling.drop = ruling.undelivered;
    ruling.full = !ruling.drop;
  }
  return ruling;
}

}  // namespace spool
