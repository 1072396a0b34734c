#include "app/admin_parts.h"

#include "base/time_text.h"
#include "spool/cursor.h"

namespace spool {
namespace {

constexpr std::string_view kTargetPrefix = "target/";

}  // namespace

std::vector<CursorStatus> AbandonedCursors(const AdminParts& parts) {
  std::vector<CursorStatus> out;
  for (CursorStatus& cursor : parts.journal.Cursors()) {
    if (!cursor.name.starts_with(kTargetPrefix)) continue;
    cursor.name.erase(0, kTargetPrefix.size());
    if (!parts.targets.contains(cursor.name)) out.push_back(std::move(cursor));
  }
  return out;
}

std::vector<std::string> Warnings(const AdminParts& parts) {
  std::vector<std::string> out;
  if (!parts.journal.healthy()) {
    out.push_back("Storing failed: nothing is accepted any more and the process will end.");
  }
  const DiskStatus disk = parts.journal.Disk();
  if (disk.below_reserve) {
    out.push_back("The volume has only " + FormatBytes(disk.free_bytes) +
                  " free, less than the reserve: new events are refused until there is room.");
  }
  if (const ScrubStatus scrub = parts.journal.Scrub(); scrub.damaged > 0) {
    out.push_back("Stored events are damaged in " + std::to_string(scrub.damaged) +
                  " places, last: " + scrub.last_damage);
  }
  for (const StreamStatus& stream : parts.journal.Streams()) {
    if (!stream.full) continue;
    out.push_back("The stream " + stream.name +
                  " is full of events that targets still need: new ones are refused.");
  }
  for (const CursorStatus& cursor : AbandonedCursors(parts)) {
    out.push_back("The target " + cursor.name + " is not configured any more and its place keeps " +
                  std::to_string(cursor.account.pending) +
                  " events from retention; DELETE /api/v1/targets/" + cursor.name +
                  " gives them up.");
  }
  return out;
}

}  // namespace spool
